/* Dropout masks and elementary functions on every variant; see variant_cpu_dropout.c. */
#include "train/cpu_variant.h"

VARIANT_CASE(dropout_masks)
VARIANT_CASE(elementary_functions)

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {VARIANT_TESTS(dropout_masks), VARIANT_TESTS(elementary_functions)};
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
