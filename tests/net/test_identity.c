/* The same network written two ways has one identity; any difference in what it computes gives another. */
#include "support/test.h"

#include "net/plan.h"

struct way {
    const char *space, *network;
    double point[6];
};

static void identify(const struct way *way, char out[33])
{
    char text[2048];
    struct study *study;
    struct plan *plan = NULL;
    struct log *log = test_log();
    struct text reason = {0};
    snprintf(text, sizeof text,
             "[study]\nname = t\ntrials = 1\n[data]\ndataset = tiny\n[objectives]\nval_accuracy = maximize\n"
             "[space]\nunused = int 1..9\n%s\n[constraints]\nall = unused > 0\n[network]\n%s\n",
             way->space, way->network);
    if (study_read_text(text, "t.ini", NULL, 0, log, &study) != NR_OK || template_check(study, log) != NR_OK ||
        plan_build(study, way->point, (struct shape){2, 12, 12}, 10, &reason, &plan) != NR_OK) {
        print_error("%s%s\n%s\n", log_text(log), reason.data ? reason.data : "", way->network);
        fail();
    }
    assert_int_equal(strlen(plan->identity), 32);
    assert_int_equal(strspn(plan->identity, "0123456789abcdef"), 32);
    memcpy(out, plan->identity, 33);
    plan_destroy(plan);
    study_destroy(study);
    log_destroy(log);
}

static void assert_identities(const struct way *a, const struct way *b, bool same)
{
    char left[33], right[33];
    identify(a, left);
    identify(b, right);
    if (!strcmp(left, right) != same) {
        print_error("expected %s identities:\n%s\n-- and --\n%s\n", same ? "equal" : "different", a->network,
                    b->network);
        fail();
    }
}

#define END "layer = dense units=classes"

static void one_network_in_two_ways(void **state)
{
    (void)state;
    static const struct way rows[][2] = {
        {{"", "layer = dense units=7 activation=relu\n" END, {1}},
         {"", "layer = flatten\nlayer = dense units=7\nlayer = activation kind=relu\n" END, {1}}},
        {{"", "layer = dense units=7\nlayer = dropout rate=0\n" END, {1}},
         {"r = real 0..0.5\nn = bool",
          "layer = batchnorm if=$n\nlayer = dense units=7\nlayer = dropout rate=$r\n" END,
          {1, 0, 0}}},
        {{"", "layer = conv kernel=3 channels=4 depthwise=yes\n" END, {1}},
         {"", "layer = conv kernel=3 channels=4 groups=2 padding=valid stride=1\n" END, {1}}},
        {{"", "layer = conv kernel=3 channels=4 padding=same\n" END, {1}},
         {"", "layer = conv kernel=3 channels=4 padding=1\n" END, {1}}},
        {{"n = int 1..2\nw[n] = int 3..9",
          "block = b repeat=$n\n" END "\n[block b]\nlayer = dense units=$w",
          {1, 2, 8, 5}},
         {"one = int 3..9\ntwo = int 3..9", "layer = dense units=$two\nlayer = dense units=$one-1+1\n" END, {1, 5, 8}}},
        {{"", "layer = residual begin\nlayer = dropout rate=0\nlayer = residual end\n" END, {1}}, {"", END, {1}}},
        {{"", "layer = residual begin if=no\nlayer = conv channels=3 kernel=3\nlayer = residual end\n" END, {1}},
         {"", "layer = conv channels=3 kernel=3\n" END, {1}}},
        {{"",
          "layer = residual begin shortcut=project\nlayer = conv channels=2 kernel=1\nlayer = residual end\n" END,
          {1}},
         {"", "layer = residual begin\nlayer = conv channels=2 kernel=1\nlayer = residual end\n" END, {1}}},
        {{"", "layer = conv channels=3 kernel=3\nlayer = flatten\nlayer = dropout rate=0.5\n" END, {1}},
         {"", "layer = conv channels=3 kernel=3\nlayer = dropout rate=0.5\n" END, {1}}},
        {{"", "layer = globalavgpool\nlayer = globalavgpool\nlayer = activation kind=none\n" END, {1}},
         {"", "layer = globalavgpool\n" END, {1}}},
        {{"", "layer = activation kind=relu slope=0.3\n" END, {1}}, {"", "layer = activation kind=relu\n" END, {1}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_identities(&rows[i][0], &rows[i][1], true);
}

static void any_two_of_these_differ(void **state)
{
    (void)state;
    static const struct way rows[] = {
        {"", END, {1}},
        {"", "layer = dense units=classes bias=no", {1}},
        {"", "layer = dense units=10\n" END, {1}},
        {"", "layer = dense units=11\n" END, {1}},
        {"", "layer = activation kind=relu\n" END, {1}},
        {"", "layer = activation kind=tanh\n" END, {1}},
        {"", "layer = activation kind=leaky_relu\n" END, {1}},
        {"", "layer = activation kind=leaky_relu slope=0.02\n" END, {1}},
        {"", "layer = dropout rate=0.1\n" END, {1}},
        {"", "layer = dropout rate=0.10000000000000002\n" END, {1}},
        {"", "layer = batchnorm\n" END, {1}},
        {"", "layer = flatten\nlayer = batchnorm\n" END, {1}},
        {"", "layer = maxpool size=2\n" END, {1}},
        {"", "layer = avgpool size=2\n" END, {1}},
        {"", "layer = maxpool size=3 stride=2 padding=same\n" END, {1}},
        {"", "layer = maxpool size=3 stride=2 padding=1\n" END, {1}},
        {"", "layer = globalavgpool\n" END, {1}},
        {"", "layer = conv channels=4 kernel=3\n" END, {1}},
        {"", "layer = conv channels=4 kernel=3 bias=no\n" END, {1}},
        {"", "layer = conv channels=4 kernel=3 groups=2\n" END, {1}},
        {"", "layer = conv channels=4 kernel=3 stride=2\n" END, {1}},
        {"", "layer = conv channels=4 kernel=3 padding=same\n" END, {1}},
        {"", "layer = conv channels=4 kernel=4\n" END, {1}},
        {"", "layer = residual begin\nlayer = batchnorm\nlayer = residual end\n" END, {1}},
        {"",
         "layer = residual begin\nlayer = batchnorm\nlayer = activation kind=relu\nlayer = residual end\n" END,
         {1}},
        {"",
         "layer = batchnorm\nlayer = residual begin\nlayer = activation kind=relu\nlayer = residual end\n" END,
         {1}},
    };
    enum { COUNT = sizeof rows / sizeof *rows };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < i; k++)
            assert_identities(&rows[i], &rows[k], false);
}

/* Recorded studies compare by it: it may only change together with the store's format. The value was computed by hand
 * (hashlib) from the numbers that identity.c describes. */
static void does_not_change_with_time(void **state)
{
    (void)state;
    const struct way way = {
        "", "layer = conv channels=4 kernel=3 activation=gelu\nlayer = dropout rate=0.25\n" END, {1}};
    char identity[33];
    identify(&way, identity);
    assert_string_equal(identity, "07d386ef336ede97b6b1e67ae84e80cd");
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(one_network_in_two_ways),
    cmocka_unit_test(any_two_of_these_differ),
    cmocka_unit_test(does_not_change_with_time),
};
TEST_MAIN(cases)
