/* What the parts of the convolution share: conv.c (sizes, packing, padding, forward), conv_data.c (gradient of the
 * input), conv_weights.c (gradient of weight and bias). Nobody else includes this. */
#ifndef NASRUN_TRAIN_CPU_CONV_PARTS_H
#define NASRUN_TRAIN_CPU_CONV_PARTS_H

#include "train/cpu/conv.h"
#include "train/cpu/conv_tile.h"
#include "train/cpu/winograd.h"

#define conv_pad NR_VARIANT(conv_pad)
#define conv_pad_input NR_VARIANT(conv_pad_input)
#define conv_planes_scratch NR_VARIANT(conv_planes_scratch)
#define conv_winograd NR_VARIANT(conv_winograd)
#define conv_data_pack NR_VARIANT(conv_data_pack)
#define conv_data_scratch NR_VARIANT(conv_data_scratch)
#define conv_weights_scratch NR_VARIANT(conv_weights_scratch)

/* The planes of one block, with distances in reals. */
struct conv_planes {
    const real *data;
    size_t plane, row;
};

/* A block of planes inside of larger ones. Rows and columns that reach beyond the larger plane are cut off. */
struct conv_frame {
    size_t channels, height, width;
    size_t top, left;
    size_t padded_height, padded_width;
};

/* Copies a block into a frame of zeros. */
struct conv_planes conv_pad(struct conv_frame frame, const real *from, real *to);
/* The block x with the convolution's padding: x itself where there is none, else a copy in scratch. */
struct conv_planes conv_pad_input(const struct conv *conv, const real *x, real *scratch);

/* Reals of scratch memory: of conv_pad_input(), of the gradient of the input, of the weights' gradient. */
size_t conv_planes_scratch(const struct conv *conv);
size_t conv_data_scratch(const struct conv *conv);
size_t conv_weights_scratch(const struct conv *conv);

/* The forward pass as winograd.h sees it, without packed weights. */
struct winograd conv_winograd(const struct conv *conv);

void conv_data_pack(const struct conv *conv, const real *weight, real *packed);

#endif
