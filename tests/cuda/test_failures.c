/* A whole small trial on the double, again and again, with each of its calls failing once: it must end with the right
 * status and a cause that names the call, and leave nothing behind. LeakSanitizer looks at the host's memory. */
#include "support/training.h"

#include <cublasLt.h>
#include <cudnn.h>
#include <cuda_runtime_api.h>
#include <time.h>

#include "double/cudadouble.h"
#include "train/cuda/cuda.h"

enum { IMAGES = 40, SIDE = 6, STEPS = 7, MOST_RUNS = 500 };

struct outcome {
    nr_status status;
    char cause[512]; /* the trainer's, else what the device's log got */
    bool ended;      /* the trial had its result before the call failed: what only gives back cannot change that */
};

/* What the worker process does with a trial. */
static nr_status train(struct training *t, struct trainer *trainer, char *cause, size_t size)
{
    struct progress progress;
    struct evaluation evaluation;
    struct trial_state state;
    float logits[5 * TRAINING_CLASSES];
    nr_status status = cuda_backend.submit(trainer, STEPS);
    if (status == NR_OK)
        training_wait(t, trainer, &progress);
    if (status == NR_OK)
        status = progress.status;
    if (status == NR_OK)
        status = cuda_backend.evaluate(trainer, t->images, t->split.validation, t->split.validations, &evaluation);
    if (status == NR_OK)
        status = cuda_backend.predict(trainer, t->images, t->index, 5, logits);
    if (status == NR_OK)
        status = cuda_backend.read_state(trainer, &state);
    if (status == NR_OK) {
        status = cuda_backend.write_state(trainer, &state);
        trial_state_clear(&state);
    }
    if (status != NR_OK) {
        cuda_backend.poll(trainer, &progress);
        snprintf(cause, size, "%s", progress.cause ? progress.cause : "");
    }
    return status;
}

static nr_status run_on(struct training *t, struct outcome *out)
{
    const struct trainer_setup setup = {
        .plan = &t->hand.plan, .recipe = &t->recipe, .split = &t->split, .seed = t->seed, .trial = 3, .ranks = 1};
    struct trainer *trainer = NULL;
    cuda_device_options(t->device)->steps_per_graph = 3;
    cuda_device_options(t->device)->workspace = (size_t)4 << 20; /* less to fill with NaN */
    nr_status status = cuda_backend.upload(t->device, &t->dataset, &t->images);
    if (status == NR_OK)
        status = cuda_backend.create(t->device, t->images, &setup, &trainer);
    if (status == NR_OK)
        status = train(t, trainer, out->cause, sizeof out->cause);
    out->ended = !*cudadouble_failed();
    cuda_backend.destroy(trainer);
    cuda_backend.unload(t->images);
    t->images = NULL;
    return status;
}

static void run_trial(struct training *t, struct outcome *out)
{
    *out = (struct outcome){0};
    struct log *log = test_log();
    out->status = cuda_backend.open(0, log, &t->device);
    if (out->status == NR_OK) {
        out->status = run_on(t, out);
        cuda_backend.close(t->device);
        t->device = NULL;
    }
    if (!out->cause[0])
        snprintf(out->cause, sizeof out->cause, "%s", log_text(log));
    log_destroy(log);
}

/* ---- what to expect ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool of_a_library(const char *call)
{
    return begins(call, "cuda") || begins(call, "cublasLt") || begins(call, "cudnn");
}

static nr_status expected_status(const char *call, int code)
{
    const bool memory = begins(call, "cudnn") ? code == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                                                    code == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
                        : begins(call, "cublasLt") ? code == CUBLAS_STATUS_ALLOC_FAILED
                                                   : code == cudaErrorMemoryAllocation;
    return memory ? NR_NO_MEMORY : NR_DEVICE;
}

/* A kernel's failure names its launcher, which the source calls, a query of cuDNN the operation that it was about. Two
 * causes say more than the call: what did not fit, and that a first kernel did not run, which takes several calls. */
static bool names_call(const char *cause, const char *call)
{
    return strstr(cause, call) || strstr(cause, "MiB are free") || strstr(cause, "a first kernel") ||
           (begins(call, "cudnnGetConvolution") && strstr(cause, "cudnnConvolution")) ||
           (!of_a_library(call) && strstr(cause, "k_"));
}

static bool check_failure(const char *network, long n, const struct outcome *outcome)
{
    const char *call = cudadouble_failed();
    const nr_status expected = expected_status(call, cudadouble_failed_code());
    const size_t alive = cudadouble_live();
    if (alive > 0)
        cudadouble_print_live();
    if (outcome->ended) /* also where this run asked less often than the first whether the work was done */
        return outcome->status == NR_OK && alive == 0;
    if (outcome->status == expected && names_call(outcome->cause, call) && alive == 0)
        return true;
    print_error("%s, call %ld, %s = %d: status %s, expected %s; %zu objects alive; cause \"%s\"\n", network, n, call,
                cudadouble_failed_code(), status_text(outcome->status), status_text(expected), alive, outcome->cause);
    return false;
}

/* Every call, or as many as MOST_RUNS of them drawn at random. */
static void fail_each(const char *network, struct training *t)
{
    struct outcome outcome;
    t->backend = &cuda_backend;
    cudadouble_fail_at(0);
    run_trial(t, &outcome);
    if (outcome.status != NR_OK)
        fail_msg("%s: %s", network, outcome.cause);
    assert_int_equal(cudadouble_live(), 0);
    const long calls = cudadouble_calls();
    const unsigned seed = calls > MOST_RUNS ? (unsigned)time(NULL) : 0;
    long runs = 0, good = 0;
    srand(seed);
    for (long n = 1; n <= calls; n++) {
        if (calls > MOST_RUNS && rand() % calls >= MOST_RUNS)
            continue;
        cudadouble_fail_at(n);
        run_trial(t, &outcome);
        good += check_failure(network, n, &outcome);
        runs++;
    }
    cudadouble_fail_at(0);
    print_message("%s: %ld of %ld calls failed once each (seed %u)\n", network, runs, calls, seed);
    assert_int_equal(good, runs);
}

/* The device dies of the n-th piece of work: whoever waits is told. */
static void lose_each(const char *network, struct training *t)
{
    struct outcome outcome;
    cudadouble_lose_at(0);
    run_trial(t, &outcome);
    assert_int_equal(outcome.status, NR_OK);
    const long runs = cudadouble_runs();
    assert_true(runs > 50);
    for (long n = 1; n <= runs; n++) {
        cudadouble_lose_at(n);
        run_trial(t, &outcome);
        if (outcome.status != NR_DEVICE || !strstr(outcome.cause, "an illegal memory access was encountered") ||
            cudadouble_live() > 0)
            fail_msg("%s, work %ld of %ld: status %s, %zu objects alive; cause \"%s\"", network, n, runs,
                     status_text(outcome.status), cudadouble_live(), outcome.cause);
    }
    cudadouble_lose_at(0);
    print_message("%s: %ld pieces of work lost the device once each\n", network, runs);
}

/* ---- the networks ---- */

static void test_mlp(void **state)
{
    struct training t;
    (void)state;
    training_create(&t, IMAGES, 1, SIDE);
    t.recipe.batch_size = 16;
    hand_dense(&t.hand, 8);
    hand_act(&t.hand, ACT_RELU);
    hand_dense(&t.hand, TRAINING_CLASSES);
    fail_each("MLP", &t);
    lose_each("MLP", &t);
    training_clear(&t);
}

static void test_cnn(void **state)
{
    struct training t;
    (void)state;
    training_create(&t, IMAGES, 1, SIDE);
    t.recipe.batch_size = 16; /* 16, 16, 3 */
    t.recipe.clip_norm = 1;
    t.recipe.precision = PRECISION_BF16;
    hand_conv(&t.hand, 4, 3, 1, 1, 1, false);
    hand_norm(&t.hand);
    hand_act(&t.hand, ACT_RELU);
    hand_pool(&t.hand, OP_MAXPOOL, 2);
    hand_dense(&t.hand, TRAINING_CLASSES);
    fail_each("CNN", &t);
    lose_each("CNN", &t);
    training_clear(&t);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_mlp),
    cmocka_unit_test(test_cnn),
};

int main(int count, char **arguments)
{
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
