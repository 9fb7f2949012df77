/* Digit-like drawings for tests: strokes of ten shapes with random slant, thickness, shift and noise. */
#ifndef NASRUN_TOOLS_DIGITS_H
#define NASRUN_TOOLS_DIGITS_H

#include <stdint.h>

enum { DIGITS_CLASSES = 10 };

struct digits {
    uint64_t seed;
    uint32_t part; /* 0: training, 1: test; the two share no image */
    uint32_t channels, height, width;
};

/* Ten images in a row have the ten labels, in random order. */
uint8_t digits_label(const struct digits *digits, uint32_t index);
/* Image `index`, a pure function of what *digits says: [channels][height][width]. */
void digits_draw(const struct digits *digits, uint32_t index, uint8_t *pixels);

#endif
