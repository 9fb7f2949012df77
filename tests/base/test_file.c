/* base/file, base/log, base/status: reading, replacing in one move, folders, digests, where messages go. */
#include "support/test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof *path, "%s/%s", test_folder(), name);
    return out;
}

static void reading(void **state)
{
    (void)state;
    struct log *log = test_log();
    char *content = NULL;
    size_t length = 0;
    assert_ok(file_replace(in_folder("a"), "x\0y\n", 4, false, log));
    assert_ok(file_read(in_folder("a"), log, &content, &length));
    assert_int_equal(length, 4);
    assert_memory_equal(content, "x\0y\n", 5); /* and a NUL behind */
    free(content);
    assert_ok(file_replace(in_folder("empty"), "", 0, false, log));
    assert_ok(file_read(in_folder("empty"), log, &content, NULL));
    assert_string_equal(content, "");
    free(content);

    content = NULL;
    length = 7;
    assert_int_equal(file_read(in_folder("missing"), log, &content, &length), NR_NOT_FOUND);
    test_log_has(log, "missing: cannot be read: No such file or directory");
    assert_int_equal(file_read(test_folder(), log, &content, &length), NR_IO);
    test_log_has(log, "reading failed: Is a directory");
    assert_true(!content && length == 7); /* written on success alone */
    log_destroy(log);
}

/* More than one chunk. */
static void long_files(void **state)
{
    (void)state;
    enum { LENGTH = 100001 };
    char *bytes = malloc(LENGTH), *content;
    size_t length;
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 31 % 251);
    assert_ok(file_replace(in_folder("long"), bytes, LENGTH, true, NULL));
    assert_ok(file_read(in_folder("long"), NULL, &content, &length));
    assert_int_equal(length, LENGTH);
    assert_memory_equal(content, bytes, LENGTH);
    free(content);
    free(bytes);
}

static int count_entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}

static void replacing(void **state)
{
    (void)state;
    struct log *log = test_log();
    char *content;
    assert_ok(file_make_folder(in_folder("r"), log));
    assert_ok(file_replace(in_folder("r/f"), "old and longer", 14, false, log));
    FILE *reader = fopen(in_folder("r/f"), "r"); /* who has it open keeps the old one */
    assert_ok(file_replace(in_folder("r/f"), "new", 3, true, log));
    char seen[32] = "";
    assert_non_null(fgets(seen, sizeof seen, reader));
    assert_string_equal(seen, "old and longer");
    fclose(reader);
    assert_ok(file_read(in_folder("r/f"), log, &content, NULL));
    assert_string_equal(content, "new");
    free(content);
    /* a failure leaves the old file, and nothing half written */
    assert_ok(file_make_folder(in_folder("r/full/x"), log));
    assert_int_equal(file_replace(in_folder("r/full"), "y", 1, false, log), NR_IO);
    test_log_has(log, "r/full: cannot be written: Is a directory");
    assert_int_equal(file_replace(in_folder("none/f"), "y", 1, false, log), NR_IO);
    test_log_has(log, "none/f: cannot be written: No such file or directory");
    assert_int_equal(count_entries(in_folder("r")), 2);
    log_destroy(log);
}

static void folders(void **state)
{
    (void)state;
    struct log *log = test_log();
    assert_ok(file_make_folder(in_folder("p/q/r"), log));
    assert_ok(file_make_folder(in_folder("p/q/r"), log)); /* again */
    assert_ok(file_make_folder(in_folder("p/q/s/"), log));
    assert_true(file_exists(in_folder("p/q/r")) && file_exists(in_folder("p/q/s")) && !file_exists(in_folder("p/r")));
    assert_ok(file_replace(in_folder("p/file"), "", 0, false, log));
    assert_int_equal(file_make_folder(in_folder("p/file/below"), log), NR_IO);
    test_log_has(log, "p/file/below: the folder cannot be made: Not a directory");
    assert_int_equal(file_make_folder(in_folder("p/file"), log), NR_IO); /* no folder, though it exists */
    test_log_has(log, "p/file: the folder cannot be made: Not a directory");
    assert_int_equal(file_make_folder("", log), NR_INVALID);
    test_log_has(log, "name is empty");
    log_destroy(log);
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *folder;
    } cases[] = {{"a/b.ini", "a"}, {"b.ini", "."}, {"/b.ini", "/"}, {"/a/b/c", "/a/b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = file_folder(cases[i].path);
        assert_string_equal(folder, cases[i].folder);
        free(folder);
    }
    char *joined = file_join("a", "b/c"), *absolute = file_join("a", "/b");
    assert_string_equal(joined, "a/b/c");
    assert_string_equal(absolute, "/b");
    free(joined);
    free(absolute);
}

/* Examples of FIPS 180-4's test vectors. */
static void digests(void **state)
{
    (void)state;
    char digest[FILE_DIGEST_SIZE];
    digest_bytes("", 0, digest);
    assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_bytes("abc", 3, digest);
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
    assert_string_equal(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void messages_go_where_they_should(void **state)
{
    (void)state;
    struct log *log;
    char *console = NULL, *file;
    size_t length;
    FILE *stream = open_memstream(&console, &length);
    assert_ok(log_create(stream, LOG_INFO, &log));
    assert_ok(log_add_file(log, in_folder("log")));
    log_keep_text(log);
    log_error(log, "bad %d", 1);
    log_warning(log, "odd");
    log_info(log, "so");
    log_debug(log, "detail");
    assert_string_equal(console, "nasrun: bad 1\nnasrun: warning: odd\nso\n"); /* up to its level */
    assert_string_equal(log_text(log), "bad 1\nodd\n");                      /* errors and warnings */
    log_clear_text(log);
    assert_string_equal(log_text(log), "");
    assert_int_equal(log_no_memory(log, "testing"), NR_NO_MEMORY);
    assert_string_equal(log_text(log), "out of memory while testing\n");
    assert_ok(file_read(in_folder("log"), NULL, &file, NULL)); /* everything, while the log is open */
    static const char *const expected[] = {" error   bad 1\n", " warning odd\n", " info    so\n", " debug   detail\n"};
    const char *at = file;
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(at = strstr(at, expected[i]));
        at += strlen(expected[i]);
    }
    free(file);
    assert_int_equal(log_add_file(log, in_folder("no/such")), NR_IO);
    test_log_has(log, "no/such: cannot be opened for writing");
    log_destroy(log);
    fclose(stream);
    free(console);
    log_error(NULL, "into the void");
    assert_string_equal(log_text(NULL), "");
    log_destroy(NULL);
}

/* A message of any length is cut, not overrun. */
static void long_messages(void **state)
{
    (void)state;
    struct log *log = test_log();
    char *message = malloc(10001);
    memset(message, 'x', 10000);
    message[10000] = '\0';
    log_error(log, "%s", message);
    size_t length = strlen(log_text(log));
    assert_true(length > 1000 && length < 10000 && log_text(log)[length - 1] == '\n');
    free(message);
    log_destroy(log);
}

static void statuses(void **state)
{
    (void)state;
    assert_string_equal(status_text(NR_OK), "ok");
    assert_string_equal(status_text(NR_NO_MEMORY), "out of memory");
    assert_non_null(status_text((nr_status)999)); /* never NULL */
    assert_int_equal(status_exit(NR_OK), 0);
    assert_int_equal(status_exit(NR_INVALID), 2);
    assert_int_equal(status_exit(NR_STORE), 3);
    assert_int_equal(status_exit(NR_EXHAUSTED), 0);
    assert_int_equal(status_exit(NR_NO_RESULT), 1);
    assert_int_equal(status_exit(NR_INTERRUPTED), 130);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(reading),       cmocka_unit_test(long_files),
        cmocka_unit_test(replacing),     cmocka_unit_test(folders),
        cmocka_unit_test(paths),         cmocka_unit_test(digests),
        cmocka_unit_test(long_messages), cmocka_unit_test(messages_go_where_they_should),
        cmocka_unit_test(statuses),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
