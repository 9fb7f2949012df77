/* nasrun bench optimise: searches on problems with known answers, several methods and seeds; a table, curves as CSV, a
 * drawing. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/contest.h"
#include "bench/drawing.h"
#include "cli/cli.h"
#include "space/keys.h"

enum { MOST_METHODS = 16, MOST_PENDING = 8, MOST_SEEDS = 10000, MOST_EVALUATIONS = 100000, MOST_AT_ONCE = 1000 };

struct request {
    enum optim_method method[MOST_METHODS];
    size_t methods;
    int64_t pending[MOST_PENDING];
    size_t pendings;
    int64_t seeds, evaluations;
    int64_t initial; /* -1: by the number of dimensions */
};

/* ---- the command line ---- */

static nr_status choose_method(const char *name, struct log *log, struct request *request)
{
    const struct key *key = &keys[KEY_METHOD];
    for (int i = 0; key->choices[i]; i++) {
        if (!strcmp(name, key->choices[i])) {
            request->method[request->methods++] = (enum optim_method)i;
            return NR_OK;
        }
    }
    struct text expected = {0};
    for (int i = 0; key->choices[i]; i++)
        text_format(&expected, "%s%s", i ? ", " : "", key->choices[i]);
    log_error(log, "bench: there is no method \"%s\"; expected %s", name, expected.failed ? "another" : expected.data);
    text_clear(&expected);
    return NR_INVALID;
}

static nr_status choose_pending(const char *text, struct log *log, struct request *request)
{
    int64_t *out = &request->pending[request->pendings++];
    if (text_to_int(text, out) && *out >= 1 && *out <= MOST_AT_ONCE)
        return NR_OK;
    log_error(log, "bench: --pending is \"%s\", expected numbers from 1 to %d", text, MOST_AT_ONCE);
    return NR_INVALID;
}

/* Every part of a list "a,b". */
static nr_status choose_each(const char *list, size_t most, struct log *log, struct request *request,
                             nr_status (*choose)(const char *, struct log *, struct request *))
{
    char *parts[MOST_METHODS], *copy = mem_copy_string(list);
    nr_status status = copy ? NR_OK : log_no_memory(log, "reading the command line");
    size_t count = copy ? text_split(copy, ',', parts, most) : 0;
    if (count > most) {
        log_error(log, "bench: \"%s\" has more than %zu entries", list, most);
        status = NR_INVALID;
    }
    for (size_t i = 0; i < count && status == NR_OK; i++)
        status = choose(parts[i], log, request);
    free(copy);
    return status;
}

static nr_status read_request(const struct cli *cli, struct request *out)
{
    const char *methods = cli->option[OPTION_METHOD], *pending = cli->option[OPTION_PENDING];
    *out = (struct request){.seeds = 10, .evaluations = 60, .initial = -1};
    nr_status status = choose_each(methods ? methods : "bo,random", MOST_METHODS, cli->log, out, choose_method);
    if (status == NR_OK)
        status = choose_each(pending ? pending : "1", MOST_PENDING, cli->log, out, choose_pending);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_SEEDS, 0, MOST_SEEDS, &out->seeds);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_EVALUATIONS, 1, MOST_EVALUATIONS, &out->evaluations);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_INITIAL, 0, MOST_EVALUATIONS, &out->initial);
    return status;
}

/* ---- running ---- */

/* With several trials under way a search goes on for half as long again, to see when it is as far as one that waits
 * for every result. */
static size_t evaluations_of(const struct request *request, int64_t pending)
{
    return (size_t)(pending > 1 ? request->evaluations + request->evaluations / 2 : request->evaluations);
}

static nr_status run_seed(const struct contest *contest, const struct bench_problem *problem, struct log *log,
                          struct curves *curves)
{
    size_t made = 0;
    double *value = mem_array(contest->evaluations, sizeof *value);
    double *seconds = mem_array(contest->evaluations, sizeof *seconds);
    nr_status status = value && seconds ? contest_run(contest, problem, log, value, seconds, &made)
                                        : log_no_memory(log, "starting a search");
    struct curve *curve = NULL;
    if (status == NR_OK) {
        curve = curves_add(curves, problem->name, keys[KEY_METHOD].choices[contest->method], (int64_t)contest->pending,
                           (int64_t)contest->seed, problem->best);
        status = curve ? NR_OK : log_no_memory(log, "keeping a search");
    }
    for (size_t k = 0; k < made && status == NR_OK; k++)
        if (curve_append(curve, value[k], seconds[k]) != NR_OK)
            status = log_no_memory(log, "keeping a search");
    free(value);
    free(seconds);
    return status;
}

static nr_status run_problem(const struct cli *cli, const struct request *request, const char *name,
                             struct curves *curves)
{
    struct bench_problem *problem;
    nr_status status = bench_problem_open(name, cli->log, &problem);
    if (status != NR_OK)
        return status;
    size_t initial = request->initial < 0 ? 2 * (problem->optim.space->count + 1) : (size_t)request->initial;
    for (size_t m = 0; m < request->methods; m++) {
        for (size_t p = 0; p < request->pendings; p++) {
            if (!cli->quiet && request->seeds > 0)
                fprintf(stderr, "%s: %s, %" PRId64 " at once\n", problem->name,
                        keys[KEY_METHOD].choices[request->method[m]], request->pending[p]);
            for (int64_t seed = 1; seed <= request->seeds && status == NR_OK; seed++) {
                struct contest contest = {.method = request->method[m],
                                          .seed = (uint64_t)seed,
                                          .evaluations = evaluations_of(request, request->pending[p]),
                                          .pending = (size_t)request->pending[p],
                                          .initial = initial};
                status = run_seed(&contest, problem, cli->log, curves);
            }
        }
    }
    bench_problem_close(problem);
    return status;
}

static nr_status run_all(const struct cli *cli, const struct request *request, struct curves *curves)
{
    nr_status status = NR_OK;
    for (int i = 0; i < cli->arguments && status == NR_OK; i++)
        status = run_problem(cli, request, cli->argument[i], curves);
    for (size_t i = 0; cli->arguments == 0 && bench_problem_name(i) && status == NR_OK; i++)
        status = run_problem(cli, request, bench_problem_name(i), curves);
    for (size_t i = 0; i < cli->withs && status == NR_OK; i++)
        status = curves_read(curves, cli->with[i], cli->log);
    return status;
}

/* ---- the table ---- */

enum column { PROBLEM, METHOD, PENDING, SEEDS, MEAN, ERROR, MISSING, REACHED, SECONDS };

static const struct {
    const char *name, *heading;
    enum column_kind kind;
    int decimals;
} columns[] = {
    [PROBLEM] = {"problem", NULL, COLUMN_TEXT, 0},
    [METHOD] = {"method", NULL, COLUMN_TEXT, 0},
    [PENDING] = {"pending", NULL, COLUMN_INT, 0},
    [SEEDS] = {"seeds", NULL, COLUMN_INT, 0},
    [MEAN] = {"mean", NULL, COLUMN_REAL, 5},
    [ERROR] = {"standard_error", "+-", COLUMN_REAL, 5},
    [MISSING] = {"missing", NULL, COLUMN_REAL, 5},
    [REACHED] = {"evaluations_to_sequential", "as sequential at", COLUMN_REAL, 0},
    [SECONDS] = {"seconds_per_suggestion", "s/suggestion", COLUMN_REAL, 5},
};

static nr_status add_row(struct table *table, const struct curve_group *group, const struct curve_statistics *figures)
{
    nr_status status = table_add_row(table);
    if (status == NR_OK)
        status = table_set_text(table, PROBLEM, group->first->problem);
    if (status == NR_OK)
        status = table_set_text(table, METHOD, group->first->method);
    if (status == NR_OK)
        status = table_set_int(table, PENDING, group->first->pending);
    if (status == NR_OK)
        status = table_set_int(table, SEEDS, (int64_t)figures->seeds);
    if (status == NR_OK)
        status = table_set_real(table, MEAN, figures->mean);
    if (status == NR_OK)
        status = table_set_real(table, ERROR, figures->standard_error);
    if (status == NR_OK)
        status = table_set_real(table, MISSING, figures->missing);
    if (status == NR_OK)
        status = table_set_real(table, REACHED, figures->reached);
    return status == NR_OK ? table_set_real(table, SECONDS, figures->seconds) : status;
}

/* A group with several trials under way is compared with what the sequential one reached. */
static nr_status add_group(struct table *table, const struct curve_groups *groups, const struct curve_group *group,
                           size_t evaluations)
{
    struct curve_statistics figures, before;
    const struct curve_group *sequential = group->first->pending > 1 ? curve_groups_sequential(groups, group) : NULL;
    nr_status status = NR_OK;
    double target = NAN;
    if (sequential) {
        status = curve_group_summarise(sequential, evaluations, NAN, &before);
        target = before.mean;
    }
    if (status == NR_OK)
        status = curve_group_summarise(group, evaluations, target, &figures);
    return status == NR_OK ? add_row(table, group, &figures) : status;
}

static nr_status fill(struct table *table, const struct curve_groups *groups, size_t evaluations)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < sizeof columns / sizeof *columns && status == NR_OK; i++)
        status =
            table_add_column(table, columns[i].name, columns[i].heading, columns[i].kind, columns[i].decimals, false);
    for (size_t g = 0; g < groups->count && status == NR_OK; g++)
        status = add_group(table, groups, &groups->group[g], evaluations);
    return status;
}

static nr_status draw(const struct cli *cli, const struct curve_groups *groups, const struct request *request)
{
    size_t most = 0;
    for (size_t p = 0; p < request->pendings; p++) {
        size_t evaluations = evaluations_of(request, request->pending[p]);
        most = evaluations > most ? evaluations : most;
    }
    return drawing_write(groups, most, cli->option[OPTION_SVG], cli->log);
}

static nr_status show(const struct cli *cli, const struct curves *curves, const struct request *request)
{
    struct table *table = NULL;
    struct curve_groups groups;
    nr_status status = curves_group(curves, &groups);
    if (status != NR_OK)
        return log_no_memory(cli->log, "summing up");
    status = table_create(&table);
    if (status == NR_OK)
        status = fill(table, &groups, (size_t)request->evaluations);
    if (status == NR_NO_MEMORY)
        status = log_no_memory(cli->log, "summing up");
    if (status == NR_OK && cli->option[OPTION_SVG])
        status = draw(cli, &groups, request);
    if (status == NR_OK)
        status = table_write(table, cli->format, cli->out);
    table_destroy(table);
    curve_groups_clear(&groups);
    return status;
}

nr_status command_bench_optimise(struct cli *cli)
{
    struct request request;
    struct curves curves = {0};
    nr_status status = read_request(cli, &request);
    if (status == NR_OK)
        status = run_all(cli, &request, &curves);
    if (status == NR_OK && cli->option[OPTION_CURVES])
        status = curves_write(&curves, cli->option[OPTION_CURVES], cli->log);
    if (status == NR_OK)
        status = show(cli, &curves, &request);
    curves_clear(&curves);
    return status;
}
