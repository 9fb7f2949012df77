/* libnasrun: the public interface over run/session.h. */
#include "nasrun.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/session.h"

struct nasrun_study {
    struct log *log; /* keeps the text of errors */
    struct session *session;
    struct text error, returned; /* what nasrun_error() and nasrun_text() hand out */
    int64_t *member;             /* what nasrun_pareto() does */
    size_t capacity;
};

static enum nasrun_status status_of(nr_status status)
{
    switch (status) {
    case NR_OK:
        return NASRUN_OK;
    case NR_NOT_FOUND:
        return NASRUN_NOT_FOUND;
    case NR_NO_MEMORY:
        return NASRUN_NO_MEMORY;
    case NR_IO:
    case NR_STORE:
    case NR_DEVICE:
        return NASRUN_FAILED;
    default:
        return NASRUN_INVALID;
    }
}

/* The end of every call that can fail: what the log has kept becomes the text of the error. */
static enum nasrun_status finish(nasrun_study *study, nr_status status)
{
    if (status != NR_OK) {
        const char *kept = log_text(study->log);
        size_t length = strlen(kept);
        while (length > 0 && kept[length - 1] == '\n')
            length--;
        text_clear(&study->error);
        text_append_bytes(&study->error, length ? kept : status_text(status),
                          length ? length : strlen(status_text(status)));
    }
    log_clear_text(study->log);
    return status_of(status);
}

const char *nasrun_version(void)
{
    return NASRUN_VERSION;
}

static void put_error(const char *words, char *error, size_t size)
{
    size_t length = strcspn(words, "\n");
    if (!error || !size)
        return;
    if (length >= size)
        length = size - 1;
    memcpy(error, words, length);
    error[length] = '\0';
}

nasrun_study *nasrun_open(const char *name, const char *folder, char *error, size_t size)
{
    struct nasrun_study *study = mem_array(1, sizeof *study);
    if (!study || log_create(NULL, LOG_ERROR, &study->log) != NR_OK) {
        put_error(status_text(NR_NO_MEMORY), error, size);
        free(study);
        return NULL;
    }
    log_keep_text(study->log);
    const struct session_options options = {
        .study = name ? name : "", .folder = folder, .asker = "libnasrun", .log = study->log};
    if (session_open(&options, &study->session) != NR_OK) {
        put_error(log_text(study->log), error, size);
        nasrun_close(study);
        return NULL;
    }
    put_error("", error, size);
    return study;
}

void nasrun_close(nasrun_study *study)
{
    if (!study)
        return;
    session_close(study->session);
    log_destroy(study->log);
    text_clear(&study->error);
    text_clear(&study->returned);
    free(study->member);
    free(study);
}

const char *nasrun_error(const nasrun_study *study)
{
    return study->error.data ? study->error.data : "";
}

size_t nasrun_parameters(const nasrun_study *study)
{
    return session_study(study->session)->space.count;
}

const char *nasrun_parameter_name(const nasrun_study *study, size_t parameter)
{
    const struct space *space = &session_study(study->session)->space;
    return parameter < space->count ? space->dimension[parameter].name : NULL;
}

size_t nasrun_values(const nasrun_study *study)
{
    return study_values(session_study(study->session));
}

const char *nasrun_value_name(const nasrun_study *study, size_t value)
{
    return value < nasrun_values(study) ? study_value_name(session_study(study->session), value) : NULL;
}

size_t nasrun_objectives(const nasrun_study *study)
{
    return session_study(study->session)->objectives;
}

enum nasrun_status nasrun_ask(nasrun_study *study, size_t count, int64_t *trials, size_t *given)
{
    int64_t first, found, wanted = count > INT64_MAX ? INT64_MAX : (int64_t)count;
    nr_status status = session_ask(study->session, wanted, &first, &found);
    if (status == NR_OK) {
        for (int64_t i = 0; i < found; i++)
            trials[i] = first + i;
        *given = (size_t)found;
    }
    return finish(study, status);
}

static nr_status find_record(nasrun_study *study, int64_t trial, const struct record **out)
{
    const struct results *results;
    nr_status status = session_results(study->session, &results);
    if (status != NR_OK)
        return status;
    if (trial < 1 || trial > (int64_t)results->count) {
        log_error(study->log, "there is no trial %lld; there are %zu", (long long)trial, results->count);
        return NR_NOT_FOUND;
    }
    *out = &results->record[trial - 1];
    return NR_OK;
}

static nr_status find_parameter(nasrun_study *study, int64_t trial, const char *name,
                                const struct dimension **dimension, double *value)
{
    const struct space *space = &session_study(study->session)->space;
    const struct record *record;
    char hint[SPACE_HINT_SIZE];
    size_t d = space_find(space, name);
    if (d == SIZE_MAX) {
        log_error(study->log, "\"%s\" is no parameter of the space%s", name, space_hint(space, name, hint));
        return NR_NOT_FOUND;
    }
    nr_status status = find_record(study, trial, &record);
    if (status != NR_OK)
        return status;
    *dimension = &space->dimension[d];
    *value = record->point[d];
    return NR_OK;
}

enum nasrun_status nasrun_number(nasrun_study *study, int64_t trial, const char *parameter, double *out)
{
    const struct dimension *dimension;
    double value;
    nr_status status = find_parameter(study, trial, parameter, &dimension, &value);
    if (status == NR_OK)
        *out = dimension->kind == DIM_BOOL ? value : dimension_number(dimension, value);
    return finish(study, status);
}

enum nasrun_status nasrun_text(nasrun_study *study, int64_t trial, const char *parameter, const char **out)
{
    const struct dimension *dimension;
    double value;
    nr_status status = find_parameter(study, trial, parameter, &dimension, &value);
    if (status != NR_OK)
        return finish(study, status);
    text_clear(&study->returned);
    text_append(&study->returned, "");
    dimension_append_value(dimension, value, &study->returned);
    if (study->returned.failed)
        return finish(study, log_no_memory(study->log, "reading a parameter"));
    *out = study->returned.data;
    return finish(study, NR_OK);
}

enum nasrun_status nasrun_point(nasrun_study *study, int64_t trial, const char **out)
{
    const struct record *record;
    nr_status status = find_record(study, trial, &record);
    if (status == NR_OK)
        *out = record->point_text;
    return finish(study, status);
}

static nr_status take_values(nasrun_study *study, const struct nasrun_value *values, size_t count, double seconds,
                             struct told *told)
{
    const struct study *described = session_study(study->session);
    nr_status status = NR_OK;
    told_init(told);
    for (size_t i = 0; i < count && status == NR_OK; i++)
        status = told_set(told, described, values[i].name, values[i].value, study->log);
    if (status != NR_OK || isnan(seconds))
        return status;
    if (!(seconds >= 0) || isinf(seconds)) {
        log_error(study->log, "seconds is %g; expected 0 or more", seconds);
        return NR_INVALID;
    }
    told->seconds = seconds;
    return NR_OK;
}

enum nasrun_status nasrun_tell(nasrun_study *study, int64_t trial, const struct nasrun_value *values, size_t count,
                               double seconds)
{
    struct told told;
    nr_status status = take_values(study, values, count, seconds, &told);
    if (status == NR_OK)
        status = session_tell(study->session, trial, &told);
    return finish(study, status);
}

enum nasrun_status nasrun_tell_point(nasrun_study *study, const char *text, const struct nasrun_value *values,
                                     size_t count, double seconds, int64_t *trial)
{
    const struct space *space = &session_study(study->session)->space;
    struct told told;
    int64_t number;
    double *point = mem_array(space->count, sizeof *point);
    nr_status status =
        point ? point_parse(space, text, study->log, point) : log_no_memory(study->log, "reading a point");
    if (status == NR_OK)
        status = take_values(study, values, count, seconds, &told);
    if (status == NR_OK)
        status = session_tell_point(study->session, point, &told, &number);
    free(point);
    if (status == NR_OK && trial)
        *trial = number;
    return finish(study, status);
}

enum nasrun_status nasrun_fail(nasrun_study *study, int64_t trial, const char *cause)
{
    return finish(study, session_fail(study->session, trial, cause ? cause : ""));
}

enum nasrun_status nasrun_trials(nasrun_study *study, int64_t *out)
{
    const struct results *results;
    nr_status status = session_results(study->session, &results);
    if (status == NR_OK)
        *out = (int64_t)results->count;
    return finish(study, status);
}

enum nasrun_status nasrun_trial_state(nasrun_study *study, int64_t trial, enum nasrun_state *out)
{
    const struct record *record;
    nr_status status = find_record(study, trial, &record);
    if (status == NR_OK)
        *out = record->status == TRIAL_DONE                                        ? NASRUN_DONE
               : record->status == TRIAL_FAILED || record->status == TRIAL_STOPPED ? NASRUN_FAILED_TRIAL
                                                                                   : NASRUN_RUNNING;
    return finish(study, status);
}

enum nasrun_status nasrun_trial_value(nasrun_study *study, int64_t trial, const char *value, double *out)
{
    const struct study *described = session_study(study->session);
    const struct record *record;
    size_t i = 0, count = study_values(described);
    while (i < count && strcmp(study_value_name(described, i), value) != 0)
        i++;
    if (i == count) {
        log_error(study->log, "\"%s\" is no value of this study", value);
        return finish(study, NR_NOT_FOUND);
    }
    nr_status status = find_record(study, trial, &record);
    if (status == NR_OK)
        *out = record->value[i];
    return finish(study, status);
}

enum nasrun_status nasrun_pareto(nasrun_study *study, struct nasrun_front *out)
{
    const struct front *front;
    nr_status status = session_front(study->session, &front);
    if (status == NR_OK &&
        mem_grow(&study->member, &study->capacity, front->members + 1, sizeof *study->member) != NR_OK)
        status = log_no_memory(study->log, "reading the front");
    if (status != NR_OK)
        return finish(study, status);
    for (size_t i = 0; i < front->members; i++)
        study->member[i] = (int64_t)front->member[i] + 1; /* trials are recorded in order, from 1 */
    *out = (struct nasrun_front){.trial = study->member,
                                 .count = front->members,
                                 .hypervolume = front->members ? front->volume : 0,
                                 .reference = front->members ? front->reference : NULL};
    return finish(study, NR_OK);
}

enum nasrun_status nasrun_flush(nasrun_study *study)
{
    return finish(study, session_settle(study->session, true));
}
