/* The data set of a study; the rest of dataset knows no study. */
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

/* data.folder is relative to the file that names it; on the command line, to the working folder. */
char *dataset_chosen_folder(const struct study *study)
{
    const struct setting *setting = &study->setting[KEY_DATA_FOLDER];
    if (!setting->text || !*setting->text)
        return NULL;
    if (*setting->text == '/' || !setting->file || !strchr(setting->file, '/'))
        return file_join(".", setting->text);
    char *beside = file_folder(setting->file), *path = beside ? file_join(beside, setting->text) : NULL;
    free(beside);
    return path;
}

static nr_status find_chosen(const struct study *study, const char *name, struct log *log, char **out)
{
    const struct setting *setting = &study->setting[KEY_DATA_FOLDER];
    char *folder = dataset_chosen_folder(study), *below = folder ? file_join(folder, name) : NULL;
    if (!below) {
        free(folder);
        return log_no_memory(log, "looking for the data set");
    }
    if (file_exists(below)) {
        free(folder);
        *out = below;
        return NR_OK;
    }
    free(below);
    if (!file_exists(folder)) {
        nr_status status =
            config_error(log, setting->file ? setting->file : "", setting->line, "data", "folder",
                         "\"%s\": no such folder (%s); expected the folder of the data set %s, or the one "
                         "it lies in",
                         setting->text, folder, name);
        free(folder);
        return status;
    }
    *out = folder;
    return NR_OK;
}

static nr_status find_folder(const struct study *study, struct log *log, char **out)
{
    const struct setting *setting = &study->setting[KEY_DATA_FOLDER];
    const char *name = study_text(study, KEY_DATASET);
    return setting->text && *setting->text ? find_chosen(study, name, log, out) : dataset_find(name, log, out);
}

nr_status dataset_load(const struct study *study, enum dataset_part part, struct log *log, struct dataset **out)
{
    char *folder = NULL;
    nr_status status = find_folder(study, log, &folder);
    if (status == NR_OK)
        status = dataset_read(study_text(study, KEY_DATASET), folder, part, log, out);
    free(folder);
    return status;
}

nr_status dataset_outline(const struct study *study, struct log *log, struct dataset_outline *out)
{
    char *folder = NULL;
    nr_status status = find_folder(study, log, &folder);
    if (status == NR_OK)
        status = dataset_outline_read(folder, log, out);
    free(folder);
    return status;
}
