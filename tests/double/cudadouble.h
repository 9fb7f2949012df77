/* The double of CUDA's runtime and libraries: the same symbols from NVIDIA's headers, no GPU behind them. Kernels run
 * through tests/blockexec. Here is what tests say to it; the program knows nothing of it.
 *
 * Environment, read at the first call:
 *   NASRUN_DOUBLE_DEVICES=n       devices (1); CUDA_VISIBLE_DEVICES chooses among them as usual (numbers only)
 *   NASRUN_DOUBLE_MEMORY=bytes    of each device (2 GiB), as this process sees it
 *   NASRUN_DOUBLE_CAPABILITY=8.0  compute capability (9.0); kernels start from 7.5 on
 *   NASRUN_DOUBLE_DRIVER=none|old no driver; one that is older than the runtime
 *   NASRUN_DOUBLE_SEED=n          of the order in which streams run (1)
 *   NASRUN_DOUBLE_EAGER=1         work may run as soon as it is queued (else only when the host waits or asks)
 *   NASRUN_DOUBLE_CUDNN=word,...  what cuDNN's heuristics say: cudnndouble.h
 *   NASRUN_DOUBLE_CUDNN=...       algorithms that cuDNN lacks: see cudnndouble.h
 *   NASRUN_DOUBLE_NCCL=silent     a rank that died or aborted is not reported to the others, which wait
 *   NASRUN_DOUBLE_NO_EPILOGUE=DRELU_BGRAD,...  epilogues for which cublasLt finds no algorithm
 *   NASRUN_DOUBLE_FAIL=call=NAME,nth=N[,code=C][,when=run][,once=FILE]
 *       the N-th call of that function (or kernel; * is any) fails with that code; when=run: the N-th time that its
 * work runs, the device is lost; once=FILE: only if FILE is not there, which is then made
 *   NASRUN_DOUBLE_CUDNN=...       algorithms that cuDNN lacks: see cudnndouble.h
 *   NASRUN_DOUBLE_NCCL=silent     ranks that are gone show as nothing at all, as where a network breaks
 *   NASRUN_DOUBLE_HANG=call=NAME,nth=N[,once=FILE]  that work never finishes */
#ifndef CUDADOUBLE_H
#define CUDADOUBLE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The n-th call from now (1: the next) that can fail does, with the code that fits it; 0: none. Clears a sticky error,
 * and starts counting again. */
void cudadouble_fail_at(long n);
long cudadouble_calls(void);         /* calls that can fail since then */
const char *cudadouble_failed(void); /* the name of the call that failed so; "" if none has */
int cudadouble_failed_code(void);    /* what it returned, in the numbers of its library */
/* The n-th piece of work that runs from now on loses the device (700); 0: none. Clears and counts as fail_at does. */
void cudadouble_lose_at(long n);
long cudadouble_runs(void);       /* pieces of work that ran since then: kernels, copies, products, events */
size_t cudadouble_live(void);     /* allocations, streams, events, graphs, handles, descriptors not yet destroyed */
void cudadouble_print_live(void); /* lists them on stderr, by kind */

#ifdef __cplusplus
}
#endif

#endif
