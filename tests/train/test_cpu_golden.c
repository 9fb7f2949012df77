/* Whole trainings against PyTorch's (tests/golden/train), on every variant that this machine has. */
#include "support/test.h"

#include "train/cpu/engine.h"
#include "train/hand_plan.h"

enum { TEST_FROM = 80, TEST_IMAGES = 16, MOST_BATCH = 20 };

struct golden {
    const char *folder;
    int64_t side, classes;
    void (*layers)(struct hand_plan *hand);
    struct recipe recipe;
    /* ten times what PyTorch's own float32 run differs from its float64 run (float32_spread.csv) */
    double loss32, parameters32, logits32;
};

static void layers_a(struct hand_plan *hand)
{
    hand_dense(hand, 24);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, 16);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, 5);
}

static void layers_b(struct hand_plan *hand)
{
    hand_conv(hand, 4, 5, 1, 2, 1, true);
    hand_act(hand, ACT_SIGMOID);
    hand_pool(hand, OP_AVGPOOL, 2);
    hand_conv(hand, 6, 3, 1, 0, 1, true);
    hand_act(hand, ACT_TANH);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dense(hand, 12);
    hand_dense(hand, 10);
}

static void layers_c(struct hand_plan *hand)
{
    hand_conv(hand, 6, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_conv(hand, 6, 3, 1, 1, 6, false);
    hand_conv(hand, 8, 1, 1, 0, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_GELU);
    hand_global(hand);
    hand_dense(hand, 10);
}

static void layers_d(struct hand_plan *hand)
{
    hand_conv(hand, 6, 3, 2, 0, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_SILU); /* layer 2 */
    hand_conv(hand, 6, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_conv(hand, 6, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_join(hand, 2);
    hand_act(hand, ACT_RELU);
    hand_conv(hand, 8, 3, 2, 1, 1, true);
    hand_act(hand, ACT_SILU);
    hand_global(hand);
    hand_dense(hand, 10);
}

static void layers_e(struct hand_plan *hand)
{
    hand_dense(hand, 24);
    hand_act(hand, ACT_LEAKY_RELU);
    hand_dropout(hand, 0.3);
    hand_dense(hand, 16);
    hand_act(hand, ACT_LEAKY_RELU);
    hand_dropout(hand, 0.3);
    hand_dense(hand, 5);
}

static const struct golden goldens[] = {
    {"a_mlp_adam",
     8,
     5,
     layers_a,
     {.optimizer = OPTIMIZER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
     2.6e-6,
     2.2e-6,
     5.1e-6},
    {"b_lenet_nesterov",
     12,
     10,
     layers_b,
     {.optimizer = OPTIMIZER_SGD, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4},
     3.9e-6,
     1.8e-6,
     3.6e-6},
    {"c_separable_adamw",
     12,
     10,
     layers_c,
     {.optimizer = OPTIMIZER_ADAMW,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8,
      .weight_decay = 1e-2,
      .label_smoothing = 0.1},
     3.1e-6,
     7.6e-6,
     1.2e-5},
    {"d_residual_cosine",
     12,
     10,
     layers_d,
     {.optimizer = OPTIMIZER_SGD, .momentum = 0.9, .clip_norm = 1},
     2.0e-6,
     3.4e-6,
     4.9e-5},
    {"e_mlp_dropout", 8, 5, layers_e, {.optimizer = OPTIMIZER_SGD, .momentum = 0.9}, 2.7e-6, 2.2e-6, 1.2e-5},
};

struct run {
    const struct golden *golden;
    const struct cpu_engine *engine;
    struct hand_plan hand;
    struct recipe recipe;
    struct network *network;
    uint8_t *pixels;
    uint8_t labels[96];
    int32_t *batches; /* [steps][batch] */
    int64_t batch;
    struct test_csv steps;
    uint8_t *mask[2]; /* [steps][batch][units], or NULL */
    int64_t step;
    double loss_bound, parameter_bound, logit_bound;
};

static void *load(const struct golden *golden, const char *name, size_t *bytes)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/train/%s%s%s", golden ? golden->folder : "", golden ? "/" : "", name);
    return test_npy_read(path, bytes);
}

/* Golden dense weights are [out][in], the plan's [in][out]; else the order is the same. `back`: from the plan's. */
static void reorder(const struct plan *plan, const double *from, double *to, bool back)
{
    for (int64_t i = 0; i < plan->parameters; i++)
        to[i] = from[i];
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        int64_t outputs = layer->out.channels, inputs = layer->weights / outputs;
        for (int64_t e = 0; layer->kind == OP_DENSE && e < layer->weights; e++) {
            int64_t golden = layer->weight + e % outputs * inputs + e / outputs, ours = layer->weight + e;
            to[back ? golden : ours] = from[back ? ours : golden];
        }
    }
}

static double element(const struct run *run, enum network_vector which, int64_t i)
{
    const void *vector = run->engine->vector(run->network, which);
    return run->engine->precision == PRECISION_FLOAT64 ? ((const double *)vector)[i]
                                                       : (double)((const float *)vector)[i];
}

static void compare(const struct run *run, enum network_vector which, const char *file, double bound)
{
    const struct plan *plan = &run->hand.plan;
    size_t bytes, size = (size_t)plan->parameters * sizeof(double);
    double *expected = load(run->golden, file, &bytes), *ours = malloc(size), *got = malloc(size);
    assert_int_equal(bytes, size);
    for (int64_t i = 0; i < plan->parameters; i++)
        ours[i] = element(run, which, i);
    reorder(plan, ours, got, true);
    for (int64_t i = 0; i < plan->parameters; i++)
        assert_near(got[i], expected[i], 0, bound);
    free(expected);
    free(ours);
    free(got);
}

static void start(struct run *run)
{
    static const float mean[1] = {0}, deviation[1] = {1};
    const struct golden *golden = run->golden;
    size_t bytes;
    hand_begin(&run->hand, 1, golden->side, golden->classes);
    golden->layers(&run->hand);
    run->recipe = golden->recipe;
    run->recipe.batch_size = run->batch;
    run->recipe.epoch_images = 96;
    const struct network_setup setup = {
        .plan = &run->hand.plan, .recipe = &run->recipe, .mean = mean, .deviation = deviation};
    assert_ok(run->engine->create(&setup, &run->network));
    double *initial = load(golden, "params_init.npy", &bytes);
    assert_int_equal(bytes, (size_t)run->hand.plan.parameters * sizeof(double));
    double *ours = malloc(bytes);
    reorder(&run->hand.plan, initial, ours, false);
    struct trial_state state;
    assert_ok(trial_state_create(&run->hand.plan, recipe_optimizer_slots(&run->recipe), &state));
    trial_state_initialise(&state, &run->hand.plan, &run->recipe, 0, 0);
    for (int64_t i = 0; i < state.parameters; i++)
        state.parameter[i] = (float)ours[i]; /* every value is exactly a float */
    run->engine->write(run->network, &state);
    trial_state_clear(&state);
    free(initial);
    free(ours);
}

static const uint8_t *masks(void *context, uint32_t stream)
{
    const struct run *run = context;
    static const int64_t units[2] = {24, 16};
    return run->mask[stream] + run->step * run->batch * units[stream];
}

static void train_step(struct run *run)
{
    uint32_t image[MOST_BATCH];
    int64_t count = 0;
    size_t row = (size_t)run->step;
    for (const int32_t *index = run->batches + run->step * run->batch; count < run->batch && index[count] >= 0; count++)
        image[count] = (uint32_t)index[count];
    assert_int_equal(count, (int64_t)test_csv_real(&run->steps, row, "count"));
    const struct batch batch = {.pixels = run->pixels,
                                .labels = run->labels,
                                .image = image,
                                .count = count,
                                .gradient_scale = 1.0 / (double)count,
                                .step = run->step,
                                .masks = run->mask[0] ? masks : NULL,
                                .masks_context = run};
    double loss = run->engine->gradient(run->network, &batch) / (double)count;
    assert_near(loss, test_csv_real(&run->steps, row, "loss"), 0, run->loss_bound);
    if (run->step == 0)
        compare(run, NETWORK_GRADIENTS, "grad_step0.npy", run->parameter_bound);
    double norm = run->engine->update(run->network, test_csv_real(&run->steps, row, "lr"), run->step);
    assert_near(norm, test_csv_real(&run->steps, row, "grad_norm"), 10 * run->loss_bound, 0);
    if (run->step == 0)
        compare(run, NETWORK_PARAMETERS, "params_step1.npy", run->parameter_bound);
}

/* Ten times what PyTorch's own float32 run differs. */
static double buffer_bound(const struct run *run, const struct test_csv *csv, const char *column)
{
    double most = 0;
    char single[32];
    snprintf(single, sizeof single, "%s_f32", column);
    for (size_t row = 0; row < csv->rows; row++)
        most = fmax(most, fabs(test_csv_real(csv, row, single) - test_csv_real(csv, row, column)));
    return run->engine->precision == PRECISION_FLOAT64 ? 1e-11 : 10 * most;
}

/* Running means and variances. */
static void compare_buffers(const struct run *run)
{
    static const char *const columns[] = {"running_mean", "running_var"};
    char path[256];
    struct test_csv csv;
    snprintf(path, sizeof path, "tests/golden/train/%s/bn_running.csv", run->golden->folder);
    test_csv_read(path, true, &csv);
    for (int64_t part = 0; part < 2; part++) {
        double bound = buffer_bound(run, &csv, columns[part]);
        size_t row = 0;
        for (size_t i = 0; i < run->hand.plan.count; i++) {
            const struct plan_layer *layer = &run->hand.layer[i];
            for (int64_t j = 0; j < layer->buffers / 2; j++, row++)
                assert_near(element(run, NETWORK_BUFFERS, layer->buffer + part * layer->buffers / 2 + j),
                            test_csv_real(&csv, row, columns[part]), 0, bound);
        }
        assert_int_equal(row, csv.rows);
    }
    test_csv_clear(&csv);
}

static void finish(struct run *run)
{
    uint32_t image[TEST_IMAGES];
    double logits[TEST_IMAGES * 10];
    struct evaluation evaluation = {0};
    size_t bytes;
    for (uint32_t i = 0; i < TEST_IMAGES; i++)
        image[i] = TEST_FROM + i;
    compare(run, NETWORK_PARAMETERS, "params_final.npy", run->parameter_bound);
    const struct batch batch = {.pixels = run->pixels, .labels = run->labels, .image = image, .count = TEST_IMAGES};
    run->engine->evaluate(run->network, &batch, &evaluation, logits);
    assert_int_equal(evaluation.images, TEST_IMAGES);
    double *expected = load(run->golden, "logits.npy", &bytes);
    assert_int_equal(bytes, (size_t)(TEST_IMAGES * run->golden->classes) * sizeof(double));
    for (int64_t i = 0; i < TEST_IMAGES * run->golden->classes; i++)
        assert_near(logits[i], expected[i], 0, run->logit_bound);
    free(expected);
    if (run->hand.plan.buffers > 0)
        compare_buffers(run);
}

static void replay(const struct golden *golden, const struct cpu_engine *engine)
{
    struct run run = {.golden = golden, .engine = engine};
    size_t bytes;
    char path[256];
    bool precise = engine->precision == PRECISION_FLOAT64;
    run.loss_bound = precise ? 1e-11 : golden->loss32;
    run.parameter_bound = precise ? 1e-11 : golden->parameters32;
    run.logit_bound = precise ? 1e-10 : golden->logits32;
    run.pixels = load(NULL, golden->side == 8 ? "images8.npy" : "images12.npy", &bytes);
    int32_t *labels = load(NULL, golden->side == 8 ? "labels8.npy" : "labels12.npy", &bytes);
    for (int i = 0; i < 96; i++)
        run.labels[i] = (uint8_t)labels[i];
    snprintf(path, sizeof path, "tests/golden/train/%s/steps.csv", golden->folder);
    test_csv_read(path, true, &run.steps);
    run.batches = load(golden, "batches.npy", &bytes);
    run.batch = (int64_t)(bytes / sizeof(int32_t) / run.steps.rows);
    if (golden->layers == layers_e) {
        run.mask[0] = load(golden, "mask1.npy", &bytes);
        run.mask[1] = load(golden, "mask2.npy", &bytes);
    }
    start(&run);
    for (run.step = 0; run.step < (int64_t)run.steps.rows; run.step++)
        train_step(&run);
    finish(&run);
    engine->destroy(run.network);
    free(run.pixels);
    free(labels);
    free(run.batches);
    free(run.mask[0]);
    free(run.mask[1]);
    test_csv_clear(&run.steps);
}

static void replay_named(const char *variant)
{
    size_t count;
    const struct cpu_engine *const *engines = cpu_engines(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(engines[i]->name, variant))
            continue;
        if (!engines[i]->supported())
            skip();
        for (size_t j = 0; j < sizeof goldens / sizeof *goldens; j++) {
            print_message("%s %s\n", variant, goldens[j].folder);
            replay(&goldens[j], engines[i]);
        }
        return;
    }
    skip(); /* another architecture */
}

static void golden_precise(void **state)
{
    (void)state;
    replay_named("precise");
}

static void golden_avx512(void **state)
{
    (void)state;
    replay_named("avx512");
}

static void golden_avx2(void **state)
{
    (void)state;
    replay_named("avx2");
}

static void golden_plain(void **state)
{
    (void)state;
    replay_named("plain");
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(golden_precise),
        cmocka_unit_test(golden_avx512),
        cmocka_unit_test(golden_avx2),
        cmocka_unit_test(golden_plain),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
