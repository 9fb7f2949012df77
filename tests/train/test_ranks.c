/* Data parallelism on the CPU, with as many processes as ranks: the run of one process, to rounding; the same bits on
 * every rank; the same end. */
#include "support/ranks.h"

#include <unistd.h>

#include "base/file.h"
#include "support/training.h"

enum { IMAGES = 126, SIDE = 12, STEPS = 20, MOST_STATE = 10240 }; /* 111 train: 32, 32, 32, 15 */

static const int group_sizes[] = {1, 2, 3, 5};
enum { GROUPS = sizeof group_sizes / sizeof *group_sizes };

typedef void layers(struct hand_plan *hand);

/* What a case trains. */
struct job {
    layers *layers;
    enum precision_kind precision;
    int64_t batch, epoch_images; /* 0: as training.h has it */
    double learning_rate;
    bool augment;
    int bad_image; /* the only one that is not black, and overflows; -1: all are as they should be */
    int leaves;    /* the rank that ends after LEAVES_AFTER steps; -1: none */
};
enum { LEAVES_AFTER = 3 };

static const struct job usual = {.learning_rate = 3e-3, .augment = true, .bad_image = -1, .leaves = -1};

/* What a rank has seen. */
struct seen {
    double loss[STEPS]; /* mean of each step */
    int64_t images[STEPS];
    int64_t steps, failed_at;
    nr_status status;
    char cause[64];
    struct evaluation evaluation;
    int64_t values;
    float state[MOST_STATE]; /* parameters, buffers, slots */
};

static void layers_mlp(struct hand_plan *hand)
{
    hand_dense(hand, 19); /* no multiple of 8: masks begin anywhere in a block of random numbers */
    hand_act(hand, ACT_TANH);
    hand_dropout(hand, 0.25);
    hand_dense(hand, 13);
    hand_act(hand, ACT_GELU);
    hand_dropout(hand, 0.1);
    hand_dense(hand, TRAINING_CLASSES);
}

static void layers_conv(struct hand_plan *hand)
{
    hand_conv(hand, 5, 3, 1, 0, 1, true);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.2);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_conv(hand, 7, 3, 1, 1, 1, true);
    hand_act(hand, ACT_SILU);
    hand_global(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

static void layers_norm(struct hand_plan *hand)
{
    hand_conv(hand, 5, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_AVGPOOL, 2);
    hand_conv(hand, 6, 3, 1, 0, 1, true);
    hand_act(hand, ACT_RELU);
    hand_global(hand);
    hand_dense(hand, 9);
    hand_norm(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

static void prepare(const struct job *job, struct training *training)
{
    training_create(training, IMAGES, 1, SIDE);
    job->layers(&training->hand);
    struct recipe *recipe = &training->recipe;
    recipe->precision = job->precision;
    recipe->learning_rate = job->learning_rate;
    if (job->batch)
        recipe->batch_size = job->batch;
    if (job->epoch_images)
        recipe->epoch_images = job->epoch_images;
    if (job->augment) {
        recipe->shift = 1;
        recipe->erase = 3;
        recipe->flip = 0.5;
    }
    if (job->bad_image >= 0) {
        training->mean[0] = 0;
        training->deviation[0] = 1e-38f; /* white is 1e38: sums of some are infinite */
        memset(training->pixels, 0, IMAGES * SIDE * SIDE);
        memset(training->pixels + job->bad_image * SIDE * SIDE, 255, SIDE * SIDE);
    }
    training_open(training, &cpu_backend);
}

static void keep_state(struct training *training, struct trainer *trainer, struct seen *seen)
{
    struct trial_state state;
    assert_ok(cpu_backend.read_state(trainer, &state));
    seen->values = state.parameters + state.buffers + state.slots * state.parameters;
    assert_true(seen->values <= MOST_STATE);
    memcpy(seen->state, state.parameter, (size_t)state.parameters * sizeof(float));
    memcpy(seen->state + state.parameters, state.buffer, (size_t)state.buffers * sizeof(float));
    memcpy(seen->state + state.parameters + state.buffers, state.slot,
           (size_t)(state.slots * state.parameters) * sizeof(float));
    trial_state_clear(&state);
    assert_ok(cpu_backend.evaluate(trainer, training->images, training->split.validation, training->split.validations,
                                   &seen->evaluation));
}

/* STEPS steps, or until one fails. */
static void train(const struct job *job, const struct rank_member *member, struct trainer *trainer, struct seen *seen)
{
    struct progress progress;
    for (seen->steps = 0; seen->steps < STEPS; seen->steps++) {
        if (seen->steps == LEAVES_AFTER && member->rank == job->leaves)
            _exit(1);
        cpu_backend.reset_progress(trainer);
        assert_ok(cpu_backend.submit(trainer, 1));
        cpu_backend.poll(trainer, &progress);
        seen->status = progress.status;
        seen->failed_at = progress.failed_at;
        snprintf(seen->cause, sizeof seen->cause, "%s", progress.cause ? progress.cause : "");
        if (progress.status != NR_OK)
            break;
        seen->images[seen->steps] = progress.images;
        seen->loss[seen->steps] = progress.loss_sum / (double)progress.images;
    }
}

static void train_rank(struct rank_member *member, void *context, void *result)
{
    const struct job *job = context;
    struct training training;
    struct trainer *trainer;
    prepare(job, &training);
    member->wide = job->precision == PRECISION_FLOAT64;
    const struct trainer_setup setup = {.plan = &training.hand.plan,
                                        .recipe = &training.recipe,
                                        .split = &training.split,
                                        .seed = training.seed,
                                        .trial = 3,
                                        .rank = member->rank,
                                        .ranks = member->ranks,
                                        .reduce = rank_mean,
                                        .reduce_context = member};
    assert_ok(cpu_backend.create(training.device, training.images, &setup, &trainer));
    train(job, member, trainer, result);
    keep_state(&training, trainer, result);
    cpu_backend.destroy(trainer);
    training_clear(&training);
}

/* The same with one process that knows of no ranks. */
static void train_alone(const struct job *job, struct seen *seen)
{
    const struct rank_member alone = {.rank = 0, .ranks = 1};
    struct training training;
    prepare(job, &training);
    struct trainer *trainer = training_trainer(&training, 3);
    *seen = (struct seen){0};
    train(job, &alone, trainer, seen);
    keep_state(&training, trainer, seen);
    cpu_backend.destroy(trainer);
    training_clear(&training);
}

static struct seen *run(const struct job *job, int ranks)
{
    struct job copy = *job;
    struct seen *seen = calloc((size_t)ranks, sizeof *seen);
    assert_non_null(seen);
    ranks_run(ranks, train_rank, &copy, job->leaves >= 0 ? 1u << job->leaves : 0, seen, sizeof *seen);
    return seen;
}

static void assert_same_on_all(const struct seen *seen, int ranks)
{
    for (int rank = 1; rank < ranks; rank++) {
        assert_memory_equal(seen[rank].loss, seen[0].loss, sizeof seen->loss);
        assert_memory_equal(seen[rank].images, seen[0].images, sizeof seen->images);
        assert_memory_equal(&seen[rank].evaluation, &seen[0].evaluation, sizeof seen->evaluation);
        assert_memory_equal(seen[rank].state, seen[0].state, (size_t)seen->values * sizeof *seen->state);
        assert_int_equal(seen[rank].steps, seen[0].steps);
        assert_int_equal(seen[rank].status, seen[0].status);
        assert_int_equal(seen[rank].failed_at, seen[0].failed_at);
    }
}

/* `loss_bound` is relative; `state_bound` absolute, of weights of the size of 0.1 to 1. */
static void compare(const struct job *job, double loss_bound, double state_bound)
{
    struct seen alone;
    train_alone(job, &alone);
    assert_int_equal(alone.steps, STEPS);
    for (size_t i = 0; i < GROUPS; i++) {
        struct seen *seen = run(job, group_sizes[i]);
        assert_same_on_all(seen, group_sizes[i]);
        assert_memory_equal(seen->images, alone.images, sizeof alone.images);
        for (size_t step = 0; step < STEPS; step++)
            assert_near(seen->loss[step], alone.loss[step], loss_bound, 0);
        assert_int_equal(seen->values, alone.values);
        for (int64_t k = 0; k < alone.values; k++)
            assert_near(seen->state[k], alone.state[k], 0, state_bound);
        free(seen);
    }
}

/* Sums in another order: 2^-24 per addition, through 20 steps. Adam divides by the gradient's size, so that a weight
 * whose gradient is little but rounding moves by up to a rate of 3e-3 the wrong way; in double nothing of that is left,
 * and the state, kept as float, differs by its last bit. */
static void float_equals_one_process(void **state)
{
    (void)state;
    static layers *const networks[] = {layers_mlp, layers_conv};
    for (size_t i = 0; i < 2; i++) {
        struct job job = usual;
        job.layers = networks[i];
        compare(&job, 1e-5, 1e-3);
    }
}

static void double_equals_one_process(void **state)
{
    (void)state;
    static layers *const networks[] = {layers_mlp, layers_conv};
    for (size_t i = 0; i < 2; i++) {
        struct job job = usual;
        job.layers = networks[i];
        job.precision = PRECISION_FLOAT64;
        compare(&job, 1e-10, 1e-6);
    }
}

/* Epochs of 7 + 7 + 2 images: three and five ranks have shares of 2 and 1, and in the last batch some have none. */
static void more_ranks_than_rows(void **state)
{
    (void)state;
    struct job job = usual;
    job.layers = layers_mlp;
    job.batch = 7;
    job.epoch_images = 16;
    job.precision = PRECISION_FLOAT64;
    compare(&job, 1e-10, 1e-6);
    job.layers = layers_conv;
    job.precision = PRECISION_FLOAT32;
    compare(&job, 1e-4, 1e-2); /* few images: gradients near 0, see above */
}

/* Each rank normalises by its own share, so that the losses are others; but what is kept of the statistics is the same
 * everywhere. The first layer's mean is linear in the images: there the weighted mean over the ranks is the mean over
 * the batch, and after one step equals that of one process. */
static void batch_norm_is_equal_on_all_ranks(void **state)
{
    (void)state;
    struct job job = usual;
    job.layers = layers_norm;
    job.epoch_images = 16; /* with a batch of 7: shares of 2, 2 and 3; of 0, 1 and 1 */
    job.batch = 7;
    for (size_t i = 1; i < GROUPS; i++) {
        struct seen *seen = run(&job, group_sizes[i]);
        assert_int_equal(seen->steps, STEPS);
        assert_same_on_all(seen, group_sizes[i]);
        for (int64_t k = 0; k < seen->values; k++)
            assert_true(isfinite(seen->state[k]));
        free(seen);
    }
}

static void running_means_are_weighted(void **state)
{
    (void)state;
    struct job job = usual;
    struct training training;
    struct seen alone;
    job.layers = layers_norm;
    job.learning_rate = 0; /* the first layer's output is the same function in all steps */
    job.precision = PRECISION_FLOAT64;
    job.epoch_images = 16;
    job.batch = 7;
    prepare(&job, &training);
    const float *mean = alone.state + training.hand.plan.parameters, *first = &mean[training.hand.layer[1].buffer];
    int64_t channels = training.hand.layer[1].buffers / 2;
    train_alone(&job, &alone);
    for (size_t i = 1; i < GROUPS; i++) {
        struct seen *seen = run(&job, group_sizes[i]);
        for (int64_t c = 0; c < channels; c++) {
            assert_true(fabsf(first[c]) > 1e-3f);
            assert_near(seen->state[first - alone.state + c], first[c], 1e-6, 1e-8);
        }
        free(seen);
    }
    training_clear(&training);
}

/* Only one rank has the image that overflows; all of them stop there, at the step at which one process does. */
static void divergence_is_seen_by_all(void **state)
{
    (void)state;
    struct job job = usual;
    struct seen alone;
    job.layers = layers_conv;
    job.augment = false;
    job.bad_image = 60;
    train_alone(&job, &alone);
    assert_int_equal(alone.status, NR_DIVERGED);
    assert_true(alone.failed_at >= 0 && alone.failed_at < 4);
    for (size_t i = 0; i < GROUPS; i++) {
        struct seen *seen = run(&job, group_sizes[i]);
        for (int rank = 0; rank < group_sizes[i]; rank++) {
            assert_int_equal(seen[rank].status, NR_DIVERGED);
            assert_int_equal(seen[rank].failed_at, alone.failed_at);
        }
        free(seen);
    }
}

static void a_lost_rank_ends_the_others(void **state)
{
    (void)state;
    struct job job = usual;
    job.layers = layers_mlp;
    job.leaves = 1;
    struct seen *seen = run(&job, 3);
    for (int rank = 0; rank < 3; rank += 2) {
        assert_int_equal(seen[rank].status, NR_DEVICE);
        assert_int_equal(seen[rank].failed_at, LEAVES_AFTER);
        assert_int_equal(seen[rank].steps, LEAVES_AFTER);
        assert_string_equal(seen[rank].cause, "the mean over the ranks failed");
    }
    free(seen);
}

static void refuses_ranks_that_cannot_be(void **state)
{
    (void)state;
    struct job job = usual;
    struct training training;
    struct trainer *trainer;
    job.layers = layers_mlp;
    prepare(&job, &training);
    struct trainer_setup setup = {
        .plan = &training.hand.plan, .recipe = &training.recipe, .split = &training.split, .ranks = 2};
    assert_int_equal(cpu_backend.create(training.device, training.images, &setup, &trainer), NR_INVALID);
    test_log_has(training.log, "rank 0 of 2 without");
    setup.reduce = rank_mean;
    setup.rank = 2;
    assert_int_equal(cpu_backend.create(training.device, training.images, &setup, &trainer), NR_INVALID);
    test_log_has(training.log, "rank 2 of 2");
    training_clear(&training);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(float_equals_one_process),    cmocka_unit_test(double_equals_one_process),
        cmocka_unit_test(more_ranks_than_rows),        cmocka_unit_test(batch_norm_is_equal_on_all_ranks),
        cmocka_unit_test(running_means_are_weighted),  cmocka_unit_test(divergence_is_seen_by_all),
        cmocka_unit_test(a_lost_rank_ends_the_others), cmocka_unit_test(refuses_ranks_that_cannot_be),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
