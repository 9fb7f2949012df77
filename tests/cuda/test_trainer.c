/* Trainers on the double: graphs, lanes, the order of the images, evaluation, memory, refusals. What a step computes is
 * compared with the CPU by tests/gpu, which runs on the double too; here it is compared with itself, bit by bit. */
#include "support/training.h"

#include "train/cuda/cuda.h"

enum { IMAGES = 120, STEPS = 37 }; /* 105 train */

static void mlp(struct hand_plan *hand)
{
    hand_dense(hand, 11);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.2);
    hand_dense(hand, 5);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, TRAINING_CLASSES);
}

static void cnn(struct hand_plan *hand)
{
    hand_conv(hand, 3, 3, 1, 1, 1, true);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dense(hand, TRAINING_CLASSES);
}

static void create(struct training *training, void (*layers)(struct hand_plan *))
{
    training_create(training, IMAGES, 3, 4);
    layers(&training->hand);
    training->recipe.batch_size = 7; /* 15 steps an epoch */
    training->recipe.epochs = 10;
    training->recipe.shift = 1;
}

static struct trainer *trainer_in(struct training *training, uint32_t trial, int lane)
{
    struct trainer_setup setup = training_setup(training, trial);
    setup.lane = lane;
    return training_create_trainer(training, &setup);
}

static struct trial_state state_of(struct trainer *trainer)
{
    struct trial_state state;
    assert_ok(cuda_backend.read_state(trainer, &state));
    return state;
}

/* What `steps` steps make of a trial with these options. */
static struct trial_state trained(struct training *training, int64_t steps_per_graph, int64_t steps)
{
    cuda_device_options(training->device)->steps_per_graph = steps_per_graph;
    struct trainer *trainer = training_trainer(training, 5);
    training_steps(training, trainer, steps);
    struct trial_state state = state_of(trainer);
    cuda_backend.destroy(trainer);
    return state;
}

static void expect_same(struct trial_state *a, struct trial_state *b)
{
    assert_true(training_same_state(a, b));
    trial_state_clear(a);
    trial_state_clear(b);
}

/* Epochs shorter than a pass, longer, of several passes, of a whole number of batches, of less than one; batches larger
 * than a pass. Graphs of any number of steps give the same bits, and the ring of passes is never read too early. */
static void graphs_of_any_length_give_the_same_bits(void **state)
{
    (void)state;
    static const struct {
        int64_t batch_size, epoch_images;
    } shapes[] = {{7, 105}, {7, 13}, {8, 100}, {7, 350}, {32, 20}, {105, 105}, {130, 300}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct training training;
        create(&training, mlp);
        training.recipe.batch_size = shapes[i].batch_size;
        training.recipe.epoch_images = shapes[i].epoch_images;
        training.recipe.epochs = STEPS;
        training_open(&training, &cuda_backend);
        struct trial_state single = trained(&training, 1, STEPS);
        for (int64_t together = 2; together <= 16; together += 14) {
            struct trial_state many = trained(&training, together, STEPS);
            assert_true(training_same_state(&single, &many));
            trial_state_clear(&many);
        }
        trial_state_clear(&single);
        training_clear(&training);
    }
}

/* The images of each step are those of the CPU: with a rate of 0, its losses are. A float32 loss of the same weights
 * differs by some 2^-22 of its terms, which are below 10. */
static void steps_take_the_cpus_images(void **state)
{
    (void)state;
    static const int64_t epochs[] = {105, 13, 250};
    for (size_t i = 0; i < 3; i++) {
        struct training gpu, cpu;
        double got[40], expected[40];
        create(&gpu, mlp);
        create(&cpu, mlp);
        gpu.recipe.epoch_images = cpu.recipe.epoch_images = epochs[i];
        gpu.recipe.learning_rate = cpu.recipe.learning_rate = 0;
        gpu.recipe.epochs = cpu.recipe.epochs = 40;
        training_open(&gpu, &cuda_backend);
        training_open(&cpu, &cpu_backend);
        struct trainer *on_gpu = training_trainer(&gpu, 1), *on_cpu = training_trainer(&cpu, 1);
        training_losses(&gpu, on_gpu, 40, got);
        training_losses(&cpu, on_cpu, 40, expected);
        for (int step = 0; step < 40; step++)
            assert_near(got[step], expected[step], 0, 5e-6);
        cuda_backend.destroy(on_gpu);
        cpu_backend.destroy(on_cpu);
        training_clear(&gpu);
        training_clear(&cpu);
    }
}

/* Steps of several trials, submitted in turn and looked at in turn: each has the bits that it has alone. */
static void lanes_do_not_meet(void **state)
{
    (void)state;
    enum { LANES = 3, EACH = 30 };
    struct training training;
    struct trainer *trainer[LANES];
    struct progress progress;
    create(&training, cnn);
    training_open(&training, &cuda_backend);
    assert_true(cuda_backend.lanes(training.device) >= LANES);
    for (int lane = 0; lane < LANES; lane++)
        trainer[lane] = trainer_in(&training, (uint32_t)lane, lane);
    for (int portion = 0; portion < 3; portion++)
        for (int lane = 0; lane < LANES; lane++)
            assert_ok(cuda_backend.submit(trainer[lane], EACH / 3));
    for (int busy = LANES; busy > 0;) {
        busy = 0;
        for (int lane = 0; lane < LANES; lane++) {
            cuda_backend.poll(trainer[lane], &progress);
            assert_ok(progress.status);
            busy += progress.busy;
        }
    }
    for (int lane = 0; lane < LANES; lane++) {
        struct trainer *alone = trainer_in(&training, (uint32_t)lane, 7);
        training_steps(&training, alone, EACH);
        struct trial_state got = state_of(trainer[lane]), expected = state_of(alone);
        expect_same(&got, &expected);
        cuda_backend.destroy(alone);
        cuda_backend.destroy(trainer[lane]);
    }
    training_clear(&training);
}

/* A state that is written while steps run waits for them; one in the middle of an epoch goes on there. */
static void goes_on_from_any_step(void **state)
{
    (void)state;
    struct training training;
    create(&training, cnn);
    training_open(&training, &cuda_backend);
    struct trainer *whole = training_trainer(&training, 2), *other = training_trainer(&training, 3);
    training_steps(&training, whole, 9);
    struct trial_state half = state_of(whole);
    training_steps(&training, whole, 20);
    assert_ok(cuda_backend.submit(other, 20));
    cuda_backend.destroy(other);
    struct trainer *resumed = training_trainer(&training, 2);
    assert_ok(cuda_backend.submit(resumed, 25));
    assert_ok(cuda_backend.write_state(resumed, &half));
    training_steps(&training, resumed, 20);
    struct trial_state expected = state_of(whole), got = state_of(resumed);
    expect_same(&expected, &got);
    trial_state_clear(&half);
    cuda_backend.destroy(whole);
    cuda_backend.destroy(resumed);
    training_clear(&training);
}

/* Kernels of ours in the place of epilogues: other roundings, the same step. 40 steps at a rate of 3e-3 with Adam,
 * which divides by the size of the gradient, so that a rounding of 1e-7 of one that nearly vanishes can be felt: hence
 * parameters to 1e-3, where an error of a formula changes them by 1e-1. */
static void epilogues_make_no_difference(void **state)
{
    (void)state;
    struct training training;
    create(&training, mlp);
    training_open(&training, &cuda_backend);
    struct trial_state fused = trained(&training, 16, 40);
    cuda_device_options(training.device)->epilogues = false;
    struct trial_state plain = trained(&training, 16, 40);
    for (int64_t i = 0; i < fused.parameters; i++)
        assert_near(plain.parameter[i], fused.parameter[i], 1e-3, 1e-3);
    trial_state_clear(&fused);
    trial_state_clear(&plain);
    training_clear(&training);
}

/* More images than rows of an evaluation, another set of images, indices in any order and often. */
static void evaluates_many(void **state)
{
    (void)state;
    enum { MANY = 2500 };
    static uint32_t index[MANY];
    struct training training, cpu;
    struct evaluation got, expected;
    create(&training, mlp);
    create(&cpu, mlp);
    training_open(&training, &cuda_backend);
    training_open(&cpu, &cpu_backend);
    struct trainer *trainer = training_trainer(&training, 2), *reference = training_trainer(&cpu, 2);
    training_steps(&training, trainer, 40);
    struct trial_state trained_state = state_of(trainer);
    assert_ok(cpu_backend.write_state(reference, &trained_state));
    for (uint32_t i = 0; i < MANY; i++)
        index[i] = i * 7919 % IMAGES;
    assert_ok(cuda_backend.evaluate(trainer, training.images, index, MANY, &got));
    assert_ok(cpu_backend.evaluate(reference, cpu.images, index, MANY, &expected));
    assert_int_equal(got.images, MANY);
    assert_int_equal(got.correct, expected.correct);
    assert_near(got.loss_sum, expected.loss_sum, 1e-6, 0);
    index[0] = 3; /* the same pointer and count, other contents */
    assert_ok(cuda_backend.evaluate(trainer, training.images, index, 1, &got));
    assert_ok(cpu_backend.evaluate(reference, cpu.images, index, 1, &expected));
    assert_near(got.loss_sum, expected.loss_sum, 1e-5, 1e-6);
    trial_state_clear(&trained_state);
    cuda_backend.destroy(trainer);
    cpu_backend.destroy(reference);
    training_clear(&training);
    training_clear(&cpu);
}

/* In evaluation the dropout is nothing, and what stands behind it must not take the place of the images. */
static void residual_of_the_images(struct hand_plan *hand)
{
    hand_dropout(hand, 0.3);
    hand_act(hand, ACT_TANH);
    hand_join(hand, PLAN_INPUT);
    hand_dense(hand, TRAINING_CLASSES);
}

static void images_with_two_readers_stay(void **state)
{
    (void)state;
    struct training training, cpu;
    struct evaluation got, expected;
    create(&training, residual_of_the_images);
    create(&cpu, residual_of_the_images);
    training_open(&training, &cuda_backend);
    training_open(&cpu, &cpu_backend);
    struct trainer *trainer = training_trainer(&training, 2), *reference = training_trainer(&cpu, 2);
    assert_ok(cuda_backend.evaluate(trainer, training.images, training.index, IMAGES, &got));
    assert_ok(cpu_backend.evaluate(reference, cpu.images, cpu.index, IMAGES, &expected));
    assert_near(got.loss_sum, expected.loss_sum, 1e-5, 0);
    cuda_backend.destroy(trainer);
    cpu_backend.destroy(reference);
    training_clear(&training);
    training_clear(&cpu);
}

/* In a lane that was not used before, memory() is the arena and the workspace, to the byte. */
static void memory_is_exact(void **state)
{
    (void)state;
    static void (*const layers[])(struct hand_plan *) = {mlp, cnn};
    for (int precision = 0; precision < 4; precision++)
        for (size_t i = 0; i < 2; i++) {
            struct training training;
            create(&training, layers[i]);
            training.recipe.precision = (enum precision_kind)precision;
            training.recipe.clip_norm = (double)i;
            training_open(&training, &cuda_backend);
            if (cuda_backend.supports(training.device, training.recipe.precision)) {
                int64_t before = cuda_backend.available(training.device);
                int64_t foretold = cuda_backend.memory(training.device, &training.hand.plan, &training.recipe);
                struct trainer *trainer = trainer_in(&training, 1, 3);
                int64_t taken = before - cuda_backend.available(training.device);
                assert_int_equal(taken, foretold);
                cuda_backend.destroy(trainer);
                assert_int_equal(cuda_backend.available(training.device), before);
            }
            training_clear(&training);
        }
}

static void expect_refusal(struct training *training, const struct trainer_setup *setup, const char *why)
{
    struct trainer *trainer;
    assert_int_equal(cuda_backend.create(training->device, training->images, setup, &trainer), NR_INVALID);
    test_log_has(training->log, why);
}

static void refuses_what_it_cannot_do(void **state)
{
    (void)state;
    struct training training;
    create(&training, mlp);
    training_open(&training, &cuda_backend);
    struct trainer_setup setup = training_setup(&training, 0);
    training.recipe.precision = PRECISION_FLOAT64;
    expect_refusal(&training, &setup, "precision");
    training.recipe.precision = PRECISION_FLOAT32;
    setup.lane = 99;
    expect_refusal(&training, &setup, "lane 99");
    setup.lane = 0;
    setup.ranks = 2;
    expect_refusal(&training, &setup, "rank 0 of 2");
    setup.ranks = 1;
    struct trainer *trainer = training_create_trainer(&training, &setup);
    assert_int_equal(cuda_backend.submit(trainer, 151), NR_INVALID); /* 10 epochs of 15 steps */
    test_log_has(training.log, "150 steps");
    training_steps(&training, trainer, 150);
    cuda_backend.destroy(trainer);
    training_clear(&training);
}

/* A submission of everything at once: poll() enqueues it piece by piece, and counts. */
static void progress_is_told_while_it_runs(void **state)
{
    (void)state;
    struct training training;
    struct progress progress = {0};
    create(&training, mlp);
    training.recipe.epochs = 20;
    training_open(&training, &cuda_backend);
    cuda_device_options(training.device)->steps_per_graph = 1;
    struct trainer *trainer = training_trainer(&training, 0);
    assert_ok(cuda_backend.submit(trainer, 300));
    int64_t last = 0;
    int between = 0;
    do {
        cuda_backend.poll(trainer, &progress);
        assert_ok(progress.status);
        assert_true(progress.step >= last);
        between += progress.step > last && progress.step < 300;
        last = progress.step;
    } while (progress.busy);
    assert_int_equal(progress.step, 300);
    assert_int_equal(progress.images, 20 * 105);
    assert_true(between > 1);
    cuda_backend.destroy(trainer);
    training_clear(&training);
}

/* Steps that were on their way when the sums were reset do not count. */
static void resets_while_it_runs(void **state)
{
    (void)state;
    struct training training;
    struct progress progress;
    create(&training, mlp);
    training_open(&training, &cuda_backend);
    struct trainer *trainer = training_trainer(&training, 0);
    assert_ok(cuda_backend.submit(trainer, 10));
    cuda_backend.reset_progress(trainer);
    cuda_backend.poll(trainer, &progress);
    assert_true(progress.images == 0 && progress.loss_sum == 0);
    assert_ok(cuda_backend.submit(trainer, 5));
    training_wait(&training, trainer, &progress);
    assert_int_equal(progress.step, 15);
    assert_int_equal(progress.images, 5 * 7);
    assert_true(progress.loss_sum > 0);
    cuda_backend.destroy(trainer);
    training_clear(&training);
}

/* A training that diverged says so once and for all, until it is given another state. */
static void diverges_and_begins_again(void **state)
{
    (void)state;
    struct training training;
    struct progress progress;
    create(&training, mlp);
    training_open(&training, &cuda_backend);
    struct trainer *trainer = training_trainer(&training, 0), *other = training_trainer(&training, 0);
    struct trial_state good = state_of(trainer), bad = state_of(trainer);
    bad.parameter[3] = NAN;
    bad.step = 4;
    assert_ok(cuda_backend.write_state(trainer, &bad));
    assert_ok(cuda_backend.submit(trainer, 30));
    training_wait(&training, trainer, &progress);
    assert_int_equal(progress.status, NR_DIVERGED);
    assert_true(progress.failed_at == 4 && progress.step == 4 && !progress.cause);
    assert_ok(cuda_backend.submit(trainer, 1));
    cuda_backend.poll(trainer, &progress);
    assert_true(progress.status == NR_DIVERGED && !progress.busy);
    assert_ok(cuda_backend.write_state(trainer, &good));
    training_steps(&training, trainer, 8);
    training_steps(&training, other, 8);
    struct trial_state got = state_of(trainer), expected = state_of(other);
    expect_same(&got, &expected);
    trial_state_clear(&good);
    trial_state_clear(&bad);
    cuda_backend.destroy(trainer);
    cuda_backend.destroy(other);
    training_clear(&training);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(graphs_of_any_length_give_the_same_bits),
    cmocka_unit_test(steps_take_the_cpus_images),
    cmocka_unit_test(lanes_do_not_meet),
    cmocka_unit_test(goes_on_from_any_step),
    cmocka_unit_test(epilogues_make_no_difference),
    cmocka_unit_test(evaluates_many),
    cmocka_unit_test(images_with_two_readers_stay),
    cmocka_unit_test(memory_is_exact),
    cmocka_unit_test(refuses_what_it_cannot_do),
    cmocka_unit_test(progress_is_told_while_it_runs),
    cmocka_unit_test(resets_while_it_runs),
    cmocka_unit_test(diverges_and_begins_again),
};

TEST_MAIN(cases)
