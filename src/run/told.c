#include "run/told.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

/* Relative: a value that went through a file with 7 digits still agrees with the exact one. */
static const double agreement = 1e-6;

void told_init(struct told *told)
{
    for (size_t i = 0; i < STUDY_MAX_VALUES; i++)
        told->value[i] = NAN;
    told->seconds = NAN;
}

/* "loss and latency" */
static void append_expected(const struct study *study, struct text *text)
{
    size_t count = study_values(study), told = 0, seen = 0;
    for (size_t i = 0; i < count; i++)
        told += study_value_is_told(study, i);
    for (size_t i = 0; i < count; i++) {
        if (!study_value_is_told(study, i))
            continue;
        text_format(text, "%s%s", seen == 0 ? "" : seen + 1 == told ? " and " : ", ", study_value_name(study, i));
        seen++;
    }
}

static nr_status refuse_unknown(const struct study *study, const char *name, struct log *log)
{
    struct text expected = {0};
    append_expected(study, &expected);
    log_error(log, "\"%s\" is no value of this study; expected %s", name, expected.data ? expected.data : "");
    text_clear(&expected);
    return NR_INVALID;
}

static nr_status set_once(double *place, const char *name, double value, struct log *log)
{
    if (isnan(*place)) {
        *place = value;
        return NR_OK;
    }
    log_error(log, "%s is told twice", name);
    return NR_INVALID;
}

nr_status told_set(struct told *told, const struct study *study, const char *name, double value, struct log *log)
{
    size_t count = study_values(study), i = 0;
    while (i < count && strcmp(study_value_name(study, i), name) != 0)
        i++;
    bool seconds = i == count && !strcmp(name, "seconds");
    if (i == count && !seconds)
        return refuse_unknown(study, name, log);
    if (!isfinite(value)) {
        log_error(log, "%s is %g; expected a finite number (a trial that has none has failed)", name, value);
        return NR_INVALID;
    }
    if (seconds && value < 0) {
        log_error(log, "seconds is %g; expected 0 or more", value);
        return NR_INVALID;
    }
    if (!seconds && !study->external && !strcmp(name, "val_accuracy") && (value < 0 || value > 1)) {
        log_error(log, "val_accuracy is %g; expected a fraction from 0 to 1, not per cent", value);
        return NR_INVALID;
    }
    return set_once(seconds ? &told->seconds : &told->value[i], name, value, log);
}

nr_status told_complete(struct told *told, const struct study *study, const double *exact, struct log *log)
{
    struct text expected = {0};
    for (size_t i = 0; i < study_values(study); i++) {
        const char *name = study_value_name(study, i);
        if (study_value_is_told(study, i) && isnan(told->value[i])) {
            append_expected(study, &expected);
            log_error(log, "%s is missing; expected %s", name, expected.data ? expected.data : "");
            text_clear(&expected);
            return NR_INVALID;
        }
        if (study_value_is_told(study, i))
            continue;
        if (!isnan(told->value[i]) && !(fabs(told->value[i] - exact[i]) <= agreement * fabs(exact[i]))) {
            log_error(log, "%s is %.9g, but %.9g was told; it follows from the point and need not be told", name,
                      exact[i], told->value[i]);
            return NR_INVALID;
        }
        told->value[i] = exact[i];
    }
    return NR_OK;
}
