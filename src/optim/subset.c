#include "optim/subset.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/pareto.h"

/* Rows among which the farthest is sought: all, or every so many-th. */
enum { SPREAD_ROWS = 1000 };

struct choice {
    const struct subset_rows *rows;
    size_t most, count;
    size_t *chosen;
    bool *taken; /* [rows] */

    size_t *ranked, ranks, next_rank; /* by layers of the front */
    size_t newest;                    /* rows from here on have been looked at */
    size_t stride;                    /* of the rows that `nearest` is known of */
    double *nearest;                  /* [rows / stride] squared distance to what is chosen */
};

static size_t row_count(const struct choice *choice)
{
    return choice->rows->x.count;
}

/* Layers of the front, best first, until `needed` rows are ranked. */
static nr_status rank_rows(struct choice *choice, size_t needed)
{
    size_t objectives = choice->rows->objectives, count = row_count(choice);
    double *left = mem_array(count, objectives * sizeof *left);
    size_t *front = mem_array(count, sizeof *front);
    if (!left || !front) {
        free(left);
        free(front);
        return NR_NO_MEMORY;
    }
    memcpy(left, choice->rows->upward, count * objectives * sizeof *left);
    while (choice->ranks < needed) {
        size_t members = pareto_front(left, count, objectives, front);
        if (members == 0)
            break;
        for (size_t i = 0; i < members; i++) {
            left[front[i] * objectives] = NAN; /* no longer there */
            choice->ranked[choice->ranks++] = front[i];
        }
    }
    free(left);
    free(front);
    return NR_OK;
}

/* Squared distance in the unit cube; different categories are as far apart as the ends of a number. */
static double distance(const struct subset_rows *rows, size_t a, size_t b)
{
    double sum = 0;
    for (size_t j = 0; j < rows->features; j++) {
        const double *column = rows->x.value + j * rows->x.stride;
        double difference = rows->category[j] ? column[a] != column[b] : column[a] - column[b];
        sum += difference * difference;
    }
    return sum;
}

static void take(struct choice *choice, size_t row)
{
    choice->taken[row] = true;
    choice->chosen[choice->count++] = row;
    for (size_t i = 0; i * choice->stride < row_count(choice); i++)
        choice->nearest[i] = fmin(choice->nearest[i], distance(choice->rows, i * choice->stride, row));
}

static bool take_ranked(struct choice *choice)
{
    while (choice->next_rank < choice->ranks) {
        size_t row = choice->ranked[choice->next_rank++];
        if (!choice->taken[row]) {
            take(choice, row);
            return true;
        }
    }
    return false;
}

static bool take_farthest(struct choice *choice)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i * choice->stride < row_count(choice); i++)
        if (!choice->taken[i * choice->stride] && (best == SIZE_MAX || choice->nearest[i] > choice->nearest[best]))
            best = i;
    if (best == SIZE_MAX)
        return false;
    take(choice, best * choice->stride);
    return true;
}

static bool take_newest(struct choice *choice)
{
    while (choice->newest > 0)
        if (!choice->taken[--choice->newest]) {
            take(choice, choice->newest);
            return true;
        }
    return false;
}

static void take_worst(struct choice *choice)
{
    const struct subset_rows *rows = choice->rows;
    for (size_t j = 0; j < rows->objectives && choice->count < choice->most; j++) {
        size_t worst = 0;
        for (size_t i = 1; i < row_count(choice); i++)
            if (rows->upward[i * rows->objectives + j] < rows->upward[worst * rows->objectives + j])
                worst = i;
        if (!choice->taken[worst])
            take(choice, worst);
    }
}

static void choose(struct choice *choice)
{
    take_worst(choice);
    for (size_t turn = 0; choice->count < choice->most; turn++) {
        bool found = turn % 4 < 2 ? take_ranked(choice) : turn % 4 == 2 && take_farthest(choice);
        if (!found)
            (void)take_newest(choice);
    }
}

nr_status subset_choose(const struct subset_rows *rows, size_t most, size_t *chosen)
{
    size_t count = rows->x.count;
    struct choice choice = {.rows = rows, .most = most < count ? most : count, .chosen = chosen, .newest = count};
    choice.stride = count <= SPREAD_ROWS ? 1 : (count + SPREAD_ROWS - 1) / SPREAD_ROWS;
    choice.taken = mem_array(count, sizeof *choice.taken);
    choice.ranked = mem_array(count, sizeof *choice.ranked);
    choice.nearest = mem_array(count / choice.stride + 1, sizeof *choice.nearest);
    nr_status status = NR_NO_MEMORY;
    if (choice.taken && choice.ranked && choice.nearest) {
        for (size_t i = 0; i <= count / choice.stride; i++)
            choice.nearest[i] = INFINITY;
        status = rank_rows(&choice, choice.most);
    }
    if (status == NR_OK)
        choose(&choice);
    free(choice.taken);
    free(choice.ranked);
    free(choice.nearest);
    return status;
}
