/* Bad configurations: each is a good one with one change, and gives one sentence that names place, problem and
 * expectation. */
#include "support/test.h"

#include "base/text.h"
#include "space/examples.h"
#include "space/study.h"

struct bad {
    const char *from, *to; /* the first `from` of the example becomes `to`; NULL: `to` is appended */
    const char *expected;  /* part of the message */
};

/* Changes of example_mnist, whose lines are numbered there. */
static const struct bad bad_mnist[] = {
    /* sections and keys */
    {"[training]", "[trainng]", "test.ini:26: [trainng]: the section is unknown; did you mean \"training\"?"},
    {NULL, "[empty]\n", "test.ini:39: [empty]: the section is unknown"},
    {"initial = 12", "inital = 12", "test.ini:38: [search] inital: the key is unknown; did you mean \"initial\"?"},
    {"initial = 12", "epochs = 12", "[search] epochs: the key is unknown here; it belongs to [training]"},
    {"initial = 12", "flavour = 12", "[search] flavour: the key is unknown; nasrun help config lists them all"},
    {"trials = 48\n", "", "test.ini: [study] trials is missing; expected a whole number from 1 to 1000000"},
    {"dataset    = mnist\n", "", "test.ini: [data] dataset is missing; expected a name"},
    {"seed   = 1", "trials = 2", "test.ini:4: [study] trials: said twice; the first is in line 3"},
    {"seed   = 1", "seed   =", "test.ini:4: [study] seed: the value is missing"},
    {"seed   = 1", "seed", "test.ini:4: the line is neither [section], nor key = value, nor a comment"},
    {"seed   = 1", "= 1", "test.ini:4: [study] there is no key before \"=\""},
    {"[study]", "; none", "test.ini:2: \"name\" stands before any [section]"},
    {"[study]", "[study", "test.ini:1: \"[study\" is no section"},
    {"[study]", "[study] x", "test.ini:1: \"[study] x\" is no section"},
    /* types and ranges of keys */
    {"trials = 48", "trials = 0", "test.ini:3: [study] trials: found \"0\"; expected a whole number from 1 to"},
    {"trials = 48", "trials = -3", "[study] trials: found \"-3\"; expected a whole number"},
    {"trials = 48", "trials = 4.5", "[study] trials: found \"4.5\"; expected a whole number"},
    {"trials = 48", "trials = many", "[study] trials: found \"many\"; expected a whole number"},
    {"seed   = 1", "seed = -1", "[study] seed: found \"-1\"; expected a whole number from 0 to 9223372036854775807"},
    {"seed   = 1", "seed = 9223372036854775808", "[study] seed: found \"9223372036854775808\""},
    {"name   = mnist", "name = ../up", "[study] name: found \"../up\"; expected a name of letters"},
    {"validation = 0.1", "validation = 0", "[data] validation: found \"0\"; expected a number above 0, at most 0.9"},
    {"validation = 0.1", "validation = 1", "[data] validation: found \"1\"; expected"},
    {"fraction   = 1.0", "fraction = 2", "[data] fraction: found \"2\"; expected"},
    {"fraction   = 1.0", "epoch_images = 0", "[data] epoch_images: found \"0\"; expected a whole number from 1"},
    {"= adam", "= adma", "test.ini:27: [training] optimizer: found \"adma\"; expected sgd, adam or adamw"},
    {"method  = bo", "method = magic",
     "[search] method: found \"magic\"; expected bo, random, sobol, evolution or grid"},
    {"initial = 12", "initial = 0", "[search] initial: found \"0\"; expected"},
    {NULL, "[run]\nworkers = 0\n", "[run] workers: found \"0\"; expected a whole number from 1 to 1024, or auto"},
    {NULL, "[run]\nmax_time = soon\n", "[run] max_time: found \"soon\"; expected a time such as 90s"},
    {NULL, "[run]\nmax_time = -5m\n", "[run] max_time: found \"-5m\""},
    {NULL, "[run]\ndevices = tpu\n",
     "[run] devices: found \"tpu\"; expected auto, all, cpu, or different numbers such as 0,2"},
    {"optimizer     = adam", "momentum = 1", "[training] momentum: found \"1\"; expected a number from 0 to 0.9999"},
    {"optimizer     = adam", "nesterov = maybe", "[training] nesterov: found \"maybe\"; expected yes or no"},
    /* declarations of parameters */
    {"int 16..128 log", "int 128..16 log",
     "test.ini:12: [space] hidden1: \"int 128..16 log\" is a reversed range; write the lower bound first"},
    {"int 16..128 log", "int 0..128 log", "\"int 0..128 log\" is a log range from 0"},
    {"real 1e-4..1e-2", "real -1..1", "[space] learning_rate: \"real -1..1 log\" is a log range from -1"},
    {"real 1e-4..1e-2", "real 1e-20..1", "is a log range from 1e-20; the least is 1e-12"},
    {"int 16..128 log", "int 16.5..128", "the lower bound 16.5, which is no whole number; use \"real\""},
    {"int 16..128 log", "int 16..many", "the upper bound \"many\", which is no number"},
    {"int 16..128 log", "int 16..", "lacks its upper bound; expected LOW..HIGH, as in \"int 16..128\""},
    {"int 16..128 log", "int ..128", "lacks its lower bound"},
    {"int 16..128 log", "int 16-128", "has no range; expected LOW..HIGH, as in \"int 16..128\""},
    {"int 16..128 log", "int 16..5e9", "the upper bound 5e9; bounds of \"int\" lie within"},
    {"int 16..128 log", "int 16..128 lug", "has \"lug\" after the range; expected \"log\", \"step NUMBER\""},
    {"int 16..128 log", "int 16..128 log log", "has \"log\" after the range"},
    {"int 16..128 log", "int 16..128 log step 2", "has both \"log\" and \"step\""},
    {"int 16..128 log", "int 16..128 step 0", "has the step \"0\"; expected a number above 0"},
    {"int 16..128 log", "int 16..128 step 1.5", "has a step that is no whole number"},
    {"int 16..128 log", "int 16..128 step 500", "has a step wider than its range"},
    {"int 16..128 log", "int 16..1000000 step 2", "has more than 1000 values with that step"},
    {"real 0..0.5", "real 0..0.5 step 1e-8", "has more than 1000000 values with that step"},
    {"int 16..128 log", "integer 16..128",
     "begins with \"integer\"; expected int, real, ordered, choice, bool or fixed"},
    {"int 16..128 log", "boool",
     "begins with \"boool\"; expected int, real, ordered, choice, bool or fixed; did you mean"},
    {"int 16..128 log", "bool yes", "has \"yes\" after \"bool\""},
    {"int 16..128 log", "fixed 1, 2", "has 2 values; \"fixed\" takes one"},
    {"int 16..128 log", "fixed", "lacks a level"},
    {"int 16..128 log", "int 16..128 if", "has no condition after \"if\""},
    {"ordered 32, 64, 128, 256", "ordered 32, 64, 64", "has the level 64 twice"},
    {"ordered 32, 64, 128, 256", "ordered 32, 128, 64", "has levels in no order"},
    {"ordered 32, 64, 128, 256", "ordered 32 64 128", "has the level \"32 64 128\", which is no single word"},
    {"ordered 32, 64, 128, 256", "ordered 32,, 64", "lacks a level"},
    {"hidden2       =", "hidden1 =", "test.ini:13: [space] hidden1: said twice; the first is in line 12"},
    {"hidden2       =", "hidden1[epochs] =",
     "[space] hidden1[epochs]: a parameter of this name is declared in line 12"},
    {"hidden2       =", "hidden[2] =", "[space] hidden[2]: is no name of a parameter"},
    {"hidden2       =", "2hidden =", "[space] 2hidden: is no name of a parameter"},
    {"hidden2       =", "parameters =", "[space] parameters: the name is that of a column of trials.csv"},
    {"hidden2       =", "trial =", "[space] trial: the name is that of a column of trials.csv"},
    {"hidden2       =", "state[epochs] =", "[space] state[epochs]: the name is that of a column"},
    {"hidden2       =", "if =", "[space] if: is a word of the language"},
    {"hidden2       =", "hidden2[depth] =", "[space] hidden2[depth]: its length \"depth\" is no parameter"},
    {"hidden2       =", "hidden2[dropout] =",
     "[space] hidden2[dropout]: its length must be a parameter with whole values"},
    {"hidden2       =", "hidden2[hidden1] =", "its length must be a parameter with whole values from 0 to 100"},
    {"hidden2       =", "hidden2[hidden2] =", "its length must be a parameter with whole values"},
    /* conditions */
    {"int 1..4", "int 1..4 if hiden1 > 3",
     "test.ini:17: [space] epochs: \"hiden1\" is no parameter of [space]; did you "
     "mean \"hidden1\"?"},
    {"int 1..4", "int 1..4 if hidden1 >", "\"hidden1 >\" ends where a number, a name or \"(\" was expected"},
    {"int 1..4", "int 1..4 if (hidden1 > 2", "ends where \")\" was expected"},
    {"int 1..4", "int 1..4 if hidden1 > 2 3", "has \"3\" where an operator or the end was expected"},
    {"int 1..4", "int 1..4 if 1 < hidden1 < 3", "comparisons do not chain"},
    {"int 1..4", "int 1..4 if batch_size = 33",
     "\"33\" is no level of \"batch_size\"; expected one of 32, 64, 128, 256"},
    {"int 1..4", "int 1..4 if hidden1 = \"x\"", "the text \"x\" can only be compared with a parameter"},
    {"int 1..4", "int 1..4 if maximum(hidden1, 3) > 2", "\"maximum\" is no function; there are min, max"},
    {"int 1..4", "int 1..4 if epochs > 2", "[space] epochs: the conditions go in a circle"},
    {"int 1..4", "int 1..4 if hidden1 * 2", "[space] epochs: its condition is a number; expected a comparison"},
    /* uses */
    {"units=$hidden1", "units=$hiden1",
     "test.ini:20: [network] layer: \"$hiden1\" names no parameter of [space]; did you "
     "mean \"hidden1\"?"},
    {"units=$hidden1", "units=$hidden1[0]", "\"$hidden1[0]\" names no parameter of [space]"},
    {"= $epochs", "= $epoch", "test.ini:30: [training] epochs: \"$epoch\" names no parameter of [space]; did you mean"},
    {"= $epochs", "= $dropout",
     "[training] epochs: \"$dropout\" may be outside of what the key takes: it is \"real 0..0.5\"; "
     "expected a whole number from 1 to 100000"},
    {"epochs        = int 1..4", "epochs = int 0..4", "[training] epochs: \"$epochs\" may be outside"},
    {"epochs        = int 1..4", "epochs = ordered 1, two", "[training] epochs: \"$epochs\" may be outside"},
    {"optimizer     = adam", "optimizer = $epochs", "\"$epochs\" may be outside of what the key takes"},
    {"method  = bo", "method = $epochs", "[search] method: \"$epochs\" cannot be searched"},
    {"units=$hidden2", "units=64", "test.ini:13: [space] hidden2: the parameter is used nowhere"},
    {"batch_size    = $batch_size\n", "",
     "test.ini:16: [space] batch_size: the parameter is used nowhere; write \"batch_size = "
     "$batch_size\" in [training], or remove it"},
    /* layers */
    {"layer = dropout", "layers = dropout",
     "test.ini:21: [network] layers: the key is unknown; expected \"layer\" or \"block\""},
    {"units=$hidden1 ", "units= $hidden1 ", "\"units=\" is no attribute; write name=value without blanks"},
    {"units=$hidden1 ", "units = $hidden1 ", "\"=\" is no attribute; write name=value without blanks"},
    {"dense units=$hidden1 ", "units=$hidden1 ",
     "found \"units=$hidden1\" in \"units=$hidden1 activation=relu\"; expected a kind"},
    {"units=$hidden1 ", "=$hidden1 ", "\"=$hidden1\" is no attribute"},
    {"units=$hidden1 ", "units=$hidden1 units=3 ", "the attribute \"units\" is given twice"},
    {"dense units=$hidden1 activation=relu", "dense units=$hidden1 relu", "found \"relu\" in"},
    {NULL, "[block stage]\nlayer = flatten\n", "test.ini:39: [block stage]: the block is used by no \"block = stage\""},
    {"layer = dense units=classes", "block = stag\n[block stage]\nlayer = flatten",
     "test.ini:24: [network] block: there is no section [block stag]; did you mean \"stage\"?"},
    {"layer = dense units=classes", "block = stage\n[block stage]\n",
     "test.ini:25: [block stage]: the block has no layers"},
    {"layer = dense units=classes", "block = a\n[block a]\nblock = a", "a block cannot hold another block"},
    {"layer = dense units=classes", "block = a\n[block a]\nlayer = flatten\n[block a]",
     "a block of this name is in line 25 already"},
    {"layer = dense units=classes", "[block a-b]", "a block's name consists of letters"},
    /* objectives */
    {"val_accuracy =", "val_acuracy =",
     "test.ini:33: [objectives] val_acuracy: the objective is unknown; did you mean "
     "\"val_accuracy\"?"},
    {"val_accuracy =", "speed =", "the objective is unknown; there are val_accuracy,"},
    {"maximize threshold=0.94", "maximise", "found \"maximise\"; expected maximize or minimize"},
    {"maximize threshold=0.94", "minimize", "found \"minimize\"; this objective can only be maximized"},
    {"threshold=0.94", "threshold=94", "found \"threshold=94\"; expected a number from 0 to 1 (a fraction"},
    {"threshold=80000", "threshold=-1", "found \"threshold=-1\"; expected a number not below 0"},
    {"threshold=80000", "limit=80000", "found \"limit=80000\"; expected threshold=NUMBER"},
    {"val_accuracy = maximize threshold=0.94\n", "", "[objectives] all are known without a trial, so that"},
    {"[search]", "val_loss = minimize\nmacs = minimize\nmemory = minimize\n[search]",
     "one objective too many; at most 4"},
    /* constraints */
    {NULL, "[constraints]\nparameters = <= many\n",
     "test.ini:40: [constraints] parameters: found \"<= many\"; expected a bound"},
    {NULL, "[constraints]\nparameters = 5000\n",
     "[constraints] parameters: found \"5000\"; expected a bound such as <= "},
    {NULL, "[constraints]\nparameters = <= 0\n", "found \"<= 0\", which no network can meet"},
    {NULL, "[constraints]\nparameter = <= 5000\n", "is no quantity of a network; did you mean \"parameters\"?"},
    {NULL, "[constraints]\nlatency = <= 5\n", "is no quantity of a network; there are parameters, macs, memory, val_"},
    {NULL, "[constraints]\nval_accuracy = >= 90\n", "found \">= 90\"; expected a bound from 0 to 1 (a fraction"},
    {NULL, "[constraints]\nval_loss = <= -1\n", "found \"<= -1\"; expected a bound not below 0"},
    {NULL, "[constraints]\nval_loss = hidden1 < 20\n", "found \"hidden1 < 20\"; expected a bound such as"},
    {NULL, "[constraints]\nval_loss = > 0 and <= 1\ntrain_loss = <= 1\nval_accuracy = >= 0.5 and <= 0.9\n",
     "test.ini:42: [constraints] val_accuracy: this is one bound too many on what only a trial shows; at most 4"},
    {"threshold=0.94", "transform=rank", "found \"transform=rank\"; expected transform=auto, none or halfrank"},
    {"threshold=0.94", "transform=none transform=none", "the transform is given twice"},
    {"threshold=0.94", "threshold=0.9 threshold=0.9", "the threshold is given twice"},
    {"threshold=80000", "transform=none", "the transform is for what is modelled; this objective is exact"},
    {"threshold=80000", "exact=\"hidden1\"", "found \"exact=\"hidden1\"\", which is for external objectives"},
    {"initial = 12", "model = dens", "[search] model: found \"dens\"; expected auto, dense or sparse"},
    {"initial = 12", "cost = time", "[search] cost: found \"time\"; expected none or seconds"},
    {NULL, "[constraints]\nhidden1 = <= 64\n", "write it as an expression: hidden1_limit = hidden1 <= 64"},
    {NULL, "[constraints]\nparameters = <= 5\nparameters = >= 10\n",
     "test.ini:41: [constraints] parameters: the constraints contradict each other: at least 10 and at most 5"},
    {NULL, "[constraints]\nmacs = >= 10 and < 10\n",
     "the constraints contradict each other: at least 10 and at most 9"},
    {NULL, "[constraints]\nsmall = hidden1 + hidden2\n", "\"hidden1 + hidden2\" is a number; expected a condition"},
    {NULL, "[constraints]\nsmall = 1 < 2\n", "\"1 < 2\" depends on no parameter"},
    {NULL, "[constraints]\nsmall = hidden3 < 2\n", "\"hidden3\" is no parameter of [space]; did you mean \"hidden1\"?"},
    {NULL, "[constraints]\nsmall = hidden1 <\n", "test.ini:40: [constraints] small: \"hidden1 <\" ends where"},
    {NULL, "[constraints]\nsmall = hidden1 < 2\nsmall = hidden1 < 3\n", "[constraints] small: said twice"},
};

static const struct bad bad_grammar[] = {
    {"if optimizer = sgd", "if optimizer = sdg",
     "[space] momentum: \"sdg\" is no level of \"optimizer\"; expected one of sgd, adam"},
    {"if optimizer = sgd", "if optimizer > sgd", "the levels of \"optimizer\" have no order"},
    {"if optimizer = sgd", "if optimizer * 2 > 3", "the levels of \"optimizer\" are no numbers"},
    {"if optimizer = sgd", "if width > 3", "\"width\" is a vector; name one of its elements, as in width[0]"},
    {"if optimizer = sgd", "if width[3] > 3", "\"width[3]\" is no parameter"},
    {"choice sgd, adam", "choice sgd, adam if momentum > 0.9", "[space] momentum: the conditions go in a circle"},
    {"momentum = $momentum", "momentum = $width", "\"$width\" is a vector; a key takes one value, as in $width[0]"},
    {"choice sgd, adam", "choice sgd, lion",
     "[training] optimizer: \"$optimizer\" may be outside of what the key takes"},
    {"kernel=$kernel ", "kernel=3 ", "[space] kernel: the parameter is used nowhere"},
    {"int 1..3", "int 1..300", "[space] width[blocks]: its length must be a parameter with whole values from 0 to 100"},
    {"width[blocks] = int 8..64 log", "width[blocks] = int 64..8 log",
     "[space] width[blocks]: \"int 64..8 log\" is a reversed range"},
};

static char *change(const char *example, const struct bad *bad)
{
    struct text text = {0};
    const char *at = bad->from ? strstr(example, bad->from) : example + strlen(example);
    if (!at) {
        print_error("the example lacks \"%s\"\n", bad->from);
        fail();
        return NULL;
    }
    text_append_bytes(&text, example, (size_t)(at - example));
    text_append(&text, bad->to);
    text_append(&text, at + (bad->from ? strlen(bad->from) : 0));
    return text_take(&text);
}

static void expect_bad(const char *content, const char *const *overrides, size_t count, const char *expected)
{
    struct study *study = NULL;
    struct log *log = test_log();
    nr_status status = study_read_text(content, "test.ini", overrides, count, log, &study);
    const char *message = log_text(log), *end = strchr(message, '\n');
    bool as_expected = status == NR_INVALID && !study && strstr(message, expected);
    if (!as_expected || !end || end[1]) { /* one sentence, not two */
        print_error("expected \"%s\"\nfound status %d: %s\n", expected, status, message);
        fail();
    }
    study_destroy(study);
    log_destroy(log);
}

static void expect_all_bad(const char *example, const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *content = change(example, &cases[i]);
        expect_bad(content, NULL, 0, cases[i].expected);
        free(content);
    }
}

static void changes_of_mnist(void **state)
{
    (void)state;
    expect_all_bad(example_mnist, bad_mnist, sizeof bad_mnist / sizeof *bad_mnist);
}

static void changes_of_grammar(void **state)
{
    (void)state;
    expect_all_bad(example_grammar, bad_grammar, sizeof bad_grammar / sizeof *bad_grammar);
}

static void missing_sections(void **state)
{
    (void)state;
    expect_bad("", NULL, 0, "test.ini: [space] has no parameters; expected at least one");
    expect_bad("[study]\nname = a\ntrials = 1\n[data]\ndataset = a\n[space]\na = int 1..2\n", NULL, 0,
               "test.ini:4: [data]: there is no [network] that could be trained; expected one, or neither");
    expect_bad("[study]\nname = a\ntrials = 1\n[data]\ndataset = a\n[space]\na = int 1..2\n[network]\nlayer = x y=$a\n",
               NULL, 0, "test.ini: [objectives] has no objective; expected");
}

static void overrides(void **state)
{
    (void)state;
    char long_name[6000]; /* longer than any line of a file */
    memset(long_name, '-', sizeof long_name);
    memcpy(long_name, "space.", 6);
    strcpy(long_name + sizeof long_name - 10, "=int 1..2");
    const struct {
        const char *override, *expected;
    } cases[] = {
        {"study.trials=0", "--set study.trials: found \"0\"; expected a whole number"},
        {"study.trails=3", "--set study.trails: the key is unknown; did you mean \"trials\"?"},
        {"stduy.trials=3", "--set stduy.trials: the section \"stduy\" is unknown; did you mean \"study\"?"},
        {"trials=3", "--set \"trials=3\": expected section.key=value"},
        {"study.trials", "--set \"study.trials\": expected section.key=value"},
        {"study.trials=", "--set \"study.trials=\": expected section.key=value, all three"},
        {"space.hidden1=int 8..4", "--set space.hidden1: \"int 8..4\" is a reversed range"},
        {"space.hidden3=int 4..8", "--set space.hidden3: the parameter is used nowhere"},
        {"network.layer=flatten", "--set network.layer: the layers of a network are a list; they can be changed in the "
                                  "file only"},
        {"block stage.layer=flatten", "--set block stage.layer: the layers of a network are a list"},
        {long_name, ": is no name of a parameter"},
        {"constraints.parameters=tiny", "--set constraints.parameters: found \"tiny\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_bad(example_mnist, &cases[i].override, 1, cases[i].expected);
}

static void missing_file(void **state)
{
    (void)state;
    struct study *study = NULL;
    struct log *log = test_log();
    assert_int_equal(study_read("/nonexistent/x.ini", NULL, 0, log, &study), NR_NOT_FOUND);
    test_log_has(log, "/nonexistent/x.ini: cannot be read: No such file");
    assert_int_equal(study_read(test_folder(), NULL, 0, log, &study), NR_INVALID);
    test_log_has(log, "Is a directory");
    assert_null(study);
    log_destroy(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(changes_of_mnist), cmocka_unit_test(changes_of_grammar), cmocka_unit_test(missing_sections),
        cmocka_unit_test(overrides),        cmocka_unit_test(missing_file),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
