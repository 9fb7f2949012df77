/* Batch norm of the CPU backend, in every variant: see variant_cpu_batchnorm.c. */
#include "train/cpu_variant.h"

VARIANT_CASE(batchnorm_shapes)
VARIANT_CASE(batchnorm_with_pool)
VARIANT_CASE(batchnorm_far_mean)
VARIANT_CASE(batchnorm_evaluation)
VARIANT_CASE_OF(batchnorm_differences, precise)

static const struct CMUnitTest cases[] = {
    VARIANT_TESTS(batchnorm_shapes),     VARIANT_TESTS(batchnorm_with_pool),
    VARIANT_TESTS(batchnorm_far_mean),   VARIANT_TESTS(batchnorm_evaluation),
    cmocka_unit_test(batchnorm_differences_precise_case),
};

TEST_MAIN(cases)
