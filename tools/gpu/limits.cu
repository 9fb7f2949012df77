/* gpu-limits: what the design of the CUDA backend hangs on, measured on device 0, one JSON object on standard output.
 *   node_starts      nodes of CUDA graphs started per microsecond, over so many streams at once
 *   steps_per_graph  microseconds per training step of NODES_PER_STEP nodes, for so many steps in one graph
 * The nodes do next to nothing, so that starting them is what takes the time: "empty", and "small", which reads and
 * writes what a layer of a small MLP has. Every figure is the least of several runs. */
#include <cuda_runtime.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

enum { NODES_PER_STEP = 11, CHAIN = 512, STEPS = 4096, RUNS = 5, MOST_STREAMS = 32, VALUES = 64 * 128, BLOCK = 256 };

static void need(const char *call, cudaError_t code)
{
    if (code == cudaSuccess)
        return;
    fprintf(stderr, "gpu-limits: %s: %s\n", call, cudaGetErrorString(code));
    exit(1);
}
#define NEED(call) need(#call, (call))

static __global__ void empty(float *)
{
}

static __global__ void small(float *values)
{
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < VALUES)
        values[i] = values[i] * 0.5f + 1;
}

struct lane {
    cudaStream_t stream;
    float *values;
    cudaGraphExec_t graph;
};

/* A chain of `nodes` kernels, each waiting for the one before. */
static void lane_record(lane *lane, bool is_small, int nodes)
{
    cudaGraph_t graph;
    NEED(cudaStreamBeginCapture(lane->stream, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < nodes; i++) {
        if (is_small)
            small<<<VALUES / BLOCK, BLOCK, 0, lane->stream>>>(lane->values);
        else
            empty<<<1, 32, 0, lane->stream>>>(lane->values);
    }
    NEED(cudaGetLastError());
    NEED(cudaStreamEndCapture(lane->stream, &graph));
    NEED(cudaGraphInstantiate(&lane->graph, graph, 0));
    NEED(cudaGraphDestroy(graph));
    NEED(cudaGraphLaunch(lane->graph, lane->stream)); /* the first launch uploads the graph */
    NEED(cudaStreamSynchronize(lane->stream));
}

/* Seconds until each of the lanes has run its graph `launches` times, launched in turns by this one thread. */
static double run_once(const std::vector<lane> &lanes, int launches)
{
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < launches; i++)
        for (const lane &lane : lanes)
            NEED(cudaGraphLaunch(lane.graph, lane.stream));
    for (const lane &lane : lanes)
        NEED(cudaStreamSynchronize(lane.stream));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

static double measure(int streams, bool is_small, int nodes, int launches)
{
    std::vector<lane> lanes(static_cast<size_t>(streams));
    for (lane &lane : lanes) {
        NEED(cudaStreamCreateWithFlags(&lane.stream, cudaStreamNonBlocking));
        NEED(cudaMalloc(&lane.values, VALUES * sizeof(float)));
        NEED(cudaMemsetAsync(lane.values, 0, VALUES * sizeof(float), lane.stream));
        lane_record(&lane, is_small, nodes);
    }
    double best = run_once(lanes, launches);
    for (int i = 1; i < RUNS; i++) {
        const double seconds = run_once(lanes, launches);
        best = seconds < best ? seconds : best;
    }
    for (lane &lane : lanes) {
        NEED(cudaGraphExecDestroy(lane.graph));
        NEED(cudaFree(lane.values));
        NEED(cudaStreamDestroy(lane.stream));
    }
    return best;
}

static void print_node_starts(void)
{
    const char *separator = "";
    printf("{\"node_starts\": [");
    for (int is_small = 0; is_small < 2; is_small++)
        for (int streams = 1; streams <= MOST_STREAMS; streams *= 2, separator = ", ") {
            const int launches = 8;
            const double nodes = static_cast<double>(streams) * CHAIN * launches;
            printf("%s{\"node\": \"%s\", \"streams\": %d, \"per_microsecond\": %.4f}", separator,
                   is_small ? "small" : "empty", streams, nodes / (measure(streams, is_small, CHAIN, launches) * 1e6));
        }
}

static void print_steps_per_graph(void)
{
    const char *separator = "";
    printf("],\n \"steps_per_graph\": [");
    for (int lanes = 1; lanes <= 16; lanes *= 4)
        for (int steps = 1; steps <= 64; steps *= 2, separator = ", ") {
            const double seconds = measure(lanes, true, NODES_PER_STEP * steps, STEPS / steps);
            printf("%s{\"lanes\": %d, \"steps\": %d, \"microseconds_per_step\": %.3f}", separator, lanes, steps,
                   seconds * 1e6 / STEPS / lanes);
        }
    printf("],\n \"nodes_per_step\": %d}\n", NODES_PER_STEP);
}

int main(void)
{
    int devices = 0;
    const cudaError_t code = cudaGetDeviceCount(&devices);
    if (code != cudaSuccess || devices == 0) {
        fprintf(stderr, "gpu-limits: no CUDA device (%s)\n", cudaGetErrorString(code));
        return 77;
    }
    NEED(cudaSetDevice(0));
    print_node_starts();
    print_steps_per_graph();
    return 0;
}
