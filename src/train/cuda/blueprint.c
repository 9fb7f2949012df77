#include "train/cuda/blueprint.h"

/* Evaluation takes the rows that fill the memory of training, or this much if that is less, but no more than ROWS. */
enum { EVALUATION_ROWS = 1024, PIECE = 512 /* bytes: cudaMalloc gives multiples of it */ };
static const size_t evaluation_bytes = (size_t)32 << 20;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- memory ---- */

static void place_vectors(struct blueprint *blueprint, struct region *region)
{
    struct vectors *vectors = &blueprint->vectors;
    const struct recipe *recipe = blueprint->recipe;
    int64_t count = blueprint->layout.parameters, slots = recipe_optimizer_slots(recipe);
    int64_t channels = blueprint->layout.plan->input.channels;
    vectors->parameter = region_floats(region, count * (1 + slots));
    vectors->gradient = region_floats(region, count + blueprint->layout.buffers + 1);
    if (region->base) { /* lengths are multiples of LAYOUT_ALIGNMENT: all of it is aligned */
        for (int64_t i = 0; i < slots; i++)
            vectors->slot[i] = vectors->parameter + (i + 1) * count;
        vectors->buffer = vectors->gradient + count;
        vectors->loss = vectors->buffer + blueprint->layout.buffers;
    }
    if (recipe->precision == PRECISION_BF16)
        vectors->half = region_take(region, count, sizeof *vectors->half);
    vectors->state = region_take(region, 1, sizeof *vectors->state);
    vectors->rates = region_take(region, blueprint->steps, sizeof *vectors->rates);
    vectors->order = region_take(region, blueprint->slots * blueprint->images, sizeof *vectors->order);
    vectors->label = region_take(region, blueprint->most_rows, sizeof *vectors->label);
    vectors->scale = region_floats(region, channels);
    vectors->shift = region_floats(region, channels);
    if (recipe->clip_norm > 0)
        vectors->squares = region_take(region, K_SQUARES, sizeof *vectors->squares);
    vectors->arrived = region_take(region, 2, sizeof *vectors->arrived);
    vectors->evaluation = region_take(region, 1, sizeof *vectors->evaluation);
    vectors->index = region_take(region, EVALUATION_INDICES, sizeof *vectors->index);
}

/* The networks lie in the same place: only one of them works at a time. */
static size_t place_networks(struct blueprint *blueprint, const struct region *behind)
{
    struct network *const networks[] = {blueprint->full, blueprint->last, blueprint->evaluation};
    size_t most = behind->used;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        struct region region = *behind;
        if (networks[i])
            network_place(networks[i], &region);
        most = region.used > most ? region.used : most;
    }
    return most;
}

void blueprint_place(struct blueprint *blueprint, void *base)
{
    struct region region = {.base = base};
    place_vectors(blueprint, &region);
    blueprint->bytes = (place_networks(blueprint, &region) + PIECE - 1) / PIECE * PIECE;
}

static size_t network_bytes(struct network *network)
{
    struct region region = {0};
    network_place(network, &region);
    return region.used;
}

/* ---- networks ---- */

/* This rank's share of `whole` rows. */
static void share(struct network_setup *setup, int64_t whole, int rank)
{
    int64_t from = whole * rank / setup->ranks, to = whole * (rank + 1) / setup->ranks;
    setup->whole = whole;
    setup->first = from;
    setup->rows = to - from;
}

static void choose_rows(struct blueprint *blueprint)
{
    struct network *evaluation = blueprint->evaluation;
    size_t limit = network_bytes(blueprint->full);
    if (limit < evaluation_bytes)
        limit = evaluation_bytes;
    while (evaluation->setup.rows > 1 && network_bytes(evaluation) > limit)
        evaluation->setup.rows /= 2;
    blueprint->most_rows =
        blueprint->full->setup.rows > evaluation->setup.rows ? blueprint->full->setup.rows : evaluation->setup.rows;
}

static nr_status create_networks(struct blueprint *blueprint, struct network_setup *setup, int rank)
{
    int64_t batch = smaller(blueprint->recipe->batch_size, blueprint->recipe->epoch_images);
    int64_t rest = blueprint->recipe->epoch_images % batch;
    setup->training = true;
    share(setup, batch, rank);
    nr_status status = network_create(setup, &blueprint->full);
    if (status == NR_OK && rest > 0) {
        share(setup, rest, rank);
        status = network_create(setup, &blueprint->last);
    }
    if (status != NR_OK)
        return status;
    setup->training = false;
    setup->rows = EVALUATION_ROWS;
    status = network_create(setup, &blueprint->evaluation);
    if (status == NR_OK)
        choose_rows(blueprint);
    return status;
}

/* Passes that the steps of one graph can lie in, and one that is filled ahead. */
static int64_t ring_slots(const struct recipe *recipe, int64_t images, int64_t steps_per_graph)
{
    int64_t most = smaller(recipe->batch_size, recipe->epoch_images) * steps_per_graph;
    return (most - 1) / images + 3;
}

nr_status blueprint_create(const struct plan *plan, const struct recipe *recipe, const struct blueprint_setup *setup,
                           struct blueprint *out)
{
    struct blueprint blueprint = {.recipe = recipe,
                                  .images = setup->images,
                                  .slots = ring_slots(recipe, setup->images, setup->options->steps_per_graph),
                                  .steps = recipe_steps_per_epoch(recipe) * recipe->epochs};
    nr_status status = layout_create(plan, &blueprint.layout);
    if (status != NR_OK)
        return status;
    *out = blueprint; /* here, since the networks point to the layout */
    struct network_setup network = {.plan = plan,
                                    .recipe = recipe,
                                    .layout = &out->layout,
                                    .seed = setup->seed,
                                    .trial = setup->trial,
                                    .ranks = setup->ranks,
                                    .epilogues = setup->options->epilogues};
    status = create_networks(out, &network, setup->rank);
    if (status == NR_OK)
        blueprint_place(out, NULL);
    else
        blueprint_clear(out);
    return status;
}

void blueprint_clear(struct blueprint *blueprint)
{
    network_destroy(blueprint->full);
    network_destroy(blueprint->last);
    network_destroy(blueprint->evaluation);
    layout_clear(&blueprint->layout);
    *blueprint = (struct blueprint){0};
}
