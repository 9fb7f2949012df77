/* What one core of this machine can do at best: fused multiply-adds on registers. The yardstick of `nasrun bench`. */
#include <time.h>

#include "train/cpu/engine.h"
#include "train/cpu/vector.h"

#define peak_flops NR_VARIANT(peak_flops)
double peak_flops(double seconds);

/* More chains than latency times units (4 x 2), few enough to leave two of 16 registers. */
enum { CHAINS = 12, ROUNDS = 50000 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The best of many short runs, so that other work on the machine does not count. */
double peak_flops(double seconds)
{
    double start = now(), best = 0;
    vec chain[CHAINS], factor = vec_set((real)0.999), term = vec_set((real)0.001);
    VEC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        chain[i] = vec_set((real)(i + 2)); /* 1 would stay 1, and be optimised away */
    do {
        double from = now();
        for (int round = 0; round < ROUNDS; round++) {
            VEC_UNROLL
            for (int i = 0; i < CHAINS; i++)
                chain[i] = chain[i] * factor + term;
            __asm__ volatile("" ::: "memory"); /* one more round is one more round */
        }
        double rate = 2.0 * LANES * CHAINS * ROUNDS / (now() - from);
        best = rate > best ? rate : best;
    } while (now() - start < seconds);
    vec sum = vec_zero();
    VEC_UNROLL
    for (int i = 0; i < CHAINS; i++)
        sum += chain[i];
    volatile real sink = vec_sum(sum); /* the result is used */
    (void)sink;
    return best;
}
