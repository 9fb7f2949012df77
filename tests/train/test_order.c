/* Orders are permutations, differ by pass, trial and seed, and are the same from wherever they are read. */
#include "support/test.h"

#include "train/order.h"

enum { COUNT = 97 };

static void share(uint32_t images[COUNT])
{
    for (uint32_t i = 0; i < COUNT; i++)
        images[i] = 3 * i + 5;
}

static void assert_permutation(const uint32_t *taken)
{
    bool seen[COUNT] = {false};
    for (int i = 0; i < COUNT; i++) {
        assert_true(taken[i] >= 5 && (taken[i] - 5) % 3 == 0 && (taken[i] - 5) / 3 < COUNT);
        assert_false(seen[(taken[i] - 5) / 3]);
        seen[(taken[i] - 5) / 3] = true;
    }
}

static void every_pass_is_another_permutation(void **state)
{
    (void)state;
    uint32_t images[COUNT], taken[3 * COUNT];
    struct order order;
    share(images);
    assert_ok(order_create(7, 3, images, COUNT, &order));
    order_take(&order, 0, 3 * COUNT, taken, NULL);
    for (int pass = 0; pass < 3; pass++)
        assert_permutation(taken + pass * COUNT);
    assert_memory_not_equal(taken, images, sizeof images);
    assert_memory_not_equal(taken, taken + COUNT, sizeof images);
    assert_memory_not_equal(taken + COUNT, taken + 2 * COUNT, sizeof images);
    order_clear(&order);
}

static void pieces_equal_the_whole(void **state)
{
    (void)state;
    enum { ALL = 5 * COUNT };
    uint32_t images[COUNT], whole[ALL], pieces[ALL], pass_of[ALL];
    struct order order;
    share(images);
    assert_ok(order_create(7, 3, images, COUNT, &order));
    order_take(&order, 0, ALL, whole, NULL);
    for (int64_t n = 1; n < 2 * COUNT; n += 13) { /* batches across the ends of passes */
        memset(pieces, 0xff, sizeof pieces);
        for (int64_t at = 0; at < ALL; at += n)
            order_take(&order, at, n < ALL - at ? n : ALL - at, pieces + at, pass_of + at);
        assert_memory_equal(pieces, whole, sizeof whole);
        for (uint32_t i = 0; i < ALL; i++)
            assert_int_equal(pass_of[i], i / COUNT);
    }
    order_clear(&order);
    assert_ok(order_create(7, 3, images, COUNT, &order)); /* a resumed trial starts in the middle */
    order_take(&order, 333, 50, pieces, NULL);
    assert_memory_equal(pieces, whole + 333, 50 * sizeof *whole);
    order_take(&order, 20, 50, pieces, NULL); /* and may go back */
    assert_memory_equal(pieces, whole + 20, 50 * sizeof *whole);
    order_clear(&order);
}

static void differs_by_seed_and_trial(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        uint32_t trial;
    } keys[] = {{1, 0}, {1, 1}, {2, 0}, {UINT64_C(1) << 40 | 1, 0}};
    uint32_t images[COUNT], taken[4][COUNT];
    share(images);
    for (int k = 0; k < 4; k++) {
        struct order order;
        assert_ok(order_create(keys[k].seed, keys[k].trial, images, COUNT, &order));
        order_take(&order, 0, COUNT, taken[k], NULL);
        order_clear(&order);
        for (int j = 0; j < k; j++)
            assert_memory_not_equal(taken[j], taken[k], sizeof images);
    }
}

static void one_image_is_enough(void **state)
{
    (void)state;
    uint32_t image = 9, taken[4] = {0};
    struct order order;
    assert_ok(order_create(1, 1, &image, 1, &order));
    order_take(&order, 10, 4, taken, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(taken[i], 9);
    order_clear(&order);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(every_pass_is_another_permutation),
    cmocka_unit_test(pieces_equal_the_whole),
    cmocka_unit_test(differs_by_seed_and_trial),
    cmocka_unit_test(one_image_is_enough),
};
TEST_MAIN(cases)
