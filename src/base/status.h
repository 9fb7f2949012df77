/* Status codes of every function that can fail.
 *
 * Who first detects an error writes one sentence to the log it was given (where, what was found, what was
 * expected); callers pass the status up without repeating it. Outputs are written only on NR_OK. */
#ifndef NASRUN_BASE_STATUS_H
#define NASRUN_BASE_STATUS_H

/* name, text, exit status of the program that ends with it */
#define NR_STATUS_LIST(X)                                            \
    X(NR_OK, "ok", 0)                                                \
    X(NR_INVALID, "invalid input", 2)                                \
    X(NR_NOT_FOUND, "not found", 2)                                  \
    X(NR_NO_MEMORY, "out of memory", 3)                              \
    X(NR_IO, "a file or folder failed", 3)                           \
    X(NR_DEVICE, "a device failed", 3)                               \
    X(NR_STORE, "the store failed", 3)                               \
    X(NR_INFEASIBLE, "this point cannot be built", 1)                \
    X(NR_DIVERGED, "the training diverged", 1)                       \
    X(NR_EXHAUSTED, "the space is exhausted", 0)                     \
    X(NR_NO_RESULT, "no trial has finished", 1)                      \
    X(NR_INTERRUPTED, "interrupted", 130)

typedef enum nr_status {
#define X(name, text, exit_status) name,
    NR_STATUS_LIST(X)
#undef X
} nr_status;

#define NR_MUST_CHECK __attribute__((warn_unused_result))
#define NR_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

/* "out of memory" and the like; never NULL. */
const char *status_text(nr_status status);
/* The program's exit status for a run that ended with `status`, as README.md documents it. */
int status_exit(nr_status status);

#endif
