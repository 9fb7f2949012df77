/* nasrun bench suggest: what a suggestion costs, by the number of finished trials. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "bench/suggest.h"
#include "cli/cli.h"

enum { MOST_OBJECTIVES = 3, MOST_ROWS = 16, MOST_RESULTS = 1000000, MOST_DIMENSIONS = 1000, MOST_ASKS = 100000 };

struct request {
    struct suggest_load load;
    int64_t results[MOST_ROWS];
    size_t rows;
};

static nr_status read_results(const struct cli *cli, struct request *request)
{
    const char *list = cli->option[OPTION_RESULTS] ? cli->option[OPTION_RESULTS] : "48,250,1000,10000";
    char *parts[MOST_ROWS], *copy = mem_copy_string(list);
    if (!copy)
        return log_no_memory(cli->log, "reading the command line");
    request->rows = text_split(copy, ',', parts, MOST_ROWS);
    bool valid = request->rows <= MOST_ROWS;
    for (size_t i = 0; valid && i < request->rows; i++)
        valid = text_to_int(parts[i], &request->results[i]) && request->results[i] >= 1 &&
                request->results[i] <= MOST_RESULTS;
    free(copy);
    if (valid)
        return NR_OK;
    log_error(cli->log, "--results is \"%s\", expected at most %d numbers from 1 to %d", list, MOST_ROWS, MOST_RESULTS);
    return NR_INVALID;
}

static nr_status read_request(const struct cli *cli, struct request *out)
{
    *out = (struct request){.load = {.asks = 50, .dimensions = 6, .objectives = 2}};
    nr_status status = read_results(cli, out);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_ASKS, 1, MOST_ASKS, &out->load.asks);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_DIMENSIONS, 1, MOST_DIMENSIONS, &out->load.dimensions);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_OBJECTIVES, 1, MOST_OBJECTIVES, &out->load.objectives);
    return status;
}

enum column { RESULTS, DIMENSIONS, OBJECTIVES, MEDIAN, WORST, FIRST, TELL, READ, MEMORY };

static const struct {
    const char *name, *heading;
    enum column_kind kind;
    int decimals;
    double scale; /* of text, CSV and JSON alike: milliseconds, MiB */
} columns[] = {
    [RESULTS] = {"results", NULL, COLUMN_INT, 0, 1},
    [DIMENSIONS] = {"dimensions", NULL, COLUMN_INT, 0, 1},
    [OBJECTIVES] = {"objectives", NULL, COLUMN_INT, 0, 1},
    [MEDIAN] = {"median_ms", "median ms", COLUMN_REAL, 2, 1e3},
    [WORST] = {"worst_ms", "worst ms", COLUMN_REAL, 2, 1e3},
    [FIRST] = {"first_ms", "first ms", COLUMN_REAL, 2, 1e3},
    [TELL] = {"tell_ms", "tell ms", COLUMN_REAL, 4, 1e3},
    [READ] = {"read_ms", "read ms", COLUMN_REAL, 4, 1e3},
    [MEMORY] = {"memory_mib", "peak MiB", COLUMN_REAL, 1, 1.0 / (1 << 20)},
};

static nr_status add_row(struct table *table, const struct suggest_load *load, const struct suggest_figures *figures)
{
    const double values[] = {(double)load->results,
                             (double)load->dimensions,
                             (double)load->objectives,
                             figures->median,
                             figures->worst,
                             figures->first,
                             figures->tell,
                             figures->read,
                             figures->memory};
    nr_status status = table_add_row(table);
    for (size_t i = 0; i < sizeof values / sizeof *values && status == NR_OK; i++)
        status = columns[i].kind == COLUMN_INT ? table_set_int(table, i, (int64_t)values[i])
                                               : table_set_real(table, i, columns[i].scale * values[i]);
    return status;
}

static nr_status fill(struct request *request, struct log *log, struct table *table)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < sizeof columns / sizeof *columns && status == NR_OK; i++)
        status =
            table_add_column(table, columns[i].name, columns[i].heading, columns[i].kind, columns[i].decimals, false);
    for (size_t i = 0; i < request->rows && status == NR_OK; i++) {
        struct suggest_figures figures;
        request->load.results = request->results[i];
        status = suggest_measure(&request->load, log, &figures);
        if (status == NR_OK)
            status = add_row(table, &request->load, &figures);
    }
    return status;
}

nr_status command_bench_suggest(struct cli *cli)
{
    struct request request;
    struct table *table = NULL;
    nr_status status = read_request(cli, &request);
    if (status == NR_OK)
        status = table_create(&table);
    if (status == NR_OK)
        status = fill(&request, cli->log, table);
    if (status == NR_OK)
        status = table_write(table, cli->format, cli->out);
    table_destroy(table);
    return status;
}
