/* nasrun pareto [STUDY]: the Pareto front, and what it is worth; --predicted: the front that the model believes in.
 * Programs get an empty table where there is none yet. */
#include "cli/view.h"
#include "report/listing.h"
#include "report/model.h"

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

static nr_status print_predicted(struct cli *cli, const struct view *view)
{
    struct look look;
    struct table *table;
    nr_status status = view_expect_model(view, cli->log, &look);
    if (status != NR_OK)
        return status;
    if (cli->format == TABLE_TEXT)
        fprintf(cli->out, "Pareto front of the trials as the model believes them, with intervals of 95 %%:\n");
    status = model_front_table(&view->results, look.diagnosis, cli->log, &table);
    if (status == NR_OK)
        status = view_print(cli, table);
    look_clear(&look);
    return status;
}

static nr_status print_measured(struct cli *cli, const struct view *view)
{
    nr_status status = cli->format == TABLE_TEXT ? NR_OK : print_data(cli, view);
    if (status == NR_OK)
        status = view_expect_result(view, cli->log);
    return status == NR_OK && cli->format == TABLE_TEXT ? print_text(cli, view) : status;
}

nr_status command_pareto(struct cli *cli)
{
    struct view view;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = cli->option[OPTION_PREDICTED] ? print_predicted(cli, &view) : print_measured(cli, &view);
    view_close(&view);
    return status;
}
