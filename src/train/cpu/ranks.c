#include "train/cpu/ranks.h"

nr_status ranks_check(const struct trainer_setup *setup, struct log *log)
{
    if (setup->ranks <= 1)
        return NR_OK;
    if (setup->rank < 0 || setup->rank >= setup->ranks || !setup->reduce) {
        log_error(log,
                  "rank %d of %d %s a function that takes the mean over the ranks: expected a rank below %d, and "
                  "the function",
                  setup->rank, setup->ranks, setup->reduce ? "with" : "without", setup->ranks);
        return NR_INVALID;
    }
    return NR_OK;
}

void ranks_share(const struct trainer_setup *setup, int64_t rows, struct batch *batch)
{
    int64_t ranks = setup->ranks > 1 ? setup->ranks : 1, rank = setup->ranks > 1 ? setup->rank : 0;
    batch->first = rows * rank / ranks;
    batch->count = rows * (rank + 1) / ranks - batch->first;
    /* the mean over the rows is the mean over the ranks of their sums times ranks / rows */
    batch->gradient_scale = (double)ranks / (double)rows;
}

static void scale(void *values, int64_t count, double factor, enum precision_kind precision)
{
    double *wide = values;
    float *narrow = values;
    for (int64_t i = 0; i < count; i++)
        if (precision == PRECISION_FLOAT64)
            wide[i] *= factor;
        else
            narrow[i] *= (float)factor;
}

/* Every rank saw other images: its running statistics weigh as much as its share of the batch, nothing where that is
 * empty. */
static nr_status reduce_statistics(const struct trainer_setup *setup, const struct cpu_engine *engine,
                                   struct network *network, const struct batch *batch)
{
    void *buffers = engine->vector(network, NETWORK_BUFFERS);
    if (setup->plan->buffers == 0)
        return NR_OK;
    scale(buffers, setup->plan->buffers, batch->gradient_scale * (double)batch->count, engine->precision);
    return setup->reduce(setup->reduce_context, buffers, setup->plan->buffers);
}

static nr_status reduce_loss(const struct trainer_setup *setup, enum precision_kind precision, double *loss)
{
    float narrow = (float)*loss;
    void *value = precision == PRECISION_FLOAT64 ? (void *)loss : (void *)&narrow;
    nr_status status = setup->reduce(setup->reduce_context, value, 1);
    if (status != NR_OK)
        return status;
    *loss = (precision == PRECISION_FLOAT64 ? *loss : (double)narrow) * setup->ranks;
    return NR_OK;
}

nr_status ranks_reduce(const struct trainer_setup *setup, const struct cpu_engine *engine, struct network *network,
                       const struct batch *batch, double *loss)
{
    if (setup->ranks <= 1 || !setup->reduce)
        return NR_OK;
    nr_status status =
        setup->reduce(setup->reduce_context, engine->vector(network, NETWORK_GRADIENTS), setup->plan->parameters);
    if (status == NR_OK)
        status = reduce_statistics(setup, engine, network, batch);
    return status == NR_OK ? reduce_loss(setup, engine->precision, loss) : status;
}
