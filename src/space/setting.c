/* The sections whose keys are in the table of keys.c: values, presets, `$name`. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

bool setting_is_section(const char *section)
{
    for (int id = 0; id < KEY_COUNT; id++)
        if (!strcmp(keys[id].section, section))
            return true;
    return false;
}

/* The value of a text that the key accepts, for the types that are numbers. */
static double number_of(const struct key *key, const char *text)
{
    double value = 0;
    bool yes = false, known = true;
    if (key->zero && !strcmp(text, key->zero))
        return 0;
    if (key->type == KEY_SECONDS)
        known = text_to_seconds(text, &value);
    else if (key->type == KEY_BOOL)
        known = text_to_bool(text, &yes);
    else
        known = text_to_real(text, &value);
    return known && key->type == KEY_BOOL ? yes : value;
}

static nr_status refuse_unknown_key(const struct config_entry *entry, struct log *log)
{
    const char *names[KEY_COUNT];
    char hint[CONFIG_HINT_SIZE];
    size_t count = 0;
    for (int id = 0; id < KEY_COUNT; id++)
        if (!strcmp(keys[id].section, entry->section))
            names[count++] = keys[id].name;
    config_hint(entry->key, names, count, hint);
    for (int id = 0; !*hint && id < KEY_COUNT; id++)
        if (!strcmp(keys[id].name, entry->key))
            return config_entry_error(log, entry, "the key is unknown here; it belongs to [%s]", keys[id].section);
    return config_entry_error(log, entry, "the key is unknown%s", *hint ? hint : "; nasrun help config lists them all");
}

/* Can every value of the dimension be the key's? */
static bool key_accepts_dimension(const struct key *key, const struct dimension *dimension)
{
    for (size_t i = 0; i < dimension->levels; i++)
        if (!key_accepts(key, dimension->level[i], NULL))
            return false;
    if (dimension->levels)
        return true;
    bool type = key->type == KEY_REAL || (key->type == KEY_INT && dimension->kind == DIM_INT);
    return type && key_in_range(key, dimension->low) && key_in_range(key, dimension->high);
}

static nr_status read_search(struct study_reader *reader, const struct config_entry *entry, const struct key *key,
                             struct setting *setting)
{
    char hint[SPACE_HINT_SIZE];
    const struct space *space = &reader->study->space;
    const char *name = entry->value + 1;
    size_t d = space_find(space, name);
    if (d == SIZE_MAX && space_find_element(space, name, 0) != SIZE_MAX)
        return config_entry_error(reader->log, entry, "\"%s\" is a vector; a key takes one value, as in $%s[0]",
                                  entry->value, name);
    if (d == SIZE_MAX)
        return config_entry_error(reader->log, entry, "\"%s\" names no parameter of [space]%s", entry->value,
                                  space_hint(space, name, hint));
    if (!key->searchable)
        return config_entry_error(reader->log, entry,
                                  "\"%s\" cannot be searched: this key needs one value for the "
                                  "whole study",
                                  entry->value);
    if (!key_accepts_dimension(key, &space->dimension[d])) {
        struct text expected = {0};
        key_append_expectation(key, &expected);
        nr_status status =
            config_entry_error(reader->log, entry,
                               "\"%s\" may be outside of what the key takes: it is "
                               "\"%s\"; expected %s",
                               entry->value, space->dimension[d].text, expected.data ? expected.data : "less");
        text_clear(&expected);
        return status;
    }
    setting->searched = true;
    setting->dimension = d;
    reader->used[d] = true;
    return NR_OK;
}

static nr_status check_literal(const struct study_reader *reader, const struct config_entry *entry,
                               const struct key *key)
{
    struct text expected = {0};
    nr_status status = NR_OK;
    if (!key_accepts(key, entry->value, &expected))
        status = config_entry_error(reader->log, entry, "found \"%s\"; expected %s", entry->value,
                                    expected.data ? expected.data : "another value");
    text_clear(&expected);
    return status;
}

static nr_status read_entry(struct study_reader *reader, const struct config_entry *entry)
{
    enum key_id id = key_find(entry->section, entry->key);
    if (id == KEY_COUNT)
        return refuse_unknown_key(entry, reader->log);
    const struct key *key = &keys[id];
    struct setting *setting = &reader->study->setting[id];
    if (reader->study->external && !key->external)
        return config_entry_error(reader->log, entry,
                                  "the key is about training, which a study with external "
                                  "objectives (one without [network]) leaves to others");
    nr_status status =
        entry->value[0] == '$' ? read_search(reader, entry, key, setting) : check_literal(reader, entry, key);
    if (status != NR_OK)
        return status;
    setting->text = mem_copy_string(entry->value);
    setting->file = entry->file;
    setting->line = entry->line;
    return setting->text ? NR_OK : log_no_memory(reader->log, entry->key);
}

static nr_status read_preset(struct study_reader *reader, enum key_id id)
{
    const struct key *key = &keys[id];
    struct text expected = {0};
    bool external = reader->study->external, unused = external && !key->external;
    const char *preset = external && key->external_preset ? key->external_preset : key->preset;
    if (preset || unused) {
        reader->study->setting[id].text = mem_copy_string(preset ? preset : "");
        return reader->study->setting[id].text ? NR_OK : log_no_memory(reader->log, key->name);
    }
    key_append_expectation(key, &expected);
    log_error(reader->log, "%s: [%s] %s is missing; expected %s", reader->study->config.path, key->section, key->name,
              expected.data ? expected.data : "a value");
    text_clear(&expected);
    return NR_INVALID;
}

nr_status settings_read(struct study_reader *reader)
{
    const struct config *config = &reader->study->config;
    nr_status status = NR_OK;
    for (size_t i = 0; status == NR_OK && i < config->count; i++)
        if (setting_is_section(config->entry[i].section))
            status = read_entry(reader, &config->entry[i]);
    for (int id = 0; status == NR_OK && id < KEY_COUNT; id++)
        if (!reader->study->setting[id].text)
            status = read_preset(reader, (enum key_id)id);
    return status;
}

static bool is_among(const char *const *values, const char *value)
{
    while (*values && strcmp(*values, value) != 0)
        values++;
    return *values != NULL;
}

/* Whether the key's master can have a value with which the key has an effect. */
static bool can_serve(const struct study *study, const struct key *key)
{
    const struct setting *master = &study->setting[key->master];
    if (!master->searched)
        return is_among(key->serves, master->text);
    const struct dimension *dimension = &study->space.dimension[master->dimension];
    bool serves = dimension->condition && is_among(key->serves, keys[key->master].preset);
    for (size_t i = 0; i < dimension->levels; i++)
        serves |= is_among(key->serves, dimension->level[i]);
    return serves;
}

void study_warn_idle(const struct study *study, struct log *log)
{
    for (int id = 0; id < KEY_COUNT; id++) {
        const struct key *key = &keys[id];
        const struct setting *setting = &study->setting[id];
        struct text place = {0};
        if (!setting->file || !key->serves || can_serve(study, key))
            continue;
        config_append_place(&place, setting->file, setting->line, key->section, key->name);
        log_warning(log, "%s has no effect: %s is never %s%s%s", place.data ? place.data : key->name,
                    keys[key->master].name, key->serves[0], key->serves[1] ? " or " : "",
                    key->serves[1] ? key->serves[1] : "");
        text_clear(&place);
    }
}

/* The value as text: of the searched dimension's level, of the literal, or the preset where the dimension is inactive;
 * NULL when the dimension has no levels, *number is it then. */
static const char *value_text(const struct study *study, enum key_id id, const double *point, double *number)
{
    const struct setting *setting = &study->setting[id];
    if (!setting->searched)
        return setting->text;
    *number = point[setting->dimension];
    if (isnan(*number))
        return keys[id].preset;
    const struct dimension *dimension = &study->space.dimension[setting->dimension];
    return dimension->levels ? dimension->level[(size_t)*number] : NULL;
}

double study_real(const struct study *study, enum key_id key, const double *point)
{
    double number = 0;
    const char *text = value_text(study, key, point, &number);
    return text ? number_of(&keys[key], text) : number;
}

int64_t study_int(const struct study *study, enum key_id key, const double *point)
{
    double number = 0;
    int64_t whole;
    const char *text = value_text(study, key, point, &number);
    if (text && text_to_int(text, &whole)) /* a seed has more digits than a double */
        return whole;
    return (int64_t)(text ? number_of(&keys[key], text) : number);
}

bool study_bool(const struct study *study, enum key_id key, const double *point)
{
    return study_real(study, key, point) != 0;
}

int study_choice(const struct study *study, enum key_id key, const double *point)
{
    double number = 0;
    const char *text = value_text(study, key, point, &number);
    for (int i = 0; text && keys[key].choices[i]; i++)
        if (!strcmp(keys[key].choices[i], text))
            return i;
    return 0;
}

const char *study_text(const struct study *study, enum key_id key)
{
    return study->setting[key].text;
}

uint64_t study_seed(const struct study *study)
{
    return (uint64_t)study_int(study, KEY_SEED, NULL);
}

static void append_value(const struct key *key, const struct setting *setting, struct text *lines)
{
    int64_t whole;
    bool is_zero = key->zero && !strcmp(setting->text, key->zero);
    if (setting->searched || is_zero)
        text_append(lines, setting->text);
    else if (key->type == KEY_INT && text_to_int(setting->text, &whole))
        text_format(lines, "%" PRId64, whole);
    else if (key->type == KEY_REAL)
        text_append_real(lines, number_of(key, setting->text));
    else if (key->type == KEY_BOOL)
        text_append(lines, number_of(key, setting->text) != 0 ? "yes" : "no");
    else
        text_append(lines, setting->text);
}

void settings_append_identity(const struct study *study, struct text *lines)
{
    for (int id = 0; id < KEY_COUNT; id++) {
        const struct key *key = &keys[id];
        const struct setting *setting = &study->setting[id];
        bool preset = key->preset && !strcmp(setting->text, key->preset);
        if (id == KEY_TRIALS || !strcmp(key->section, "run") || (study->external && !key->external) ||
            (key->young && preset))
            continue;
        text_format(lines, "%s.%s = ", key->section, key->name);
        append_value(key, setting, lines);
        text_append(lines, "\n");
    }
}
