/* space/config: lines, comments, sections, overrides; files that are no configuration. */
#include "support/test.h"

#include "base/file.h"
#include "base/text.h"
#include "space/config.h"

static void read_ok(const char *content, const char *const *overrides, size_t count, struct config *config)
{
    struct log *log = test_log();
    nr_status status = config_read_text(content, "test.ini", overrides, count, log, config);
    if (status != NR_OK)
        print_error("%s", log_text(log));
    assert_ok(status);
    log_destroy(log);
}

static void expect_entry(const struct config *config, size_t i, const char *section, const char *key, const char *value,
                         int line)
{
    assert_true(i < config->count);
    assert_string_equal(config->entry[i].section, section);
    assert_string_equal(config->entry[i].key, key);
    assert_string_equal(config->entry[i].value, value);
    assert_int_equal(config->entry[i].line, line);
}

static void lines(void **state)
{
    (void)state;
    struct config config;
    /* byte order mark, CR LF, tabs, indented keys (no continuations), comments, values with = and ; and # */
    read_ok("\xef\xbb\xbf[one]\r\n"
            "a = 1\r\n"
            "\r\n"
            "   b\t=  two words ; comment\n"
            "; whole line\n"
            "   # another\n"
            "\tc = x;y#z = 3\n"
            "[ block   two ] ; comment\n"
            "layer = dense units=$h\n"
            "layer = \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\n"
            "[one]\n"
            "d: 4\n"
            "e =;5 = 6;",
            NULL, 0, &config);
    assert_int_equal(config.count, 7);
    expect_entry(&config, 0, "one", "a", "1", 2);
    expect_entry(&config, 1, "one", "b", "two words", 4);
    expect_entry(&config, 2, "one", "c", "x;y#z = 3", 7);
    expect_entry(&config, 3, "block two", "layer", "dense units=$h", 9);
    expect_entry(&config, 4, "block two", "layer", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 10);
    expect_entry(&config, 5, "one", "d", "4", 12);
    expect_entry(&config, 6, "one", "e", ";5 = 6;", 13);
    assert_int_equal(config.sections, 3);
    assert_string_equal(config.section[1].name, "block two");
    assert_int_equal(config.section[1].line, 8);
    assert_string_equal(config.entry[0].file, "test.ini");
    config_clear(&config);
    assert_null(config.entry);
    config_clear(&config); /* twice is harmless */
}

static void long_lines(void **state)
{
    (void)state;
    struct config config;
    struct text content = {0};
    struct log *log = test_log();
    char value[CONFIG_LONGEST_LINE + 1];
    memset(value, 'x', sizeof value);
    /* the longest that is taken arrives whole; comments may be longer */
    text_format(&content, "[a]\n  k = %.*s  \r\n; ", CONFIG_LONGEST_LINE - 4, value);
    for (int i = 0; i < 1000; i++)
        text_append(&content, "a long comment ");
    text_append(&content, "\nz = 1\n");
    read_ok(content.data, NULL, 0, &config);
    assert_int_equal(strlen(config.entry[0].value), CONFIG_LONGEST_LINE - 4);
    expect_entry(&config, 1, "a", "z", "1", 4);
    config_clear(&config);
    text_clear(&content);

    text_format(&content, "[a]\n\nk = %.*s\n", CONFIG_LONGEST_LINE - 3, value);
    assert_int_equal(config_read_text(content.data, "test.ini", NULL, 0, log, &config), NR_INVALID);
    test_log_has(log, "test.ini:3: the line has 4001 characters; at most 4000 are allowed");
    text_clear(&content);

    text_format(&content, "[%.*s]\n", 60, value);
    assert_int_equal(config_read_text(content.data, "test.ini", NULL, 0, log, &config), NR_INVALID);
    test_log_has(log, "test.ini:1: the section's name is longer than 48 characters");
    text_clear(&content);
    log_destroy(log);
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {"[a]\nk = 1\0 2\n", 13, "x.ini:2: byte 0x00 is no text; a configuration is a text file in UTF-8"},
        {"[a]\n\x7f"
         "ELF",
         8, "x.ini:2: byte 0x7f is no text"},
        {"[a]\nk = \x1b[0m\n", 13, "x.ini:2: byte 0x1b is no text"},
        {"[a]\nk = \xe4\n", 10, "x.ini:2: byte 0xe4 is no text"},         /* Latin-1 */
        {"[a]\n; \xff\n", 8, "x.ini:2: byte 0xff is no text"},            /* in a comment, too */
        {"[a]\nk = \xc0\xaf\n", 11, "x.ini:2: byte 0xc0 is no text"},     /* overlong */
        {"[a]\nk = \xed\xa0\x80\n", 12, "x.ini:2: byte 0xed is no text"}, /* half of a surrogate pair */
        {"[a]\nk = \xf5\x80\x80\x80\n", 13, "x.ini:2: byte 0xf5 is no text"},
        {"[a]\nk = \xe2\x82", 10, "x.ini:2: byte 0xe2 is no text"}, /* cut off */
        {"[a]\rk = 1\r", 10, "x.ini:1: byte 0x0d is no text"},
        {"\xff\xfe[\0", 4, "x.ini:1: byte 0xff is no text"}, /* UTF-16 */
    };
    char path[256];
    struct log *log = test_log();
    snprintf(path, sizeof path, "%s/x.ini", test_folder());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config;
        assert_ok(file_replace(path, cases[i].bytes, cases[i].length, false, log));
        assert_int_equal(config_read(path, NULL, 0, log, &config), NR_INVALID);
        test_log_has(log, cases[i].expected);
    }
    log_destroy(log);
}

static void overrides(void **state)
{
    (void)state;
    static const char content[] = "[a]\nx = 1\ny = 2\n[constraints]\nparameters = <= 5\nz = 1\nparameters = >= 2\n";
    static const char *const changes[] = {" a . x = one = 1 ", "b.new=3", "constraints.parameters=<= 9", "a.y[n]=4"};
    struct config config;
    read_ok(content, changes, 4, &config);
    assert_int_equal(config.count, 6);
    expect_entry(&config, 0, "a", "x", "one = 1", 0);
    expect_entry(&config, 1, "a", "y", "2", 3);
    expect_entry(&config, 2, "constraints", "parameters", "<= 9", 0); /* both bounds are replaced */
    expect_entry(&config, 3, "constraints", "z", "1", 6);
    expect_entry(&config, 4, "b", "new", "3", 0);
    expect_entry(&config, 5, "a", "y[n]", "4", 0);
    assert_string_equal(config.entry[0].file, "--set");
    assert_string_equal(config.content, content);
    config_clear(&config);
}

/* The text of a configuration reads back as the same entries, those of overrides included. */
static void text_round_trip(void **state)
{
    (void)state;
    static const char *const changes[] = {"a.x=7", "b.k=8"};
    struct config config, again;
    struct text text = {0};
    read_ok("[a]\nx = 1 ; c\n[block q]\nlayer = r s=t\nlayer = u\n[a]\ny = 2\n", changes, 2, &config);
    config_append_text(&config, &text);
    assert_string_equal(text.data, "[a]\nx = 7\n\n[block q]\nlayer = r s=t\nlayer = u\n\n[a]\ny = 2\n\n[b]\nk = 8\n");
    read_ok(text.data, NULL, 0, &again);
    assert_int_equal(again.count, config.count);
    for (size_t i = 0; i < config.count; i++) {
        assert_string_equal(again.entry[i].section, config.entry[i].section);
        assert_string_equal(again.entry[i].key, config.entry[i].key);
        assert_string_equal(again.entry[i].value, config.entry[i].value);
    }
    text_clear(&text);
    config_clear(&config);
    config_clear(&again);
}

static void places(void **state)
{
    (void)state;
    struct text text = {0};
    struct log *log = test_log();
    config_append_place(&text, "a.ini", 12, "space", "h");
    text_append(&text, " ");
    config_append_place(&text, "--set", 0, "space", "h");
    text_append(&text, " ");
    config_append_place(&text, "a.ini", 3, "block b", NULL);
    assert_string_equal(text.data, "a.ini:12: [space] h --set space.h a.ini:3: [block b]");
    text_clear(&text);
    assert_int_equal(config_error(log, "a.ini", 1, "s", "k", "found %d", 7), NR_INVALID);
    test_log_has(log, "a.ini:1: [s] k: found 7\n");
    log_destroy(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(lines),     cmocka_unit_test(long_lines),      cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(overrides), cmocka_unit_test(text_round_trip), cmocka_unit_test(places),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
