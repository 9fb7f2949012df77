/* optim/evolution: who lives, who wins, and what a child is. */
#include "support/test.h"

#include "optim/evolution.h"
#include "problems.h"

enum { POPULATION = 8, DIMENSIONS = 4 };

static const char *const entries[] = {"a",    "int 0..1000", "b", "real 0..1", "kind", "choice x, y, z",
                                      "gate", "bool",        NULL};

struct bed {
    struct space space;
    struct optim_problem problem;
    struct history history;
    struct evolution *evolution;
};

static void open_bed(struct bed *bed, size_t objectives)
{
    *bed = (struct bed){.space = make_space(entries)};
    bed->problem = (struct optim_problem){.space = &bed->space, .objectives = objectives};
    for (size_t j = 0; j < objectives; j++)
        bed->problem.objective[j] = (struct optim_objective){.maximize = j == 0, .threshold = NAN};
    bed->history.dimensions = DIMENSIONS;
    assert_ok(evolution_create(&bed->problem, &bed->history, 1, POPULATION, &bed->evolution));
}

static void close_bed(struct bed *bed)
{
    evolution_destroy(bed->evolution);
    history_clear(&bed->history);
    space_clear(&bed->space);
}

/* Trial `id`, whose point tells it from the others by the first dimension. */
static void add(struct bed *bed, int64_t id, enum trial_state state, double first, double second)
{
    struct optim_admission admission;
    double point[DIMENSIONS] = {10.0 * (double)id, 0.5, 1, 0};
    point_canonicalise(&bed->space, point);
    assert_true(problem_admits(&bed->problem, point, &admission));
    assert_ok(history_add(&bed->history, id, point, &admission));
    struct history_trial *trial = history_find(&bed->history, id);
    trial->state = state;
    trial->result.value[0] = first;
    trial->result.value[1] = second;
}

/* How often each trial became a parent, in `count` suggestions. */
static void count_parents(struct bed *bed, size_t count, int *parents)
{
    for (uint32_t i = 0; i < count; i++) {
        struct evolution_child child;
        assert_ok(evolution_breed(bed->evolution, i, &child));
        parents[child.parent]++;
    }
}

static void needs_a_parent(void **state)
{
    (void)state;
    struct bed bed;
    struct evolution_child child;
    open_bed(&bed, 1);
    assert_int_equal(evolution_breed(bed.evolution, 0, &child), NR_NO_RESULT);
    add(&bed, 0, TRIAL_PENDING, NAN, NAN);
    add(&bed, 1, TRIAL_FAILED, NAN, NAN);
    add(&bed, 2, TRIAL_FINISHED, NAN, NAN);
    assert_int_equal(evolution_breed(bed.evolution, 0, &child), NR_NO_RESULT);
    add(&bed, 3, TRIAL_FINISHED, 1, NAN);
    assert_ok(evolution_breed(bed.evolution, 0, &child));
    assert_int_equal(child.parent, 3);
    assert_int_equal(child.living, 1);
    close_bed(&bed);
}

/* The best of all dies when it is older than the population; pending and failed trials take no place in it. */
static void the_oldest_die(void **state)
{
    (void)state;
    struct bed bed;
    int parents[2 * POPULATION + 2] = {0};
    open_bed(&bed, 1);
    add(&bed, 0, TRIAL_FINISHED, 1000, NAN);
    for (int64_t i = 1; i <= POPULATION; i++) {
        add(&bed, 2 * i - 1, TRIAL_FINISHED, (double)i, NAN);
        add(&bed, 2 * i, i % 2 ? TRIAL_PENDING : TRIAL_FAILED, NAN, NAN);
    }
    count_parents(&bed, 300, parents);
    assert_int_equal(parents[0], 0);
    /* of four drawn from eight the best wins with probability 1 - (7/8)^4 = 0.414: 124 +- 8.5 of 300 */
    assert_in_range(parents[2 * POPULATION - 1], 124 - 4 * 9, 124 + 4 * 9);
    assert_true(parents[1] < 5); /* the worst with 8^-4 */
    close_bed(&bed);
}

/* Trials 0 to 3 are on the front, 4 to 7 are dominated by all of them. */
static void fronts_win(void **state)
{
    (void)state;
    struct bed bed;
    int parents[POPULATION] = {0};
    open_bed(&bed, 2);
    for (int64_t i = 0; i < 4; i++)
        add(&bed, i, TRIAL_FINISHED, 10 + (double)i, (double)i); /* more of the first costs more of the second */
    for (int64_t i = 4; i < POPULATION; i++)
        add(&bed, i, TRIAL_FINISHED, (double)i, 10 + (double)i);
    count_parents(&bed, 400, parents);
    int front = parents[0] + parents[1] + parents[2] + parents[3];
    assert_in_range(front, 375 - 4 * 5, 375 + 4 * 5);                /* 1 - 1/2^4 of the tournaments */
    assert_true(parents[0] > parents[1] && parents[3] > parents[2]); /* the ends are the least crowded */
    close_bed(&bed);
}

/* Who keeps the constraint wins over who does not, however good that is. */
static void constraints_come_first(void **state)
{
    (void)state;
    struct bed bed;
    int parents[POPULATION] = {0};
    open_bed(&bed, 1);
    bed.problem.constraints = 1;
    bed.problem.constraint[0] = (struct optim_constraint){.at_most = true, .bound = 5};
    for (int64_t i = 0; i < POPULATION; i++)
        add(&bed, i, TRIAL_FINISHED, (double)i, i < 4 ? 5 : 5.1);
    count_parents(&bed, 400, parents);
    assert_in_range(parents[0] + parents[1] + parents[2] + parents[3], 375 - 4 * 5, 375 + 4 * 5);
    close_bed(&bed);
}

/* One dimension differs from the parent's, every dimension changes now and then, and children are new. */
static void children_differ_in_one_dimension(void **state)
{
    (void)state;
    struct bed bed;
    int changed[DIMENSIONS] = {0};
    open_bed(&bed, 1);
    for (int64_t i = 0; i < POPULATION; i++)
        add(&bed, i, TRIAL_FINISHED, (double)i, NAN);
    for (uint32_t i = 0; i < 200; i++) {
        struct evolution_child child;
        assert_ok(evolution_breed(bed.evolution, i, &child));
        const double *parent = history_point(&bed.history, (size_t)child.parent);
        size_t different = 0;
        for (size_t d = 0; d < DIMENSIONS; d++) {
            different += child.point[d] != parent[d];
            changed[d] += child.point[d] != parent[d];
        }
        assert_int_equal(different, child.mutations);
        assert_false(history_knows(&bed.history, child.admission.identity));
    }
    for (size_t d = 0; d < DIMENSIONS; d++)
        assert_in_range(changed[d], 50 - 4 * 6, 50 + 4 * 6);
    close_bed(&bed);
}

/* Where all neighbours are taken, children are two steps away or more. */
static bool far_only(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    (void)out;
    return point[2] != 1 && point[3] != 0;
}

static void goes_further_when_neighbours_are_used_up(void **state)
{
    (void)state;
    struct bed bed;
    struct evolution_child child;
    open_bed(&bed, 1);
    add(&bed, 0, TRIAL_FINISHED, 1, NAN);
    bed.problem.admit = far_only;
    assert_ok(evolution_breed(bed.evolution, 1, &child));
    assert_true(child.mutations >= 2);
    assert_true(child.point[2] != 1 && child.point[3] == 1);
    close_bed(&bed);
    evolution_destroy(NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(needs_a_parent),
    cmocka_unit_test(the_oldest_die),
    cmocka_unit_test(fronts_win),
    cmocka_unit_test(constraints_come_first),
    cmocka_unit_test(children_differ_in_one_dimension),
    cmocka_unit_test(goes_further_when_neighbours_are_used_up),
};

TEST_MAIN(cases)
