/* [constraints]: bounds on quantities, and conditions of the parameters.
 *
 * What a bound is on decides how it is kept: what is known of a point beforehand (the network's parameters, macs and
 * memory; an exact objective of an external study) keeps points from being proposed; what only a trial shows is an
 * outcome constraint, which the optimiser models. */
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

static nr_status check_network_bound(const struct study_reader *reader, const struct config_entry *entry,
                                     const struct constraint *constraint)
{
    if (constraint->relation == RELATION_AT_MOST && constraint->bound < 1)
        return config_entry_error(reader->log, entry,
                                  "found \"%s\", which no network can meet; expected a bound of 1 or "
                                  "more",
                                  entry->value);
    return NR_OK;
}

static nr_status check_outcome_bound(const struct study_reader *reader, const struct config_entry *entry,
                                     const struct constraint *constraint)
{
    const struct study *study = reader->study;
    double most = study->external ? INFINITY : objective_most(entry->key), least = study->external ? -INFINITY : 0;
    size_t outcomes = 0;
    for (size_t i = 0; i < study->constraints; i++)
        outcomes += study->constraint[i].outcome;
    if (outcomes == STUDY_MAX_OUTCOME_CONSTRAINTS)
        return config_entry_error(reader->log, entry,
                                  "this is one bound too many on what only a trial shows; at most %d are possible",
                                  STUDY_MAX_OUTCOME_CONSTRAINTS);
    if (constraint->bound < least || constraint->bound > most)
        return config_entry_error(reader->log, entry, "found \"%s\"; expected a bound %s", entry->value,
                                  isinf(most) ? "not below 0" : "from 0 to 1 (a fraction, not per cent)");
    return NR_OK;
}

/* "<= 200000", one bound, on what `constraint` names. Costs of networks are whole numbers, so that "< 5" is "<= 4"; for
 * others it is the next smaller number. */
static nr_status read_bound(struct study_reader *reader, const struct config_entry *entry, const char *text,
                            struct constraint constraint)
{
    bool most = *text == '<', strict = text[0] && text[1] != '=';
    double value;
    if ((*text != '<' && *text != '>') || !text_to_real(text + (strict ? 1 : 2), &value))
        return refuse_bound(reader, entry);
    bool network = constraint.value == STUDY_NO_VALUE;
    if (network && most)
        value = strict ? ceil(value) - 1 : floor(value);
    else if (network)
        value = strict ? floor(value) + 1 : ceil(value);
    else if (strict)
        value = nextafter(value, most ? -INFINITY : INFINITY);
    constraint.relation = most ? RELATION_AT_MOST : RELATION_AT_LEAST;
    constraint.bound = value;
    nr_status status = network              ? check_network_bound(reader, entry, &constraint)
                       : constraint.outcome ? check_outcome_bound(reader, entry, &constraint)
                                            : NR_OK;
    return status == NR_OK ? append(reader, entry, constraint) : status;
}

static nr_status refuse_quantity(const struct study_reader *reader, const struct config_entry *entry)
{
    const char *names[STUDY_KNOWN_OBJECTIVES];
    char hint[CONFIG_HINT_SIZE];
    config_hint(entry->key, names, objective_names(false, names), hint);
    return config_entry_error(reader->log, entry, "is no quantity of a network%s",
                              *hint ? hint
                                    : "; there are parameters, macs, memory, val_accuracy, val_loss and train_loss");
}

/* A value that a trial must bring though it is no objective: entered once. */
static nr_status find_measure(struct study_reader *reader, const struct config_entry *entry, size_t *value)
{
    struct study *study = reader->study;
    for (size_t i = 0; i < study->measures; i++) {
        *value = study->objectives + i;
        if (!strcmp(study->measure[i], entry->key))
            return NR_OK;
    }
    nr_status status = study->external ? study_check_value_name(study, entry, reader->log) : NR_OK;
    if (status != NR_OK)
        return status;
    if (study->measures == STUDY_MAX_OUTCOME_CONSTRAINTS)
        return config_entry_error(reader->log, entry,
                                  "this is one bound too many on what only a trial shows; at most %d are possible",
                                  STUDY_MAX_OUTCOME_CONSTRAINTS);
    char *name = mem_copy_string(entry->key);
    if (!name)
        return log_no_memory(reader->log, entry->key);
    *value = study->objectives + study->measures;
    study->measure[study->measures++] = name;
    return NR_OK;
}

/* What the name of a bound means. */
static nr_status find_bounded(struct study_reader *reader, const struct config_entry *entry, struct constraint *out)
{
    const struct study *study = reader->study;
    *out = (struct constraint){.value = STUDY_NO_VALUE};
    if (space_find(&study->space, entry->key) != SIZE_MAX)
        return config_entry_error(reader->log, entry,
                                  "bounds are for what comes of a point; write it as an expression: %s_limit = %s %s",
                                  entry->key, entry->key, entry->value);
    if (!study->external && objective_is_known(entry->key, true))
        return NR_OK;
    for (size_t i = 0; i < study->objectives; i++) {
        if (strcmp(study->objective[i].name, entry->key) != 0)
            continue;
        out->value = i;
        out->outcome = !study->objective[i].exact;
        return NR_OK;
    }
    if (!study->external && !objective_is_known(entry->key, false))
        return refuse_quantity(reader, entry);
    out->outcome = true;
    return find_measure(reader, entry, &out->value);
}

static nr_status read_bounds(struct study_reader *reader, const struct config_entry *entry)
{
    struct constraint constraint;
    nr_status status = find_bounded(reader, entry, &constraint);
    char *copy = status == NR_OK ? mem_copy_string(entry->value) : NULL;
    if (status == NR_OK && !copy)
        return log_no_memory(reader->log, entry->key);
    for (char *bound = copy; bound && status == NR_OK;) {
        char *next = strstr(bound, " and ");
        if (next)
            *next = '\0';
        status = read_bound(reader, entry, text_trim(bound), constraint);
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
    return append(
        reader, entry,
        (struct constraint){.relation = RELATION_EXPRESSION, .expression = expression, .value = STUDY_NO_VALUE});
}

static nr_status read_constraint(struct study_reader *reader, const struct config_entry *entry)
{
    const struct study *study = reader->study;
    if (*entry->value == '<' || *entry->value == '>')
        return read_bounds(reader, entry);
    if (!study->external && objective_is_known(entry->key, false))
        return refuse_bound(reader, entry);
    for (size_t i = 0; i < study->objectives; i++)
        if (!strcmp(study->objective[i].name, entry->key))
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

bool constraint_holds(const struct constraint *constraint, double value)
{
    return constraint->relation == RELATION_AT_MOST ? value <= constraint->bound : value >= constraint->bound;
}

const struct constraint *study_broken(const struct study *study, const double *point)
{
    for (size_t i = 0; i < study->constraints; i++) {
        const struct constraint *constraint = &study->constraint[i];
        bool known = !constraint->outcome && constraint->value != STUDY_NO_VALUE;
        bool holds = constraint->relation == RELATION_EXPRESSION ? expression_value(constraint->expression, point) != 0
                     : known ? constraint_holds(constraint, study_exact_value(study, constraint->value, point))
                             : true;
        if (!holds)
            return constraint;
    }
    return NULL;
}

bool study_allows(const struct study *study, const double *point)
{
    return !study_broken(study, point);
}

bool study_feasible(const struct study *study, const double *value)
{
    for (size_t i = 0; i < study->constraints; i++)
        if (study->constraint[i].outcome && !constraint_holds(&study->constraint[i], value[study->constraint[i].value]))
            return false;
    return true;
}

/* The order of those on outcomes is part of it: values of trials are recorded by it. */
void constraints_append_identity(const struct study *study, struct text *lines)
{
    size_t outcomes = 0;
    for (size_t i = 0; i < study->constraints; i++) {
        const struct constraint *constraint = &study->constraint[i];
        if (constraint->outcome)
            text_format(lines, "outcomes.%zu = %s ", ++outcomes, constraint->name);
        else
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
    for (size_t i = 0; i < study->measures; i++)
        free(study->measure[i]);
}
