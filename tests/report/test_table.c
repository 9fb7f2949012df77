/* report/table: the three forms, what is unknown, what must be quoted, and what must fit. */
#include "support/test.h"

#include <jansson.h>

#include "report/table.h"
#include "report/terminal.h"

/* A table with every kind of column; row 2 knows nothing but its number. */
static struct table *example(void)
{
    struct table *table;
    assert_ok(table_create(&table));
    assert_ok(table_add_column(table, "trial", NULL, COLUMN_INT, 0, false));
    assert_ok(table_add_column(table, "val_accuracy", "accuracy", COLUMN_REAL, 4, false));
    assert_ok(table_add_column(table, "rate", NULL, COLUMN_REAL, -1, false));
    assert_ok(table_add_column(table, "cause", NULL, COLUMN_TEXT, 0, true));
    assert_ok(table_add_column(table, "network", NULL, COLUMN_TEXT, 0, false));
    table_limit_column(table, 1u << TABLE_TEXT | 1u << TABLE_JSON);
    assert_ok(table_add_row(table));
    assert_ok(table_set_int(table, 0, 7));
    assert_ok(table_set_real(table, 1, 0.95));
    assert_ok(table_set_real(table, 2, 1e-5));
    assert_ok(table_set_text(table, 3, "said \"no\", then\nstopped"));
    assert_ok(table_set_text(table, 4, "784-64-relu-10"));
    assert_ok(table_add_row(table));
    assert_ok(table_set_int(table, 0, 12));
    assert_ok(table_set_real(table, 1, NAN));
    assert_ok(table_add_row(table));
    assert_ok(table_set_int(table, 0, INT64_MAX));
    assert_ok(table_set_real(table, 2, INFINITY));
    assert_ok(table_set_text(table, 4,
                             "gr\xc3\xb6\xc3\x9f"
                             "er \xe7\xbd\x91\xe7\xbb\x9c bad\xff"));
    return table;
}

/* What is written into it until it is closed; the caller frees. */
struct memory_stream {
    FILE *stream;
    char *text;
    size_t length;
};

static void stream_open(struct memory_stream *memory)
{
    memory->stream = open_memstream(&memory->text, &memory->length);
    assert_non_null(memory->stream);
}

static char *written(const struct table *table, enum table_format format)
{
    struct memory_stream memory;
    stream_open(&memory);
    assert_ok(table_write(table, format, memory.stream));
    fclose(memory.stream);
    return memory.text;
}

static char *written_text(const struct table *table, size_t width, bool styled)
{
    struct memory_stream memory;
    stream_open(&memory);
    assert_ok(table_write_text(table, width, styled, memory.stream));
    fclose(memory.stream);
    return memory.text;
}

static void as_text(void **state)
{
    (void)state;
    struct table *table = example();
    char *text = written(table, TABLE_TEXT);
    assert_string_equal(text, "              trial  accuracy   rate  network\n"
                              "                  7    0.9500  1e-05  784-64-relu-10\n"
                              "                 12\n"
                              "9223372036854775807              inf  gr\xc3\xb6\xc3\x9f"
                              "er \xe7\xbd\x91\xe7\xbb\x9c "
                              "bad\xef\xbf\xbd\n");
    free(text);
    text = written_text(table, 0, true);
    assert_true(strstr(text, "\033[1m") == text && strstr(text, "\033[0m\n") != NULL);
    free(text);
    table_destroy(table);
}

static void as_text_in_few_columns(void **state)
{
    (void)state;
    struct table *table = example();
    char *text = written_text(table, 50, false);
    assert_string_equal(text, "              trial  accuracy   rate  network\n"
                              "                  7    0.9500  1e-05  784-64-relu\xe2\x80\xa6\n"
                              "                 12\n"
                              "9223372036854775807              inf  gr\xc3\xb6\xc3\x9f"
                              "er \xe7\xbd\x91\xe7\xbb\x9c\xe2\x80\xa6\n");
    free(text);
    table_destroy(table);
}

static void as_csv(void **state)
{
    (void)state;
    struct table *table = example();
    char *text = written(table, TABLE_CSV);
    assert_string_equal(text, "trial,val_accuracy,rate,cause\n"
                              "7,0.95,1e-05,\"said \"\"no\"\", then\nstopped\"\n"
                              "12,,,\n"
                              "9223372036854775807,,inf,\n");
    free(text);
    table_destroy(table);
}

static void as_json(void **state)
{
    (void)state;
    static const char *const keys[] = {"trial", "val_accuracy", "rate", "cause", "network"};
    struct table *table = example();
    char *text = written(table, TABLE_JSON);
    assert_non_null(strstr(text, "{\"trial\": 7, \"val_accuracy\": 0.95, \"rate\": 1e-05, \"cause\": \"said"));
    json_error_t error;
    json_t *array = json_loads(text, 0, &error), *object;
    assert_non_null(array);
    assert_int_equal(json_array_size(array), 3);
    object = json_array_get(array, 0);
    assert_true(json_is_integer(json_object_get(object, "trial")));
    assert_true(json_real_value(json_object_get(object, "rate")) == 1e-5);
    assert_string_equal(json_string_value(json_object_get(object, "cause")), "said \"no\", then\nstopped");
    size_t next = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) assert_string_equal(key, keys[next++]);
    assert_int_equal(next, 5);
    object = json_array_get(array, 1);
    assert_true(json_is_null(json_object_get(object, "val_accuracy")));
    assert_true(json_is_null(json_object_get(object, "network")));
    object = json_array_get(array, 2);
    assert_true(json_integer_value(json_object_get(object, "trial")) == INT64_MAX);
    assert_true(json_is_null(json_object_get(object, "rate"))); /* JSON has no infinity */
    json_decref(array);
    free(text);
    table_destroy(table);
}

static void empty(void **state)
{
    (void)state;
    struct table *table;
    assert_ok(table_create(&table));
    assert_ok(table_add_column(table, "trial", NULL, COLUMN_INT, 0, false));
    assert_ok(table_add_column(table, "state", NULL, COLUMN_TEXT, 0, false));
    static const char *const expected[] = {"trial  state\n", "trial,state\n", "[]\n"};
    for (enum table_format form = TABLE_TEXT; form <= TABLE_JSON; form++) {
        char *text = written(table, form);
        assert_string_equal(text, expected[form]);
        free(text);
    }
    table_destroy(table);
    table_destroy(NULL);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    struct table *table = example();
    assert_int_equal(table_set_text(table, 0, "x"), NR_INVALID);
    assert_int_equal(table_set_int(table, 9, 1), NR_INVALID);
    assert_int_equal(table_add_column(table, "late", NULL, COLUMN_INT, 0, false), NR_INVALID);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(table_write(table, TABLE_CSV, full), NR_IO);
    fclose(full);
    table_destroy(table);
}

static void numbers_read_back(void **state)
{
    (void)state;
    static const double values[] = {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0031, 123456789012345678.0};
    struct table *table;
    assert_ok(table_create(&table));
    assert_ok(table_add_column(table, "x", NULL, COLUMN_REAL, 2, false));
    for (size_t i = 0; i < 6; i++) {
        assert_ok(table_add_row(table));
        assert_ok(table_set_real(table, 0, values[i]));
    }
    char *csv = written(table, TABLE_CSV), *rest = strchr(csv, '\n');
    for (size_t i = 0; i < 6; i++) {
        assert_true(strtod(rest, &rest) == values[i]);
    }
    free(csv);
    table_destroy(table);
}

static void columns_of_text(void **state)
{
    (void)state;
    assert_int_equal(terminal_columns("abc"), 3);
    assert_int_equal(terminal_columns("e\xcc\x81"), 1);        /* a combining accent */
    assert_int_equal(terminal_columns("\xe7\xbd\x91"), 2);     /* East Asian */
    assert_int_equal(terminal_columns("\xf0\x9f\x98\x80"), 2); /* a picture */
    struct text text = {0};
    terminal_append_fit(&text, "a\tb\nc", 7, true);
    assert_string_equal(text.data, "  a b c");
    text_clear(&text);
    terminal_append_fit(&text, "abcdef", 1, false);
    assert_string_equal(text.data, "\xe2\x80\xa6");
    text_clear(&text);
    terminal_append_fit(&text, "abcdef", 0, false);
    assert_true(text.length == 0);
    terminal_append_valid(&text,
                          "\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe7\xbd"); /* overlong, surrogate, too large, cut */
    assert_string_equal(text.data, "\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
                                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd");
    text_clear(&text);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(as_text),
    cmocka_unit_test(as_text_in_few_columns),
    cmocka_unit_test(as_csv),
    cmocka_unit_test(as_json),
    cmocka_unit_test(empty),
    cmocka_unit_test(misuse_is_refused),
    cmocka_unit_test(numbers_read_back),
    cmocka_unit_test(columns_of_text),
};
TEST_MAIN(cases)
