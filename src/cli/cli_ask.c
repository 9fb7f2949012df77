/* nasrun ask STUDY [N]: trials for somebody else to run. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/view.h"
#include "report/listing.h"
#include "run/session.h"

/* "7 hidden=64 learning_rate=0.003", one per line: easy to read in a shell. */
static void print_lines(struct cli *cli, const struct record *record, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        fprintf(cli->out, "%" PRId64 " %s\n", record[i].trial, record[i].point_text);
}

static nr_status print_table(struct cli *cli, const struct results *results, int64_t first, int64_t count)
{
    struct table *table;
    size_t *which = mem_array((size_t)count, sizeof *which);
    if (!which)
        return log_no_memory(cli->log, "printing trials");
    for (int64_t i = 0; i < count; i++)
        which[i] = (size_t)(first - 1 + i);
    nr_status status = listing_trials(results, which, (size_t)count, cli->log, &table);
    free(which);
    return status == NR_OK ? view_print(cli, table) : status;
}

static nr_status ask(struct cli *cli, struct session *session, int64_t count)
{
    const struct results *results;
    int64_t first, given;
    nr_status status = session_ask(session, count, &first, &given);
    if (status == NR_OK)
        status = session_results(session, &results);
    if (status != NR_OK)
        return status;
    if (given < count)
        log_warning(cli->log, "%" PRId64 " of %" PRId64 " trials: every allowed point has been tried or is running",
                    given, count);
    if (cli->format != TABLE_TEXT)
        return print_table(cli, results, first, given);
    print_lines(cli, results->record + (first - 1), given);
    return NR_OK;
}

nr_status command_ask(struct cli *cli)
{
    const struct session_options options = {.study = cli->argument[0],
                                            .set = cli->set,
                                            .sets = cli->sets,
                                            .folder = cli->folder,
                                            .asker = "nasrun ask",
                                            .log = cli->log};
    struct session *session;
    int64_t count = 1;
    if (cli->arguments > 1 && !text_to_int(cli->argument[1], &count)) {
        log_error(cli->log, "ask: \"%s\" is no number of trials; expected 1 to %d", cli->argument[1],
                  SESSION_MOST_ASKED);
        return NR_INVALID;
    }
    nr_status status = session_open(&options, &session);
    if (status != NR_OK)
        return status;
    status = ask(cli, session, count);
    session_close(session);
    return status;
}
