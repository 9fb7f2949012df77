/* Graphs: what one stream captured, with its arguments as they were then, to be run again and again. */
#include "runtime.h"

namespace
{

/* Where a graph is being run; outlives it. */
struct flight {
    cudaStream_t stream = nullptr;
    int launches = 0;
};

} // namespace

struct CUgraphExec_st {
    std::shared_ptr<const std::vector<cudadouble::node>> nodes;
    std::shared_ptr<flight> flying = std::make_shared<flight>();
    int device = 0;
};

using namespace cudadouble;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    cudaError_t error = enter("cudaStreamBeginCapture", cudaErrorIllegalState);
    if (error == cudaSuccess)
        error = report(use_stream(stream, "cudaStreamBeginCapture"));
    if (error != cudaSuccess)
        return error;
    if (mode != cudaStreamCaptureModeThreadLocal)
        misuse("cudaStreamBeginCapture: the project captures thread-local only");
    if (stream->capture)
        return report(cudaErrorIllegalState);
    stream->capture = std::make_unique<CUgraph_st>();
    stream->spoiled = false;
    return cudaSuccess;
}

/* Whatever it returns, the capture is over. */
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    const cudaError_t error = enter("cudaStreamEndCapture", cudaErrorStreamCaptureInvalidated);
    if (configuration().driver != driver_kind::present)
        return error;
    known(stream, "stream", "cudaStreamEndCapture");
    std::unique_ptr<CUgraph_st> graph = std::move(stream->capture);
    const bool spoiled = std::exchange(stream->spoiled, false);
    *out = nullptr;
    if (error != cudaSuccess)
        return error;
    if (!graph)
        return report(cudaErrorIllegalState);
    if (spoiled)
        return report(cudaErrorStreamCaptureInvalidated);
    born(graph.get(), "graph");
    *out = graph.release();
    return cudaSuccess;
}

/* The number of nodes; the double has no handles for them. */
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    const cudaError_t error = enter("cudaGraphGetNodes", cudaErrorInvalidValue);
    if (error != cudaSuccess)
        return error;
    known(graph, "graph", "cudaGraphGetNodes");
    if (nodes != nullptr)
        misuse("cudaGraphGetNodes: the double only counts them");
    *count = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    const cudaError_t error = enter("cudaGraphInstantiate", cudaErrorMemoryAllocation);
    if (error != cudaSuccess)
        return error;
    known(graph, "graph", "cudaGraphInstantiate");
    if (flags != 0)
        misuse("cudaGraphInstantiate: flags %llu are not in the double", flags);
    auto *exec = new CUgraphExec_st;
    exec->nodes = std::make_shared<const std::vector<node>>(graph->nodes);
    exec->device = current_device();
    born(exec, "graphExec");
    *out = exec;
    return cudaSuccess;
}

/* Memory that was freed since the capture: a device would read whatever is there now. */
static void check_uses(const CUgraphExec_st &exec)
{
    for (size_t i = 0; i < exec.nodes->size(); i++)
        for (const uint64_t serial : (*exec.nodes)[i].uses)
            if (!is_live(serial))
                misuse("cudaGraphLaunch: node %zu, %s, uses memory that was freed since the capture", i,
                       (*exec.nodes)[i].name);
}

/* What both calls that take an executable graph to a stream check first. */
static cudaError_t use_exec(cudaGraphExec_t exec, cudaStream_t stream, const char *call)
{
    known(exec, "graphExec", call);
    const cudaError_t error = use_stream(stream, call);
    if (error != cudaSuccess || exec->device != stream->device)
        return cudaErrorInvalidResourceHandle;
    if (stream->capture)
        misuse("%s: in a capture; the double has no graphs within graphs", call);
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    const cudaError_t error = enter("cudaGraphUpload", cudaErrorMemoryAllocation);
    return error != cudaSuccess ? error : report(use_exec(exec, stream, "cudaGraphUpload"));
}

/* A device would put the launches of one graph in order by itself; the project must not count on it, since its lanes
 * would then wait for one another. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    cudaError_t error = enter("cudaGraphLaunch", cudaErrorLaunchOutOfResources);
    if (error == cudaSuccess)
        error = report(use_exec(exec, stream, "cudaGraphLaunch"));
    if (error != cudaSuccess)
        return error;
    const auto flying = exec->flying;
    if (flying->launches > 0 && flying->stream != stream)
        misuse("cudaGraphLaunch: the graphExec is still queued on another stream");
    check_uses(*exec);
    flying->stream = stream;
    flying->launches++;
    queue(stream, {exec->nodes, [flying] { flying->launches--; }});
    return lost();
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    died(graph, "graph", "cudaGraphDestroy");
    delete graph;
    return lost();
}

/* A graph in flight is let finish. */
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    died(exec, "graphExec", "cudaGraphExecDestroy");
    delete exec;
    return lost();
}
