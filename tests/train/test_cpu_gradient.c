/* Gradients of whole networks against central finite differences, in double precision through the production code. */
#include "support/test.h"

#include "base/rng.h"
#include "train/cpu/engine.h"
#include "train/hand_plan.h"

enum { IMAGES = 24, SIDE = 8, CHANNELS = 2, CLASSES = 5 };

struct problem {
    struct hand_plan hand;
    struct recipe recipe;
    uint8_t pixels[IMAGES * CHANNELS * SIDE * SIDE], labels[IMAGES];
    uint32_t image[IMAGES], pass[IMAGES];
    float mean[CHANNELS], deviation[CHANNELS];
    const struct cpu_engine *engine;
    struct network *network;
    struct batch batch;
};

static const struct recipe plain_recipe = {.optimizer = OPTIMIZER_SGD,
                                           .batch_size = 20,
                                           .epochs = 1,
                                           .epoch_images = IMAGES,
                                           .label_smoothing = 0.1,
                                           .precision = PRECISION_FLOAT64};

static void problem_begin(struct problem *problem)
{
    struct rng rng = rng_create(11, 0, RANDOM_TEST, 0, 0);
    memset(problem, 0, sizeof *problem);
    hand_begin(&problem->hand, CHANNELS, SIDE, CLASSES);
    problem->recipe = plain_recipe;
    for (size_t i = 0; i < sizeof problem->pixels; i++)
        problem->pixels[i] = (uint8_t)rng_word(&rng);
    for (size_t i = 0; i < IMAGES; i++) {
        problem->labels[i] = (uint8_t)rng_below(&rng, CLASSES);
        problem->image[i] = (uint32_t)(IMAGES - 1 - i);
    }
    for (size_t i = 0; i < CHANNELS; i++) {
        problem->mean[i] = 0.4f;
        problem->deviation[i] = 0.3f;
    }
}

static void problem_build(struct problem *problem, int64_t count)
{
    const struct network_setup setup = {.plan = &problem->hand.plan,
                                        .recipe = &problem->recipe,
                                        .mean = problem->mean,
                                        .deviation = problem->deviation,
                                        .seed = 5,
                                        .trial = 3};
    problem->engine = cpu_engine_choose(PRECISION_FLOAT64);
    assert_non_null(problem->engine);
    assert_ok(problem->engine->create(&setup, &problem->network));
    problem->batch = (struct batch){.pixels = problem->pixels,
                                    .labels = problem->labels,
                                    .image = problem->image,
                                    .pass = problem->pass,
                                    .count = count,
                                    .gradient_scale = 1.0 / (double)count,
                                    .step = 7};
}

/* The mean loss; running statistics are put back, so that every call sees the same network. */
static double mean_loss(struct problem *problem)
{
    return problem->engine->gradient(problem->network, &problem->batch) / (double)problem->batch.count;
}

/* Every `stride`-th parameter. Central differences with h = 1e-5 err by h^2 times the third derivative and by rounding
 * 1e-16 / h: 1e-9 at the scale of these losses; kinks of relu and of maxima within h of a value would show, and the
 * seed has none. */
static void check(struct problem *problem, int64_t count)
{
    const double h = 1e-5;
    problem_build(problem, count);
    int64_t parameters = problem->hand.plan.parameters;
    double *w = problem->engine->vector(problem->network, NETWORK_PARAMETERS);
    const double *g = problem->engine->vector(problem->network, NETWORK_GRADIENTS);
    double *buffer = problem->engine->vector(problem->network, NETWORK_BUFFERS);
    struct rng rng = rng_create(12, 0, RANDOM_TEST, 0, 0);
    for (int64_t i = 0; i < parameters; i++)
        w[i] = 0.7 * (rng_unit(&rng) - 0.4);
    for (int64_t i = 0; i < problem->hand.plan.buffers; i++)
        buffer[i] = 1;
    double *gradient = calloc((size_t)parameters, sizeof *gradient);
    double loss = mean_loss(problem);
    assert_true(isfinite(loss) && loss > 0.01);
    memcpy(gradient, g, (size_t)parameters * sizeof *gradient);
    int64_t stride = parameters / 150 + 1;
    for (int64_t i = 0; i < parameters; i += stride) {
        double kept = w[i];
        w[i] = kept + h;
        double above = mean_loss(problem);
        w[i] = kept - h;
        double below = mean_loss(problem);
        w[i] = kept;
        assert_near(gradient[i], (above - below) / (2 * h), 1e-6, 1e-8);
    }
    free(gradient);
    problem->engine->destroy(problem->network);
}

static void dense_with(enum activation_kind kind)
{
    struct problem problem;
    problem_begin(&problem);
    hand_dense(&problem.hand, 11);
    hand_act(&problem.hand, kind);
    hand_dense(&problem.hand, 7);
    hand_act(&problem.hand, kind);
    hand_dropout(&problem.hand, 0.3);
    hand_dense(&problem.hand, CLASSES);
    check(&problem, 19);
}

static void mlp_every_activation(void **state)
{
    (void)state;
    for (int kind = 0; kind < ACT_KINDS; kind++)
        dense_with((enum activation_kind)kind);
}

static void mlp_norm(void **state)
{
    (void)state;
    struct problem problem;
    problem_begin(&problem);
    hand_dense(&problem.hand, 9);
    hand_norm(&problem.hand);
    hand_act(&problem.hand, ACT_SILU);
    hand_dense(&problem.hand, 6);
    hand_act(&problem.hand, ACT_TANH);
    hand_norm(&problem.hand);
    hand_dense(&problem.hand, CLASSES);
    check(&problem, 20);
}

static void mlp_residual(void **state)
{
    (void)state;
    struct problem problem;
    problem_begin(&problem);
    hand_dense(&problem.hand, 9);
    hand_act(&problem.hand, ACT_GELU); /* layer 1 */
    hand_dense(&problem.hand, 9);
    hand_act(&problem.hand, ACT_TANH);
    hand_join(&problem.hand, 1);
    hand_dropout(&problem.hand, 0.2);
    hand_dense(&problem.hand, CLASSES);
    check(&problem, 13);
}

/* Convolutions of every sort, with what the compiler fuses and what it does not. */
static void conv_with(enum activation_kind kind, enum operator_kind pool, bool norm, int64_t count)
{
    struct problem problem;
    problem_begin(&problem);
    hand_conv(&problem.hand, 4, 3, 1, 1, 1, !norm);
    if (norm)
        hand_norm(&problem.hand);
    hand_act(&problem.hand, kind);
    hand_pool(&problem.hand, pool, 2);
    hand_dropout(&problem.hand, 0.2);
    hand_conv(&problem.hand, 6, 3, 1, 0, 2, true);
    hand_act(&problem.hand, kind);
    hand_flatten(&problem.hand);
    hand_dense(&problem.hand, CLASSES);
    check(&problem, count);
}

static void conv_every_activation(void **state)
{
    (void)state;
    for (int kind = 0; kind < ACT_KINDS; kind++) {
        conv_with((enum activation_kind)kind, OP_MAXPOOL, false, 5);
        conv_with((enum activation_kind)kind, OP_MAXPOOL, true, 7);
        conv_with((enum activation_kind)kind, OP_AVGPOOL, true, 6);
        conv_with((enum activation_kind)kind, OP_AVGPOOL, false, 6);
    }
}

static void conv_residual(void **state)
{
    (void)state;
    struct problem problem;
    problem_begin(&problem);
    hand_conv(&problem.hand, 4, 3, 2, 1, 1, false);
    hand_norm(&problem.hand);
    hand_act(&problem.hand, ACT_SILU); /* layer 2, read twice */
    hand_conv(&problem.hand, 4, 3, 1, 1, 4, false);
    hand_norm(&problem.hand);
    hand_act(&problem.hand, ACT_RELU);
    hand_conv(&problem.hand, 4, 1, 1, 0, 1, true);
    hand_join(&problem.hand, 2);
    hand_act(&problem.hand, ACT_RELU); /* layer 8 */
    hand_conv(&problem.hand, 4, 5, 1, 2, 1, true);
    hand_join(&problem.hand, 8);
    hand_global(&problem.hand);
    hand_dense(&problem.hand, 6);
    hand_norm(&problem.hand);
    hand_act(&problem.hand, ACT_LEAKY_RELU);
    hand_dense(&problem.hand, CLASSES);
    check(&problem, 9);
}

/* Logits from a convolution; the first layer reads the image twice; overlapping maxima behind batch norm. */
static void conv_to_logits(void **state)
{
    (void)state;
    struct problem problem;
    problem_begin(&problem);
    hand_norm(&problem.hand);
    hand_conv(&problem.hand, 2, 3, 1, 1, 1, true);
    hand_join(&problem.hand, PLAN_INPUT);
    hand_norm(&problem.hand);
    hand_act(&problem.hand, ACT_RELU);
    hand_window(&problem.hand, OP_MAXPOOL, 2, 3, 1, 0);
    hand_conv(&problem.hand, CLASSES, 3, 1, 1, 1, true);
    hand_act(&problem.hand, ACT_RELU);
    hand_global(&problem.hand);
    check(&problem, 11);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(mlp_every_activation),  cmocka_unit_test(mlp_norm),      cmocka_unit_test(mlp_residual),
        cmocka_unit_test(conv_every_activation), cmocka_unit_test(conv_residual), cmocka_unit_test(conv_to_logits),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
