/* The CPU behind backend.h: repeatable bits, resuming, short batches, variants that agree, divergence, refusals. */
#include "support/test.h"

#include "base/rng.h"
#include "train/backend.h"
#include "train/cpu/engine.h"
#include "train/hand_plan.h"

enum { IMAGES = 150, SIDE = 12, CLASSES = 4, TRAININGS = 110 };

struct fixture {
    uint8_t pixels[IMAGES * SIDE * SIDE], labels[IMAGES];
    uint32_t training[TRAININGS], validation[IMAGES - TRAININGS];
    float mean[1], deviation[1];
    struct dataset dataset;
    struct split split;
    struct hand_plan hand;
    struct recipe recipe;
    struct log *log;
    struct device *device;
    struct images *images;
};

static const struct recipe adam = {.optimizer = OPTIMIZER_ADAM,
                                   .learning_rate = 3e-3,
                                   .beta1 = 0.9,
                                   .beta2 = 0.999,
                                   .epsilon = 1e-8,
                                   .batch_size = 32,
                                   .epochs = 4,
                                   .epoch_images = TRAININGS, /* 32, 32, 32, 14 */
                                   .shift = 1,
                                   .flip = 0.5,
                                   .erase = 3};

/* The brightness of one quarter tells the class. */
static void setup(struct fixture *f)
{
    struct rng rng = rng_create(21, 0, RANDOM_TEST, 0, 0);
    memset(f, 0, sizeof *f);
    for (uint32_t i = 0; i < IMAGES; i++) {
        f->labels[i] = (uint8_t)(i % CLASSES);
        for (int pixel = 0; pixel < SIDE * SIDE; pixel++) {
            int quarter = pixel / SIDE / (SIDE / 2) * 2 + pixel % SIDE / (SIDE / 2);
            f->pixels[i * SIDE * SIDE + (uint32_t)pixel] =
                (uint8_t)(rng_below(&rng, 150) + (quarter == f->labels[i] ? 90 : 0));
        }
        if (i < TRAININGS)
            f->training[i] = i;
        else
            f->validation[i - TRAININGS] = i;
    }
    f->mean[0] = 0.35f;
    f->deviation[0] = 0.2f;
    f->dataset = (struct dataset){
        .shape = {1, SIDE, SIDE}, .classes = CLASSES, .count = IMAGES, .images = f->pixels, .labels = f->labels};
    f->split = (struct split){.training = f->training,
                              .trainings = TRAININGS,
                              .validation = f->validation,
                              .validations = IMAGES - TRAININGS,
                              .mean = f->mean,
                              .deviation = f->deviation,
                              .channels = 1};
    f->recipe = adam;
    f->log = test_log();
    hand_begin(&f->hand, 1, SIDE, CLASSES);
}

static void open_device(struct fixture *f)
{
    assert_ok(cpu_backend.open(0, f->log, &f->device));
    assert_ok(cpu_backend.upload(f->device, &f->dataset, &f->images));
}

static void close_device(struct fixture *f)
{
    cpu_backend.unload(f->images);
    cpu_backend.close(f->device);
}

static void layers_mlp(struct hand_plan *hand)
{
    hand_dense(hand, 19);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.25);
    hand_dense(hand, CLASSES);
}

static void layers_cnn(struct hand_plan *hand)
{
    hand_conv(hand, 5, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dropout(hand, 0.1);
    hand_conv(hand, 7, 3, 1, 0, 1, true);
    hand_act(hand, ACT_SILU);
    hand_global(hand);
    hand_dense(hand, CLASSES);
}

static struct trainer *trainer_create(struct fixture *f, uint32_t trial)
{
    const struct trainer_setup trainer_setup = {
        .plan = &f->hand.plan, .recipe = &f->recipe, .split = &f->split, .seed = 77, .trial = trial};
    struct trainer *trainer;
    assert_ok(cpu_backend.create(f->device, f->images, &trainer_setup, &trainer));
    return trainer;
}

static void train(struct trainer *trainer, int64_t steps)
{
    struct progress progress;
    assert_ok(cpu_backend.submit(trainer, steps));
    cpu_backend.poll(trainer, &progress);
    assert_ok(progress.status);
    assert_false(progress.busy);
}

static void assert_same_state(struct trainer *a, struct trainer *b, bool same)
{
    struct trial_state left, right;
    assert_ok(cpu_backend.read_state(a, &left));
    assert_ok(cpu_backend.read_state(b, &right));
    assert_int_equal(left.step, right.step);
    bool equal = !memcmp(left.parameter, right.parameter, (size_t)left.parameters * sizeof(float)) &&
                 !memcmp(left.buffer, right.buffer, (size_t)left.buffers * sizeof(float)) &&
                 !memcmp(left.slot, right.slot, (size_t)(left.slots * left.parameters) * sizeof(float));
    assert_int_equal(equal, same);
    trial_state_clear(&left);
    trial_state_clear(&right);
}

/* Same seed and trial: same bits; another trial: others. A trainer that takes over the state half way, in the middle
 * of an epoch, ends with the bits of the one that was not interrupted. */
static void repeats(void (*layers)(struct hand_plan *))
{
    struct fixture f;
    setup(&f);
    layers(&f.hand);
    open_device(&f);
    struct trainer *first = trainer_create(&f, 3), *again = trainer_create(&f, 3), *other = trainer_create(&f, 4);
    train(first, 14);
    train(again, 14);
    train(other, 14);
    assert_same_state(first, again, true);
    assert_same_state(first, other, false);

    struct trainer *half = trainer_create(&f, 3), *resumed = trainer_create(&f, 3);
    struct trial_state state;
    train(half, 6);
    assert_ok(cpu_backend.read_state(half, &state));
    assert_int_equal(state.step, 6);
    assert_ok(cpu_backend.write_state(resumed, &state));
    trial_state_clear(&state);
    train(resumed, 8);
    assert_same_state(first, resumed, true);
    cpu_backend.destroy(first);
    cpu_backend.destroy(again);
    cpu_backend.destroy(other);
    cpu_backend.destroy(half);
    cpu_backend.destroy(resumed);
    close_device(&f);
    log_destroy(f.log);
}

static void same_seed_same_bits(void **state)
{
    (void)state;
    repeats(layers_mlp);
    repeats(layers_cnn);
}

/* Learns what can be learnt; counts images and losses; evaluates in any number of pieces. */
static void learns(void **state)
{
    (void)state;
    static void (*const nets[])(struct hand_plan *) = {layers_mlp, layers_cnn};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        struct progress progress;
        struct evaluation evaluation;
        setup(&f);
        f.recipe.shift = f.recipe.erase = 0;
        f.recipe.flip = 0;
        f.recipe.learning_rate = 1e-2;
        nets[i](&f.hand);
        open_device(&f);
        struct trainer *trainer = trainer_create(&f, 0);
        train(trainer, 4);
        cpu_backend.poll(trainer, &progress);
        assert_int_equal(progress.images, TRAININGS);
        assert_int_equal(progress.step, 4);
        assert_near(progress.loss_sum / TRAININGS, log(CLASSES), 0.5, 0);
        train(trainer, 200);
        cpu_backend.reset_progress(trainer);
        train(trainer, 4);
        cpu_backend.poll(trainer, &progress);
        assert_true(progress.loss_sum / TRAININGS < 0.4);
        assert_ok(cpu_backend.evaluate(trainer, f.images, f.validation, IMAGES - TRAININGS, &evaluation));
        assert_int_equal(evaluation.images, IMAGES - TRAININGS);
        assert_true((double)evaluation.correct > 0.8 * (IMAGES - TRAININGS));
        assert_true(evaluation.loss_sum > 0 && evaluation.loss_sum < 0.7 * (IMAGES - TRAININGS));
        cpu_backend.destroy(trainer);
        close_device(&f);
        log_destroy(f.log);
    }
}

/* An image's logits do not depend on who else is in the batch: not on its place, nor on how full the last block is. */
static void logits_stand_alone(void **state)
{
    (void)state;
    struct fixture f;
    float all[IMAGES * CLASSES], one[CLASSES];
    uint32_t everything[IMAGES];
    setup(&f);
    layers_cnn(&f.hand);
    open_device(&f);
    struct trainer *trainer = trainer_create(&f, 0);
    train(trainer, 9);
    for (uint32_t i = 0; i < IMAGES; i++)
        everything[i] = i;
    assert_ok(cpu_backend.predict(trainer, f.images, everything, IMAGES, all));
    for (size_t i = 0; i < IMAGES; i += 13) {
        assert_ok(cpu_backend.predict(trainer, f.images, everything + i, 1, one));
        for (size_t j = 0; j < CLASSES; j++)
            assert_near(one[j], all[i * CLASSES + j], 1e-5, 1e-6);
    }
    cpu_backend.destroy(trainer);
    close_device(&f);
    log_destroy(f.log);
}

/* Every variant draws the same numbers and computes the same but for rounding. Bound: 24 steps of Adam move a weight by
 * up to 3e-3 each; where a gradient is rounding alone its sign may differ, so that single weights may be off by a step.
 */
static void variants_agree(void **state)
{
    (void)state;
    struct fixture f;
    float reference[IMAGES * CLASSES], logits[IMAGES * CLASSES];
    uint32_t everything[IMAGES];
    size_t count;
    const struct cpu_engine *const *engines = cpu_engines(&count);
    for (uint32_t i = 0; i < IMAGES; i++)
        everything[i] = i;
    for (size_t i = count; i-- > 0;) { /* the last is double: the reference */
        if (!engines[i]->supported())
            continue;
        bool precise = engines[i]->precision == PRECISION_FLOAT64;
        if (!precise)
            setenv("NASRUN_ISA", engines[i]->name, 1);
        setup(&f);
        f.recipe.precision = engines[i]->precision;
        layers_cnn(&f.hand);
        open_device(&f);
        struct trainer *trainer = trainer_create(&f, 0);
        train(trainer, 24);
        assert_ok(cpu_backend.predict(trainer, f.images, everything, IMAGES, precise ? reference : logits));
        for (size_t j = 0; !precise && j < IMAGES * CLASSES; j++)
            assert_near(logits[j], reference[j], 2e-3, 2e-3);
        struct text text = {0};
        cpu_backend.describe(f.device, &text);
        if (!precise)
            assert_non_null(strstr(text.data, engines[i]->name));
        text_clear(&text);
        cpu_backend.destroy(trainer);
        close_device(&f);
        log_destroy(f.log);
        unsetenv("NASRUN_ISA");
    }
}

static void unknown_isa(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct device *device;
    setenv("NASRUN_ISA", "mmx", 1);
    assert_int_equal(cpu_backend.open(0, log, &device), NR_INVALID);
    unsetenv("NASRUN_ISA");
    test_log_has(log, "\"mmx\"");
    log_destroy(log);
}

/* A rate that blows up, and weights that are NaN: found at the step, and nothing runs after it. */
static void divergence(void **state)
{
    (void)state;
    struct fixture f;
    struct progress progress;
    setup(&f);
    f.recipe.optimizer = OPTIMIZER_SGD;
    f.recipe.learning_rate = 1e30;
    layers_mlp(&f.hand);
    open_device(&f);
    struct trainer *trainer = trainer_create(&f, 0);
    assert_ok(cpu_backend.submit(trainer, 50));
    cpu_backend.poll(trainer, &progress);
    assert_int_equal(progress.status, NR_DIVERGED);
    assert_true(progress.failed_at > 0 && progress.failed_at < 50 && progress.step == progress.failed_at);
    cpu_backend.destroy(trainer);

    f.recipe = adam;
    trainer = trainer_create(&f, 0);
    struct trial_state weights;
    assert_ok(cpu_backend.read_state(trainer, &weights));
    weights.parameter[5] = NAN;
    assert_ok(cpu_backend.write_state(trainer, &weights));
    assert_ok(cpu_backend.submit(trainer, 3));
    cpu_backend.poll(trainer, &progress);
    assert_int_equal(progress.status, NR_DIVERGED);
    assert_int_equal(progress.failed_at, 0);
    trial_state_clear(&weights);
    cpu_backend.destroy(trainer);
    close_device(&f);
    log_destroy(f.log);
}

static void refuses_other_images(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    hand_begin(&f.hand, 3, SIDE, CLASSES);
    layers_mlp(&f.hand);
    open_device(&f);
    const struct trainer_setup trainer_setup = {.plan = &f.hand.plan, .recipe = &f.recipe, .split = &f.split};
    struct trainer *trainer;
    assert_int_equal(cpu_backend.create(f.device, f.images, &trainer_setup, &trainer), NR_INVALID);
    test_log_has(f.log, "3x12x12");
    close_device(&f);
    log_destroy(f.log);
}

/* More than the state alone, more for larger batches, and a number for every plan. */
static void memory_is_told(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    layers_cnn(&f.hand);
    open_device(&f);
    int64_t small = cpu_backend.memory(f.device, &f.hand.plan, &f.recipe);
    f.recipe.batch_size = 1024;
    int64_t large = cpu_backend.memory(f.device, &f.hand.plan, &f.recipe);
    assert_true(small > 4 * 4 * f.hand.plan.parameters && large > 4 * small);
    close_device(&f);
    log_destroy(f.log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(same_seed_same_bits),  cmocka_unit_test(learns),         cmocka_unit_test(logits_stand_alone),
        cmocka_unit_test(variants_agree),       cmocka_unit_test(unknown_isa),    cmocka_unit_test(divergence),
        cmocka_unit_test(refuses_other_images), cmocka_unit_test(memory_is_told),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
