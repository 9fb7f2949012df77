#include "run/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/store.h"
#include "train/dataset.h"

static const char runs[] = "runs";

static char *trial_file(const char *folder, const char *kind, int64_t trial)
{
    struct text path = {0};
    text_format(&path, "%s/%s/trial-%lld.safetensors", folder, kind, (long long)trial);
    return text_take(&path);
}

char *files_checkpoint(const char *folder, int64_t trial)
{
    return trial_file(folder, "checkpoints", trial);
}

char *files_weights(const char *folder, int64_t trial)
{
    return trial_file(folder, "weights", trial);
}

char *files_default_folder(const struct study *study)
{
    return file_join(runs, study_text(study, KEY_STUDY_NAME));
}

static bool holds_study(const char *folder)
{
    char *path = file_join(folder, STUDY_DATABASE);
    bool found = path && file_exists(path);
    free(path);
    return found;
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* When a search last wrote: the log is written as things happen, the database may keep them in its WAL. False where
 * there is no study. */
static bool last_written(const char *folder, struct timespec *out)
{
    struct stat database, log;
    char *database_path = file_join(folder, STUDY_DATABASE), *log_path = file_join(folder, STUDY_LOG);
    bool found = database_path && stat(database_path, &database) == 0;
    if (found)
        *out = database.st_mtim;
    if (found && log_path && stat(log_path, &log) == 0 && is_later(log.st_mtim, *out))
        *out = log.st_mtim;
    free(log_path);
    free(database_path);
    return found;
}

/* The folder under runs/ that a search wrote to last. */
static char *newest_study(void)
{
    char *newest = NULL;
    struct timespec latest = {0}, written;
    DIR *directory = opendir(runs);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char *folder = entry->d_name[0] == '.' ? NULL : file_join(runs, entry->d_name);
        if (folder && last_written(folder, &written) && (!newest || is_later(written, latest))) {
            latest = written;
            free(newest);
            newest = folder;
        } else {
            free(folder);
        }
    }
    if (directory)
        closedir(directory);
    return newest;
}

/* The store itself, as completion in a shell offers it. */
static bool names_database(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !strcmp(slash ? slash + 1 : path, STUDY_DATABASE) && file_exists(path);
}

bool files_is_configuration(const char *study)
{
    struct stat information;
    return stat(study, &information) == 0 && S_ISREG(information.st_mode) && !names_database(study);
}

/* The folder that the search of this configuration would use. */
static nr_status folder_of_configuration(const char *path, struct log *log, char **folder)
{
    struct study *study;
    nr_status status = study_read(path, NULL, 0, log, &study);
    if (status != NR_OK)
        return status;
    *folder = files_default_folder(study);
    study_destroy(study);
    return *folder ? NR_OK : log_no_memory(log, path);
}

nr_status files_find_study(const char *study, struct log *log, char **folder)
{
    char *found = NULL;
    if (!study) {
        found = newest_study();
        if (!found) {
            log_error(log, "there is no study under %s/ yet: name one, or start one with `nasrun CONFIG.ini`", runs);
            return NR_NOT_FOUND;
        }
        *folder = found;
        return NR_OK;
    }
    if (holds_study(study))
        found = mem_copy_string(study);
    else if (names_database(study))
        found = file_folder(study);
    else if (files_is_configuration(study)) {
        nr_status status = folder_of_configuration(study, log, &found);
        if (status != NR_OK)
            return status;
    } else
        found = file_join(runs, study);
    if (!found)
        return log_no_memory(log, "looking for a study");
    if (!holds_study(found)) {
        log_error(log,
                  "%s: no such study: expected a study's folder, a name under %s/, or a configuration that was run "
                  "(there is no %s/%s)",
                  study, runs, found, STUDY_DATABASE);
        free(found);
        return NR_NOT_FOUND;
    }
    *folder = found;
    return NR_OK;
}

nr_status files_open_study(const char *folder, bool read_only, struct log *log, struct store **store,
                           struct study **study)
{
    struct store_study recorded;
    char *path = file_join(folder, STUDY_DATABASE);
    if (!path)
        return log_no_memory(log, folder);
    struct store *opened;
    nr_status status = store_open(path, read_only, log, &opened);
    if (status != NR_OK)
        goto err_path;
    status = store_study(opened, &recorded);
    if (status == NR_NOT_FOUND)
        log_error(log, "%s: the study has not begun yet", path);
    if (status == NR_OK)
        status = study_read_text(recorded.configuration, path, NULL, 0, log, study);
    if (status != NR_OK)
        goto err_store;
    free(path);
    *store = opened;
    return NR_OK;

err_store:
    store_close(opened);
err_path:
    free(path);
    return status;
}

/* In the record the data's folder is absolute: the record lies elsewhere than the file that named it. */
static char *absolute_data_folder(const struct study *study)
{
    char *folder = dataset_chosen_folder(study), *absolute = folder ? realpath(folder, NULL) : NULL;
    free(folder);
    return absolute;
}

char *files_render_configuration(const struct study *study)
{
    const struct key *key = &keys[KEY_DATA_FOLDER];
    struct config shown = study->config;
    struct text text = {0};
    char *folder = absolute_data_folder(study);
    shown.entry = mem_array(shown.count, sizeof *shown.entry);
    text.failed = !shown.entry;
    for (size_t i = 0; shown.entry && i < shown.count; i++) {
        shown.entry[i] = study->config.entry[i];
        if (folder && !strcmp(shown.entry[i].section, key->section) && !strcmp(shown.entry[i].key, key->name))
            shown.entry[i].value = folder;
    }
    text_format(&text, "; The effective configuration of this study, from %s\n\n", study->config.path);
    if (shown.entry)
        config_append_text(&shown, &text);
    free(shown.entry);
    free(folder);
    return text_take(&text);
}

nr_status files_move_aside(const char *folder, struct log *log, char **moved)
{
    for (int number = 1; number < 10000; number++) {
        struct text name = {0};
        int length = (int)strlen(folder);
        while (length > 1 && folder[length - 1] == '/') /* as completion in a shell leaves it */
            length--;
        text_format(&name, "%.*s.%d", length, folder, number);
        char *target = text_take(&name);
        if (!target)
            return log_no_memory(log, folder);
        if (!file_exists(target)) {
            if (rename(folder, target) == 0) {
                *moved = target;
                return NR_OK;
            }
            log_error(log, "%s: cannot be moved aside to %s: %s", folder, target, strerror(errno));
            free(target);
            return NR_IO;
        }
        free(target);
    }
    log_error(log, "%s: cannot be moved aside: %s.1 to %s.9999 exist", folder, folder, folder);
    return NR_IO;
}
