/* The kept weights of the front on the test set, which nothing has touched before. Asked for by `nasrun test`. */
#ifndef NASRUN_RUN_TESTER_H
#define NASRUN_RUN_TESTER_H

#include "report/results.h"
#include "store/store.h"

struct tested {
    size_t record;         /* index into results */
    double accuracy, loss; /* on the test set */
};

/* Evaluates every member of the front that was trained here; `out` has room for results->count, *count says how many.
 * Records each in the store. */
nr_status tester_run(const struct study *study, const char *folder, const struct results *results, struct store *store,
                     struct log *log, struct tested *out, size_t *count) NR_MUST_CHECK;

#endif
