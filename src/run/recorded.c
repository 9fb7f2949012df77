#include "run/recorded.h"

#include <stdlib.h>
#include <string.h>

#include "run/files.h"

nr_status recorded_check(const struct study *study, struct log *log)
{
    struct study *again;
    char *configuration = files_render_configuration(study);
    if (!configuration)
        return log_no_memory(log, "rendering the configuration");
    nr_status status = study_read_text(configuration, "the configuration as recorded", NULL, 0, log, &again);
    if (status == NR_OK)
        study_destroy(again);
    free(configuration);
    return status;
}

nr_status recorded_begin(struct store *store, const struct study *study, const char *configuration, const char *device,
                         const struct dataset *dataset, struct log *log)
{
    char *identity = study_identity(study);
    if (!identity)
        return log_no_memory(log, "beginning the study");
    struct store_study record = {.name = study_text(study, KEY_STUDY_NAME),
                                 .identity = identity,
                                 .configuration = configuration,
                                 .version = NASRUN_VERSION,
                                 .device = device,
                                 .data_name = dataset ? dataset->name : "",
                                 .data_digest = dataset ? dataset->digest : "",
                                 .seed = (int64_t)study_seed(study)};
    for (size_t i = 0; i < study_values(study); i++)
        record.objective[i] = study_value_name(study, i);
    nr_status status = store_begin(store, &record);
    free(identity);
    return status;
}

static const char *end_of_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end : line + strlen(line);
}

/* Whether the line that starts at `line` is one of `text`'s lines. */
static bool has_line(const char *text, const char *line)
{
    size_t length = (size_t)(end_of_line(line) - line);
    for (const char *start = text; *start; start = end_of_line(start) + (*end_of_line(start) == '\n'))
        if ((size_t)(end_of_line(start) - start) == length && !memcmp(start, line, length))
            return true;
    return false;
}

/* The first line of `text` that `other` lacks; NULL when there is none. */
static char *first_difference(const char *text, const char *other)
{
    for (const char *start = text; *start; start = end_of_line(start) + (*end_of_line(start) == '\n'))
        if (!has_line(other, start))
            return strndup(start, (size_t)(end_of_line(start) - start));
    return NULL;
}

/* The place of a parameter in [space] means nothing to a point, but it is its column in the Sobol sequence and in the
 * model: with another order a study would go on, and explain itself, as one that never was. Studies are compared by the
 * configuration they were recorded with, since identities do not tell the order. */
static nr_status compare_order(const struct study *study, const struct store_study *recorded, const char *folder,
                               struct log *log)
{
    struct study *before;
    nr_status status = study_read_text(recorded->configuration, folder, NULL, 0, log, &before);
    if (status != NR_OK)
        return status;
    for (size_t d = 0; status == NR_OK && d < study->space.count; d++) {
        const char *now = study->space.dimension[d].name, *then = before->space.dimension[d].name;
        if (!strcmp(now, then))
            continue;
        log_error(log,
                  "%s was begun with [space] in another order: parameter %zu is %s in %s, it was %s. The order decides "
                  "which points are tried; restore it, or use another folder with --out",
                  folder, d + 1, now, study->config.path, then);
        status = NR_INVALID;
    }
    study_destroy(before);
    return status;
}

nr_status recorded_compare(const struct study *study, const struct store_study *recorded, const char *folder,
                           struct log *log)
{
    char *identity = study_identity(study);
    if (!identity)
        return log_no_memory(log, "comparing configurations");
    if (!strcmp(identity, recorded->identity)) {
        free(identity);
        return compare_order(study, recorded, folder, log);
    }
    char *now = first_difference(identity, recorded->identity);
    char *before = first_difference(recorded->identity, identity);
    log_error(
        log,
        "%s holds a study of another configuration: it has \"%s\", %s has \"%s\". Only [run] and study.trials may "
        "change; move the old run aside (a search does with --fresh), or use another folder with --out",
        folder, before ? before : "(nothing there)", study->config.path, now ? now : "(nothing there)");
    free(before);
    free(now);
    free(identity);
    return NR_INVALID;
}
