#include "bench/contest.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

struct run {
    const struct contest *contest;
    const struct bench_problem *problem;
    struct log *log;
    struct optimizer *optimizer;
    double *points;  /* [evaluations][dimensions] */
    double *truths;  /* [evaluations][BENCH_OBJECTIVES] */
    double *seconds; /* [evaluations] */
    size_t asked, told;
};

static nr_status ask(struct run *run)
{
    struct suggestion suggestion;
    size_t dimensions = run->problem->optim.space->count;
    double start = clock_processor();
    nr_status status = optimizer_suggest(run->optimizer, (int64_t)run->asked, &suggestion);
    if (status != NR_OK)
        return status;
    run->seconds[run->asked] = clock_processor() - start;
    memcpy(run->points + run->asked * dimensions, suggestion.point, dimensions * sizeof *suggestion.point);
    run->asked++;
    return NR_OK;
}

/* The noise of a trial is that of its number and the seed, whichever method chose its point. */
static nr_status tell(struct run *run)
{
    struct bench_outcome outcome;
    int64_t trial = (int64_t)run->told;
    struct rng rng = rng_create(run->contest->seed, (uint32_t)run->told, RANDOM_TEST, 0, 0);
    const double *point = run->points + run->told * run->problem->optim.space->count;
    bench_problem_evaluate(run->problem, point, &rng, &outcome);
    memcpy(run->truths + BENCH_OBJECTIVES * run->told, outcome.truth, sizeof outcome.truth);
    run->told++;
    return outcome.failed ? optimizer_fail(run->optimizer, trial)
                          : optimizer_tell(run->optimizer, trial, &outcome.told);
}

static nr_status loop(struct run *run, double *value)
{
    nr_status status = NR_OK;
    bool exhausted = false;
    while (status == NR_OK && (run->told < run->asked || (!exhausted && run->asked < run->contest->evaluations))) {
        if (!exhausted && run->asked < run->contest->evaluations && run->asked - run->told < run->contest->pending) {
            status = ask(run);
            exhausted = status == NR_EXHAUSTED;
            if (exhausted)
                status = NR_OK;
            continue;
        }
        status = tell(run);
        if (status == NR_OK)
            status = bench_problem_judge(run->problem, run->truths, run->told, &value[run->told - 1]);
        if (status == NR_NO_MEMORY)
            status = log_no_memory(run->log, "judging a search");
    }
    return status;
}

nr_status contest_run(const struct contest *contest, const struct bench_problem *problem, struct log *log,
                      double *value, double *seconds, size_t *made)
{
    const struct optim_options options = {
        .method = contest->method, .seed = contest->seed, .initial = (int64_t)contest->initial};
    struct run run = {.contest = contest, .problem = problem, .log = log, .seconds = seconds};
    size_t dimensions = problem->optim.space->count;
    run.points = mem_array(contest->evaluations, dimensions * sizeof *run.points);
    run.truths = mem_array(contest->evaluations, BENCH_OBJECTIVES * sizeof *run.truths);
    nr_status status = run.points && run.truths ? optimizer_create(&problem->optim, &options, log, &run.optimizer)
                                                : log_no_memory(log, "starting a search");
    if (status == NR_OK)
        status = loop(&run, value);
    optimizer_destroy(run.optimizer);
    free(run.points);
    free(run.truths);
    if (status == NR_OK)
        *made = run.told;
    return status;
}
