/* The data set of a study; the rest of dataset knows no study. */
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

/* data.folder is relative to the file that names it; on the command line, to the working folder. */
static char *chosen_folder(const struct study *study, const char *folder)
{
    const char *file = study->setting[KEY_DATA_FOLDER].file;
    if (*folder == '/' || !file || !strchr(file, '/'))
        return file_join(".", folder);
    char *beside = file_folder(file), *path = beside ? file_join(beside, folder) : NULL;
    free(beside);
    return path;
}

nr_status dataset_load(const struct study *study, enum dataset_part part, struct log *log, struct dataset **out)
{
    const char *name = study_text(study, KEY_DATASET), *chosen = study_text(study, KEY_DATA_FOLDER);
    char *folder = NULL;
    nr_status status;
    if (chosen && *chosen) {
        folder = chosen_folder(study, chosen);
        status = folder ? NR_OK : log_no_memory(log, "looking for the data set");
    } else {
        status = dataset_find(name, log, &folder);
    }
    if (status == NR_OK)
        status = dataset_read(name, folder, part, log, out);
    free(folder);
    return status;
}
