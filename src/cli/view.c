#include "cli/view.h"

#include <math.h>
#include <stdlib.h>

#include "run/files.h"

nr_status view_open(const char *name, struct log *log, struct view *out)
{
    struct view view = {0};
    nr_status status = files_find_study(name, log, &view.folder);
    if (status != NR_OK)
        return status;
    status = files_open_study(view.folder, true, log, &view.store, &view.study);
    if (status != NR_OK)
        goto err_folder;
    status = results_load(view.store, view.study, log, &view.results);
    if (status != NR_OK)
        goto err_store;
    status = front_compute(&view.results, log, &view.front);
    if (status != NR_OK)
        goto err_results;
    *out = view;
    return NR_OK;

err_results:
    results_clear(&view.results);
err_store:
    store_close(view.store);
    study_destroy(view.study);
err_folder:
    free(view.folder);
    return status;
}

void view_close(struct view *view)
{
    front_clear(&view->front);
    results_clear(&view->results);
    store_close(view->store);
    study_destroy(view->study);
    free(view->folder);
    *view = (struct view){0};
}

const char *view_named(const struct cli *cli)
{
    return cli->arguments ? cli->argument[0] : NULL;
}

nr_status view_print(struct cli *cli, struct table *table)
{
    nr_status status = table_write(table, cli->format, cli->out);
    table_destroy(table);
    if (status != NR_OK)
        log_error(cli->log, "the table cannot be written: %s", status_text(status));
    return status;
}

nr_status view_expect_result(const struct view *view, struct log *log)
{
    if (view->front.members)
        return NR_OK;
    log_error(log, "%s: no trial has finished yet", view->folder);
    return NR_NO_RESULT;
}

struct summary view_summary(const struct view *view)
{
    return (struct summary){.results = &view->results, .front = &view->front, .elapsed = NAN, .folder = view->folder};
}
