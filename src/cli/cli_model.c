/* nasrun model [STUDY]: what the search's model makes of the results: how far it can be trusted, what matters to it. */
#include "cli/view.h"
#include "report/model.h"

enum { MOST_DIMENSIONS = 12 }; /* shown per outcome; `nasrun importance` shows all */

static const char explanation[] =
    "\nR2, in 95 % and gain judge predictions of each result from all others: an R2 of 1 is perfect, of 0 no better "
    "than\n"
    "their mean (\"modelled\": on the scale on which the search compares); about 0.95 of the results should lie "
    "within\n"
    "their 95 % intervals; gain is how much likelier, in nats a result, the model finds what came out than a bell "
    "curve\n"
    "would that ignores the points. Noise: what the same trial would scatter by, beside what is known beforehand.\n";

static const char importance_explanation[] =
    "\nOf what the model expects to vary over the whole space, a dimension explains \"alone\" its own share, and "
    "\"total\"\n"
    "is the share that knowing all but it leaves open. \"Best near\": where the mean over all else is best.\n";

static nr_status print_table(struct cli *cli, struct table *table, const char *below)
{
    nr_status status = view_print(cli, table);
    if (status == NR_OK)
        fputs(below, cli->out);
    return status;
}

static nr_status print(struct cli *cli, const struct view *view, struct look *look)
{
    struct table *table;
    bool text = cli->format == TABLE_TEXT;
    nr_status status = model_quality_table(view->study, look->diagnosis, cli->log, &table);
    if (status == NR_OK)
        status = print_table(cli, table, text ? explanation : "");
    if (status != NR_OK || !text)
        return status;
    fprintf(cli->out, "\n");
    status = model_importance_table(view->study, look->diagnosis, MOST_DIMENSIONS, cli->log, &table);
    return status == NR_OK ? print_table(cli, table, importance_explanation) : status;
}

nr_status command_model(struct cli *cli)
{
    struct view view;
    struct look look;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = view_expect_model(&view, cli->log, &look);
    if (status == NR_OK) {
        status = print(cli, &view, &look);
        look_clear(&look);
    }
    view_close(&view);
    return status;
}
