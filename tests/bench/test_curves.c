/* bench/curves, bench/drawing: files that come back as they were, sums over seeds, a drawing that holds every curve. */
#include "support/test.h"

#include "base/file.h"
#include "bench/drawing.h"

static const char *path_of(const char *name)
{
    static char paths[4][512];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
    return path;
}

static void add(struct curves *curves, const char *method, int64_t pending, int64_t seed, double best, size_t count,
                const double *values)
{
    struct curve *curve = curves_add(curves, "branin", method, pending, seed, best);
    assert_non_null(curve);
    for (size_t i = 0; i < count; i++)
        assert_ok(curve_append(curve, values[i], 0.001 * (double)(i + 1)));
}

/* Two seeds of one method, one of them shorter, and one seed with two trials under way. */
static struct curves make_curves(double best)
{
    struct curves curves = {0};
    add(&curves, "bo", 1, 1, best, 4, (double[]){NAN, 5, 3, 1});
    add(&curves, "bo", 2, 1, best, 6, (double[]){9, 9, 4, 4, 1.9, 1});
    add(&curves, "bo", 1, 2, best, 3, (double[]){8, 7, 3});
    return curves;
}

static void files_come_back(void **state)
{
    (void)state;
    struct curves curves = make_curves(0.5), again = {0};
    struct log *log = test_log();
    assert_ok(curves_write(&curves, path_of("curves.csv"), log));
    assert_ok(curves_read(&again, path_of("curves.csv"), log));
    assert_int_equal(again.count, curves.count);
    for (size_t i = 0; i < curves.count; i++) {
        const struct curve *a = &curves.curve[i], *b = &again.curve[i];
        assert_string_equal(a->problem, b->problem);
        assert_string_equal(a->method, b->method);
        assert_true(a->pending == b->pending && a->seed == b->seed && a->best == b->best);
        assert_int_equal(a->count, b->count);
        for (size_t k = 0; k < a->count; k++) {
            assert_near(b->value[k], a->value[k], 0, 0);
            assert_near(b->seconds[k], a->seconds[k], 5e-3, 0); /* three digits */
        }
    }
    assert_int_equal(curves_read(&again, path_of("curves.csv"), log), NR_INVALID);
    test_log_has(log, "curves.csv:2: branin, bo, seed 1 with 1 pending is there already");
    curves_clear(&curves);
    curves_clear(&again);
    log_destroy(log);
}

/* Columns in another order, none for pending and best, rows mixed and out of order, remarks. */
static void reads_what_others_write(void **state)
{
    (void)state;
    static const char *const content =
        "# made elsewhere\nseed,evaluation,method,extra,problem,value\n2,2,tpe,x,branin,4\n"
        "1,1,tpe,x,mixed,0\n\n1,1,tpe,x,known,0\n2,1,tpe,x,branin,6\n2,3,tpe,x,branin,\n1,1,tpe,x,own,1\n";
    struct curves curves = {0};
    struct log *log = test_log();
    struct curve *known = curves_add(&curves, "known", "bo", 1, 1, 7);
    assert_non_null(known);
    assert_ok(file_replace(path_of("other.csv"), content, strlen(content), false, NULL));
    assert_ok(curves_read(&curves, path_of("other.csv"), log));
    assert_int_equal(curves.count, 1 + 4);
    const struct curve *branin = &curves.curve[1];
    assert_true(branin->seed == 2 && branin->pending == 1 && branin->count == 3);
    assert_true(branin->value[0] == 6 && branin->value[1] == 4 && isnan(branin->value[2]));
    assert_near(branin->best, 0.397887, 1e-5, 0);
    assert_near(curves.curve[2].best, 3.85995, 1e-5, 0);
    assert_near(curves.curve[3].best, 7, 0, 0);
    assert_true(isnan(curves.curve[4].best));
    curves_clear(&curves);
    log_destroy(log);
}

static void refuses_bad_files(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"problem,method,seed,evaluation\n", "bad.csv:1: there is no column \"value\""},
        {"problem,method,seed,evaluation,value\nbranin,bo,1,0,1\n", "bad.csv:2: evaluation is \"0\""},
        {"problem,method,seed,evaluation,value\nbranin,bo,1,1.5,1\n", "evaluation is \"1.5\""},
        {"problem,method,seed,evaluation,value\nbranin,bo,1,,1\n", "evaluation is \"\""},
        {"problem,method,seed,evaluation,value\nbranin,bo,1,1,x\n", "value is \"x\", expected a number"},
        {"problem,method,seed,evaluation,value\nbranin,b<o,1,1,1\n", "method is \"b<o\", expected a name"},
        {"problem,method,seed,evaluation,value\n,bo,1,1,1\n", "problem is \"\", expected a name"},
        {"problem,method,seed,evaluation,value,pending\nbranin,bo,1,1,1,0\n", "pending is \"0\""},
        {"problem,method,seed,evaluation,value\nbranin,bo,1,1\n", "4 values were found, expected 5"},
    };
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct curves curves = {0};
        assert_ok(file_replace(path_of("bad.csv"), bad[i][0], strlen(bad[i][0]), false, NULL));
        assert_int_equal(curves_read(&curves, path_of("bad.csv"), log), NR_INVALID);
        test_log_has(log, bad[i][1]);
        curves_clear(&curves);
    }
    log_destroy(log);
}

static void sums_up_seeds(void **state)
{
    (void)state;
    struct curves curves = make_curves(0.5);
    struct curve_groups groups;
    struct curve_statistics figures;
    assert_ok(curves_group(&curves, &groups));
    assert_int_equal(groups.count, 2);
    const struct curve_group *sequential = &groups.group[0], *parallel = &groups.group[1];
    assert_true(sequential->members == 2 && sequential->shortest == 3 && sequential->longest == 4);
    static const double mean[] = {8, 6, 3, 1}; /* NaN and what ended do not count */
    for (size_t i = 0; i < 4; i++)
        assert_near(sequential->mean[i], mean[i], 0, 0);
    assert_ok(curve_group_summarise(sequential, 4, NAN, &figures)); /* 1, and 3 of the seed that ended */
    assert_int_equal(figures.seeds, 2);
    assert_near(figures.mean, 2, 0, 0);
    assert_near(figures.standard_error, 1, 1e-15, 0); /* sqrt(((2 - 1)^2 + (2 - 3)^2) / 1 / 2) */
    assert_near(figures.missing, 1.5, 1e-15, 0);
    assert_near(figures.seconds, 0.002, 1e-15, 0); /* the fourth of 1 1 2 2 3 3 4 ms is 2 */
    assert_true(isnan(figures.reached));
    assert_ptr_equal(curve_groups_sequential(&groups, parallel), sequential);
    assert_ok(curve_group_summarise(parallel, 4, figures.mean, &figures));
    assert_near(figures.mean, 4, 0, 0);
    assert_near(figures.reached, 5, 0, 0); /* the first as near to 0.5 as 2 is */
    assert_true(isnan(figures.standard_error));
    assert_ok(curve_group_summarise(parallel, 4, 0.9, &figures));
    assert_true(isnan(figures.reached));
    curve_groups_clear(&groups);
    curves_clear(&curves);
}

/* Without a known best the values are hypervolumes: more is better. */
static void more_is_better_where_the_best_is_unknown(void **state)
{
    (void)state;
    struct curves curves = {0};
    struct curve_groups groups;
    struct curve_statistics figures;
    add(&curves, "bo", 2, 1, NAN, 3, (double[]){1, 2, 3});
    assert_ok(curves_group(&curves, &groups));
    assert_ok(curve_group_summarise(&groups.group[0], 3, 2, &figures));
    assert_near(figures.reached, 2, 0, 0);
    assert_true(isnan(figures.missing));
    assert_null(curve_groups_sequential(&groups, &groups.group[0]));
    curve_groups_clear(&groups);
    curves_clear(&curves);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static void draw(const struct curves *curves, char **out)
{
    struct curve_groups groups;
    struct log *log = test_log();
    assert_ok(curves_group(curves, &groups));
    assert_ok(drawing_write(&groups, 5, path_of("curves.svg"), log));
    assert_ok(file_read(path_of("curves.svg"), log, out, NULL));
    curve_groups_clear(&groups);
    log_destroy(log);
}

/* Every element is closed, every coordinate a number, every seed a path, every method in the legend. The longest curve
 * has one evaluation more than are drawn. */
static void draws_every_curve(void **state)
{
    (void)state;
    static const double bests[] = {0.5, 1, NAN}; /* 1 is reached: a logarithm of 0 */
    for (size_t i = 0; i < 3; i++) {
        char *svg;
        struct curves curves = make_curves(bests[i]);
        add(&curves, "random", 1, 1, bests[i], 1, (double[]){4});
        struct curve *other = curves_add(&curves, "zdt1", "tpe", 1, 1, 120);
        assert_non_null(other);
        assert_ok(curve_append(other, 100, NAN));
        draw(&curves, &svg);
        assert_int_equal(count_of(svg, "<svg"), count_of(svg, "</svg>"));
        assert_int_equal(count_of(svg, "<g"), count_of(svg, "</g>"));
        assert_int_equal(count_of(svg, "<text"), count_of(svg, "</text>"));
        assert_null(strstr(svg, "nan"));
        assert_null(strstr(svg, "inf"));
        assert_int_equal(count_of(svg, "<clipPath"), 2);
        assert_int_equal(count_of(svg, "class=\"title\""), 2);
        /* 5 seeds, 4 means, 3 methods and dashes in the legend */
        assert_int_equal(count_of(svg, "<path"), 5 + 4 + 3 + 1);
        assert_int_equal(count_of(svg, ">random</text>"), 1);
        assert_int_equal(count_of(svg, ">several at once</text>"), 1);
        free(svg);
        curves_clear(&curves);
    }
}

static void draws_nothing_too(void **state)
{
    (void)state;
    char *svg;
    struct curves curves = {0};
    draw(&curves, &svg);
    assert_non_null(strstr(svg, "</svg>"));
    assert_null(strstr(svg, "<path"));
    free(svg);
    add(&curves, "bo", 1, 1, 0.5, 2, (double[]){NAN, NAN}); /* all evaluations failed */
    draw(&curves, &svg);
    assert_null(strstr(svg, "nan"));
    free(svg);
    curves_clear(&curves);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(files_come_back),
    cmocka_unit_test(reads_what_others_write),
    cmocka_unit_test(refuses_bad_files),
    cmocka_unit_test(sums_up_seeds),
    cmocka_unit_test(more_is_better_where_the_best_is_unknown),
    cmocka_unit_test(draws_every_curve),
    cmocka_unit_test(draws_nothing_too),
};

TEST_MAIN(cases)
