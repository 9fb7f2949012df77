/* What may share one pass: readers counted through layers that are nothing. */
#include "support/test.h"

#include "train/fusion.h"

/* Layer i reads layer i - 1, the first the images; the last adds `skip`. */
static struct plan chain(struct plan_layer *layer, const enum operator_kind *kind, size_t count, int skip)
{
    for (size_t i = 0; i < count; i++)
        layer[i] = (struct plan_layer){.kind = kind[i], .input = (int)i - 1, .skip = PLAN_INPUT};
    if (layer[count - 1].kind == OP_ADD)
        layer[count - 1].skip = skip;
    return (struct plan){.layer = layer, .count = count};
}

static void dropout_is_nothing_in_evaluation(void **state)
{
    (void)state;
    static const enum operator_kind kinds[] = {OP_DROPOUT, OP_ACTIVATION, OP_DROPOUT, OP_MAXPOOL, OP_FLATTEN, OP_DENSE};
    struct plan_layer layers[6];
    struct plan plan = chain(layers, kinds, 6, 0);
    for (int training = 0; training < 2; training++) {
        struct fusion fusion;
        assert_int_equal(fusion_create(&plan, training, &fusion), NR_OK);
        assert_int_equal(fusion_alone(&fusion, 0), training); /* else it is the images */
        assert_true(fusion_alone(&fusion, 1));
        assert_false(fusion_alone(&fusion, PLAN_INPUT));
        assert_int_equal(fusion_follower(&fusion, 0, OP_ACTIVATION), 1);
        assert_int_equal(fusion_follower(&fusion, 0, OP_DENSE), NOBODY);
        assert_int_equal(fusion_follower(&fusion, 5, OP_DENSE), NOBODY);
        assert_int_equal(fusion_pool_behind(&fusion, 2), 3);
        assert_int_equal(fusion_pool_behind(&fusion, 1), NOBODY);
        fusion_clear(&fusion);
    }
}

/* activation -> flatten -> dense, and a sum that reads the activation too: it is read by two, and so is the flatten. */
static void readers_go_through_a_flatten(void **state)
{
    (void)state;
    static const enum operator_kind kinds[] = {OP_ACTIVATION, OP_FLATTEN, OP_DENSE, OP_ADD};
    struct plan_layer layers[4];
    struct plan plan = chain(layers, kinds, 4, 0);
    struct fusion fusion;
    assert_int_equal(fusion_create(&plan, true, &fusion), NR_OK);
    assert_false(fusion_alone(&fusion, 0));
    assert_false(fusion_alone(&fusion, 1));
    assert_true(fusion_alone(&fusion, 2));
    assert_int_equal(fusion_follower(&fusion, 1, OP_DENSE), NOBODY);
    fusion_clear(&fusion);
    layers[3].skip = 2; /* nobody else reads it any more */
    assert_int_equal(fusion_create(&plan, true, &fusion), NR_OK);
    assert_true(fusion_alone(&fusion, 0));
    assert_int_equal(fusion_follower(&fusion, 1, OP_DENSE), 2);
    fusion_clear(&fusion);
}

static void activations(void **state)
{
    (void)state;
    struct plan_layer layer = {.kind = OP_ACTIVATION, .activation = ACT_LEAKY_RELU, .slope = -0.1};
    assert_true(layer_needs_input(&layer));
    assert_false(layer_is_monotone(&layer));
    layer.slope = 0.1;
    assert_false(layer_needs_input(&layer));
    assert_true(layer_is_monotone(&layer));
    assert_false(layer_is_relu(&layer));
    layer.activation = ACT_GELU;
    assert_true(layer_needs_input(&layer));
    assert_false(layer_is_monotone(&layer));
    assert_false(layer_needs_input(NULL));
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(dropout_is_nothing_in_evaluation),
    cmocka_unit_test(readers_go_through_a_flatten),
    cmocka_unit_test(activations),
};

int main(int count, char **arguments)
{
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
