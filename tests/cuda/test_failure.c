/* What the codes of NVIDIA's libraries mean, and what is kept of a failure; lanes, whose calls fail one by one. */
#include "cuda/lane_device.h"

#include "train/cuda/lane.h"

static void test_cuda_codes(void **state)
{
    (void)state;
    static const struct {
        cudaError_t code;
        nr_status status;
        bool sticky;
    } rows[] = {
        {cudaErrorMemoryAllocation, NR_NO_MEMORY, false},
        {cudaErrorInvalidValue, NR_DEVICE, false},
        {cudaErrorNoKernelImageForDevice, NR_DEVICE, false},
        {cudaErrorStreamCaptureInvalidated, NR_DEVICE, false},
        {cudaErrorLaunchOutOfResources, NR_DEVICE, false},
        {cudaErrorIllegalAddress, NR_DEVICE, true},
        {cudaErrorLaunchTimeout, NR_DEVICE, true},
        {cudaErrorAssert, NR_DEVICE, true},
        {cudaErrorHardwareStackError, NR_DEVICE, true},
        {cudaErrorIllegalInstruction, NR_DEVICE, true},
        {cudaErrorMisalignedAddress, NR_DEVICE, true},
        {cudaErrorInvalidAddressSpace, NR_DEVICE, true},
        {cudaErrorInvalidPc, NR_DEVICE, true},
        {cudaErrorLaunchFailure, NR_DEVICE, true},
        {cudaErrorECCUncorrectable, NR_DEVICE, true},
        {cudaErrorNvlinkUncorrectable, NR_DEVICE, true},
        {(cudaError_t)226, NR_DEVICE, true}, /* contained */
        {(cudaError_t)721, NR_DEVICE, true}, /* tensor memory leak */
        {cudaErrorUnknown, NR_DEVICE, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct failure failure = {0};
        char expected[160];
        assert_int_equal(failure_cuda(&failure, "cudaGraphLaunch(exec, stream)", rows[i].code), rows[i].status);
        assert_int_equal(failure.status, rows[i].status);
        assert_int_equal(failure.sticky, rows[i].sticky);
        snprintf(expected, sizeof expected, "cudaGraphLaunch(exec, stream): %s", cudaGetErrorString(rows[i].code));
        assert_string_equal(failure.text, expected);
    }
}

static void test_codes_of_the_libraries(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(failure_blas(&failure, "f()", CUBLAS_STATUS_ALLOC_FAILED), NR_NO_MEMORY);
    assert_int_equal(failure_blas(&failure, "f()", CUBLAS_STATUS_NOT_SUPPORTED), NR_INFEASIBLE);
    assert_int_equal(failure_blas(&failure, "f()", CUBLAS_STATUS_ARCH_MISMATCH), NR_INFEASIBLE);
    assert_int_equal(failure_blas(&failure, "f()", CUBLAS_STATUS_INTERNAL_ERROR), NR_DEVICE);
    assert_int_equal(failure_dnn(&failure, "f()", CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED), NR_NO_MEMORY);
    assert_int_equal(failure_dnn(&failure, "f()", CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED), NR_NO_MEMORY);
    assert_int_equal(failure_dnn(&failure, "f()", CUDNN_STATUS_NOT_SUPPORTED), NR_INFEASIBLE);
    assert_int_equal(failure_dnn(&failure, "f()", CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH), NR_INFEASIBLE);
    assert_int_equal(failure_dnn(&failure, "f()", CUDNN_STATUS_BAD_PARAM), NR_DEVICE);
    assert_int_equal(failure_dnn(&failure, "f()", CUDNN_STATUS_INTERNAL_ERROR), NR_DEVICE);
    assert_int_equal(failure_nccl(&failure, "f()", ncclRemoteError), NR_DEVICE);
    assert_false(failure.sticky);
    assert_string_equal(failure.text, "f(): the resource allocation failed"); /* the first */
}

static void test_the_first_cause_stays(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(failure_cuda(&failure, "cudaMalloc(p, n)", cudaErrorMemoryAllocation), NR_NO_MEMORY);
    assert_int_equal(failure_cuda(&failure, "cudaGraphLaunch(e, s)", cudaErrorIllegalAddress), NR_DEVICE);
    assert_int_equal(failure_note(&failure, NR_INVALID, "rank %d", 3), NR_INVALID);
    assert_int_equal(failure.status, NR_NO_MEMORY);
    assert_string_equal(failure.text, "cudaMalloc(p, n): out of memory");
    assert_true(failure.sticky); /* but that the context is lost is known */
    failure_clear(&failure);
    assert_int_equal(failure.status, NR_OK);
    assert_string_equal(failure.text, "");
    assert_true(failure.sticky);
    assert_int_equal(failure_note(&failure, NR_INVALID, "rank %d", 3), NR_INVALID);
    assert_string_equal(failure.text, "rank 3");
}

static void test_long_calls_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *call, *shown;
    } rows[] = {
        {"f(a, b)", "f(a, b): out of memory"},
        {"cudaMemcpyAsync(trainer->parameter, state->parameter, (size_t)count * sizeof(float), cudaMemcpyHostToDevice, "
         "s)",
         "cudaMemcpyAsync(trainer->parameter, state->parameter, ...): out of memory"},
        {"cudaMemcpyAsync(trainer->something_with_a_very_long_name->parameter_of_the_network + offset, state)",
         "cudaMemcpyAsync(...): out of memory"},
        {"a_name_without_arguments_that_is_longer_than_all_that_is_shown_of_a_call_in_the_text_of_a_failure",
         "a_name_without_arguments_that_is_longer_than_all_that_is_shown_of_a_call_in...): out of memory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct failure failure = {0};
        assert_int_equal(failure_cuda(&failure, rows[i].call, cudaErrorMemoryAllocation), NR_NO_MEMORY);
        assert_string_equal(failure.text, rows[i].shown);
    }
}

/* A library says only that it failed; what the runtime has behind it is told, decides, and is taken away. */
static void test_the_error_behind(void **state)
{
    (void)state;
    struct failure failure = {0};
    void *memory;
    cudadouble_fail_at(1);
    assert_int_equal(cudaMalloc(&memory, 64), cudaErrorMemoryAllocation);
    cudadouble_fail_at(0);
    assert_int_equal(cudaMalloc(&memory, (size_t)1 << 50), cudaErrorMemoryAllocation);
    assert_int_equal(failure_dnn(&failure, "cudnnCreate(&dnn)", CUDNN_STATUS_INTERNAL_ERROR), NR_NO_MEMORY);
    assert_string_equal(failure.text, "cudnnCreate(&dnn): CUDNN_STATUS_INTERNAL_ERROR (out of memory)");
    assert_int_equal(cudaPeekAtLastError(), cudaSuccess);
}

static void test_every_call_of_a_lane_fails_once(void **state)
{
    (void)state;
    struct failure failure;
    for (long n = 1;; n++) {
        struct lane *lane = NULL;
        assert_true(n < 100);
        failure = (struct failure){0};
        cudadouble_fail_at(n);
        nr_status status = lane_create(LANE_WORKSPACE, &failure, &lane);
        if (status == NR_OK) {
            status = lane_use_dnn(lane);
            assert_int_equal(lane->dnn != NULL, status == NR_OK);
        } else {
            assert_null(lane);
        }
        const bool failed = *cudadouble_failed() != '\0';
        cudadouble_fail_at(0);
        lane_destroy(lane);
        assert_int_equal(cudadouble_live(), 0);
        assert_int_equal(status != NR_OK, failed);
        assert_int_equal(failure.status, status);
        if (!failed)
            break;
    }
}

static void test_a_lane_without_cudnn(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    assert_null(lane->dnn);
    assert_ok(lane_use_dnn(lane));
    cudnnHandle_t dnn = lane->dnn;
    assert_ok(lane_use_dnn(lane));
    assert_ptr_equal(lane->dnn, dnn);
    lane_close(lane);
    lane_destroy(NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_cuda_codes),
    cmocka_unit_test(test_codes_of_the_libraries),
    cmocka_unit_test(test_the_first_cause_stays),
    cmocka_unit_test(test_long_calls_are_cut),
    cmocka_unit_test(test_the_error_behind),
    cmocka_unit_test(test_every_call_of_a_lane_fails_once),
    cmocka_unit_test(test_a_lane_without_cudnn),
};

TEST_MAIN(cases)
