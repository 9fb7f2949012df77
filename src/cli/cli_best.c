/* nasrun best [STUDY]: the best trial. */
#include "cli/describe.h"
#include "report/listing.h"

static nr_status print(struct cli *cli, const struct view *view)
{
    struct table *table;
    struct text text = {0};
    size_t best = view->front.best;
    if (cli->format != TABLE_TEXT) {
        nr_status status = listing_trials(&view->results, &best, 1, cli->log, &table);
        return status == NR_OK ? view_print(cli, table) : status;
    }
    front_append_best(&view->front, &view->results, &text);
    if (!text.failed)
        fprintf(cli->out, "best is trial %s\n\n", text.data);
    text_clear(&text);
    return describe_trial(view, &view->results.record[best], cli->out);
}

nr_status command_best(struct cli *cli)
{
    struct view view;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = view_expect_result(&view, cli->log);
    if (status == NR_OK)
        status = print(cli, &view);
    view_close(&view);
    return status;
}
