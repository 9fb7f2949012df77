/* configs/: every configuration is valid, and most of its space can be built. */
#include "support/test.h"

#include <glob.h>

#include "base/rng.h"
#include "net/plan.h"
#include "space/study.h"

/* The share of 500 random points that give a network. */
static double buildable(const struct study *study, double *least, double *most)
{
    enum { POINTS = 500, MOST_DIMENSIONS = 64 };
    const struct shape digits = {1, 28, 28};
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    double unit[MOST_DIMENSIONS], point[MOST_DIMENSIONS];
    int built = 0;
    assert_true(study->space.count <= MOST_DIMENSIONS);
    *least = INFINITY;
    *most = 0;
    for (int i = 0; i < POINTS; i++) {
        for (size_t d = 0; d < study->space.count; d++)
            unit[d] = rng_unit(&rng);
        point_from_unit(&study->space, unit, point);
        struct plan *plan = NULL;
        nr_status status = plan_build(study, point, digits, 10, NULL, &plan);
        assert_true(status == NR_OK || status == NR_INFEASIBLE);
        if (status != NR_OK)
            continue;
        built += study_allows(study, point);
        *least = fmin(*least, (double)plan->parameters);
        *most = fmax(*most, (double)plan->parameters);
        plan_destroy(plan);
    }
    return (double)built / POINTS;
}

static void all_are_valid(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(test_source("configs/*.ini"), 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 4);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct log *log = test_log();
        struct study *study = NULL;
        double least, most;
        nr_status status = study_read(found.gl_pathv[i], NULL, 0, log, &study);
        if (status == NR_OK && !study->external)
            status = template_check(study, log);
        if (status != NR_OK)
            print_error("%s\n", log_text(log));
        assert_ok(status);
        if (study->external) { /* no network: test_extremes.c looks at what such a study allows */
            study_destroy(study);
            log_destroy(log);
            continue;
        }
        double share = buildable(study, &least, &most);
        print_message("%s: %.0f %% can be built, %.0f to %.0f parameters\n", found.gl_pathv[i], 100 * share, least,
                      most);
        assert_true(share > 0.9);
        study_destroy(study);
        log_destroy(log);
    }
    globfree(&found);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(all_are_valid),
};

TEST_MAIN(cases)
