/* The conversation of `nasrun serve`, line by line: one answer to each, whatever it is, and the study unharmed by what
 * is wrong. */
#include "run/asking.h"

#include <jansson.h>

#include "run/protocol.h"

struct talk {
    char *folder;
    struct protocol protocol;
    int64_t lines;
};

static void talk_open(struct talk *talk, const char *name)
{
    *talk = (struct talk){.folder = asking_folder(name), .protocol.log = test_log()};
    talk->protocol.session = asking_open(talk->folder, talk->protocol.log);
}

static void talk_close(struct talk *talk)
{
    session_close(talk->protocol.session);
    log_destroy(talk->protocol.log);
    free(talk->folder);
}

/* The answer as text, of exactly one line; the caller frees. */
static char *say_bytes(struct talk *talk, const char *line, size_t length)
{
    struct text answer = {0};
    assert_ok(protocol_answer(&talk->protocol, ++talk->lines, line, length, &answer));
    char *text = text_take(&answer), *newline = strchr(text, '\n');
    assert_non_null(newline);
    assert_string_equal(newline, "\n");
    return text;
}

static json_t *parse(char *answer)
{
    json_error_t error;
    json_t *value = json_loads(answer, 0, &error); /* strict: also that it is UTF-8 */
    if (!value)
        print_error("%s: %s\n", answer, error.text);
    assert_true(json_is_object(value));
    free(answer);
    return value;
}

static json_t *say(struct talk *talk, const char *line)
{
    return parse(say_bytes(talk, line, strlen(line)));
}

static void say_ok(struct talk *talk, const char *line)
{
    char *answer = say_bytes(talk, line, strlen(line));
    assert_string_equal(answer, "{\"ok\":true}\n");
    free(answer);
}

/* {"error":"line N: ..."} with these words in it. */
static void expect_error(struct talk *talk, char *answer, const char *words)
{
    char place[32];
    json_t *value = parse(answer);
    const char *error = json_string_value(json_object_get(value, "error"));
    assert_non_null(error);
    assert_int_equal(json_object_size(value), 1);
    snprintf(place, sizeof place, "line %lld: ", (long long)talk->lines);
    if (!text_starts_with(error, place) || !strstr(error, words)) {
        print_error("the error is \"%s\"\nexpected \"%s%s\"\n", error, place, words);
        fail();
    }
    json_decref(value);
}

static void say_wrong(struct talk *talk, const char *line, const char *words)
{
    expect_error(talk, say_bytes(talk, line, strlen(line)), words);
}

static void a_conversation(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, "conversation");
    json_t *asked = say(&talk, "{\"ask\":2}"), *trials = json_object_get(asked, "trials");
    assert_int_equal(json_array_size(trials), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(trials, i), "trial")), i + 1);
    json_decref(asked);
    say_ok(&talk, "{\"tell\":{\"trial\":1,\"values\":{\"loss\":0.25,\"latency\":2}}}");
    say_ok(&talk, " { \"fail\" : { \"cause\" : \"nan\", \"trial\" : 2 } } \r");
    say_ok(&talk,
           "{\"tell\":{\"point\":{\"h1\":64,\"h2\":32,\"lr\":0.003,\"op\":\"relu\",\"momentum\":0.9,\"batch\":\"32\","
           "\"norm\":false},\"values\":{\"loss\":0.1,\"latency\":1e0},\"seconds\":3}}");
    json_t *answer = say(&talk, "{\"pareto\":{}}"), *front = json_object_get(answer, "pareto");
    json_t *reference = json_object_get(answer, "reference");
    assert_int_equal(json_array_size(reference), 2);
    double hypervolume = json_number_value(json_object_get(answer, "hypervolume")), expected = 0, ceiling = 0;
    for (size_t i = json_array_size(front); i-- > 0;) { /* a staircase: best loss first, so largest size first */
        const json_t *values = json_object_get(json_array_get(front, i), "values");
        double loss = json_number_value(json_object_get(values, "loss"));
        double size = json_number_value(json_object_get(values, "size"));
        double before = ceiling > 0 ? ceiling : json_number_value(json_array_get(reference, 0));
        expected += (before - loss) * (json_number_value(json_array_get(reference, 1)) - size);
        ceiling = loss;
    }
    assert_true(json_array_size(front) >= 1 && hypervolume > 0);
    assert_near(hypervolume, expected, 1e-12, 0);
    json_decref(answer);
    talk_close(&talk);
}

/* Every parameter has its type, and comes back from its text as the same double. */
static void points_have_types(void **state)
{
    (void)state;
    struct talk talk;
    int inactive = 0;
    talk_open(&talk, "types");
    const struct study *study = session_study(talk.protocol.session);
    json_t *asked = say(&talk, "{\"ask\":12}"), *trials = json_object_get(asked, "trials");
    assert_int_equal(json_array_size(trials), 12);
    for (size_t i = 0; i < 12; i++) {
        const json_t *point = json_object_get(json_array_get(trials, i), "point");
        const struct record *record = asking_record(talk.protocol.session, (int64_t)i + 1);
        bool active = !isnan(record->point[space_find(&study->space, "momentum")]);
        assert_true(json_is_integer(json_object_get(point, "h1")));
        assert_true(json_number_value(json_object_get(point, "lr")) == record->point[space_find(&study->space, "lr")]);
        assert_true(json_is_string(json_object_get(point, "op")));
        assert_true(json_is_string(json_object_get(point, "batch")));
        assert_true(json_is_boolean(json_object_get(point, "norm")));
        assert_near(json_number_value(json_object_get(point, "decay")), 5e-4, 0, 0);
        assert_int_equal(json_object_get(point, "momentum") != NULL, active);
        inactive += !active;
    }
    assert_true(inactive > 0 && inactive < 12);
    json_decref(asked);
    talk_close(&talk);
}

/* A point may be told as it was handed out. */
static void a_point_handed_out_can_be_told(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, "back");
    for (int i = 1; i <= 8; i++) {
        json_t *asked = say(&talk, "{\"ask\":1}");
        json_t *point = json_object_get(json_array_get(json_object_get(asked, "trials"), 0), "point");
        json_t *tell =
            json_pack("{s:{s:O,s:{s:f,s:f}}}", "tell", "point", point, "values", "loss", 0.5, "latency", 1.0);
        char *line = json_dumps(tell, JSON_REAL_PRECISION(17));
        say_ok(&talk, line);
        assert_string_equal(asking_record(talk.protocol.session, 2 * i)->point_text,
                            asking_record(talk.protocol.session, 2 * i - 1)->point_text);
        free(line);
        json_decref(tell);
        json_decref(asked);
    }
    talk_close(&talk);
}

static void an_empty_front(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, "empty");
    char *answer = say_bytes(&talk, "{\"pareto\":{}}", 13);
    assert_string_equal(answer, "{\"pareto\":[],\"hypervolume\":0,\"reference\":[]}\n");
    free(answer);
    talk_close(&talk);
}

#define POINT "\"h1\":64,\"h2\":32,\"lr\":0.003,\"batch\":\"32\",\"norm\":true"
#define VALUES "\"values\":{\"loss\":0.1,\"latency\":1}"

static const struct {
    const char *line, *words;
} wrong[] = {
    {"", "no JSON"},
    {"   ", "no JSON"},
    {"ask", "no JSON"},
    {"{\"ask\":1", "no JSON"},
    {"{\"ask\":1}}", "no JSON"},
    {"{\"ask\":1} {\"ask\":1}", "no JSON"},
    {"[1]", "found a list; expected an object"},
    {"3", "no JSON"},
    {"null", "no JSON"},
    {"{}", "found an object of 0 members; expected one of ask, tell, fail and pareto"},
    {"{\"ask\":1,\"pareto\":{}}", "found an object of 2 members"},
    {"{\"ask\":1,\"ask\":2}", "no JSON: duplicate object key"},
    {"{\"asks\":1}", "found \"asks\"; expected ask, tell, fail or pareto"},
    {"{\"ask\":0}", "0 trials were asked for; expected 1 to 1000"},
    {"{\"ask\":-1}", "-1 trials were asked for"},
    {"{\"ask\":1e9}", "1000000000 trials were asked for"},
    {"{\"ask\":1.5}", "ask is 1.5; expected a whole number"},
    {"{\"ask\":123456789012345678901234567890}", "ask is 1.23457e+29; expected a whole number"},
    {"{\"ask\":1e999}", "no JSON"},
    {"{\"ask\":\"1\"}", "ask is a string; expected a whole number"},
    {"{\"ask\":null}", "ask is null"},
    {"{\"ask\":true}", "ask is true"},
    {"{\"ask\":NaN}", "no JSON"},
    {"{\"tell\":1}", "tell is a number; expected an object"},
    {"{\"tell\":{}}", "neither a trial nor a point"},
    {"{\"tell\":{\"trial\":1,\"point\":{}," VALUES "}}", "both a trial and a point"},
    {"{\"tell\":{\"trial\":1}}", "values is nothing; expected an object such as {\"loss\":0.5}"},
    {"{\"tell\":{\"trial\":1,\"values\":{}}}", "loss is missing; expected loss and latency"},
    {"{\"tell\":{\"trial\":1,\"values\":[0.1]}}", "values is a list"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"loss\":0.1}}}", "latency is missing"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"loss\":\"0.1\",\"latency\":1}}}", "loss is a string; expected a number"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"loss\":null,\"latency\":1}}}", "loss is null"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"loss\":NaN,\"latency\":1}}}", "no JSON"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"loss\":Infinity,\"latency\":1}}}", "no JSON"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"loss\":1e400,\"latency\":1}}}", "no JSON"},
    {"{\"tell\":{\"trial\":1,\"values\":{\"lose\":1,\"latency\":1}}}", "\"lose\" is no value of this study"},
    {"{\"tell\":{\"trial\":1,\"value\":{\"loss\":1}}}",
     "tell has a member \"value\"; expected trial, point, values, seconds"},
    {"{\"tell\":{\"trial\":1,\"seconds\":-2," VALUES "}}", "seconds is below 0"},
    {"{\"tell\":{\"trial\":1,\"seconds\":\"2\"," VALUES "}}", "seconds is a string"},
    {"{\"tell\":{\"trial\":99," VALUES "}}", "there is no trial 99; expected 1 to 2"},
    {"{\"tell\":{\"trial\":1.5," VALUES "}}", "trial is 1.5; expected a whole number"},
    {"{\"tell\":{\"trial\":\"1\"," VALUES "}}", "trial is a string"},
    {"{\"tell\":{\"trial\":2," VALUES "}}", "trial 2 has ended already: it is done"},
    {"{\"fail\":{\"trial\":2}}", "trial 2 has ended already: it is done"},
    {"{\"fail\":{}}", "trial is nothing; expected a whole number"},
    {"{\"fail\":{\"trial\":1,\"cause\":7}}", "cause is a number; expected a string"},
    {"{\"fail\":{\"trial\":1,\"why\":\"x\"}}", "fail has a member \"why\"; expected trial, cause"},
    {"{\"fail\":[1]}", "fail is a list; expected an object"},
    {"{\"pareto\":[]}", "pareto is a list; expected an object"},
    {"{\"pareto\":{\"x\":1}}", "pareto has a member \"x\""},
    {"{\"tell\":{\"point\":[1]," VALUES "}}", "point is a list; expected an object of parameters"},
    {"{\"tell\":{\"point\":{}," VALUES "}}", "the point lacks h1"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":\"skip\",\"h3\":1}," VALUES "}}", "\"h3\" is no parameter of the space"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":\"walk\"}," VALUES "}}", "op is \"walk\"; expected one of"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":1}," VALUES "}}", "op is \"1\"; expected one of"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":null}," VALUES "}}", "op is null; expected one of"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":true}," VALUES "}}", "op is true; expected one of"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":\"relu\"}," VALUES "}}", "the point lacks momentum"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":\"skip\",\"momentum\":0.5}," VALUES "}}", "momentum, which is inactive"},
    {"{\"tell\":{\"point\":{\"h1\":7,\"h2\":7,\"lr\":0.01,\"batch\":\"16\",\"norm\":true,\"op\":\"skip\"}," VALUES "}}",
     "h1 is \"7\"; expected one of"},
    {"{\"tell\":{\"point\":{\"h1\":64.5,\"h2\":8,\"lr\":0.01,\"batch\":\"16\",\"norm\":true,\"op\":\"skip\"}," VALUES
     "}}",
     "h1 is \"64.5\"; expected one of"},
    {"{\"tell\":{\"point\":{\"h1\":32,\"h2\":64,\"lr\":0.01,\"batch\":\"16\",\"norm\":true,\"op\":\"skip\"}," VALUES
     "}}",
     "narrowing"},
    {"{\"tell\":{\"point\":{" POINT ",\"op\":\"skip\"},\"values\":{\"loss\":0.1,\"latency\":1,\"size\":3}}}",
     "size is 52544, but 3 was told"},
};

static void what_is_wrong_is_answered(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, "wrong");
    json_decref(say(&talk, "{\"ask\":2}"));
    say_ok(&talk, "{\"tell\":{\"trial\":2," VALUES "}}");
    char *study = file_join(talk.folder, "study"), *before = asking_dump(study);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        say_wrong(&talk, wrong[i].line, wrong[i].words);
    char *after = asking_dump(study);
    assert_string_equal(after, before);
    say_ok(&talk, "{\"tell\":{\"trial\":1," VALUES "}}");
    free(after);
    free(before);
    free(study);
    talk_close(&talk);
}

static void bytes_of_any_kind_are_answered(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, "bytes");
    expect_error(&talk, say_bytes(&talk, "{\"\xff\xfe\":1}", 9), "no JSON");
    expect_error(&talk, say_bytes(&talk, "{\"as\0k\":1}", 10), "no JSON");
    expect_error(&talk, say_bytes(&talk, "\0", 1), "no JSON");
    expect_error(&talk, say_bytes(&talk, "{\"a\\u0000\":1}", 12), "no JSON");
    say_wrong(&talk, "{\"\\u001b[31m\\\"\\\\\\n\":1}", "expected ask, tell, fail or pareto");
    size_t deep = 100000;
    char *nested = malloc(2 * deep);
    memset(nested, '[', deep);
    memset(nested + deep, ']', deep);
    expect_error(&talk, say_bytes(&talk, nested, 2 * deep), "no JSON");
    free(nested);
    size_t longest = PROTOCOL_LONGEST_LINE;
    char *line = malloc(longest + 1);
    memset(line, ' ', longest + 1);
    memcpy(line, "{\"ask\":1}", 9);
    json_t *answer = parse(say_bytes(&talk, line, longest));
    assert_non_null(json_object_get(answer, "trials"));
    json_decref(answer);
    expect_error(&talk, say_bytes(&talk, line, longest + 1), "longer than 1048576 bytes");
    free(line);
    talk_close(&talk);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_conversation),
    cmocka_unit_test(points_have_types),
    cmocka_unit_test(a_point_handed_out_can_be_told),
    cmocka_unit_test(an_empty_front),
    cmocka_unit_test(what_is_wrong_is_answered),
    cmocka_unit_test(bytes_of_any_kind_are_answered),
};
TEST_MAIN(cases)
