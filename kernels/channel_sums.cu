/* Sums over the images and positions of each channel: the gradient of a bias. */
#include "kernels/reduce.h"
#include "kernels/walk.h"

/* ---- one position: columns of a matrix ---- */

constexpr int COLUMNS = 32, ROWS = 16;

/* A block does 32 neighbouring channels, 16 rows at a time, so that a warp reads whole lines. Shared memory: a sum of
 * every thread, 2 KiB, added up in the order of the rows. */
static __global__ void __launch_bounds__(COLUMNS *ROWS)
    column_sums(const float *__restrict__ x, int64_t rows, int64_t channels, float *__restrict__ sum)
{
    NR_SHARED(float, partial, COLUMNS *ROWS);
    const int column = static_cast<int>(threadIdx.x) % COLUMNS, place = static_cast<int>(threadIdx.x) / COLUMNS;
    const int64_t pieces = (channels + COLUMNS - 1) / COLUMNS;
    for (int64_t piece = blockIdx.x; piece < pieces; piece += gridDim.x) {
        const int64_t channel = piece * COLUMNS + column;
        float own = 0;
        if (channel < channels)
            NR_UNROLL(4)
        for (int64_t row = place; row < rows; row += ROWS)
            own += x[row * channels + channel];
        partial[threadIdx.x] = own;
        for (int half = ROWS / 2; half > 0; half /= 2) {
            __syncthreads();
            if (place < half)
                partial[threadIdx.x] += partial[static_cast<int>(threadIdx.x) + half * COLUMNS];
        }
        if (place == 0 && channel < channels)
            sum[channel] = partial[threadIdx.x]; /* its own: no barrier */
        __syncthreads();                         /* partial is written again */
    }
}

/* ---- several positions: planes ---- */

constexpr int BLOCK = 1024;

/* A block does one channel: every thread takes VECTOR neighbouring positions of every BLOCK-th piece of the channel's
 * planes; four loads are on their way at once, since there are as few blocks as channels. Sums of a thread are float
 * in four parts, those of the block double. Shared memory: that of block_sum(). */
template <int VECTOR>
static __global__ void __launch_bounds__(BLOCK, 1)
    plane_sums(const float *__restrict__ x, int64_t rows, int64_t channels, int pieces, float *__restrict__ sum)
{
    for (int64_t channel = blockIdx.x; channel < channels; channel += gridDim.x) {
        float part[4] = {0, 0, 0, 0};
        NR_UNROLL(4)
        for (struct piece_walk walk = piece_walk_begin(pieces); walk.row < rows; piece_walk_on(&walk)) {
            const float *at = x + ((walk.row * channels + channel) * pieces + walk.piece) * VECTOR;
            if constexpr (VECTOR == 4) {
                const float4 four = *reinterpret_cast<const float4 *>(at);
                part[0] += four.x;
                part[1] += four.y;
                part[2] += four.z;
                part[3] += four.w;
            } else {
                part[0] += *at;
            }
        }
        const double total = block_sum(static_cast<double>((part[0] + part[1]) + (part[2] + part[3])));
        if (threadIdx.x == 0)
            sum[channel] = static_cast<float>(total);
    }
}

cudaError_t k_channel_sums(const float *x, int64_t rows, int64_t channels, int64_t positions, float *sum,
                           cudaStream_t stream)
{
    if (rows < 0 || channels < 0 || positions < 0 || positions > INT32_MAX)
        return cudaErrorInvalidValue;
    if (channels == 0)
        return cudaSuccess;
    if (positions == 1 || positions == 0) /* no positions: sums of nothing */
        return NR_LAUNCH(column_sums, walk_blocks(channels, COLUMNS), COLUMNS * ROWS, 0, stream, x, rows * positions,
                         channels, sum);
    if (positions % 4 == 0 && aligned_for<float4>(x))
        return NR_LAUNCH(plane_sums<4>, walk_blocks(channels, 1), BLOCK, 0, stream, x, rows, channels,
                         static_cast<int>(positions / 4), sum);
    return NR_LAUNCH(plane_sums<1>, walk_blocks(channels, 1), BLOCK, 0, stream, x, rows, channels,
                     static_cast<int>(positions), sum);
}
