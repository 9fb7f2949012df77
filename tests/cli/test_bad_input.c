/* Bad input gets one clear sentence, exit status 2, and nothing is written or changed. Each case changes small.ini by
 * overrides, or replaces a piece of it. */
#include "support/searching.h"

#include <dirent.h>

struct bad_case {
    const char *name;
    const char *from, *to; /* a piece of the configuration and its replacement; NULL: none */
    const char *arguments; /* besides small.ini */
    const char *says[3];   /* parts of the sentence */
};

static const struct bad_case cases_of_configuration[] = {
    {"unknown section", "[search]", "[serach]", "", {"serach", "search", "small.ini:"}},
    {"unknown key", "initial = 4", "inital = 4", "", {"inital", "initial", "small.ini:"}},
    {"unknown operator", "layer = dropout", "layer = dropuot", "", {"dropuot", "dropout", "small.ini:"}},
    {"unknown attribute", "units=$hidden", "unit=$hidden", "", {"unit", "units", "small.ini:"}},
    {"type", "trials = 7", "trials = seven", "", {"trials", "seven", "small.ini:3"}},
    {"no trials", "trials = 7", "trials = 0", "", {"trials", "0", "small.ini:3"}},
    {"seed", "seed = 5", "seed = -1", "", {"seed", "-1"}},
    {"reversed range", "int 8..64 log", "int 64..8 log", "", {"hidden", "64..8"}},
    {"log from 0", "real 1e-4..1e-2 log", "real 0..1e-2 log", "", {"learning_rate", "log"}},
    {"undefined name", "units=$hidden", "units=$hiden", "", {"hiden", "hidden"}},
    {"unused parameter", "epochs = int 2..4\n", "epochs = int 2..4\nspare = int 1..3\n", "", {"spare"}},
    {"duplicate name", "epochs = int 2..4\n", "epochs = int 2..4\nhidden = int 1..3\n", "", {"hidden"}},
    {"column name", "dropout = real 0..0.5", "state = real 0..0.5", "", {"state"}},
    {"range of a key", "batch_size = 16", "batch_size = 0", "", {"batch_size", "0"}},
    {"dimension beyond a key", "dropout = real 0..0.5", "dropout = real 0..1.5", "", {"dropout", "1.5"}},
    {"no feasible point", "[search]", "[constraints]\nparameters = <= 100\n[search]", "", {"no point", "parameters"}},
    {"contradiction", "[search]", "[constraints]\nsize = hidden < 4\n[search]", "", {"no point"}},
    {"impossible network",
     "layer = dense units=$hidden",
     "layer = conv channels=2 kernel=$hidden",
     "--set 'space.hidden=int 32..64'",
     {"no point", "kernel 32"}},
    {"not a classifier", "units=classes", "units=3", "", {"10"}},
    {"no such data", "dataset = tiny", "dataset = tinny", "", {"tinny"}},
    {"objective", "val_accuracy = maximize", "val_accurcy = maximize", "", {"val_accurcy", "val_accuracy"}},
    {"direction", "parameters = minimize", "parameters = shrink", "", {"shrink", "minimize"}},
    {"constraint by override",
     NULL,
     NULL,
     "--set 'constraints.parameters=<= 100'",
     {"for example: --set constraints.parameters is ", "more than 100"}},
    {"folder by override",
     NULL,
     NULL,
     "--set data.folder=nowhere",
     {"--set data.folder: \"nowhere\"", "no such folder"}},
    {"override too long for a line",
     NULL,
     NULL,
     "--set \"space.hidden=ordered $(seq -s , 10001 10700)\"",
     {"as recorded", "at most"}},
    {"override of nothing", NULL, NULL, "--set search.methud=bo", {"methud", "method"}},
    {"override without a section", NULL, NULL, "--set trials=3", {"trials=3"}},
    {"not a key = value", "[search]", "[search]\nwhat is this", "", {"small.ini:"}},
};

static void replace(const char *folder, const struct bad_case *bad)
{
    if (!bad->from)
        return;
    const char *at = strstr(searching_configuration, bad->from);
    if (!at) {
        print_error("%s: the configuration has no \"%s\"\n", bad->name, bad->from);
        fail();
    }
    struct text text = {0};
    text_append_bytes(&text, searching_configuration, (size_t)(at - searching_configuration));
    text_append(&text, bad->to);
    text_append(&text, at + strlen(bad->from));
    char *path = file_join(folder, "small.ini");
    assert_ok(file_replace(path, text.data, text.length, false, NULL));
    free(path);
    text_clear(&text);
}

static void expect_nothing_written(const char *folder, const char *name)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "small.ini") || !strcmp(entry->d_name, "out"))
            continue;
        print_error("%s: %s was written\n", name, entry->d_name);
        fail();
    }
    closedir(directory);
}

static bool expect_refused(const char *folder, const struct bad_case *bad)
{
    char arguments[512];
    bool good = true;
    snprintf(arguments, sizeof arguments, "small.ini %s", bad->arguments);
    int status = searching_run(folder, arguments);
    char *out = searching_read(folder, "out");
    for (size_t i = 0; i < 3 && bad->says[i]; i++)
        good = good && strstr(out, bad->says[i]);
    if (status != 2 || !good || !strstr(out, "nasrun: ") || strstr(out, "Sanitizer")) {
        print_error("%s: exit status %d, and it says:\n%s", bad->name, status, out);
        good = false;
    }
    free(out);
    return good;
}

static void configurations(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof cases_of_configuration / sizeof *cases_of_configuration; i++) {
        const char *folder = searching_folder("bad");
        replace(folder, &cases_of_configuration[i]);
        failures += !expect_refused(folder, &cases_of_configuration[i]);
        expect_nothing_written(folder, cases_of_configuration[i].name);
    }
    assert_int_equal(failures, 0);
}

static void commands_and_options(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *says;
        int status;
    } cases[] = {
        {"serch small.ini", "search", 2},
        {"missing.ini", "missing.ini", 2},
        {"small.ini other.ini", "usage", 2},
        {"status nowhere", "nowhere", 2},
        {"small.ini --frsh", "--fresh", 2},
        {"small.ini --out ''", "--out is empty", 2},
        {"small.ini --out=", "--out is empty", 2},
        {"status --fresh", "--fresh", 2},
        {"small.ini --set", "--set", 2},
        {"trials a b", "usage", 2},
        {"help", "CONFIG.ini", 0},
        {"--help", "CONFIG.ini", 0},
        {"-h", "CONFIG.ini", 0},
        {"help config", "learning_rate", 0},
        {"help pareto", "--json", 0},
        {"pareto --help", "--json", 0},
        {"help nonsense", "nonsense", 2},
        {"help bench", "bench optimise [PROBLEM...]", 0},
        {"help bench suggest", "--results N,...", 0},
        {"bench suggest -h", "--asks N", 0},
        {"help bench tain", "there is no command \"bench tain\" (did you mean bench train?)", 2},
        {"--version", "nasrun", 0},
        {"version", "SQLite", 0},
        {"", "CONFIG.ini", 0},
        {"status", "no study", 2},
        {"worker x", "by hand", 2},
    };
    const char *folder = searching_folder("usage");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = searching_run(folder, cases[i].arguments);
        char *out = searching_read(folder, "out");
        if (status != cases[i].status || !strstr(out, cases[i].says)) {
            print_error("nasrun %s: exit status %d, and it says:\n%s", cases[i].arguments, status, out);
            fail();
        }
        free(out);
    }
    expect_nothing_written(folder, "usage");
}

/* A study of another configuration is refused with the difference and left as it was. */
static void another_configuration(void **state)
{
    (void)state;
    const char *folder = searching_folder("another");
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=1"), 0);
    char *before = searching_read(folder, "runs/small/trials.csv");
    struct bad_case bad = {.name = "another",
                           .from = "real 0..0.5",
                           .to = "real 0..0.4",
                           .arguments = "",
                           .says = {"another configuration", "0..0.4", "--fresh"}};
    replace(folder, &bad);
    assert_true(expect_refused(folder, &bad));
    struct bad_case order = {.name = "order",
                             .from = "dropout = real 0..0.5\nepochs = int 2..4\n",
                             .to = "epochs = int 2..4\ndropout = real 0..0.5\n",
                             .arguments = "",
                             .says = {"in another order", "parameter 3 is epochs in small.ini, it was dropout"}};
    replace(folder, &order);
    assert_true(expect_refused(folder, &order));
    char *after = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(before, after);
    free(after);
    free(before);
}

/* What stands where a store should be is left alone, and is no failure of a device. */
static void no_store(void **state)
{
    (void)state;
    const char *folder = searching_folder("no_store");
    char *path = file_join(folder, "runs/small/study.db");
    assert_ok(file_make_folder(path, NULL));
    struct bad_case bad = {.name = "a folder as store", .arguments = "", .says = {"study.db", "is a folder"}};
    assert_true(expect_refused(folder, &bad));
    assert_int_equal(rmdir(path), 0);
    assert_ok(file_replace(path, "no database, but somebody's", 27, false, NULL));
    bad = (struct bad_case){.name = "garbage", .arguments = "", .says = {"study.db", "no SQLite database"}};
    assert_true(expect_refused(folder, &bad));
    free(path);
}

/* --fresh moves studies only: a mistyped --out does not take away what else lies there. */
static void fresh_in_another_folder(void **state)
{
    (void)state;
    const char *folder = searching_folder("fresh");
    char *path = file_join(folder, "mine/letter"), *mine = file_join(folder, "mine");
    assert_ok(file_make_folder(mine, NULL));
    assert_ok(file_replace(path, "dear", 4, false, NULL));
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=1 --out mine/ --fresh"), 0);
    assert_true(file_exists(path));
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=1 --out mine/ --fresh"), 0);
    assert_false(file_exists(path));
    free(mine);
    free(path);
}

static void unwritable_folder(void **state)
{
    (void)state;
    const char *folder = searching_folder("unwritable");
    struct bad_case bad = {
        .name = "a file where the folder should be", .arguments = "--out small.ini/x", .says = {"small.ini/x"}};
    assert_true(expect_refused(folder, &bad));
    expect_nothing_written(folder, bad.name);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(configurations),
        cmocka_unit_test(commands_and_options),
        cmocka_unit_test(another_configuration),
        cmocka_unit_test(unwritable_folder),
        cmocka_unit_test(no_store),
        cmocka_unit_test(fresh_in_another_folder),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
