/* Schedules against figures of a reference run and against their definitions; what counts as the same recipe. */
#include "support/test.h"

#include "base/text.h"
#include "train/recipe.h"

static struct recipe plain(void)
{
    return (struct recipe){.optimizer = OPTIMIZER_SGD,
                           .learning_rate = 0.5,
                           .momentum = 0.9,
                           .beta1 = 0.9,
                           .beta2 = 0.999,
                           .epsilon = 1e-8,
                           .batch_size = 10,
                           .epochs = 4,
                           .epoch_images = 95,
                           .step_epochs = 1,
                           .step_factor = 0.1};
}

static void counts_the_short_batch_as_a_step(void **state)
{
    (void)state;
    struct recipe recipe = plain();
    assert_int_equal(recipe_steps_per_epoch(&recipe), 10);
    recipe.epoch_images = 100;
    assert_int_equal(recipe_steps_per_epoch(&recipe), 10);
    recipe.epoch_images = 101;
    assert_int_equal(recipe_steps_per_epoch(&recipe), 11);
    recipe.batch_size = 1000;
    assert_int_equal(recipe_steps_per_epoch(&recipe), 1);
}

static void follows_the_reference_cosine(void **state)
{
    (void)state;
    struct test_csv csv;
    test_csv_read("tests/golden/schedule/cosine_warmup.csv", true, &csv);
    struct recipe recipe = plain();
    recipe.schedule = SCHEDULE_COSINE;
    recipe.learning_rate = 0.2;
    recipe.epoch_images = 96;
    recipe.batch_size = 16;
    recipe.warmup_epochs = 5.0 / 6;
    assert_int_equal(csv.rows, recipe.epochs * recipe_steps_per_epoch(&recipe));
    for (size_t t = 0; t < csv.rows; t++) /* the last rates are small differences of cosines near -1 */
        assert_near(recipe_learning_rate(&recipe, (int64_t)t), test_csv_real(&csv, t, "lr"), 1e-13, 1e-16);
    test_csv_clear(&csv);
}

static void constant_and_steps(void **state)
{
    (void)state;
    struct recipe recipe = plain();
    for (int64_t t = 0; t < 40; t++)
        assert_near(recipe_learning_rate(&recipe, t), 0.5, 0, 0);
    recipe.schedule = SCHEDULE_STEP;
    recipe.step_epochs = 1.5;
    assert_near(recipe_learning_rate(&recipe, 14), 0.5, 0, 0);
    assert_near(recipe_learning_rate(&recipe, 15), 0.05, 1e-15, 0);
    assert_near(recipe_learning_rate(&recipe, 30), 0.005, 1e-15, 0);
    recipe.warmup_epochs = 0.4; /* 4 steps, of a quarter each */
    assert_near(recipe_learning_rate(&recipe, 0), 0.125, 1e-15, 0);
    assert_near(recipe_learning_rate(&recipe, 3), 0.5, 1e-15, 0);
    assert_near(recipe_learning_rate(&recipe, 15), 0.05, 1e-15, 0);
}

static void ends_at_the_final_rate(void **state)
{
    (void)state;
    struct recipe recipe = plain();
    recipe.schedule = SCHEDULE_COSINE;
    recipe.final_rate = 0.25;
    assert_near(recipe_learning_rate(&recipe, 0), 0.5, 1e-15, 0);
    assert_near(recipe_learning_rate(&recipe, 20), 0.5 * (0.25 + 0.75 / 2), 1e-14, 0);
    assert_near(recipe_learning_rate(&recipe, 40), 0.125, 1e-14, 0);
    double before = 1;
    for (int64_t t = 0; t < 40; t++) {
        double rate = recipe_learning_rate(&recipe, t);
        assert_true(rate < before && rate > 0.125);
        before = rate;
    }
}

static void onecycle_rises_then_falls(void **state)
{
    (void)state;
    struct recipe recipe = plain();
    recipe.schedule = SCHEDULE_ONECYCLE;
    for (int64_t t = 0; t < 12; t++) /* 30 % of 40 steps */
        assert_near(recipe_learning_rate(&recipe, t), 0.5 * (double)(t + 1) / 12, 1e-15, 0);
    assert_near(recipe_learning_rate(&recipe, 12), 0.5, 1e-15, 0);
    assert_near(recipe_learning_rate(&recipe, 26), 0.25, 1e-14, 0);
    assert_true(recipe_learning_rate(&recipe, 39) < 0.002 && recipe_learning_rate(&recipe, 39) > 0);
    recipe.warmup_epochs = 2;
    assert_near(recipe_learning_rate(&recipe, 9), 0.25, 1e-15, 0);
}

static void survives_more_warmup_than_steps(void **state)
{
    (void)state;
    for (int schedule = SCHEDULE_CONSTANT; schedule <= SCHEDULE_ONECYCLE; schedule++) {
        struct recipe recipe = plain();
        recipe.schedule = (enum schedule_kind)schedule;
        recipe.warmup_epochs = 1000;
        recipe.step_epochs = 100;
        for (int64_t t = 0; t < 40; t++)
            assert_near(recipe_learning_rate(&recipe, t), 0.5 * (double)(t + 1) / 40, 1e-15, 0);
        assert_true(isfinite(recipe_learning_rate(&recipe, 40)));
    }
}

static void slots_follow_the_optimizer(void **state)
{
    (void)state;
    struct recipe recipe = plain();
    assert_int_equal(recipe_optimizer_slots(&recipe), 1);
    recipe.momentum = 0;
    assert_int_equal(recipe_optimizer_slots(&recipe), 0);
    recipe.optimizer = OPTIMIZER_ADAM;
    assert_int_equal(recipe_optimizer_slots(&recipe), 2);
    recipe.optimizer = OPTIMIZER_ADAMW;
    assert_int_equal(recipe_optimizer_slots(&recipe), 2);
}

static bool same_identity(const struct recipe *a, const struct recipe *b)
{
    struct recipe_identity left, right;
    recipe_identify(a, &left);
    recipe_identify(b, &right);
    return left.length == right.length && !memcmp(left.bytes, right.bytes, left.length);
}

static void identity_holds_what_has_effect(void **state)
{
    (void)state;
    struct recipe a = plain(), b = plain();
    b.beta1 = 0.5; /* no effect on sgd */
    b.step_factor = 0.7;
    b.final_rate = 0.1;
    assert_true(same_identity(&a, &b));
    b.learning_rate = nextafter(0.5, 1);
    assert_false(same_identity(&a, &b));
    b = a;
    b.schedule = SCHEDULE_COSINE;
    assert_false(same_identity(&a, &b));
    a = b;
    b.final_rate = 0.1;
    assert_false(same_identity(&a, &b));
    a = plain(), b = plain();
    a.optimizer = OPTIMIZER_ADAM;
    b.optimizer = OPTIMIZER_ADAMW;
    b.momentum = 0.1;
    assert_true(same_identity(&a, &b)); /* without decay they are one */
    a.weight_decay = b.weight_decay = 0.01;
    assert_false(same_identity(&a, &b));
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(counts_the_short_batch_as_a_step),
    cmocka_unit_test(follows_the_reference_cosine),
    cmocka_unit_test(constant_and_steps),
    cmocka_unit_test(ends_at_the_final_rate),
    cmocka_unit_test(onecycle_rises_then_falls),
    cmocka_unit_test(survives_more_warmup_than_steps),
    cmocka_unit_test(slots_follow_the_optimizer),
    cmocka_unit_test(identity_holds_what_has_effect),
};
TEST_MAIN(cases)
