/* [objectives]: what the search is for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

static const struct {
    const char *name;
    bool exact;    /* known from the plan, before training */
    bool maximize; /* the sense of a trained metric; an exact quantity may go either way */
    double most;   /* of a threshold */
} known[STUDY_KNOWN_OBJECTIVES] = {
    {"val_accuracy", false, true, 1},      {"val_loss", false, false, INFINITY}, {"train_loss", false, false, INFINITY},
    {"parameters", true, false, INFINITY}, {"macs", true, false, INFINITY},      {"memory", true, false, INFINITY},
};

size_t objective_names(bool exact, const char *names[STUDY_KNOWN_OBJECTIVES])
{
    size_t count = 0;
    for (size_t i = 0; i < STUDY_KNOWN_OBJECTIVES; i++)
        if (!exact || known[i].exact)
            names[count++] = known[i].name;
    return count;
}

bool objective_is_known(const char *name, bool exact)
{
    const char *names[STUDY_KNOWN_OBJECTIVES];
    size_t count = objective_names(exact, names);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static nr_status refuse_unknown(const struct config_entry *entry, struct log *log)
{
    const char *names[STUDY_KNOWN_OBJECTIVES];
    char hint[CONFIG_HINT_SIZE];
    size_t count = objective_names(false, names);
    config_hint(entry->key, names, count, hint);
    return config_entry_error(log, entry, "the objective is unknown%s",
                              *hint ? hint
                                    : "; there are val_accuracy, val_loss, train_loss, parameters, macs and memory");
}

static nr_status read_threshold(const struct config_entry *entry, const char *word, double most, struct log *log,
                                double *threshold)
{
    static const char prefix[] = "threshold=";
    if (!text_starts_with(word, prefix))
        return config_entry_error(log, entry, "found \"%s\"; expected threshold=NUMBER, or nothing more", word);
    double value;
    if (!text_to_real(word + strlen(prefix), &value) || value < 0 || value > most)
        return config_entry_error(log, entry, "found \"%s\"; expected a number %s", word,
                                  isinf(most) ? "not below 0" : "from 0 to 1 (a fraction, not per cent)");
    *threshold = value;
    return NR_OK;
}

static nr_status read_objective(struct study_reader *reader, const struct config_entry *entry)
{
    struct study *study = reader->study;
    struct log *log = reader->log;
    size_t k = 0;
    while (k < STUDY_KNOWN_OBJECTIVES && strcmp(known[k].name, entry->key))
        k++;
    if (k == STUDY_KNOWN_OBJECTIVES)
        return refuse_unknown(entry, log);
    if (study->objectives == STUDY_MAX_OBJECTIVES)
        return config_entry_error(log, entry, "this is one objective too many; at most %d are possible",
                                  STUDY_MAX_OBJECTIVES);
    size_t length = strcspn(entry->value, " \t");
    bool maximize = length == 8 && !strncmp(entry->value, "maximize", length);
    if (!maximize && !(length == 8 && !strncmp(entry->value, "minimize", length)))
        return config_entry_error(log, entry, "found \"%.*s\"; expected maximize or minimize", (int)length,
                                  entry->value);
    if (!known[k].exact && maximize != known[k].maximize)
        return config_entry_error(log, entry, "found \"%.*s\"; this objective can only be %s", (int)length,
                                  entry->value, known[k].maximize ? "maximized" : "minimized");
    double threshold = NAN;
    const char *rest = entry->value + length + strspn(entry->value + length, " \t");
    nr_status status = *rest ? read_threshold(entry, rest, known[k].most, log, &threshold) : NR_OK;
    if (status != NR_OK)
        return status;
    char *name = mem_copy_string(entry->key);
    if (!name)
        return log_no_memory(log, entry->key);
    study->objective[study->objectives++] = (struct objective){name, maximize, known[k].exact, threshold};
    return NR_OK;
}

nr_status objectives_read(struct study_reader *reader)
{
    struct study *study = reader->study;
    nr_status status = NR_OK;
    study->objective = mem_array(STUDY_MAX_OBJECTIVES, sizeof *study->objective);
    if (!study->objective)
        return log_no_memory(reader->log, "reading the objectives");
    for (size_t i = 0; status == NR_OK && i < study->config.count; i++)
        if (!strcmp(study->config.entry[i].section, "objectives"))
            status = read_objective(reader, &study->config.entry[i]);
    if (status != NR_OK)
        return status;
    bool trained = false;
    for (size_t i = 0; i < study->objectives; i++)
        trained |= !study->objective[i].exact;
    if (trained)
        return NR_OK;
    log_error(reader->log, "%s: [objectives] %s; expected val_accuracy, val_loss or train_loss among them",
              study->config.path,
              study->objectives ? "none needs training, so that there is nothing to search" : "has no objective");
    return NR_INVALID;
}

/* Their order is part of it: values of trials are recorded by it. */
void objectives_append_identity(const struct study *study, struct text *lines)
{
    for (size_t i = 0; i < study->objectives; i++) {
        const struct objective *objective = &study->objective[i];
        text_format(lines, "objectives.%zu = %s %s", i + 1, objective->name,
                    objective->maximize ? "maximize" : "minimize");
        if (!isnan(objective->threshold)) {
            text_append(lines, " threshold=");
            text_append_real(lines, objective->threshold);
        }
        text_append(lines, "\n");
    }
}

void objectives_clear(struct study *study)
{
    for (size_t i = 0; i < study->objectives; i++)
        free(study->objective[i].name);
    free(study->objective);
}
