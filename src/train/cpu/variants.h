/* The variants of the step's code: which there are, and which of them this machine can run. */
#ifndef NASRUN_TRAIN_CPU_VARIANTS_H
#define NASRUN_TRAIN_CPU_VARIANTS_H

#include <stdbool.h>

/* suffix of the exported names, bytes of a vector register, arithmetic type, text; best first. `precise` is never
 * chosen for training: it is there for tests. */
#if defined(__x86_64__)
#define CPU_VARIANTS(X)                                       \
    X(avx512, 64, float, "AVX-512")                           \
    X(avx2, 32, float, "AVX2 and FMA")                        \
    X(plain, 16, float, "the base instruction set")           \
    X(precise, 16, double, "the base instruction set, double")
#else
#define CPU_VARIANTS(X)                                       \
    X(plain, 16, float, "the base instruction set")           \
    X(precise, 16, double, "the base instruction set, double")
#endif

enum cpu_variant {
#define X(suffix, bytes, type, text) CPU_##suffix,
    CPU_VARIANTS(X)
#undef X
        CPU_VARIANT_COUNT
};

/* Whether processor and operating system have the instructions. */
bool cpu_variant_runs(enum cpu_variant variant);
/* "AVX-512" and the like. */
const char *cpu_variant_text(enum cpu_variant variant);

#endif
