#include "space/study.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

/* Sections beside [block NAME]. */
static const char *const sections[] = {"study",      "data",   "space", "network",    "training",
                                       "objectives", "search", "run",   "constraints"};
enum { SECTIONS = sizeof sections / sizeof *sections };

/* Sections of studies that train. [network] or a block of one makes a study such. */
static bool is_of_training(const char *name)
{
    return !strcmp(name, "data") || !strcmp(name, "training");
}

static bool is_of_network(const char *name)
{
    return !strcmp(name, "network") || text_starts_with(name, "block ");
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < SECTIONS; i++)
        if (!strcmp(sections[i], name))
            return true;
    return text_starts_with(name, "block ");
}

static nr_status check_sections(const struct config *config, struct log *log)
{
    char hint[CONFIG_HINT_SIZE];
    for (size_t i = 0; i < config->sections; i++) {
        const struct config_section *section = &config->section[i];
        if (!is_section(section->name))
            return config_error(log, config->path, section->line, section->name, NULL, "the section is unknown%s",
                                config_hint(section->name, sections, SECTIONS, hint));
    }
    for (size_t i = 0; i < config->count; i++) { /* overrides may name what the file does not */
        const struct config_entry *entry = &config->entry[i];
        bool block = text_starts_with(entry->section, "block ");
        if (entry->line == 0 && (block || !is_section(entry->section)))
            return config_entry_error(log, entry, "the section \"%s\" %s%s", entry->section,
                                      block ? "can be changed in the file only" : "is unknown",
                                      config_hint(entry->section, sections, SECTIONS, hint));
    }
    return NR_OK;
}

/* Without [network] a study's objectives are external; then there is nothing that [data] and [training] could be for.
 */
static nr_status find_purpose(struct study *study, struct log *log)
{
    const struct config *config = &study->config;
    study->external = true;
    for (size_t i = 0; i < config->sections; i++)
        study->external &= !is_of_network(config->section[i].name);
    for (size_t i = 0; study->external && i < config->sections; i++)
        if (is_of_training(config->section[i].name))
            return config_error(log, config->path, config->section[i].line, config->section[i].name, NULL,
                                "there is no [network] that could be trained; expected one, or neither [data] nor "
                                "[training], as in a study with external objectives");
    for (size_t i = 0; study->external && i < config->count; i++)
        if (is_of_training(config->entry[i].section))
            return config_entry_error(log, &config->entry[i],
                                      "there is no [network] that could be trained: the study has external objectives");
    return NR_OK;
}

/* Dimensions are columns of trials.csv beside others. External objectives look for dimensions of their name. */
static nr_status check_column(const struct study *study, const struct config_entry *entry, struct log *log)
{
    const char *taken[3 + STUDY_KNOWN_OBJECTIVES] = {"trial", "state", "cause"};
    size_t count = 3, length = strcspn(entry->key, "[");
    if (!study->external)
        count += objective_names(false, taken + count);
    for (size_t i = 0; i < count; i++)
        if (strlen(taken[i]) == length && !strncmp(taken[i], entry->key, length))
            return config_entry_error(log, entry, "the name is that of a column of trials.csv; choose another one");
    return NR_OK;
}

static nr_status read_space(struct study *study, struct log *log)
{
    nr_status status = NR_OK;
    for (size_t i = 0; status == NR_OK && i < study->config.count; i++) {
        const struct config_entry *entry = &study->config.entry[i];
        if (strcmp(entry->section, "space"))
            continue;
        status = check_column(study, entry, log);
        if (status == NR_OK)
            status = space_add(&study->space, entry->key, entry->value, entry->file, entry->line, log);
    }
    if (status != NR_OK)
        return status;
    if (study->space.count)
        return space_complete(&study->space, log);
    log_error(log, "%s: [space] has no parameters; expected at least one, as in \"hidden1 = int 16..128 log\"",
              study->config.path);
    return NR_INVALID;
}

/* Conditions and lengths use dimensions, too. */
static void mark_conditions(const struct space *space, bool *used)
{
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        for (size_t other = 0; other < space->count; other++)
            used[other] |= (dimension->condition && expression_uses(dimension->condition, other)) ||
                           (dimension->length && !strcmp(space->dimension[other].name, dimension->length));
    }
}

static nr_status refuse_unused(const struct study *study, const struct dimension *dimension, struct log *log)
{
    const char *names[KEY_COUNT], *base = dimension->base;
    size_t count = 0;
    for (int id = 0; id < KEY_COUNT; id++)
        if (keys[id].searchable)
            names[count++] = keys[id].name;
    const char *name = text_nearest(base, names, count);
    const struct setting *setting = name ? &study->setting[key_find("training", name)] : NULL;
    if (!setting)
        return config_error(log, dimension->file, dimension->line, "space", base,
                            "the parameter is used nowhere; use $%s "
                            "in [network] or [training], or remove it",
                            base);
    if (setting->file && setting->line == 0)
        return config_error(log, dimension->file, dimension->line, "space", base,
                            "the parameter is used nowhere after "
                            "--set training.%s; write --set space.%s=\"fixed %s\" instead",
                            name, base, setting->text);
    return config_error(log, dimension->file, dimension->line, "space", base,
                        "the parameter is used nowhere; write "
                        "\"%s = $%s\" in [training], or remove it",
                        name, base);
}

/* An element counts as used when any element of its vector is. */
static nr_status check_unused(const struct study_reader *reader)
{
    const struct space *space = &reader->study->space;
    if (reader->study->external) /* whoever measures gets them all */
        return NR_OK;
    mark_conditions(space, reader->used);
    for (size_t d = 0; d < space->count; d++) {
        bool used = false;
        for (size_t other = 0; other < space->count; other++)
            used |= reader->used[other] && !strcmp(space->dimension[other].base, space->dimension[d].base);
        if (!used)
            return refuse_unused(reader->study, &space->dimension[d], reader->log);
    }
    return NR_OK;
}

/* Takes the configuration. */
static nr_status build(struct config *config, struct log *log, struct study **out)
{
    struct study *study = mem_array(1, sizeof *study);
    if (!study) {
        config_clear(config);
        return log_no_memory(log, "reading a study");
    }
    study->config = *config;
    struct study_reader reader = {.study = study, .log = log};
    nr_status status = check_sections(&study->config, log);
    if (status == NR_OK)
        status = find_purpose(study, log);
    if (status == NR_OK)
        status = read_space(study, log);
    if (status == NR_OK) {
        reader.used = mem_array(study->space.count, sizeof *reader.used);
        status = reader.used ? settings_read(&reader) : log_no_memory(log, "reading a study");
    }
    if (status == NR_OK && !study->external)
        status = network_read(&reader);
    if (status == NR_OK)
        status = objectives_read(&reader);
    if (status == NR_OK)
        status = constraints_read(&reader);
    if (status == NR_OK)
        status = objectives_check(&reader);
    if (status == NR_OK)
        status = check_unused(&reader);
    free(reader.used);
    if (status == NR_OK)
        *out = study;
    else
        study_destroy(study);
    return status;
}

nr_status study_read(const char *path, const char *const *overrides, size_t count, struct log *log, struct study **out)
{
    struct config config;
    nr_status status = config_read(path, overrides, count, log, &config);
    return status == NR_OK ? build(&config, log, out) : status;
}

nr_status study_read_text(const char *content, const char *name, const char *const *overrides, size_t count,
                          struct log *log, struct study **out)
{
    struct config config;
    nr_status status = config_read_text(content, name, overrides, count, log, &config);
    return status == NR_OK ? build(&config, log, out) : status;
}

size_t study_values(const struct study *study)
{
    return study->objectives + study->measures;
}

const char *study_value_name(const struct study *study, size_t value)
{
    return value < study->objectives ? study->objective[value].name : study->measure[value - study->objectives];
}

bool study_value_is_told(const struct study *study, size_t value)
{
    return value >= study->objectives || !study->objective[value].exact;
}

void study_destroy(struct study *study)
{
    if (!study)
        return;
    for (int id = 0; id < KEY_COUNT; id++)
        free(study->setting[id].text);
    network_clear(&study->network);
    objectives_clear(study);
    constraints_clear(study);
    space_clear(&study->space);
    config_clear(&study->config);
    free(study);
}
