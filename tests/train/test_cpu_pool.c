/* Pooling of the CPU backend, in every variant: see variant_cpu_pool.c. */
#include "train/cpu_variant.h"

VARIANT_CASE(pool_shapes)
VARIANT_CASE(pool_first_maximum)
VARIANT_CASE(pool_keeps_nan)
VARIANT_CASE_OF(pool_differences, precise)

static const struct CMUnitTest cases[] = {
    VARIANT_TESTS(pool_shapes),
    VARIANT_TESTS(pool_first_maximum),
    VARIANT_TESTS(pool_keeps_nan),
    cmocka_unit_test(pool_differences_precise_case),
};

TEST_MAIN(cases)
