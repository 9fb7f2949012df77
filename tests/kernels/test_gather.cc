/* Gather against the definition of src/train/cpu/input.c, written again: exact positions, changes and pixels. */
#include "kernels/kernels.h"
#include "kernels/math/random.h"
#include "kernels/support.h"

struct geometry {
    int64_t channels, height, width;
};

static int64_t plane_of(const geometry &shape)
{
    return shape.height * shape.width;
}

static int64_t size_of(const geometry &shape)
{
    return shape.channels * plane_of(shape);
}

static values<uint8_t> random_bytes(int64_t count)
{
    values<uint8_t> bytes(count);
    for (uint8_t &byte : bytes)
        byte = static_cast<uint8_t>(random_word());
    return bytes;
}

/* A data set whose pixels lie `skew` bytes past an aligned address. */
struct dataset {
    geometry shape;
    device_array<uint8_t> pixels, labels;
    device_array<float> scale, shift;
    dataset(const geometry &shape_of, int64_t count, int64_t skew = 0)
        : shape(shape_of), pixels(random_bytes(count * size_of(shape_of)), skew), labels(random_bytes(count)),
          scale(random_floats(shape_of.channels, 0, 0.01f)), shift(random_floats(shape_of.channels))
    {
    }
    k_images images(void) const
    {
        return {pixels.data(), labels.data(), shape.channels, shape.height, shape.width};
    }
    double pixel(int64_t image, int64_t channel, int64_t y, int64_t x) const
    {
        return pixels[((image * shape.channels + channel) * shape.height + y) * shape.width + x];
    }
};

/* |x| <= 255 * 0.01 + 1 < 4: half a unit in the last place each for product and sum, which the device contracts. */
static const double rounding = 4 * 0x1p-23;

/* A half-word as a number below the bound. */
static int64_t below(uint32_t half_word, int64_t bound)
{
    return static_cast<int64_t>(half_word) * bound / 65536;
}

/* Pixel `i` of a plane as augmented in a pass; the words are the image's random numbers in it. */
static double augmented(const dataset &set, const k_augmentation &how, int64_t image, const uint32_t words[4],
                        int64_t channel, int64_t i)
{
    const int64_t height = set.shape.height, width = set.shape.width, y = i / width, x = i % width;
    const int64_t down = below(words[0] & 0xffff, 2 * how.shift + 1) - how.shift;
    const int64_t right = below(words[0] >> 16, 2 * how.shift + 1) - how.shift;
    const bool flip = static_cast<double>(words[1] >> 8) / 16777216 < how.flip;
    const int64_t top = below(words[2] & 0xffff, height) - how.erase / 2;
    const int64_t left = below(words[2] >> 16, width) - how.erase / 2;
    if (y >= top && y < top + how.erase && x >= left && x < left + how.erase)
        return 0;
    const int64_t from_y = y - down, from_x = (flip ? width - 1 - x : x) - right;
    if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width)
        return 0;
    return set.pixel(image, channel, from_y, from_x);
}

/* Row `r` of the result: from which image, with which words. */
static void expect_row(const dataset &set, const k_augmentation &how, int64_t image, uint32_t pass, int64_t row,
                       values<double> *want)
{
    uint32_t words[4];
    const int64_t plane = plane_of(set.shape);
    random_block(how.seed, how.trial, RANDOM_AUGMENT, 0, pass, static_cast<uint32_t>(image), words);
    for (int64_t channel = 0; channel < set.shape.channels; channel++)
        for (int64_t i = 0; i < plane; i++) {
            const double pixel = augmented(set, how, image, words, channel, i);
            (*want)[(row * set.shape.channels + channel) * plane + i] =
                pixel * static_cast<double>(set.scale[channel]) + static_cast<double>(set.shift[channel]);
        }
}

static values<uint32_t> make_orders(int64_t slots, int64_t count, int64_t images)
{
    values<uint32_t> order(slots * count);
    for (int64_t i = 0; i < order.count(); i++)
        order[i] = static_cast<uint32_t>((i * 7 + i / count) % images);
    return order;
}

static void check_step(const dataset &set, const k_feed &feed, const device_array<uint32_t> &order,
                       const k_augmentation &how, int64_t rows, int64_t step, int64_t skew = 0)
{
    device_array<float> x(rows * size_of(set.shape), skew);
    device_array<int32_t> label(rows);
    device_array<k_state> state(values<k_state>(1, {step, -1, 0, 0}));
    const k_images images = set.images();
    shape("%ld rows of %ld x %ld x %ld, step %ld, move %d, flip %g, erase %d", static_cast<long>(rows),
          static_cast<long>(images.channels), static_cast<long>(images.height), static_cast<long>(images.width),
          static_cast<long>(step), how.shift, how.flip, how.erase);
    expect_ok(k_gather(&images, &feed, &how, set.scale.data(), set.shift.data(), state.data(), rows, x.data(),
                       label.data(), device_stream()));
    values<double> want_x(x.count());
    values<int32_t> want_label(rows);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t position = step / feed.steps_per_epoch * feed.epoch_images +
                                 step % feed.steps_per_epoch * feed.batch + feed.first + row;
        const int64_t pass = position / feed.count;
        const int64_t image = order[pass % feed.slots * feed.count + position % feed.count];
        want_label[row] = set.labels[image];
        expect_row(set, how, image, static_cast<uint32_t>(pass), row, &want_x);
    }
    expect_same("label", label, want_label);
    expect_near("x", x, want_x, 0, rounding);
}

/* 16 x 64 and 257 x 1 take more than one piece of a block; planes of 4, 28 and 255 pixels cut channels in all ways. */
static const geometry geometries[] = {{1, 28, 28}, {3, 4, 4},   {3, 5, 7},   {1, 1, 1},   {1, 1, 255},
                                      {1, 16, 16}, {1, 257, 1}, {2, 16, 64}, {1, 32, 33}, {3, 11, 31}};
static const k_augmentation plain = {}, all_of_it = {77, 5, 3, 4, 0.5};

static bool too_large(const geometry &shape)
{
    return racing() && size_of(shape) > 300;
}

/* The last steps of an epoch and the first of the next; slots used again; a share of a batch. */
static void steps(void)
{
    const int64_t count = 23, slots = 3;
    const dataset set({1, 4, 3}, 40);
    const device_array<uint32_t> order(make_orders(slots, count, 40));
    for (const int64_t first : {0, 5}) {
        const k_feed feed = {order.data(), count, slots, 4, 29, 8, first};
        for (const int64_t step : {0, 1, 3, 4, 7, 8, 9, 41})
            check_step(set, feed, order, plain, 5, step);
    }
}

/* Steps and positions beyond what 31 and 32 bits hold. */
static void late_steps(void)
{
    const dataset set({1, 4, 4}, 7);
    const device_array<uint32_t> order(make_orders(2, 7, 7));
    const k_feed feed = {order.data(), 7, 2, 3, 20, 8, 0};
    for (const int64_t step : {INT64_C(400000000), INT64_C(3221225472), INT64_C(1) << 40})
        check_step(set, feed, order, all_of_it, 4, step);
}

static void shapes(void)
{
    const device_array<uint32_t> order(make_orders(2, 9, 9));
    const k_feed feed = {order.data(), 9, 2, 3, 9, 3, 0};
    for (const geometry &geometry : geometries)
        for (const int64_t skew : {0, 1, 4}) {
            if (too_large(geometry))
                continue;
            const dataset set(geometry, 9, skew);
            for (const int64_t rows : {1, 3, 6})
                check_step(set, feed, order, plain, rows, 2, skew % 4);
        }
}

/* Each change alone and all together, moved and erased beyond the image; a seed and a trial of all bits. */
static void augmentation(void)
{
    const device_array<uint32_t> order(make_orders(2, 12, 12));
    const k_feed feed = {order.data(), 12, 2, 3, 12, 4, 0};
    const k_augmentation ways[] = {{1, 0, 2, 0, 0},
                                   {2, 1, 0, 3, 0},
                                   {3, 2, 0, 0, 0.5},
                                   {4, 3, 0, 0, 1},
                                   {5, 4, 40, 50, 1},
                                   all_of_it,
                                   {UINT64_C(0xfedcba9876543210), UINT32_MAX, 1, 2, 0.25}};
    for (const geometry &geometry : geometries) {
        if (too_large(geometry))
            continue;
        const dataset set(geometry, 12);
        for (const k_augmentation &how : ways)
            for (const int64_t step : {0, 5})
                check_step(set, feed, order, how, 4, step);
    }
}

static void check_indexed(const dataset &set, int64_t rows, const values<uint32_t> &chosen)
{
    const device_array<uint32_t> index(chosen);
    const k_images images = set.images();
    device_array<float> x(rows * size_of(set.shape));
    device_array<int32_t> label(rows);
    shape("%ld of %ld rows of %ld x %ld x %ld", static_cast<long>(chosen.count()), static_cast<long>(rows),
          static_cast<long>(images.channels), static_cast<long>(images.height), static_cast<long>(images.width));
    expect_ok(k_gather_indexed(&images, index.data(), chosen.count(), set.scale.data(), set.shift.data(), rows,
                               x.data(), label.data(), device_stream()));
    values<double> want_x(x.count());
    values<int32_t> want_label(rows, -1);
    for (int64_t row = 0; row < chosen.count(); row++) {
        want_label[row] = set.labels[chosen[row]];
        expect_row(set, plain, chosen[row], 0, row, &want_x);
    }
    expect_same("label", label, want_label);
    expect_near("x", x, want_x, 0, rounding);
}

static void indexed(void)
{
    for (const geometry &geometry : geometries) {
        if (too_large(geometry))
            continue;
        const dataset set(geometry, 20);
        for (const int64_t count : {0, 1, 5}) {
            values<uint32_t> chosen(count);
            for (int64_t i = 0; i < count; i++)
                chosen[i] = static_cast<uint32_t>(19 - 3 * i);
            check_indexed(set, 5, chosen);
        }
    }
}

static void empty(void)
{
    const device_array<uint32_t> order(make_orders(1, 4, 4));
    const k_feed feed = {order.data(), 4, 1, 1, 4, 4, 0};
    check_step(dataset({1, 2, 3}, 4), feed, order, plain, 0, 0);
    check_indexed(dataset({1, 2, 3}, 4), 0, values<uint32_t>(0));
}

static void refused(void)
{
    const k_feed feed = {nullptr, 4, 1, 1, 4, 4, 0}, no_images = {nullptr, 0, 1, 1, 4, 4, 0};
    const k_images small = {nullptr, nullptr, 1, 2, 3}, large = {nullptr, nullptr, 1, 65536, 65536},
                   larger = {nullptr, nullptr, INT64_MAX, INT64_MAX, INT64_MAX};
    const k_augmentation backwards = {0, 0, -1, 0, 0};
    const auto launch = [](const k_images &images, const k_feed &from, const k_augmentation &how, int64_t rows) {
        return k_gather(&images, &from, &how, nullptr, nullptr, nullptr, rows, nullptr, nullptr, device_stream());
    };
    expect_error(launch(large, feed, plain, 1), cudaErrorInvalidValue);
    expect_error(launch(larger, feed, plain, 1), cudaErrorInvalidValue);
    expect_error(launch(small, feed, plain, -1), cudaErrorInvalidValue);
    expect_error(launch(small, feed, backwards, 1), cudaErrorInvalidValue);
    expect_error(launch(small, no_images, plain, 1), cudaErrorInvalidValue);
    expect_error(k_gather_indexed(&small, nullptr, 3, nullptr, nullptr, 2, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue); /* more images than rows */
}

static const test_case cases[] = {
    {"steps", steps},     {"late_steps", late_steps}, {"shapes", shapes},  {"augmentation", augmentation},
    {"indexed", indexed}, {"empty", empty},           {"refused", refused}};
TEST_MAIN(cases)
