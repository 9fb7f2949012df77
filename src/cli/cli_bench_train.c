/* nasrun bench train: what an epoch of each of four networks costs on a device, beside what it could cost at least. */
#include <math.h>
#include <string.h>

#include "bench/training.h"
#include "cli/cli.h"
#include "space/keys.h"
#include "train/backends.h"

/* What a graph node costs on an H100 beside its work (published: about 1.3 us of dead time). */
static const double node_seconds = 1.3e-6;
enum { MANY_LANES = 16 };

struct request {
    const struct backend *backend;
    int number; /* of the device */
    int64_t images;
    int lanes; /* 0: as the device allows, up to MANY_LANES */
    enum precision_kind precision;
    bool chosen[BENCH_NETWORKS];
};

enum column {
    NETWORK,
    BATCH,
    LANES,
    MILLISECONDS,
    SECONDS,
    NODES,
    LAUNCH_SHARE,
    PEAK_SHARE,
    MEMORY,
    PREDICTED,
    PRECISION,
    DEVICE
};

static const struct {
    const char *name, *heading;
    enum column_kind kind;
    int decimals;
    bool only_data;
} columns[] = {
    [NETWORK] = {"network", NULL, COLUMN_TEXT, 0, false},
    [BATCH] = {"batch", NULL, COLUMN_INT, 0, false},
    [LANES] = {"lanes", NULL, COLUMN_INT, 0, false},
    [MILLISECONDS] = {"ms_per_epoch", "ms/epoch", COLUMN_REAL, 2, false},
    [SECONDS] = {"seconds_per_epoch", NULL, COLUMN_REAL, 6, true},
    [NODES] = {"nodes_per_step", "nodes", COLUMN_INT, 0, false},
    [LAUNCH_SHARE] = {"launch_share", "of starts", COLUMN_REAL, 2, false},
    [PEAK_SHARE] = {"share_of_peak", "of peak", COLUMN_REAL, 3, false},
    [MEMORY] = {"memory", NULL, COLUMN_INT, 0, false},
    [PREDICTED] = {"predicted_memory", "predicted", COLUMN_INT, 0, false},
    [PRECISION] = {"precision", NULL, COLUMN_TEXT, 0, false},
    [DEVICE] = {"device", NULL, COLUMN_TEXT, 0, false},
};

/* ---- the command line ---- */

static nr_status choose_network(const char *name, struct log *log, bool chosen[BENCH_NETWORKS])
{
    const char *names[BENCH_NETWORKS];
    for (size_t i = 0; i < BENCH_NETWORKS; i++) {
        names[i] = bench_networks[i].name;
        if (!strcmp(name, names[i])) {
            chosen[i] = true;
            return NR_OK;
        }
    }
    const char *nearest = text_nearest(name, names, BENCH_NETWORKS);
    log_error(log, "bench: there is no network \"%s\"%s%s%s; expected %s, %s, %s or %s", name,
              nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "", names[0], names[1],
              names[2], names[3]);
    return NR_INVALID;
}

/* "cpu", "cuda" or "cuda:1". */
static nr_status choose_device(const char *name, struct log *log, struct request *request)
{
    char backend[16];
    int64_t number = 0;
    size_t length = strcspn(name, ":");
    snprintf(backend, sizeof backend, "%.*s", (int)length, name);
    if (name[length] == ':' && (!text_to_int(name + length + 1, &number) || number < 0 || number > INT16_MAX)) {
        log_error(log, "bench: the device \"%s\" is unknown; expected cpu, cuda or, say, cuda:1", name);
        return NR_INVALID;
    }
    request->number = (int)number;
    return backend_load(backend, log, &request->backend);
}

/* As in training.precision. */
static nr_status choose_precision(const char *name, struct log *log, enum precision_kind *out)
{
    const struct key *key = &keys[KEY_PRECISION];
    struct text expected = {0};
    if (!key_accepts(key, name, &expected)) {
        log_error(log, "bench: --precision is \"%s\", expected %s", name, expected.data ? expected.data : "another");
        text_clear(&expected);
        return NR_INVALID;
    }
    text_clear(&expected);
    for (int i = 0; key->choices[i]; i++)
        if (!strcmp(name, key->choices[i]))
            *out = (enum precision_kind)i;
    return NR_OK;
}

static nr_status read_request(const struct cli *cli, struct request *out)
{
    int64_t lanes = 0;
    nr_status status = NR_OK;
    const char *device = cli->option[OPTION_DEVICE], *precision = cli->option[OPTION_PRECISION];
    *out = (struct request){.images = BENCH_IMAGES};
    for (int i = 0; i < cli->arguments && status == NR_OK; i++)
        status = choose_network(cli->argument[i], cli->log, out->chosen);
    for (size_t i = 0; i < BENCH_NETWORKS && cli->arguments == 0; i++)
        out->chosen[i] = true;
    if (status == NR_OK)
        status = cli_number(cli, OPTION_LANES, 1, INT16_MAX, &lanes);
    if (status == NR_OK)
        status = cli_number(cli, OPTION_IMAGES, BENCH_LEAST_IMAGES, 100 * BENCH_IMAGES, &out->images);
    if (status == NR_OK && precision)
        status = choose_precision(precision, cli->log, &out->precision);
    out->lanes = (int)lanes;
    return status == NR_OK ? choose_device(device ? device : cpu_backend.name, cli->log, out) : status;
}

/* What the device, once it is open, has to say to it. */
static nr_status check_request(struct request *request, const struct device *device, struct log *log)
{
    int most = request->backend->lanes(device);
    if (request->lanes > most) {
        log_error(log, "bench: %d lanes are more than the device has: %d", request->lanes, most);
        return NR_INVALID;
    }
    if (!request->backend->supports(device, request->precision)) {
        log_error(log, "bench: this device cannot train in %s", keys[KEY_PRECISION].choices[request->precision]);
        return NR_INVALID;
    }
    if (request->lanes == 0)
        request->lanes = most < MANY_LANES ? most : MANY_LANES;
    return NR_OK;
}

/* ---- the table ---- */

static nr_status add_columns(struct table *table)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < sizeof columns / sizeof *columns && status == NR_OK; i++) {
        status = table_add_column(table, columns[i].name, columns[i].heading, columns[i].kind, columns[i].decimals,
                                  columns[i].only_data);
        if (i == MILLISECONDS)
            table_limit_column(table, 1u << TABLE_TEXT);
    }
    return status;
}

struct row {
    const struct bench_network *network;
    int lanes;
    struct bench_figures figures;
    int64_t predicted;            /* bytes for all lanes */
    double launch_share, of_peak; /* NaN: unknown */
    const char *precision, *device;
};

static nr_status set_numbers(struct table *table, const struct row *row)
{
    nr_status status = table_set_int(table, BATCH, row->network->batch);
    if (status == NR_OK)
        status = table_set_int(table, LANES, row->lanes);
    if (status == NR_OK)
        status = table_set_real(table, MILLISECONDS, 1e3 * row->figures.seconds);
    if (status == NR_OK)
        status = table_set_real(table, SECONDS, row->figures.seconds);
    if (status == NR_OK && row->figures.nodes > 0)
        status = table_set_int(table, NODES, row->figures.nodes);
    if (status == NR_OK)
        status = table_set_real(table, LAUNCH_SHARE, row->launch_share);
    if (status == NR_OK)
        status = table_set_real(table, PEAK_SHARE, row->of_peak);
    if (status == NR_OK && row->figures.memory >= 0)
        status = table_set_int(table, MEMORY, row->figures.memory);
    if (status == NR_OK && row->predicted >= 0)
        status = table_set_int(table, PREDICTED, row->predicted);
    return status;
}

static nr_status add_row(struct table *table, const struct row *row)
{
    nr_status status = table_add_row(table);
    if (status == NR_OK)
        status = table_set_text(table, NETWORK, row->network->name);
    if (status == NR_OK)
        status = table_set_text(table, PRECISION, row->precision);
    if (status == NR_OK)
        status = table_set_text(table, DEVICE, row->device);
    return status == NR_OK ? set_numbers(table, row) : status;
}

/* ---- measuring ---- */

static nr_status measure_row(const struct bench_place *place, const struct bench_candidate *candidate, double peak,
                             struct row *row)
{
    const struct recipe *recipe = &candidate->recipe;
    nr_status status = bench_measure(place, candidate, row->network->seconds, &row->figures);
    if (status != NR_OK)
        return status;
    int64_t predicted = place->backend->memory(place->device, candidate->plan, recipe);
    double seconds = row->figures.seconds;
    double starts = node_seconds * (double)row->figures.nodes * (double)recipe_steps_per_epoch(recipe);
    row->lanes = place->lanes;
    row->predicted = predicted < 0 ? -1 : predicted * place->lanes;
    row->launch_share = row->figures.nodes > 0 ? starts / seconds : NAN;
    row->of_peak = peak > 0 ? candidate->flops * (double)recipe->epoch_images / seconds / peak : NAN;
    return NR_OK;
}

/* In one lane, then in all of them. */
static nr_status measure_network(const struct bench_network *network, const struct request *request,
                                 struct bench_place *place, struct row *row, struct table *table)
{
    struct bench_candidate candidate;
    nr_status status = bench_candidate_create(network, request->images, request->precision, place->log, &candidate);
    if (status != NR_OK)
        return status;
    double peak = request->backend->peak(place->device, request->precision);
    row->network = network;
    for (place->lanes = 1; status == NR_OK; place->lanes = request->lanes) {
        status = measure_row(place, &candidate, peak, row);
        if (status == NR_OK)
            status = add_row(table, row);
        if (place->lanes == request->lanes)
            break;
    }
    bench_candidate_clear(&candidate);
    return status;
}

static nr_status fill(const struct request *request, struct device *device, struct log *log, struct table *table)
{
    struct bench_data data;
    struct text description = {0};
    nr_status status = bench_data_create(request->images, log, &data);
    if (status != NR_OK)
        return status;
    struct bench_place place = {.backend = request->backend, .device = device, .split = &data.split, .log = log};
    request->backend->describe(device, &description);
    status = description.failed ? log_no_memory(log, "measuring") : add_columns(table);
    if (status == NR_OK)
        status = request->backend->upload(device, &data.dataset, &place.images);
    struct row row = {.precision = keys[KEY_PRECISION].choices[request->precision], .device = description.data};
    for (size_t i = 0; i < BENCH_NETWORKS && status == NR_OK; i++)
        if (request->chosen[i])
            status = measure_network(&bench_networks[i], request, &place, &row, table);
    if (place.images)
        request->backend->unload(place.images);
    text_clear(&description);
    bench_data_clear(&data);
    return status;
}

static nr_status open_device(const struct request *request, struct log *log, struct device **out)
{
    int count;
    nr_status status = request->backend->count(log, &count);
    if (status != NR_OK)
        return status;
    if (count == 0) {
        log_error(log, "bench: there is no device of %s", request->backend->name);
        return NR_INVALID;
    }
    if (request->number >= count) {
        log_error(log, "bench: there is no device %d; expected 0 to %d", request->number, count - 1);
        return NR_INVALID;
    }
    return request->backend->open(request->number, log, out);
}

nr_status command_bench_train(struct cli *cli)
{
    struct request request;
    struct device *device;
    struct table *table = NULL;
    nr_status status = read_request(cli, &request);
    if (status == NR_OK)
        status = open_device(&request, cli->log, &device);
    if (status != NR_OK)
        return status;
    status = check_request(&request, device, cli->log);
    if (status == NR_OK)
        status = table_create(&table);
    if (status == NR_OK)
        status = fill(&request, device, cli->log, table);
    if (status == NR_OK)
        status = table_write(table, cli->format, cli->out);
    table_destroy(table);
    request.backend->close(device);
    return status;
}
