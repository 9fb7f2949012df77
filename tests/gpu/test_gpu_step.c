/* One training step at a time against the CPU in double precision: every operator, activation, optimizer and schedule.
 *
 * Both sides start every step from the same state. SGD with momentum keeps the gradient itself: the slot after a step
 * that began with 0 is the gradient, so that gradients of all layers are compared value by value. */
#include "support/gpu.h"

enum { IMAGES = 60 }; /* 53 train */

/* Sums of some hundred products, each rounded by 2^-24, whose terms cancel to perhaps a hundredth: 1e-4 of the largest
 * value of the same tensor, or of a hundredth of the largest of all where nearly everything cancels (what stands before
 * a batch norm and only scales or shifts). An error of a formula is a thousand times that. */
static const double relative = 1e-4, floor_share = 1e-2;

struct bounds {
    double slot;      /* of the largest value of a tensor */
    double parameter; /* absolute, in units of the learning rate */
};

static double largest(const float *values, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)values[i]));
    return most;
}

static void compare_values(const char *what, size_t layer, const float *got, const float *expected, int64_t count,
                           double bound)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - (double)expected[i]) <= bound)) {
            print_error("%s of layer %zu, value %lld: %.9g, expected %.9g within %.3g\n", what, layer, (long long)i,
                        (double)got[i], (double)expected[i], bound);
            fail();
        }
}

static void compare_layer(const struct plan_layer *layer, size_t number, const struct trial_state *got,
                          const struct trial_state *expected, const struct bounds *bounds, double rate)
{
    static const char *const names[] = {"first slot", "second slot"};
    const int64_t parts[2][2] = {{layer->weight, layer->weights}, {layer->bias_at, layer->biases}};
    for (size_t part = 0; part < 2; part++) {
        int64_t from = parts[part][0], count = parts[part][1];
        for (int64_t k = 0; k < got->slots; k++) {
            const float *slot = expected->slot + k * expected->parameters;
            double size = fmax(largest(slot + from, count), floor_share * largest(slot, expected->parameters));
            compare_values(names[k], number, got->slot + k * got->parameters + from, slot + from, count,
                           bounds->slot * size);
        }
        double size = largest(expected->parameter + from, count);
        compare_values("parameters", number, got->parameter + from, expected->parameter + from, count,
                       bounds->parameter * rate + 1.2e-7 * size);
    }
    if (layer->buffers)
        compare_values("running statistics", number, got->buffer + layer->buffer, expected->buffer + layer->buffer,
                       layer->buffers, 1e-5 * fmax(1, largest(expected->buffer + layer->buffer, layer->buffers)));
}

static void compare_step(struct gpu_pair *pair, struct trainer *gpu, struct trainer *cpu, const struct bounds *bounds)
{
    const struct plan *plan = &pair->gpu.hand.plan;
    struct trial_state before, got, expected;
    double loss, expected_loss;
    assert_ok(pair->gpu.backend->read_state(gpu, &before));
    assert_ok(cpu_backend.write_state(cpu, &before));
    training_losses(&pair->gpu, gpu, 1, &loss);
    training_losses(&pair->cpu, cpu, 1, &expected_loss);
    assert_near(loss, expected_loss, 1e-5, 1e-6);
    assert_ok(pair->gpu.backend->read_state(gpu, &got));
    assert_ok(cpu_backend.read_state(cpu, &expected));
    assert_int_equal(got.step, expected.step);
    double rate = recipe_learning_rate(&pair->gpu.recipe, before.step);
    for (size_t i = 0; i < plan->count; i++)
        compare_layer(&plan->layer[i], i, &got, &expected, bounds, rate);
    trial_state_clear(&before);
    trial_state_clear(&got);
    trial_state_clear(&expected);
}

/* Steps of 24, 24 and 5 images. */
static void compare_steps(struct gpu_pair *pair, int64_t steps, const struct bounds *bounds)
{
    gpu_pair_open(pair);
    struct trainer *gpu = training_trainer(&pair->gpu, 5), *cpu = training_trainer(&pair->cpu, 5);
    for (int64_t i = 0; i < steps; i++)
        compare_step(pair, gpu, cpu, bounds);
    pair->gpu.backend->destroy(gpu);
    cpu_backend.destroy(cpu);
}

/* ---- operators ---- */

static void plain_sgd(struct recipe *recipe)
{
    *recipe = (struct recipe){.optimizer = OPTIMIZER_SGD,
                              .learning_rate = 0.05,
                              .momentum = 0.5,
                              .batch_size = 24,
                              .epochs = 4,
                              .epoch_images = recipe->epoch_images};
}

static void check_network(gpu_layers *layers, int64_t channels, int64_t side, int64_t epoch_images)
{
    static const struct bounds bounds = {.slot = relative, .parameter = 1e-3};
    struct gpu_pair pair;
    gpu_pair_create(&pair, IMAGES, channels, side, layers);
    plain_sgd(&pair.gpu.recipe);
    pair.gpu.recipe.label_smoothing = 0.1;
    if (epoch_images)
        pair.gpu.recipe.epoch_images = epoch_images;
    compare_steps(&pair, 4, &bounds);
    gpu_pair_clear(&pair);
}

static void dense_layers(struct hand_plan *hand)
{
    hand_dense(hand, 17);
    hand_dense(hand, 1);
    hand_act(hand, ACT_SIGMOID);
    hand_dense(hand, TRAINING_CLASSES);
}

static void only_logits(struct hand_plan *hand)
{
    hand_flatten(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

static void dense_norm(struct hand_plan *hand)
{
    hand_dense(hand, 12);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, 9);
    hand_act(hand, ACT_TANH);
    hand_norm(hand);
    hand_dropout(hand, 0.3);
    hand_dense(hand, TRAINING_CLASSES);
}

static void dense_residual(struct hand_plan *hand)
{
    hand_dense(hand, 9);
    hand_act(hand, ACT_GELU); /* layer 1 */
    hand_dense(hand, 9);
    hand_act(hand, ACT_RELU);
    hand_join(hand, 1);
    hand_dropout(hand, 0.2);
    hand_dense(hand, TRAINING_CLASSES);
}

static void dense_works(void **state)
{
    (void)state;
    check_network(dense_layers, 2, 5, 0);
    check_network(only_logits, 3, 4, 0);
    check_network(dense_norm, 1, 6, 0);
    check_network(dense_residual, 1, 6, 0);
}

static void conv_pools(struct hand_plan *hand)
{
    hand_conv(hand, 6, 3, 1, 1, 1, true);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_conv(hand, 5, 5, 1, 2, 1, true);
    hand_act(hand, ACT_TANH);
    hand_pool(hand, OP_AVGPOOL, 2);
    hand_conv(hand, 7, 1, 1, 0, 1, true);
    hand_global(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

/* Groups, depthwise, stride, windows that overlap, no bias; the image read by a norm. */
static void conv_kinds(struct hand_plan *hand)
{
    hand_norm(hand);
    hand_conv(hand, 6, 3, 2, 1, 2, false);
    hand_norm(hand);
    hand_act(hand, ACT_SILU);
    hand_conv(hand, 6, 3, 1, 1, 6, true);
    hand_window(hand, OP_MAXPOOL, 6, 3, 1, 1);
    hand_window(hand, OP_AVGPOOL, 6, 3, 2, 1);
    hand_dropout(hand, 0.25);
    hand_flatten(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

/* An even kernel "same": one more row of padding below and to the right; layer 1 is read twice. */
static void conv_residual(struct hand_plan *hand)
{
    hand_conv(hand, 4, 3, 1, 1, 1, true);
    hand_act(hand, ACT_RELU); /* layer 1 */
    hand_conv(hand, 4, 2, 1, 0, 1, false);
    struct plan_layer *layer = &hand->layer[2];
    layer->pad_bottom = layer->pad_right = 1;
    layer->out = layer->in;
    hand_norm(hand);
    hand_join(hand, 1);
    hand_act(hand, ACT_RELU);
    hand_conv(hand, TRAINING_CLASSES, 3, 1, 0, 1, true);
    hand_global(hand);
}

static void convolutions_work(void **state)
{
    (void)state;
    check_network(conv_pools, 2, 8, 0);
    check_network(conv_kinds, 2, 9, 0);
    check_network(conv_residual, 1, 6, 0);
}

/* The last batch of an epoch is one image: batch norm behind a dense layer then sees a single value per channel. */
static void a_batch_of_one_image(void **state)
{
    (void)state;
    check_network(dense_norm, 1, 6, 25);
    check_network(conv_kinds, 2, 9, 25);
}

static enum activation_kind kind_at_hand;
static double slope_at_hand;

static void with_activation(struct hand_plan *hand)
{
    hand_dense(hand, 11);
    hand_act(hand, kind_at_hand);
    hand->layer[hand->plan.count - 1].slope = slope_at_hand;
    hand_dropout(hand, 0.2);
    hand_dense(hand, TRAINING_CLASSES);
}

static void with_activation_in_conv(struct hand_plan *hand)
{
    hand_conv(hand, 5, 3, 1, 1, 1, true);
    hand_act(hand, kind_at_hand);
    hand->layer[hand->plan.count - 1].slope = slope_at_hand;
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_norm(hand);
    hand_act(hand, kind_at_hand);
    hand_global(hand);
    hand_dense(hand, TRAINING_CLASSES);
}

static void activations_work(void **state)
{
    (void)state;
    for (int kind = 0; kind < ACT_KINDS; kind++) {
        kind_at_hand = (enum activation_kind)kind;
        slope_at_hand = 0.01;
        check_network(with_activation, 1, 5, 0);
        check_network(with_activation_in_conv, 1, 6, 0);
    }
    kind_at_hand = ACT_LEAKY_RELU;
    slope_at_hand = -0.2; /* its output does not show the sign of its input */
    check_network(with_activation, 1, 5, 0);
}

/* Images are moved, mirrored, erased; the pass counts (steps 4 and later are of the second one). */
static void augmentation_works(void **state)
{
    (void)state;
    static const struct bounds bounds = {.slot = relative, .parameter = 1e-3};
    struct gpu_pair pair;
    gpu_pair_create(&pair, IMAGES, 2, 7, only_logits);
    plain_sgd(&pair.gpu.recipe);
    pair.gpu.recipe.shift = 2;
    pair.gpu.recipe.erase = 3;
    pair.gpu.recipe.flip = 0.5;
    compare_steps(&pair, 6, &bounds);
    gpu_pair_clear(&pair);
}

/* ---- recipes ---- */

static void small_mlp(struct hand_plan *hand)
{
    hand_dense(hand, 10);
    hand_act(hand, ACT_TANH);
    hand_dense(hand, TRAINING_CLASSES);
}

/* Adam divides by the size of the gradient: with an epsilon of 1e-3, an error of 1e-6 of gradients of some tenths moves
 * a weight by some 1e-4 of the rate. */
static void check_recipe(const struct recipe *recipe, int64_t steps)
{
    static const struct bounds bounds = {.slot = relative, .parameter = 5e-3};
    struct gpu_pair pair;
    gpu_pair_create(&pair, IMAGES, 1, 5, small_mlp);
    int64_t epoch_images = pair.gpu.recipe.epoch_images;
    pair.gpu.recipe = *recipe;
    pair.gpu.recipe.batch_size = 24;
    pair.gpu.recipe.epochs = 4;
    pair.gpu.recipe.epoch_images = epoch_images;
    compare_steps(&pair, steps, &bounds);
    gpu_pair_clear(&pair);
}

static void optimizers_work(void **state)
{
    (void)state;
    static const struct recipe recipes[] = {
        {.optimizer = OPTIMIZER_SGD, .learning_rate = 0.1},
        {.optimizer = OPTIMIZER_SGD, .learning_rate = 0.1, .weight_decay = 0.05},
        {.optimizer = OPTIMIZER_SGD, .learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.05},
        {.optimizer = OPTIMIZER_SGD, .learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
        {.optimizer = OPTIMIZER_SGD, .learning_rate = 0.1, .momentum = 0.9, .clip_norm = 0.3},
        {.optimizer = OPTIMIZER_ADAM, .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3},
        {.optimizer = OPTIMIZER_ADAM,
         .learning_rate = 0.01,
         .beta1 = 0.8,
         .beta2 = 0.999,
         .epsilon = 1e-3,
         .weight_decay = 0.1,
         .clip_norm = 0.2},
        {.optimizer = OPTIMIZER_ADAMW,
         .learning_rate = 0.01,
         .beta1 = 0.9,
         .beta2 = 0.999,
         .epsilon = 1e-3,
         .weight_decay = 0.3},
    };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        check_recipe(&recipes[i], 5);
}

/* Rates over all twelve steps of the trial, with and without warm-up. */
static void schedules_work(void **state)
{
    (void)state;
    for (int schedule = SCHEDULE_CONSTANT; schedule <= SCHEDULE_ONECYCLE; schedule++)
        for (int warm = 0; warm < 2; warm++) {
            const struct recipe recipe = {.optimizer = OPTIMIZER_SGD,
                                          .learning_rate = 0.1,
                                          .momentum = 0.9,
                                          .schedule = (enum schedule_kind)schedule,
                                          .warmup_epochs = warm,
                                          .step_epochs = 1,
                                          .step_factor = 0.3,
                                          .final_rate = 0.05};
            check_recipe(&recipe, 12);
        }
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(dense_works),      cmocka_unit_test(convolutions_work),  cmocka_unit_test(a_batch_of_one_image),
    cmocka_unit_test(activations_work), cmocka_unit_test(augmentation_works), cmocka_unit_test(optimizers_work),
    cmocka_unit_test(schedules_work),
};

GPU_MAIN(cases)
