/* Trials that run far longer than the others did: a worker that hangs, or somebody who asked and never told. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "report/health_parts.h"
#include "report/phrase.h"

enum { FEWEST_KNOWN = 5 };
static const double long_factor = 10;  /* of the median: candidates of one study differ by that, rarely by more */
static const double long_seconds = 60; /* below, nobody waits */

static int compare_reals(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Of the wall time of finished trials; NaN where few are known. */
static nr_status median_duration(const struct results *results, double *out)
{
    size_t known = 0;
    double *duration = mem_array(results->count, sizeof *duration);
    if (!duration)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < results->count; i++) {
        double seconds = results->record[i].ended - results->record[i].started;
        if (results->record[i].status == TRIAL_DONE && isfinite(seconds))
            duration[known++] = seconds;
    }
    qsort(duration, known, sizeof *duration, compare_reals);
    *out = known >= FEWEST_KNOWN ? duration[known / 2] : NAN;
    free(duration);
    return NR_OK;
}

nr_status health_check_pending(const struct health_subject *subject, struct text *findings)
{
    const struct results *results = subject->results;
    const struct record *oldest = NULL;
    size_t late = 0;
    double median;
    nr_status status = median_duration(results, &median);
    if (status != NR_OK || isnan(median) || !subject->driven)
        return status;
    for (size_t i = 0; i < results->count; i++) {
        const struct record *record = &results->record[i];
        double running = subject->now - record->started;
        if (record->status != TRIAL_RUNNING || !(running > long_seconds && running > long_factor * median))
            continue;
        late++;
        if (!oldest || record->started < oldest->started)
            oldest = record;
    }
    if (!oldest)
        return NR_OK;
    struct text spent = {0}, usual = {0};
    phrase_append_duration(&spent, subject->now - oldest->started);
    phrase_append_duration(&usual, median);
    if (!spent.failed && !usual.failed)
        health_add(
            findings,
            "pending: %zu trial%s far longer than usual, trial %" PRId64
            " since %s (usual is %s): the search counts on results that may never come; see what became of %s, or "
            "report %s as failed",
            late, late == 1 ? " runs" : "s run", oldest->trial, spent.data, usual.data, late == 1 ? "it" : "them",
            late == 1 ? "it" : "them");
    findings->failed |= spent.failed || usual.failed;
    text_clear(&spent);
    text_clear(&usual);
    return NR_OK;
}
