/* Loops over arrays that the compiler is to turn into vector code. */
#ifndef NASRUN_TRAIN_CPU_LOOP_H
#define NASRUN_TRAIN_CPU_LOOP_H

/* Before a loop whose iterations touch no element of one another, though pointers may be equal: spares the check at run
 * time, which would send work in place to the scalar loop. */
#if defined(__clang__) && defined(NR_DOUBLE)
#define LOOP_INDEPENDENT /* calls of the C library are not vectorised, and clang would complain */
#elif defined(__clang__)
#define LOOP_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LOOP_INDEPENDENT _Pragma("GCC ivdep")
#endif

#endif
