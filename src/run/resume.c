/* Where a study stands: begins an empty store, or brings optimizer and results to where the event log ends. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "run/files.h"
#include "run/recorded.h"
#include "run/replay.h"
#include "run/session.h"
#include "run/state.h"

static nr_status begin(struct search *search, const char *configuration)
{
    struct text device = {0};
    nr_status status = devices_describe(&search->devices, search->log, &device);
    if (status == NR_OK)
        status = recorded_begin(search->store, search->study, configuration, device.data, search->preparation.dataset,
                                search->log);
    text_clear(&device);
    return status;
}

static nr_status replay(struct search *search)
{
    struct replay replay = {.study = search->study,
                            .store = search->store,
                            .optimizer = search->optimizer,
                            .validations = search->preparation.split->validations,
                            .log = search->log};
    return replay_all(&replay);
}

/* Deletes checkpoints but those of trials that go on: what a kill left between the record of an end and the deletion,
 * or while a file was written ("trial-7.safetensors.123.part"). */
static nr_status sweep_checkpoints(const struct search *search)
{
    char *folder = file_join(search->folder, "checkpoints");
    DIR *directory = folder ? opendir(folder) : NULL;
    nr_status status = folder ? NR_OK : log_no_memory(search->log, "looking at checkpoints");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        long long trial = 0;
        int length = 0;
        if (sscanf(entry->d_name, "trial-%lld.safetensors%n", &trial, &length) != 1 || length == 0)
            continue; /* none of ours */
        bool whole = entry->d_name[length] == '\0' && trial >= 1 && trial <= (long long)search->results.count;
        enum trial_status state = whole ? search->results.record[trial - 1].status : TRIAL_FAILED;
        if (state != TRIAL_RUNNING && state != TRIAL_QUEUED)
            (void)unlinkat(dirfd(directory), entry->d_name, 0); /* the next resume tries again */
    }
    if (directory)
        closedir(directory);
    free(folder);
    return status;
}

/* Trials that were running when the last run ended go on first. Weights without an end in the record are left by a kill
 * between the two: their trial writes them again. */
static nr_status collect_unfinished(struct search *search)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < search->results.count && status == NR_OK; i++) {
        struct record *record = &search->results.record[i];
        char *weights = files_weights(search->folder, record->trial);
        bool has_weights = weights && file_exists(weights);
        free(weights);
        if (record->status == TRIAL_DONE && has_weights)
            status = search_keep_files(search, record->trial);
        if ((record->status != TRIAL_RUNNING && record->status != TRIAL_QUEUED) || session_is_asker(record->owner))
            continue; /* ended, or handed out by `nasrun ask`: whoever has it tells of it */
        if (record->status == TRIAL_RUNNING)
            status = store_requeue(search->store, record->trial);
        record->status = TRIAL_QUEUED;
        if (status == NR_OK)
            status = search_wait_for(search, record->trial);
    }
    return status;
}

/* Bits are promised on one device; a study may go on on another. One that was begun by `nasrun ask` has none yet. */
static nr_status compare_devices(struct search *search, const char *recorded)
{
    struct text now = {0};
    nr_status status = devices_describe(&search->devices, search->log, &now);
    if (status == NR_OK && *recorded && strcmp(now.data, recorded) != 0) {
        search->begun_on = mem_copy_string(recorded);
        if (!search->begun_on)
            status = log_no_memory(search->log, "comparing devices");
    }
    text_clear(&now);
    return status;
}

nr_status search_restore(struct search *search)
{
    struct store_study recorded;
    char *configuration = files_render_configuration(search->study);
    if (!configuration)
        return log_no_memory(search->log, "beginning the study");
    nr_status status = store_study(search->store, &recorded);
    if (status == NR_NOT_FOUND) {
        search->results = (struct results){.study = search->study};
        status = begin(search, configuration);
        goto end;
    }
    if (status == NR_OK)
        status = recorded_compare(search->study, &recorded, search->folder, search->log);
    if (status == NR_OK)
        status = preparation_compare_data(&search->preparation, &recorded, search->folder, search->log);
    if (status == NR_OK)
        status = compare_devices(search, recorded.device);
    /* This write waits for a session that acts, and the next ones see our lock: what is read from here on stays true.
     */
    if (status == NR_OK)
        status = store_set_configuration(search->store, configuration);
    if (status == NR_OK)
        status = results_load(search->store, search->study, search->log, &search->results);
    if (status == NR_OK)
        status = store_elapsed(search->store, &search->spent);
    if (status == NR_OK)
        status = replay(search);
    if (status == NR_OK)
        status = sweep_checkpoints(search);
    if (status == NR_OK)
        status = collect_unfinished(search);
end:
    free(configuration);
    return status;
}
