/* Devices that are lost, hang, or are too small; machines without a usable one. */
#include "support/training.h"

#include "double/child.h"
#include "train/cuda/cuda.h"

enum { IMAGES = 24, STEPS = 9 }; /* 20 train */

/* All of the libraries: a convolution, a norm, products with and without a mask. */
static void small(struct hand_plan *hand)
{
    hand_conv(hand, 2, 3, 1, 1, 1, true);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dense(hand, 3);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, TRAINING_CLASSES);
}

static void create(struct training *training)
{
    training_create(training, IMAGES, 1, 4);
    small(&training->hand);
    training->recipe.batch_size = 3; /* six full steps and a short one */
    training->recipe.epoch_images = 20;
    training->recipe.epochs = 3;
    training->recipe.clip_norm = 1;
    training->recipe.precision = PRECISION_BF16;
}

/* ---- in processes of their own: the double reads its environment once ---- */

static struct training lonely;

static struct trainer *start(double patience)
{
    create(&lonely);
    training_open(&lonely, &cuda_backend);
    cuda_device_options(lonely.device)->patience = patience;
    return training_trainer(&lonely, 1);
}

/* The cause names the call; everything else fails at once and without another word, and can be taken down. */
static void expect_lost(struct trainer *trainer, const char *call)
{
    struct progress progress;
    struct trainer *other;
    struct evaluation evaluation;
    struct trial_state state;
    assert_ok(cuda_backend.submit(trainer, STEPS));
    training_wait(&lonely, trainer, &progress);
    assert_int_equal(progress.status, NR_DEVICE);
    assert_non_null(strstr(progress.cause, call));
    assert_int_equal(cuda_backend.evaluate(trainer, lonely.images, lonely.index, IMAGES, &evaluation), NR_DEVICE);
    assert_int_equal(cuda_backend.read_state(trainer, &state), NR_DEVICE);
    const struct trainer_setup setup = training_setup(&lonely, 2);
    assert_int_equal(cuda_backend.create(lonely.device, lonely.images, &setup, &other), NR_DEVICE);
    assert_int_equal(cuda_backend.available(lonely.device), 0);
    cuda_backend.destroy(trainer);
    training_clear(&lonely);
}

static void lose_device(void)
{
    struct trainer *trainer = start(60);
    expect_lost(trainer, "cudaEventQuery");
}

static void hang_device(void)
{
    struct trainer *trainer = start(0.2);
    expect_lost(trainer, "0.2 s");
    _exit(0); /* what a device that does not answer holds is not given back */
}

/* The device has room for one but not for two; the second says what it lacked, and the first goes on. */
static void fill_device(void)
{
    struct trainer *trainer = start(60), *other;
    struct trainer_setup setup = training_setup(&lonely, 2);
    setup.lane = 1;
    assert_int_equal(cuda_backend.create(lonely.device, lonely.images, &setup, &other), NR_NO_MEMORY);
    assert_non_null(strstr(log_text(lonely.log), "cudaMalloc"));
    setup.lane = 0;
    lonely.recipe.batch_size = 20000;
    lonely.recipe.epoch_images = 100000;
    assert_int_equal(cuda_backend.create(lonely.device, lonely.images, &setup, &other), NR_NO_MEMORY);
    assert_non_null(strstr(log_text(lonely.log), "MiB are free"));
    lonely.recipe.batch_size = 3;
    lonely.recipe.epoch_images = 20;
    training_steps(&lonely, trainer, STEPS);
    cuda_backend.destroy(trainer);
    trainer = training_create_trainer(&lonely, &setup);
    training_steps(&lonely, trainer, STEPS);
    cuda_backend.destroy(trainer);
    training_clear(&lonely);
}

/* Two lanes' workspaces of 32 MiB and one such arena fit into 96 MiB, two do not: what the first lane keeps is given
 * back for the second. */
static void fill_lanes(void)
{
    struct trainer *trainer = start(60);
    struct trainer_setup setup = training_setup(&lonely, 2);
    cuda_backend.destroy(trainer);
    while (cuda_backend.memory(lonely.device, &lonely.hand.plan, &lonely.recipe) < (32 + 18) << 20)
        lonely.recipe.batch_size = lonely.recipe.epoch_images = lonely.recipe.batch_size * 5 / 4 + 1;
    for (setup.lane = 0; setup.lane < 2; setup.lane++) {
        int64_t before = cuda_backend.available(lonely.device);
        trainer = training_create_trainer(&lonely, &setup);
        cuda_backend.destroy(trainer);
        assert_true(cuda_backend.available(lonely.device) == before);
    }
    training_clear(&lonely);
}

/* The group is left, which NCCL does only once no graph holds a mean any more; it is of no more use. */
static void fail_in_group(void)
{
    char invitation[INVITATION_SIZE];
    struct progress progress;
    struct trainer *trainer, *other;
    create(&lonely);
    training_open(&lonely, &cuda_backend);
    assert_ok(cuda_backend.invite(lonely.device, invitation));
    assert_ok(cuda_backend.join(lonely.device, invitation, 0, 1));
    trainer = training_trainer(&lonely, 1);
    assert_ok(cuda_backend.submit(trainer, STEPS));
    training_wait(&lonely, trainer, &progress);
    assert_int_equal(progress.status, NR_DEVICE);
    assert_non_null(strstr(progress.cause, "cudaGraphLaunch"));
    const struct trainer_setup setup = training_setup(&lonely, 2);
    assert_int_equal(cuda_backend.create(lonely.device, lonely.images, &setup, &other), NR_DEVICE);
    assert_non_null(strstr(log_text(lonely.log), "has left its group"));
    cuda_backend.destroy(trainer);
    training_clear(&lonely);
}

/* A shape that a library lacks is the trial's failure, not the device's: the next one trains there. */
static void lack_a_shape(void)
{
    struct trainer *trainer;
    create(&lonely);
    training_open(&lonely, &cuda_backend);
    const struct trainer_setup setup = training_setup(&lonely, 2);
    assert_int_equal(cuda_backend.create(lonely.device, lonely.images, &setup, &trainer), NR_INFEASIBLE);
    assert_non_null(strstr(log_text(lonely.log), "cudnnCreateTensorDescriptor"));
    trainer = training_trainer(&lonely, 3);
    training_steps(&lonely, trainer, STEPS);
    cuda_backend.destroy(trainer);
    training_clear(&lonely);
}

/* The third is the batch norm's. */
static void a_shape_that_is_lacking(void **state)
{
    (void)state;
    passes(lack_a_shape,
           ENVIRONMENT("NASRUN_DOUBLE_FAIL=call=cudnnCreateTensorDescriptor,nth=3,code=3000", "CMOCKA_TEST_ABORT=1"));
}

static void a_failure_in_a_group(void **state)
{
    (void)state;
    passes(fail_in_group, ENVIRONMENT("NASRUN_DOUBLE_FAIL=call=cudaGraphLaunch,nth=2,code=701", "CMOCKA_TEST_ABORT=1"));
}

static void a_lost_device(void **state)
{
    (void)state;
    passes(lose_device,
           ENVIRONMENT("NASRUN_DOUBLE_FAIL=call=loss_gradient,nth=6,code=700,when=run", "CMOCKA_TEST_ABORT=1"));
}

static void a_hung_device(void **state)
{
    (void)state;
    passes(hang_device, ENVIRONMENT("NASRUN_DOUBLE_HANG=call=loss_gradient,nth=6", "CMOCKA_TEST_ABORT=1"));
}

static void a_full_device(void **state)
{
    (void)state;
    passes(fill_device, ENVIRONMENT("NASRUN_DOUBLE_MEMORY=50000000", "CMOCKA_TEST_ABORT=1"));
}

static void full_lanes(void **state)
{
    (void)state;
    passes(fill_lanes, ENVIRONMENT("NASRUN_DOUBLE_MEMORY=100663296", "CMOCKA_TEST_ABORT=1"));
}

/* ---- which devices there are ---- */

static void expect_none(const char *why)
{
    struct log *log = test_log();
    int count = -7;
    assert_ok(cuda_backend.count(log, &count));
    assert_int_equal(count, 0);
    assert_non_null(strstr(log_text(log), why));
    log_destroy(log);
}

static void without_driver(void)
{
    expect_none("no NVIDIA driver");
}

static void with_old_driver(void)
{
    expect_none("too old: it is for CUDA 11.0");
}

static void without_device(void)
{
    expect_none("CUDA_VISIBLE_DEVICES is \"-1\"");
}

static void with_old_device(void)
{
    struct log *log = test_log();
    struct device_summary summary;
    struct device *device;
    int count;
    assert_ok(cuda_backend.count(log, &count));
    assert_int_equal(count, 1);
    assert_ok(cuda_backend.inspect(0, log, &summary));
    assert_string_equal(summary.problem, "this program has no code for compute capability 6.1");
    assert_false(summary.bf16 || summary.tf32);
    assert_int_equal(cuda_backend.open(0, log, &device), NR_DEVICE);
    test_log_has(log, "no code for compute capability 6.1");
    log_destroy(log);
}

static void with_turing(void)
{
    struct log *log = test_log();
    struct device_summary summary;
    struct device *device;
    assert_ok(cuda_backend.inspect(0, log, &summary));
    assert_string_equal(summary.problem, "");
    assert_true(summary.memory > 0 && summary.available > 0 && summary.available <= summary.memory);
    assert_false(summary.bf16 || summary.tf32);
    assert_ok(cuda_backend.open(0, log, &device));
    assert_true(cuda_backend.supports(device, PRECISION_FLOAT32));
    assert_false(cuda_backend.supports(device, PRECISION_FLOAT64) || cuda_backend.supports(device, PRECISION_TF32) ||
                 cuda_backend.supports(device, PRECISION_BF16));
    struct text text = {0};
    cuda_backend.describe(device, &text);
    assert_non_null(strstr(text.data, "cuda Double 0, driver 13."));
    assert_non_null(strstr(text.data, "NCCL 2."));
    text_clear(&text);
    cuda_backend.close(device);
    log_destroy(log);
}

static void machines(void **state)
{
    (void)state;
    passes(without_driver, ENVIRONMENT("NASRUN_DOUBLE_DRIVER=none", "CMOCKA_TEST_ABORT=1"));
    passes(with_old_driver, ENVIRONMENT("NASRUN_DOUBLE_DRIVER=old", "CMOCKA_TEST_ABORT=1"));
    passes(without_device, ENVIRONMENT("CUDA_VISIBLE_DEVICES=-1", "CMOCKA_TEST_ABORT=1"));
    passes(with_old_device, ENVIRONMENT("NASRUN_DOUBLE_CAPABILITY=6.1", "CMOCKA_TEST_ABORT=1"));
    passes(with_turing, ENVIRONMENT("NASRUN_DOUBLE_CAPABILITY=7.5", "CMOCKA_TEST_ABORT=1"));
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(machines),      cmocka_unit_test(a_failure_in_a_group), cmocka_unit_test(a_shape_that_is_lacking),
    cmocka_unit_test(a_lost_device), cmocka_unit_test(a_hung_device),        cmocka_unit_test(a_full_device),
    cmocka_unit_test(full_lanes),
};

TEST_MAIN(cases)
