/* What every test program includes: cmocka, and helpers that make comparisons able to fail. */
#ifndef NASRUN_TESTS_TEST_H
#define NASRUN_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/status.h"

/* main() of a test program: runs all cases, or those named on the command line ("*" is a wildcard). */
#define TEST_MAIN(cases)                                                                                               \
    int main(int count, char **arguments)                                                                              \
    {                                                                                                                  \
        return test_main(count, arguments, (cases), sizeof(cases) / sizeof *(cases));                                  \
    }
int test_main(int count, char **arguments, const struct CMUnitTest *cases, size_t cases_count);

#define assert_ok(status) assert_int_equal((status), NR_OK)

/* Fails when either is NaN (unless both are), or when |got - expected| > absolute + relative * |expected|. */
#define assert_near(got, expected, relative, absolute)                                                                 \
    test_assert_near((got), (expected), (relative), (absolute), #got, __FILE__, __LINE__)
void test_assert_near(double got, double expected, double relative, double absolute, const char *what, const char *file,
                      int line);

/* A log that keeps text; test_log_has() fails the test when the text lacks `expected`, and clears it. */
struct log *test_log(void);
void test_log_has(struct log *log, const char *expected);

/* Paths: of the source tree, of the program under test; a fresh folder that is removed at exit. */
const char *test_source(const char *relative); /* static buffers, eight of them in turn */
const char *test_program(void);
const char *test_folder(void);

/* Golden files: a CSV as numbers (empty or text cells are NaN), row-major; a .npy's data. Caller frees. */
struct test_csv {
    size_t rows, columns;
    char **header;
    char ***cell; /* [rows][columns] */
};
void test_csv_read(const char *relative, bool has_header, struct test_csv *out);
double test_csv_real(const struct test_csv *csv, size_t row, const char *column); /* NaN when empty */
const char *test_csv_text(const struct test_csv *csv, size_t row, const char *column);
void test_csv_clear(struct test_csv *csv);
/* The bytes after the 128-byte header; *bytes their number. */
void *test_npy_read(const char *relative, size_t *bytes);

/* Runs a shell command; returns the exit status, 128 + n for a signal, and its standard output and error (caller
 * frees). */
int test_run(const char *command, char **output, char **errors);

#endif
