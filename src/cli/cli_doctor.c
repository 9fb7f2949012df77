/* nasrun doctor: does what the engine stands on work here? One line per check; the exit status says whether all did. */
#include <cerf.h>
#include <inttypes.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "cli/cli.h"
#include "run/pool.h"
#include "run/selftest.h"
#include "store/store.h"
#include "train/backend.h"
#include "train/dataset.h"

struct check {
    const char *name;
    bool (*run)(struct log *log, struct text *found);
};

/* Philox4x32-10 of all zeros, from Random123's table of known answers. */
static bool check_random(struct log *log, struct text *found)
{
    uint32_t words[4];
    (void)log;
    random_block(0, 0, (enum random_purpose)0, 0, 0, 0, words);
    text_format(found, "Philox4x32-10 %08x %08x", words[0], words[1]);
    return words[0] == 0x6627e8d5 && words[1] == 0xe169c58d;
}

/* erfcx(10) to 16 digits (mpmath), where erfc and exp alone would lose everything. */
static bool check_special(struct log *log, struct text *found)
{
    double value = erfcx(10);
    (void)log;
    text_format(found, "erfcx(10) = %.16g", value);
    return fabs(value - 0.05614099274382258) < 1e-15;
}

/* A Hilbert matrix is nearly singular: its Cholesky factor shows a broken LAPACK at once. det = product of the squares.
 */
static bool check_lapack(struct log *log, struct text *found)
{
    enum { N = 6 };
    double matrix[N * N], determinant = 1;
    (void)log;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            matrix[i * N + j] = 1.0 / (i + j + 1);
    int status = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', N, matrix, N);
    for (int i = 0; i < N; i++)
        determinant *= matrix[i * N + i] * matrix[i * N + i];
    text_format(found, "Cholesky of a Hilbert matrix: det %.6g", determinant);
    return status == 0 && fabs(determinant / 5.3672998868168e-18 - 1) < 1e-6;
}

static bool check_device(struct log *log, struct text *found)
{
    struct device *device;
    if (cpu_backend.open(0, log, &device) != NR_OK)
        return false;
    cpu_backend.describe(device, found);
    text_format(found, "; %" PRId64 " workers by default", pool_automatic_size());
    cpu_backend.close(device);
    return true;
}

/* A network that has to learn: the engine's whole arithmetic in a fraction of a second. */
static bool check_training(struct log *log, struct text *found)
{
    double accuracy;
    if (selftest_training(&cpu_backend, 0, log, &accuracy) != NR_OK)
        return false;
    text_format(found, "a small network learns two made-up classes: accuracy %.3f", accuracy);
    return accuracy > 0.95;
}

static bool check_store(struct log *log, struct text *found)
{
    char folder[] = "/tmp/nasrun-doctor-XXXXXX";
    struct store *store = NULL;
    if (!mkdtemp(folder))
        return false;
    struct text path = {0};
    text_format(&path, "%s/study.db", folder);
    bool works = path.data && store_open(path.data, false, log, &store) == NR_OK;
    store_close(store);
    if (path.data)
        unlink(path.data);
    text_clear(&path);
    rmdir(folder);
    text_append(found, "SQLite store in /tmp");
    return works;
}

static void find_data(FILE *out, const char *name)
{
    struct dataset *dataset;
    struct log *log;
    char *folder;
    if (log_create(NULL, LOG_ERROR, &log) != NR_OK)
        return;
    log_keep_text(log);
    nr_status status = dataset_find(name, log, &folder);
    if (status == NR_OK) {
        status = dataset_read(name, folder, DATASET_TRAIN, log, &dataset);
        if (status == NR_OK) {
            fprintf(out, "  %-10s ok    %s: %" PRId64 " images in %s\n", "data", name, dataset->count, folder);
            dataset_destroy(dataset);
        }
        free(folder);
    }
    if (status == NR_NOT_FOUND)
        fprintf(out, "  %-10s -     %s is not here; `tools/get-data %s` gets it\n", "data", name, name);
    else if (status != NR_OK)
        fprintf(out, "  %-10s FAIL  %s: %s", "data", name, log_text(log));
    log_destroy(log);
}

nr_status command_doctor(struct cli *cli)
{
    static const struct check checks[] = {{"device", check_device},     {"random", check_random},
                                          {"special", check_special},   {"lapack", check_lapack},
                                          {"training", check_training}, {"store", check_store}};
    static const char *const sets[] = {"mnist", "fashion-mnist", "mnist-5k", "tiny"};
    int failed = 0;
    fprintf(cli->out, "nasrun %s\n", NASRUN_VERSION);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct text found = {0};
        bool works = checks[i].run(cli->log, &found);
        fprintf(cli->out, "  %-10s %s %s\n", checks[i].name, works ? "ok   " : "FAIL ", found.data ? found.data : "");
        failed += !works;
        text_clear(&found);
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        find_data(cli->out, sets[i]);
    if (failed)
        log_error(cli->log, "doctor: %d of %zu checks failed", failed, sizeof checks / sizeof *checks);
    return failed ? NR_DEVICE : NR_OK;
}
