#include "cli/view.h"

#include <inttypes.h>
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

static nr_status read_trial(const struct cli *cli, const char **study, int64_t *trial)
{
    int last = cli->arguments - 1;
    for (int i = last; i >= 0; i--) {
        if (!text_to_int(cli->argument[i], trial))
            continue;
        *study = last == 0 ? NULL : cli->argument[last - i];
        return NR_OK;
    }
    log_error(cli->log, "\"%s\" is no number of a trial; expected [STUDY] TRIAL", cli->argument[last]);
    return NR_INVALID;
}

nr_status view_show_trial(struct cli *cli, nr_status (*show)(struct cli *cli, const struct view *view, int64_t trial))
{
    struct view view;
    const char *study;
    int64_t trial;
    nr_status status = read_trial(cli, &study, &trial);
    if (status == NR_OK)
        status = view_open(study, cli->log, &view);
    if (status != NR_OK)
        return status;
    status = show(cli, &view, trial);
    view_close(&view);
    return status;
}

nr_status view_record(const struct view *view, int64_t trial, struct log *log, const struct record **out)
{
    if (trial < 1 || trial > (int64_t)view->results.count) {
        log_error(log, "%s: there is no trial %" PRId64 "; it has trials 1 to %zu", view->folder, trial,
                  view->results.count);
        return NR_NOT_FOUND;
    }
    *out = &view->results.record[trial - 1];
    return NR_OK;
}

nr_status view_look(const struct view *view, int64_t trial, enum look_fit fit, struct log *log, struct look *out)
{
    return look_create(view->store, &view->results, trial, fit, log, out);
}

nr_status view_expect_model(const struct view *view, struct log *log, struct look *out)
{
    nr_status status = view_look(view, 0, LOOK_FITTED, log, out);
    if (status != NR_OK || out->diagnosis)
        return status;
    log_error(log, "%s: there is no model yet: %s", view->folder, out->reason);
    look_clear(out);
    return NR_NO_RESULT;
}
