/* report/progress: what it shows at several sizes, that it redraws in place (on a small terminal emulated here), and
 * what is left where there is no terminal. */
#include "support/test.h"

#include "report/progress.h"

enum { ROWS = 40, COLUMNS = 100 };

struct fixture {
    struct study *study;
    struct results results;
    struct front front;
    struct progress_trial running[5];
    struct progress_snapshot snapshot;
};

static void add(struct fixture *fixture, enum trial_status status, double accuracy, double parameters)
{
    struct store_trial trial = {.trial = (int64_t)fixture->results.count + 1,
                                .status = status,
                                .point = "hidden=8",
                                .cause = status == TRIAL_FAILED ? "loss is nan at step 4" : "",
                                .summary = "784-8-relu-10",
                                .method = "bo",
                                .attempt = 1,
                                .seconds = 3.2,
                                .value = {accuracy, parameters, NAN, NAN, NAN, NAN, NAN, NAN}};
    assert_ok(results_add(&fixture->results, &trial, NULL));
    front_clear(&fixture->front);
    assert_ok(front_compute(&fixture->results, NULL, &fixture->front));
}

static void setup(struct fixture *fixture)
{
    static const char configuration[] =
        "[study]\nname = small\ntrials = 8\nseed = 1\n[data]\ndataset = tiny\n[space]\nhidden = int 4..64\n"
        "[network]\nlayer = dense units=$hidden\nlayer = dense units=classes\n"
        "[objectives]\nval_accuracy = maximize\nparameters = minimize\n";
    *fixture = (struct fixture){0};
    assert_ok(study_read_text(configuration, "small.ini", NULL, 0, NULL, &fixture->study));
    fixture->results.study = fixture->study;
    add(fixture, TRIAL_DONE, 0.95, 600);
    add(fixture, TRIAL_DONE, 0.92, 200);
    add(fixture, TRIAL_FAILED, NAN, 300);
    add(fixture, TRIAL_DONE, 0.99, 5000);
    for (int i = 0; i < 5; i++)
        fixture->running[i] = (struct progress_trial){
            .trial = 5 + i, .network = "784-16-relu-10", .epoch = i, .epochs = 12, .accuracy = i ? 0.9 : NAN};
    fixture->snapshot = (struct progress_snapshot){.now = 100,
                                                   .elapsed = 44,
                                                   .total = 8,
                                                   .results = &fixture->results,
                                                   .front = &fixture->front,
                                                   .running = fixture->running,
                                                   .runnings = 2};
}

static void teardown(struct fixture *fixture)
{
    front_clear(&fixture->front);
    results_clear(&fixture->results);
    study_destroy(fixture->study);
}

static void shows(const struct fixture *fixture, size_t width, size_t height, double rate, double left,
                  const char *expected)
{
    struct text text = {0};
    struct terminal terminal = {.live = true, .width = width, .height = height};
    progress_render(&fixture->snapshot, &terminal, rate, left, &text);
    assert_string_equal(text.data ? text.data : "", expected);
    text_clear(&text);
}

static void at_several_sizes(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    shows(&fixture, 61, 24, 42, 22,
          "small   4 of 8 trials, 1 failed   44 s, about 22 s left   4…\n"
          "━━━━━━━━━━━━━━━━━━━━━━━━━━━───────────────────────────  50 %\n"
          "\n"
          "running     5  epoch   0/12          784-16-relu-10\n"
          "            6  epoch   1/12  0.9000  784-16-relu-10\n"
          "\n"
          "front    trial  val_accuracy  parameters  network\n"
          "             4        0.9900        5000  784-8-relu-10\n"
          "             1        0.9500         600  784-8-relu-10\n"
          "             2        0.9200         200  784-8-relu-10\n");
    fixture.snapshot.runnings = 5;
    fixture.snapshot.message = "stopping at the next step; again to stop at once";
    shows(&fixture, 41, 13, NAN, NAN,
          "small   4 of 8 trials, 1 failed   44 s\n"
          "━━━━━━━━━━━━━━━━━─────────────────  50 %\n"
          "\n"
          "running     5  epoch   0/12          78…\n"
          "            6  epoch   1/12  0.9000  78…\n"
          "         and 3 more\n"
          "\n"
          "front    trial  val_accuracy  parameter…\n"
          "             4        0.9900        500…\n"
          "             1        0.9500         60…\n"
          "             2        0.9200         20…\n"
          "stopping at the next step; again to sto…\n");
    shows(&fixture, 20, 3, NAN, 3600 * 50, "small   4 of 8 tri…\nstopping at the ne…\n");
    shows(&fixture, 20, 2, NAN, NAN, "small   4 of 8 tri…\n");
    shows(&fixture, 1, 1, NAN, NAN, "");
    teardown(&fixture);
}

/* Whatever the size, no line is as wide as the terminal and there are fewer lines than it has. */
static void always_fits(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    fixture.snapshot.runnings = 5;
    fixture.snapshot.message = "网络 is what it says";
    for (size_t width = 1; width < 100; width++) {
        for (size_t height = 1; height < 30; height++) {
            struct text text = {0};
            struct terminal terminal = {.live = true, .width = width, .height = height};
            progress_render(&fixture.snapshot, &terminal, 5, 5, &text);
            size_t lines = 0;
            char *rest, *line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; /* skips empty ones */
            for (; line; line = strtok_r(NULL, "\n", &rest), lines++)
                assert_true(terminal_columns(line) < width);
            assert_true(lines < height);
            text_clear(&text);
        }
    }
    teardown(&fixture);
}

/* A terminal of one byte per cell that knows what the display uses: newline, return, up, erase below, styles. */
struct screen {
    char cell[ROWS][COLUMNS + 1];
    size_t row, column;
};

static void screen_escape(struct screen *screen, char **input)
{
    char kind;
    int number = 0;
    *input += 2; /* ESC [ */
    while (**input >= '0' && **input <= '9')
        number = 10 * number + (*(*input)++ - '0');
    kind = *(*input)++;
    if (kind == 'A') {
        assert_true((size_t)number <= screen->row);
        screen->row -= (size_t)number;
    } else if (kind == 'J') {
        memset(screen->cell[screen->row] + screen->column, ' ', COLUMNS - screen->column);
        for (size_t row = screen->row + 1; row < ROWS; row++)
            memset(screen->cell[row], ' ', COLUMNS);
    } else {
        assert_true(kind == 'm');
    }
}

static void screen_play(struct screen *screen, char *input)
{
    memset(screen, 0, sizeof *screen);
    for (size_t row = 0; row < ROWS; row++)
        memset(screen->cell[row], ' ', COLUMNS);
    while (*input) {
        if (*input == '\033') {
            screen_escape(screen, &input);
        } else if (*input == '\n') {
            screen->row++;
            screen->column = 0;
            input++;
        } else if (*input == '\r') {
            screen->column = 0;
            input++;
        } else {
            assert_true(screen->row < ROWS && screen->column < COLUMNS);
            if (((unsigned char)*input & 0xc0) != 0x80) /* the first byte of a character stands for it */
                screen->cell[screen->row][screen->column++] = *input;
            input++;
        }
    }
}

static bool screen_has(const struct screen *screen, size_t row, const char *start)
{
    return !strncmp(screen->cell[row], start, strlen(start));
}

struct memory_stream {
    FILE *stream;
    char *text;
    size_t length;
};

static void redraws_in_place(void **state)
{
    (void)state;
    struct fixture fixture;
    struct memory_stream memory;
    struct progress *progress;
    struct screen screen;
    struct terminal terminal = {.live = true, .styled = true, .width = 81, .height = 24};
    setup(&fixture);
    assert_non_null(memory.stream = open_memstream(&memory.text, &memory.length));
    assert_ok(progress_create(memory.stream, &terminal, false, &progress));
    progress_show(progress, &fixture.snapshot);
    fixture.snapshot.now += 0.1; /* too soon: nothing happens */
    size_t before = memory.length;
    progress_show(progress, &fixture.snapshot);
    assert_int_equal(memory.length, before);
    add(&fixture, TRIAL_FAILED, NAN, 1);
    progress_ended(progress, &fixture.snapshot, &fixture.results.record[4]);
    add(&fixture, TRIAL_DONE, 0.995, 9000);
    progress_ended(progress, &fixture.snapshot, &fixture.results.record[5]);
    fixture.snapshot.now += 59.9;
    progress_show(progress, &fixture.snapshot);
    screen_play(&screen, memory.text);
    assert_true(screen_has(&screen, 0, "[5/8] trial 5 failed in 3.2 s: loss is nan at step 4; 784-8-relu-10  "));
    assert_true(screen_has(&screen, 1, "small   6 of 8 trials, 2 failed   44 s, about 60 s left   2.0 per minute  "));
    assert_true(screen_has(&screen, 4, "running     5"));
    assert_true(screen_has(&screen, 8, "             6        0.9950        9000  784-8-relu-10  "));
    assert_true(screen_has(&screen, 11, "             2"));
    assert_true(screen_has(&screen, 12, "        ") && screen.row == 12);
    fixture.snapshot.runnings = 0; /* a shorter display leaves nothing of the longer one */
    fixture.snapshot.now += 1;
    progress_show(progress, &fixture.snapshot);
    fflush(memory.stream);
    screen_play(&screen, memory.text);
    assert_true(screen_has(&screen, 4, "front"));
    assert_true(screen_has(&screen, 9, "        ") && screen.row == 9);
    progress_destroy(progress);
    fclose(memory.stream);
    screen_play(&screen, memory.text);
    assert_true(screen_has(&screen, 0, "[5/8]") && screen_has(&screen, 1, "        ") && screen.row == 1);
    free(memory.text);
    teardown(&fixture);
}

static void plain_lines_elsewhere(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "[4/8] trial 4 done in 3.2 s: val_accuracy 0.9900, parameters 5000; 784-8-relu-10\n"
        "[4/8] trial 3 failed in 3.2 s: loss is nan at step 4; 784-8-relu-10\n",
        "",
    };
    struct fixture fixture;
    setup(&fixture);
    for (int quiet = 0; quiet < 2; quiet++) {
        struct memory_stream memory;
        struct progress *progress;
        assert_non_null(memory.stream = open_memstream(&memory.text, &memory.length));
        assert_ok(progress_create(memory.stream, NULL, quiet, &progress));
        progress_show(progress, &fixture.snapshot);
        progress_ended(progress, &fixture.snapshot, &fixture.results.record[3]);
        progress_ended(progress, &fixture.snapshot, &fixture.results.record[2]);
        progress_show(progress, &fixture.snapshot);
        progress_destroy(progress);
        fclose(memory.stream);
        assert_string_equal(memory.text, expected[quiet]);
        free(memory.text);
    }
    progress_destroy(NULL);
    teardown(&fixture);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(at_several_sizes),
    cmocka_unit_test(always_fits),
    cmocka_unit_test(redraws_in_place),
    cmocka_unit_test(plain_lines_elsewhere),
};
TEST_MAIN(cases)
