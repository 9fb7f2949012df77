/* nasrun test STUDY: the front's kept weights on the test set. */
#include <stdlib.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "run/files.h"
#include "run/tester.h"

static nr_status fill(struct table *table, const struct study *study, const struct results *results,
                      const struct tested *tested, size_t count)
{
    nr_status status = table_add_column(table, "trial", NULL, COLUMN_INT, 0, false);
    for (size_t j = 0; j < study->objectives && status == NR_OK; j++)
        status = table_add_column(table, study->objective[j].name, NULL,
                                  study->objective[j].exact ? COLUMN_INT : COLUMN_REAL, 4, false);
    if (status == NR_OK)
        status = table_add_column(table, "test_accuracy", NULL, COLUMN_REAL, 4, false);
    if (status == NR_OK)
        status = table_add_column(table, "test_loss", NULL, COLUMN_REAL, 4, false);
    if (status == NR_OK)
        status = table_add_column(table, "network", NULL, COLUMN_TEXT, 0, false);
    for (size_t i = 0; i < count && status == NR_OK; i++) {
        const struct record *record = &results->record[tested[i].record];
        size_t column = 0;
        status = table_add_row(table);
        if (status == NR_OK)
            status = table_set_int(table, column++, record->trial);
        for (size_t j = 0; j < study->objectives && status == NR_OK; j++)
            status = study->objective[j].exact ? table_set_int(table, column++, (int64_t)record->value[j])
                                               : table_set_real(table, column++, record->value[j]);
        if (status == NR_OK)
            status = table_set_real(table, column++, tested[i].accuracy);
        if (status == NR_OK)
            status = table_set_real(table, column++, tested[i].loss);
        if (status == NR_OK)
            status = table_set_text(table, column, record->summary);
    }
    return status;
}

static nr_status print(struct cli *cli, const struct study *study, const struct results *results,
                       const struct tested *tested, size_t count)
{
    struct table *table;
    nr_status status = table_create(&table);
    if (status != NR_OK)
        return status;
    status = fill(table, study, results, tested, count);
    if (status == NR_OK)
        status = table_write(table, cli->format, cli->out);
    table_destroy(table);
    return status;
}

nr_status command_test(struct cli *cli)
{
    char *folder;
    struct store *store;
    struct study *study;
    struct results results;
    size_t count = 0;
    nr_status status = files_find_study(cli->arguments ? cli->argument[0] : NULL, cli->log, &folder);
    if (status != NR_OK)
        return status;
    status = files_open_study(folder, false, cli->log, &store, &study);
    if (status != NR_OK)
        goto err_folder;
    status = results_load(store, study, cli->log, &results);
    if (status != NR_OK)
        goto err_study;
    struct tested *tested = mem_array(results.count, sizeof *tested);
    if (!tested)
        status = log_no_memory(cli->log, "testing");
    else if (results_count(&results, TRIAL_DONE) == 0) {
        log_error(cli->log, "%s: no trial has finished yet, so there is nothing to test", folder);
        status = NR_NO_RESULT;
    }
    if (status == NR_OK)
        status = tester_run(study, folder, &results, store, cli->log, tested, &count);
    if (status == NR_OK)
        status = print(cli, study, &results, tested, count);
    free(tested);
    results_clear(&results);
err_study:
    study_destroy(study);
    store_close(store);
err_folder:
    free(folder);
    return status;
}
