/* Functions with known optima, all to be minimised, with the constants and domains that the literature and BoTorch use.
 * Called once per evaluation of a benchmark. */
#ifndef NASRUN_BENCH_FUNCTIONS_H
#define NASRUN_BENCH_FUNCTIONS_H

#include <stddef.h>

/* x is in the function's own units; `value` has room for the objectives. */
typedef void test_function(const double *x, size_t dimensions, double *value);

test_function function_branin;        /* [-5, 10] x [0, 15] */
test_function function_hartmann6;     /* [0, 1]^6 */
test_function function_ackley;        /* [-32.768, 32.768]^d */
test_function function_branin_currin; /* [0, 1]^2, two objectives: Belakaria et al. 2019 */
test_function function_zdt1;          /* [0, 1]^d, two objectives: Zitzler et al. 2000 */
test_function function_zdt2;
test_function function_dtlz2; /* [0, 1]^d, here with two objectives: Deb et al. 2002 */

#endif
