/* A whole trial over several processes: epochs, metrics, checkpoints, a lost rank, and going on. */
#include "support/ranks.h"

#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "support/training.h"
#include "train/checkpoint.h"
#include "train/trial.h"

enum { RANKS = 3, EPOCHS = 4, IMAGES = 126, SIDE = 8 };

struct job {
    char checkpoint[RANKS][256]; /* of each rank */
    int dies;                    /* the rank that is killed after epoch DIES_AFTER; -1: none */
    int stops;                   /* the rank that stops there; -1: none */
};
enum { DIES_AFTER = 2 };

struct seen {
    int rank;
    const struct job *job;
    struct epoch_metrics metrics[EPOCHS + 1];
    size_t count;
    struct trial_result result;
};

/* Seconds are each process's own. */
static void note(struct seen *seen, const struct epoch_metrics *metrics)
{
    assert_true(seen->count < EPOCHS + 1);
    seen->metrics[seen->count] = *metrics;
    seen->metrics[seen->count++].seconds = 0;
}

static bool on_epoch(void *context, const struct epoch_metrics *metrics)
{
    struct seen *seen = context;
    note(seen, metrics);
    if (metrics->epoch == DIES_AFTER && seen->rank == seen->job->dies)
        raise(SIGKILL);
    return metrics->epoch != DIES_AFTER || seen->rank != seen->job->stops;
}

static void prepare(struct training *training)
{
    training_create(training, IMAGES, 1, SIDE);
    hand_conv(&training->hand, 5, 3, 1, 1, 1, false);
    hand_norm(&training->hand);
    hand_act(&training->hand, ACT_RELU);
    hand_pool(&training->hand, OP_MAXPOOL, 2);
    hand_dropout(&training->hand, 0.2);
    hand_dense(&training->hand, TRAINING_CLASSES);
    training->recipe.shift = 1;
    training->recipe.epochs = EPOCHS;
    training->recipe.learning_rate = 1e-2;
    training_open(training, &cpu_backend);
}

static void run_rank(struct rank_member *member, void *context, void *result)
{
    struct seen *seen = result;
    const struct job *job = context;
    struct training training;
    *seen = (struct seen){.rank = member->rank, .job = job};
    prepare(&training);
    const struct trial_setup setup = {.backend = &cpu_backend,
                                      .device = training.device,
                                      .images = training.images,
                                      .split = &training.split,
                                      .plan = &training.hand.plan,
                                      .recipe = &training.recipe,
                                      .seed = training.seed,
                                      .trial = 9,
                                      .rank = member->rank,
                                      .ranks = member->ranks,
                                      .reduce = rank_mean,
                                      .reduce_context = member,
                                      .checkpoint = job->checkpoint[member->rank],
                                      .on_epoch = on_epoch,
                                      .context = seen};
    assert_ok(trial_run(&setup, training.log, &seen->result));
    training_clear(&training);
}

static void run(const struct job *job, struct seen *seen)
{
    struct job copy = *job;
    ranks_run(RANKS, run_rank, &copy, job->dies >= 0 ? 1u << job->dies : 0, seen, sizeof *seen);
}

/* `apart`: a file for every rank, to see who writes; else all have the same. */
static void name_checkpoints(struct job *job, const char *name, bool apart)
{
    *job = (struct job){.dies = -1, .stops = -1};
    for (int rank = 0; rank < RANKS; rank++)
        snprintf(job->checkpoint[rank], sizeof job->checkpoint[rank], "%s/%s.%d", test_folder(), name,
                 apart ? rank : 0);
}

/* The files also hold how long an epoch took: what else is in them is compared. */
static void assert_same_file(const char *path, const char *expected_path)
{
    struct training training;
    struct checkpoint a, b;
    prepare(&training);
    assert_ok(checkpoint_read(path, &training.hand.plan, 2, training.log, &a));
    assert_ok(checkpoint_read(expected_path, &training.hand.plan, 2, training.log, &b));
    assert_int_equal(a.epochs, EPOCHS);
    assert_int_equal(a.epochs, b.epochs);
    assert_true(training_same_state(&a.state, &b.state));
    checkpoint_clear(&a);
    checkpoint_clear(&b);
    training_clear(&training);
}

static void assert_same_metrics(const struct seen *seen, const struct seen *expected, size_t from)
{
    for (int rank = 0; rank < RANKS; rank++) {
        assert_int_equal(seen[rank].result.status, NR_OK);
        assert_int_equal(seen[rank].result.epochs, EPOCHS);
        assert_int_equal(seen[rank].count, EPOCHS - from);
        assert_memory_equal(seen[rank].metrics, expected->metrics + from, (EPOCHS - from) * sizeof *expected->metrics);
    }
}

static void all_ranks_tell_the_same_and_one_writes(void **state)
{
    (void)state;
    struct job job;
    struct seen seen[RANKS];
    name_checkpoints(&job, "apart", true);
    run(&job, seen);
    assert_same_metrics(seen, seen, 0);
    assert_true(seen->metrics[EPOCHS - 1].train_loss < seen->metrics[0].train_loss);
    assert_true(seen->metrics[EPOCHS - 1].validation_accuracy > 0.5); /* of four classes */
    assert_true(file_exists(job.checkpoint[0]));
    assert_false(file_exists(job.checkpoint[1]) || file_exists(job.checkpoint[2]));
}

/* Killed with kill -9, or stopped in order, behind the second epoch: the others end with a cause, and all of them
 * together go on from the file to the bits that an undisturbed run has. */
static void goes_on_after_a_lost_rank(void **state)
{
    (void)state;
    struct job whole, job;
    struct seen expected[RANKS], seen[RANKS];
    name_checkpoints(&whole, "whole", false);
    run(&whole, expected);
    for (int lost = 0; lost < RANKS; lost++) {
        char name[16];
        snprintf(name, sizeof name, "lost%d", lost);
        name_checkpoints(&job, name, false);
        if (lost < 2)
            job.dies = lost;
        else
            job.stops = lost;
        run(&job, seen);
        for (int rank = 0; rank < RANKS; rank++) {
            if (rank == lost)
                continue;
            assert_int_equal(seen[rank].result.status, NR_DEVICE);
            assert_non_null(strstr(seen[rank].result.cause, "the mean over the ranks failed at step 8 (epoch 3)"));
            assert_int_equal(seen[rank].result.epochs, DIES_AFTER);
        }
        job.dies = job.stops = -1;
        run(&job, seen);
        assert_same_metrics(seen, expected, DIES_AFTER - 1); /* that epoch is told again */
        assert_same_file(job.checkpoint[0], whole.checkpoint[0]);
    }
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(all_ranks_tell_the_same_and_one_writes),
    cmocka_unit_test(goes_on_after_a_lost_rank),
};

TEST_MAIN(cases)
