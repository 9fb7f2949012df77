#include "train/cpu/pool.h"

#include <string.h>

enum { NARROW_AREA = 255 }; /* the largest window whose positions, and "none", fit a byte */

void pool_prepare(const struct plan_layer *layer, bool relu, struct pool *out)
{
    bool global = layer->kind == OP_GLOBALAVGPOOL;
    struct pool pool = {.maximum = layer->kind == OP_MAXPOOL,
                        .relu = relu,
                        .channels = (size_t)layer->in.channels,
                        .in_height = (size_t)layer->in.height,
                        .in_width = (size_t)layer->in.width,
                        .out_height = (size_t)layer->out.height,
                        .out_width = (size_t)layer->out.width,
                        .kernel_height = (size_t)(global ? layer->in.height : layer->kernel_height),
                        .kernel_width = (size_t)(global ? layer->in.width : layer->kernel_width),
                        .stride = global ? 1 : (size_t)layer->stride,
                        .pad_top = global ? 0 : (size_t)layer->pad_top,
                        .pad_left = global ? 0 : (size_t)layer->pad_left};
    size_t area = pool.kernel_height * pool.kernel_width;
    size_t outputs = pool.channels * pool.out_height * pool.out_width;
    size_t bytes = pool.maximum ? outputs * LANES * (area > NARROW_AREA ? 2 : 1)
                   : relu       ? pool.channels * pool.in_height * pool.in_width * sizeof(uint16_t)
                                : 0;
    pool.trace = (bytes + 63) / 64 * 64;
    pool.disjoint = pool.maximum && area <= NARROW_AREA && !pool.pad_top && !pool.pad_left &&
                    (pool.out_height - 1) * pool.stride + pool.kernel_height <= pool.in_height &&
                    (pool.out_width - 1) * pool.stride + pool.kernel_width <= pool.in_width &&
                    (pool.out_height == 1 || pool.stride >= pool.kernel_height) &&
                    (pool.out_width == 1 || pool.stride >= pool.kernel_width);
    *out = pool;
}

/* The part of a window that lies inside of the image, along one axis: inputs start .. end - 1, the first of which is
 * number `skipped` of the window. */
struct span {
    size_t start, end, skipped;
};

static struct span span_of(size_t output, size_t stride, size_t pad, size_t kernel, size_t size)
{
    size_t first = output * stride, end = first + kernel; /* counted from the padding's edge */
    size_t start = first < pad ? pad : first;
    end = end > size + pad ? size + pad : end;
    return (struct span){.start = start - pad, .end = end < start ? start - pad : end - pad, .skipped = start - first};
}

/* ---- one plane at a time; `wide` and `fast` are constants where these are called, and vanish ---- */

VEC_INLINE void store_index(uint8_t *trace, size_t output, ivec index, bool wide)
{
    if (wide) {
        lane_words words = __builtin_convertvector(index, lane_words);
        memcpy(trace + output * sizeof words, &words, sizeof words);
    } else {
        lane_bytes bytes = __builtin_convertvector(index, lane_bytes);
        memcpy(trace + output * sizeof bytes, &bytes, sizeof bytes);
    }
}

VEC_INLINE ivec load_index(const uint8_t *trace, size_t output, bool wide)
{
    if (wide) {
        lane_words words;
        memcpy(&words, trace + output * sizeof words, sizeof words);
        return __builtin_convertvector(words, ivec);
    }
    lane_bytes bytes;
    memcpy(&bytes, trace + output * sizeof bytes, sizeof bytes);
    return __builtin_convertvector(bytes, ivec);
}

VEC_INLINE ivec index_of(size_t number)
{
    return (ivec){0} + (lane_int)number;
}

/* The largest of a window and where it was. */
VEC_INLINE vec window_maximum(const struct pool *pool, const real *x, struct span rows, struct span columns, vec scale,
                              vec shift, ivec *index)
{
    size_t width = pool->in_width;
    vec most = scale * vec_load(x + (rows.start * width + columns.start) * LANES) + shift;
    *index = index_of(rows.skipped * pool->kernel_width + columns.skipped);
    for (size_t h = rows.start; h < rows.end; h++) {
        size_t number = (rows.skipped + h - rows.start) * pool->kernel_width + columns.skipped;
        for (size_t w = columns.start; w < columns.end; w++, number++) {
            vec_prefetch(x + (h * width + w) * LANES);
            vec value = scale * vec_load(x + (h * width + w) * LANES) + shift;
            vmask larger = vec_greater(value, most);
            most = vec_select(larger, value, most);
            *index = ivec_select(larger, index_of(number), *index);
        }
    }
    return most;
}

/* The copy of *shared is kept in registers: a stored vector might be anything's memory to the compiler. */
VEC_INLINE void maximum_plane(const struct pool *shared, bool wide, const real *x, real scale_of, real shift_of,
                              real *y, uint8_t *trace)
{
    const struct pool copy = *shared, *pool = &copy;
    vec scale = vec_set(scale_of), shift = vec_set(shift_of);
    ivec none = index_of(pool->kernel_height * pool->kernel_width);
    bool pair = pool->disjoint && pool->kernel_height == 2 && pool->kernel_width == 2;
    size_t output = 0;
    for (size_t a = 0; a < pool->out_height; a++) {
        struct span rows = span_of(a, pool->stride, pool->pad_top, pool->kernel_height, pool->in_height);
        for (size_t b = 0; b < pool->out_width; b++, output++) {
            struct span columns = span_of(b, pool->stride, pool->pad_left, pool->kernel_width, pool->in_width);
            if (pair) { /* constants let the compiler unroll the usual case */
                rows.end = rows.start + 2;
                columns.end = columns.start + 2;
                rows.skipped = columns.skipped = 0;
            }
            ivec index;
            vec most = window_maximum(pool, x, rows, columns, scale, shift, &index);
            if (pool->relu) {
                index = ivec_select(vec_greater(most, vec_zero()), index, none);
                most = vec_max(vec_zero(), most);
            }
            vec_store(y + output * LANES, most);
            if (trace)
                store_index(trace, output, index, wide);
        }
    }
}

static void clear(real *to, size_t positions)
{
    for (size_t i = 0; i < positions; i++)
        vec_store(to + i * LANES, vec_zero());
}

VEC_INLINE void maximum_plane_backward(const struct pool *shared, bool wide, const uint8_t *trace, const real *dy,
                                       real *dv)
{
    const struct pool copy = *shared, *pool = &copy;
    bool store = pool->disjoint; /* else windows overlap, and add up */
    if (!store || pool->out_height * pool->kernel_height < pool->in_height ||
        pool->out_width * pool->kernel_width < pool->in_width)
        clear(dv, pool->in_height * pool->in_width);
    size_t output = 0;
    for (size_t a = 0; a < pool->out_height; a++) {
        struct span rows = span_of(a, pool->stride, pool->pad_top, pool->kernel_height, pool->in_height);
        for (size_t b = 0; b < pool->out_width; b++, output++) {
            struct span columns = span_of(b, pool->stride, pool->pad_left, pool->kernel_width, pool->in_width);
            vec gradient = vec_load(dy + output * LANES);
            ivec index = load_index(trace, output, wide);
            for (size_t h = rows.start; h < rows.end; h++) {
                size_t number = (rows.skipped + h - rows.start) * pool->kernel_width + columns.skipped;
                for (size_t w = columns.start; w < columns.end; w++, number++) {
                    real *to = dv + (h * pool->in_width + w) * LANES;
                    vec part = vec_keep(ivec_equal(index, index_of(number)), gradient);
                    vec_store(to, store ? part : vec_load(to) + part);
                }
            }
        }
    }
}

static void average_plane(const struct pool *pool, const real *x, real scale_of, real shift_of, real *y, uint16_t *trace)
{
    vec scale = vec_set(scale_of), shift = vec_set(shift_of);
    vec share = vec_set(1 / (real)(pool->kernel_height * pool->kernel_width));
    for (size_t a = 0; a < pool->out_height; a++) {
        struct span rows = span_of(a, pool->stride, pool->pad_top, pool->kernel_height, pool->in_height);
        for (size_t b = 0; b < pool->out_width; b++, y += LANES) {
            struct span columns = span_of(b, pool->stride, pool->pad_left, pool->kernel_width, pool->in_width);
            vec sum = vec_zero();
            for (size_t h = rows.start; h < rows.end; h++) {
                for (size_t w = columns.start; w < columns.end; w++) {
                    size_t at = h * pool->in_width + w;
                    vec value = scale * vec_load(x + at * LANES) + shift;
                    if (pool->relu) {
                        if (trace)
                            trace[at] = vmask_bits(vec_greater(value, vec_zero()));
                        value = vec_max(vec_zero(), value);
                    }
                    sum += value;
                }
            }
            vec_store(y, sum * share);
        }
    }
}

/* Every input in exactly one window. */
static bool windows_tile(const struct pool *pool)
{
    return !pool->pad_top && !pool->pad_left && pool->out_height * pool->kernel_height == pool->in_height &&
           pool->out_width * pool->kernel_width == pool->in_width &&
           (pool->out_height == 1 || pool->stride == pool->kernel_height) &&
           (pool->out_width == 1 || pool->stride == pool->kernel_width);
}

/* Of windows that tile the plane: each element is written once, nothing is read back. */
VEC_INLINE void average_tiles_backward(const struct pool *shared, size_t kernel_height, size_t kernel_width,
                                       const uint16_t *trace, const real *dy, real *dv)
{
    const struct pool pool = *shared;
    vec share = vec_set(1 / (real)(kernel_height * kernel_width));
    for (size_t a = 0; a < pool.out_height; a++) {
        for (size_t b = 0; b < pool.out_width; b++, dy += LANES) {
            vec gradient = vec_load(dy) * share;
            for (size_t i = 0; i < kernel_height; i++) {
                for (size_t j = 0; j < kernel_width; j++) {
                    size_t at = (a * kernel_height + i) * pool.in_width + b * kernel_width + j;
                    vec_store(dv + at * LANES,
                              pool.relu ? vec_keep(vmask_from_bits(trace[at]), gradient) : gradient);
                }
            }
        }
    }
}

static void average_plane_backward(const struct pool *pool, const uint16_t *trace, const real *dy, real *dv)
{
    if (windows_tile(pool)) {
        if (pool->kernel_height == 2 && pool->kernel_width == 2)
            average_tiles_backward(pool, 2, 2, trace, dy, dv);
        else
            average_tiles_backward(pool, pool->kernel_height, pool->kernel_width, trace, dy, dv);
        return;
    }
    size_t positions = pool->in_height * pool->in_width;
    vec share = vec_set(1 / (real)(pool->kernel_height * pool->kernel_width));
    clear(dv, positions);
    for (size_t a = 0; a < pool->out_height; a++) {
        struct span rows = span_of(a, pool->stride, pool->pad_top, pool->kernel_height, pool->in_height);
        for (size_t b = 0; b < pool->out_width; b++, dy += LANES) {
            struct span columns = span_of(b, pool->stride, pool->pad_left, pool->kernel_width, pool->in_width);
            vec gradient = vec_load(dy) * share;
            for (size_t h = rows.start; h < rows.end; h++) {
                for (size_t w = columns.start; w < columns.end; w++) {
                    real *to = dv + (h * pool->in_width + w) * LANES;
                    vec_store(to, vec_load(to) + gradient);
                }
            }
        }
    }
    if (pool->relu)
        for (size_t i = 0; i < positions; i++)
            vec_store(dv + i * LANES, vec_keep(vmask_from_bits(trace[i]), vec_load(dv + i * LANES)));
}

/* ---- all planes ---- */

static size_t trace_plane(const struct pool *pool, bool wide)
{
    return pool->maximum ? pool->out_height * pool->out_width * LANES * (wide ? 2 : 1)
                         : pool->in_height * pool->in_width * sizeof(uint16_t);
}

void pool_forward(const struct pool *pool, const real *scale, const real *shift, const real *x, size_t blocks,
                  real *y, uint8_t *trace)
{
    bool wide = pool->kernel_height * pool->kernel_width > NARROW_AREA;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t c = 0; c < pool->channels; c++) {
            uint8_t *plane_trace = trace && pool->trace ? trace + block * pool->trace + c * trace_plane(pool, wide) : NULL;
            real factor = scale ? scale[c] : 1, offset = shift ? shift[c] : 0;
            if (!pool->maximum)
                average_plane(pool, x, factor, offset, y, (uint16_t *)(void *)plane_trace);
            else if (wide)
                maximum_plane(pool, true, x, factor, offset, y, plane_trace);
            else
                maximum_plane(pool, false, x, factor, offset, y, plane_trace);
            x += pool->in_height * pool->in_width * LANES;
            y += pool->out_height * pool->out_width * LANES;
        }
    }
}

void pool_backward(const struct pool *pool, const uint8_t *trace, const real *dy, size_t blocks, real *dv)
{
    bool wide = pool->kernel_height * pool->kernel_width > NARROW_AREA;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t c = 0; c < pool->channels; c++) {
            const uint8_t *plane_trace = pool->trace ? trace + block * pool->trace + c * trace_plane(pool, wide) : NULL;
            if (!pool->maximum)
                average_plane_backward(pool, (const uint16_t *)(const void *)plane_trace, dy, dv);
            else if (wide)
                maximum_plane_backward(pool, true, plane_trace, dy, dv);
            else
                maximum_plane_backward(pool, false, plane_trace, dy, dv);
            dy += pool->out_height * pool->out_width * LANES;
            dv += pool->in_height * pool->in_width * LANES;
        }
    }
}
