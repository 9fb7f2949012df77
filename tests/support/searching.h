/* Searches of seconds on data/tiny for the tests of the driver: a folder with a configuration, the program run in it.
 */
#ifndef NASRUN_TESTS_SEARCHING_H
#define NASRUN_TESTS_SEARCHING_H

#include "support/test.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/store.h"

/* One worker: then the order of events, and with it every suggestion, is the same in every run. */
static const char searching_configuration[] = "[study]\nname = small\ntrials = 7\nseed = 5\n"
                                              "[data]\ndataset = tiny\nvalidation = 0.2\nepoch_images = 6000\n"
                                              "[space]\n"
                                              "hidden = int 8..64 log\n"
                                              "learning_rate = real 1e-4..1e-2 log\n"
                                              "dropout = real 0..0.5\n"
                                              "epochs = int 2..4\n"
                                              "[network]\n"
                                              "layer = dense units=$hidden activation=relu\n"
                                              "layer = dropout rate=$dropout\n"
                                              "layer = dense units=classes\n"
                                              "[training]\noptimizer = adam\nlearning_rate = $learning_rate\n"
                                              "batch_size = 16\nepochs = $epochs\n"
                                              "[objectives]\nval_accuracy = maximize\nparameters = minimize\n"
                                              "[search]\nmethod = bo\ninitial = 4\n"
                                              "[run]\nworkers = 1\ncheckpoints = 0\n";

/* A fresh folder NAME in the test's folder with small.ini in it; a static buffer. */
static inline const char *searching_folder(const char *name)
{
    static char folder[512];
    char *path;
    snprintf(folder, sizeof folder, "%s/%s", test_folder(), name);
    assert_ok(file_make_folder(folder, NULL));
    path = file_join(folder, "small.ini");
    assert_ok(file_replace(path, searching_configuration, strlen(searching_configuration), false, NULL));
    free(path);
    setenv("NASRUN_DATA", test_source("data"), 1);
    return folder;
}

/* Starts `nasrun ARGUMENTS` in the folder, its output in FOLDER/out; the process leads a group of its own, as under a
 * shell. */
static inline pid_t searching_start(const char *folder, const char *arguments)
{
    struct text line = {0};
    text_format(&line, "cd '%s' && exec '%s' %s >out 2>&1", folder, test_program(), arguments);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", line.data, (char *)NULL);
        _exit(127);
    }
    text_clear(&line);
    return process;
}

/* Whether it has; it is still to be waited for. */
static inline bool searching_has_ended(pid_t process)
{
    siginfo_t information = {0};
    assert_int_equal(waitid(P_PID, (id_t)process, &information, WEXITED | WNOHANG | WNOWAIT), 0);
    return information.si_pid == process;
}

/* The exit status, 128 + n for a signal. */
static inline int searching_wait(pid_t process)
{
    int status;
    assert_int_equal(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int searching_run(const char *folder, const char *arguments)
{
    return searching_wait(searching_start(folder, arguments));
}

/* A file in the folder, as a string; the caller frees. */
static inline char *searching_read(const char *folder, const char *name)
{
    char *content, *path = file_join(folder, name);
    assert_ok(file_read(path, NULL, &content, NULL));
    free(path);
    return content;
}

static inline void searching_pause(uint32_t milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000},
              NULL);
}

struct searching_sought {
    int64_t attempt;
    bool found;
};

static inline nr_status searching_find_running(void *context, const struct store_trial *trial)
{
    struct searching_sought *sought = context;
    sought->found |= trial->status == TRIAL_RUNNING && trial->attempt >= sought->attempt;
    return NR_OK;
}

/* Waits, however slow the machine, until a worker has a trial, at its given attempt or a later one; false when the
 * driver ended before. */
static inline bool searching_wait_for_training(pid_t driver, const char *folder, int64_t attempt)
{
    struct searching_sought sought = {.attempt = attempt};
    char *path = file_join(folder, "runs/small/study.db");
    while (!sought.found && !searching_has_ended(driver)) {
        struct store *store;
        searching_pause(3);
        if (store_open(path, true, NULL, &store) != NR_OK)
            continue;                      /* not made yet */
        if (store_holder(store) == driver) /* not what a killed one left */
            (void)!store_trials(store, searching_find_running, &sought);
        store_close(store);
    }
    free(path);
    return sought.found;
}

/* `nasrun ARGUMENTS` in the folder; its standard output (caller frees), the exit status checked. */
static inline char *searching_output(const char *folder, const char *arguments, int status)
{
    struct text line = {0};
    char *output, *errors;
    text_format(&line, "cd '%s' && '%s' %s", folder, test_program(), arguments);
    int got = test_run(line.data, &output, &errors);
    if (got != status) {
        print_error("nasrun %s: status %d, expected %d\n%s%s", arguments, got, status, output, errors);
        fail();
    }
    text_clear(&line);
    free(errors);
    return output;
}

/* All of `parts` stand in `output`, which is freed. */
static inline void searching_expect(char *output, const char *const *parts)
{
    for (; *parts; parts++) {
        if (!strstr(output, *parts)) {
            print_error("\"%s\" is not in\n%s", *parts, output);
            fail();
        }
    }
    free(output);
}

#endif
