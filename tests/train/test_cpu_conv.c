/* Convolution of the CPU backend, in every variant: see variant_cpu_conv.c. */
#include "train/cpu_variant.h"

VARIANT_CASE(conv_fixed_shapes)
VARIANT_CASE(conv_random_shapes)
VARIANT_CASE_OF(conv_differences, precise)
VARIANT_CASE(conv_accumulates)
VARIANT_CASE(conv_repeats_bits)
VARIANT_CASE(conv_ignores_empty_lanes)
VARIANT_CASE(lanes_round_trip)
VARIANT_CASE(lanes_sums)

static const struct CMUnitTest cases[] = {
    VARIANT_TESTS(conv_fixed_shapes),
    VARIANT_TESTS(conv_random_shapes),
    cmocka_unit_test(conv_differences_precise_case),
    VARIANT_TESTS(conv_accumulates),
    VARIANT_TESTS(conv_repeats_bits),
    VARIANT_TESTS(conv_ignores_empty_lanes),
    VARIANT_TESTS(lanes_round_trip),
    VARIANT_TESTS(lanes_sums),
};

TEST_MAIN(cases)
