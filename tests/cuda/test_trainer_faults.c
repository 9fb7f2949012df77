/* Every call that can fail, failing once; devices that are lost, hang, or are too small; machines without a usable one.
 */
#include "support/training.h"

#include "double/child.h"
#include "double/cudadouble.h"
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

/* The whole life of a trainer, up to the first failure. Whatever it says is added to `said`. */
static nr_status train_and_look(struct training *training, struct trainer *trainer, struct text *said)
{
    struct progress progress = {0};
    struct evaluation evaluation;
    struct trial_state state;
    float logits[5 * TRAINING_CLASSES];
    cuda_backend.reset_progress(trainer);
    nr_status status = cuda_backend.submit(trainer, STEPS);
    if (status == NR_OK) {
        training_wait(training, trainer, &progress);
        status = progress.status;
    }
    if (status == NR_OK)
        status = cuda_backend.evaluate(trainer, training->images, training->index, IMAGES, &evaluation);
    if (status == NR_OK)
        status = cuda_backend.predict(trainer, training->images, training->index, 5, logits);
    if (status == NR_OK)
        status = cuda_backend.read_state(trainer, &state);
    if (status == NR_OK) {
        status = cuda_backend.write_state(trainer, &state);
        trial_state_clear(&state);
    }
    cuda_backend.poll(trainer, &progress);
    text_format(said, "%s", progress.cause ? progress.cause : "");
    return status;
}

static nr_status live(struct training *training, struct text *said)
{
    struct trainer *trainer;
    nr_status status = cuda_backend.open(0, training->log, &training->device);
    if (status != NR_OK)
        return status;
    cuda_device_options(training->device)->steps_per_graph = 2;
    status = cuda_backend.upload(training->device, &training->dataset, &training->images);
    if (status != NR_OK)
        return status;
    const struct trainer_setup setup = training_setup(training, 1);
    if (cuda_backend.memory(training->device, &training->hand.plan, &training->recipe) <= 0 ||
        cuda_backend.available(training->device) < 0)
        return NR_DEVICE;
    status = cuda_backend.create(training->device, training->images, &setup, &trainer);
    if (status != NR_OK)
        return status;
    status = train_and_look(training, trainer, said);
    cuda_backend.destroy(trainer);
    return status;
}

/* The call itself, or what it was for: of a kernel its launcher. */
static bool names_cause(const char *said, const char *call)
{
    static const char *const purposes[] = {"MiB are free", "a first kernel", "cudnnConvolution", "k_"};
    bool named = strstr(said, call) != NULL;
    for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
        named |= strstr(said, purposes[i]) != NULL;
    return named;
}

/* Some failures are no failure: an epilogue that is not to be had, an algorithm, a figure that is only told. */
static void fail_at(long number, long *harmless)
{
    struct training training;
    struct text said = {0};
    size_t before = cudadouble_live();
    create(&training);
    training.backend = &cuda_backend;
    cudadouble_fail_at(number);
    nr_status status = live(&training, &said);
    const char *call = cudadouble_failed();
    text_format(&said, "%s", log_text(training.log));
    if (status == NR_OK) {
        (*harmless)++;
    } else if (!names_cause(said.data, call)) {
        print_error("call %ld, %s, failed: \"%s\"\n", number, call, said.data);
        fail();
    }
    training_clear(&training);
    cudadouble_fail_at(0);
    text_clear(&said);
    if (cudadouble_live() != before) {
        print_error("call %ld leaves behind:\n", number);
        cudadouble_print_live();
        fail();
    }
}

static void every_call_fails_once(void **state)
{
    (void)state;
    struct training training;
    struct text said = {0};
    long calls, harmless = 0;
    setenv("NASRUN_DOUBLE_CAPABILITY", "8.0", 1); /* workspaces of 4 MiB: each is filled anew for each of the calls */
    create(&training);
    training.backend = &cuda_backend;
    cudadouble_fail_at(0);
    assert_ok(live(&training, &said));
    training_clear(&training);
    calls = cudadouble_calls();
    text_clear(&said);
    assert_true(calls > 200);
    for (long number = 1; number <= calls; number++)
        fail_at(number, &harmless);
    assert_true(harmless < calls / 10);
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
    cmocka_unit_test(machines),      cmocka_unit_test(a_lost_device),         cmocka_unit_test(a_hung_device),
    cmocka_unit_test(a_full_device), cmocka_unit_test(every_call_fails_once),
};

TEST_MAIN(cases)
