/* tools/bench/: the networks that both sides train, and the measure of a front. */
#include "support/test.h"

#include "net/plan.h"
#include "space/study.h"

/* Parameters of the network in tools/bench/networks/NAME.ini, whose space is one point. */
static int64_t parameters(const char *name)
{
    char path[64];
    const struct shape digits = {1, 28, 28};
    double unit[1] = {0.5}, point[1];
    struct log *log = test_log();
    struct study *study;
    struct plan *plan;
    snprintf(path, sizeof path, "tools/bench/networks/%s.ini", name);
    assert_ok(study_read(test_source(path), NULL, 0, log, &study));
    assert_ok(template_check(study, log));
    assert_int_equal(study->space.count, 1);
    point_from_unit(&study->space, unit, point);
    assert_near(dimension_number(&study->space.dimension[0], point[0]), 0.001, 1e-15, 0); /* the learning rate */
    assert_ok(plan_build(study, point, digits, 10, NULL, &plan));
    int64_t count = plan->parameters;
    plan_destroy(plan);
    study_destroy(study);
    log_destroy(log);
    return count;
}

/* Worked out by hand from the table in tools/bench/README.md; as many as the PyTorch modules have. */
static void networks_are_those_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(parameters("mlp-s"), 785 * 128 + 129 * 64 + 65 * 10);
    assert_int_equal(parameters("mlp-l"), 785 * 512 + 513 * 512 + 513 * 10);
    assert_int_equal(parameters("lenet"), 26 * 6 + (6 * 25 + 1) * 16 + 401 * 120 + 121 * 84 + 85 * 10);
    assert_int_equal(parameters("cnn"), 9 * 32 + 2 * 32 + 32 * 9 * 64 + 2 * 64 + 3137 * 128 + 129 * 10);
}

/* Two points count, one is dominated, one has too many parameters, one is not accurate enough:
 * (0.96 - 0.94) * 40,000 / 80,000 + (0.98 - 0.96) * 20,000 / 80,000. */
static void hypervolume_is_that_of_the_front(void **state)
{
    (void)state;
    char command[1024], *output, *errors;
    snprintf(command, sizeof command,
             "cd '%s' && PYTHONDONTWRITEBYTECODE=1 python3 -c 'from search import hypervolume as h; "
             "print(h([(.98, 60000), (.95, 70000), (.99, 90000), (.96, 40000), (.93, 10000)]))'",
             test_source("tools/bench"));
    assert_int_equal(test_run(command, &output, &errors), 0);
    assert_near(strtod(output, NULL), 0.015, 1e-12, 0);
    free(output);
    free(errors);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(networks_are_those_of_the_table),
    cmocka_unit_test(hypervolume_is_that_of_the_front),
};

TEST_MAIN(cases)
