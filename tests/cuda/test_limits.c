/* Peaks of boards whose data sheets give them: dense products, the boost clock. */
#include "support/test.h"

#include "train/cuda/limits.h"

struct board {
    int major, minor, multiprocessors, clock_khz;
    double float32, tf32, bf16; /* TFLOP/s */
};

static void data_sheets(void **state)
{
    (void)state;
    static const struct board boards[] = {
        {7, 5, 40, 1590000, 8.1, 0, 0},          /* T4 */
        {8, 0, 108, 1410000, 19.5, 156, 312},    /* A100 */
        {8, 9, 142, 2520000, 91.6, 183, 366},    /* L40S */
        {9, 0, 132, 1980000, 66.9, 535, 1070.5}, /* H100 SXM; its sheet gives tensor cores at 1830 MHz: 495 and 989 */
        {9, 0, 132, 1830000, 61.8, 494.7, 989.4},
    };
    for (size_t i = 0; i < sizeof boards / sizeof *boards; i++) {
        const struct board *board = &boards[i];
        const double expected[] = {
            [PRECISION_FLOAT32] = board->float32, [PRECISION_TF32] = board->tf32, [PRECISION_BF16] = board->bf16};
        for (int precision = PRECISION_FLOAT32; precision <= PRECISION_BF16; precision++)
            assert_near(limits_peak(board->major, board->minor, board->multiprocessors, board->clock_khz,
                                    (enum precision_kind)precision),
                        1e12 * expected[precision], 0.01, 0);
    }
}

static void unknown_boards(void **state)
{
    (void)state;
    assert_near(limits_peak(6, 1, 20, 1500000, PRECISION_FLOAT32), 0, 0, 0);
    assert_near(limits_peak(13, 0, 20, 1500000, PRECISION_BF16), 0, 0, 0);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(data_sheets),
    cmocka_unit_test(unknown_boards),
};

TEST_MAIN(cases)
