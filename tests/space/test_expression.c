/* space/expression: precedence, functions, levels, unknown values, bad input. */
#include "support/test.h"

#include "base/text.h"
#include "space/expression.h"
#include "space/space.h"

/* a = 6, b = 4, rate = 0.5, kernel = 5 (level 1), size = medium (level 1), optimizer = sgd (0), second = adam (1),
 * norm = yes, off inactive, w[0] = 1, w[1] inactive, v = 2, 5, inactive */
enum { DIMENSIONS = 16 };

static void make_space(struct space *space)
{
    static const char *const declarations[][2] = {
        {"a", "int 0..9"},
        {"b", "int -9..9"},
        {"rate", "real 0..1"},
        {"kernel", "ordered 3, 5, 7"},
        {"size", "ordered small, medium, large"},
        {"optimizer", "choice sgd, adam, 3x3"},
        {"second", "choice adamw, adam"},
        {"norm", "bool"},
        {"off", "int 1..5 if a > 7"},
        {"layers", "int 1..2"},
        {"w[layers]", "int 1..9"},
        {"wide", "int 1..3"},
        {"v[wide]", "int 1..9"},
    };
    *space = (struct space){0};
    for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++)
        assert_ok(space_add(space, declarations[i][0], declarations[i][1], "test.ini", 1, NULL));
    assert_ok(space_complete(space, NULL));
    assert_int_equal(space->count, DIMENSIONS);
}

static double value_of(const struct space *space, const char *text)
{
    static const double point[DIMENSIONS] = {6, 4, 0.5, 1, 1, 0, 1, 1, NAN, 1, 1, NAN, 2, 2, 5, NAN};
    struct expression *expression = NULL;
    struct log *log = test_log();
    nr_status status = expression_parse(text, space, "test.ini:1", log, &expression);
    if (status != NR_OK)
        print_error("%s: %s", text, log_text(log));
    assert_ok(status);
    assert_string_equal(expression_text(expression), text);
    double value = expression_value(expression, point);
    expression_destroy(expression);
    log_destroy(log);
    return value;
}

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        /* precedence and direction */
        {"1 + 2 * 3", 7},
        {"(1 + 2) * 3", 9},
        {"10 - 3 - 2", 5},
        {"16 / 4 / 2", 2},
        {"7 % 4 * 2", 6},
        {"-2^2", -4},
        {"2^3^2", 512},
        {"2^-1", 0.5},
        {"2 * -3", -6},
        {"--3", 3},
        {"1 + 1 = 2", 1},
        {"1 = 1 and 2 = 3", 0},
        {"1 = 2 and 2 = 3 or 1 = 1", 1},
        {"1 = 1 or 1 = 1 and 1 = 2", 1},
        {"not 1 = 2", 1},
        {"not 1 = 1 or 1 = 1", 1},
        {"not not 1 = 1", 1},
        {"not (1 = 1 or 1 = 1)", 0},
        {"3 < 4", 1},
        {"3 >= 4", 0},
        {"3 != 4", 1},
        {"3 == 3", 1},
        {"1e-3 * 2", 2e-3},
        {".5 + 1.", 1.5},
        /* names */
        {"a", 6},
        {"$a - b", 2},
        {"784*a + a*b + b", 784 * 6 + 24 + 4},
        {"b <= a", 1},
        {"2 divides a", 1},
        {"b divides a", 0},
        {"0 divides a", NAN},
        {"a % b", 2},
        {"rate * 10", 5},
        {"w[0] + 1", 2},
        /* functions */
        {"min(a, b)", 4},
        {"max(a, b + 5)", 9},
        {"abs(b - a)", 2},
        {"sqrt(b)", 2},
        {"log2(2^a)", 6},
        {"log(exp(1))", 1},
        {"floor(rate) + ceil(rate) * 10 + round(rate) * 100", 110},
        {"min(max(1, 2), 3)", 2},
        /* folds: over the elements that exist */
        {"sum(v)", 7},
        {"sum(v * v + a) + b", 45},
        {"product(v)", 10},
        {"product(v + 1) - 1", 17},
        {"sum(if(v = 2, 100, v))", 105},
        {"sum(v * sum(w + v[0]))", 21},
        {"sum(1 / (v - 2))", 1.0 / 3},
        {"sum(w)", 1},
        {"sum(off * w)", 0},
        {"sum(v) <= 7 if wide = 2", 1},
        /* branches: only the one that is taken counts; an unknown condition does not hold */
        {"if(a > b, 10, 20)", 10},
        {"if(a < b, 10, 20)", 20},
        {"if(a > b, a, off)", 6},
        {"if(off > 1, off, b)", 4},
        {"if(optimizer = adam, 1, if(norm, 2, 3)) * 10", 20},
        {"if(a > b, off, 1)", NAN},
        {"b <= a if optimizer = sgd", 1},
        {"a <= b if optimizer = sgd", 0},
        {"a <= b if optimizer = adam", NAN},
        {"a <= b if off = 1", NAN},
        {"off <= b if optimizer = sgd", NAN},
        {"a + b if norm", 10},
        /* levels */
        {"kernel", 5},
        {"kernel * 2", 10},
        {"kernel = 5", 1},
        {"5 = kernel", 1},
        {"kernel > 3", 1},
        {"kernel < 4", 0},
        {"optimizer = sgd", 1},
        {"optimizer != sgd", 0},
        {"adam = optimizer", 0},
        {"optimizer = \"sgd\"", 1},
        {"optimizer = \"3x3\"", 0},
        {"optimizer = sgd and a > 3", 1},
        {"optimizer = second", 0},
        {"size >= medium", 1},
        {"size > medium", 0},
        {"small < size", 1},
        {"norm", 1},
        {"norm = yes", 1},
        {"norm = true", 1},
        {"norm != no", 1},
        {"not norm", 0},
        {"norm * a", 6},
        /* unknown */
        {"off", NAN},
        {"off > 3", NAN},
        {"1 = 1 or off > 3", NAN},
        {"1 = 2 and off > 3", NAN},
        {"w[1] = 3", NAN},
        {"1 / 0", NAN},
        {"log(-1)", NAN},
        {"sqrt(b - a) > 3", NAN},
        {"not (1 / 0 > 3)", NAN},
        {"10^400", NAN},
    };
    struct space space;
    make_space(&space);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        test_assert_near(value_of(&space, cases[i].text), cases[i].value, 1e-15, 0, cases[i].text, __FILE__, __LINE__);
    space_clear(&space);
}

/* Equal by the spelling of levels, whatever their places in the two lists. */
static void names_compare_by_spelling(void **state)
{
    (void)state;
    struct space space;
    struct expression *expression;
    make_space(&space);
    assert_ok(expression_parse("optimizer = second", &space, "here", NULL, &expression));
    double point[DIMENSIONS] = {[5] = 1, [6] = 1};
    assert_true(expression_value(expression, point) == 1); /* adam, adam */
    point[6] = 0;
    assert_true(expression_value(expression, point) == 0); /* adam, adamw */
    point[5] = 0;
    assert_true(expression_value(expression, point) == 0); /* sgd, adamw: both are level 0 */
    assert_true(expression_uses(expression, 5) && expression_uses(expression, 6) && !expression_uses(expression, 0));
    expression_destroy(expression);
    space_clear(&space);
}

static void bad(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "here: \"\" ends where a number, a name or \"(\" was expected"},
        {"1 +", "\"1 +\" ends where"},
        {"* 2", "has \"*\" where a number, a name or \"(\" was expected"},
        {"(1", "ends where \")\" was expected"},
        {"1)", "has \")\" where an operator or the end was expected"},
        {"1 2", "has \"2\" where an operator or the end was expected"},
        {"a and", "ends where"},
        {"a or or b", "has \"or\" where"},
        {"a = = b", "has \"=\" where"},
        {"a < b < 3", "comparisons do not chain"},
        {"a ! b", "has \"!\" where an operator or the end was expected"},
        {"a & b", "has \"&\" where an operator or the end was expected"},
        {"\"open", "has \"\"open\" where"},
        {"0x10 + a", "has \"0x10\" where"},
        {"3x + 1", "has \"3x\" where"},
        {"1e999", "has \"1e999\" where"},
        {"c + 1", "\"c\" is no parameter of [space]"},
        {"norn = yes", "\"norn\" is no parameter of [space]; did you mean \"norm\"?"},
        {"a = sgd", "\"sgd\" is no parameter of [space]"},
        {"a = \"sgd\"", "the text \"sgd\" can only be compared with a parameter"},
        {"\"sgd\"", "the text \"sgd\" can only be compared with a parameter"},
        {"sgd", "\"sgd\" is no parameter of [space]"},
        {"optimizer = rmsprop", "\"rmsprop\" is no level of \"optimizer\"; expected one of sgd, adam, 3x3"},
        {"optimizer < adam", "the levels of \"optimizer\" have no order; compare by = or !="},
        {"optimizer < second", "the levels of \"optimizer\" are no numbers"},
        {"optimizer = sgd + 1", "\"sgd\" is no parameter of [space]"},
        {"kernel = 4", "\"4\" is no level of \"kernel\"; expected one of 3, 5, 7"},
        {"-size", "the levels of \"size\" are no numbers; compare it with one of them, as in size = small"},
        {"size", "the levels of \"size\" are no numbers"},
        {"not optimizer", "the levels of \"optimizer\" are no numbers"},
        {"sqrt(optimizer)", "the levels of \"optimizer\" are no numbers"},
        {"w > 3", "\"w\" is a vector; name one of its elements, as in w[0]"},
        {"w[2] > 3", "\"w[2]\" is no parameter of [space]"},
        {"w[a] > 3", "has \"a\" where the number of an element was expected"},
        {"w[0 > 3", "has \">\" where \"]\" was expected"},
        {"sin(a)", "\"sin\" is no function; there are min, max"},
        {"min(a)", "has \")\" where \",\" was expected"},
        {"abs(a, b)", "has \",\" where \")\" was expected"},
        {"abs()", "has \")\" where a number"},
        {"sum(a)", "sum(...) names no vector; expected one, as in sum(width)"},
        {"product(w, w)", "has \",\" where \")\" was expected"},
        {"sum(w", "ends where \")\" was expected"},
        {"sum(w) + w", "\"w\" is a vector; name one of its elements, as in w[0], or sum(w)"},
        {"sum(sum(sum(sum(sum(sum(sum(sum(sum(sum(sum(sum(v))))))))))))", "names no vector"},
        {"sum(v+sum(v+sum(v+sum(v+sum(v+sum(v+sum(v+sum(v+sum(v+sum(v+sum(v))))))))))", "has too many terms"},
        {"sum(w * v)", "\"w\" has 2 elements, another vector beside it has more"},
        {"sum(size = w)", "the levels of \"size\" are no numbers"},
        {"if(a, 1)", "has \")\" where \",\" was expected"},
        {"if(a, size, 1)", "the levels of \"size\" are no numbers"},
        {"a < b if", "ends where a number"},
        {"a < b if a < 3 if b < 3", "has \"if\" where an operator or the end was expected"},
        {"(a < b if a < 3) or a = 1", "has \"if\" where \")\" was expected"},
        {"a < b if size", "the levels of \"size\" are no numbers"},
    };
    struct space space;
    struct log *log = test_log();
    make_space(&space);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expression *expression = NULL;
        if (expression_parse(cases[i][0], &space, "here", log, &expression) != NR_INVALID) {
            print_error("\"%s\" was taken\n", cases[i][0]);
            fail();
        }
        assert_null(expression);
        test_log_has(log, cases[i][1]);
    }
    log_destroy(log);
    space_clear(&space);
}

/* Neither the parser's stack nor the evaluator's is at the mercy of the text. */
static void depth_is_limited(void **state)
{
    (void)state;
    static const struct {
        const char *open, *middle, *close;
        int most; /* repeats that are still taken */
    } cases[] = {{"(", "a", ")", 90},    {"1 + (", "a", ")", 62}, {"-", "a", "", 400},
                 {"not ", "a", "", 400}, {"2^", "a", "", 60},     {"sum(v * ", "1", ")", 8}};
    struct space space;
    struct expression *expression;
    make_space(&space);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int deep = 0; deep < 2; deep++) {
            struct text text = {0};
            int repeats = deep ? 100000 : cases[i].most;
            for (int k = 0; k < repeats; k++)
                text_append(&text, cases[i].open);
            text_append(&text, cases[i].middle);
            for (int k = 0; k < repeats; k++)
                text_append(&text, cases[i].close);
            nr_status status = expression_parse(text.data, &space, "here", NULL, &expression);
            assert_int_equal(status, deep ? NR_INVALID : NR_OK);
            if (status == NR_OK)
                expression_destroy(expression);
            text_clear(&text);
        }
    }
    space_clear(&space);
}

static void normal_spelling(void **state)
{
    (void)state;
    struct text text = {0};
    expression_append_normal("  a<=b*2   and optimizer = \"3x3\" or$c!=min( 1,2 )", &text);
    assert_string_equal(text.data, "a <= b * 2 and optimizer = \"3x3\" or c != min ( 1 , 2 )");
    text_clear(&text);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(values),           cmocka_unit_test(names_compare_by_spelling), cmocka_unit_test(bad),
        cmocka_unit_test(depth_is_limited), cmocka_unit_test(normal_spelling),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
