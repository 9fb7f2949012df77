#include "run/protocol.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/json_text.h"
#include "run/protocol_read.h"

static void append_trial(const struct record *record, const struct study *study, bool values, struct text *answer)
{
    text_format(answer, "{\"trial\":%" PRId64 ",\"point\":", record->trial);
    json_text_point(answer, &study->space, record->point);
    if (values) {
        text_append(answer, ",\"values\":");
        json_text_values(answer, study, record->value);
    }
    text_append(answer, "}");
}

static nr_status answer_ask(const struct protocol *protocol, const json_t *asked, struct text *answer)
{
    const struct results *results;
    int64_t count, first, given;
    nr_status status = protocol_read_whole(asked, "ask", protocol->log, &count);
    if (status == NR_OK)
        status = session_ask(protocol->session, count, &first, &given);
    if (status == NR_OK)
        status = session_results(protocol->session, &results);
    if (status != NR_OK)
        return status;
    text_append(answer, "{\"trials\":[");
    for (int64_t i = 0; i < given; i++) {
        text_append(answer, i ? "," : "");
        append_trial(&results->record[first - 1 + i], results->study, false, answer);
    }
    text_append(answer, "]}");
    return NR_OK;
}

static nr_status tell_point(const struct protocol *protocol, const json_t *given, const struct told *told)
{
    const struct study *study = session_study(protocol->session);
    int64_t trial;
    double *point = mem_array(study->space.count, sizeof *point);
    if (!point)
        return log_no_memory(protocol->log, "reading a point");
    nr_status status = protocol_read_point(given, &study->space, protocol->log, point);
    if (status == NR_OK)
        status = session_tell_point(protocol->session, point, told, &trial);
    free(point);
    return status;
}

static nr_status answer_tell(const struct protocol *protocol, const json_t *message, struct text *answer)
{
    static const char *const members[] = {"trial", "point", "values", "seconds", NULL};
    const json_t *number = json_object_get(message, "trial"), *point = json_object_get(message, "point");
    struct told told;
    int64_t trial;
    nr_status status = protocol_expect_members(message, "tell", members, protocol->log);
    if (status == NR_OK && !number == !point) {
        log_error(protocol->log, "tell has %s; expected one of trial and point",
                  point ? "both a trial and a point" : "neither a trial nor a point");
        status = NR_INVALID;
    }
    if (status == NR_OK)
        status = protocol_read_told(message, session_study(protocol->session), protocol->log, &told);
    if (status == NR_OK && point)
        status = tell_point(protocol, point, &told);
    else if (status == NR_OK)
        status = protocol_read_whole(number, "trial", protocol->log, &trial);
    if (status == NR_OK && number)
        status = session_tell(protocol->session, trial, &told);
    if (status == NR_OK)
        text_append(answer, "{\"ok\":true}");
    return status;
}

static nr_status answer_fail(const struct protocol *protocol, const json_t *message, struct text *answer)
{
    static const char *const members[] = {"trial", "cause", NULL};
    const char *cause = "";
    int64_t trial;
    nr_status status = protocol_expect_members(message, "fail", members, protocol->log);
    if (status == NR_OK)
        status = protocol_read_whole(json_object_get(message, "trial"), "trial", protocol->log, &trial);
    if (status == NR_OK && json_object_get(message, "cause"))
        status = protocol_read_string(json_object_get(message, "cause"), "cause", protocol->log, &cause);
    if (status == NR_OK)
        status = session_fail(protocol->session, trial, cause);
    if (status == NR_OK)
        text_append(answer, "{\"ok\":true}");
    return status;
}

/* The hypervolume is the plain one, in the objectives' units, so that whoever has front and reference can check it. */
static nr_status answer_pareto(const struct protocol *protocol, const json_t *message, struct text *answer)
{
    static const char *const members[] = {NULL};
    const struct results *results;
    const struct front *front;
    nr_status status = protocol_expect_members(message, "pareto", members, protocol->log);
    if (status == NR_OK)
        status = session_front(protocol->session, &front);
    if (status == NR_OK)
        status = session_results(protocol->session, &results);
    if (status != NR_OK)
        return status;
    text_append(answer, "{\"pareto\":[");
    for (size_t i = 0; i < front->members; i++) {
        text_append(answer, i ? "," : "");
        append_trial(&results->record[front->member[i]], results->study, true, answer);
    }
    text_append(answer, "],\"hypervolume\":");
    json_text_real(answer, front->members ? front->volume : 0);
    text_append(answer, ",\"reference\":[");
    for (size_t i = 0; front->members && i < results->study->objectives; i++) {
        text_append(answer, i ? "," : "");
        json_text_real(answer, front->reference[i]);
    }
    text_append(answer, "]}");
    return NR_OK;
}

typedef nr_status answer_request(const struct protocol *protocol, const json_t *message, struct text *answer);

static nr_status answer_message(const struct protocol *protocol, const json_t *message, struct text *answer)
{
    static const struct {
        const char *name;
        answer_request *answer;
    } requests[] = {{"ask", answer_ask}, {"tell", answer_tell}, {"fail", answer_fail}, {"pareto", answer_pareto}};
    const char *found = NULL, *key;
    json_t *member;
    json_object_foreach((json_t *)message, key, member)
    {
        for (size_t i = 0; i < sizeof requests / sizeof *requests && json_object_size(message) == 1; i++)
            if (!strcmp(requests[i].name, key))
                return requests[i].answer(protocol, member, answer);
        found = key;
    }
    if (!found || json_object_size(message) > 1)
        log_error(protocol->log, "found an object of %zu members; expected one of ask, tell, fail and pareto",
                  json_object_size(message));
    else
        log_error(protocol->log, "found \"%s\"; expected ask, tell, fail or pareto", found);
    return NR_INVALID;
}

/* Reals throughout: a value such as 1e30 may be written as a whole number, too. */
static nr_status answer_line(const struct protocol *protocol, const char *line, size_t length, struct text *answer)
{
    json_error_t error;
    if (length > PROTOCOL_LONGEST_LINE) {
        log_error(protocol->log, "the line is longer than %d bytes", PROTOCOL_LONGEST_LINE);
        return NR_INVALID;
    }
    json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (!message) {
        log_error(protocol->log, "no JSON: %s (column %d); expected an object such as {\"ask\":1}", error.text,
                  error.column);
        return NR_INVALID;
    }
    nr_status status = NR_INVALID;
    if (json_is_object(message)) {
        status = answer_message(protocol, message, answer);
    } else {
        log_error(protocol->log, "found %s; expected an object such as {\"ask\":1}", protocol_kind(message));
    }
    json_decref(message);
    return status;
}

/* What the log has kept, in one line. */
static void append_error(const struct protocol *protocol, int64_t number, nr_status status, struct text *answer)
{
    struct text words = {0};
    const char *kept = log_text(protocol->log);
    size_t length = strlen(kept);
    while (length > 0 && kept[length - 1] == '\n')
        length--;
    text_format(&words, "line %" PRId64 ": ", number);
    for (size_t i = 0; i < length; i++)
        text_append_bytes(&words, kept[i] == '\n' ? ";" : &kept[i], 1);
    if (!length)
        text_append(&words, status_text(status));
    text_append(answer, "{\"error\":");
    json_text_string(answer, words.data ? words.data : status_text(NR_NO_MEMORY));
    text_append(answer, "}");
    text_clear(&words);
}

nr_status protocol_answer(const struct protocol *protocol, int64_t number, const char *line, size_t length,
                          struct text *answer)
{
    struct text words = {0};
    log_clear_text(protocol->log);
    nr_status status = answer_line(protocol, line, length, &words);
    if (status == NR_OK && words.failed)
        status = log_no_memory(protocol->log, "writing an answer");
    if (status == NR_OK)
        text_append(answer, words.data);
    else
        append_error(protocol, number, status, answer);
    text_append(answer, "\n");
    text_clear(&words);
    return answer->failed ? NR_NO_MEMORY : NR_OK;
}
