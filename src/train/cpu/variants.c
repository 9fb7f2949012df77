#include "train/cpu/variants.h"

bool cpu_variant_runs(enum cpu_variant variant)
{
    switch (variant) {
#if defined(__x86_64__)
    case CPU_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               cpu_variant_runs(CPU_avx2);
    case CPU_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#endif
    case CPU_plain:
    case CPU_precise:
        return true;
    case CPU_VARIANT_COUNT:
        break;
    }
    return false;
}

const char *cpu_variant_text(enum cpu_variant variant)
{
    static const char *const text[] = {
#define X(suffix, bytes, type, description) description,
        CPU_VARIANTS(X)
#undef X
    };
    return text[variant];
}
