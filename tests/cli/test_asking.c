/* nasrun ask, tell and serve as programs: mixed on one study, killed at any moment, several at once, and wrong input.
 */
#include "run/asking.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"

/* `nasrun ARGUMENTS` in the folder. */
static int command(const char *folder, const char *arguments, char **output, char **errors)
{
    struct text line = {0};
    text_format(&line, "cd '%s' && '%s' %s", folder, test_program(), arguments);
    int status = test_run(line.data, output, errors);
    text_clear(&line);
    return status;
}

static void expect_ok(const char *folder, const char *arguments)
{
    char *output, *errors;
    int status = command(folder, arguments, &output, &errors);
    if (status != 0)
        print_error("nasrun %s\n%s", arguments, errors);
    assert_int_equal(status, 0);
    free(errors);
    free(output);
}

/* Status 2, these words on standard error, and not a byte of the record changed. */
static void expect_refused(const char *folder, const char *arguments, const char *words)
{
    char *output, *errors, *study = file_join(folder, "study"), *before = asking_dump(study);
    assert_int_equal(command(folder, arguments, &output, &errors), 2);
    if (!strstr(errors, words))
        print_error("nasrun %s\n%sexpected \"%s\"\n", arguments, errors, words);
    assert_non_null(strstr(errors, words));
    assert_string_equal(output, "");
    char *after = asking_dump(study);
    assert_string_equal(after, before);
    free(after);
    free(before);
    free(study);
    free(errors);
    free(output);
}

struct server {
    pid_t process;
    FILE *in, *out;
};

static struct server server_start(const char *folder)
{
    int to[2], from[2];
    struct server server;
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    server.process = fork();
    assert_true(server.process >= 0);
    if (server.process == 0) {
        if (chdir(folder) != 0 || dup2(to[0], 0) < 0 || dup2(from[1], 1) < 0)
            _exit(126);
        for (int i = 0; i < 2; i++) {
            close(to[i]);
            close(from[i]);
        }
        execl(test_program(), test_program(), "serve", "asked.ini", "--out", "study", (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    server.in = fdopen(to[1], "w");
    server.out = fdopen(from[0], "r");
    return server;
}

static void server_send(struct server *server, const char *line)
{
    fprintf(server->in, "%s\n", line);
    fflush(server->in);
}

/* The answer, with its newline; NULL when the server has gone. The caller frees. */
static char *server_receive(struct server *server)
{
    char *line = NULL;
    size_t size = 0;
    if (getline(&line, &size, server->out) > 0)
        return line;
    free(line);
    return NULL;
}

static void server_expect(struct server *server, const char *line, const char *answer)
{
    server_send(server, line);
    char *got = server_receive(server);
    assert_non_null(got);
    if (!strstr(got, answer))
        print_error("%s answered %s", line, got);
    assert_non_null(strstr(got, answer));
    free(got);
}

static int server_wait(struct server *server)
{
    int status;
    assert_int_equal(waitpid(server->process, &status, 0), server->process);
    fclose(server->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* End of input ends it with 0; what it had left to say is nothing. */
static void server_end(struct server *server)
{
    fclose(server->in);
    assert_null(server_receive(server));
    assert_int_equal(server_wait(server), 0);
}

static void a_shell_drives_a_study(void **state)
{
    (void)state;
    char *folder = asking_folder("shell"), *output, *errors;
    assert_int_equal(command(folder, "ask asked.ini 2 --out study", &output, &errors), 0);
    assert_true(text_starts_with(output, "1 h1=") && strstr(output, "\n2 h1="));
    assert_string_equal(errors, "");
    free(output);
    free(errors);
    expect_ok(folder, "tell study 1 loss=0.25 latency=2 seconds=1.5");
    expect_ok(folder, "tell study 2 'fail=out of memory'");
    expect_ok(folder,
              "tell study point h1=64 h2=32 lr=0.003 op=relu momentum=0.9 batch=32 norm=yes loss=0.125 latency=1");
    assert_int_equal(command(folder, "trials study --csv", &output, &errors), 0);
    assert_true(text_starts_with(output, "trial,state,cause,loss,size,latency,h1,h2,lr,op,momentum,batch,norm,decay\n"
                                         "1,done,,0.25,"));
    assert_non_null(strstr(output, "\n2,failed,out of memory,"));
    assert_non_null(strstr(output, "\n3,done,,0.125,52544,1,64,32,0.003,relu,0.9,32,yes,0.0005\n"));
    char *path = file_join(folder, "study/trials.csv"), *written;
    assert_ok(file_read(path, NULL, &written, NULL));
    assert_string_equal(written, output); /* the file is up to date when the command has ended */
    free(written);
    free(path);
    free(output);
    free(errors);
    assert_int_equal(command(folder, "ask study 1 --json", &output, &errors), 0);
    assert_non_null(strstr(output, "\"trial\": 4, \"state\": \"running\""));
    free(output);
    free(errors);
    expect_ok(folder, "status study");
    expect_ok(folder, "pareto study");
    expect_ok(folder, "show study 3");
    free(folder);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"tell study 9 loss=1 latency=1", "there is no trial 9; expected 1 to 3"},
        {"tell study 0 loss=1 latency=1", "\"0\" is no trial"},
        {"tell study first loss=1 latency=1", "\"first\" is no trial; expected its number, or the word point"},
        {"tell study 1 loss=1", "latency is missing; expected loss and latency"},
        {"tell study 1 loss=nan latency=1", "loss is \"nan\"; expected a number"},
        {"tell study 1 loss=inf latency=1", "loss is \"inf\"; expected a number"},
        {"tell study 1 loss=1e999 latency=1", "loss is \"1e999\"; expected a number"},
        {"tell study 1 loss=low latency=1", "loss is \"low\"; expected a number"},
        {"tell study 1 loss= latency=1", "loss is \"\"; expected a number"},
        {"tell study 1 loss=1 loss=1 latency=1", "loss is told twice"},
        {"tell study 1 0.5", "\"0.5\" is no assignment; expected NAME=VALUE"},
        {"tell study 1 =1 latency=1", "\"\" is no value of this study"},
        {"tell study 1 loss=1 latency=1 lr=0.1", "\"lr\" is no value of this study; expected loss and latency"},
        {"tell study 2 loss=1 latency=1", "trial 2 has ended already: it is done"},
        {"tell study 2 fail=late", "trial 2 has ended already: it is done"},
        {"tell study 1 fail=late loss=1", "fail=CAUSE is told of a trial alone"},
        {"tell study 3 loss=1 latency=1", "trial 3 has ended already: it is failed"},
        {"tell study point loss=1 latency=1", "the point lacks h1"},
        {"tell study point h1=9 h2=9 lr=1 op=skip batch=16 norm=no loss=1 latency=1", "\"1\" is no value of lr"},
        {"tell study point h1=9 h1=9 loss=1 latency=1", "\"h1\" is given twice"},
        {"tell study point h1=9 h2=90 lr=0.1 op=skip batch=16 norm=no loss=1 latency=1", "narrowing"},
        {"tell nowhere 1 loss=1 latency=1", "nowhere: no such study"},
        {"tell study 1", "usage: nasrun tell STUDY TRIAL|point NAME=VALUE..."},
        {"ask study 0", "0 trials were asked for; expected 1 to 1000"},
        {"ask study -- -1", "-1 trials were asked for; expected 1 to 1000"},
        {"ask study many", "\"many\" is no number of trials"},
        {"ask study 99999999999999999999", "\"99999999999999999999\" is no number of trials"},
        {"ask other.ini 1 --out study", "holds a study of another configuration"},
        {"serve other.ini --out study </dev/null", "holds a study of another configuration"},
        {"serve broken.ini </dev/null", "broken.ini:2"},
        {"serve missing.ini </dev/null", "missing.ini: no such study"},
        {"asked.ini", "there is nothing to train"},
    };
    char *folder = asking_folder("wrong"), *path = file_join(folder, "other.ini"), *text = strdup(asking_configuration);
    memcpy(strstr(text, "8..256"), "8..512", 6);
    assert_ok(file_replace(path, text, strlen(text), false, NULL));
    free(path);
    path = file_join(folder, "broken.ini");
    assert_ok(file_replace(path, "[study]\nname\n", 13, false, NULL));
    expect_ok(folder, "ask asked.ini 3 --out study");
    expect_ok(folder, "tell study 2 loss=1 latency=1");
    expect_ok(folder, "tell study 3 fail");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_refused(folder, wrong[i][0], wrong[i][1]);
    expect_ok(folder, "tell study 1 loss=1 latency=1");
    free(path);
    free(text);
    free(folder);
}

static void commands_and_a_server_share_a_study(void **state)
{
    (void)state;
    char *folder = asking_folder("mixed");
    struct server server = server_start(folder);
    server_expect(&server, "{\"ask\":1}", "{\"trials\":[{\"trial\":1,\"point\":{\"h1\":");
    expect_ok(folder, "tell study 1 loss=0.5 latency=1 -q");
    server_expect(&server, "{\"tell\":{\"trial\":1,\"values\":{\"loss\":1,\"latency\":1}}}",
                  "{\"error\":\"line 2: trial 1 has ended already: it is done\"}");
    expect_ok(folder, "ask study");
    server_expect(&server, "{\"ask\":1}", "{\"trials\":[{\"trial\":3,");
    server_expect(&server, "{\"tell\":{\"trial\":2,\"values\":{\"loss\":0.75,\"latency\":1}}}", "{\"ok\":true}\n");
    struct server other = server_start(folder);
    server_expect(&other, "{\"ask\":2}", "{\"trials\":[{\"trial\":4,");
    server_expect(&other, "{\"fail\":{\"trial\":3,\"cause\":\"lost\"}}", "{\"ok\":true}\n");
    server_expect(&server, "{\"fail\":{\"trial\":3}}", "trial 3 has ended already: it is failed");
    server_expect(&server, "nonsense", "{\"error\":\"line 6: no JSON");
    server_expect(&server, "{\"pareto\":{}}", "\"values\":{\"loss\":0.5,");
    server_end(&other);
    server_end(&server);
    free(folder);
}

/* Lines of one conversation, each answered and told, with a kill now and then. */
static void converse(const char *folder, int trials, struct rng *rng, struct text *points)
{
    struct server server = server_start(folder);
    for (int told = 0; told < trials;) {
        bool before = rng && rng_below(rng, 4) == 0, after = rng && rng_below(rng, 4) == 0;
        char line[128];
        server_send(&server, "{\"ask\":1}");
        char *answer = server_receive(&server);
        assert_non_null(answer);
        text_append(points, answer);
        snprintf(line, sizeof line, "{\"tell\":{\"trial\":%d,\"values\":{\"loss\":%g,\"latency\":%g}}}", told + 1,
                 0.5 / (double)(told + 1), (double)(told % 7));
        free(answer);
        if (before) { /* after the answer to an ask: the trial is on record */
            assert_int_equal(kill(server.process, SIGKILL), 0);
            assert_int_equal(server_wait(&server), 128 + SIGKILL);
            fclose(server.in);
            server = server_start(folder);
        }
        server_expect(&server, line, "{\"ok\":true}\n");
        told++;
        if (after) {
            assert_int_equal(kill(server.process, SIGKILL), 0);
            assert_int_equal(server_wait(&server), 128 + SIGKILL);
            fclose(server.in);
            server = server_start(folder);
        }
    }
    server_end(&server);
}

static void a_killed_server_goes_on_as_if_it_had_not_been(void **state)
{
    (void)state;
    enum { TRIALS = 16 };
    struct text expected = {0}, got = {0};
    struct rng rng = rng_create(7, 0, RANDOM_TEST, 0, 0);
    char *calm = asking_folder("calm"), *killed = asking_folder("killed");
    converse(calm, TRIALS, NULL, &expected);
    converse(killed, TRIALS, &rng, &got);
    assert_string_equal(got.data, expected.data);
    text_clear(&got);
    text_clear(&expected);
    free(killed);
    free(calm);
}

/* A kill at any moment, also within an operation: what was answered is on record, and the record is whole. */
static void a_kill_loses_no_answer(void **state)
{
    (void)state;
    struct rng rng = rng_create(8, 0, RANDOM_TEST, 0, 0);
    char *folder = asking_folder("any-moment");
    long long answered = 0;
    for (int round = 0; round < 12; round++) {
        struct server server = server_start(folder);
        for (int i = 0; i < 200; i++)
            fprintf(server.in,
                    "{\"tell\":{\"point\":{\"h1\":64,\"h2\":32,\"lr\":0.003,\"op\":\"skip\",\"batch\":\"32\","
                    "\"norm\":true},\"values\":{\"loss\":1,\"latency\":1}}}\n");
        fflush(server.in);
        char *answer = server_receive(&server); /* it has begun */
        assert_string_equal(answer, "{\"ok\":true}\n");
        answered++;
        free(answer);
        usleep(rng_below(&rng, 20000));
        assert_int_equal(kill(server.process, SIGKILL), 0);
        while ((answer = server_receive(&server))) {
            answered += !strcmp(answer, "{\"ok\":true}\n");
            free(answer);
        }
        assert_int_equal(server_wait(&server), 128 + SIGKILL);
        fclose(server.in);
    }
    struct session *session = asking_open(folder, NULL);
    const struct results *results;
    assert_ok(session_results(session, &results));
    assert_true((long long)results->count >= answered);
    for (size_t i = 0; i < results->count; i++)
        assert_int_equal(results->record[i].status, TRIAL_DONE); /* never half told */
    session_close(session);
    free(folder);
}

static void several_at_once_get_different_trials(void **state)
{
    (void)state;
    enum { ASKERS = 4, ASKED = 5 };
    char *folder = asking_folder("at-once"), *output, *errors;
    struct text line = {0};
    bool seen[ASKERS * ASKED + 1] = {false};
    text_format(&line, "cd '%s' || exit 1\n", folder);
    for (int i = 0; i < ASKERS; i++)
        text_format(&line, "'%s' ask asked.ini %d --out study &\n", test_program(), ASKED);
    text_append(&line, "wait");
    assert_int_equal(test_run(line.data, &output, &errors), 0);
    assert_string_equal(errors, "");
    char *rest = NULL;
    int count = 0;
    for (char *trial = strtok_r(output, "\n", &rest); trial; trial = strtok_r(NULL, "\n", &rest), count++) {
        long number = strtol(trial, NULL, 10);
        assert_true(number >= 1 && number <= ASKERS * ASKED && !seen[number]);
        seen[number] = true;
    }
    assert_int_equal(count, ASKERS * ASKED);
    text_clear(&line);
    free(output);
    free(errors);
    free(folder);
}

static void a_server_answers_without_waiting_for_more(void **state)
{
    (void)state;
    char *folder = asking_folder("pieces");
    struct server server = server_start(folder);
    fputs("{\"ask\"", server.in); /* a line in pieces, then two at once */
    fflush(server.in);
    usleep(20000);
    fputs(":1}\n{\"ask\":1}\n{\"pareto\":{}}", server.in);
    fflush(server.in);
    for (int i = 1; i <= 2; i++) {
        char expected[32], *answer = server_receive(&server);
        snprintf(expected, sizeof expected, "{\"trials\":[{\"trial\":%d,", i);
        assert_true(answer && text_starts_with(answer, expected));
        free(answer);
    }
    fclose(server.in); /* the last line lacks its newline */
    char *answer = server_receive(&server);
    assert_string_equal(answer, "{\"pareto\":[],\"hypervolume\":0,\"reference\":[]}\n");
    free(answer);
    assert_null(server_receive(&server));
    assert_int_equal(server_wait(&server), 0);
    free(folder);
}

/* Asked to stop, it leaves the files up to date; it goes on later. */
static void a_server_is_interrupted(void **state)
{
    (void)state;
    char *folder = asking_folder("interrupted"), *path = file_join(folder, "study/trials.csv"), *written;
    struct server server = server_start(folder);
    server_expect(&server, "{\"ask\":1}", "{\"trials\":[{\"trial\":1,");
    server_expect(&server, "{\"fail\":{\"trial\":1,\"cause\":\"lost\"}}", "{\"ok\":true}\n");
    assert_int_equal(kill(server.process, SIGTERM), 0);
    assert_null(server_receive(&server));
    assert_int_equal(server_wait(&server), 130);
    fclose(server.in);
    assert_ok(file_read(path, NULL, &written, NULL));
    assert_non_null(strstr(written, "\n1,failed,lost,"));
    server = server_start(folder);
    server_expect(&server, "{\"ask\":1}", "{\"trials\":[{\"trial\":2,");
    server_end(&server);
    free(written);
    free(path);
    free(folder);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_shell_drives_a_study),
    cmocka_unit_test(wrong_arguments_are_refused),
    cmocka_unit_test(commands_and_a_server_share_a_study),
    cmocka_unit_test(a_killed_server_goes_on_as_if_it_had_not_been),
    cmocka_unit_test(a_kill_loses_no_answer),
    cmocka_unit_test(several_at_once_get_different_trials),
    cmocka_unit_test(a_server_answers_without_waiting_for_more),
    cmocka_unit_test(a_server_is_interrupted),
};
TEST_MAIN(cases)
