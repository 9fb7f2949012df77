/* nasrun show [STUDY] TRIAL: one trial, its network layer by layer, its epochs. As data: the epochs. */
#include <inttypes.h>

#include "cli/describe.h"
#include "run/problem.h"
#include "train/dataset.h"

static nr_status add_epoch(void *context, const struct store_epoch *epoch)
{
    struct table *table = context;
    const double reals[] = {epoch->train_loss, epoch->validation_loss, epoch->validation_accuracy, epoch->learning_rate,
                            epoch->seconds};
    nr_status status = table_add_row(table);
    if (status == NR_OK)
        status = table_set_int(table, 0, epoch->epoch);
    for (size_t i = 0; i < sizeof reals / sizeof *reals && status == NR_OK; i++)
        status = table_set_real(table, i + 1, reals[i]);
    return status;
}

static nr_status list_epochs(struct cli *cli, const struct view *view, int64_t trial, struct table **out)
{
    static const struct {
        const char *name;
        int decimals;
    } columns[] = {
        {"train_loss", 4}, {"validation_loss", 4}, {"validation_accuracy", 4}, {"learning_rate", 6}, {"seconds", 2},
    };
    struct table *table;
    nr_status status = table_create(&table);
    if (status != NR_OK)
        return log_no_memory(cli->log, "listing epochs");
    status = table_add_column(table, "epoch", NULL, COLUMN_INT, 0, false);
    for (size_t i = 0; i < sizeof columns / sizeof *columns && status == NR_OK; i++)
        status = table_add_column(table, columns[i].name, NULL, COLUMN_REAL, columns[i].decimals, false);
    if (status == NR_OK)
        status = store_epochs(view->store, trial, add_epoch, table);
    if (status != NR_OK) {
        table_destroy(table);
        return status;
    }
    *out = table;
    return NR_OK;
}

/* The shapes of the layers follow from the images; where these are not at hand the rest is still worth showing. */
static nr_status print_layers(struct cli *cli, const struct view *view, const struct record *record)
{
    struct dataset *dataset;
    struct problem problem;
    struct plan *plan;
    struct recipe recipe;
    if (dataset_load(view->study, DATASET_TRAIN, NULL, &dataset) != NR_OK) {
        fprintf(cli->out, "\nlayers: unknown here, since the data set %s cannot be read\n",
                study_text(view->study, KEY_DATASET));
        return NR_OK;
    }
    problem_init(&problem, view->study, dataset->shape, dataset->classes, dataset->count);
    nr_status status = problem_plan(&problem, record->point, NULL, &plan, &recipe);
    dataset_destroy(dataset);
    if (status != NR_OK) {
        log_error(cli->log, "trial %" PRId64 ": its network cannot be built from the recorded point", record->trial);
        return status;
    }
    fprintf(cli->out, "\nlayers\n");
    describe_layers(cli->out, plan);
    plan_destroy(plan);
    return NR_OK;
}

static nr_status print(struct cli *cli, const struct view *view, int64_t trial)
{
    struct table *table = NULL;
    const struct record *record;
    nr_status status = view_record(view, trial, cli->log, &record);
    if (status == NR_OK && cli->format == TABLE_TEXT) {
        status = describe_trial(view, record, cli->out);
        if (status == NR_OK && view->study->external)
            return NR_OK; /* no network, no epochs */
        if (status == NR_OK)
            status = print_layers(cli, view, record);
        fprintf(cli->out, "\n");
    }
    if (status != NR_OK)
        return status;
    status = list_epochs(cli, view, trial, &table);
    return status == NR_OK ? view_print(cli, table) : status;
}

nr_status command_show(struct cli *cli)
{
    return view_show_trial(cli, print);
}
