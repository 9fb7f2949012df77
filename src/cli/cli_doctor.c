/* nasrun doctor: does what the engine stands on work here? One line per check; the exit status says whether all did.
 * What is not here, a data set or a GPU, is "-" and no failure; a GPU that is here and does not work is one. */
#include <cerf.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "cli/cli.h"
#include "optim/linear.h"
#include "report/table.h"
#include "run/pool.h"
#include "run/probe.h"
#include "run/selftest.h"
#include "store/store.h"
#include "train/backends.h"
#include "train/dataset.h"

static const char ok[] = "ok", absent[] = "-", failed[] = "FAIL";

/* What was found so far: text is printed as it comes, data at the end. */
struct findings {
    struct cli *cli;
    struct table *table;
    int checks, failures;
    nr_status status; /* of the table */
};

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

/* A Hilbert matrix is nearly singular: its Cholesky factor shows a miscompiled loop at once. det = product of the
 * squares. */
static bool check_linear(struct log *log, struct text *found)
{
    enum { N = 6 };
    double matrix[N * N], determinant = 1;
    (void)log;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            matrix[i * N + j] = 1.0 / (i + j + 1);
    bool factored = linear_cholesky((struct linear_matrix){matrix, N}, N);
    for (int i = 0; i < N; i++)
        determinant *= matrix[i * N + i] * matrix[i * N + i];
    text_format(found, "Cholesky of a Hilbert matrix: det %.6g", determinant);
    return factored && fabs(determinant / 5.3672998868168e-18 - 1) < 1e-6;
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

static void report(struct findings *findings, const char *name, const char *state, const char *found)
{
    struct table *table = findings->table;
    findings->checks++;
    findings->failures += state == failed;
    if (findings->cli->format == TABLE_TEXT) {
        fprintf(findings->cli->out, "  %-10s %-5s %s\n", name, state, found);
        fflush(findings->cli->out); /* the next check may take seconds */
        return;
    }
    const char *const cells[] = {name, state, found};
    if (findings->status == NR_OK)
        findings->status = table_add_row(table);
    for (size_t i = 0; i < 3 && findings->status == NR_OK; i++)
        findings->status = table_set_text(table, i, cells[i]);
}

/* Reports a text, which is cleared. */
static void report_text(struct findings *findings, const char *name, const char *state, struct text *found)
{
    report(findings, name, state, found->data ? text_trim(found->data) : "");
    text_clear(found);
}

static void find_data(struct findings *findings, const char *name)
{
    struct dataset *dataset;
    struct text found = {0};
    char *folder;
    const char *state = failed;
    struct log *log;
    if (log_create(NULL, LOG_ERROR, &log) != NR_OK)
        return;
    log_keep_text(log);
    nr_status status = dataset_find(name, log, &folder);
    if (status == NR_OK) {
        status = dataset_read(name, folder, DATASET_TRAIN, log, &dataset);
        if (status == NR_OK) {
            text_format(&found, "%s: %" PRId64 " images in %s", name, dataset->count, folder);
            state = ok;
            dataset_destroy(dataset);
        }
        free(folder);
    }
    if (status == NR_NOT_FOUND) {
        text_format(&found, "%s is not here; `tools/get-data %s` gets it", name, name);
        state = absent;
    } else if (status != NR_OK) {
        text_format(&found, "%s: %s", name, log_text(log));
    }
    report_text(findings, "data", state, &found);
    log_destroy(log);
}

/* The loader names the first library that it misses; here they all are. */
static void find_missing_libraries(struct findings *findings, const char *module)
{
    char line[512];
    struct text command = {0};
    text_append(&command, "ldd ");
    text_append_shell(&command, module);
    text_append(&command, " 2>/dev/null"); /* what is no module was told by the loader */
    FILE *list = command.failed ? NULL : popen(command.data, "r");
    text_clear(&command);
    while (list && fgets(line, sizeof line, list)) {
        char *end = strstr(line, " => not found");
        struct text found = {0};
        if (!end)
            continue;
        text_format(&found, "missing: %.*s", (int)(end - line - (ptrdiff_t)strspn(line, "\t ")),
                    line + strspn(line, "\t "));
        report_text(findings, "cuda", absent, &found);
    }
    if (list)
        pclose(list);
}

static void report_gpu(struct findings *findings, const struct probed_device *device)
{
    const struct device_summary *summary = &device->summary;
    struct text found = {0};
    char name[24];
    const char *state = ok;
    snprintf(name, sizeof name, "cuda %d", device->number);
    text_format(&found, "%s, %.1f GiB, %.1f free%s%s", summary->name, (double)summary->memory / 0x1p30,
                (double)summary->available / 0x1p30, summary->tf32 ? ", tf32" : "", summary->bf16 ? ", bf16" : "");
    if (device->description)
        text_format(&found, "; %s", device->description);
    if (*summary->problem) {
        text_format(&found, "; %s", summary->problem);
        state = absent;
    } else if (device->failure) {
        text_format(&found, "; %s", device->failure);
        state = failed;
    } else {
        text_format(&found, "; the small network: accuracy %.3f", device->accuracy);
        state = device->accuracy > 0.95 ? ok : failed;
    }
    report_text(findings, name, state, &found);
}

static void append_part(struct text *text, const char *label, const char *part)
{
    if (part && *part)
        text_format(text, "%s%s%s", text->length ? "; " : "", label, part);
}

static nr_status find_gpus(struct findings *findings)
{
    struct text module = {0}, found = {0};
    struct probe probe;
    backend_find_cuda(&module, &found); /* for the path; what is wrong, the probe tells */
    text_clear(&found);
    nr_status status = probe_devices(findings->cli->program, true, findings->cli->log, &probe);
    if (status == NR_OK) {
        append_part(&found, "module ", module.data);
        append_part(&found, "driver ", probe.driver);
        append_part(&found, "", probe.error);
        report_text(findings, "cuda", probe.broken ? failed : probe.error ? absent : ok, &found);
        if (probe.error && module.data)
            find_missing_libraries(findings, module.data);
        for (size_t i = 0; i < probe.count; i++)
            report_gpu(findings, &probe.device[i]);
        probe_clear(&probe);
    }
    text_clear(&module);
    return status;
}

static nr_status findings_create(struct cli *cli, struct findings *out)
{
    static const char *const columns[] = {"check", "state", "found"};
    *out = (struct findings){.cli = cli};
    nr_status status = table_create(&out->table);
    for (size_t i = 0; i < 3 && status == NR_OK; i++)
        status = table_add_column(out->table, columns[i], NULL, COLUMN_TEXT, 0, false);
    return status;
}

static nr_status examine(struct findings *findings)
{
    static const struct check checks[] = {{"device", check_device},     {"random", check_random},
                                          {"special", check_special},   {"linear", check_linear},
                                          {"training", check_training}, {"store", check_store}};
    static const char *const sets[] = {"mnist", "fashion-mnist", "mnist-5k", "tiny"};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct text found = {0};
        bool works = checks[i].run(findings->cli->log, &found);
        report_text(findings, checks[i].name, works ? ok : failed, &found);
    }
    nr_status status = find_gpus(findings);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        find_data(findings, sets[i]);
    return status == NR_OK ? findings->status : status;
}

nr_status command_doctor(struct cli *cli)
{
    struct findings findings;
    nr_status status = findings_create(cli, &findings);
    if (status == NR_OK && cli->format == TABLE_TEXT)
        fprintf(cli->out, "nasrun %s\n", NASRUN_VERSION);
    if (status == NR_OK)
        status = examine(&findings);
    if (status == NR_OK && cli->format != TABLE_TEXT)
        status = table_write(findings.table, cli->format, cli->out);
    if (status == NR_OK && findings.failures) {
        log_error(cli->log, "doctor: %d of %d checks failed", findings.failures, findings.checks);
        status = NR_DEVICE;
    }
    table_destroy(findings.table);
    return status;
}
