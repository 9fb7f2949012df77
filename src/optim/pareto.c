#include "optim/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PARETO_MAX_OBJECTIVES = 4 };

bool pareto_dominates(const double *a, const double *b, size_t objectives)
{
    bool better = false;
    for (size_t j = 0; j < objectives; j++) {
        if (!(a[j] >= b[j]))
            return false;
        better |= a[j] > b[j];
    }
    return better;
}

struct rows { /* what the comparison of indices needs */
    const double *points;
    size_t objectives;
};

/* Descending by the first objective, then the second, ...; equal rows by index, so that the first one comes first. In
 * this order a row can be dominated by earlier rows only. */
static int compare_rows(const void *left, const void *right, void *context)
{
    const struct rows *rows = context;
    size_t i = *(const size_t *)left, k = *(const size_t *)right;
    const double *a = rows->points + i * rows->objectives, *b = rows->points + k * rows->objectives;
    for (size_t j = 0; j < rows->objectives; j++)
        if (a[j] != b[j])
            return a[j] > b[j] ? -1 : 1;
    return i < k ? -1 : i > k;
}

static bool has_nan(const double *point, size_t objectives)
{
    for (size_t j = 0; j < objectives; j++)
        if (isnan(point[j]))
            return true;
    return false;
}

static bool covers(const double *a, const double *b, size_t objectives)
{
    for (size_t j = 0; j < objectives; j++)
        if (a[j] < b[j])
            return false;
    return true;
}

size_t pareto_front(const double *points, size_t count, size_t objectives, size_t *front)
{
    size_t valid = 0, members = 0;
    for (size_t i = 0; i < count; i++)
        if (!has_nan(points + i * objectives, objectives))
            front[valid++] = i;
    struct rows rows = {points, objectives};
    qsort_r(front, valid, sizeof *front, compare_rows, &rows);
    for (size_t i = 0; i < valid; i++) {
        const double *candidate = points + front[i] * objectives;
        bool covered = false;
        /* with two objectives the last member has the best second objective so far: it alone decides */
        for (size_t k = objectives <= 2 && members ? members - 1 : 0; k < members && !covered; k++)
            covered = covers(points + front[k] * objectives, candidate, objectives);
        if (!covered)
            front[members++] = front[i];
    }
    return members;
}

static int compare_last(const void *left, const void *right, void *context)
{
    size_t last = *(const size_t *)context;
    double a = ((const double *)left)[last], b = ((const double *)right)[last];
    return a < b ? -1 : a > b;
}

/* Two objectives, rows ascending by the second: going down from the best second objective, each row that has a larger
 * first objective than all before it adds a rectangle. */
static double sweep(const double *rows, size_t count)
{
    double volume = 0, widest = 0;
    for (size_t i = count; i-- > 0;) {
        double floor_ = i > 0 ? rows[2 * i - 1] : 0;
        widest = fmax(widest, rows[2 * i]);
        volume += widest * (rows[2 * i + 1] - floor_);
    }
    return volume;
}

/* Rows of `objectives` that no other row covers, kept in order of appearance; in place. */
static size_t drop_covered(double *rows, size_t count, size_t objectives)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        double *row = rows + i * objectives;
        bool covered = false;
        for (size_t k = 0; k < kept && !covered; k++)
            covered = covers(rows + k * objectives, row, objectives);
        if (covered)
            continue;
        size_t still = 0;
        for (size_t k = 0; k < kept; k++) {
            if (covers(row, rows + k * objectives, objectives))
                continue;
            memmove(rows + still++ * objectives, rows + k * objectives, objectives * sizeof *rows);
        }
        kept = still;
        memmove(rows + kept++ * objectives, row, objectives * sizeof *rows);
    }
    return kept;
}

/* WFG (While, Bradstreet, Barone 2012) over rows measured from the reference point, all positive. In ascending order of
 * the last objective the rows after i reach at least as high as row i in it, so what row i adds to them is a prism:
 * its last objective times an area with one objective fewer. `work` holds count * (objectives - 1) doubles and what the
 * levels below need. */
static double wfg(double *rows, size_t count, size_t objectives, double *work)
{
    size_t last = objectives - 1;
    qsort_r(rows, count, objectives * sizeof *rows, compare_last, &last);
    if (objectives == 2)
        return sweep(rows, count);
    double volume = 0;
    for (size_t i = 0; i < count; i++) {
        const double *row = rows + i * objectives;
        double area = 1;
        for (size_t j = 0; j < last; j++)
            area *= row[j];
        size_t limited = count - i - 1;
        for (size_t k = 0; k < limited; k++)
            for (size_t j = 0; j < last; j++)
                work[k * last + j] = fmin(row[j], rows[(i + 1 + k) * objectives + j]);
        limited = drop_covered(work, limited, last);
        volume += row[last] * (area - wfg(work, limited, last, work + count * last));
    }
    return volume;
}

nr_status pareto_hypervolume(const double *points, size_t count, size_t objectives, const double *reference,
                             double *out)
{
    if (objectives < 1 || objectives > PARETO_MAX_OBJECTIVES)
        return NR_INVALID;
    /* the rows themselves and one shrinking copy per level of the recursion */
    double *rows = mem_array(count, objectives * (objectives + 1) / 2 * sizeof *rows);
    if (!rows)
        return NR_NO_MEMORY;
    size_t above = 0;
    for (size_t i = 0; i < count; i++) {
        bool inside = true;
        for (size_t j = 0; j < objectives; j++) {
            double height = points[i * objectives + j] - reference[j];
            inside &= height > 0; /* false for NaN */
            rows[above * objectives + j] = height;
        }
        above += inside;
    }
    double volume = 0;
    if (objectives == 1) {
        for (size_t i = 0; i < above; i++)
            volume = fmax(volume, rows[i]);
    } else if (above) {
        if (objectives > 2) /* the sweep passes over them by itself */
            above = drop_covered(rows, above, objectives);
        volume = wfg(rows, above, objectives, rows + above * objectives);
    }
    free(rows);
    *out = volume;
    return NR_OK;
}
