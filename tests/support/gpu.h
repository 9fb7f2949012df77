/* What the tests of tests/gpu have in common: the backend that they try.
 *
 * It is the one of backend_load("cuda"), on a GPU, or on the double of NVIDIA's libraries where NASRUN_CUDA_MODULE
 * names it. NASRUN_TEST_BACKEND=cpu puts the CPU's in its place: the tests themselves are tried so, and the float32
 * engine with them. Without a device the programs say so and are skipped. */
#ifndef NASRUN_TESTS_GPU_H
#define NASRUN_TESTS_GPU_H

#include "support/training.h"

/* main() of a program of tests/gpu. */
#define GPU_MAIN(cases)                                                                                                \
    int main(int count, char **arguments)                                                                              \
    {                                                                                                                  \
        return gpu_main(count, arguments, (cases), sizeof(cases) / sizeof *(cases));                                   \
    }
int gpu_main(int count, char **arguments, const struct CMUnitTest *cases, size_t cases_count);

/* Usable devices, 0 where there is none (and prints why). In a process of its own, so that this one may still fork. */
int gpu_count(void);
/* Loads it in this process; fails the test if that does not work. */
const struct backend *gpu_backend(void);
/* On the double: sizes are to be small. */
bool gpu_is_slow(void);
bool gpu_is_cpu(void); /* the CPU stands in: no lanes, no groups, no precisions */

/* A candidate on the backend, and the same one on the CPU in double precision: the reference. */
struct gpu_pair {
    struct training gpu, cpu;
};

typedef void gpu_layers(struct hand_plan *hand);

void gpu_pair_create(struct gpu_pair *pair, int64_t images, int64_t channels, int64_t side, gpu_layers *layers);
void gpu_pair_open(
    struct gpu_pair *pair); /* once the recipe of `gpu` is as it should be; the reference takes it over */
void gpu_pair_clear(struct gpu_pair *pair);

#endif
