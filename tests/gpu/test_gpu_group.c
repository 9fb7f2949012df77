/* Data-parallel groups over the devices that are there, one process each: one rank is as if there were no group, and
 * several do what the CPU's ranks do. The double has three devices. */
#include "support/gpu.h"

#include "support/ranks.h"

enum { IMAGES = 120, LOSSES = 20, MOST_RANKS = 4, MOST_STATE = 8192 };

static void mlp(struct hand_plan *hand)
{
    hand_dense(hand, 21);
    hand_act(hand, ACT_TANH);
    hand_dropout(hand, 0.25);
    hand_dense(hand, TRAINING_CLASSES);
}

static void cnn(struct hand_plan *hand)
{
    hand_conv(hand, 5, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dropout(hand, 0.1);
    hand_dense(hand, TRAINING_CLASSES);
}

struct job {
    gpu_layers *layers;
    int64_t batch, epoch_images;
    bool on_cpu; /* the reference */
};

struct seen {
    double loss[LOSSES];
    int64_t step, values;
    struct evaluation evaluation;
    float state[MOST_STATE]; /* parameters, buffers, slots */
};

static void prepare(const struct job *job, int number, struct training *training)
{
    training_create(training, IMAGES, 1, 8);
    job->layers(&training->hand);
    training->recipe.batch_size = job->batch;
    training->recipe.epoch_images = job->epoch_images;
    training->recipe.epochs = 1 + LOSSES / 3;
    training->recipe.shift = 1;
    training->recipe.precision = job->on_cpu ? PRECISION_FLOAT64 : PRECISION_FLOAT32;
    training->number = job->on_cpu ? 0 : number;
    training_open(training, job->on_cpu ? &cpu_backend : gpu_backend());
}

static void keep_state(struct training *training, struct trainer *trainer, struct seen *seen)
{
    struct trial_state state;
    assert_ok(training->backend->read_state(trainer, &state));
    seen->step = state.step;
    seen->values = state.parameters + state.buffers + state.slots * state.parameters;
    assert_true(seen->values <= MOST_STATE);
    memcpy(seen->state, state.parameter, (size_t)state.parameters * sizeof(float));
    memcpy(seen->state + state.parameters, state.buffer, (size_t)state.buffers * sizeof(float));
    memcpy(seen->state + state.parameters + state.buffers, state.slot,
           (size_t)(state.slots * state.parameters) * sizeof(float));
    trial_state_clear(&state);
    assert_ok(training->backend->evaluate(trainer, training->images, training->split.validation,
                                          training->split.validations, &seen->evaluation));
}

static void train(struct training *training, const struct trainer_setup *setup, struct seen *seen)
{
    struct trainer *trainer = training_create_trainer(training, setup);
    training_losses(training, trainer, LOSSES, seen->loss);
    keep_state(training, trainer, seen);
    training->backend->destroy(trainer);
}

static void join(struct training *training, struct rank_member *member)
{
    char invitation[INVITATION_SIZE] = "";
    assert_non_null(training->backend->join);
    if (member->rank == 0)
        assert_ok(training->backend->invite(training->device, invitation));
    assert_ok(rank_tell(member, invitation, sizeof invitation));
    assert_true(memchr(invitation, 0, sizeof invitation) && *invitation);
    assert_ok(training->backend->join(training->device, invitation, member->rank, member->ranks));
}

/* One rank of the group; on the CPU it is given the mean. */
static void train_rank(struct rank_member *member, void *context, void *result)
{
    const struct job *job = context;
    struct training training;
    prepare(job, member->rank, &training);
    struct trainer_setup setup = training_setup(&training, 3);
    setup.rank = member->rank;
    setup.ranks = member->ranks;
    if (job->on_cpu) {
        member->wide = true;
        setup.reduce = rank_mean;
        setup.reduce_context = member;
    } else {
        join(&training, member);
    }
    train(&training, &setup, result);
    training_clear(&training);
}

/* Alone, before there is a group. */
static void train_without(struct rank_member *member, void *context, void *result)
{
    struct training training;
    prepare(context, member->rank, &training);
    const struct trainer_setup setup = training_setup(&training, 3);
    train(&training, &setup, result);
    training_clear(&training);
}

static struct seen *run(int ranks, rank_body *body, const struct job *job, bool on_cpu)
{
    struct job copy = *job;
    struct seen *seen = calloc((size_t)ranks, sizeof *seen);
    copy.on_cpu = on_cpu;
    assert_non_null(seen);
    ranks_run(ranks, body, &copy, 0, seen, sizeof *seen);
    return seen;
}

static void assert_same(const struct seen *a, const struct seen *b)
{
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(&a->evaluation, &b->evaluation, sizeof a->evaluation);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->values, b->values);
    assert_memory_equal(a->state, b->state, (size_t)a->values * sizeof *a->state);
}

static void one_rank_is_no_group(void **state)
{
    (void)state;
    static gpu_layers *const networks[] = {mlp, cnn};
    if (gpu_is_cpu())
        skip();
    for (size_t i = 0; i < 2; i++) {
        const struct job job = {.layers = networks[i], .batch = 32, .epoch_images = 105};
        struct seen *alone = run(1, train_without, &job, false), *group = run(1, train_rank, &job, false);
        assert_same(group, alone);
        free(alone);
        free(group);
    }
}

/* Shares that differ by one, last batches of fewer rows than there are ranks. */
static void ranks_are_the_cpus(void **state)
{
    (void)state;
    const struct job jobs[] = {
        {.layers = mlp, .batch = 32, .epoch_images = 105},
        {.layers = mlp, .batch = 7, .epoch_images = 15},
        {.layers = cnn, .batch = 8, .epoch_images = 22},
        {.layers = cnn, .batch = 7, .epoch_images = 15},
    };
    int ranks = gpu_count() < MOST_RANKS ? gpu_count() : MOST_RANKS;
    if (gpu_is_cpu() || ranks < 2)
        skip();
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        struct seen *got = run(ranks, train_rank, &jobs[i], false), *expected = run(ranks, train_rank, &jobs[i], true);
        for (int rank = 1; rank < ranks; rank++)
            assert_same(&got[rank], got);
        for (size_t step = 0; step < LOSSES; step++)
            assert_near(got->loss[step], expected->loss[step], 1e-4, 1e-5);
        assert_int_equal(got->step, expected->step);
        free(got);
        free(expected);
    }
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(one_rank_is_no_group),
    cmocka_unit_test(ranks_are_the_cpus),
};

int main(int count, char **arguments)
{
    setenv("NASRUN_DOUBLE_DEVICES", "3", 0); /* means nothing to a GPU */
    return gpu_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
