/* Images of a batch from the resident uint8 data set: picked, augmented, normalised; definitions as in
 * src/train/cpu/input.c. */
#include "kernels/math/random.h"
#include "kernels/walk.h"

constexpr int BLOCK = 256;

/* What augmentation does to one image. */
struct change {
    int64_t down, right;                   /* by how many pixels the image is moved */
    int64_t top, bottom, left, right_edge; /* the erased box */
    bool flip;                             /* left and right */
};

/* Divisors of every pixel's index. */
struct image_frame {
    struct divisor pieces, plane, width;
};

struct feed_divisors {
    struct divisor steps, count, slots;
};

static __device__ int64_t scaled(uint32_t half_word, int64_t bound)
{
    return static_cast<int64_t>(static_cast<uint64_t>(half_word) * static_cast<uint64_t>(bound) >> 16);
}

static __device__ int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static __device__ struct change change_draw(const struct k_augmentation &augmentation, const struct k_images &images,
                                            uint32_t image, uint32_t pass)
{
    uint32_t words[4];
    random_block(augmentation.seed, augmentation.trial, RANDOM_AUGMENT, 0, pass, image, words);
    const int64_t shift = augmentation.shift, side = augmentation.erase;
    const int64_t top = scaled(words[2] & 0xffff, images.height) - side / 2;
    const int64_t left = scaled(words[2] >> 16, images.width) - side / 2;
    struct change change;
    change.down = scaled(words[0] & 0xffff, 2 * shift + 1) - shift;
    change.right = scaled(words[0] >> 16, 2 * shift + 1) - shift;
    change.flip = static_cast<double>(random_unit_float(words[1])) < augmentation.flip;
    change.top = clamp(top, 0, images.height);
    change.bottom = clamp(top + side, 0, images.height);
    change.left = clamp(left, 0, images.width);
    change.right_edge = clamp(left + side, 0, images.width);
    return change;
}

/* Pixel (y, column) of a changed plane: black where it comes from outside or lies in the box. */
static __device__ uint8_t changed_pixel(const struct change &change, const struct k_images &images,
                                        const uint8_t *plane, int64_t y, int64_t column)
{
    const bool erased = change.top <= y && y < change.bottom && change.left <= column && column < change.right_edge;
    const int64_t from_y = y - change.down;
    const int64_t from_column = (change.flip ? images.width - 1 - column : column) - change.right;
    const bool outside = from_y < 0 || from_y >= images.height || from_column < 0 || from_column >= images.width;
    return erased || outside ? uint8_t(0) : plane[from_y * images.width + from_column];
}

/* Pixels at .. at + 3 of one image, or pixel `at` alone; they lie in one channel. */
template <int VECTOR> static __device__ void normalise(const uint8_t *pixel, float scale, float shift, float *x)
{
    if constexpr (VECTOR == 4) {
        const uchar4 four = *reinterpret_cast<const uchar4 *>(pixel);
        *reinterpret_cast<float4 *>(x) = {
            static_cast<float>(four.x) * scale + shift, static_cast<float>(four.y) * scale + shift,
            static_cast<float>(four.z) * scale + shift, static_cast<float>(four.w) * scale + shift};
    } else {
        *x = static_cast<float>(*pixel) * scale + shift;
    }
}

template <int VECTOR>
static __device__ void normalise_changed(const struct change &change, const struct k_images &images,
                                         const struct divisor &width, const uint8_t *plane, int64_t position,
                                         float scale, float shift, float *x)
{
    int64_t y = quotient(position, width), column = position - y * images.width;
    float value[VECTOR];
    for (int i = 0; i < VECTOR; i++) {
        value[i] = static_cast<float>(changed_pixel(change, images, plane, y, column)) * scale + shift;
        if (++column == images.width) {
            column = 0;
            y++;
        }
    }
    if constexpr (VECTOR == 4)
        *reinterpret_cast<float4 *>(x) = {value[0], value[1], value[2], value[3]};
    else
        *x = value[0];
}

/* A block does a piece of one image, BLOCK * VECTOR pixels, and goes on to others by the grid. The chain of loads that
 * depend on one another (step, order, pixel) is the time of a small batch, so everything else is computed beside it.
 * Shared memory: the image's change. VECTOR is 4 where a plane is a multiple of 4 pixels, else 1. */
template <int VECTOR, bool AUGMENTED>
static __global__ void __launch_bounds__(BLOCK)
    gather(struct k_images images, struct k_feed feed, struct k_augmentation augmentation, struct image_frame frame,
           struct feed_divisors by, const float *__restrict__ scale, const float *__restrict__ shift,
           const struct k_state *__restrict__ state, int64_t work, float *__restrict__ x, int32_t *__restrict__ label)
{
    NR_SHARED(struct change, change, 1);
    const int64_t step = state->step, size = images.channels * frame.plane.value;
    const int64_t epoch = quotient(step, by.steps);
    const int64_t start = epoch * feed.epoch_images + (step - epoch * feed.steps_per_epoch) * feed.batch + feed.first;
    for (int64_t item = blockIdx.x; item < work; item += gridDim.x) {
        const int64_t row = quotient(item, frame.pieces), piece = item - row * frame.pieces.value;
        const int64_t position = start + row, pass = quotient(position, by.count);
        const int64_t slot = pass - quotient(pass, by.slots) * feed.slots;
        const uint32_t image = feed.order[slot * feed.count + position - pass * feed.count];
        const uint8_t *pixels = images.pixels + static_cast<int64_t>(image) * size;
        const int64_t at = (piece * BLOCK + threadIdx.x) * VECTOR;
        if (piece == 0 && threadIdx.x == 0)
            label[row] = images.labels[image];
        if (AUGMENTED) {
            __syncthreads();        /* nobody reads the change before it any more */
            if (threadIdx.x == 0) { /* in two steps: gcc's TSan does not see what a call returns to an address */
                const struct change drawn = change_draw(augmentation, images, image, static_cast<uint32_t>(pass));
                *change = drawn;
            }
            __syncthreads();
        }
        if (at >= size)
            continue;
        const int64_t channel = quotient(at, frame.plane), first = channel * frame.plane.value;
        if (AUGMENTED)
            normalise_changed<VECTOR>(*change, images, frame.width, pixels + first, at - first, scale[channel],
                                      shift[channel], x + row * size + at);
        else
            normalise<VECTOR>(pixels + at, scale[channel], shift[channel], x + row * size + at);
    }
}

/* The same work for evaluation; rows from `count` on become 0. */
template <int VECTOR>
static __global__ void __launch_bounds__(BLOCK)
    gather_indexed(struct k_images images, const uint32_t *__restrict__ index, int64_t count, struct image_frame frame,
                   const float *__restrict__ scale, const float *__restrict__ shift, int64_t work,
                   float *__restrict__ x, int32_t *__restrict__ label)
{
    const int64_t size = images.channels * frame.plane.value;
    for (int64_t item = blockIdx.x; item < work; item += gridDim.x) {
        const int64_t row = quotient(item, frame.pieces), piece = item - row * frame.pieces.value;
        const int64_t at = (piece * BLOCK + threadIdx.x) * VECTOR;
        const bool present = row < count;
        const int64_t image = present ? index[row] : 0;
        if (piece == 0 && threadIdx.x == 0)
            label[row] = present ? images.labels[image] : -1;
        if (at >= size)
            continue;
        const int64_t channel = quotient(at, frame.plane);
        if (present)
            normalise<VECTOR>(images.pixels + image * size + at, scale[channel], shift[channel], x + row * size + at);
        else
            for (int i = 0; i < VECTOR; i++)
                x[row * size + at + i] = 0;
    }
}

/* Do the pixels of an image fit 31 bits? */
static bool in_bounds(const struct k_images *images, int64_t rows)
{
    const int64_t channels = images->channels, height = images->height, width = images->width;
    return rows >= 0 && channels >= 0 && height >= 0 && width >= 0 && channels <= INT32_MAX && height <= INT32_MAX &&
           width <= INT32_MAX && height * width <= INT32_MAX && channels * height * width <= INT32_MAX;
}

static bool in_fours(const struct k_images *images, const float *x)
{
    return images->height * images->width % 4 == 0 && aligned_for<uchar4>(images->pixels) && aligned_for<float4>(x);
}

/* `pieces` per image of VECTOR * BLOCK pixels. */
static struct image_frame frame_of(const struct k_images *images, int vector)
{
    const int64_t plane = images->height * images->width, piece = static_cast<int64_t>(BLOCK) * vector;
    return {divisor_of((images->channels * plane - 1) / piece + 1), divisor_of(plane), divisor_of(images->width)};
}

template <int VECTOR, bool AUGMENTED>
static cudaError_t launch(const struct k_images *images, const struct k_feed *feed,
                          const struct k_augmentation *augmentation, const float *scale, const float *shift,
                          const struct k_state *state, int64_t rows, float *x, int32_t *label, cudaStream_t stream)
{
    const struct image_frame frame = frame_of(images, VECTOR);
    const struct feed_divisors by = {divisor_of(feed->steps_per_epoch), divisor_of(feed->count),
                                     divisor_of(feed->slots)};
    const int64_t work = rows * frame.pieces.value;
    return NR_LAUNCH((gather<VECTOR, AUGMENTED>), walk_blocks(work, 1), BLOCK, 0, stream, *images, *feed, *augmentation,
                     frame, by, scale, shift, state, work, x, label);
}

cudaError_t k_gather(const struct k_images *images, const struct k_feed *feed,
                     const struct k_augmentation *augmentation, const float *scale, const float *shift,
                     const struct k_state *state, int64_t rows, float *x, int32_t *label, cudaStream_t stream)
{
    if (!in_bounds(images, rows) || augmentation->shift < 0 || augmentation->erase < 0)
        return cudaErrorInvalidValue;
    if (rows * images->channels * images->height * images->width == 0)
        return cudaSuccess;
    if (feed->count < 1 || feed->slots < 1 || feed->steps_per_epoch < 1)
        return cudaErrorInvalidValue;
    const bool augmented = augmentation->shift > 0 || augmentation->flip > 0 || augmentation->erase > 0;
    const bool fours = in_fours(images, x);
    const auto chosen =
        augmented ? (fours ? launch<4, true> : launch<1, true>) : (fours ? launch<4, false> : launch<1, false>);
    return chosen(images, feed, augmentation, scale, shift, state, rows, x, label, stream);
}

template <int VECTOR>
static cudaError_t launch_indexed(const struct k_images *images, const uint32_t *index, int64_t count,
                                  const float *scale, const float *shift, int64_t rows, float *x, int32_t *label,
                                  cudaStream_t stream)
{
    const struct image_frame frame = frame_of(images, VECTOR);
    const int64_t work = rows * frame.pieces.value;
    return NR_LAUNCH(gather_indexed<VECTOR>, walk_blocks(work, 1), BLOCK, 0, stream, *images, index, count, frame,
                     scale, shift, work, x, label);
}

cudaError_t k_gather_indexed(const struct k_images *images, const uint32_t *index, int64_t count, const float *scale,
                             const float *shift, int64_t rows, float *x, int32_t *label, cudaStream_t stream)
{
    if (!in_bounds(images, rows) || count < 0 || count > rows)
        return cudaErrorInvalidValue;
    if (rows * images->channels * images->height * images->width == 0)
        return cudaSuccess;
    const auto chosen = in_fours(images, x) ? launch_indexed<4> : launch_indexed<1>;
    return chosen(images, index, count, scale, shift, rows, x, label, stream);
}
