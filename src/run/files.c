#include "run/files.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/store.h"

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

/* The folder under runs/ whose database, or the log beside it, changed last. */
static char *newest_study(void)
{
    char *newest = NULL;
    struct timespec latest = {0};
    DIR *directory = opendir(runs);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        char *folder = file_join(runs, entry->d_name);
        char *database = folder ? file_join(folder, STUDY_DATABASE) : NULL;
        struct stat information;
        bool newer = database && stat(database, &information) == 0 &&
                     (!newest || information.st_mtim.tv_sec > latest.tv_sec ||
                      (information.st_mtim.tv_sec == latest.tv_sec &&
                       information.st_mtim.tv_nsec > latest.tv_nsec));
        free(database);
        if (newer) {
            latest = information.st_mtim;
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

static bool is_configuration(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0 && S_ISREG(information.st_mode);
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
    else if (is_configuration(study)) {
        nr_status status = folder_of_configuration(study, log, &found);
        if (status != NR_OK)
            return status;
    } else
        found = file_join(runs, study);
    if (!found)
        return log_no_memory(log, "looking for a study");
    if (!holds_study(found)) {
        log_error(log, "%s: no such study: expected a study's folder, a name under %s/, or a configuration that was run "
                       "(there is no %s/%s)", study, runs, found, STUDY_DATABASE);
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

/* A path in a configuration is relative to the file that names it; in the record it is absolute. */
static void append_value(struct text *text, const struct study *study, const struct config_entry *entry)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].type != KEY_PATH || strcmp(keys[i].section, entry->section) != 0 ||
            strcmp(keys[i].name, entry->key) != 0 || !*entry->value)
            continue;
        char *folder = file_folder(study->config.path);
        char *joined = folder ? file_join(folder, entry->value) : NULL;
        char *absolute = joined ? realpath(joined, NULL) : NULL;
        text_append(text, absolute ? absolute : entry->value);
        free(absolute);
        free(joined);
        free(folder);
        return;
    }
    text_append(text, entry->value);
}

char *files_render_configuration(const struct study *study)
{
    struct text text = {0};
    const char *section = "";
    text_format(&text, "; The effective configuration of this study, from %s\n", study->config.path);
    for (size_t i = 0; i < study->config.count; i++) {
        const struct config_entry *entry = &study->config.entry[i];
        if (strcmp(section, entry->section) != 0)
            text_format(&text, "\n[%s]\n", entry->section);
        section = entry->section;
        text_format(&text, "%s = ", entry->key);
        append_value(&text, study, entry);
        text_append(&text, "\n");
    }
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
