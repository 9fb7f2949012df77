/* Every mistake in a template that needs no point gives one sentence with file, line, what was found and expected. */
#include "support/test.h"

#include "net/plan.h"

/* Reads and checks; the log keeps what was said. */
static nr_status check(const char *space, const char *network, struct log *log)
{
    char text[2048];
    struct study *study = NULL;
    snprintf(
        text, sizeof text,
        "[study]\nname = t\ntrials = 1\n[data]\ndataset = tiny\n[objectives]\nval_accuracy = maximize\n"
        "[network]\n%s\nlayer = dense units=classes\n[space]\nunits = int 1..9\n%s\n[constraints]\nall = units > 0\n",
        network, space);
    if (study_read_text(text, "t.ini", NULL, 0, log, &study) != NR_OK) {
        print_error("the study itself is refused: %s\n", log_text(log));
        fail();
    }
    nr_status status = template_check(study, log);
    study_destroy(study);
    return status;
}

static void refuses_with_file_line_and_expectation(void **state)
{
    (void)state;
    static const struct {
        const char *network, *message;
    } rows[] = {
        {"layer = dens units=3", "t.ini:9: dens: unknown operator; did you mean `dense`?"},
        {"layer = convolution channels=3", "t.ini:9: convolution: unknown operator"},
        {"layer = dense unit=3", "t.ini:9: dense: unknown attribute `unit`; did you mean `units`?"},
        {"layer = maxpool kernel=3", "t.ini:9: maxpool: unknown attribute `kernel`"},
        {"layer = dense activation=relu", "t.ini:9: dense: attribute `units` is missing"},
        {"layer = conv channels=3", "t.ini:9: conv: attribute `kernel` is missing"},
        {"layer = conv kernel=3", "t.ini:9: conv: attribute `channels` is missing"},
        {"layer = dense units=0", "dense: units=0, expected a whole number from 1 to 2147483647"},
        {"layer = dense units=2.5", "dense: units=2.5, expected a whole number from 1"},
        {"layer = dense units=3*(2-2)", "dense: units=3*(2-2), expected a whole number"},
        {"layer = dense units=64x", "dense: units=64x, expected a whole number"},
        {"layer = dense units=(64", "dense: units=(64, expected a whole number"},
        {"layer = dense units=0x40", "dense: units=0x40, expected a whole number"},
        {"layer = dense units=klasses", "dense: units=klasses, expected a whole number"},
        {"layer = dense units=2$units", "dense: units=2$units, expected a whole number"},
        {"layer = dense units=6 bias=maybe", "bias=maybe, expected yes, no, $name or !$name"},
        {"layer = dense units=6 activation=rely",
         "activation=rely, expected relu, leaky_relu, gelu, silu, tanh, sigmoid, none"},
        {"layer = dropout rate=1", "dropout: rate=1, expected a number from 0 to 1 (excluded)"},
        {"layer = dropout rate=-0.1", "dropout: rate=-0.1, expected a number from 0 to 1 (excluded)"},
        {"layer = maxpool size=2 padding=some",
         "padding=some, expected same, valid, a whole number up to 1024, or $name"},
        {"layer = dropout rate=$units",
         "dropout: rate=$units: units (line 12) is an int from 1 to 9, expected a number"},
        {"layer = activation kind=$units", "kind=$units: units (line 12) is an int from 1 to 9, expected relu"},
        {"layer = batchnorm if=$units", "if=$units: units (line 12) is an int from 1 to 9, expected yes, no"},
        {"layer = residual", "t.ini:9: residual: expected `begin` or `end` after it"},
        {"layer = residual start", "t.ini:9: residual start: expected `begin` or `end` after it, found start"},
        {"layer = dense relu units=3", "t.ini:9: dense relu: unexpected word `relu`"},
        {"layer = residual end", "t.ini:9: residual end: there is no residual begin before it"},
        {"layer = residual begin\nlayer = dense units=3", "t.ini:9: residual begin: there is no residual end after it"},
        {"layer = residual end shortcut=project", "residual end: unknown attribute `shortcut`"},
    };
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nr_status status = check("", rows[i].network, log);
        if (status != NR_INVALID)
            print_error("accepted: %s\n", rows[i].network);
        assert_int_equal(status, NR_INVALID);
        test_log_has(log, rows[i].message);
    }
    log_destroy(log);
}

static void refuses_parameters_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *space, *network, *message;
    } rows[] = {
        {"r = real 1..9", "layer = dense units=$r", "units=$r: r (line 13) is a real from 1 to 9"},
        {"r = int 0..9", "layer = dense units=$r", "units=$r: r (line 13) is an int from 0 to 9"},
        {"r = choice relu, tahn", "layer = activation kind=$r", "kind=$r: r (line 13) can be tahn"},
        {"r = ordered 8, big", "layer = dense units=2*$r", "units=2*$r: some values of the parameter are no numbers"},
        {"r = bool", "layer = dropout rate=$r", "rate=$r: r (line 13) can be no"},
        {"r = choice same, full", "layer = maxpool size=2 padding=$r", "padding=$r: r (line 13) can be full"},
        {"n = int 1..2\nr[n] = int 2..9", "layer = dense units=$r if=no\nlayer = dense units=$n",
         "units=$r is a vector, which has a value in a block only; name an element, such as r[0]"},
        {"n = int 1..3\nm = int 1..2\nr[m] = int 2..9",
         "block = b repeat=$n\nlayer = dense units=classes\n[block b]\nlayer = dense units=$r+$m",
         "t.ini:12: dense: units=$r+$m has 2 elements, but the block can be repeated 3 times"},
        {"n = int 1..2", "block = b repeat=$n wide=3\nlayer = dense units=3\n[block b]\nlayer = batchnorm",
         "t.ini:9: b: unknown attribute `wide`"},
        {"n = int 1..2", "block = b repeat=$n\n[block b]\nlayer = residual begin\nlayer = dense units=3",
         "t.ini:11: residual begin: there is no residual end after it"},
    };
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nr_status status = check(rows[i].space, rows[i].network, log);
        if (status != NR_INVALID)
            print_error("accepted: %s\n", rows[i].network);
        assert_int_equal(status, NR_INVALID);
        test_log_has(log, rows[i].message);
    }
    log_destroy(log);
}

static void accepts_what_is_right(void **state)
{
    (void)state;
    static const struct {
        const char *space, *network;
    } rows[] = {
        {"", "layer = dense units=2*$units+(classes-1)/3 activation=leaky_relu slope=0.2 bias=no if=yes"},
        {"r = choice same, valid, 2\nk = ordered 3, 5\ng = fixed 2",
         "layer = conv channels=$g kernel=$k padding=$r groups=$g"},
        {"r = choice relu, none\nb = bool", "layer = activation kind=$r if=!$b"},
        {"r = int 0..1", "layer = batchnorm if=$r\nlayer = maxpool size=2 padding=(2-1)"},
        {"n = int 0..3\nw[n] = int 2..9 log\na[n] = choice relu, gelu",
         "block = b repeat=$n\nlayer = dense units=$w[0]\nlayer = dense units=classes\n"
         "[block b]\nlayer = dense units=$w activation=$a"},
        {"", "layer = residual begin shortcut=project\nlayer = residual begin\nlayer = dropout rate=0.5\n"
             "layer = residual end\nlayer = residual end"},
    };
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (check(rows[i].space, rows[i].network, log) != NR_OK) {
            print_error("refused: %s", log_text(log));
            fail();
        }
    }
    log_destroy(log);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(refuses_with_file_line_and_expectation),
    cmocka_unit_test(refuses_parameters_that_do_not_fit),
    cmocka_unit_test(accepts_what_is_right),
};
TEST_MAIN(cases)
