/* Where everything lies: one arena, cut once. */
#include "train/cpu/network.h"

/* What a value needs is decided by whoever shares its place. */
static void merge_sharers(struct network *network)
{
    for (size_t i = network->values; i-- > 0;) {
        struct value *value = &network->value[i];
        struct value *const roots[] = {value->storage, value->gradient_storage};
        for (size_t j = 0; j < 2; j++) {
            if (!roots[j])
                continue;
            if (value->first_segment < roots[j]->first_segment)
                roots[j]->first_segment = value->first_segment;
            if (value->last_segment > roots[j]->last_segment)
                roots[j]->last_segment = value->last_segment;
        }
        if (value->storage)
            value->storage->kept |= value->kept;
        if (value->gradient_storage)
            value->gradient_storage->wants_gradient |= value->wants_gradient;
    }
}

/* One row, or one block of lanes. Lanes that nobody needs outside of their segment share a single block. */
static real *place_one(struct network *network, struct arena *arena, const struct value *value, bool whole,
                       size_t *pitch)
{
    size_t piece = value->lanes ? value_block(value) : round_to_lanes(value->features);
    size_t pieces = value->lanes ? network->capacity / LANES : network->capacity;
    *pitch = value->lanes && !whole ? 0 : piece;
    return arena_take(arena, *pitch ? pieces * piece : piece, sizeof(real));
}

static void place_value(struct network *network, struct arena *arena, struct value *value)
{
    bool crosses = value->first_segment != value->last_segment;
    if (value->storage) {
        value->data = value->storage->data;
        value->pitch = value->storage->pitch;
    } else {
        value->data = place_one(network, arena, value, crosses || value->kept, &value->pitch);
    }
    if (value->gradient_storage) {
        value->gradient = value->gradient_storage->gradient;
        value->gradient_pitch = value->gradient_storage->gradient_pitch;
    } else if (value->wants_gradient) {
        value->gradient = place_one(network, arena, value, crosses, &value->gradient_pitch);
    }
}

static size_t largest_gradient(const struct network *network)
{
    size_t most = 0;
    for (size_t i = 0; i < network->steps; i++) {
        const struct step *step = &network->step[i];
        if (!step->accumulate)
            continue;
        const struct value *value = step->input;
        size_t size = value->lanes ? value_block(value) : network->capacity * round_to_lanes(value->features);
        most = size > most ? size : most;
    }
    return most;
}

static void place_all(struct network *network, struct arena *arena)
{
    size_t channels = (size_t)network->setup.plan->input.channels;
    network->parameter = arena_take(arena, network->parameters, sizeof(real));
    network->gradient = arena_take(arena, network->parameters, sizeof(real));
    for (size_t i = 0; i < network->slots; i++)
        network->slot[i] = arena_take(arena, network->parameters, sizeof(real));
    network->buffer = arena_take(arena, network->buffers, sizeof(real));
    network->scale = arena_take(arena, channels, sizeof(real));
    network->shift = arena_take(arena, channels, sizeof(real));
    for (size_t i = 0; i < network->values; i++)
        place_value(network, arena, &network->value[i]);
    for (size_t i = 0; i < network->steps; i++)
        if (network->step[i].kind->place && network->step[i].state == &network->step[i].own)
            network->step[i].kind->place(network, &network->step[i], arena);
    network->scratch = arena_take(arena, network->scratch_size, sizeof(real));
    network->addend = arena_take(arena, largest_gradient(network), sizeof(real));
}

size_t network_measure(struct network *network)
{
    struct arena arena = {0};
    merge_sharers(network);
    place_all(network, &arena);
    return arena.used;
}

nr_status network_place(struct network *network)
{
    merge_sharers(network);
    place_all(network, &network->arena);
    if (arena_commit(&network->arena))
        return NR_NO_MEMORY;
    place_all(network, &network->arena);
    return NR_OK;
}
