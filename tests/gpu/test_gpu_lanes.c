/* Several trials at once on one device: the bits of each are those that it has alone. */
#include "support/gpu.h"

enum { IMAGES = 120, MOST_LANES = 4, STEPS = 18 };

static void mlp(struct hand_plan *hand)
{
    hand_dense(hand, 24);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.2);
    hand_dense(hand, TRAINING_CLASSES);
}

static void cnn(struct hand_plan *hand)
{
    hand_conv(hand, 6, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dense(hand, TRAINING_CLASSES);
}

static void open_device(struct training *training, gpu_layers *layers)
{
    training_create(training, IMAGES, 1, 8);
    layers(&training->hand);
    training->recipe.epochs = 8;
    training_open(training, gpu_backend());
}

static int lanes_of(struct training *training)
{
    int lanes = training->backend->lanes(training->device);
    if (lanes < 2) {
        training_clear(training);
        skip();
    }
    return lanes < MOST_LANES ? lanes : MOST_LANES;
}

static struct trainer *in_lane(struct training *training, uint32_t trial, int lane)
{
    struct trainer_setup setup = training_setup(training, trial);
    setup.lane = lane;
    return training_create_trainer(training, &setup);
}

/* The state after STEPS steps alone in lane 0. */
static void train_alone(struct training *training, uint32_t trial, struct trial_state *out)
{
    struct trainer *trainer = in_lane(training, trial, 0);
    training_steps(training, trainer, STEPS);
    assert_ok(training->backend->read_state(trainer, out));
    training->backend->destroy(trainer);
}

static void wait_for_all(struct training *training, struct trainer **trainer, int lanes)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (int lane = 0; lane < lanes; lane++) {
            struct progress progress;
            training->backend->poll(trainer[lane], &progress);
            assert_ok(progress.status);
            busy |= progress.busy;
        }
    }
}

/* Portions of other sizes in every lane; trial k is in another lane than it was alone. */
static void train_together(struct training *training, int lanes, const struct trial_state *expected)
{
    struct trainer *trainer[MOST_LANES];
    for (int lane = 0; lane < lanes; lane++)
        trainer[lane] = in_lane(training, (uint32_t)(lanes - 1 - lane), lane);
    for (int lane = 0; lane < lanes; lane++)
        assert_ok(training->backend->submit(trainer[lane], 3 + lane));
    wait_for_all(training, trainer, lanes);
    for (int lane = 0; lane < lanes; lane++)
        assert_ok(training->backend->submit(trainer[lane], STEPS - 3 - lane));
    wait_for_all(training, trainer, lanes);
    for (int lane = 0; lane < lanes; lane++) {
        struct trial_state state;
        assert_ok(training->backend->read_state(trainer[lane], &state));
        assert_true(training_same_state(&state, &expected[lanes - 1 - lane]));
        trial_state_clear(&state);
        training->backend->destroy(trainer[lane]);
    }
}

static void together_as_alone(void **state)
{
    (void)state;
    static gpu_layers *const networks[] = {mlp, cnn};
    for (size_t i = 0; i < 2; i++) {
        struct training training;
        struct trial_state expected[MOST_LANES];
        open_device(&training, networks[i]);
        int lanes = lanes_of(&training);
        for (int trial = 0; trial < lanes; trial++)
            train_alone(&training, (uint32_t)trial, &expected[trial]);
        train_together(&training, lanes, expected);
        for (int trial = 0; trial < lanes; trial++)
            trial_state_clear(&expected[trial]);
        training_clear(&training);
    }
}

/* One lane evaluates, ends and begins anew while another trains. */
static void lanes_come_and_go(void **state)
{
    (void)state;
    struct training training;
    struct trial_state expected, got;
    open_device(&training, mlp);
    (void)lanes_of(&training);
    train_alone(&training, 7, &expected);
    struct trainer *steady = in_lane(&training, 7, 1);
    for (int64_t step = 0; step < STEPS; step += 6) {
        struct evaluation evaluation;
        assert_ok(training.backend->submit(steady, 6));
        struct trainer *guest = in_lane(&training, (uint32_t)step, 0);
        training_steps(&training, guest, 2);
        assert_ok(training.backend->evaluate(guest, training.images, training.split.validation,
                                             training.split.validations, &evaluation));
        training.backend->destroy(guest);
        wait_for_all(&training, &steady, 1);
    }
    assert_ok(training.backend->read_state(steady, &got));
    assert_true(training_same_state(&got, &expected));
    trial_state_clear(&got);
    trial_state_clear(&expected);
    training.backend->destroy(steady);
    training_clear(&training);
}

/* Steps under way are no reason to keep a trainer: a trial is stopped so. */
static void destroys_what_is_busy(void **state)
{
    (void)state;
    struct training training;
    struct trial_state expected, got;
    open_device(&training, mlp);
    train_alone(&training, 2, &expected);
    struct trainer *stopped = in_lane(&training, 1, 0);
    assert_ok(training.backend->submit(stopped, STEPS));
    training.backend->destroy(stopped);
    train_alone(&training, 2, &got);
    assert_true(training_same_state(&got, &expected));
    trial_state_clear(&got);
    trial_state_clear(&expected);
    training_clear(&training);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(together_as_alone),
    cmocka_unit_test(lanes_come_and_go),
    cmocka_unit_test(destroys_what_is_busy),
};

GPU_MAIN(cases)
