#include "run/session_study.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/files.h"
#include "run/recorded.h"

nr_status session_study_prepare(struct session_study *source)
{
    if (source->problem)
        return NR_OK;
    if (source->study->external) {
        problem_init_external(&source->external, source->study);
        source->problem = &source->external;
        return NR_OK;
    }
    nr_status status = preparation_create(source->study, source->log, &source->preparation);
    if (status == NR_OK)
        source->problem = &source->preparation.problem;
    return status;
}

/* The data of a study that trains are those that its trials saw. */
static nr_status compare_data(struct session_study *source, const struct store_study *recorded)
{
    if (source->study->external)
        return NR_OK;
    return preparation_compare_data(&source->preparation, recorded, source->folder, source->log);
}

/* In a store that is held: begins the study, or sees that it is this one. */
static nr_status begin_or_compare(struct session_study *source, const char *configuration)
{
    struct store_study recorded;
    nr_status status = store_study(source->store, &recorded);
    if (status == NR_NOT_FOUND)
        return recorded_begin(source->store, source->study, configuration, "",
                              source->study->external ? NULL : source->preparation.dataset, source->log);
    if (status == NR_OK)
        status = recorded_compare(source->study, &recorded, source->folder, source->log);
    if (status == NR_OK)
        status = compare_data(source, &recorded);
    if (status == NR_OK && strcmp(recorded.configuration, configuration) != 0 && !store_holder(source->store))
        status = store_set_configuration(source->store, configuration);
    return status;
}

static nr_status open_store(struct session_study *source)
{
    char *path = file_join(source->folder, STUDY_DATABASE);
    char *configuration = files_render_configuration(source->study);
    nr_status status = path && configuration ? file_make_folder(source->folder, source->log)
                                             : log_no_memory(source->log, source->folder);
    if (status == NR_OK)
        status = store_open(path, false, source->log, &source->store);
    if (status == NR_OK)
        status = store_hold(source->store);
    if (status == NR_OK)
        status = store_release(source->store, begin_or_compare(source, configuration));
    free(configuration);
    free(path);
    return status;
}

static nr_status open_configuration(struct session_study *source, const struct session_options *options)
{
    nr_status status = study_read(options->study, options->set, options->sets, source->log, &source->study);
    if (status != NR_OK)
        return status;
    source->folder = options->folder ? mem_copy_string(options->folder) : files_default_folder(source->study);
    if (!source->folder)
        return log_no_memory(source->log, "opening a study");
    status = recorded_check(source->study, source->log);
    if (status == NR_OK)
        status = session_study_prepare(source);
    return status == NR_OK ? open_store(source) : status;
}

static nr_status open_recorded(struct session_study *source, const struct session_options *options)
{
    if (options->folder || options->sets) {
        log_error(source->log, "%s: %s is for a configuration, and this names a study that has begun", options->study,
                  options->folder ? "--out" : "--set");
        return NR_INVALID;
    }
    nr_status status = files_find_study(options->study, source->log, &source->folder);
    if (status == NR_OK)
        status = files_open_study(source->folder, false, source->log, &source->store, &source->study);
    return status;
}

nr_status session_study_open(struct session_study *source, const struct session_options *options)
{
    source->log = options->log;
    nr_status status =
        files_is_configuration(options->study) ? open_configuration(source, options) : open_recorded(source, options);
    return status == NR_OK ? store_write_behind(source->store) : status;
}

int64_t session_study_validations(const struct session_study *source)
{
    return source->study->external ? 0 : source->preparation.split->validations;
}

void session_study_close(struct session_study *source)
{
    store_close(source->store);
    preparation_clear(&source->preparation);
    study_destroy(source->study);
    free(source->folder);
    *source = (struct session_study){0};
}
