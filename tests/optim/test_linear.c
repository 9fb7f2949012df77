/* optim/linear: every operation against naive loops, at sizes around the blocks; every instruction set against plain
 * code, bit by bit. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/linear.h"
#include "optim/linear_tile.h"

enum { MOST = 300, STRIDE = MOST + 5, GUARD = 7 };
/* leaves of 8, tiles of 4, 8 and 24, sums of 128 */
static const size_t sizes[] = {0,  1,  2,  3,  7,  8,   9,   15,  16,  17,  23, 24,
                               25, 31, 47, 63, 65, 127, 128, 129, 255, 257, 300};
enum { SIZES = sizeof sizes / sizeof *sizes };

static double *poisoned(size_t count)
{
    double *cell = malloc(count * sizeof *cell);
    assert_non_null(cell);
    for (size_t i = 0; i < count; i++)
        cell[i] = NAN;
    return cell;
}

static void fill(double *cell, size_t count, uint32_t stream)
{
    struct rng rng = rng_create(7, 0, RANDOM_TEST, stream, 0);
    for (size_t i = 0; i < count; i++)
        cell[i] = rng_normal(&rng);
}

static struct linear_matrix matrix(double *cell)
{
    return (struct linear_matrix){cell, STRIDE};
}

/* A = B'B / n + 0.1, symmetric; only the upper triangle is written, the rest stays NaN. */
static double *positive_definite(size_t n)
{
    double *a = poisoned((n + 1) * STRIDE), *b = malloc((n * n + 1) * sizeof *b);
    assert_non_null(b);
    fill(b, n * n, 1);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++) {
            double sum = i == j ? 0.1 : 0;
            for (size_t k = 0; k < n; k++)
                sum += b[k * n + i] * b[k * n + j] / (double)n;
            a[i * STRIDE + j] = sum;
        }
    free(b);
    return a;
}

/* Textbook's factor, to compare with. */
static double *naive_factor(const double *a, size_t n)
{
    double *u = calloc((n + 1) * STRIDE, sizeof *u);
    assert_non_null(u);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++) {
            double sum = a[i * STRIDE + j];
            for (size_t k = 0; k < i; k++)
                sum -= u[k * STRIDE + i] * u[k * STRIDE + j];
            u[i * STRIDE + j] = i == j ? sqrt(sum) : sum / u[i * STRIDE + i];
        }
    return u;
}

/* The condition number is below 100 at every size (eigenvalues 0.1 to 4.1), so n * 2^-53 * condition = 3e-12. */
static const double tolerance = 3e-12;

static void cholesky(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        double *a = positive_definite(n), *u = naive_factor(a, n);
        assert_true(linear_cholesky(matrix(a), n));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = i; j < n; j++)
                assert_near(a[i * STRIDE + j], u[i * STRIDE + j], tolerance, tolerance);
            for (size_t j = n; j < STRIDE; j++)
                assert_true(isnan(a[i * STRIDE + j]));
        }
        assert_true(isnan(a[n * STRIDE]));
        free(a);
        free(u);
    }
}

/* A matrix is refused wherever its first bad pivot stands. */
static void indefinite(void **state)
{
    (void)state;
    static const double bad[] = {0, -1, NAN, INFINITY};
    for (size_t s = 1; s < SIZES; s++)
        for (size_t k = 0; k < 3; k++) {
            size_t n = sizes[s], at[3] = {0, n / 2, n - 1};
            double *a = positive_definite(n);
            a[at[k] * STRIDE + at[k]] = bad[(s + k) % 4];
            assert_false(linear_cholesky(matrix(a), n));
            free(a);
        }
}

static void solve(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 7, 24, 29, 130};
    for (size_t s = 0; s < SIZES; s++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            size_t n = sizes[s], count = counts[c];
            double *a = positive_definite(n), *u = naive_factor(a, n), *x = poisoned((n + 1) * STRIDE), *y, *z;
            for (size_t i = 0; i < n; i++)
                fill(x + i * STRIDE, count, (uint32_t)i);
            y = malloc((n + 1) * STRIDE * sizeof *y);
            z = malloc((n + 1) * STRIDE * sizeof *z);
            assert_non_null(y);
            assert_non_null(z);
            memcpy(y, x, (n + 1) * STRIDE * sizeof *y);
            memcpy(z, x, (n + 1) * STRIDE * sizeof *z);
            linear_solve(matrix(u), n, matrix(x), count);
            for (size_t j = 0; j < count; j++)
                for (size_t i = 0; i < n; i++) {
                    for (size_t k = 0; k < i; k++)
                        y[i * STRIDE + j] -= u[k * STRIDE + i] * y[k * STRIDE + j];
                    y[i * STRIDE + j] /= u[i * STRIDE + i];
                    assert_near(x[i * STRIDE + j], y[i * STRIDE + j], tolerance, tolerance);
                }
            linear_solve_rows(matrix(u), 0, n / 3, matrix(z), count); /* in parts */
            linear_solve_rows(matrix(u), n / 3, n, matrix(z), count);
            for (size_t i = 0; i <= n; i++)
                for (size_t j = 0; j < STRIDE; j++)
                    if (i < n && j < count)
                        assert_near(z[i * STRIDE + j], x[i * STRIDE + j], tolerance, tolerance);
                    else
                        assert_true(isnan(x[i * STRIDE + j]) && isnan(z[i * STRIDE + j]));
            free(a);
            free(u);
            free(x);
            free(y);
            free(z);
        }
}

/* U (U^-1 X) is X again. */
static void solve_back(void **state)
{
    (void)state;
    enum { COUNT = 29 };
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        double *a = positive_definite(n), *u = naive_factor(a, n), *x = poisoned((n + 1) * STRIDE);
        double *before = malloc((n + 1) * STRIDE * sizeof *before);
        assert_non_null(before);
        for (size_t i = 0; i < n; i++)
            fill(x + i * STRIDE, COUNT, (uint32_t)i);
        memcpy(before, x, (n + 1) * STRIDE * sizeof *before);
        linear_solve_back(matrix(u), n, matrix(x), COUNT);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < COUNT; j++) {
                double sum = 0;
                for (size_t k = i; k < n; k++)
                    sum += u[i * STRIDE + k] * x[k * STRIDE + j];
                assert_near(sum, before[i * STRIDE + j], tolerance, tolerance);
            }
        for (size_t i = 0; i <= n; i++)
            assert_true(isnan(x[i * STRIDE + (i < n ? COUNT : 0)]));
        free(a);
        free(u);
        free(x);
        free(before);
    }
}

static void product(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},    {0, 5, 3},    {5, 0, 3},     {5, 3, 0},     {8, 24, 128},
                                       {7, 23, 127}, {9, 25, 129}, {17, 49, 260}, {40, 100, 64}, {3, 300, 300}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], count = shapes[s][1], depth = shapes[s][2];
        double *a = malloc(MOST * STRIDE * sizeof *a), *b = malloc(MOST * STRIDE * sizeof *b);
        double *c = poisoned((MOST + 1) * STRIDE), *before = malloc((MOST + 1) * STRIDE * sizeof *before);
        assert_true(a && b && before);
        fill(a, MOST * STRIDE, 1);
        fill(b, MOST * STRIDE, 2);
        for (size_t i = 0; i < rows; i++)
            fill(c + i * STRIDE, count, (uint32_t)i);
        memcpy(before, c, (MOST + 1) * STRIDE * sizeof *before);
        linear_subtract_product(matrix(a), rows, matrix(b), count, depth, matrix(c));
        for (size_t i = 0; i <= rows; i++)
            for (size_t j = 0; j < STRIDE; j++) {
                if (i == rows || j >= count) {
                    assert_true(isnan(c[i * STRIDE + j]));
                    continue;
                }
                double sum = before[i * STRIDE + j], size = fabs(sum);
                for (size_t k = 0; k < depth; k++) {
                    sum -= a[k * STRIDE + i] * b[k * STRIDE + j];
                    size += fabs(a[k * STRIDE + i] * b[k * STRIDE + j]);
                }
                assert_near(c[i * STRIDE + j], sum, 0, 2.3e-16 * size * (double)(depth + 2));
            }
        free(a);
        free(b);
        free(c);
        free(before);
    }
}

static void inverse(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        double *a = positive_definite(n), *u = naive_factor(a, n), *w = poisoned((n + 1) * STRIDE);
        double *out = poisoned((n + 1) * STRIDE);
        linear_invert_factor(matrix(u), n, matrix(w));
        linear_square(matrix(w), n, matrix(out));
        assert_true(isnan(w[n * STRIDE]) && isnan(out[n * STRIDE]));
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0, square = 0; /* W U' and A^-1 A are the identity */
                for (size_t k = 0; k < n; k++) {
                    sum += w[i * STRIDE + k] * u[j * STRIDE + k];
                    square += (i <= k ? out[i * STRIDE + k] : out[k * STRIDE + i]) *
                              (k <= j ? a[k * STRIDE + j] : a[j * STRIDE + k]);
                }
                assert_near(sum, i == j, 0, tolerance);
                assert_near(square, i == j, 0, 10 * tolerance);
                if (j > i)
                    assert_true(w[i * STRIDE + j] == 0);
            }
        free(a);
        free(u);
        free(w);
        free(out);
    }
}

static void vectors(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        double *a = positive_definite(n), *u = naive_factor(a, n), x[MOST + GUARD], y[MOST], sums[MOST], squares[MOST];
        fill(y, n, 3);
        memcpy(x, y, n * sizeof *x);
        for (size_t i = n; i < n + GUARD; i++)
            x[i] = 42;
        linear_solve_vector(matrix(u), n, x);
        linear_solve_vector_back(matrix(u), n, x);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t k = 0; k < n; k++)
                sum += (i <= k ? a[i * STRIDE + k] : a[k * STRIDE + i]) * x[k];
            assert_near(sum, y[i], 0, 10 * tolerance);
        }
        for (size_t i = n; i < n + GUARD; i++)
            assert_true(x[i] == 42);
        double dot = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            dot += x[i] * y[i];
            size += fabs(x[i] * y[i]);
            sums[i] = squares[i] = 1;
        }
        assert_near(linear_dot(x, y, n), dot, 0, 2.3e-16 * size * (double)(n + 1));
        linear_add_weighted(matrix(u), n / 2, n, n, y, sums);
        linear_add_squares(matrix(u), n / 2, n, n, squares);
        for (size_t k = 0; k < n; k++) {
            double sum = 1, square = 1;
            for (size_t i = n / 2; i < n; i++) {
                sum += y[i] * u[i * STRIDE + k];
                square += u[i * STRIDE + k] * u[i * STRIDE + k];
            }
            assert_true(sums[k] == sum && squares[k] == square);
        }
        free(a);
        free(u);
    }
}

/* One sum per element in ascending order, each operation rounded: what plain code gives, and no other bits. */
static void same_bits(void **state)
{
    (void)state;
    enum { DEPTH = 128, WIDE = 40 };
    double a[DEPTH * TILE_MAX_ROWS], b[DEPTH * WIDE], c[TILE_MAX_ROWS * WIDE], x[TILE_TRIANGLE * WIDE];
    fill(b, sizeof b / sizeof *b, 2);
    assert_non_null(linear_tile_at(0));
    for (size_t t = 0; t < linear_tiles(); t++) {
        const struct linear_tile *tile = linear_tile_at(t);
        if (!tile)
            continue;
        assert_true(tile->rows <= TILE_MAX_ROWS && tile->width <= TILE_MAX_WIDTH);
        fill(a, sizeof a / sizeof *a, 1);
        fill(c, sizeof c / sizeof *c, 3);
        double before[sizeof c / sizeof *c];
        memcpy(before, c, sizeof c);
        tile->product(DEPTH, a, b, WIDE, c, WIDE);
        for (size_t i = 0; i < TILE_MAX_ROWS; i++)
            for (size_t j = 0; j < WIDE; j++) {
                volatile double sum = 0, term; /* nothing may be contracted or reordered */
                for (size_t k = 0; k < DEPTH; k++) {
                    term = a[k * tile->rows + i % tile->rows] * b[k * WIDE + j];
                    sum = sum + term;
                }
                double expected = before[i * WIDE + j] - (i < tile->rows && j < tile->width ? sum : 0);
                assert_true(c[i * WIDE + j] == expected);
            }
        for (size_t rows = 1; rows <= tile->rows; rows++) { /* of b, by rows and by columns: the last ones too */
            for (int turned = 0; turned < 2; turned++) {
                size_t depth = turned ? WIDE : DEPTH, by_depth = turned ? 1 : WIDE, by_row = turned ? WIDE : 1;
                const double *from = turned ? b + (DEPTH - rows) * WIDE : b + WIDE - rows;
                fill(c, sizeof c / sizeof *c, 3);
                memcpy(before, c, sizeof c);
                tile->narrow(depth, rows, from, by_depth, by_row, a, c);
                for (size_t i = 0; i < TILE_MAX_ROWS * TILE_NARROW; i++) {
                    volatile double sum = 0, term;
                    for (size_t k = 0; k < depth && i < rows * TILE_NARROW; k++) {
                        term = from[k * by_depth + i / TILE_NARROW * by_row] * a[k * TILE_NARROW + i % TILE_NARROW];
                        sum = sum + term;
                    }
                    assert_true(c[i] == before[i] - sum);
                }
            }
        }
        fill(x, sizeof x / sizeof *x, 4);
        memcpy(before, x, sizeof x);
        tile->triangle(TILE_TRIANGLE, b, WIDE, x, WIDE, WIDE - 3);
        for (size_t j = 0; j < WIDE - 3; j++)
            for (size_t i = 0; i < TILE_TRIANGLE; i++) {
                volatile double sum = before[i * WIDE + j], term;
                for (size_t k = 0; k < i; k++) {
                    term = b[k * WIDE + i] * x[k * WIDE + j];
                    sum = sum - term;
                }
                assert_true(x[i * WIDE + j] == sum / b[i * WIDE + i]);
            }
        assert_true(x[WIDE - 1] == before[WIDE - 1]);
    }
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(cholesky),   cmocka_unit_test(indefinite), cmocka_unit_test(solve),
        cmocka_unit_test(solve_back), cmocka_unit_test(product),    cmocka_unit_test(inverse),
        cmocka_unit_test(vectors),    cmocka_unit_test(same_bits),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
