/* base/text and base/rng. */
#include "support/test.h"

#include "base/rng.h"
#include "base/text.h"

static void numbers(void **state)
{
    (void)state;
    double real;
    int64_t whole;
    bool yes;
    assert_true(text_to_real(" 1e-4 ", &real) && real == 1e-4);
    assert_false(text_to_real("1e-4x", &real));
    assert_false(text_to_real("nan", &real));
    assert_false(text_to_real("0x10", &real));
    assert_false(text_to_real("1e999", &real));
    assert_false(text_to_real("", &real));
    assert_true(text_to_int("5e6", &whole) && whole == 5000000);
    assert_true(text_to_int("9223372036854775807", &whole) && whole == INT64_MAX);
    assert_false(text_to_int("9223372036854775808", &whole));
    assert_false(text_to_int("1.5", &whole));
    assert_true(text_to_bool("yes", &yes) && yes);
    assert_false(text_to_bool("maybe", &yes));
    assert_true(text_to_seconds("12m", &real) && real == 720);
    assert_true(text_to_seconds("1.5h", &real) && real == 5400);
    assert_false(text_to_seconds("-1s", &real));
    assert_false(text_to_seconds("12 parsecs", &real));
}

static void reals_round_trip(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.001, "0.001"}, {1e-5, "1e-05"}, {500, "500"}, {0.1 + 0.2, "0.30000000000000004"}, {-2.5, "-2.5"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = {0};
        text_append_real(&text, cases[i].value);
        assert_string_equal(text.data, cases[i].text);
        text_clear(&text);
    }
}

static void splitting(void **state)
{
    (void)state;
    char line[] = " a, f(b, c) ,\"d,e\",", *parts[4], *few[2];
    assert_int_equal(text_split(line, ',', parts, 4), 4);
    assert_string_equal(parts[0], "a");
    assert_string_equal(parts[1], "f(b, c)");
    assert_string_equal(parts[2], "\"d,e\"");
    assert_string_equal(parts[3], "");
    char more[] = "a,b,c";
    assert_int_equal(text_split(more, ',', few, 2), 3);
}

static void shell_words(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"runs/a-b_1.0", "runs/a-b_1.0"}, {"a b", "'a b'"}, {"", "''"}, {"it's", "'it'\\''s'"}, {"$x", "'$x'"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct text text = {0};
        text_append_shell(&text, words[i][0]);
        assert_string_equal(text.data, words[i][1]);
        text_clear(&text);
    }
}

static void nearest_names(void **state)
{
    (void)state;
    static const char *const names[] = {"learning_rate", "batch_size", "epochs"};
    assert_string_equal(text_nearest("lerning_rate", names, 3), "learning_rate");
    assert_string_equal(text_nearest("epoch", names, 3), "epochs");
    assert_null(text_nearest("colour", names, 3));
}

/* Known answers of Philox4x32-10 (Random123's kat_vectors): our counter layout maps onto them. */
static void philox_known_answers(void **state)
{
    (void)state;
    uint32_t words[4];
    random_block(0, 0, 0, 0, 0, 0, words);
    assert_int_equal(words[0], 0x6627e8d5);
    assert_int_equal(words[1], 0xe169c58d);
    assert_int_equal(words[2], 0xbc57ac4c);
    assert_int_equal(words[3], 0x9b00dbd8);
    random_block(0xffffffffffffffff, 0xffffffff, (enum random_purpose)0xff, 0xffffff, 0xffffffff, 0xffffffff, words);
    assert_int_equal(words[0], 0x408f276d);
    assert_int_equal(words[1], 0x41c83b0e);
    assert_int_equal(words[2], 0xa20bc7c6);
    assert_int_equal(words[3], 0x6d5451fd);
}

static void streams_repeat_and_differ(void **state)
{
    (void)state;
    struct rng a = rng_create(7, 3, RANDOM_TEST, 1, 2), b = rng_create(7, 3, RANDOM_TEST, 1, 2);
    struct rng c = rng_create(7, 3, RANDOM_TEST, 2, 2);
    bool differ = false;
    for (int i = 0; i < 100; i++) {
        uint32_t word = rng_word(&a);
        assert_int_equal(word, rng_word(&b));
        differ |= word != rng_word(&c);
    }
    assert_true(differ);
}

static void distributions(void **state)
{
    (void)state;
    enum { COUNT = 100000, BOUND = 7 };
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    double sum = 0, squares = 0;
    int histogram[BOUND] = {0};
    for (int i = 0; i < COUNT; i++) {
        double normal = rng_normal(&rng), unit = rng_unit(&rng);
        assert_true(unit >= 0 && unit < 1);
        sum += normal;
        squares += normal * normal;
        histogram[rng_below(&rng, BOUND)]++;
    }
    /* five standard errors: 5 / sqrt(1e5) = 0.016 for the mean, 5 sqrt(2 / 1e5) = 0.022 for the variance */
    assert_near(sum / COUNT, 0, 0, 0.016);
    assert_near(squares / COUNT, 1, 0, 0.022);
    for (int i = 0; i < BOUND; i++)
        assert_near(histogram[i], COUNT / (double)BOUND, 0, 5 * sqrt(COUNT / (double)BOUND));
}

static void shuffle_is_a_permutation(void **state)
{
    (void)state;
    uint32_t array[1000];
    bool seen[1000] = {false};
    for (uint32_t i = 0; i < 1000; i++)
        array[i] = i;
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 1, 0);
    rng_shuffle(&rng, array, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_false(seen[array[i]]);
        seen[array[i]] = true;
    }
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(reals_round_trip),
        cmocka_unit_test(splitting),
        cmocka_unit_test(shell_words),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_repeat_and_differ),
        cmocka_unit_test(distributions),
        cmocka_unit_test(shuffle_is_a_permutation),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
