/* Initial weights: their distribution, what they depend on, and what they do not. */
#include "support/test.h"

#include "train/backend.h"

static const char head[] = "[study]\nname = t\ntrials = 1\n[data]\ndataset = tiny\n[space]\n"
                           "rate = real 0..0.5\n[network]\n";
static const char tail[] = "[objectives]\nval_accuracy = maximize\n";

struct built {
    struct study *study;
    struct plan *plan;
    struct trial_state state;
};

static struct built build(const char *layers, uint64_t seed, uint32_t trial, enum initialisation_kind kind)
{
    struct built built;
    char text[1024];
    struct recipe recipe = {.initialisation = kind};
    snprintf(text, sizeof text, "%s%s%s", head, layers, tail);
    assert_ok(study_read_text(text, "t.ini", NULL, 0, NULL, &built.study));
    assert_ok(plan_build(built.study, (double[]){0.25}, (struct shape){3, 16, 16}, 10, NULL, &built.plan));
    assert_ok(trial_state_create(built.plan, 2, &built.state));
    for (int64_t i = 0; i < built.state.parameters; i++)
        built.state.parameter[i] = NAN;
    for (int64_t i = 0; i < built.state.buffers; i++)
        built.state.buffer[i] = NAN;
    for (int64_t i = 0; i < 2 * built.state.parameters; i++)
        built.state.slot[i] = NAN;
    built.state.step = 99;
    trial_state_initialise(&built.state, built.plan, &recipe, seed, trial);
    return built;
}

static void clear(struct built *built)
{
    trial_state_clear(&built->state);
    plan_destroy(built->plan);
    study_destroy(built->study);
}

static const char network[] =
    "layer = conv channels=64 kernel=5 padding=same\nlayer = batchnorm\n"
    "layer = activation kind=relu\nlayer = conv kernel=3 depthwise=yes\nlayer = maxpool size=2\n"
    "layer = dropout rate=$rate\nlayer = dense units=96 activation=relu\n"
    "layer = dense units=classes\n";

/* Mean 0 and the variance that the paper asks for; within 5 standard errors (a uniform variable's fourth moment gives
 * the relative standard error of its variance, sqrt(0.8 / n)), and no value beyond the bound. */
static void assert_uniform(const float *values, int64_t count, double variance)
{
    double sum = 0, squares = 0, bound = sqrt(3 * variance), largest = 0, n = (double)count;
    for (int64_t i = 0; i < count; i++) {
        double v = (double)values[i];
        assert_true(isfinite(v));
        sum += v;
        squares += v * v;
        largest = fmax(largest, fabs(v));
    }
    assert_near(sum / n, 0, 0, 5 * sqrt(variance / n));
    assert_near(squares / n, variance, 5 * sqrt(0.8 / n), 0);
    assert_true(largest <= bound * (1 + 1e-6) && largest > bound * (1 - 20 / n));
}

static void weights_have_the_variance_of_the_papers(void **state)
{
    (void)state;
    struct built he = build(network, 1, 1, INITIALISATION_HE);
    struct built xavier = build(network, 1, 1, INITIALISATION_XAVIER);
    struct built small = build(network, 1, 1, INITIALISATION_SMALL);
    const double fan_in[] = {75, 9, 3136, 96}, fan_out[] = {1600, 9, 96, 10};
    size_t k = 0;
    for (size_t i = 0; i < he.plan->count; i++) {
        const struct plan_layer *layer = &he.plan->layer[i];
        if (layer->kind != OP_DENSE && layer->kind != OP_CONV)
            continue;
        assert_uniform(he.state.parameter + layer->weight, layer->weights, 2 / fan_in[k]);
        assert_uniform(xavier.state.parameter + layer->weight, layer->weights, 2 / (fan_in[k] + fan_out[k]));
        assert_uniform(small.state.parameter + layer->weight, layer->weights, 1 / (3 * fan_in[k]));
        k++;
    }
    assert_int_equal(k, 4);
    clear(&he);
    clear(&xavier);
    clear(&small);
}

static void the_rest_starts_as_documented(void **state)
{
    (void)state;
    struct built built = build(network, 1, 1, INITIALISATION_HE);
    const struct trial_state *s = &built.state;
    assert_int_equal(s->step, 0);
    for (int64_t i = 0; i < 2 * s->parameters; i++)
        assert_true(s->slot[i] == 0);
    for (size_t i = 0; i < built.plan->count; i++) {
        const struct plan_layer *layer = &built.plan->layer[i];
        for (int64_t k = 0; k < layer->biases; k++)
            assert_true(s->parameter[layer->bias_at + k] == 0);
        if (layer->kind != OP_BATCHNORM)
            continue;
        for (int64_t k = 0; k < 64; k++) {
            assert_true(s->parameter[layer->weight + k] == 1);
            assert_true(s->buffer[layer->buffer + k] == 0);
            assert_true(s->buffer[layer->buffer + 64 + k] == 1);
        }
    }
    clear(&built);
}

static void depends_on_seed_and_trial_alone(void **state)
{
    (void)state;
    struct built one = build(network, 1, 1, INITIALISATION_HE), again = build(network, 1, 1, INITIALISATION_HE);
    struct built seed = build(network, 2, 1, INITIALISATION_HE), trial = build(network, 1, 2, INITIALISATION_HE);
    size_t bytes = (size_t)one.state.parameters * sizeof(float);
    assert_memory_equal(one.state.parameter, again.state.parameter, bytes);
    assert_memory_not_equal(one.state.parameter, seed.state.parameter, bytes);
    assert_memory_not_equal(one.state.parameter, trial.state.parameter, bytes);
    clear(&one);
    clear(&again);
    clear(&seed);
    clear(&trial);
}

/* A layer without weights in between changes nothing; two layers of one shape do not start alike. */
static void layers_draw_from_streams_of_their_own(void **state)
{
    (void)state;
    struct built plain = build(
        "layer = dense units=32\nlayer = dropout rate=$rate if=no\nlayer = dense units=32\nlayer = dense units=32\n"
        "layer = dense units=classes\n",
        1, 1, INITIALISATION_HE);
    struct built mixed = build("layer = dense units=32 activation=gelu\nlayer = dropout rate=$rate\n"
                               "layer = dense units=32 activation=gelu\nlayer = dense units=32\n"
                               "layer = dense units=classes\n",
                               1, 1, INITIALISATION_HE);
    assert_int_equal(plain.state.parameters, mixed.state.parameters);
    assert_memory_equal(plain.state.parameter, mixed.state.parameter, (size_t)plain.state.parameters * sizeof(float));
    assert_memory_not_equal(plain.state.parameter + plain.plan->layer[1].weight,
                            plain.state.parameter + plain.plan->layer[2].weight, 32 * 32 * sizeof(float));
    clear(&plain);
    clear(&mixed);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(weights_have_the_variance_of_the_papers),
    cmocka_unit_test(the_rest_starts_as_documented),
    cmocka_unit_test(depends_on_seed_and_trial_alone),
    cmocka_unit_test(layers_draw_from_streams_of_their_own),
};
TEST_MAIN(cases)
