#include "report/health.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/health_parts.h"
#include "report/model.h"

void health_add(struct text *findings, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    text_format(findings, "%s%s", findings->length ? "\n" : "", line);
}

/* ---- the model ---- */

enum { FEWEST_ROWS = 20 }; /* below, a leave-one-out R2 of a useless model is above 0.3 every now and then */

/* A model that removes less than a third of the variance, and gains next to nothing over knowing only the distribution
 * of results, chooses little better than chance. Both are asked: near the end of a good search all results are alike,
 * so that R2 falls while the density still tells. */
static const double poor_r_squared = 0.3, poor_gain = 0.2;

/* Honest intervals cover 95 %, less three standard deviations of that share over n results; a further 5 % are granted
 * for hyper-parameters that were fitted and for noise that is not normal. */
static double fewest_covered(size_t rows)
{
    return 0.95 - 0.05 - 3 * sqrt(0.95 * 0.05 / (double)rows);
}

static void judge_quality(const char *name, const struct diagnosis_quality *quality, struct text *findings)
{
    if (quality->rows < FEWEST_ROWS)
        return;
    if (quality->r_squared_modelled < poor_r_squared && !(quality->density_gain >= poor_gain))
        health_add(
            findings,
            "fit: left out one by one, the results of %s are hardly predicted (R2 %.2f over %zu): suggestions are "
            "little better than chance; repeat a trial to see the noise, validate on more, or give the search a "
            "dimension that matters (`nasrun importance`)",
            name, quality->r_squared_modelled, quality->rows);
    if (quality->coverage < fewest_covered(quality->rows))
        health_add(
            findings,
            "intervals: only %.0f %% of the results of %s lie within their 95 %% intervals: the model is surer than "
            "it may be and explores too little; look at those outside (`nasrun loo`), or begin with more initial "
            "points",
            100 * quality->coverage, name);
}

static nr_status check_model(const struct health_subject *subject, struct log *log, struct health *health)
{
    const struct study *study = subject->results->study;
    for (size_t j = 0; subject->diagnosis && j < model_outcomes(study); j++) {
        const char *name = model_outcome_name(study, j);
        struct diagnosis_quality quality;
        if (!diagnosis_models(subject->diagnosis, j))
            continue;
        nr_status status = diagnosis_leave_one_out(subject->diagnosis, j, NULL, &quality);
        if (status != NR_OK) {
            log_error(log, "the model of %s cannot be judged: %s", name, status_text(status));
            return status;
        }
        text_format(&health->model, "%s%s: R2 %.2f, %.0f %% of %zu results within their 95 %% intervals",
                    health->model.length ? "; " : "", name, quality.r_squared_modelled, 100 * quality.coverage,
                    quality.rows);
        judge_quality(name, &quality, &health->findings);
    }
    return NR_OK;
}

/* ---- trials ---- */

enum { FEWEST_ENDED = 10 };
static const double most_failed =
    0.2; /* a failed trial costs up to what a good one does; one in five is a fifth lost */

/* Causes that differ in numbers alone are one: "loss is nan at step 17". */
static bool same_cause(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, "0123456789.");
        b += strspn(b, "0123456789.");
        if (*a != *b)
            return false;
        if (!*a)
            return true;
        a++;
        b++;
    }
}

/* The most frequent cause of failure; NULL: nothing failed. Some thousand failures at most are compared each with each.
 */
static const struct record *common_cause(const struct results *results, size_t *times)
{
    const struct record *common = NULL;
    *times = 0;
    for (size_t i = 0; i < results->count; i++) {
        size_t count = 0;
        if (results->record[i].status != TRIAL_FAILED)
            continue;
        for (size_t k = i; k < results->count; k++)
            count += results->record[k].status == TRIAL_FAILED &&
                     same_cause(results->record[i].cause, results->record[k].cause);
        if (count > *times) {
            *times = count;
            common = &results->record[i];
        }
    }
    return common;
}

static void check_failures(const struct results *results, struct text *findings)
{
    size_t failed = results_count(results, TRIAL_FAILED), ended = failed + results_count(results, TRIAL_DONE), times;
    if (ended < FEWEST_ENDED || (double)failed <= most_failed * (double)ended)
        return;
    const struct record *common = common_cause(results, &times);
    health_add(findings,
               "failures: %zu of %zu ended trials failed, %zu of them like trial %" PRId64
               " (%s): their time is lost; exclude such points in [constraints] or narrow the range that they share",
               failed, ended, times, common->trial, *common->cause ? common->cause : "no cause was given");
}

static int compare_identities(const void *left, const void *right)
{
    const struct record *a = *(const struct record *const *)left, *b = *(const struct record *const *)right;
    int order = strcmp(a->identity, b->identity);
    return order ? order : a->trial < b->trial ? -1 : a->trial > b->trial;
}

static nr_status check_repeats(const struct results *results, struct text *findings)
{
    enum { FEWEST_REPEATS = 3 };
    static const double most_repeats = 0.1; /* of the trials: a few replicates tell the noise, more only cost */
    const struct record **sorted = mem_array(results->count, sizeof *sorted);
    size_t repeats = 0, example = 0;
    if (!sorted)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < results->count; i++)
        sorted[i] = &results->record[i];
    qsort(sorted, results->count, sizeof *sorted, compare_identities);
    for (size_t i = 1; i < results->count; i++) {
        if (!*sorted[i]->identity || strcmp(sorted[i]->identity, sorted[i - 1]->identity) != 0)
            continue;
        repeats++;
        example = i;
    }
    if (repeats >= FEWEST_REPEATS && (double)repeats > most_repeats * (double)results->count)
        health_add(findings,
                   "repeats: %zu of %zu trials repeat an earlier one (as %" PRId64 " repeats %" PRId64
                   "): they count as one result each, so that the search learns nothing but the noise from them; tell "
                   "results of other points",
                   repeats, results->count, sorted[example]->trial, sorted[example - 1]->trial);
    free((void *)sorted);
    return NR_OK;
}

/* ---- space and front ---- */

static void check_space(const struct health_subject *subject, struct text *findings)
{
    const struct study *study = subject->results->study;
    double size = space_size(&study->space, NULL), made = (double)subject->results->count;
    double wanted = study->external ? 2 * made : (double)study_int(study, KEY_TRIALS, NULL);
    if (subject->exhausted)
        health_add(findings,
                   "space: every allowed point has been tried: more trials find nothing new; widen [space] or loosen "
                   "[constraints] to search on");
    else if (study->external && size <= wanted)
        health_add(
            findings,
            "space: of its %.0f points at most, %.0f have been tried: soon nothing is left to choose from; widen "
            "[space], or stop at that",
            size, made);
    else if (size <= wanted)
        health_add(findings,
                   "space: it has %.0f points at most, and %.0f trials are asked for: all will be tried, whatever the "
                   "model says; widen [space], or ask for fewer trials",
                   size, wanted);
}

static void check_reference(const struct health_subject *subject, struct text *findings)
{
    const struct front *front = subject->front;
    const struct study *study = subject->results->study;
    int64_t done = (int64_t)results_count(subject->results, TRIAL_DONE), initial = study_int(study, KEY_INITIAL, NULL);
    if (done < initial)
        return;
    if (!front->members)
        health_add(findings,
                   "constraints: none of %" PRId64
                   " finished trials keeps every outcome constraint: there is no front; "
                   "loosen [constraints], or widen [space] where it restricts what they bound",
                   done);
    else if (front->rule == REFERENCE_THRESHOLDS && !(front->volume > 0))
        health_add(
            findings,
            "thresholds: no trial beats every threshold, so that the hypervolume is 0 and says nothing; set them "
            "nearer to what was found (`nasrun pareto`), or search on");
}

nr_status health_check(const struct health_subject *subject, struct log *log, struct health *out)
{
    struct text *findings = &out->findings;
    nr_status status = check_model(subject, log, out);
    if (status != NR_OK)
        return status;
    check_failures(subject->results, findings);
    check_space(subject, findings);
    health_check_bounds(subject, findings);
    check_reference(subject, findings);
    status = check_repeats(subject->results, findings);
    if (status == NR_OK)
        status = health_check_pending(subject, findings);
    if (status == NR_NO_MEMORY || findings->failed || out->model.failed)
        return log_no_memory(log, "checking the study's health");
    return status;
}

void health_clear(struct health *health)
{
    text_clear(&health->model);
    text_clear(&health->findings);
}

void health_append_findings(const struct health *health, struct text *text)
{
    const char *line = health->findings.length ? health->findings.data : "healthy", *name = "health";
    while (*line) {
        size_t length = strcspn(line, "\n");
        text_format(text, "%-12s %.*s\n", name, (int)length, line);
        line += length + (line[length] == '\n');
        name = "";
    }
}
