/* Runs of many steps: the CPU's losses, the same bits again and after a resume, evaluation, divergence, precisions, and
 * the memory that was foretold. */
#include "support/gpu.h"

#include "train/order.h"

enum { IMAGES = 120, LOSSES = 20 }; /* 105 train: 32, 32, 32, 9 */

static void mlp(struct hand_plan *hand)
{
    hand_dense(hand, 24);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.2);
    hand_dense(hand, 16);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.2);
    hand_dense(hand, TRAINING_CLASSES);
}

static void lenet(struct hand_plan *hand)
{
    hand_conv(hand, 6, 5, 1, 2, 1, true);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_AVGPOOL, 2);
    hand_conv(hand, 8, 3, 1, 0, 1, true);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_AVGPOOL, 2);
    hand_dense(hand, 20);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, TRAINING_CLASSES);
}

static void cnn(struct hand_plan *hand)
{
    hand_conv(hand, 8, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_conv(hand, 8, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dense(hand, 16);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, TRAINING_CLASSES);
}

static gpu_layers *const networks[] = {mlp, lenet, cnn};
enum { NETWORKS = sizeof networks / sizeof *networks };

static void create(struct gpu_pair *pair, gpu_layers *layers)
{
    gpu_pair_create(pair, IMAGES, 1, 8, layers);
    pair->gpu.recipe.shift = 1;
    pair->gpu.recipe.flip = 0.3;
    pair->gpu.recipe.erase = 2;
    pair->gpu.recipe.epochs = 8;
    pair->gpu.recipe.schedule = SCHEDULE_COSINE;
}

static struct trial_state read_state(struct training *training, struct trainer *trainer)
{
    struct trial_state state;
    assert_ok(training->backend->read_state(trainer, &state));
    return state;
}

static void first_losses_are_the_cpus(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++) {
        struct gpu_pair pair;
        double got[LOSSES], expected[LOSSES];
        create(&pair, networks[i]);
        gpu_pair_open(&pair);
        struct trainer *gpu = training_trainer(&pair.gpu, 2), *cpu = training_trainer(&pair.cpu, 2);
        training_losses(&pair.gpu, gpu, LOSSES, got);
        training_losses(&pair.cpu, cpu, LOSSES, expected);
        for (size_t step = 0; step < LOSSES; step++)
            assert_near(got[step], expected[step], 1e-4, 0);
        pair.gpu.backend->destroy(gpu);
        cpu_backend.destroy(cpu);
        gpu_pair_clear(&pair);
    }
}

/* Cut into portions of any size, in any trainer of the same seed and trial; taken up in the middle of an epoch. Another
 * trial has other bits. */
static void same_seed_same_bits(void **state)
{
    (void)state;
    enum { STEPS = 23, HALF = 10 };
    for (size_t i = 0; i < NETWORKS; i++) {
        struct gpu_pair pair;
        struct training *gpu = &pair.gpu;
        create(&pair, networks[i]);
        gpu_pair_open(&pair);
        struct trainer *whole = training_trainer(gpu, 3), *parts = training_trainer(gpu, 3);
        struct trainer *other = training_trainer(gpu, 4), *resumed = training_trainer(gpu, 3);
        training_steps(gpu, whole, STEPS);
        training_steps(gpu, parts, HALF);
        struct trial_state half = read_state(gpu, parts);
        assert_int_equal(half.step, HALF);
        assert_ok(gpu->backend->write_state(resumed, &half));
        training_steps(gpu, resumed, STEPS - HALF);
        for (int step = HALF; step < STEPS; step++)
            training_steps(gpu, parts, 1);
        training_steps(gpu, other, STEPS);
        struct trial_state expected = read_state(gpu, whole), same = read_state(gpu, parts),
                           later = read_state(gpu, resumed), different = read_state(gpu, other);
        assert_true(training_same_state(&expected, &same));
        assert_true(training_same_state(&expected, &later));
        assert_false(training_same_state(&expected, &different));
        trial_state_clear(&half);
        trial_state_clear(&expected);
        trial_state_clear(&same);
        trial_state_clear(&later);
        trial_state_clear(&different);
        gpu->backend->destroy(whole);
        gpu->backend->destroy(parts);
        gpu->backend->destroy(other);
        gpu->backend->destroy(resumed);
        gpu_pair_clear(&pair);
    }
}

/* What was written is read back, bit by bit. */
static void state_survives_the_device(void **state)
{
    (void)state;
    struct gpu_pair pair;
    create(&pair, cnn);
    gpu_pair_open(&pair);
    struct training *gpu = &pair.gpu;
    struct trainer *trainer = training_trainer(gpu, 3);
    struct trial_state written = read_state(gpu, trainer);
    written.step = 7;
    for (int64_t i = 0; i < written.parameters; i++)
        written.parameter[i] = (float)i + 0.25f;
    for (int64_t i = 0; i < written.buffers; i++)
        written.buffer[i] = -(float)i - 0.5f;
    for (int64_t i = 0; i < written.slots * written.parameters; i++)
        written.slot[i] = 1e-3f * (float)i;
    assert_ok(gpu->backend->write_state(trainer, &written));
    struct trial_state read = read_state(gpu, trainer);
    assert_true(training_same_state(&read, &written));
    trial_state_clear(&read);
    trial_state_clear(&written);
    gpu->backend->destroy(trainer);
    gpu_pair_clear(&pair);
}

/* Logits and metrics of the same weights, for counts around a batch; losses of the training are summed over what was
 * asked for. */
static void evaluates_as_the_cpu_does(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 31, 32, 33, 120};
    for (size_t i = 0; i < NETWORKS; i++) {
        struct gpu_pair pair;
        create(&pair, networks[i]);
        gpu_pair_open(&pair);
        struct trainer *gpu = training_trainer(&pair.gpu, 2), *cpu = training_trainer(&pair.cpu, 2);
        training_steps(&pair.gpu, gpu, 9);
        struct trial_state trained = read_state(&pair.gpu, gpu);
        assert_ok(cpu_backend.write_state(cpu, &trained));
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            float logits[IMAGES * TRAINING_CLASSES], expected_logits[IMAGES * TRAINING_CLASSES];
            struct evaluation got, expected;
            for (size_t j = 0; j < IMAGES * TRAINING_CLASSES; j++)
                logits[j] = NAN;
            assert_ok(pair.gpu.backend->evaluate(gpu, pair.gpu.images, pair.gpu.index, counts[k], &got));
            assert_ok(cpu_backend.evaluate(cpu, pair.cpu.images, pair.cpu.index, counts[k], &expected));
            assert_ok(pair.gpu.backend->predict(gpu, pair.gpu.images, pair.gpu.index, counts[k], logits));
            assert_ok(cpu_backend.predict(cpu, pair.cpu.images, pair.cpu.index, counts[k], expected_logits));
            assert_int_equal(got.images, counts[k]);
            assert_int_equal(got.correct, expected.correct);
            assert_near(got.loss_sum, expected.loss_sum, 1e-5, 1e-5);
            for (int64_t j = 0; j < counts[k] * TRAINING_CLASSES; j++)
                assert_near(logits[j], expected_logits[j], 1e-4, 1e-5);
        }
        trial_state_clear(&trained);
        pair.gpu.backend->destroy(gpu);
        cpu_backend.destroy(cpu);
        gpu_pair_clear(&pair);
    }
}

/* An image that overflows: found at the step that takes it, wherever that lies in a submitted portion. */
static void divergence_names_its_step(void **state)
{
    (void)state;
    enum { BAD = 50, STEPS = 12 };
    struct gpu_pair pair;
    struct progress progress;
    struct order order;
    uint32_t first_pass[IMAGES];
    gpu_pair_create(&pair, IMAGES, 1, 8, lenet);
    struct training *gpu = &pair.gpu;
    memset(gpu->pixels, 0, IMAGES * 64);
    memset(gpu->pixels + BAD * 64, 255, 64);
    gpu->mean[0] = 0;
    gpu->deviation[0] = 1e-38f;
    gpu_pair_open(&pair);
    int64_t expected = 0;
    assert_ok(order_create(gpu->seed, 6, gpu->split.training, gpu->split.trainings, &order));
    order_take(&order, 0, gpu->split.trainings, first_pass, NULL);
    while (first_pass[expected] != BAD)
        expected++;
    order_clear(&order);
    struct trainer *trainer = training_trainer(gpu, 6);
    assert_ok(gpu->backend->submit(trainer, STEPS));
    training_wait(gpu, trainer, &progress);
    assert_int_equal(progress.status, NR_DIVERGED);
    assert_int_equal(progress.failed_at, expected / gpu->recipe.batch_size);
    gpu->backend->destroy(trainer);
    gpu_pair_clear(&pair);
}

/* Images and losses since the last reset; sums of double, to which a portion adds what its single steps would. */
static void counts_what_was_trained(void **state)
{
    (void)state;
    struct gpu_pair pair;
    struct progress progress;
    double loss[6], sum = 0;
    create(&pair, mlp);
    gpu_pair_open(&pair);
    struct training *gpu = &pair.gpu;
    struct trainer *trainer = training_trainer(gpu, 0), *singly = training_trainer(gpu, 0);
    training_losses(gpu, singly, 6, loss);
    for (int step = 0; step < 6; step++)
        sum += loss[step] * (step == 3 ? 9 : 32);
    training_steps(gpu, trainer, 6);
    gpu->backend->poll(trainer, &progress);
    assert_int_equal(progress.step, 6);
    assert_int_equal(progress.images, gpu->recipe.epoch_images + 2 * 32);
    assert_near(progress.loss_sum, sum, 1e-12, 0);
    gpu->backend->reset_progress(trainer);
    training_steps(gpu, trainer, 2);
    gpu->backend->poll(trainer, &progress);
    assert_int_equal(progress.step, 8);
    assert_int_equal(progress.images, 32 + 9);
    gpu->backend->destroy(trainer);
    gpu->backend->destroy(singly);
    gpu_pair_clear(&pair);
}

/* Factors of 11 (tf32) and 8 (bf16) significant bits: each product is off by up to 2^-11 or 2^-8, sums of many of them
 * by less, and the losses of the first steps by a few of those. */
static void lower_precisions_are_close(void **state)
{
    (void)state;
    static const struct {
        enum precision_kind precision;
        double bound;
    } cases_of_precision[] = {{PRECISION_TF32, 2e-3}, {PRECISION_BF16, 2e-2}};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < NETWORKS; i++) {
            struct gpu_pair pair;
            double got[LOSSES], expected[LOSSES];
            create(&pair, networks[i]);
            pair.gpu.recipe.precision = cases_of_precision[k].precision;
            gpu_pair_open(&pair);
            if (pair.gpu.backend->supports(pair.gpu.device, cases_of_precision[k].precision)) {
                struct trainer *gpu = training_trainer(&pair.gpu, 2), *cpu = training_trainer(&pair.cpu, 2);
                training_losses(&pair.gpu, gpu, LOSSES, got);
                training_losses(&pair.cpu, cpu, LOSSES, expected);
                for (size_t step = 0; step < LOSSES; step++)
                    assert_near(got[step], expected[step], cases_of_precision[k].bound * (double)(step + 2) / 2, 0);
                pair.gpu.backend->destroy(gpu);
                cpu_backend.destroy(cpu);
            }
            gpu_pair_clear(&pair);
        }
}

/* What a trainer takes is what memory() says, within a tenth and the pieces of 2 MiB that a driver hands out. */
static void memory_is_foretold(void **state)
{
    (void)state;
    static const int64_t piece = 2 << 20;
    for (size_t i = 0; i < NETWORKS; i++) {
        struct gpu_pair pair;
        create(&pair, networks[i]);
        pair.gpu.recipe.batch_size = gpu_is_slow() ? 32 : 2048;
        pair.gpu.recipe.epoch_images = 2 * pair.gpu.recipe.batch_size; /* pass after pass */
        gpu_pair_open(&pair);
        struct training *gpu = &pair.gpu;
        int64_t foretold = gpu->backend->memory(gpu->device, &gpu->hand.plan, &gpu->recipe);
        assert_true(foretold > 0);
        gpu->backend->destroy(training_trainer(gpu, 1)); /* what lanes and libraries keep */
        int64_t before = gpu->backend->available(gpu->device);
        struct trainer *trainer = training_trainer(gpu, 1);
        int64_t taken = before - gpu->backend->available(gpu->device);
        if (before != INT64_MAX && llabs(taken - foretold) > foretold / 10 + piece) {
            print_error("network %zu took %lld bytes, foretold were %lld\n", i, (long long)taken, (long long)foretold);
            fail();
        }
        gpu->backend->destroy(trainer);
        assert_near((double)gpu->backend->available(gpu->device), (double)before, 0, (double)piece);
        gpu_pair_clear(&pair);
    }
}

static void refuses_other_images(void **state)
{
    (void)state;
    struct gpu_pair pair;
    struct trainer *trainer;
    gpu_pair_create(&pair, IMAGES, 1, 8, mlp);
    hand_begin(&pair.gpu.hand, 3, 8, TRAINING_CLASSES);
    mlp(&pair.gpu.hand);
    gpu_pair_open(&pair);
    struct training *gpu = &pair.gpu;
    const struct trainer_setup setup = {
        .plan = &gpu->hand.plan, .recipe = &gpu->recipe, .split = &gpu->split, .ranks = 1};
    assert_int_equal(gpu->backend->create(gpu->device, gpu->images, &setup, &trainer), NR_INVALID);
    test_log_has(gpu->log, "3x8x8");
    gpu_pair_clear(&pair);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(first_losses_are_the_cpus),  cmocka_unit_test(same_seed_same_bits),
    cmocka_unit_test(state_survives_the_device),  cmocka_unit_test(evaluates_as_the_cpu_does),
    cmocka_unit_test(divergence_names_its_step),  cmocka_unit_test(counts_what_was_trained),
    cmocka_unit_test(lower_precisions_are_close), cmocka_unit_test(memory_is_foretold),
    cmocka_unit_test(refuses_other_images),
};

GPU_MAIN(cases)
