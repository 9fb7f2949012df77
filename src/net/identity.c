/* The canonical identity: SHA-256 of the layers as the plan holds them.
 *
 * plan_build() has already removed what makes no difference (dropout of rate 0, layers with if=no, flatten before
 * dense, blocks, names of parameters) and spelt out what was short (activation=, depthwise, "same"), so that equal
 * networks have equal layers. Offsets, streams and costs follow from these fields and are left out. */
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "net/builder.h"

enum { LAYER_FIELDS = 16, VARINT_MOST_BYTES = 10 };

/* Seven bits per byte, low ones first: short for the small numbers that make up a network, and the same everywhere. */
static size_t put_number(uint8_t *at, uint64_t number)
{
    size_t length = 0;
    for (; number >= 0x80; number >>= 7)
        at[length++] = (uint8_t)(number | 0x80);
    at[length++] = (uint8_t)number;
    return length;
}

static uint64_t real_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void hash_numbers(struct sha256_ctx *context, const uint64_t *number, size_t count)
{
    uint8_t bytes[LAYER_FIELDS * VARINT_MOST_BYTES];
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += put_number(bytes + length, number[i]);
    sha256_update(context, length, bytes);
}

static size_t layer_fields(const struct plan_layer *layer, uint64_t field[LAYER_FIELDS])
{
    size_t count = 0;
    field[count++] = (uint64_t)layer->kind;
    field[count++] = (uint64_t)(layer->input - PLAN_INPUT);
    switch (layer->kind) {
    case OP_DENSE:
        field[count++] = (uint64_t)layer->out.channels;
        field[count++] = layer->bias;
        break;
    case OP_CONV:
    case OP_MAXPOOL:
    case OP_AVGPOOL:
        field[count++] = (uint64_t)layer->out.channels;
        field[count++] = layer->bias;
        field[count++] = (uint64_t)layer->groups;
        field[count++] = (uint64_t)layer->kernel_height;
        field[count++] = (uint64_t)layer->kernel_width;
        field[count++] = (uint64_t)layer->stride;
        field[count++] = (uint64_t)layer->pad_top;
        field[count++] = (uint64_t)layer->pad_bottom;
        field[count++] = (uint64_t)layer->pad_left;
        field[count++] = (uint64_t)layer->pad_right;
        break;
    case OP_ACTIVATION:
        field[count++] = (uint64_t)layer->activation;
        field[count++] = real_bits(layer->slope);
        break;
    case OP_DROPOUT:
        field[count++] = real_bits(layer->rate);
        break;
    case OP_ADD:
        field[count++] = (uint64_t)(layer->skip - PLAN_INPUT);
        break;
    default:
        break;
    }
    return count;
}

void plan_identify(struct plan *plan)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint64_t field[LAYER_FIELDS] = {(uint64_t)plan->input.channels, (uint64_t)plan->input.height,
                                    (uint64_t)plan->input.width};
    sha256_init(&context);
    hash_numbers(&context, field, 3);
    for (size_t i = 0; i < plan->count; i++)
        hash_numbers(&context, field, layer_fields(&plan->layer[i], field));
    sha256_digest(&context, sizeof digest, digest);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        plan->identity[2 * i] = digits[digest[i] >> 4];
        plan->identity[2 * i + 1] = digits[digest[i] & 15];
    }
    plan->identity[32] = '\0';
}
