#include "digits.h"

#include <math.h>
#include <stdbool.h>

#include "base/rng.h"

/* Only + - * / and sqrt, which IEEE 754 rounds correctly: the same bytes on every machine and with every libm. */

enum { MOST_CURVES = 8, PIECES = 8 /* straight pieces of a curve */ };

enum { STREAM_LABEL, STREAM_SHAPE, STREAM_NOISE, STREAM_COLOUR };

/* A quadratic Bezier curve; x to the right, y down, the digit fills about 0.2..0.8 by 0.1..0.9. */
struct curve {
    double x[3], y[3];
};

struct glyph {
    int curves;
    struct curve curve[MOST_CURVES];
};

#define CURVE(x0, y0, x1, y1, x2, y2) {{x0, x1, x2}, {y0, y1, y2}}
#define LINE(x0, y0, x1, y1) CURVE(x0, y0, ((x0) + (x1)) / 2, ((y0) + (y1)) / 2, x1, y1)
#define RING(x, y, rx, ry)                                                                       \
    CURVE(x, (y) - (ry), (x) + (rx), (y) - (ry), (x) + (rx), y),                                 \
        CURVE((x) + (rx), y, (x) + (rx), (y) + (ry), x, (y) + (ry)),                             \
        CURVE(x, (y) + (ry), (x) - (rx), (y) + (ry), (x) - (rx), y),                             \
        CURVE((x) - (rx), y, (x) - (rx), (y) - (ry), x, (y) - (ry))

static const struct glyph glyphs[DIGITS_CLASSES] = {
    {4, {RING(.5, .5, .28, .4)}},
    {2, {LINE(.36, .27, .52, .1), LINE(.52, .1, .5, .9)}},
    {4, {CURVE(.25, .3, .25, .1, .5, .1), CURVE(.5, .1, .78, .1, .75, .33), CURVE(.75, .33, .7, .55, .25, .9),
         LINE(.25, .9, .78, .88)}},
    {4, {CURVE(.27, .15, .75, .05, .72, .3), CURVE(.72, .3, .7, .47, .45, .48), CURVE(.45, .48, .8, .5, .76, .72),
         CURVE(.76, .72, .7, .95, .25, .85)}},
    {3, {LINE(.58, .1, .22, .62), LINE(.22, .62, .8, .6), LINE(.64, .35, .62, .92)}},
    {4, {LINE(.72, .12, .32, .12), LINE(.32, .12, .28, .45), CURVE(.28, .45, .8, .35, .76, .67),
         CURVE(.76, .67, .7, .97, .24, .86)}},
    {5, {CURVE(.65, .1, .28, .25, .26, .65), CURVE(.26, .65, .27, .92, .5, .9), CURVE(.5, .9, .76, .88, .74, .67),
         CURVE(.74, .67, .7, .48, .5, .5), CURVE(.5, .5, .32, .52, .26, .65)}},
    {2, {LINE(.24, .13, .77, .13), CURVE(.77, .13, .55, .4, .42, .9)}},
    {8, {RING(.5, .3, .2, .2), RING(.5, .7, .24, .2)}},
    {5, {RING(.5, .32, .22, .22), CURVE(.72, .32, .72, .65, .55, .92)}},
};

/* How one image differs from the glyph. Lengths in the unit square. */
struct hand {
    double slant, tilt;       /* x += slant * y, y += tilt * x, about the middle */
    double width, height;     /* scale */
    double right, down;       /* shift */
    double thickness, wobble; /* half the width of a stroke; shift of its points */
    double ink;               /* 0..255 */
};

static double between(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_unit(rng);
}

static struct hand draw_hand(struct rng *rng)
{
    struct hand hand;
    hand.slant = between(rng, -0.4, 0.4);
    hand.tilt = between(rng, -0.2, 0.2);
    hand.width = between(rng, 0.7, 1.05);
    hand.height = between(rng, 0.75, 1.0);
    hand.right = between(rng, -0.1, 0.1);
    hand.down = between(rng, -0.1, 0.1);
    hand.thickness = between(rng, 0.025, 0.065);
    hand.wobble = 0.06;
    hand.ink = between(rng, 150, 255);
    return hand;
}

struct pieces {
    int count;
    double x[MOST_CURVES * PIECES + MOST_CURVES], y[MOST_CURVES * PIECES + MOST_CURVES];
    int starts[MOST_CURVES * PIECES + MOST_CURVES]; /* whether no piece leads to this point */
};

static void place(const struct hand *hand, double *x, double *y)
{
    double u = (*x - 0.5) * hand->width, v = (*y - 0.5) * hand->height;
    *x = 0.5 + u - hand->slant * v + hand->right;
    *y = 0.5 + v + hand->tilt * u + hand->down;
}

/* The glyph as this hand writes it, in straight pieces. Points where curves meet are moved alike. */
static void write_glyph(const struct glyph *glyph, const struct hand *hand, struct rng *rng, struct pieces *out)
{
    out->count = 0;
    struct curve before = {{0}, {0}};
    for (int c = 0; c < glyph->curves; c++) {
        struct curve curve = glyph->curve[c];
        bool joined = c > 0 && glyph->curve[c - 1].x[2] == curve.x[0] && glyph->curve[c - 1].y[2] == curve.y[0];
        for (int i = 0; i < 3; i++) {
            double dx = between(rng, -hand->wobble, hand->wobble), dy = between(rng, -hand->wobble, hand->wobble);
            curve.x[i] = i == 0 && joined ? before.x[2] : curve.x[i] + dx;
            curve.y[i] = i == 0 && joined ? before.y[2] : curve.y[i] + dy;
        }
        before = curve;
        for (int i = 0; i <= PIECES; i++) {
            double t = (double)i / PIECES, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), d = t * t;
            double x = a * curve.x[0] + b * curve.x[1] + d * curve.x[2];
            double y = a * curve.y[0] + b * curve.y[1] + d * curve.y[2];
            place(hand, &x, &y);
            out->x[out->count] = x;
            out->y[out->count] = y;
            out->starts[out->count++] = i == 0;
        }
    }
}

/* Square of the distance of (x, y) from the piece that ends at point i. */
static double piece_distance(const struct pieces *pieces, int i, double x, double y)
{
    double ax = pieces->x[i - 1], ay = pieces->y[i - 1], bx = pieces->x[i] - ax, by = pieces->y[i] - ay;
    double length = bx * bx + by * by, along = length > 0 ? ((x - ax) * bx + (y - ay) * by) / length : 0;
    along = along < 0 ? 0 : along > 1 ? 1 : along;
    double dx = x - ax - along * bx, dy = y - ay - along * by;
    return dx * dx + dy * dy;
}

static double coverage(const struct pieces *pieces, double x, double y, double thickness, double soft)
{
    double nearest = 4;
    for (int i = 1; i < pieces->count; i++) {
        double distance = pieces->starts[i] ? 4 : piece_distance(pieces, i, x, y);
        nearest = distance < nearest ? distance : nearest;
    }
    double covered = (thickness - sqrt(nearest)) / soft + 0.5;
    return covered < 0 ? 0 : covered > 1 ? 1 : covered;
}

/* Grain on the ink and, on one pixel in 64, a speck anywhere: enough that no two images are alike, little enough that
 * they still compress. Levels of 16 for the same reason. */
static uint8_t add_noise(struct rng *rng, double ink)
{
    uint32_t word = rng_word(rng);
    double grain = (double)(word >> 16 & 0xff) / 255 + (double)(word >> 24) / 255 - 1; /* a triangle on -1..1 */
    double value = ink > 0 ? ink + 24 * grain : 0;
    if (word % 64 == 0)
        value += (double)(word >> 6 & 0xff) / 2;
    int level = (int)(value / 16 + 0.5) * 16;
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

uint8_t digits_label(const struct digits *digits, uint32_t index)
{
    uint32_t label[DIGITS_CLASSES];
    for (uint32_t i = 0; i < DIGITS_CLASSES; i++)
        label[i] = i;
    struct rng rng = rng_create(digits->seed, digits->part, RANDOM_TEST, STREAM_LABEL, index / DIGITS_CLASSES);
    rng_shuffle(&rng, label, DIGITS_CLASSES);
    return (uint8_t)label[index % DIGITS_CLASSES];
}

void digits_draw(const struct digits *digits, uint32_t index, uint8_t *pixels)
{
    struct rng shape = rng_create(digits->seed, digits->part, RANDOM_TEST, STREAM_SHAPE, index);
    struct rng noise = rng_create(digits->seed, digits->part, RANDOM_TEST, STREAM_NOISE, index);
    struct rng colour = rng_create(digits->seed, digits->part, RANDOM_TEST, STREAM_COLOUR, index);
    struct hand hand = draw_hand(&shape);
    struct pieces pieces;
    write_glyph(&glyphs[digits_label(digits, index)], &hand, &shape, &pieces);
    double soft = 1.2 / (digits->height < digits->width ? digits->height : digits->width); /* about a pixel */
    for (uint32_t c = 0; c < digits->channels; c++) {
        double share = digits->channels == 1 ? 1 : between(&colour, 0.3, 1);
        for (uint32_t row = 0; row < digits->height; row++)
            for (uint32_t column = 0; column < digits->width; column++) {
                double x = (column + 0.5) / digits->width, y = (row + 0.5) / digits->height;
                double ink = hand.ink * share * coverage(&pieces, x, y, hand.thickness, soft);
                *pixels++ = add_noise(&noise, ink);
            }
    }
}
