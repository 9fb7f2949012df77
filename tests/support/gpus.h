/* The pretended GPUs of tests/train/modules/fake_gpus.c, for searches of tests: which there are, and what fails. */
#ifndef NASRUN_TESTS_GPUS_H
#define NASRUN_TESTS_GPUS_H

#include "support/searching.h"

/* So many devices from now on, nothing else set. */
static inline void gpus_pretend(const char *devices)
{
    static const char *const unset[] = {"NASRUN_FAKE_NONE",       "NASRUN_FAKE_PROBLEM", "NASRUN_FAKE_BF16",
                                        "NASRUN_FAKE_MEMORY",     "NASRUN_FAKE_SILENT",  "NASRUN_FAKE_PLANT",
                                        "NASRUN_FAKE_UNDERSTATE", "CUDA_VISIBLE_DEVICES"};
    char path[512];
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++)
        unsetenv(unset[i]);
    snprintf(path, sizeof path, "%s/fake_gpus.so", getenv("NASRUN_MODULES"));
    setenv("NASRUN_CUDA_MODULE", path, 1);
    setenv("NASRUN_FAKE_DEVICES", devices, 1);
}

/* A failure of KIND before that step of the trial (0: any), once: FOLDER/failed is made then. */
static inline void gpus_plant_once(const char *folder, const char *kind, int trial, int step, int rank)
{
    char text[600];
    int length = snprintf(text, sizeof text, "%s/failed", folder);
    unlink(text); /* of an earlier one */
    assert_true(length < 512);
    snprintf(text, sizeof text, "%s %d %d %d %.512s/failed", kind, trial, step, rank, folder);
    setenv("NASRUN_FAKE_PLANT", text, 1);
}

/* Random search: its suggestions do not depend on the order in which trials end. */
static const char gpus_search_base[] = "small.ini --quiet --set search.method=random --set study.trials=10";

/* trials.csv of a search with these options in a fresh folder NAME; the environment is as it stands. */
static inline char *gpus_search(const char *name, const char *options)
{
    char arguments[512], folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder(name));
    snprintf(arguments, sizeof arguments, "%s --fresh %s", gpus_search_base, options);
    int status = searching_run(folder, arguments);
    if (status != 0) {
        char *out = searching_read(folder, "out"), *log = searching_read(folder, "runs/small/nasrun.log");
        fail_msg("%s: exit status %d:\n%s\n%s", options, status, out, log);
    }
    return searching_read(folder, "runs/small/trials.csv");
}

static inline char *gpus_log_of(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/runs/small/nasrun.log", name);
    return searching_read(test_folder(), path);
}

static inline void gpus_expect_logged(const char *name, const char *line)
{
    char *log = gpus_log_of(name);
    if (!strstr(log, line))
        fail_msg("expected \"%s\" in\n%s", line, log);
    free(log);
}

static inline void gpus_expect_not_logged(const char *name, const char *line)
{
    char *log = gpus_log_of(name);
    if (strstr(log, line))
        fail_msg("did not expect \"%s\" in\n%s", line, log);
    free(log);
}

#endif
