/* What augmentation makes of an image, seen from outside: with one image and one dense layer the gradient of the
 * weights is x dz and that of the bias dz, so their quotient is what the network saw. */
#include "support/test.h"

#include "base/rng.h"
#include "train/cpu/engine.h"
#include "train/hand_plan.h"

enum { SIDE = 9, CHANNELS = 2, PIXELS = CHANNELS * SIDE * SIDE, CLASSES = 3 };
static const float mean[CHANNELS] = {0.25f, 0.5f}, deviation[CHANNELS] = {0.5f, 0.25f};

struct seen {
    int pixel[PIXELS]; /* 0..255 again */
};

/* Fills `pixels` with values that are all different and none of them black. */
static void draw(uint8_t pixels[PIXELS])
{
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(i + 1);
}

static struct seen look(const struct recipe *given, uint32_t pass, bool lanes)
{
    uint8_t pixels[PIXELS], label = 1;
    const uint32_t image = 0;
    struct hand_plan hand;
    struct recipe recipe = *given;
    const struct cpu_engine *engine = cpu_engine_choose(PRECISION_FLOAT64);
    struct network *network;
    struct seen seen;
    recipe.batch_size = 4;
    recipe.precision = PRECISION_FLOAT64;
    draw(pixels);
    hand_begin(&hand, CHANNELS, SIDE, CLASSES);
    if (lanes)
        hand_pool(&hand, OP_MAXPOOL, 1);
    hand_dense(&hand, CLASSES);
    const struct network_setup setup = {
        .plan = &hand.plan, .recipe = &recipe, .mean = mean, .deviation = deviation, .seed = 9, .trial = 2};
    assert_ok(engine->create(&setup, &network));
    const struct batch batch = {
        .pixels = pixels, .labels = &label, .image = &image, .pass = &pass, .count = 1, .gradient_scale = 1};
    assert_near(engine->gradient(network, &batch), log(CLASSES), 1e-12, 0); /* weights are 0 */
    const double *gradient = engine->vector(network, NETWORK_GRADIENTS), *bias = gradient + PIXELS * CLASSES;
    for (int i = 0; i < PIXELS; i++) {
        int channel = i / (SIDE * SIDE);
        double x = gradient[i * CLASSES + 1] / bias[1];
        double pixel = 255 * (x * (double)deviation[channel] + (double)mean[channel]);
        seen.pixel[i] = (int)lrint(pixel);
        assert_near(pixel, seen.pixel[i], 0, 1e-9);
    }
    engine->destroy(network);
    return seen;
}

static int at(const uint8_t pixels[PIXELS], int channel, int y, int x)
{
    bool inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
    return inside ? pixels[(channel * SIDE + y) * SIDE + x] : 0;
}

static bool is_moved(const struct seen *seen, int down, int right)
{
    uint8_t pixels[PIXELS];
    draw(pixels);
    for (int i = 0; i < PIXELS; i++)
        if (seen->pixel[i] != at(pixels, i / (SIDE * SIDE), i / SIDE % SIDE - down, i % SIDE - right))
            return false;
    return true;
}

static void nothing(void **state)
{
    (void)state;
    const struct recipe recipe = {0};
    for (int lanes = 0; lanes < 2; lanes++) {
        struct seen seen = look(&recipe, 0, lanes);
        assert_true(is_moved(&seen, 0, 0));
    }
}

/* Every pass its own shift, all of them within bounds, each of the 25 sooner or later; the same in both layouts. */
static void shifts(void **state)
{
    (void)state;
    const struct recipe recipe = {.shift = 2};
    bool met[5][5] = {{false}};
    for (uint32_t pass = 0; pass < 300; pass++) {
        struct seen seen = look(&recipe, pass, pass % 2);
        int found = 0;
        for (int down = -2; down <= 2; down++)
            for (int right = -2; right <= 2; right++)
                if (is_moved(&seen, down, right)) {
                    met[down + 2][right + 2] = true;
                    found++;
                }
        assert_int_equal(found, 1);
        struct seen again = look(&recipe, pass, !(pass % 2));
        assert_memory_equal(&seen, &again, sizeof seen);
    }
    for (int i = 0; i < 25; i++)
        assert_true(met[i / 5][i % 5]);
}

static void flips(void **state)
{
    (void)state;
    const struct recipe always = {.flip = 1}, sometimes = {.flip = 0.25};
    uint8_t pixels[PIXELS];
    draw(pixels);
    struct seen seen = look(&always, 0, false);
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(seen.pixel[i], at(pixels, i / (SIDE * SIDE), i / SIDE % SIDE, SIDE - 1 - i % SIDE));
    int flipped = 0;
    for (uint32_t pass = 0; pass < 400; pass++) {
        seen = look(&sometimes, pass, false);
        flipped += !is_moved(&seen, 0, 0);
    }
    assert_near(flipped, 100, 0, 5 * sqrt(400 * 0.25 * 0.75));
}

/* One black box, in the same place of every channel; its sides are 4 but where it reaches over the edge. */
static void erases(void **state)
{
    (void)state;
    const struct recipe recipe = {.erase = 4};
    uint8_t pixels[PIXELS];
    draw(pixels);
    bool whole = false;
    for (uint32_t pass = 0; pass < 100; pass++) {
        struct seen seen = look(&recipe, pass, false);
        int top = SIDE, bottom = -1, left = SIDE, right = -1, black = 0;
        for (int i = 0; i < SIDE * SIDE; i++) {
            int y = i / SIDE, x = i % SIDE;
            assert_int_equal(seen.pixel[i] == 0, seen.pixel[SIDE * SIDE + i] == 0);
            if (seen.pixel[i]) {
                assert_int_equal(seen.pixel[i], at(pixels, 0, y, x));
                continue;
            }
            black++;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
            left = x < left ? x : left;
            right = x > right ? x : right;
        }
        int height = bottom - top + 1, width = right - left + 1;
        assert_int_equal(black, height * width);
        assert_true(height >= 2 && height <= 4 && width >= 2 && width <= 4);
        assert_true(height == 4 || top == 0 || bottom == SIDE - 1);
        assert_true(width == 4 || left == 0 || right == SIDE - 1);
        whole |= black == 16;
    }
    assert_true(whole);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(shifts),
        cmocka_unit_test(flips),
        cmocka_unit_test(erases),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
