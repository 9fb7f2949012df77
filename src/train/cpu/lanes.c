#include "train/cpu/lanes.h"

/* One block, at most LANES rows. Whole squares go through registers; the features left over, one by one. */
static void block_from_rows(const real *rows, size_t stride, size_t images, size_t features, real *lanes)
{
    size_t feature = 0;
    for (; feature + LANES <= features; feature += LANES) {
        vec square[LANES];
        VEC_UNROLL
        for (size_t i = 0; i < LANES; i++)
            square[i] = i < images ? vec_load_unaligned(rows + i * stride + feature) : vec_zero();
        vec_transpose(square);
        VEC_UNROLL
        for (size_t i = 0; i < LANES; i++)
            vec_store(lanes + (feature + i) * LANES, square[i]);
    }
    for (; feature < features; feature++)
        for (size_t i = 0; i < LANES; i++)
            lanes[feature * LANES + i] = i < images ? rows[i * stride + feature] : 0;
}

static void block_to_rows(const real *lanes, size_t images, size_t features, real *rows, size_t stride)
{
    size_t feature = 0;
    for (; feature + LANES <= features; feature += LANES) {
        vec square[LANES];
        VEC_UNROLL
        for (size_t i = 0; i < LANES; i++)
            square[i] = vec_load(lanes + (feature + i) * LANES);
        vec_transpose(square);
        VEC_UNROLL
        for (size_t i = 0; i < LANES; i++)
            if (i < images)
                vec_store_unaligned(rows + i * stride + feature, square[i]);
    }
    for (; feature < features; feature++)
        for (size_t i = 0; i < images; i++)
            rows[i * stride + feature] = lanes[feature * LANES + i];
}

void lanes_from_rows(const real *rows, size_t stride, size_t images, size_t features, real *lanes)
{
    for (size_t block = 0; block < lanes_blocks(images); block++)
        block_from_rows(rows + block * LANES * stride, stride, lanes_in_block(images, block), features,
                        lanes + block * features * LANES);
}

void lanes_to_rows(const real *lanes, size_t images, size_t features, real *rows, size_t stride)
{
    for (size_t block = 0; block < lanes_blocks(images); block++)
        block_to_rows(lanes + block * features * LANES, lanes_in_block(images, block), features,
                      rows + block * LANES * stride, stride);
}

void lanes_add(const real *a, const real *b, size_t count, real *sum)
{
    for (size_t i = 0; i < count; i += LANES)
        vec_store(sum + i, vec_load(a + i) + vec_load(b + i));
}
