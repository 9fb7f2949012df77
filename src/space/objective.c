/* [objectives]: what the search is for. A study that trains has those that nasrun knows; one with external objectives
 * has any names, and may have some computed from the parameters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

static const struct known {
    const char *name;
    bool exact;    /* known from the plan, before training */
    bool maximize; /* the sense of a trained metric; an exact quantity may go either way */
    double most;   /* of a threshold */
} known[STUDY_KNOWN_OBJECTIVES] = {
    {"val_accuracy", false, true, 1},      {"val_loss", false, false, INFINITY}, {"train_loss", false, false, INFINITY},
    {"parameters", true, false, INFINITY}, {"macs", true, false, INFINITY},      {"memory", true, false, INFINITY},
};

static const char *const transforms[] = {"auto", "none", "halfrank", NULL}; /* as the enum */

size_t objective_names(bool exact, const char *names[STUDY_KNOWN_OBJECTIVES])
{
    size_t count = 0;
    for (size_t i = 0; i < STUDY_KNOWN_OBJECTIVES; i++)
        if (!exact || known[i].exact)
            names[count++] = known[i].name;
    return count;
}

static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < STUDY_KNOWN_OBJECTIVES; i++)
        if (!strcmp(known[i].name, name))
            return &known[i];
    return NULL;
}

bool objective_is_known(const char *name, bool exact)
{
    const struct known *found = find_known(name);
    return found && (found->exact || !exact);
}

double objective_most(const char *name)
{
    const struct known *found = find_known(name);
    return found ? found->most : INFINITY;
}

static nr_status refuse_unknown(const struct config_entry *entry, struct log *log)
{
    const char *names[STUDY_KNOWN_OBJECTIVES];
    char hint[CONFIG_HINT_SIZE];
    size_t count = objective_names(false, names);
    config_hint(entry->key, names, count, hint);
    return config_entry_error(log, entry, "the objective is unknown%s",
                              *hint ? hint
                                    : "; there are val_accuracy, val_loss, train_loss, parameters, macs and memory, "
                                      "and any name in a study without [network]");
}

nr_status study_check_value_name(const struct study *study, const struct config_entry *entry, struct log *log)
{
    static const char *const columns[] = {"trial", "state", "cause"};
    if (!text_is_name(entry->key))
        return config_entry_error(log, entry, "is no name of a value; expected letters, digits and \"_\"");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (!strcmp(columns[i], entry->key))
            return config_entry_error(log, entry, "the name is that of a column of trials.csv; choose another one");
    if (!strcmp(entry->key, "fail")) /* `nasrun tell STUDY 3 fail=0.2` is one */
        return config_entry_error(log, entry, "the name says that a trial has failed; choose another one");
    for (size_t d = 0; d < study->space.count; d++)
        if (!strcmp(study->space.dimension[d].base, entry->key))
            return config_entry_error(log, entry, "the name is that of a parameter of [space]; choose another one");
    return NR_OK;
}

/* What is being read of one entry. */
struct objective_reader {
    struct study_reader *reader;
    const struct config_entry *entry;
    const struct known *known; /* NULL: external */
    bool has_transform;
    struct objective objective;
};

static nr_status read_threshold(struct objective_reader *reading, const char *value)
{
    const struct config_entry *entry = reading->entry;
    double least = reading->known ? 0 : -INFINITY, most = reading->known ? reading->known->most : INFINITY, threshold;
    if (!isnan(reading->objective.threshold))
        return config_entry_error(reading->reader->log, entry, "the threshold is given twice");
    if (!text_to_real(value, &threshold) || threshold < least || threshold > most)
        return config_entry_error(reading->reader->log, entry, "found \"threshold=%s\"; expected a number%s", value,
                                  !reading->known ? ""
                                  : isinf(most)   ? " not below 0"
                                                  : " from 0 to 1 (a fraction, not per cent)");
    reading->objective.threshold = threshold;
    return NR_OK;
}

static nr_status read_transform(struct objective_reader *reading, const char *value)
{
    if (reading->has_transform)
        return config_entry_error(reading->reader->log, reading->entry, "the transform is given twice");
    for (size_t i = 0; transforms[i]; i++) {
        if (strcmp(transforms[i], value) != 0)
            continue;
        reading->has_transform = true;
        reading->objective.transform = (enum objective_transform)i;
        return NR_OK;
    }
    return config_entry_error(reading->reader->log, reading->entry,
                              "found \"transform=%s\"; expected transform=auto, none or halfrank", value);
}

static nr_status check_exact(struct objective_reader *reading)
{
    const struct expression *expression = reading->objective.expression;
    const struct study *study = reading->reader->study;
    bool uses = false;
    for (size_t d = 0; d < study->space.count; d++)
        uses |= expression_uses(expression, d);
    if (uses && expression_is_number(expression))
        return NR_OK;
    return config_entry_error(reading->reader->log, reading->entry,
                              "\"%s\" %s; expected a number, as in 784*h1 + h1*h2", expression_text(expression),
                              uses ? "is a condition" : "depends on no parameter");
}

static nr_status parse_exact(struct objective_reader *reading, const char *value)
{
    const struct config_entry *entry = reading->entry;
    struct log *log = reading->reader->log;
    struct text where = {0};
    config_append_place(&where, entry->file, entry->line, entry->section, entry->key);
    nr_status status = where.failed ? log_no_memory(log, entry->key)
                                    : expression_parse(value, &reading->reader->study->space, where.data, log,
                                                       &reading->objective.expression);
    text_clear(&where);
    return status == NR_OK ? check_exact(reading) : status;
}

/* exact="784*h1 + h1*h2", or in single quotes where the expression has double ones. */
static nr_status read_exact(struct objective_reader *reading, char *value)
{
    const struct config_entry *entry = reading->entry;
    struct log *log = reading->reader->log;
    size_t length = strlen(value);
    if (reading->known)
        return config_entry_error(log, entry,
                                  "found \"exact=%s\", which is for external objectives; what a [network] costs is "
                                  "known as parameters, macs and memory",
                                  value);
    if (reading->objective.exact)
        return config_entry_error(log, entry, "the expression is given twice");
    if (length < 3 || (*value != '"' && *value != '\'') || value[length - 1] != *value)
        return config_entry_error(log, entry,
                                  "found \"exact=%s\"; expected an expression in quotes, as in "
                                  "exact=\"784*h1 + h1*h2\"",
                                  value);
    value[length - 1] = '\0';
    reading->objective.exact = true;
    return parse_exact(reading, value + 1);
}

static nr_status read_option(struct objective_reader *reading, char *option)
{
    char *equals = strchr(option, '=');
    if (equals) {
        *equals = '\0';
        if (!strcmp(option, "threshold"))
            return read_threshold(reading, equals + 1);
        if (!strcmp(option, "transform"))
            return read_transform(reading, equals + 1);
        if (!strcmp(option, "exact"))
            return read_exact(reading, equals + 1);
        *equals = '=';
    }
    return config_entry_error(reading->reader->log, reading->entry,
                              "found \"%s\"; expected threshold=NUMBER, transform=auto, none or halfrank%s, or nothing "
                              "more",
                              option, reading->known ? "" : ", exact=\"EXPRESSION\"");
}

/* Cuts the next word off *rest, which blanks end outside of quotes; NULL at the end. */
static char *take_option(char **rest)
{
    char *start = *rest + strspn(*rest, " \t"), *end = start, quote = '\0';
    if (!*start)
        return NULL;
    for (; *end && (quote || (*end != ' ' && *end != '\t')); end++)
        if (quote ? *end == quote : *end == '"' || *end == '\'')
            quote = quote ? '\0' : *end;
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return start;
}

static nr_status read_sense(struct objective_reader *reading, const char *word)
{
    struct log *log = reading->reader->log;
    bool maximize = !strcmp(word, "maximize");
    if (!maximize && strcmp(word, "minimize") != 0)
        return config_entry_error(log, reading->entry, "found \"%s\"; expected maximize or minimize", word);
    if (reading->known && !reading->known->exact && maximize != reading->known->maximize)
        return config_entry_error(log, reading->entry, "found \"%s\"; this objective can only be %s", word,
                                  reading->known->maximize ? "maximized" : "minimized");
    reading->objective.maximize = maximize;
    return NR_OK;
}

/* Trained metrics are much alike, so that what is best for them is known; of others the data must tell. */
static enum objective_transform usual_transform(const struct study *study)
{
    return study->external ? OBJECTIVE_TRANSFORM_AUTO : OBJECTIVE_TRANSFORM_HALF_RANK;
}

static nr_status read_words(struct objective_reader *reading, char *rest)
{
    char *word = take_option(&rest);
    nr_status status = read_sense(reading, word ? word : "");
    while (status == NR_OK && (word = take_option(&rest)))
        status = read_option(reading, word);
    if (status != NR_OK)
        return status;
    if (reading->objective.exact && reading->has_transform)
        return config_entry_error(reading->reader->log, reading->entry,
                                  "the transform is for what is modelled; this objective is exact");
    if (!reading->has_transform)
        reading->objective.transform =
            reading->objective.exact ? OBJECTIVE_TRANSFORM_NONE : usual_transform(reading->reader->study);
    return NR_OK;
}

static nr_status read_objective(struct study_reader *reader, const struct config_entry *entry)
{
    struct study *study = reader->study;
    struct objective_reader reading = {.reader = reader, .entry = entry, .objective.threshold = NAN};
    if (study->external) {
        nr_status status = study_check_value_name(study, entry, reader->log);
        if (status != NR_OK)
            return status;
    } else {
        reading.known = find_known(entry->key);
        if (!reading.known)
            return refuse_unknown(entry, reader->log);
        reading.objective.exact = reading.known->exact;
    }
    if (study->objectives == STUDY_MAX_OBJECTIVES)
        return config_entry_error(reader->log, entry, "this is one objective too many; at most %d are possible",
                                  STUDY_MAX_OBJECTIVES);
    reading.objective.name = mem_copy_string(entry->key);
    char *copy = mem_copy_string(entry->value);
    nr_status status =
        copy && reading.objective.name ? read_words(&reading, copy) : log_no_memory(reader->log, entry->key);
    free(copy);
    study->objective[study->objectives++] = reading.objective; /* also after an error: the study owns it then */
    return status;
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
    return status;
}

nr_status objectives_check(const struct study_reader *reader)
{
    const struct study *study = reader->study;
    bool open = false;
    for (size_t i = 0; i < study_values(study); i++)
        open |= study_value_is_told(study, i);
    if (open && study->objectives)
        return NR_OK;
    const char *example = study->external ? "loss = minimize" : "val_accuracy = maximize";
    if (!study->objectives)
        log_error(reader->log, "%s: [objectives] has no objective; expected at least one, as in \"%s\"",
                  study->config.path, example);
    else
        log_error(
            reader->log,
            "%s: [objectives] all are known without a trial, so that there is nothing to search; expected one that "
            "is not, as in \"%s\", or a bound on such a value in [constraints]",
            study->config.path, example);
    return NR_INVALID;
}

double study_exact_value(const struct study *study, size_t objective, const double *point)
{
    const struct expression *expression = study->objective[objective].expression;
    return expression ? expression_value(expression, point) : NAN;
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
        if (!objective->exact && objective->transform != usual_transform(study))
            text_format(lines, " transform=%s", transforms[objective->transform]);
        if (objective->expression) {
            text_append(lines, " exact=");
            expression_append_normal(expression_text(objective->expression), lines);
        }
        text_append(lines, "\n");
    }
}

void objectives_clear(struct study *study)
{
    for (size_t i = 0; i < study->objectives; i++) {
        free(study->objective[i].name);
        expression_destroy(study->objective[i].expression);
    }
    free(study->objective);
}
