/* Which dimensions matter to the model: Sobol' indices of its posterior mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/diagnosis_parts.h"
#include "optim/sobol.h"

enum {
    MOST_SAMPLES = 4096,
    FEWEST_SAMPLES = 256,
    BINS = 8, /* that the range of a dimension is cut into to find where the mean is best */
};
static const double most_work = 1e9; /* factors of the kernel: a second or two */

/* Two independent sets of points in the unit cube, a and b, the outcome at both, and work memory. */
struct sampling {
    struct diagnosis *diagnosis;
    size_t outcome, dimensions, samples;
    double *unit;                   /* [samples][2][dimensions] */
    double *point;                  /* [samples][dimensions] */
    double *mean_a, *mean_b, *mean; /* [samples] */
    double *moved;                  /* [dimensions] */
};

static const double *unit_of(const struct sampling *sampling, size_t sample, size_t set)
{
    return sampling->unit + (2 * sample + set) * sampling->dimensions;
}

static size_t samples_for(const struct diagnosis *diagnosis)
{
    double dimensions = (double)diagnosis->problem->space->count, rows = (double)surrogate_rows(diagnosis->surrogate);
    size_t samples = MOST_SAMPLES;
    while (samples > FEWEST_SAMPLES && (double)samples * (dimensions + 2) * rows * dimensions > most_work)
        samples /= 2;
    return samples;
}

static nr_status draw(struct sampling *sampling)
{
    struct sobol *sobol;
    nr_status status = sobol_create(2 * sampling->dimensions, sampling->diagnosis->seed, &sobol);
    if (status != NR_OK)
        return status;
    for (size_t i = 0; i < sampling->samples; i++)
        sobol_point(sobol, (uint32_t)i, sampling->unit + 2 * i * sampling->dimensions);
    sobol_destroy(sobol);
    return NR_OK;
}

static nr_status create(struct diagnosis *diagnosis, size_t outcome, struct sampling *out)
{
    struct sampling sampling = {.diagnosis = diagnosis,
                                .outcome = outcome,
                                .dimensions = diagnosis->problem->space->count,
                                .samples = samples_for(diagnosis)};
    size_t dimensions = sampling.dimensions, samples = sampling.samples;
    sampling.unit = mem_array(samples, (3 * dimensions + 3) * sizeof *sampling.unit);
    sampling.moved = mem_array(dimensions, sizeof *sampling.moved);
    if (!sampling.unit || !sampling.moved) {
        free(sampling.unit);
        free(sampling.moved);
        return NR_NO_MEMORY;
    }
    sampling.point = sampling.unit + 2 * samples * dimensions;
    sampling.mean_a = sampling.point + samples * dimensions;
    sampling.mean_b = sampling.mean_a + samples;
    sampling.mean = sampling.mean_b + samples;
    nr_status status = draw(&sampling);
    if (status != NR_OK) {
        free(sampling.unit);
        free(sampling.moved);
        return status;
    }
    *out = sampling;
    return NR_OK;
}

/* The posterior mean at the points of one set, with dimension `other` (SIZE_MAX: none) taken from the other set. */
static nr_status evaluate(struct sampling *sampling, size_t set, size_t other, double *mean)
{
    size_t dimensions = sampling->dimensions;
    for (size_t i = 0; i < sampling->samples; i++) {
        memcpy(sampling->moved, unit_of(sampling, i, set), dimensions * sizeof *sampling->moved);
        if (other != SIZE_MAX)
            sampling->moved[other] = unit_of(sampling, i, 1 - set)[other];
        point_from_unit(sampling->diagnosis->problem->space, sampling->moved, sampling->point + i * dimensions);
    }
    return surrogate_predict(sampling->diagnosis->surrogate, sampling->outcome, sampling->point, sampling->samples,
                             mean, NULL);
}

/* Over both sets, about their common mean. */
static double variance_of(const struct sampling *sampling)
{
    double sum = 0, squares = 0, count = 2 * (double)sampling->samples;
    for (size_t i = 0; i < sampling->samples; i++)
        sum += sampling->mean_a[i] + sampling->mean_b[i];
    for (size_t i = 0; i < sampling->samples; i++) {
        double a = sampling->mean_a[i] - sum / count, b = sampling->mean_b[i] - sum / count;
        squares += a * a + b * b;
    }
    return squares / count;
}

/* Jansen's estimators from f(a), f(b) and f(a with dimension d of b). */
static void estimate(const struct sampling *sampling, double variance, struct diagnosis_importance *out)
{
    double alone = 0, with_others = 0, pairs = 2 * (double)sampling->samples;
    for (size_t i = 0; i < sampling->samples; i++) {
        double to_b = sampling->mean_b[i] - sampling->mean[i], to_a = sampling->mean_a[i] - sampling->mean[i];
        alone += to_b * to_b;
        with_others += to_a * to_a;
    }
    /* both estimates scatter about what cannot leave [0,1] */
    out->first = fmin(fmax(1 - alone / pairs / variance, 0), 1);
    out->total = fmin(fmax(with_others / pairs / variance, out->first), 1);
}

/* Where in the unit interval the mean of f(a) is highest while the dimension is active: the middle of a level of one
 * with few, else of an eighth of its range. sampling->point holds the points a. */
static double best_place(const struct sampling *sampling, size_t d)
{
    double size = dimension_size(&sampling->diagnosis->problem->space->dimension[d]);
    double sum[BINS] = {0}, count[BINS] = {0}, best_mean = -INFINITY, place = NAN;
    size_t bins = size < BINS ? (size_t)size : BINS;
    for (size_t i = 0; i < sampling->samples; i++) {
        if (isnan(sampling->point[i * sampling->dimensions + d]))
            continue;
        size_t bin = (size_t)(unit_of(sampling, i, 0)[d] * (double)bins);
        sum[bin] += sampling->mean_a[i];
        count[bin]++;
    }
    for (size_t bin = 0; bin < bins; bin++) {
        if (!(count[bin] > 0) || !(sum[bin] / count[bin] > best_mean))
            continue;
        best_mean = sum[bin] / count[bin];
        place = ((double)bin + 0.5) / (double)bins;
    }
    return place;
}

/* The value that the dimension has in the sample nearest to a place. */
static double value_near(const struct sampling *sampling, size_t d, double place)
{
    double nearest = INFINITY, value = NAN;
    for (size_t i = 0; i < sampling->samples; i++) {
        double at = sampling->point[i * sampling->dimensions + d];
        double distance = fabs(unit_of(sampling, i, 0)[d] - place);
        if (isnan(at) || !(distance < nearest))
            continue;
        nearest = distance;
        value = at;
    }
    return value;
}

static bool varies(const struct dimension *dimension)
{
    return dimension_size(dimension) > 1 || dimension->condition;
}

static nr_status estimate_all(struct sampling *sampling, struct diagnosis_importance *importance)
{
    const struct space *space = sampling->diagnosis->problem->space;
    nr_status status = evaluate(sampling, 1, SIZE_MAX, sampling->mean_b);
    if (status == NR_OK)
        status = evaluate(sampling, 0, SIZE_MAX, sampling->mean_a);
    if (status != NR_OK)
        return status;
    double variance = variance_of(sampling);
    bool flat = !(variance > 1e-12); /* outcomes are standardised: what is smaller is rounding */
    for (size_t d = 0; d < sampling->dimensions; d++) {
        importance[d] = (struct diagnosis_importance){NAN, NAN, NAN};
        if (!flat && varies(&space->dimension[d]))
            importance[d].best = value_near(sampling, d, best_place(sampling, d));
    }
    for (size_t d = 0; d < sampling->dimensions && !flat; d++) {
        if (!varies(&space->dimension[d]))
            continue;
        status = evaluate(sampling, 0, d, sampling->mean);
        if (status != NR_OK)
            return status;
        estimate(sampling, variance, &importance[d]);
    }
    return NR_OK;
}

nr_status diagnosis_importances(struct diagnosis *diagnosis, size_t outcome, struct diagnosis_importance *importance)
{
    struct sampling sampling;
    nr_status status = create(diagnosis, outcome, &sampling);
    if (status != NR_OK)
        return status;
    status = estimate_all(&sampling, importance);
    free(sampling.unit);
    free(sampling.moved);
    return status;
}
