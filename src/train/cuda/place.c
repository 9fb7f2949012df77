/* Where the values and the steps' own memory lie. */
#include "train/cuda/network.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void network_scratch(struct network *network, int64_t count)
{
    network->scratch_size = larger(network->scratch_size, count);
}

void network_half_scratch(struct network *network, int which, int64_t count)
{
    network->half_scratch_size[which] = larger(network->half_scratch_size[which], count);
}

/* A value whose place is another's is created after it, or, of gradients, before it: hence the search for the root. */
static void place_data(struct network *network, struct region *region)
{
    for (size_t i = 0; i < network->values; i++) {
        struct value *value = &network->value[i];
        int64_t count = value_count(network, value);
        value->data = value->storage ? value->storage->data : region_floats(region, count);
        if (value->wants_half)
            value->half = region_take(region, count, sizeof *value->half);
        if (value->wants_gradient && !value->gradient_storage)
            value->gradient = region_floats(region, count);
    }
    for (size_t i = 0; i < network->values; i++) {
        struct value *value = &network->value[i], *root = value;
        while (root->gradient_storage)
            root = root->gradient_storage;
        value->gradient = root->gradient;
    }
}

static int64_t largest_addend(const struct network *network)
{
    int64_t most = 0;
    for (size_t i = 0; i < network->steps; i++) {
        const struct step *step = &network->step[i];
        if (step->accumulate && step->input->wants_gradient)
            most = larger(most, value_count(network, step->input));
    }
    return most;
}

void network_place(struct network *network, struct region *region)
{
    size_t before = region->used;
    network->scratch_size = network->half_scratch_size[0] = network->half_scratch_size[1] = 0;
    place_data(network, region);
    for (size_t i = 0; i < network->steps; i++)
        if (network->step[i].kind->place)
            network->step[i].kind->place(network, &network->step[i], region);
    network->addend = region_floats(region, largest_addend(network));
    network->scratch = region_floats(region, network->scratch_size);
    for (int i = 0; i < 2; i++)
        network->half_scratch[i] = region_take(region, network->half_scratch_size[i], sizeof *network->half_scratch[i]);
    network->bytes = region->used - before;
}
