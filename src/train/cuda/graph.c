/* Steps as CUDA graphs. Launching one costs the host as much as launching a single kernel, and the device starts its
 * nodes without the host; several steps to a graph keep that below what the steps take. */
#include "train/cuda/trainer.h"

/* However it went, the capture is ended: a stream left capturing is of no more use. The first cause is the one to tell.
 */
static nr_status record(struct trainer *trainer, const struct network *network, int64_t steps, cudaGraph_t *graph)
{
    struct failure *failure = &trainer->device->failure;
    cudaStream_t stream = trainer->lane->stream;
    nr_status status = NR_OK;
    TRY_CUDA(failure, cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (int64_t i = 0; status == NR_OK && i < steps; i++)
        status = network_enqueue(network);
    cudaError_t code = cudaStreamEndCapture(stream, graph);
    if (status != NR_OK) {
        (void)cudaGetLastError();
        return status;
    }
    return code == cudaSuccess ? NR_OK : failure_cuda(failure, "cudaStreamEndCapture(stream, graph)", code);
}

static nr_status capture(struct trainer *trainer, const struct network *network, int64_t steps, cudaGraphExec_t *out)
{
    struct failure *failure = &trainer->device->failure;
    cudaGraph_t graph = NULL;
    nr_status status = record(trainer, network, steps, &graph);
    cudaError_t code = status == NR_OK ? cudaGraphInstantiate(out, graph, 0) : cudaSuccess;
    if (graph)
        cudaGraphDestroy(graph);
    return code == cudaSuccess ? status : failure_cuda(failure, "cudaGraphInstantiate(out, graph, 0)", code);
}

nr_status graph_capture_all(struct trainer *trainer)
{
    const struct blueprint *blueprint = &trainer->blueprint;
    int64_t steps = trainer->device->options.steps_per_graph;
    nr_status status = capture(trainer, blueprint->full, 1, &trainer->one);
    if (status == NR_OK && steps > 1)
        status = capture(trainer, blueprint->full, steps, &trainer->many);
    if (status == NR_OK && blueprint->last)
        status = capture(trainer, blueprint->last, 1, &trainer->last);
    return status;
}

cudaGraphExec_t graph_choose(const struct trainer *trainer, int64_t step, int64_t most, int64_t *steps)
{
    int64_t per_epoch = recipe_steps_per_epoch(trainer->setup.recipe);
    int64_t together = trainer->device->options.steps_per_graph;
    int64_t full = trainer->last ? per_epoch - 1 - step % per_epoch : most; /* before the next short one */
    *steps = 1;
    if (full == 0)
        return trainer->last;
    if (!trainer->many || full < together || most < together)
        return trainer->one;
    *steps = together;
    return trainer->many;
}
