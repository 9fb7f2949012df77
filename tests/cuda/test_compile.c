/* Which nodes a step consists of: what is fused with what, and what happens where it cannot be. */
#include "support/training.h"

#include "train/cuda/cuda.h"

typedef void layers(struct hand_plan *hand);

enum variant { PLAIN, CLIPPED_WITHOUT_EPILOGUES, BF16 };

/* The listing of a step of this network; the caller frees. */
static char *listing(layers *add, enum variant variant)
{
    struct training training;
    struct text text = {0};
    training_create(&training, 40, 1, 8);
    add(&training.hand);
    if (variant == CLIPPED_WITHOUT_EPILOGUES)
        training.recipe.clip_norm = 1;
    if (variant == BF16)
        training.recipe.precision = PRECISION_BF16;
    training_open(&training, &cuda_backend);
    cuda_device_options(training.device)->epilogues = variant != CLIPPED_WITHOUT_EPILOGUES;
    struct trainer *trainer = training_trainer(&training, 0);
    cuda_trainer_list(trainer, &text);
    int64_t lines = 0;
    for (const char *at = text.data; *at; at++)
        lines += *at == '\n';
    assert_int_equal(cuda_backend.nodes(trainer), lines);
    cuda_backend.destroy(trainer);
    training_clear(&training);
    return text_take(&text);
}

static void expect(layers *add, enum variant variant, const char *expected)
{
    char *got = listing(add, variant);
    assert_string_equal(got, expected);
    free(got);
}

static void mlp(struct hand_plan *hand)
{
    hand_dense(hand, 24);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, 16);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, TRAINING_CLASSES);
}

/* 11 nodes: a step of a small network costs what its nodes' starts cost. */
static void mlp_is_eleven_nodes(void **state)
{
    (void)state;
    expect(mlp, PLAIN,
           "  1  gather\n"
           "  2  dense 1: product, bias, relu with mask\n"
           "  3  dense 3: product, bias, relu with mask\n"
           "  4  dense 5: product, bias\n"
           "  5  loss and gradient\n"
           "  6  dense 5: product, bias gradient\n"
           "  7  dense 5: product, relu's derivative, bias gradient\n"
           "  8  dense 3: product\n"
           "  9  dense 3: product, relu's derivative, bias gradient\n"
           " 10  dense 1: product\n"
           " 11  update\n");
}

static void kernels_take_the_place_of_epilogues(void **state)
{
    (void)state;
    expect(mlp, CLIPPED_WITHOUT_EPILOGUES,
           "  1  gather\n"
           "  2  dense 1: product\n"
           "  3  dense 1: bias, relu\n"
           "  4  dense 3: product\n"
           "  5  dense 3: bias, relu\n"
           "  6  dense 5: product\n"
           "  7  dense 5: bias\n"
           "  8  loss and gradient\n"
           "  9  dense 5: product\n"
           " 10  dense 5: bias gradient\n"
           " 11  dense 5: product\n"
           " 12  dense 3: relu, gradient\n"
           " 13  dense 3: product\n"
           " 14  dense 3: bias gradient\n"
           " 15  dense 3: product\n"
           " 16  dense 1: relu, gradient\n"
           " 17  dense 1: product\n"
           " 18  dense 1: bias gradient\n"
           " 19  norm of the gradient\n"
           " 20  update\n");
}

static void dropped_mlp(struct hand_plan *hand)
{
    hand_dense(hand, 24);
    hand_act(hand, ACT_RELU);
    hand_dropout(hand, 0.2);
    hand_dense(hand, 16);
    hand_act(hand, ACT_GELU);
    hand_dense(hand, TRAINING_CLASSES);
}

/* Activation and dropout are one node each way. */
static void dropout_goes_with_its_activation(void **state)
{
    (void)state;
    expect(dropped_mlp, PLAIN,
           "  1  gather\n"
           "  2  dense 1: product, bias\n"
           "  3  dense 1: pointwise\n"
           "  4  dense 4: product, bias\n"
           "  5  dense 4: pointwise\n"
           "  6  dense 6: product, bias\n"
           "  7  loss and gradient\n"
           "  8  dense 6: product, bias gradient\n"
           "  9  dense 6: product\n"
           " 10  dense 4: pointwise, gradient\n"
           " 11  dense 4: product, bias gradient\n"
           " 12  dense 4: product\n"
           " 13  dense 1: pointwise, gradient\n"
           " 14  dense 1: product, bias gradient\n"
           " 15  update\n");
}

static void lenet(struct hand_plan *hand)
{
    hand_conv(hand, 6, 5, 1, 2, 1, true);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_AVGPOOL, 2);
    hand_conv(hand, 8, 3, 1, 0, 1, true);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, TRAINING_CLASSES);
}

static void pools_take_bias_and_relu_along(void **state)
{
    (void)state;
    expect(lenet, PLAIN,
           "  1  gather\n"
           "  2  conv 1: convolution\n"
           "  3  avgpool 3: pool\n"
           "  4  conv 4: convolution\n"
           "  5  maxpool 5: pool\n"
           "  6  dense 7: product, bias\n"
           "  7  loss and gradient\n"
           "  8  dense 7: product, bias gradient\n"
           "  9  dense 7: product\n"
           " 10  maxpool 5: pool, gradient, bias gradient\n"
           " 11  conv 4: convolution, gradient of the weights\n"
           " 12  conv 4: convolution, gradient of the input\n"
           " 13  avgpool 3: pool, gradient\n"
           " 14  avgpool 3: bias gradient\n"
           " 15  conv 1: convolution, gradient of the weights\n"
           " 16  update\n");
}

/* "same" of an even kernel: one side more; the join's gradient is one term's, and copied for the other. */
static void residual(struct hand_plan *hand)
{
    hand_conv(hand, 4, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU); /* layer 2, read twice */
    hand_conv(hand, 4, 2, 1, 0, 1, false);
    struct plan_layer *layer = &hand->layer[3];
    layer->pad_bottom = layer->pad_right = 1;
    layer->out = layer->in;
    hand_join(hand, 2);
    hand_act(hand, ACT_TANH);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_global(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

static void residuals_and_uneven_padding(void **state)
{
    (void)state;
    expect(residual, PLAIN,
           "  1  gather\n"
           "  2  conv 1: convolution\n"
           "  3  batchnorm 2: norm\n"
           "  4  batchnorm 2: pointwise\n"
           "  5  conv 4: pad\n"
           "  6  conv 4: convolution\n"
           "  7  add 5: sum\n"
           "  8  maxpool 7: pool\n"
           "  9  maxpool 7: pointwise\n"
           " 10  globalavgpool 8: pool\n"
           " 11  dense 9: product, bias\n"
           " 12  loss and gradient\n"
           " 13  dense 9: product, bias gradient\n"
           " 14  dense 9: product\n"
           " 15  globalavgpool 8: pool, gradient\n"
           " 16  maxpool 7: pointwise, gradient\n"
           " 17  maxpool 7: pool, gradient\n"
           " 18  add 5: copy\n"
           " 19  conv 4: convolution, gradient of the weights\n"
           " 20  conv 4: convolution, gradient of the input\n"
           " 21  conv 4: crop\n"
           " 22  conv 4: sum\n"
           " 23  batchnorm 2: pointwise, gradient\n"
           " 24  batchnorm 2: norm, gradient\n"
           " 25  conv 1: convolution, gradient of the weights\n"
           " 26  update\n");
}

/* All weights are rounded by one node, an activation once for forward and backward. */
static void bf16_rounds_each_factor_once(void **state)
{
    (void)state;
    expect(mlp, BF16,
           "  1  gather\n"
           "  2  to bf16\n"
           "  3  dense 1: to bf16\n"
           "  4  dense 1: product, bias, relu with mask\n"
           "  5  dense 3: to bf16\n"
           "  6  dense 3: product, bias, relu with mask\n"
           "  7  dense 5: to bf16\n"
           "  8  dense 5: product, bias\n"
           "  9  loss and gradient\n"
           " 10  dense 5: to bf16\n"
           " 11  dense 5: product, bias gradient\n"
           " 12  dense 5: product, relu's derivative, bias gradient\n"
           " 13  dense 3: to bf16\n"
           " 14  dense 3: product\n"
           " 15  dense 3: product, relu's derivative, bias gradient\n"
           " 16  dense 1: to bf16\n"
           " 17  dense 1: product\n"
           " 18  update\n");
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(mlp_is_eleven_nodes),
    cmocka_unit_test(kernels_take_the_place_of_epilogues),
    cmocka_unit_test(dropout_goes_with_its_activation),
    cmocka_unit_test(pools_take_bias_and_relu_along),
    cmocka_unit_test(residuals_and_uneven_padding),
    cmocka_unit_test(bf16_rounds_each_factor_once),
};

TEST_MAIN(cases)
