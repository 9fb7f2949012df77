/* The first step: images of the batch from uint8 to normalised reals in either layout, augmented while training. */
#include "train/cpu/loop.h"
#include "train/cpu/network.h"

#include <string.h>

#include "kernels/math/random.h"

enum { CACHE_LINE = 64, AHEAD = 4 };

/* What augmentation does to one image, from the random numbers of (image, pass). */
struct change {
    int64_t down, right;                   /* by how many pixels the image is moved */
    bool flip;                             /* left and right */
    int64_t top, bottom, left, right_edge; /* the erased box */
};

static int64_t scaled(uint32_t half_word, int64_t bound)
{
    return (int64_t)((uint64_t)half_word * (uint64_t)bound >> 16);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static struct change change_draw(const struct network *network, uint32_t image, uint32_t pass)
{
    const struct recipe *recipe = network->setup.recipe;
    const struct shape *shape = &network->setup.plan->input;
    uint32_t words[4];
    random_block(network->setup.seed, network->setup.trial, RANDOM_AUGMENT, 0, pass, image, words);
    int64_t shift = recipe->shift, side = recipe->erase;
    int64_t top = scaled(words[2] & 0xffff, shape->height) - side / 2;
    int64_t left = scaled(words[2] >> 16, shape->width) - side / 2;
    return (struct change){.down = scaled(words[0] & 0xffff, 2 * shift + 1) - shift,
                           .right = scaled(words[0] >> 16, 2 * shift + 1) - shift,
                           .flip = (double)random_unit_float(words[1]) < recipe->flip,
                           .top = clamp(top, 0, shape->height),
                           .bottom = clamp(top + side, 0, shape->height),
                           .left = clamp(left, 0, shape->width),
                           .right_edge = clamp(left + side, 0, shape->width)};
}

/* Moves, mirrors, then erases; what comes in from outside and the box are black (0). The box's centre is any pixel, so
 * that it may reach over the edge. */
static void change_apply(const struct change *change, const struct shape *shape, const uint8_t *from, uint8_t *to)
{
    size_t height = (size_t)shape->height, width = (size_t)shape->width;
    for (size_t channel = 0; channel < (size_t)shape->channels; channel++) {
        for (size_t y = 0; y < height; y++) {
            uint8_t *row = to + (channel * height + y) * width;
            int64_t source = (int64_t)y - change->down;
            memset(row, 0, width);
            if (source < 0 || source >= shape->height ||
                (change->top <= (int64_t)y && (int64_t)y < change->bottom && change->left == 0 &&
                 change->right_edge == shape->width))
                continue;
            const uint8_t *line = from + (channel * height + (size_t)source) * width;
            for (size_t x = 0; x < width; x++) {
                int64_t column = (int64_t)(change->flip ? width - 1 - x : x) - change->right;
                row[x] = column >= 0 && column < shape->width ? line[column] : 0;
            }
            if (change->top <= (int64_t)y && (int64_t)y < change->bottom)
                memset(row + change->left, 0, (size_t)(change->right_edge - change->left));
        }
    }
}

static void normalise(const struct network *network, const uint8_t *from, real *to)
{
    const struct shape *shape = &network->setup.plan->input;
    size_t plane = (size_t)(shape->height * shape->width);
    for (size_t channel = 0; channel < (size_t)shape->channels; channel++, from += plane, to += plane) {
        const real scale = network->scale[channel], shift = network->shift[channel];
        LOOP_INDEPENDENT
        for (size_t i = 0; i < plane; i++)
            to[i] = (real)from[i] * scale + shift;
    }
}

static bool augments(const struct network *network)
{
    const struct recipe *recipe = network->setup.recipe;
    return network->training && (recipe->shift > 0 || recipe->flip > 0 || recipe->erase > 0);
}

/* Images lie in random order: the next one is on its way while this one is worked on. */
static void prefetch(const struct network *network, size_t position)
{
    const struct batch *batch = network->batch;
    const struct shape *shape = &network->setup.plan->input;
    size_t size = (size_t)(shape->channels * shape->height * shape->width);
    if (position >= network->count)
        return;
    const uint8_t *pixels = batch->pixels + batch->image[position] * size;
    for (size_t i = 0; i < size; i += CACHE_LINE)
        __builtin_prefetch(pixels + i, 0, 2);
}

static void fetch(const struct network *network, const struct input_step *state, size_t position, real *to)
{
    const struct batch *batch = network->batch;
    const struct shape *shape = &network->setup.plan->input;
    uint32_t image = batch->image[position];
    const uint8_t *pixels = batch->pixels + (size_t)image * (size_t)(shape->channels * shape->height * shape->width);
    prefetch(network, position + AHEAD);
    if (augments(network)) {
        struct change change = change_draw(network, image, batch->pass[position]);
        change_apply(&change, shape, pixels, state->changed);
        pixels = state->changed;
    }
    normalise(network, pixels, to);
}

static void place(struct network *network, struct step *step, struct arena *arena)
{
    (void)network;
    struct input_step *state = step->state;
    const struct value *y = step->output;
    state->changed = arena_take(arena, y->features, 1);
    if (y->lanes)
        state->rows = arena_take(arena, LANES * round_to_lanes(y->features), sizeof(real));
}

static void forward(struct network *network, struct step *step, size_t block)
{
    struct input_step *state = step->state;
    const struct value *y = step->output;
    if (!y->lanes) {
        for (size_t i = 0; i < network->count; i++)
            fetch(network, state, i, y->data + i * y->pitch);
        return;
    }
    size_t images = lanes_in_block(network->count, block), pitch = round_to_lanes(y->features);
    for (size_t i = 0; i < images; i++)
        fetch(network, state, block * LANES + i, state->rows + i * pitch);
    lanes_from_rows(state->rows, pitch, images, y->features, value_data(y, block));
}

const struct step_kind step_input = {.name = "input", .place = place, .forward = forward};
