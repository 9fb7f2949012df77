/* [constraints]: bounds on exact quantities, and expressions of the parameters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

static nr_status append(struct study_reader *reader, const struct config_entry *entry, struct constraint constraint)
{
    struct study *study = reader->study;
    constraint.name = mem_copy_string(entry->key);
    constraint.file = entry->file;
    constraint.line = entry->line;
    if (!constraint.name || mem_grow(&study->constraint, &study->constraint_capacity, study->constraints + 1,
                                     sizeof *study->constraint) != NR_OK) {
        free(constraint.name);
        expression_destroy(constraint.expression);
        return log_no_memory(reader->log, entry->key);
    }
    study->constraint[study->constraints++] = constraint;
    return NR_OK;
}

static nr_status refuse_bound(const struct study_reader *reader, const struct config_entry *entry)
{
    return config_entry_error(reader->log, entry,
                              "found \"%s\"; expected a bound such as <= 200000, or two as in "
                              ">= 1000 and <= 200000",
                              entry->value);
}

/* "<= 200000" at *rest; the quantities are whole numbers, so that "< 5" is "<= 4". */
static nr_status read_bound(struct study_reader *reader, const struct config_entry *entry, char *bound)
{
    bool most = *bound == '<', strict = bound[0] && bound[1] != '=';
    if (*bound != '<' && *bound != '>')
        return refuse_bound(reader, entry);
    double value;
    if (!text_to_real(bound + (strict ? 1 : 2), &value))
        return refuse_bound(reader, entry);
    if (most)
        value = strict ? ceil(value) - 1 : floor(value);
    else
        value = strict ? floor(value) + 1 : ceil(value);
    if (most && value < 1)
        return config_entry_error(reader->log, entry,
                                  "found \"%s\", which no network can meet; expected a bound of 1 or "
                                  "more",
                                  entry->value);
    return append(reader, entry,
                  (struct constraint){.relation = most ? RELATION_AT_MOST : RELATION_AT_LEAST, .bound = value});
}

static nr_status read_bounds(struct study_reader *reader, const struct config_entry *entry)
{
    if (!objective_is_known(entry->key, true)) {
        const char *names[STUDY_KNOWN_OBJECTIVES];
        char hint[CONFIG_HINT_SIZE];
        size_t count = objective_names(true, names);
        if (objective_is_known(entry->key, false))
            return config_entry_error(reader->log, entry,
                                      "is known after training only and cannot be a constraint; write "
                                      "threshold=NUMBER in [objectives]");
        if (space_find(&reader->study->space, entry->key) != SIZE_MAX)
            return config_entry_error(reader->log, entry,
                                      "bounds are for parameters, macs and memory; write it as an "
                                      "expression: %s_limit = %s %s",
                                      entry->key, entry->key, entry->value);
        config_hint(entry->key, names, count, hint);
        return config_entry_error(reader->log, entry, "is no quantity that is known before training%s",
                                  *hint ? hint : "; there are parameters, macs and memory");
    }
    char *copy = mem_copy_string(entry->value);
    if (!copy)
        return log_no_memory(reader->log, entry->key);
    nr_status status = NR_OK;
    for (char *bound = copy; bound && status == NR_OK;) {
        char *next = strstr(bound, " and ");
        if (next)
            *next = '\0';
        status = read_bound(reader, entry, text_trim(bound));
        bound = next ? next + strlen(" and ") : NULL;
    }
    free(copy);
    return status;
}

static nr_status read_expression(struct study_reader *reader, const struct config_entry *entry)
{
    const struct space *space = &reader->study->space;
    struct expression *expression = NULL;
    struct text where = {0};
    config_append_place(&where, entry->file, entry->line, entry->section, entry->key);
    nr_status status = where.failed ? log_no_memory(reader->log, entry->key)
                                    : expression_parse(entry->value, space, where.data, reader->log, &expression);
    text_clear(&where);
    if (status != NR_OK)
        return status;
    bool uses = false;
    for (size_t d = 0; d < space->count; d++) {
        reader->used[d] |= expression_uses(expression, d);
        uses |= expression_uses(expression, d);
    }
    if (!uses || !expression_is_condition(expression)) {
        status = config_entry_error(reader->log, entry, "\"%s\" %s; expected a condition, as in hidden2 <= hidden1",
                                    entry->value, uses ? "is a number" : "depends on no parameter");
        expression_destroy(expression);
        return status;
    }
    return append(reader, entry, (struct constraint){.relation = RELATION_EXPRESSION, .expression = expression});
}

static nr_status read_constraint(struct study_reader *reader, const struct config_entry *entry)
{
    if (*entry->value == '<' || *entry->value == '>')
        return read_bounds(reader, entry);
    if (objective_is_known(entry->key, true))
        return refuse_bound(reader, entry);
    return read_expression(reader, entry);
}

/* A lower bound above an upper one; whether any network lies between them is found out when networks are built. */
static nr_status check_bounds(const struct study_reader *reader)
{
    const struct study *study = reader->study;
    for (size_t i = 0; i < study->constraints; i++) {
        const struct constraint *most = &study->constraint[i];
        for (size_t j = 0; most->relation == RELATION_AT_MOST && j < study->constraints; j++) {
            const struct constraint *least = &study->constraint[j];
            if (least->relation != RELATION_AT_LEAST || strcmp(most->name, least->name) || least->bound <= most->bound)
                continue;
            const struct constraint *later = i > j ? most : least;
            return config_error(reader->log, later->file, later->line, "constraints", later->name,
                                "the constraints contradict each other: at least %.15g and at most %.15g", least->bound,
                                most->bound);
        }
    }
    return NR_OK;
}

nr_status constraints_read(struct study_reader *reader)
{
    const struct config *config = &reader->study->config;
    nr_status status = NR_OK;
    for (size_t i = 0; status == NR_OK && i < config->count; i++)
        if (!strcmp(config->entry[i].section, "constraints"))
            status = read_constraint(reader, &config->entry[i]);
    return status == NR_OK ? check_bounds(reader) : status;
}

bool study_allows(const struct study *study, const double *point)
{
    for (size_t i = 0; i < study->constraints; i++)
        if (study->constraint[i].relation == RELATION_EXPRESSION &&
            expression_value(study->constraint[i].expression, point) == 0)
            return false;
    return true;
}

void constraints_append_identity(const struct study *study, struct text *lines)
{
    for (size_t i = 0; i < study->constraints; i++) {
        const struct constraint *constraint = &study->constraint[i];
        text_format(lines, "constraints.%s = ", constraint->name);
        if (constraint->relation == RELATION_EXPRESSION)
            expression_append_normal(expression_text(constraint->expression), lines);
        else
            text_format(lines, "%s %.17g", constraint->relation == RELATION_AT_MOST ? "<=" : ">=", constraint->bound);
        text_append(lines, "\n");
    }
}

void constraints_clear(struct study *study)
{
    for (size_t i = 0; i < study->constraints; i++) {
        free(study->constraint[i].name);
        expression_destroy(study->constraint[i].expression);
    }
    free(study->constraint);
}
