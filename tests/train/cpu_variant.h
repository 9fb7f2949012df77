/* For the test programs of the CPU's step code: a case per variant, skipped where the machine lacks the instructions.
 *
 *   variant_<name>.c, compiled once per variant:   void NR_VARIANT(conv_shapes)(void) { ... }
 *   test_<name>.c:                                 VARIANT_CASE(conv_shapes)
 *                                                  const struct CMUnitTest cases[] = {VARIANT_TESTS(conv_shapes)}; */
#ifndef NASRUN_TESTS_CPU_VARIANT_H
#define NASRUN_TESTS_CPU_VARIANT_H

#include "support/test.h"
#include "train/cpu/variants.h"

#if defined(__x86_64__)
#define VARIANT_TESTS(name)                                                              \
    cmocka_unit_test(name##_avx512_case), cmocka_unit_test(name##_avx2_case),            \
        cmocka_unit_test(name##_plain_case), cmocka_unit_test(name##_precise_case)
#define VARIANT_CASE(name)          \
    VARIANT_CASE_OF(name, avx512)   \
    VARIANT_CASE_OF(name, avx2)     \
    VARIANT_CASE_OF(name, plain)    \
    VARIANT_CASE_OF(name, precise)
#else
#define VARIANT_TESTS(name) cmocka_unit_test(name##_plain_case), cmocka_unit_test(name##_precise_case)
#define VARIANT_CASE(name)       \
    VARIANT_CASE_OF(name, plain) \
    VARIANT_CASE_OF(name, precise)
#endif

#define VARIANT_CASE_OF(name, suffix)                \
    void name##_##suffix(void);                      \
    static void name##_##suffix##_case(void **state) \
    {                                                \
        (void)state;                                 \
        if (!cpu_variant_runs(CPU_##suffix))         \
            skip();                                  \
        name##_##suffix();                           \
    }

#endif
