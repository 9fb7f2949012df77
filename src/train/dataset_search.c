/* Where data sets are sought; dataset.c knows no places. */
#include "train/dataset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { MOST_PLACES = 5 };

struct places {
    char *folder[MOST_PLACES]; /* owned; "FOLDER/NAME" */
    size_t count;
    bool failed; /* out of memory */
};

static void add_place(struct places *places, const char *folder, const char *relative, const char *name)
{
    struct text path = {0};
    text_format(&path, "%s%s/%s", folder, relative, name);
    char *place = text_take(&path);
    if (place)
        places->folder[places->count++] = place;
    else
        places->failed = true;
}

/* The program is in PROJECT/build/PRESET/ while it is developed and in PREFIX/bin/ once it is installed. */
static void add_places_of_program(struct places *places, const char *name)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    *slash = '\0';
    char *parent = strrchr(program, '/');
    if (!parent)
        return;
    bool installed = !strcmp(parent, "/bin");
    *parent = '\0';
    if (installed) {
        add_place(places, program, "/share/nasrun/data", name);
        return;
    }
    char *grandparent = strrchr(program, '/');
    if (!grandparent || strcmp(grandparent, "/build"))
        return;
    *grandparent = '\0';
    add_place(places, program, "/data", name);
}

static void list_places(struct places *places, const char *name)
{
    const char *chosen = getenv("NASRUN_DATA");
    if (chosen && *chosen)
        add_place(places, chosen, "", name);
    add_place(places, "data", "", name);
    add_places_of_program(places, name);
    add_place(places, "/usr/share/datasets", "", name); /* where Debian's packages put theirs */
}

static nr_status not_found(const struct places *places, const char *name, struct log *log)
{
    struct text list = {0};
    for (size_t i = 0; i < places->count; i++)
        text_format(&list, "%s%s", i ? ", " : "", places->folder[i]);
    log_error(log,
              "data.dataset = %s: no such data set; looked for the folders %s; `tools/get-data %s` fetches the "
              "known ones, data.folder names the folder of your own",
              name, list.data ? list.data : "", name);
    text_clear(&list);
    return NR_NOT_FOUND;
}

nr_status dataset_find(const char *name, struct log *log, char **out)
{
    struct places places = {0};
    struct stat information;
    char *found = NULL;
    if (!*name || strchr(name, '/') || *name == '.') {
        log_error(log,
                  "data.dataset = \"%s\": expected the name of a set; the folder of your own goes into data.folder",
                  name);
        return NR_INVALID;
    }
    list_places(&places, name);
    for (size_t i = 0; i < places.count && !found; i++)
        if (stat(places.folder[i], &information) == 0 || (errno != ENOENT && errno != ENOTDIR)) {
            found = places.folder[i]; /* reading says what is wrong with it */
            places.folder[i] = NULL;
        }
    nr_status status = NR_OK;
    if (places.failed)
        status = log_no_memory(log, "looking for the data set");
    else if (!found)
        status = not_found(&places, name, log);
    for (size_t i = 0; i < places.count; i++)
        free(places.folder[i]);
    if (status != NR_OK) {
        free(found);
        return status;
    }
    *out = found;
    return NR_OK;
}
