/* space/study on good configurations: everything that the grammar knows, values of keys, overrides, identity. Bad ones
 * are in test_study_bad.c. */
#include "support/test.h"

#include "base/text.h"
#include "space/examples.h"
#include "space/study.h"

static struct study *read_text(const char *content, const char *const *overrides, size_t count)
{
    struct study *study = NULL;
    struct log *log = test_log();
    nr_status status = study_read_text(content, "test.ini", overrides, count, log, &study);
    if (status != NR_OK)
        print_error("%s", log_text(log));
    assert_ok(status);
    assert_string_equal(log_text(log), "");
    log_destroy(log);
    return study;
}

static void mnist(void **state)
{
    (void)state;
    struct study *study = read_text(example_mnist, NULL, 0);
    const struct space *space = &study->space;
    assert_int_equal(space->count, 6);
    assert_string_equal(space->dimension[0].name, "hidden1");
    assert_true(space->dimension[0].log && space->dimension[0].low == 16 && space->dimension[0].high == 128);
    assert_int_equal(space->dimension[4].kind, DIM_ORDERED);
    assert_int_equal(study->network.layers.count, 5);
    assert_string_equal(study->network.layers.layer[1].attribute[0].value, "$dropout");
    assert_int_equal(study->network.layers.layer[1].line, 21);
    assert_int_equal(study->objectives, 2);
    assert_true(study->objective[0].maximize && !study->objective[0].exact && study->objective[0].threshold == 0.94);
    assert_true(!study->objective[1].maximize && study->objective[1].exact);
    double point[6] = {64, 32, 0.001, 0.25, 3, 2};
    assert_int_equal(study_int(study, KEY_TRIALS, NULL), 48);
    assert_int_equal(study_int(study, KEY_BATCH_SIZE, point), 256);
    assert_int_equal(study_int(study, KEY_EPOCHS, point), 2);
    assert_true(study_real(study, KEY_LEARNING_RATE, point) == 0.001);
    assert_int_equal(study_choice(study, KEY_OPTIMIZER, point), 1);
    assert_int_equal(study_int(study, KEY_WORKERS, NULL), 0);
    assert_true(study_real(study, KEY_MAX_TIME, NULL) == 0);
    study_destroy(study);
}

static void grammar(void **state)
{
    (void)state;
    struct study *study = read_text(example_grammar, NULL, 0);
    const struct space *space = &study->space;
    assert_int_equal(space->count, 6 + 3 + 3 + 2);
    size_t momentum = space_find(space, "momentum"), optimizer = space_find(space, "optimizer");
    size_t last = space_find(space, "width[2]");
    assert_true(last != SIZE_MAX && space->dimension[last].element == 2);
    assert_null(space->dimension[space_find(space, "width[0]")].condition); /* blocks >= 1 */
    double unit[14], point[14];
    for (size_t i = 0; i < 14; i++)
        unit[i] = 0.01;
    unit[momentum] = 0.5;
    point_from_unit(space, unit, point); /* sgd, one block */
    assert_true(fabs(point[momentum] - 0.9) < 0.011 && isnan(point[last]));
    assert_true(study_real(study, KEY_MOMENTUM, point) == point[momentum]);
    assert_int_equal(study_choice(study, KEY_OPTIMIZER, point), 0);
    assert_true(study_real(study, KEY_WEIGHT_DECAY, point) == 5e-4);
    assert_true(study_real(study, KEY_MAX_TIME, NULL) == 720);
    unit[optimizer] = 0.9;
    point_from_unit(space, unit, point);
    assert_true(isnan(point[momentum]) && study_real(study, KEY_MOMENTUM, point) == 0.9); /* the preset */
    point[space_find(space, "hidden1")] = 20;
    point[space_find(space, "hidden2")] = 20;
    assert_true(study_allows(study, point));
    point[space_find(space, "hidden2")] = 21;
    assert_false(study_allows(study, point));
    assert_int_equal(study->network.blocks, 1);
    assert_int_equal(study->network.block[0].layers.count, 6);
    assert_string_equal(study->network.block[0].layers.layer[3].word, "begin");
    study_destroy(study);
}

/* Every type of key with every kind of parameter that may stand for it. */
static void searched_keys(void **state)
{
    (void)state;
    static const char content[] =
        "[study]\nname = a\ntrials = 1\n[data]\ndataset = a\n[space]\n"
        "method = choice adam, sgd\nnag = bool\nmode = ordered on, off\nclip = ordered none, 0.5, 1\n"
        "size = ordered 32, 64\nrate = int 1..3\nplan = fixed cosine\nlong = int 2..4\n"
        "[network]\nlayer = dense units=classes if=$mode\n[training]\n"
        "optimizer = $method\nnesterov = $nag\nclip_norm = $clip\nbatch_size = $size\n"
        "learning_rate = $rate\nschedule = $plan\nepochs = $long\nmomentum = 0.5\n"
        "[objectives]\nval_loss = minimize\n";
    struct study *study = read_text(content, NULL, 0);
    double first[8] = {0, 0, 0, 0, 0, 1, 0, 2}, last[8] = {1, 1, 1, 2, 1, 3, 0, 4};
    assert_int_equal(study_choice(study, KEY_OPTIMIZER, first), 1);
    assert_int_equal(study_choice(study, KEY_OPTIMIZER, last), 0);
    assert_false(study_bool(study, KEY_NESTEROV, first));
    assert_true(study_bool(study, KEY_NESTEROV, last));
    assert_true(study_real(study, KEY_CLIP_NORM, first) == 0 && study_real(study, KEY_CLIP_NORM, last) == 1);
    assert_int_equal(study_int(study, KEY_BATCH_SIZE, first), 32);
    assert_int_equal(study_int(study, KEY_BATCH_SIZE, last), 64);
    assert_true(study_real(study, KEY_LEARNING_RATE, first) == 1 && study_real(study, KEY_LEARNING_RATE, last) == 3);
    assert_int_equal(study_choice(study, KEY_SCHEDULE, first), 2);
    assert_int_equal(study_int(study, KEY_EPOCHS, last), 4);
    assert_true(study_real(study, KEY_MOMENTUM, NULL) == 0.5);
    assert_true(study_real(study, KEY_EPSILON, NULL) == 1e-8);
    assert_int_equal(study_int(study, KEY_EPOCH_IMAGES, NULL), 0);
    assert_string_equal(study_text(study, KEY_DATASET), "a");
    assert_string_equal(study_text(study, KEY_DATA_FOLDER), "");
    study_destroy(study);
}

static void seeds(void **state)
{
    (void)state;
    static const char *const overrides[][1] = {{"study.seed=9223372036854775807"}, {"study.seed=0"}};
    struct study *study = read_text(example_mnist, overrides[0], 1);
    assert_true(study_seed(study) == (uint64_t)INT64_MAX);
    study_destroy(study);
    study = read_text(example_mnist, overrides[1], 1);
    assert_true(study_seed(study) == 0);
    study_destroy(study);
}

static void overrides(void **state)
{
    (void)state;
    static const char *const changes[] = {"space.hidden1=int 8..16",
                                          "study.trials = 3",
                                          "study.trials=4",
                                          "run.max_time=90s",
                                          "training.epochs=2",
                                          "space.epochs=fixed 2",
                                          "constraints.parameters=<= 5000",
                                          "training.label_smoothing=$dropout",
                                          "constraints.small=hidden1 + 4 <= hidden2 or epochs = 2"};
    struct study *study = NULL;
    struct log *log = test_log();
    /* an overridden use may leave a parameter without one: the same error as in a file */
    assert_int_equal(study_read_text(example_mnist, "test.ini", changes, 5, log, &study), NR_INVALID);
    test_log_has(log,
                 "test.ini:17: [space] epochs: the parameter is used nowhere after --set training.epochs; write --set "
                 "space.epochs=\"fixed 2\" instead");
    log_destroy(log);
    study = read_text(example_mnist, changes, sizeof changes / sizeof *changes);
    assert_int_equal(study->space.count, 6);
    assert_true(study->space.dimension[0].low == 8 && study->space.dimension[0].high == 16); /* in its place */
    assert_true(!strcmp(study->space.dimension[0].file, "--set") && study->space.dimension[0].line == 0);
    assert_int_equal(study_int(study, KEY_TRIALS, NULL), 4); /* the last one counts */
    assert_true(study_real(study, KEY_MAX_TIME, NULL) == 90);
    assert_int_equal(study->constraints, 2);
    assert_true(study->constraint[0].relation == RELATION_AT_MOST && study->constraint[0].bound == 5000);
    study_destroy(study);
}

static void bounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum relation relation;
        double bound;
    } cases[] = {
        {"<= 200000", RELATION_AT_MOST, 200000}, {"<=5e6", RELATION_AT_MOST, 5e6},   {"< 10", RELATION_AT_MOST, 9},
        {"< 10.5", RELATION_AT_MOST, 10},        {"<= 10.5", RELATION_AT_MOST, 10},  {">= 10", RELATION_AT_LEAST, 10},
        {"> 10", RELATION_AT_LEAST, 11},         {">= 10.5", RELATION_AT_LEAST, 11}, {"> 10.5", RELATION_AT_LEAST, 11},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char override[64];
        const char *changes[] = {override};
        snprintf(override, sizeof override, "constraints.macs=%s", cases[i].text);
        struct study *study = read_text(example_mnist, changes, 1);
        assert_int_equal(study->constraints, 1);
        assert_string_equal(study->constraint[0].name, "macs");
        assert_int_equal(study->constraint[0].relation, cases[i].relation);
        assert_true(study->constraint[0].bound == cases[i].bound);
        study_destroy(study);
    }
    static const char *const two[] = {"constraints.memory=>= 10 and <= 10"};
    struct study *study = read_text(example_mnist, two, 1);
    assert_true(study->constraints == 2 && study->constraint[0].bound == 10 && study->constraint[1].bound == 10);
    study_destroy(study);
}

static char *identity_of(const char *content, const char *const *changes, size_t count)
{
    struct study *study = read_text(content, changes, count);
    char *identity = study_identity(study);
    assert_non_null(identity);
    study_destroy(study);
    return identity;
}

static void identity_is_canonical(void **state)
{
    (void)state;
    /* other order of sections, keys and attributes; comments, blanks, spellings of the same; presets said aloud */
    static const char one[] =
        "[study]\nname = a\ntrials = 1\n[data]\ndataset = d\n"
        "[space]\nh = int 16..128 log if m=sgd\nm = choice sgd, adam\nw[n] = int 1..4\nn = int 1..2\n"
        "[network]\nlayer = dense units=$h bias=no\nblock = b repeat=$n\nlayer = dense units=classes\n"
        "[block b]\nlayer = dense units=$w\n"
        "[training]\noptimizer = $m\n[objectives]\nval_loss = minimize\nparameters = minimize threshold=1e5\n"
        "[constraints]\nparameters = < 200001\nnarrow = h<=2 * h\n";
    static const char other[] =
        "; comment\n[constraints]\nnarrow =   h <= 2*h ; why not\nparameters = <= 2e5\n"
        "[training]\nepochs = 1e1\nclip_norm = none\nlearning_rate = 1e-3\noptimizer = $m\n"
        "[block b]\n   layer = dense units=$w\n[run]\nworkers = 7\nmax_time = 3d\n"
        "[network]\nlayer = dense bias=no units=$h\nblock = b repeat=$n\nlayer =   dense   units=classes\n"
        "[data]\ndataset = d\nepoch_images = all\n"
        "[objectives]\nval_loss = minimize\nparameters = minimize  threshold=100000\n"
        "[space]\nn=int 1 .. 2\nw[n] = int 1..4\nm = choice sgd,adam\n"
        "h = int 16..128   log if m = sgd\n[study]\ntrials = 99\nseed = 1\nname = a\n";
    char *first = identity_of(one, NULL, 0), *second = identity_of(other, NULL, 0);
    assert_string_equal(first, second);
    assert_null(strstr(first, "trials"));
    assert_null(strstr(first, "run."));
    assert_non_null(strstr(first, "space.w[n] = int 1..4\n"));
    assert_non_null(strstr(first, "training.learning_rate = 0.001\n"));
    assert_non_null(strstr(first, "network.001 = dense bias=no units=$h\n"));
    assert_non_null(strstr(first, "constraints.parameters = <= 200000\n"));
    free(first);
    free(second);
}

static void identity_tells_apart(void **state)
{
    (void)state;
    static const char *const changes[][1] = {
        {"study.name=other"},
        {"study.seed=2"},
        {"data.validation=0.2"},
        {"space.hidden1=int 16..129 log"},
        {"space.hidden1=int 16..128"},
        {"space.batch_size=choice 32, 64, 128, 256"},
        {"space.epochs=int 1..4 if dropout > 0.1"},
        {"training.optimizer=sgd"},
        {"training.epsilon=1e-7"},
        {"objectives.val_accuracy=maximize"},
        {"objectives.macs=minimize"},
        {"constraints.macs=<= 5"},
        {"constraints.a=hidden1 > 20"},
        {"search.initial=13"},
        {"search.method=sobol"},
    };
    char *original = identity_of(example_mnist, NULL, 0);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *changed = identity_of(example_mnist, changes[i], 1);
        if (!strcmp(original, changed)) {
            print_error("%s makes no difference\n", changes[i][0]);
            fail();
        }
        free(changed);
    }
    static const char *const harmless[] = {"study.trials=5",  "run.workers=3", "run.max_time=1h",
                                           "run.devices=0,2", "run.lanes=4",   "search.method=bo"};
    char *same = identity_of(example_mnist, harmless, 6);
    assert_string_equal(original, same);
    free(same);
    free(original);
}

/* The table of keys itself. */
static void keys_are_sound(void **state)
{
    (void)state;
    for (int id = 0; id < KEY_COUNT; id++) {
        const struct key *key = &keys[id];
        assert_non_null(key->section);
        assert_non_null(key->name);
        assert_non_null(key->help);
        assert_int_equal(key_find(key->section, key->name), id);
        assert_true(!key->preset || key_accepts(key, key->preset, NULL));
        assert_true((key->choices != NULL) == (key->type == KEY_CHOICE || key->type == KEY_NUMBERS));
        assert_true(key->minimum <= key->maximum);
        assert_true(key->preset || !key->searchable); /* an inactive parameter leaves the preset */
        assert_true(!key->searchable || !strcmp(key->section, "training"));
    }
    assert_int_equal(key_find("training", "trials"), KEY_COUNT);
}

/* What a list of device numbers may look like. */
static void lists_of_numbers(void **state)
{
    (void)state;
    int out[KEY_MOST_NUMBERS];
    const struct key *key = &keys[KEY_DEVICES];
    assert_int_equal(key_numbers(key, "3", out), 1);
    assert_int_equal(out[0], 3);
    assert_int_equal(key_numbers(key, "2, 0 ,11", out), 3);
    assert_int_equal(out[0], 2);
    assert_int_equal(out[1], 0);
    assert_int_equal(out[2], 11);
    static const char *const none[] = {
        "", ",", "0,", ",0", "0,,1", "0,0", "-1", "1x", "0 1", "1024", "auto", "0;1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(key_numbers(key, none[i], out), 0);
    static const char *const accepted[] = {"auto", "all", "cpu", "0", "0,2"};
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        assert_true(key_accepts(key, accepted[i], NULL));
}

static void help_shows_every_key(void **state)
{
    (void)state;
    char *content = NULL;
    size_t length;
    FILE *stream = open_memstream(&content, &length);
    assert_non_null(stream);
    keys_print(stream);
    fclose(stream);
    for (int id = 0; id < KEY_COUNT; id++) {
        char name[64];
        snprintf(name, sizeof name, "%c %s ", keys[id].searchable ? '*' : ' ', keys[id].name);
        assert_non_null(strstr(content, name));
        assert_non_null(strstr(content, keys[id].help));
    }
    for (char *line = strtok(content, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 100);
    free(content);
}

/* Keys that no point makes use of are named, once each; those that a condition may need are not. */
static void idle_keys(void **state)
{
    (void)state;
    static const char *const changes[] = {"training.momentum=0.8", "training.final_rate=0.1", "training.beta1=0.8",
                                          "training.step_epochs=2", "training.schedule=step"};
    struct log *log = test_log();
    struct study *study;
    assert_ok(study_read_text(example_mnist, "test.ini", changes, 5, log, &study));
    assert_string_equal(log_text(log), "");
    study_warn_idle(study, log);
    test_log_has(log, "--set training.momentum has no effect: optimizer is never sgd\n"
                      "--set training.final_rate has no effect: schedule is never cosine or onecycle\n");
    study_destroy(study);
    assert_ok(study_read_text(example_grammar, "test.ini", NULL, 0, log, &study)); /* optimizer = $optimizer */
    study_warn_idle(study, log);
    assert_string_equal(log_text(log), "");
    study_destroy(study);
    log_destroy(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(idle_keys),
        cmocka_unit_test(mnist),
        cmocka_unit_test(grammar),
        cmocka_unit_test(searched_keys),
        cmocka_unit_test(seeds),
        cmocka_unit_test(overrides),
        cmocka_unit_test(bounds),
        cmocka_unit_test(identity_is_canonical),
        cmocka_unit_test(identity_tells_apart),
        cmocka_unit_test(keys_are_sound),
        cmocka_unit_test(lists_of_numbers),
        cmocka_unit_test(help_shows_every_key),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
