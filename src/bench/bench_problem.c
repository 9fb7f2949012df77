#include "bench/bench_problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/functions.h"
#include "bench/mixed.h"
#include "optim/pareto.h"

/* Built in; all objectives are minimised. */
struct bench_definition {
    const char *name;
    const char *const *entries; /* of the space; NULL: `dimensions` alike, or two */
    const char *range[2];       /* of x1 and of the others */
    size_t dimensions, objectives;
    test_function *function;                              /* of the point */
    bool (*evaluate)(const double *point, double *value); /* in its place: false where the trial fails */
    double noise;                                         /* deviation, of the first objective */
    bool exact;                                           /* the second objective is known beforehand */
    double limit;                                         /* on it */
    double reference[2], best;
};

/* References and best values are those of BoTorch's test functions (best: of Branin and Hartmann their known minima to
 * more digits); those of the last two problems are computed in tests/bench/test_bench_problem.c. */
static const struct bench_definition definitions[] = {
    {.name = "branin",
     .range = {"real -5..10", "real 0..15"},
     .dimensions = 2,
     .objectives = 1,
     .function = function_branin,
     .best = 0.39788735772973816},
    {.name = "hartmann6",
     .range = {"real 0..1", "real 0..1"},
     .dimensions = 6,
     .objectives = 1,
     .function = function_hartmann6,
     .best = -3.3223680114155147},
    {.name = "ackley10",
     .range = {"real -32.768..32.768", "real -32.768..32.768"},
     .dimensions = 10,
     .objectives = 1,
     .function = function_ackley,
     .best = 0},
    {.name = "branincurrin",
     .range = {"real 0..1", "real 0..1"},
     .dimensions = 2,
     .objectives = 2,
     .function = function_branin_currin,
     .reference = {18, 6},
     .best = 59.36011874867746},
    {.name = "zdt1",
     .range = {"real 0..1", "real 0..1"},
     .dimensions = 6,
     .objectives = 2,
     .function = function_zdt1,
     .reference = {11, 11},
     .best = 120 + 2.0 / 3},
    {.name = "zdt2",
     .range = {"real 0..1", "real 0..1"},
     .dimensions = 6,
     .objectives = 2,
     .function = function_zdt2,
     .reference = {11, 11},
     .best = 120 + 1.0 / 3},
    {.name = "dtlz2",
     .range = {"real 0..1", "real 0..1"},
     .dimensions = 6,
     .objectives = 2,
     .function = function_dtlz2,
     .reference = {1.1, 1.1},
     .best = 1.21 - M_PI / 4},
    {.name = "mixed",
     .entries = mixed_entries,
     .objectives = 2,
     .evaluate = mixed_evaluate,
     .noise = 0.004,
     .reference = {0.6, 11},
     .best = 3.8599506915768442},
    {.name = "conditional",
     .entries = conditional_entries,
     .objectives = 2,
     .evaluate = conditional_evaluate,
     .exact = true,
     .limit = CONDITIONAL_MOST_COST,
     .reference = {0.65, 11},
     .best = 2.12427476221332},
};
enum { DEFINITIONS = sizeof definitions / sizeof *definitions };

const char *bench_problem_name(size_t index)
{
    return index < DEFINITIONS ? definitions[index].name : NULL;
}

double bench_problem_best(const char *name)
{
    for (size_t i = 0; i < DEFINITIONS; i++)
        if (!strcmp(name, definitions[i].name))
            return definitions[i].best;
    return NAN;
}

/* ---- what is built in ---- */

/* False: the trial fails. */
static bool evaluate_definition(const struct bench_definition *definition, const double *point, double *value)
{
    if (definition->evaluate)
        return definition->evaluate(point, value);
    definition->function(point, definition->dimensions, value);
    return true;
}

static bool admit_definition(void *context, const double *point, struct optim_admission *out)
{
    const struct bench_definition *definition = context;
    double value[BENCH_OBJECTIVES];
    (void)evaluate_definition(definition, point, value);
    out->exact[1] = value[1];
    return value[1] <= definition->limit;
}

static nr_status create_space(const struct bench_definition *definition, struct log *log, struct space *space)
{
    nr_status status = NR_OK;
    const char *const *entries = definition->entries;
    for (int line = 1; entries && *entries && status == NR_OK; entries += 2, line++)
        status = space_add(space, entries[0], entries[1], definition->name, line, log);
    for (size_t d = 0; d < definition->dimensions && status == NR_OK; d++) {
        char name[24];
        snprintf(name, sizeof name, "x%zu", d + 1);
        status = space_add(space, name, definition->range[d > 0], definition->name, (int)d + 1, log);
    }
    return status == NR_OK ? space_complete(space, log) : status;
}

static nr_status open_definition(const struct bench_definition *definition, struct log *log,
                                 struct bench_problem *problem)
{
    struct optim_problem *optim = &problem->optim;
    nr_status status = create_space(definition, log, &problem->own_space);
    problem->definition = definition;
    problem->best = definition->best;
    *optim = (struct optim_problem){.space = &problem->own_space, .objectives = definition->objectives};
    snprintf(problem->name, sizeof problem->name, "%s", definition->name);
    for (size_t j = 0; j < definition->objectives; j++) {
        optim->objective[j].threshold = definition->objectives > 1 ? definition->reference[j] : NAN;
        problem->reference[j] = definition->reference[j];
    }
    if (definition->exact) {
        optim->objective[1].exact = true;
        optim->admit = admit_definition;
        optim->context = (void *)definition;
    }
    return status;
}

/* ---- tables ---- */

static bool admit_row(void *context, const double *point, struct optim_admission *out)
{
    const struct trained_row *row = trained_find(context, point);
    if (row)
        out->exact[1] = row->parameters;
    return row != NULL;
}

/* Accuracies count above one half, parameters by their logarithm below that of the largest network. */
static nr_status judge_table(struct bench_problem *problem)
{
    size_t rows = problem->trained->rows;
    const struct trained_row *row = problem->trained->row;
    double *truths = mem_array(rows, BENCH_OBJECTIVES * sizeof *truths);
    if (!truths)
        return NR_NO_MEMORY;
    problem->reference[0] = 0.5;
    problem->reference[1] = 0;
    for (size_t i = 0; i < rows; i++) {
        truths[BENCH_OBJECTIVES * i] = row[i].mean;
        truths[BENCH_OBJECTIVES * i + 1] = log10(row[i].parameters);
        problem->reference[1] = fmax(problem->reference[1], log10(row[i].parameters));
    }
    nr_status status = bench_problem_judge(problem, truths, rows, &problem->best);
    free(truths);
    return status;
}

static void name_after_file(struct bench_problem *problem, const char *path)
{
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path;
    snprintf(problem->name, sizeof problem->name, "%.*s", (int)(strlen(stem) - strlen(".ini")), stem);
}

static nr_status open_table(const char *path, struct log *log, struct bench_problem *problem)
{
    nr_status status = trained_open(path, log, &problem->trained);
    if (status != NR_OK)
        return status;
    name_after_file(problem, path);
    problem->optim =
        (struct optim_problem){.space = &problem->trained->study->space,
                               .objectives = BENCH_OBJECTIVES,
                               .objective = {{.maximize = true, .threshold = NAN, .transform = TRANSFORM_HALF_RANK},
                                             {.exact = true, .threshold = NAN}},
                               .admit = admit_row,
                               .context = problem->trained};
    status = judge_table(problem);
    problem->optim.objective[0].threshold = problem->reference[0];
    problem->optim.objective[1].threshold = pow(10, problem->reference[1]);
    return status == NR_NO_MEMORY ? log_no_memory(log, path) : status;
}

/* ---- all ---- */

static bool is_file(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && !strcmp(name + length - 4, ".ini");
}

static nr_status unknown(const char *name, struct log *log)
{
    const char *names[DEFINITIONS];
    struct text list = {0};
    for (size_t i = 0; i < DEFINITIONS; i++) {
        names[i] = definitions[i].name;
        text_format(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = text_nearest(name, names, DEFINITIONS);
    log_error(log, "bench: there is no problem \"%s\"%s%s%s; expected %s, or the .ini file of a replayed table", name,
              nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "",
              list.failed ? "another" : list.data);
    text_clear(&list);
    return NR_INVALID;
}

static nr_status open_any(const char *name, struct log *log, struct bench_problem *problem)
{
    if (is_file(name))
        return open_table(name, log, problem);
    for (size_t i = 0; i < DEFINITIONS; i++)
        if (!strcmp(name, definitions[i].name))
            return open_definition(&definitions[i], log, problem);
    return unknown(name, log);
}

nr_status bench_problem_open(const char *name, struct log *log, struct bench_problem **out)
{
    struct bench_problem *problem = mem_array(1, sizeof *problem);
    nr_status status = problem ? open_any(name, log, problem) : log_no_memory(log, name);
    if (status != NR_OK) {
        bench_problem_close(problem);
        return status;
    }
    *out = problem;
    return NR_OK;
}

void bench_problem_close(struct bench_problem *problem)
{
    if (!problem)
        return;
    space_clear(&problem->own_space);
    trained_close(problem->trained);
    free(problem);
}

static void evaluate_row(const struct trained *trained, const struct trained_row *row, struct rng *rng,
                         struct bench_outcome *out)
{
    double accuracy = trained_draw(trained, row, rng);
    out->failed = isnan(accuracy);
    if (out->failed)
        return;
    out->told.value[0] = accuracy;
    out->told.variance[0] = accuracy * (1 - accuracy) / trained->images;
    out->truth[0] = row->mean;
    out->truth[1] = log10(row->parameters);
}

void bench_problem_evaluate(const struct bench_problem *problem, const double *point, struct rng *rng,
                            struct bench_outcome *out)
{
    const struct bench_definition *definition = problem->definition;
    *out = (struct bench_outcome){.truth = {NAN, NAN}, .told = {.seconds = NAN}};
    for (size_t j = 0; j < OPTIM_MAX_OUTCOMES; j++)
        out->told.value[j] = out->told.variance[j] = NAN;
    if (!definition) {
        evaluate_row(problem->trained, trained_find(problem->trained, point), rng, out);
        return;
    }
    double value[BENCH_OBJECTIVES] = {NAN, NAN};
    out->failed = !evaluate_definition(definition, point, value);
    if (out->failed)
        return;
    memcpy(out->truth, value, sizeof value);
    out->told.value[0] = value[0] + definition->noise * rng_normal(rng);
    out->told.value[1] = definition->exact ? NAN : value[1];
}

nr_status bench_problem_judge(const struct bench_problem *problem, const double *truths, size_t count, double *out)
{
    if (problem->optim.objectives == 1) {
        double lowest = NAN;
        for (size_t i = 0; i < count; i++)
            lowest = fmin(lowest, truths[BENCH_OBJECTIVES * i]);
        *out = lowest;
        return NR_OK;
    }
    double *points = mem_array(count, BENCH_OBJECTIVES * sizeof *points), reference[BENCH_OBJECTIVES];
    bool maximise[BENCH_OBJECTIVES] = {problem->optim.objective[0].maximize, problem->optim.objective[1].maximize};
    if (!points)
        return NR_NO_MEMORY;
    for (size_t j = 0; j < BENCH_OBJECTIVES; j++) {
        reference[j] = maximise[j] ? problem->reference[j] : -problem->reference[j];
        for (size_t i = 0; i < count; i++)
            points[BENCH_OBJECTIVES * i + j] = (maximise[j] ? 1 : -1) * truths[BENCH_OBJECTIVES * i + j];
    }
    nr_status status = pareto_hypervolume(points, count, BENCH_OBJECTIVES, reference, out);
    free(points);
    return status;
}
