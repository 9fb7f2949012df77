/* nasrun pareto [STUDY]: the Pareto front, and what it is worth. Programs get an empty table where there is none yet.
 */
#include "cli/view.h"
#include "report/listing.h"

static nr_status print_text(struct cli *cli, const struct view *view)
{
    struct summary summary = view_summary(view);
    nr_status status = summary_print_front(&summary, cli->log, cli->out);
    return status == NR_OK ? summary_print_figures(&summary, cli->log, cli->out) : status;
}

static nr_status print_data(struct cli *cli, const struct view *view)
{
    struct table *table;
    nr_status status = listing_front(&view->results, &view->front, cli->log, &table);
    return status == NR_OK ? view_print(cli, table) : status;
}

nr_status command_pareto(struct cli *cli)
{
    struct view view;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    if (cli->format != TABLE_TEXT)
        status = print_data(cli, &view);
    if (status == NR_OK)
        status = view_expect_result(&view, cli->log);
    if (status == NR_OK && cli->format == TABLE_TEXT)
        status = print_text(cli, &view);
    view_close(&view);
    return status;
}
