/* Expected hypervolume improvement over a decomposition into boxes (see acquisition.h). */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/acquisition.h"
#include "optim/pareto.h"

/* A box is [level low_0, infinity) x [low_1, high_1) x ...; objective 0 is the open one here. Levels are indices into
 * the sorted different values of the front in that objective; high = no_level means unbounded. */
static const uint32_t no_level = UINT32_MAX;

struct box {
    uint32_t low[BOXES_MAX_OBJECTIVES], high[BOXES_MAX_OBJECTIVES];
};

struct boxes {
    size_t objectives, open;
    double *level[BOXES_MAX_OBJECTIVES]; /* ascending; level 0 is the reference */
    double *above[BOXES_MAX_OBJECTIVES]; /* per candidate: log E[max(0, Y - level)]; in plain_ehvi() no log */
    double *by_mu[BOXES_MAX_OBJECTIVES]; /* its derivatives, where they are asked for */
    double *by_sigma[BOXES_MAX_OBJECTIVES];
    uint32_t levels[BOXES_MAX_OBJECTIVES];
    struct box *box;
    size_t count, capacity;
    double *term; /* [count] */
};

/* The caller's index of what is objective j here: the open one comes first. */
static size_t origin(const struct boxes *boxes, size_t j)
{
    return j == 0 ? boxes->open : j <= boxes->open ? j - 1 : j;
}

static int compare_reals(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static nr_status make_levels(struct boxes *boxes, const double *rows, size_t count, const double *reference)
{
    for (size_t j = 0; j < boxes->objectives; j++) {
        double *level = boxes->level[j] = mem_array(count + 1, sizeof *level);
        boxes->above[j] = mem_array(count + 1, 3 * sizeof *level);
        if (!level || !boxes->above[j])
            return NR_NO_MEMORY;
        boxes->by_mu[j] = boxes->above[j] + count + 1;
        boxes->by_sigma[j] = boxes->by_mu[j] + count + 1;
        level[0] = reference[j];
        for (size_t i = 0; i < count; i++)
            level[i + 1] = rows[i * boxes->objectives + j];
        qsort(level + 1, count, sizeof *level, compare_reals);
        uint32_t different = 1;
        for (size_t i = 1; i <= count; i++)
            if (level[i] > level[different - 1])
                level[different++] = level[i];
        boxes->levels[j] = different;
    }
    return NR_OK;
}

static uint32_t find_level(const struct boxes *boxes, size_t j, double value)
{
    uint32_t low = 0, high = boxes->levels[j] - 1;
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        if (boxes->level[j][middle] <= value)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Adds a box, or stretches the last one when the two only differ in adjacent ranges of objective 1. */
static nr_status add_box(struct boxes *boxes, const struct box *box)
{
    if (boxes->count) {
        struct box *last = &boxes->box[boxes->count - 1];
        bool same = last->low[0] == box->low[0] && last->high[1] == box->low[1];
        for (size_t j = 2; j < boxes->objectives; j++)
            same &= last->low[j] == box->low[j] && last->high[j] == box->high[j];
        if (same && boxes->objectives > 1) {
            last->high[1] = box->high[1];
            return NR_OK;
        }
    }
    nr_status status = mem_grow(&boxes->box, &boxes->capacity, boxes->count + 1, sizeof *box);
    if (status == NR_OK)
        boxes->box[boxes->count++] = *box;
    return status;
}

/* Slices objective j of what is left between the levels of the points in `points` (indices of levels, [count][4]);
 * inside a slice only the points that reach above its floor cover anything, so the slice is the same problem with one
 * objective fewer. At the end one objective is left and the boxes start at the highest covered level. `work` holds
 * count * 4 indices per objective below. */
static nr_status slice(struct boxes *boxes, size_t j, const uint32_t *points, size_t count, struct box *box,
                       uint32_t *work)
{
    if (j == 0) {
        box->low[0] = 0;
        box->high[0] = no_level;
        for (size_t i = 0; i < count; i++)
            if (points[i * BOXES_MAX_OBJECTIVES] > box->low[0])
                box->low[0] = points[i * BOXES_MAX_OBJECTIVES];
        return add_box(boxes, box);
    }
    uint32_t floor_ = 0;
    while (floor_ != no_level) {
        uint32_t next = no_level;
        size_t above = 0;
        for (size_t i = 0; i < count; i++) {
            const uint32_t *point = points + i * BOXES_MAX_OBJECTIVES;
            if (point[j] <= floor_)
                continue;
            memcpy(work + above++ * BOXES_MAX_OBJECTIVES, point, BOXES_MAX_OBJECTIVES * sizeof *point);
            if (point[j] < next)
                next = point[j];
        }
        box->low[j] = floor_;
        box->high[j] = next;
        nr_status status = slice(boxes, j - 1, work, above, box, work + count * BOXES_MAX_OBJECTIVES);
        if (status != NR_OK)
            return status;
        floor_ = next;
    }
    return NR_OK;
}

/* The rows of the front above the reference, the open objective first. */
static size_t gather_rows(const struct boxes *boxes, const double *front, size_t count, const double *reference,
                          double *rows, double *moved)
{
    size_t objectives = boxes->objectives, kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool above = true;
        for (size_t j = 0; j < objectives; j++) {
            size_t from = origin(boxes, j);
            rows[kept * objectives + j] = front[i * objectives + from];
            moved[j] = reference[from];
            above &= front[i * objectives + from] > reference[from];
        }
        kept += above;
    }
    return kept;
}

static nr_status decompose(struct boxes *boxes, const double *front, size_t count, const double *reference)
{
    size_t objectives = boxes->objectives;
    double moved[BOXES_MAX_OBJECTIVES];
    struct box box = {{0}, {0}};
    nr_status status = NR_NO_MEMORY;
    double *rows = mem_array(count + 1, objectives * sizeof *rows);
    size_t *member = mem_array(count + 1, sizeof *member);
    uint32_t *levels = mem_array(count + 1, (BOXES_MAX_OBJECTIVES + 1) * BOXES_MAX_OBJECTIVES * sizeof *levels);
    if (!rows || !member || !levels)
        goto out;
    for (size_t j = 0; j < objectives; j++) /* also when there is no row */
        moved[j] = reference[origin(boxes, j)];
    size_t kept = gather_rows(boxes, front, count, reference, rows, moved);
    status = make_levels(boxes, rows, kept, moved);
    if (status != NR_OK)
        goto out;
    size_t members = pareto_front(rows, kept, objectives, member); /* others cover nothing more */
    for (size_t i = 0; i < members; i++)
        for (size_t j = 0; j < objectives; j++)
            levels[i * BOXES_MAX_OBJECTIVES + j] = find_level(boxes, j, rows[member[i] * objectives + j]);
    status = slice(boxes, objectives - 1, levels, members, &box, levels + members * BOXES_MAX_OBJECTIVES);
out:
    free(rows);
    free(member);
    free(levels);
    return status;
}

nr_status boxes_create(const double *front, size_t count, size_t objectives, const double *reference, size_t open,
                       struct boxes **out)
{
    if (objectives < 1 || objectives > BOXES_MAX_OBJECTIVES || open >= objectives)
        return NR_INVALID;
    struct boxes *boxes = mem_array(1, sizeof *boxes);
    if (!boxes)
        return NR_NO_MEMORY;
    *boxes = (struct boxes){.objectives = objectives, .open = open};
    nr_status status = decompose(boxes, front, count, reference);
    if (status == NR_OK && !(boxes->term = mem_array(boxes->count, sizeof *boxes->term)))
        status = NR_NO_MEMORY;
    if (status != NR_OK) {
        boxes_destroy(boxes);
        return status;
    }
    *out = boxes;
    return NR_OK;
}

void boxes_destroy(struct boxes *boxes)
{
    if (!boxes)
        return;
    for (size_t j = 0; j < boxes->objectives; j++) {
        free(boxes->level[j]);
        free(boxes->above[j]);
    }
    free(boxes->box);
    free(boxes->term);
    free(boxes);
}

size_t boxes_count(const struct boxes *boxes)
{
    return boxes->count;
}

/* log(e^a - e^b), a >= b but for rounding: levels can lie a few units in the last place apart. */
static double log_difference(double a, double b)
{
    double gap = b - a;
    if (!(gap < 0))
        return -INFINITY;
    return gap > -0.6931471805599453 ? a + log(-expm1(gap)) : a + log1p(-exp(gap)); /* Maechler 2012 */
}

static void fill_log_above(struct boxes *boxes, size_t j, double mu, double sigma, bool slopes)
{
    for (uint32_t l = 0; l < boxes->levels[j]; l++) {
        double gap = mu - boxes->level[j][l];
        if (!(sigma > 0)) {
            boxes->above[j][l] = gap > 0 ? log(gap) : -INFINITY;
            boxes->by_mu[j][l] = gap > 0 ? 1 / gap : 0;
            boxes->by_sigma[j][l] = 0;
        } else if (slopes) {
            boxes->above[j][l] =
                acquisition_log_ei(mu, sigma, boxes->level[j][l], &boxes->by_mu[j][l], &boxes->by_sigma[j][l]);
        } else {
            boxes->above[j][l] = log(sigma) + acquisition_log_h(gap / sigma, NULL);
        }
    }
}

/* log E[clip(Y - low, 0, high - low)] for objective j of a box */
static double log_inside(const struct boxes *boxes, const struct box *box, size_t j, double mu, double sigma)
{
    double above = boxes->above[j][box->low[j]];
    if (above == -INFINITY || box->high[j] == no_level)
        return above;
    double low = boxes->level[j][box->low[j]], high = boxes->level[j][box->high[j]];
    if (sigma <= 0)
        return log(fmin(mu, high) - low);
    return log_difference(above, boxes->above[j][box->high[j]]);
}

/* E[max(0, Y - level)] for all levels, without logarithms, in the place of their logarithms. */
static void fill_above(struct boxes *boxes, size_t j, double mu, double sigma)
{
    double *above = boxes->above[j];
    for (uint32_t l = 0; l < boxes->levels[j]; l++)
        above[l] = sigma > 0 ? (mu - boxes->level[j][l]) / sigma : fmax(mu - boxes->level[j][l], 0);
    if (!(sigma > 0))
        return;
    acquisition_h(above, boxes->levels[j]);
    for (uint32_t l = 0; l < boxes->levels[j]; l++)
        above[l] *= sigma;
}

/* E[clip(Y - low, 0, high - low)] is a difference of two of these. Plain numbers do, and take a third of the time of
 * logarithms, as long as they are not near underflow: then this is false. */
static bool plain_ehvi(struct boxes *boxes, const double *mu, const double *sigma, double *out)
{
    double sum = 0;
    for (size_t j = 0; j < boxes->objectives; j++)
        fill_above(boxes, j, mu[j], sigma[j]);
    for (size_t i = 0; i < boxes->count; i++) {
        const struct box *box = &boxes->box[i];
        double term = boxes->above[0][box->low[0]];
        for (size_t j = boxes->objectives; j-- > 1 && term > 0;) {
            double high = box->high[j] == no_level ? 0 : boxes->above[j][box->high[j]];
            term *= boxes->above[j][box->low[j]] - high;
        }
        sum += fmax(term, 0);
    }
    *out = log(sum);
    return sum > 1e-200;
}

/* Adds weight times the derivatives of log_inside(). */
static void add_inside_slope(const struct boxes *boxes, const struct box *box, size_t j, double mu, double sigma,
                             double weight, double *by_mu, double *by_sigma)
{
    uint32_t low = box->low[j], high = box->high[j];
    double above = boxes->above[j][low];
    if (high == no_level) {
        *by_mu += weight * boxes->by_mu[j][low];
        *by_sigma += weight * boxes->by_sigma[j][low];
    } else if (sigma > 0) {
        double inside = log_inside(boxes, box, j, mu, sigma);
        double plus = weight * exp(above - inside), minus = weight * exp(boxes->above[j][high] - inside);
        *by_mu += plus * boxes->by_mu[j][low] - minus * boxes->by_mu[j][high];
        *by_sigma += plus * boxes->by_sigma[j][low] - minus * boxes->by_sigma[j][high];
    } else if (mu < boxes->level[j][high]) {
        *by_mu += weight * boxes->by_mu[j][low];
    }
}

static double log_ehvi(struct boxes *boxes, const double *mu, const double *sigma, double *by_mu, double *by_sigma)
{
    double largest = -INFINITY, sum = 0;
    for (size_t j = 0; j < boxes->objectives; j++)
        fill_log_above(boxes, j, mu[j], sigma[j], by_mu != NULL);
    for (size_t i = 0; i < boxes->count; i++) {
        double term = boxes->above[0][boxes->box[i].low[0]];
        for (size_t j = boxes->objectives; j-- > 1 && term > -INFINITY;)
            term += log_inside(boxes, &boxes->box[i], j, mu[j], sigma[j]);
        boxes->term[i] = term;
        largest = fmax(largest, term);
    }
    if (largest == -INFINITY)
        return largest;
    for (size_t i = 0; i < boxes->count; i++)
        sum += exp(boxes->term[i] - largest);
    for (size_t i = 0; i < boxes->count && by_mu; i++) {
        double weight = exp(boxes->term[i] - largest) / sum;
        for (size_t j = 0; j < boxes->objectives && weight > 0; j++)
            add_inside_slope(boxes, &boxes->box[i], j, mu[j], sigma[j], weight, &by_mu[j], &by_sigma[j]);
    }
    return largest + log(sum);
}

/* The open objective first. */
static void move(const struct boxes *boxes, const double *mu, const double *sigma, double *moved_mu,
                 double *moved_sigma)
{
    for (size_t j = 0; j < boxes->objectives; j++) {
        moved_mu[j] = mu[origin(boxes, j)];
        moved_sigma[j] = sigma[origin(boxes, j)];
    }
}

double boxes_log_ehvi(struct boxes *boxes, const double *mu, const double *sigma)
{
    double moved_mu[BOXES_MAX_OBJECTIVES] = {0}, moved_sigma[BOXES_MAX_OBJECTIVES] = {0}, value;
    move(boxes, mu, sigma, moved_mu, moved_sigma);
    if (plain_ehvi(boxes, moved_mu, moved_sigma, &value))
        return value;
    return log_ehvi(boxes, moved_mu, moved_sigma, NULL, NULL);
}

double boxes_log_ehvi_coarse(struct boxes *boxes, const double *mu, const double *sigma)
{
    double moved_mu[BOXES_MAX_OBJECTIVES] = {0}, moved_sigma[BOXES_MAX_OBJECTIVES] = {0}, value;
    move(boxes, mu, sigma, moved_mu, moved_sigma);
    return plain_ehvi(boxes, moved_mu, moved_sigma, &value) ? value : -INFINITY;
}

double boxes_log_ehvi_slope(struct boxes *boxes, const double *mu, const double *sigma, double *by_mu, double *by_sigma)
{
    double moved_mu[BOXES_MAX_OBJECTIVES] = {0}, moved_sigma[BOXES_MAX_OBJECTIVES] = {0};
    double moved_by_mu[BOXES_MAX_OBJECTIVES] = {0}, moved_by_sigma[BOXES_MAX_OBJECTIVES] = {0};
    move(boxes, mu, sigma, moved_mu, moved_sigma);
    double value = log_ehvi(boxes, moved_mu, moved_sigma, moved_by_mu, moved_by_sigma);
    for (size_t j = 0; j < boxes->objectives; j++) {
        by_mu[origin(boxes, j)] = moved_by_mu[j];
        by_sigma[origin(boxes, j)] = moved_by_sigma[j];
    }
    return value;
}
