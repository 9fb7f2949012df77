/* Batch normalisation on the double of cuDNN, against the definition in double.
 *
 * Tolerance: values are below 4, statistics are of at most 392 values and rounded to float32 once; 1e-6 of the largest
 * value, scaled by 1 / sqrt(variance) <= 4 where that enters. */
#include "cuda/lane_device.h"

#include "train/cuda/normalisation.h"

struct shape {
    int64_t images, channels, positions;
};

/* dense and not, two values per channel, sizes of a network */
static const struct shape shapes[] = {{2, 1, 1}, {5, 3, 1}, {1, 3, 2}, {4, 5, 7}, {8, 6, 49}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const double epsilon = 1e-5, tolerance = 1e-5;

enum { X, DY, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE, INPUTS };
enum { Y = INPUTS, MEAN, INVERSE, DX, DGAMMA, DBETA, ARRAYS };

/* All arrays here (the inputs as they were, the outputs as they should be) and on the device. */
struct trial {
    struct shape shape;
    size_t count[ARRAYS];
    double *here[ARRAYS];
    float *device[ARRAYS];
};

static bool is_large(int array)
{
    return array == X || array == DY || array == Y || array == DX;
}

static void trial_open(struct trial *trial, const struct lane *lane, struct shape shape)
{
    trial->shape = shape;
    for (int i = 0; i < ARRAYS; i++) {
        trial->count[i] = (size_t)(shape.channels * (is_large(i) ? shape.images * shape.positions : 1));
        trial->here[i] = calloc(trial->count[i], sizeof(double));
        if (i >= INPUTS) {
            trial->device[i] = device_make(lane, trial->count[i] * sizeof(float));
            continue;
        }
        float *values = malloc(trial->count[i] * sizeof *values);
        fill_values(values, trial->count[i], (unsigned)i + 1, false);
        for (size_t at = 0; at < trial->count[i]; at++) {
            values[at] += i == X ? 2.5f : i == RUNNING_VARIANCE ? 1.5f : 0;
            trial->here[i][at] = (double)values[at];
        }
        trial->device[i] = device_put(lane, values, trial->count[i] * sizeof *values);
        free(values);
    }
}

static void trial_close(struct trial *trial)
{
    for (int i = 0; i < ARRAYS; i++) {
        assert_int_equal(cudaFree(trial->device[i]), cudaSuccess);
        free(trial->here[i]);
    }
}

/* Index of value i of a channel. */
static size_t at(const struct shape *shape, int64_t channel, int64_t i)
{
    return (size_t)((i / shape->positions * shape->channels + channel) * shape->positions + i % shape->positions);
}

/* Ioffe and Szegedy 2015, algorithm 1; the running variance takes the unbiased one. */
static void define_forward(struct trial *trial, int64_t channel)
{
    double *const *v = trial->here;
    const int64_t count = trial->shape.images * trial->shape.positions;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < count; i++)
        mean += v[X][at(&trial->shape, channel, i)] / (double)count;
    for (int64_t i = 0; i < count; i++)
        variance += pow(v[X][at(&trial->shape, channel, i)] - mean, 2) / (double)count;
    v[MEAN][channel] = mean;
    v[INVERSE][channel] = 1 / sqrt(variance + epsilon);
    for (int64_t i = 0; i < count; i++) {
        const size_t place = at(&trial->shape, channel, i);
        v[Y][place] = v[GAMMA][channel] * (v[X][place] - mean) * v[INVERSE][channel] + v[BETA][channel];
    }
    v[RUNNING_MEAN][channel] = 0.9 * v[RUNNING_MEAN][channel] + 0.1 * mean;
    v[RUNNING_VARIANCE][channel] =
        0.9 * v[RUNNING_VARIANCE][channel] + 0.1 * variance * (double)count / (double)(count - 1);
}

/* The derivative of sum(y dy) by x, from that of each y by each x: no formula in common with the double's. */
static void define_backward(struct trial *trial, int64_t channel)
{
    double *const *v = trial->here;
    const int64_t count = trial->shape.images * trial->shape.positions;
    const double inverse = v[INVERSE][channel];
    for (int64_t i = 0; i < count; i++) {
        const size_t to = at(&trial->shape, channel, i);
        const double x_i = v[X][to] - v[MEAN][channel];
        double dx = 0;
        for (int64_t j = 0; j < count; j++) {
            const size_t from = at(&trial->shape, channel, j);
            const double x_j = v[X][from] - v[MEAN][channel];
            const double by_mean = (i == j ? 1.0 : 0.0) - 1 / (double)count;
            dx += v[DY][from] * v[GAMMA][channel] * (inverse * by_mean - x_j * pow(inverse, 3) * x_i / (double)count);
        }
        v[DX][to] = dx;
        v[DGAMMA][channel] += v[DY][to] * x_i * inverse;
        v[DBETA][channel] += v[DY][to];
    }
}

static void check_array(const struct trial *trial, const struct lane *lane, int array, double scale)
{
    float *got = host_values(lane, trial->device[array], trial->count[array], false);
    for (size_t i = 0; i < trial->count[array]; i++)
        assert_near((double)got[i], trial->here[array][i], tolerance, tolerance * scale);
    free(got);
}

static nr_status run_training(const struct trial *trial, const struct normalisation *norm)
{
    float *const *d = trial->device;
    nr_status status = normalisation_forward(norm, d[X], d[GAMMA], d[BETA], d[Y], d[RUNNING_MEAN], d[RUNNING_VARIANCE],
                                             d[MEAN], d[INVERSE]);
    if (status == NR_OK)
        status = normalisation_backward(norm, d[X], d[DY], d[GAMMA], d[MEAN], d[INVERSE], d[DX], d[DGAMMA], d[DBETA]);
    return status;
}

static void test_training(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    for (int shape = 0; shape < SHAPES; shape++) {
        struct trial trial;
        struct normalisation *norm;
        trial_open(&trial, lane, shapes[shape]);
        assert_ok(
            normalisation_create(lane, shapes[shape].images, shapes[shape].channels, shapes[shape].positions, &norm));
        assert_ok(run_training(&trial, norm));
        double steepest = 1;
        for (int64_t channel = 0; channel < shapes[shape].channels; channel++) {
            define_forward(&trial, channel);
            define_backward(&trial, channel);
            steepest = fmax(steepest, trial.here[INVERSE][channel]);
        }
        for (int array = RUNNING_MEAN; array < ARRAYS; array++)
            check_array(&trial, lane, array, array == RUNNING_MEAN || array == RUNNING_VARIANCE ? 1 : steepest);
        normalisation_destroy(norm);
        trial_close(&trial);
    }
    lane_close(lane);
}

static void test_evaluation(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    for (int shape = 0; shape < SHAPES; shape++) {
        struct trial trial;
        struct normalisation *norm;
        trial_open(&trial, lane, shapes[shape]);
        float *const *d = trial.device;
        double *const *v = trial.here;
        assert_ok(
            normalisation_create(lane, shapes[shape].images, shapes[shape].channels, shapes[shape].positions, &norm));
        assert_ok(normalisation_evaluate(norm, d[X], d[GAMMA], d[BETA], d[RUNNING_MEAN], d[RUNNING_VARIANCE], d[Y]));
        for (int64_t channel = 0; channel < shapes[shape].channels; channel++)
            for (int64_t i = 0; i < shapes[shape].images * shapes[shape].positions; i++) {
                const size_t place = at(&trial.shape, channel, i);
                v[Y][place] = v[GAMMA][channel] * (v[X][place] - v[RUNNING_MEAN][channel]) /
                                  sqrt(v[RUNNING_VARIANCE][channel] + epsilon) +
                              v[BETA][channel];
            }
        check_array(&trial, lane, Y, 1);
        check_array(&trial, lane, RUNNING_MEAN, 0); /* as they were */
        check_array(&trial, lane, RUNNING_VARIANCE, 0);
        normalisation_destroy(norm);
        trial_close(&trial);
    }
    lane_close(lane);
}

static void test_too_many(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct normalisation *norm = NULL;
    assert_int_equal(normalisation_create(lane, (int64_t)1 << 31, 1, 1, &norm), NR_INFEASIBLE);
    assert_null(norm);
    assert_non_null(strstr(lane_failure.text, "2147483648 x 1 x 1"));
    lane_close(lane);
}

static nr_status create_and_run(struct lane *lane, void *context)
{
    const struct trial *trial = context;
    struct normalisation *norm;
    float *const *d = trial->device;
    nr_status status =
        normalisation_create(lane, trial->shape.images, trial->shape.channels, trial->shape.positions, &norm);
    if (status != NR_OK)
        return status;
    status = run_training(trial, norm);
    if (status == NR_OK)
        status = normalisation_evaluate(norm, d[X], d[GAMMA], d[BETA], d[RUNNING_MEAN], d[RUNNING_VARIANCE], d[Y]);
    normalisation_destroy(norm);
    return status;
}

static void test_every_call_fails_once(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    trial_open(&trial, lane, shapes[3]);
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
    lane_destroy(lane);
    fail_everywhere(create_and_run, &trial, false);
    trial_close(&trial);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_training),
    cmocka_unit_test(test_evaluation),
    cmocka_unit_test(test_too_many),
    cmocka_unit_test(test_every_call_fails_once),
};

TEST_MAIN(cases)
