/* optim/ascent: maxima inside the cube, on its faces, in a bent valley, and with forbidden parts. */
#include "support/test.h"

#include "optim/ascent.h"

typedef double evaluate_place(const double *x, double *gradient);

/* Minus an elongated bowl around (0.3, 0.8, -0.5): the third coordinate ends on its lower face. */
static double bowl(const double *x, double *gradient)
{
    static const double centre[] = {0.3, 0.8, -0.5}, steep[] = {1, 100, 4};
    double value = 0;
    for (size_t i = 0; i < 3; i++) {
        value -= steep[i] * (x[i] - centre[i]) * (x[i] - centre[i]);
        gradient[i] = -2 * steep[i] * (x[i] - centre[i]);
    }
    return value;
}

/* Minus Rosenbrock's valley over [-2, 2]^2. */
static double valley(const double *x, double *gradient)
{
    double a = 4 * x[0] - 2, b = 4 * x[1] - 2, off = b - a * a;
    gradient[0] = 4 * (400 * a * off + 2 * (1 - a));
    gradient[1] = 4 * -200 * off;
    return -100 * off * off - (1 - a) * (1 - a);
}

/* The bowl, of which the part with x0 > 0.2 is not allowed. */
static double walled(const double *x, double *gradient)
{
    double value = bowl(x, gradient);
    return x[0] > 0.2 ? -INFINITY : value;
}

static double climb(evaluate_place *evaluate, size_t count, const double *start, double *end, int *evaluations)
{
    struct ascent ascent;
    double gradient[3] = {NAN, NAN, NAN};
    assert_ok(ascent_create(count, &ascent));
    double value = evaluate(start, gradient), before = value;
    ascent_start(&ascent, start, value, gradient, 0.05);
    for (*evaluations = 1; !ascent.done && *evaluations < 200; ++*evaluations) {
        for (size_t i = 0; i < count; i++)
            assert_true(ascent.next[i] >= 0 && ascent.next[i] <= 1);
        value = evaluate(ascent.next, gradient);
        ascent_advance(&ascent, value, gradient);
        assert_true(ascent.value >= before);
        before = ascent.value;
    }
    memcpy(end, ascent.x, count * sizeof *end);
    ascent_clear(&ascent);
    return before;
}

static void inside_and_on_faces(void **state)
{
    (void)state;
    const double start[3] = {0.9, 0.1, 0.9};
    double end[3] = {NAN, NAN, NAN};
    int evaluations;
    double value = climb(bowl, 3, start, end, &evaluations);
    assert_true(end[2] == 0);
    assert_near(value, -1, 0, 1e-5); /* -4 * 0.25 from the face; a climb ends at gains below 1e-6 */
    assert_true(evaluations < 40);
}

static void bent_valley(void **state)
{
    (void)state;
    const double start[2] = {0.2, 0.7};
    double end[2] = {NAN, NAN};
    int evaluations;
    double value = climb(valley, 2, start, end, &evaluations);
    print_message("%d evaluations to %g\n", evaluations, value);
    assert_true(value > -1e-4 && evaluations < 120);
}

static void walls(void **state)
{
    (void)state;
    const double start[3] = {0.1, 0.5, 0.5};
    double end[3] = {NAN, NAN, NAN};
    int evaluations;
    double value = climb(walled, 3, start, end, &evaluations);
    assert_true(end[0] <= 0.2 && value > -4);
}

static void nothing_to_climb(void **state)
{
    (void)state;
    struct ascent ascent;
    const double x[2] = {0, 1}, flat[2] = {0, 0}, outward[2] = {-1, 3};
    assert_ok(ascent_create(2, &ascent));
    ascent_start(&ascent, x, 1, flat, 0.1);
    assert_true(ascent.done);
    ascent_start(&ascent, x, 1, outward, 0.1); /* both at their bounds */
    assert_true(ascent.done);
    ascent_start(&ascent, x, -INFINITY, outward, 0.1);
    assert_true(ascent.done);
    ascent_clear(&ascent);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(inside_and_on_faces),
        cmocka_unit_test(bent_valley),
        cmocka_unit_test(walls),
        cmocka_unit_test(nothing_to_climb),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
