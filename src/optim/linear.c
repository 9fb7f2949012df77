#include "optim/linear.h"

#include <math.h>
#include <string.h>

#include "optim/linear_tile.h"

enum {
    DEPTH = 128, /* of a sum before it is subtracted; a packed strip of it and what it meets stay in the first cache */
    LEAF = 8,    /* rows from which on a triangle is cut in two */
    LANES = 8    /* partial sums of a dot product, whatever the instruction set */
};
_Static_assert((int)LEAF <= (int)TILE_TRIANGLE, "a leaf is a tile's triangle");

static struct linear_matrix part(struct linear_matrix a, size_t row, size_t column)
{
    return (struct linear_matrix){a.cell + row * a.stride + column, a.stride};
}

/* One strip of `rows` <= tile->rows rows of C -= A' B, depth <= DEPTH; `packed` is the strip of A with zeros to full
 * rows, `edge` the last columns of B with zeros to full width. */
static void strip(const struct linear_tile *tile, const double *packed, size_t rows, struct linear_matrix b,
                  const double *edge, size_t first, size_t count, size_t depth, struct linear_matrix c)
{
    for (size_t j = first; j < count; j += tile->width) {
        size_t width = count - j < tile->width ? count - j : tile->width;
        const double *from = width < tile->width ? edge : b.cell + j;
        size_t from_stride = width < tile->width ? tile->width : b.stride;
        if (rows == tile->rows && width == tile->width) {
            tile->product(depth, packed, from, from_stride, c.cell + j, c.stride);
            continue;
        }
        double corner[TILE_MAX_ROWS * TILE_MAX_WIDTH] = {0};
        for (size_t i = 0; i < rows; i++)
            memcpy(corner + i * tile->width, c.cell + i * c.stride + j, width * sizeof *corner);
        tile->product(depth, packed, from, from_stride, corner, tile->width);
        for (size_t i = 0; i < rows; i++)
            memcpy(c.cell + i * c.stride + j, corner + i * tile->width, width * sizeof *corner);
    }
}

static inline __attribute__((always_inline)) void pack_rows(const double *from, size_t stride, size_t rows,
                                                            size_t depth, size_t width, double *packed)
{
    for (size_t k = 0; k < depth; k++, from += stride, packed += width) {
        memcpy(packed, from, rows * sizeof *packed);
        for (size_t i = rows; i < width; i++)
            packed[i] = 0;
    }
}

/* `rows` columns of A [depth][...] from `first` on, with zeros to `width`. The usual sizes are known to the compiler,
 * which spares a call per row. */
static void pack(struct linear_matrix a, size_t first, size_t rows, size_t depth, size_t width, double *packed)
{
    if (rows == 8 && width == 8)
        pack_rows(a.cell + first, a.stride, 8, depth, 8, packed);
    else if (rows == 4 && width == 4)
        pack_rows(a.cell + first, a.stride, 4, depth, 4, packed);
    else
        pack_rows(a.cell + first, a.stride, rows, depth, width, packed);
}

/* The same of a matrix that is stored transposed, [rows][depth]. */
static void pack_transposed(struct linear_matrix a, size_t first, size_t rows, size_t depth, size_t width,
                            double *packed)
{
    memset(packed, 0, depth * width * sizeof *packed);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < depth; k++)
            packed[k * width + i] = a.cell[(first + i) * a.stride + k];
}

enum shape {
    WHOLE,
    UPPER,     /* only what lies on and above the diagonal of C is wanted */
    TRANSPOSED /* A is stored [rows][depth]: C -= A B */
};

/* C -= A' B for at most TILE_NARROW columns */
static void subtract_narrow(struct linear_matrix a, size_t rows, struct linear_matrix b, size_t count, size_t depth,
                            struct linear_matrix c, enum shape shape)
{
    const struct linear_tile *tile = linear_tile_best();
    double from[DEPTH * TILE_NARROW], corner[TILE_MAX_ROWS * TILE_NARROW];
    for (size_t k = 0; k < depth; k += DEPTH) {
        size_t deep = depth - k < DEPTH ? depth - k : DEPTH;
        pack(part(b, k, 0), 0, count, deep, TILE_NARROW, from);
        for (size_t i = 0; i < rows; i += tile->rows) {
            size_t high = rows - i < tile->rows ? rows - i : tile->rows;
            struct linear_matrix to = part(c, i, 0);
            pack(to, 0, count, high, TILE_NARROW, corner);
            if (shape == TRANSPOSED)
                tile->narrow(deep, high, part(a, i, k).cell, 1, a.stride, from, corner);
            else
                tile->narrow(deep, high, part(a, k, i).cell, a.stride, 1, from, corner);
            for (size_t r = 0; r < high; r++)
                memcpy(to.cell + r * to.stride, corner + r * TILE_NARROW, count * sizeof *corner);
        }
    }
}

/* C -= A' B */
static void subtract(struct linear_matrix a, size_t rows, struct linear_matrix b, size_t count, size_t depth,
                     struct linear_matrix c, enum shape shape)
{
    const struct linear_tile *tile = linear_tile_best();
    double packed[DEPTH * TILE_MAX_ROWS], edge[DEPTH * TILE_MAX_WIDTH];
    if (count <= TILE_NARROW && shape != UPPER) {
        subtract_narrow(a, rows, b, count, depth, c, shape);
        return;
    }
    for (size_t k = 0; k < depth; k += DEPTH) {
        size_t deep = depth - k < DEPTH ? depth - k : DEPTH;
        struct linear_matrix a_part = shape == TRANSPOSED ? part(a, 0, k) : part(a, k, 0), b_part = part(b, k, 0);
        for (size_t i = 0; i < rows; i += tile->rows) {
            size_t high = rows - i < tile->rows ? rows - i : tile->rows, first = shape == UPPER ? i : 0;
            size_t rest = (count - first) % tile->width;
            if (shape == TRANSPOSED)
                pack_transposed(a_part, i, high, deep, tile->rows, packed);
            else
                pack(a_part, i, high, deep, tile->rows, packed);
            if (rest && (shape == UPPER || i == 0))
                pack(b_part, count - rest, rest, deep, tile->width, edge);
            strip(tile, packed, high, b_part, edge, first, count, deep, part(c, i, 0));
        }
    }
}

void linear_subtract_product(struct linear_matrix a, size_t rows, struct linear_matrix b, size_t count, size_t depth,
                             struct linear_matrix c)
{
    subtract(a, rows, b, count, depth, c, WHOLE);
}

/* Where a triangle is cut: near the middle, at a whole leaf. */
static size_t half(size_t n)
{
    return (n / 2 + LEAF - 1) / LEAF * LEAF;
}

void linear_solve(struct linear_matrix factor, size_t n, struct linear_matrix x, size_t count)
{
    if (n <= LEAF) {
        linear_tile_best()->triangle(n, factor.cell, factor.stride, x.cell, x.stride, count);
        return;
    }
    size_t top = half(n);
    linear_solve(factor, top, x, count);
    subtract(part(factor, 0, top), n - top, x, count, top, part(x, top, 0), WHOLE);
    linear_solve(part(factor, top, top), n - top, part(x, top, 0), count);
}

static void solve_back_leaf(struct linear_matrix factor, size_t n, struct linear_matrix x, size_t count)
{
    for (size_t i = n; i-- > 0;) {
        const double *u = factor.cell + i * factor.stride;
        double *row = x.cell + i * x.stride;
        for (size_t k = i + 1; k < n; k++)
            for (size_t j = 0; j < count; j++)
                row[j] -= u[k] * x.cell[k * x.stride + j];
        for (size_t j = 0; j < count; j++)
            row[j] /= u[i];
    }
}

void linear_solve_back(struct linear_matrix factor, size_t n, struct linear_matrix x, size_t count)
{
    if (n <= LEAF) {
        solve_back_leaf(factor, n, x, count);
        return;
    }
    size_t top = half(n);
    linear_solve_back(part(factor, top, top), n - top, part(x, top, 0), count);
    subtract(part(factor, 0, top), top, part(x, top, 0), count, n - top, x, TRANSPOSED);
    linear_solve_back(factor, top, x, count);
}

void linear_solve_rows(struct linear_matrix factor, size_t first, size_t end, struct linear_matrix x, size_t count)
{
    if (first >= end)
        return;
    subtract(part(factor, 0, first), end - first, x, count, first, part(x, first, 0), WHOLE);
    linear_solve(part(factor, first, first), end - first, part(x, first, 0), count);
}

static bool cholesky_leaf(struct linear_matrix a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a.cell + i * a.stride;
        for (size_t k = 0; k < i; k++) {
            const double *above = a.cell + k * a.stride;
            for (size_t j = i; j < n; j++)
                row[j] -= above[i] * above[j];
        }
        if (!(row[i] > 0) || !isfinite(row[i]))
            return false;
        double pivot = sqrt(row[i]);
        for (size_t j = i; j < n; j++)
            row[j] /= pivot;
        row[i] = pivot;
    }
    return true;
}

bool linear_cholesky(struct linear_matrix a, size_t n)
{
    if (n <= LEAF)
        return cholesky_leaf(a, n);
    size_t top = half(n), rest = n - top;
    if (!linear_cholesky(a, top))
        return false;
    linear_solve(a, top, part(a, 0, top), rest);
    subtract(part(a, 0, top), rest, part(a, 0, top), rest, top, part(a, top, top), UPPER);
    return linear_cholesky(part(a, top, top), rest);
}

/* The inverse of U' = [T 0; S R] is [T^-1 0; -R^-1 S T^-1 R^-1]: only triangles are ever touched. */
static void invert(struct linear_matrix factor, size_t n, struct linear_matrix inverse)
{
    if (n <= LEAF) {
        for (size_t i = 0; i < n; i++)
            inverse.cell[i * inverse.stride + i] = 1;
        linear_solve(factor, n, inverse, n);
        return;
    }
    size_t top = half(n), rest = n - top;
    invert(factor, top, inverse);
    subtract(part(factor, 0, top), rest, inverse, top, top, part(inverse, top, 0), WHOLE);
    linear_solve(part(factor, top, top), rest, part(inverse, top, 0), top);
    invert(part(factor, top, top), rest, part(inverse, top, top));
}

void linear_invert_factor(struct linear_matrix factor, size_t n, struct linear_matrix inverse)
{
    for (size_t i = 0; i < n; i++)
        memset(inverse.cell + i * inverse.stride, 0, n * sizeof *inverse.cell);
    invert(factor, n, inverse);
}

/* Rows i of W have entries up to column i only: a block of rows adds to the leading part of the result. */
void linear_square(struct linear_matrix w, size_t n, struct linear_matrix out)
{
    for (size_t i = 0; i < n; i++)
        memset(out.cell + i * out.stride, 0, n * sizeof *out.cell);
    for (size_t k = 0; k < n; k += DEPTH) {
        size_t deep = n - k < DEPTH ? n - k : DEPTH;
        subtract(part(w, k, 0), k + deep, part(w, k, 0), k + deep, deep, out, UPPER);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            out.cell[i * out.stride + j] = -out.cell[i * out.stride + j];
}

void linear_solve_vector(struct linear_matrix factor, size_t n, double *x)
{
    for (size_t k = 0; k < n; k++) {
        const double *row = factor.cell + k * factor.stride;
        double solved = x[k] /= row[k];
        for (size_t i = k + 1; i < n; i++)
            x[i] -= row[i] * solved;
    }
}

void linear_solve_vector_back(struct linear_matrix factor, size_t n, double *x)
{
    for (size_t i = n; i-- > 0;) {
        const double *row = factor.cell + i * factor.stride;
        x[i] = (x[i] - linear_dot(row + i + 1, x + i + 1, n - i - 1)) / row[i];
    }
}

double linear_dot(const double *left, const double *right, size_t count)
{
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += left[i + k] * right[i + k];
    for (size_t k = 0; i + k < count; k++)
        lane[k] += left[i + k] * right[i + k];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

void linear_add_weighted(struct linear_matrix x, size_t first, size_t end, size_t count, const double *weight,
                         double *out)
{
    for (size_t i = first; i < end; i++) {
        const double *row = x.cell + i * x.stride;
        for (size_t k = 0; k < count; k++)
            out[k] += weight[i] * row[k];
    }
}

void linear_add_squares(struct linear_matrix x, size_t first, size_t end, size_t count, double *out)
{
    for (size_t i = first; i < end; i++) {
        const double *row = x.cell + i * x.stride;
        for (size_t k = 0; k < count; k++)
            out[k] += row[k] * row[k];
    }
}
