/* The double of cublasLt: its arithmetic against plain loops, and what it refuses. Each case is a child process. */
#include "double/child.h"

#include <cublasLt.h>

#include "double/cudadouble.h"

/* Row-major indices are never needed: everything is column-major, as the library has it. */
enum { M = 37, N = 21, K = 50, LD = 53, MASK_BITS = 128, BATCH = 3, STRIDE = LD * 53 };

struct product {
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t result;
    int found;
    cudaStream_t stream;
    void *workspace;
    bool transpose_a, transpose_b, bf16, tf32;
    cublasLtEpilogue_t epilogue;
    float *host_a, *host_b, *host_vector, *host_d; /* BATCH * STRIDE each; vector [BATCH][64] */
    uint8_t *host_mask;                            /* [BATCH][64][16] */
    void *device_a, *device_b, *device_d, *device_vector, *device_mask;
};

static void *upload(const void *host, size_t bytes, cudaStream_t stream)
{
    void *out;
    DO(cudaMalloc(&out, bytes));
    DO(cudaMemcpyAsync(out, host, bytes, cudaMemcpyHostToDevice, stream));
    return out;
}

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / (float)(1 << 23) - 1;
}

/* `bits` of the mantissa kept, to nearest even. */
static float rounded(float value, int bits)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    const uint32_t drop = 23 - (uint32_t)bits, half = (1u << (drop - 1)) - 1;
    word = (word + half + (word >> drop & 1)) >> drop << drop;
    memcpy(&value, &word, sizeof value);
    return value;
}

static void fill(struct product *p)
{
    uint32_t state = 12345;
    float *const all[] = {p->host_a, p->host_b, p->host_d};
    for (int which = 0; which < 3; which++)
        for (int i = 0; i < BATCH * STRIDE; i++)
            all[which][i] = p->bf16 && which < 2 ? rounded(noise(&state), 7) : noise(&state);
    for (int i = 0; i < BATCH * 64; i++)
        p->host_vector[i] = noise(&state);
    for (int i = 0; i < BATCH * 64 * 16; i++)
        p->host_mask[i] = (uint8_t)(noise(&state) * 128 + 128);
}

static void *upload_factor(const struct product *p, const float *host)
{
    static uint16_t half[BATCH * STRIDE];
    for (int i = 0; i < BATCH * STRIDE; i++) {
        uint32_t word;
        memcpy(&word, &host[i], sizeof word);
        half[i] = (uint16_t)(word >> 16);
    }
    return p->bf16 ? upload(half, sizeof half, p->stream) : upload(host, BATCH * STRIDE * sizeof(float), p->stream);
}

static void set(struct product *p, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes)
{
    DO(cublasLtMatmulDescSetAttribute(p->op, attribute, value, bytes));
}

static cublasLtMatrixLayout_t layout(cudaDataType type, uint64_t rows, uint64_t columns, int64_t ld, int32_t batch)
{
    cublasLtMatrixLayout_t out;
    const int64_t stride = STRIDE;
    DO(cublasLtMatrixLayoutCreate(&out, type, rows, columns, ld));
    DO(cublasLtMatrixLayoutSetAttribute(out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
    DO(cublasLtMatrixLayoutSetAttribute(out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
    return out;
}

static void describe(struct product *p)
{
    const int32_t ta = p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, tb = p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    const int64_t bits = MASK_BITS, mask_stride = 64 * MASK_BITS, vector_stride = 64;
    const uint64_t workspace = 1 << 20;
    DO(cublasLtMatmulDescCreate(&p->op, p->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set(p, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta);
    set(p, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb);
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE, &p->epilogue, sizeof p->epilogue);
    set(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->device_vector, sizeof p->device_vector);
    set(p, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, &vector_stride, sizeof vector_stride);
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &p->device_mask, sizeof p->device_mask);
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &bits, sizeof bits);
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, &mask_stride, sizeof mask_stride);
    const cudaDataType factor = p->bf16 ? CUDA_R_16BF : CUDA_R_32F;
    p->a = layout(factor, p->transpose_a ? K : M, p->transpose_a ? M : K, LD, BATCH);
    p->b = layout(factor, p->transpose_b ? N : K, p->transpose_b ? K : N, LD, BATCH);
    p->d = layout(CUDA_R_32F, M, N, LD, BATCH);
    DO(cublasLtMatmulPreferenceCreate(&p->preference));
    DO(cublasLtMatmulPreferenceSetAttribute(p->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                            sizeof workspace));
}

static struct product *product_new(struct product setup)
{
    struct product *p = malloc(sizeof *p);
    CHECK(p);
    *p = setup;
    p->stream = new_stream();
    p->host_a = malloc(BATCH * STRIDE * sizeof(float));
    p->host_b = malloc(BATCH * STRIDE * sizeof(float));
    p->host_d = malloc(BATCH * STRIDE * sizeof(float));
    p->host_vector = malloc(BATCH * 64 * sizeof(float));
    p->host_mask = malloc(BATCH * 64 * 16);
    CHECK(p->host_a && p->host_b && p->host_d && p->host_vector && p->host_mask);
    fill(p);
    p->device_a = upload_factor(p, p->host_a);
    p->device_b = upload_factor(p, p->host_b);
    p->device_d = upload(p->host_d, BATCH * STRIDE * sizeof(float), p->stream);
    p->device_vector = upload(p->host_vector, BATCH * 64 * sizeof(float), p->stream);
    p->device_mask = upload(p->host_mask, BATCH * 64 * 16, p->stream);
    DO(cudaMalloc(&p->workspace, 1 << 20));
    DO(cublasLtCreate(&p->handle));
    describe(p);
    return p;
}

static cublasStatus_t choose(struct product *p)
{
    return cublasLtMatmulAlgoGetHeuristic(p->handle, p->op, p->a, p->b, p->d, p->d, p->preference, 1, &p->result,
                                          &p->found);
}

static cublasStatus_t run(struct product *p, float alpha, float beta, const void *a, size_t workspace)
{
    return cublasLtMatmul(p->handle, p->op, &alpha, a, p->a, p->device_b, p->b, &beta, p->device_d, p->d, p->device_d,
                          p->d, &p->result.algo, p->workspace, workspace, p->stream);
}

static void product_free(struct product *p)
{
    DO(cublasLtMatmulPreferenceDestroy(p->preference));
    DO(cublasLtMatrixLayoutDestroy(p->a));
    DO(cublasLtMatrixLayoutDestroy(p->b));
    DO(cublasLtMatrixLayoutDestroy(p->d));
    DO(cublasLtMatmulDescDestroy(p->op));
    DO(cublasLtDestroy(p->handle));
    void *const device[] = {p->device_a, p->device_b, p->device_d, p->device_vector, p->device_mask, p->workspace};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        DO(cudaFree(device[i]));
    DO(cudaStreamDestroy(p->stream));
    free(p->host_a);
    free(p->host_b);
    free(p->host_d);
    free(p->host_vector);
    free(p->host_mask);
    free(p);
    CHECK(cudadouble_live() == 0);
}

/* ---- the reference ---- */

static double factor_a(const struct product *p, int z, int i, int k)
{
    const float value = p->host_a[z * STRIDE + (p->transpose_a ? k + i * LD : i + k * LD)];
    return (double)(p->tf32 ? rounded(value, 10) : value);
}

static double factor_b(const struct product *p, int z, int k, int j)
{
    const float value = p->host_b[z * STRIDE + (p->transpose_b ? j + k * LD : k + j * LD)];
    return (double)(p->tf32 ? rounded(value, 10) : value);
}

struct outcome {
    float d[BATCH][N][M];
    float vector[BATCH][64];
    bool mask[BATCH][N][M];
};

static bool has(const struct product *p, int part)
{
    return ((int)p->epilogue & part) != 0;
}

static void reference_vector(const struct product *p, int z, struct outcome *out)
{
    for (int i = 0; i < 64; i++)
        out->vector[z][i] = p->host_vector[z * 64 + i];
    for (int i = 0; i < M && has(p, 16 | 256); i++) { /* BGRAD, BGRADA */
        double sum = 0;
        for (int k = 0; k < K && has(p, 256); k++)
            sum += factor_a(p, z, i, k);
        for (int j = 0; j < N && has(p, 16); j++)
            sum += (double)out->d[z][j][i];
        out->vector[z][i] = (float)sum;
    }
    for (int j = 0; j < N && has(p, 512); j++) { /* BGRADB */
        double sum = 0;
        for (int k = 0; k < K; k++)
            sum += factor_b(p, z, k, j);
        out->vector[z][j] = (float)sum;
    }
}

static void reference(const struct product *p, float alpha, float beta, struct outcome *out)
{
    for (int z = 0; z < BATCH; z++) {
        for (int j = 0; j < N; j++)
            for (int i = 0; i < M; i++) {
                const int bit = i + j * MASK_BITS;
                double x = 0;
                for (int k = 0; k < K; k++)
                    x += factor_a(p, z, i, k) * factor_b(p, z, k, j);
                x = (double)alpha * x + (double)beta * (double)p->host_d[z * STRIDE + i + j * LD];
                if (has(p, 4)) /* BIAS */
                    x += (double)p->host_vector[z * 64 + i];
                out->mask[z][j][i] = x > 0;
                if (has(p, 2) && x < 0) /* RELU */
                    x = 0;
                if (has(p, 8) && !(p->host_mask[z * 64 * 16 + bit / 8] >> bit % 8 & 1)) /* DRELU */
                    x = 0;
                out->d[z][j][i] = (float)x;
            }
        reference_vector(p, z, out);
    }
}

/* ---- arithmetic ---- */

/* Sums of 50 products of numbers below 1, in double, rounded once to float: 1e-6 is eight units in the last place. */
static void compare(const struct product *p, const struct outcome *expected)
{
    static float d[BATCH * STRIDE], vector[BATCH * 64];
    static uint8_t mask[BATCH * 64 * 16];
    DO(cudaMemcpyAsync(d, p->device_d, sizeof d, cudaMemcpyDeviceToHost, p->stream));
    DO(cudaMemcpyAsync(vector, p->device_vector, sizeof vector, cudaMemcpyDeviceToHost, p->stream));
    DO(cudaMemcpyAsync(mask, p->device_mask, sizeof mask, cudaMemcpyDeviceToHost, p->stream));
    for (int z = 0; z < BATCH; z++) {
        for (int i = 0; i < 64; i++)
            CHECK(fabsf(vector[z * 64 + i] - expected->vector[z][i]) <= 1e-5f);
        for (int j = 0; j < N; j++)
            for (int i = 0; i < M; i++) {
                const int bit = i + j * MASK_BITS;
                CHECK(fabsf(d[z * STRIDE + i + j * LD] - expected->d[z][j][i]) <= 1e-6f);
                if (has(p, 128) && !has(p, 8)) /* the mask is put out */
                    CHECK((mask[z * 64 * 16 + bit / 8] >> bit % 8 & 1) == expected->mask[z][j][i]);
            }
    }
    for (int z = 0; z < BATCH; z++) /* between the columns nothing is written */
        for (int j = 0; j < N; j++)
            CHECK(d[z * STRIDE + M + j * LD] == p->host_d[z * STRIDE + M + j * LD]);
}

static void check_product(struct product setup, float alpha, float beta)
{
    static struct outcome expected;
    struct product *p = product_new(setup);
    DO(choose(p));
    CHECK(p->found == 1 && p->result.state == CUBLAS_STATUS_SUCCESS && p->result.workspaceSize <= 1 << 20);
    DO(run(p, alpha, beta, p->device_a, 1 << 20));
    reference(p, alpha, beta, &expected);
    compare(p, &expected);
    product_free(p);
}

static void body_epilogues(void)
{
    static const cublasLtEpilogue_t epilogues[] = {CUBLASLT_EPILOGUE_DEFAULT,   CUBLASLT_EPILOGUE_RELU,
                                                   CUBLASLT_EPILOGUE_RELU_AUX,  CUBLASLT_EPILOGUE_BIAS,
                                                   CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_RELU_AUX_BIAS,
                                                   CUBLASLT_EPILOGUE_DRELU,     CUBLASLT_EPILOGUE_DRELU_BGRAD,
                                                   CUBLASLT_EPILOGUE_BGRADA,    CUBLASLT_EPILOGUE_BGRADB};
    for (size_t e = 0; e < sizeof epilogues / sizeof *epilogues; e++)
        check_product((struct product){.epilogue = epilogues[e]}, 1, 0);
}

static void body_operands(void)
{
    for (int which = 0; which < 16; which++)
        check_product((struct product){.epilogue = CUBLASLT_EPILOGUE_BIAS,
                                       .transpose_a = which & 1,
                                       .transpose_b = which & 2,
                                       .bf16 = which & 4,
                                       .tf32 = (which & 12) == 8},
                      0.5f, which & 8 ? 2.0f : 0.0f);
}

/* ---- refusals ---- */

static void body_refused(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_DRELU_BGRAD});
    const int64_t odd = MASK_BITS + 64, good = MASK_BITS;
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &odd, sizeof odd);
    CHECK(choose(p) == CUBLAS_STATUS_INVALID_VALUE);
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &good, sizeof good);
    CHECK(cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &good, 4) ==
          CUBLAS_STATUS_INVALID_VALUE);
    DO(choose(p));
    CHECK(run(p, 1, 0, p->device_a, p->result.workspaceSize - 1) == CUBLAS_STATUS_INVALID_VALUE);
    DO(run(p, 1, 0, p->device_a, p->result.workspaceSize));
    DO(cudaStreamSynchronize(p->stream));
    DO(cublasLtMatrixLayoutDestroy(p->a));
    p->a = layout(CUDA_R_32F, M, K, M - 1, BATCH);
    CHECK(choose(p) == CUBLAS_STATUS_INVALID_VALUE);
    DO(cublasLtMatrixLayoutDestroy(p->a));
    p->a = layout(CUDA_R_32F, M, K + 1, M, BATCH);
    CHECK(choose(p) == CUBLAS_STATUS_INVALID_VALUE);
    DO(cublasLtMatrixLayoutDestroy(p->a));
    p->a = layout(CUDA_R_16F, M, K, M, BATCH);
    CHECK(choose(p) == CUBLAS_STATUS_NOT_SUPPORTED);
    product_free(p);
}

/* Asked often, it says no in each of the library's ways. */
static void body_withheld(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_DRELU_BGRAD});
    int not_supported = 0, none = 0, bad = 0;
    for (int i = 0; i < 100; i++) {
        const cublasStatus_t code = choose(p);
        not_supported += code == CUBLAS_STATUS_NOT_SUPPORTED;
        none += code == CUBLAS_STATUS_SUCCESS && p->found == 0;
        bad += code == CUBLAS_STATUS_SUCCESS && p->found == 1 && p->result.state != CUBLAS_STATUS_SUCCESS;
    }
    CHECK(not_supported > 0 && none > 0 && bad > 0 && not_supported + none + bad == 100);
    product_free(p);
}

/* ---- misuse ---- */

static void body_other_problem(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_BIAS});
    const cublasLtEpilogue_t other = CUBLASLT_EPILOGUE_RELU_BIAS;
    DO(choose(p));
    set(p, CUBLASLT_MATMUL_DESC_EPILOGUE, &other, sizeof other);
    (void)run(p, 1, 0, p->device_a, 1 << 20);
}

static void body_no_algorithm(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_BIAS});
    (void)run(p, 1, 0, p->device_a, 1 << 20);
}

static void body_less_aligned(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_DEFAULT});
    DO(choose(p));
    (void)run(p, 1, 0, (const char *)p->device_a + 16, 1 << 20);
}

static void body_less_aligned_vector(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_BIAS});
    const void *odd = (const char *)p->device_vector + 4;
    DO(choose(p));
    set(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &odd, sizeof odd);
    (void)run(p, 1, 0, p->device_a, 1 << 20);
}

static void body_overlap(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_DEFAULT});
    DO(choose(p));
    (void)run(p, 1, 0, p->device_d, 1 << 20);
}

static void body_host_matrix(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_DEFAULT});
    DO(choose(p));
    (void)run(p, 1, 0, p->host_a, 1 << 20);
}

static void body_destroyed_layout(void)
{
    struct product *p = product_new((struct product){.epilogue = CUBLASLT_EPILOGUE_DEFAULT});
    DO(cublasLtMatrixLayoutDestroy(p->b));
    (void)choose(p);
}

/* ---- the cases ---- */

static void test_arithmetic(void **state)
{
    (void)state;
    passes(body_epilogues, NULL);
    passes(body_operands, NULL);
}

static void test_refusals(void **state)
{
    (void)state;
    passes(body_refused, NULL);
    passes(body_withheld, ENVIRONMENT("NASRUN_DOUBLE_NO_EPILOGUE=BIAS,DRELU_BGRAD"));
}

static void test_misuse(void **state)
{
    (void)state;
    caught(body_other_problem, "cublasLtMatmul: the algorithm was chosen for another problem", NULL);
    caught(body_no_algorithm, "cublasLtMatmul: the algorithm is not from cublasLtMatmulAlgoGetHeuristic", NULL);
    caught(body_less_aligned, "cublasLtMatmul: A, 0x", NULL);
    caught(body_less_aligned, "is not a multiple of 256", NULL);
    caught(body_less_aligned_vector, "less aligned than when the algorithm was chosen", NULL);
    caught(body_overlap, "cublasLtMatmul: D overlaps A or B", NULL);
    caught(body_host_matrix, "cublasLtMatmul: A, 0x", NULL);
    caught(body_destroyed_layout, "is no live matrix layout", NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_arithmetic),
    cmocka_unit_test(test_refusals),
    cmocka_unit_test(test_misuse),
};

TEST_MAIN(cases)
