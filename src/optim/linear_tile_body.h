/* The functions of one instruction set: included by linear_tile.c only, once for each, with TILE_NAME(part),
 * TILE_TARGET, TILE_BYTES (of a vector), TILE_ROWS and TILE_VECTORS defined. No guard: that is the point. */

typedef double TILE_NAME(vector) __attribute__((vector_size(TILE_BYTES)));
enum { TILE_NAME(LANES) = TILE_BYTES / sizeof(double), TILE_NAME(WIDTH) = TILE_VECTORS * TILE_NAME(LANES) };

TILE_TARGET static void TILE_NAME(product)(size_t depth, const double *a, const double *b, size_t b_stride, double *c,
                                           size_t c_stride)
{
    TILE_NAME(vector) sum[TILE_ROWS][TILE_VECTORS] = {0}, row[TILE_VECTORS];
    for (size_t k = 0; k < depth; k++, a += TILE_ROWS, b += b_stride) {
        memcpy(row, b, sizeof row);
#pragma GCC unroll 8
        for (size_t i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (size_t v = 0; v < TILE_VECTORS; v++)
                sum[i][v] += a[i] * row[v];
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < TILE_ROWS; i++, c += c_stride) {
        memcpy(row, c, sizeof row);
#pragma GCC unroll 4
        for (size_t v = 0; v < TILE_VECTORS; v++)
            row[v] -= sum[i][v];
        memcpy(c, row, sizeof row);
    }
}

TILE_TARGET static void TILE_NAME(narrow)(size_t depth, size_t rows, const double *a, size_t by_depth, size_t by_row,
                                          const double *b, double *c)
{
    enum { VECTORS = TILE_NARROW / TILE_NAME(LANES) };
    TILE_NAME(vector) sum[TILE_ROWS][VECTORS] = {0}, row[VECTORS];
    size_t at[TILE_ROWS];
    for (size_t i = 0; i < TILE_ROWS; i++)
        at[i] = i < rows ? i * by_row : 0; /* what is summed beyond the last row is not stored */
    for (size_t k = 0; k < depth; k++, a += by_depth, b += TILE_NARROW) {
        memcpy(row, b, sizeof row);
#pragma GCC unroll 8
        for (size_t i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++)
                sum[i][v] += a[at[i]] * row[v];
    }
    for (size_t i = 0; i < rows; i++, c += TILE_NARROW) {
        memcpy(row, c, sizeof row);
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            row[v] -= sum[i][v];
        memcpy(c, row, sizeof row);
    }
}

TILE_TARGET static void TILE_NAME(triangle)(size_t n, const double *u, size_t u_stride, double *x, size_t x_stride,
                                            size_t count)
{
    for (size_t i = 0; i < n; i++) {
        double *row = x + i * x_stride, diagonal = u[i * u_stride + i];
        for (size_t k = 0; k < i; k++) {
            const double *solved = x + k * x_stride;
            double factor = u[k * u_stride + i];
            for (size_t j = 0; j < count; j++)
                row[j] -= factor * solved[j];
        }
        for (size_t j = 0; j < count; j++)
            row[j] /= diagonal;
    }
}

static const struct linear_tile TILE_NAME(tile) = {.rows = TILE_ROWS,
                                                   .width = TILE_NAME(WIDTH),
                                                   .product = TILE_NAME(product),
                                                   .narrow = TILE_NAME(narrow),
                                                   .triangle = TILE_NAME(triangle)};

#undef TILE_NAME
#undef TILE_TARGET
#undef TILE_BYTES
#undef TILE_ROWS
#undef TILE_VECTORS
