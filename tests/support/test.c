#include "support/test.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

static char temporary[64];

static int remove_entry(const char *path, const struct stat *information, int kind, struct FTW *walk)
{
    (void)information;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_temporary(void)
{
    if (*temporary)
        nftw(temporary, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int test_main(int count, char **arguments, const struct CMUnitTest *cases, size_t cases_count)
{
    if (count < 2)
        return _cmocka_run_group_tests(arguments[0], cases, cases_count, NULL, NULL) != 0;
    int failed = 0;
    for (int i = 1; i < count; i++) {
        cmocka_set_test_filter(arguments[i]);
        failed += _cmocka_run_group_tests(arguments[0], cases, cases_count, NULL, NULL);
    }
    return failed != 0;
}

void test_assert_near(double got, double expected, double relative, double absolute, const char *what,
                      const char *file, int line)
{
    bool same = isnan(got) || isnan(expected) ? isnan(got) && isnan(expected)
                : isinf(got) || isinf(expected) ? got == expected
                                                : fabs(got - expected) <= absolute + relative * fabs(expected);
    if (same)
        return;
    print_error("%s is %.17g, expected %.17g within %.3g relative + %.3g absolute (off by %.3g)\n", what, got,
                expected, relative, absolute, got - expected);
    _fail(file, line);
}

struct log *test_log(void)
{
    struct log *log = NULL;
    assert_ok(log_create(NULL, LOG_ERROR, &log));
    log_keep_text(log);
    return log;
}

void test_log_has(struct log *log, const char *expected)
{
    if (!strstr(log_text(log), expected)) {
        print_error("the log lacks \"%s\"; it says:\n%s\n", expected, log_text(log));
        fail();
    }
    log_clear_text(log);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        print_error("%s is not set: run the tests with ctest, or set it\n", name);
        fail();
    }
    return value;
}

const char *test_source(const char *relative)
{
    static char paths[8][1024];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", environment("NASRUN_SOURCE"), relative);
    return path;
}

const char *test_program(void)
{
    return environment("NASRUN_PROGRAM");
}

const char *test_folder(void)
{
    if (!*temporary) {
        strcpy(temporary, "/tmp/nasrun-test-XXXXXX");
        assert_non_null(mkdtemp(temporary));
        atexit(remove_temporary);
    }
    return temporary;
}

void test_csv_read(const char *relative, bool has_header, struct test_csv *out)
{
    enum { MOST_COLUMNS = 256 };
    char *content, *parts[MOST_COLUMNS], *rest;
    assert_ok(file_read(test_source(relative), NULL, &content, NULL));
    *out = (struct test_csv){0};
    size_t capacity = 0;
    bool header = has_header;
    for (char *line = strtok_r(content, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        size_t columns = text_split(line, ',', parts, MOST_COLUMNS);
        assert_true(columns <= MOST_COLUMNS && (out->columns == 0 || columns == out->columns));
        out->columns = columns;
        char **row = calloc(columns, sizeof *row);
        for (size_t i = 0; i < columns; i++)
            row[i] = strdup(parts[i]);
        if (header) {
            out->header = row;
            header = false;
            continue;
        }
        if (out->rows == capacity)
            out->cell = realloc(out->cell, (capacity = capacity ? 2 * capacity : 64) * sizeof *out->cell);
        out->cell[out->rows++] = row;
    }
    free(content);
}

const char *test_csv_text(const struct test_csv *csv, size_t row, const char *column)
{
    assert_true(row < csv->rows);
    for (size_t i = 0; i < csv->columns; i++)
        if (!strcmp(csv->header[i], column))
            return csv->cell[row][i];
    print_error("the golden file has no column \"%s\"\n", column);
    fail();
    return NULL;
}

double test_csv_real(const struct test_csv *csv, size_t row, const char *column)
{
    const char *cell = test_csv_text(csv, row, column);
    char *end;
    double value = strtod(cell, &end); /* also inf and nan */
    return end == cell ? NAN : value;
}

static void clear_row(char **row, size_t columns)
{
    for (size_t i = 0; row && i < columns; i++)
        free(row[i]);
    free(row);
}

void test_csv_clear(struct test_csv *csv)
{
    clear_row(csv->header, csv->columns);
    for (size_t i = 0; i < csv->rows; i++)
        clear_row(csv->cell[i], csv->columns);
    free(csv->cell);
    *csv = (struct test_csv){0};
}

void *test_npy_read(const char *relative, size_t *bytes)
{
    enum { HEADER = 128 };
    char *content;
    size_t length;
    assert_ok(file_read(test_source(relative), NULL, &content, &length));
    assert_true(length >= HEADER && !memcmp(content, "\x93NUMPY", 6));
    memmove(content, content + HEADER, length - HEADER);
    *bytes = length - HEADER;
    return content;
}

int test_run(const char *command, char **output, char **errors)
{
    char out[128], err[128];
    struct text line = {0};
    snprintf(out, sizeof out, "%s/command.out", test_folder());
    snprintf(err, sizeof err, "%s/command.err", test_folder());
    text_format(&line, "{ %s\n} >%s 2>%s", command, out, err);
    int status = system(line.data);
    text_clear(&line);
    if (output)
        assert_ok(file_read(out, NULL, output, NULL));
    if (errors)
        assert_ok(file_read(err, NULL, errors, NULL));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
