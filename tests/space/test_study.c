/* space/study on good configurations: everything that the grammar knows, values of keys, overrides, identity. Bad ones are
 * in test_study_bad.c. */
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

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(mnist),
        cmocka_unit_test(grammar),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
