#include "bench/trained.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "bench/csv.h"

/* Columns of the table. */
struct layout {
    int *dimension; /* [space->count] */
    int parameters, images;
    int accuracy[TRAINED_MOST_SEEDS];
    size_t seeds;
};

static nr_status find_columns(const struct csv *csv, const struct space *space, struct log *log, struct layout *layout)
{
    nr_status status = csv_need_column(csv, "parameters", log, &layout->parameters);
    for (size_t d = 0; d < space->count && status == NR_OK; d++)
        status = csv_need_column(csv, space->dimension[d].name, log, &layout->dimension[d]);
    if (status == NR_OK)
        status = csv_need_column(csv, "val_accuracy_1", log, &layout->accuracy[0]);
    layout->images = csv_column(csv, "validation_images");
    for (layout->seeds = 1; layout->seeds < TRAINED_MOST_SEEDS; layout->seeds++) {
        char name[32];
        snprintf(name, sizeof name, "val_accuracy_%zu", layout->seeds + 1);
        layout->accuracy[layout->seeds] = csv_column(csv, name);
        if (layout->accuracy[layout->seeds] == CSV_NO_COLUMN)
            break;
    }
    return status;
}

static nr_status read_point(const struct csv *csv, size_t row, const struct layout *layout, const struct space *space,
                            struct log *log, double *point)
{
    for (size_t d = 0; d < space->count; d++) {
        const char *text = csv_text(csv, row, layout->dimension[d]);
        point[d] = NAN;
        if (*text && !dimension_parse_value(&space->dimension[d], text, &point[d])) {
            log_error(log, "%s:%d: %s is \"%s\", which is no value of its dimension", csv->path, csv->line[row + 1],
                      space->dimension[d].name, text);
            return NR_INVALID;
        }
    }
    point_canonicalise(space, point);
    return NR_OK;
}

static nr_status read_numbers(const struct csv *csv, size_t row, const struct layout *layout, struct log *log,
                              struct trained_row *out)
{
    double sum = 0, finished = 0;
    nr_status status = csv_real(csv, row, layout->parameters, log, &out->parameters);
    for (size_t k = 0; k < layout->seeds && status == NR_OK; k++) {
        status = csv_real(csv, row, layout->accuracy[k], log, &out->accuracy[k]);
        if (status == NR_OK && !isnan(out->accuracy[k])) {
            sum += out->accuracy[k];
            finished++;
        }
    }
    if (status == NR_OK && !(out->parameters > 0)) {
        log_error(log, "%s:%d: parameters is \"%s\", expected a positive number", csv->path, csv->line[row + 1],
                  csv_text(csv, row, layout->parameters));
        return NR_INVALID;
    }
    out->mean = finished > 0 ? sum / finished : NAN;
    return status;
}

/* Canonical points are equal exactly when their bytes are. */
static int compare_points(const void *a, const void *b, void *context)
{
    const struct trained *trained = context;
    const struct trained_row *first = a, *second = b;
    return memcmp(first->point, second->point, trained->study->space.count * sizeof *first->point);
}

static nr_status sort_rows(struct trained *trained, const char *path, struct log *log)
{
    qsort_r(trained->row, trained->rows, sizeof *trained->row, compare_points, trained);
    for (size_t i = 1; i < trained->rows; i++) {
        if (compare_points(&trained->row[i - 1], &trained->row[i], trained) == 0) {
            struct text text = {0};
            point_append_text(&trained->study->space, trained->row[i].point, &text);
            log_error(log, "%s: two rows are the same network: %s", path, text.failed ? "" : text.data);
            text_clear(&text);
            return NR_INVALID;
        }
    }
    return NR_OK;
}

static nr_status fill(struct trained *trained, const struct csv *csv, struct layout *layout, struct log *log)
{
    const struct space *space = &trained->study->space;
    nr_status status = find_columns(csv, space, log, layout);
    trained->rows = csv->rows;
    trained->points = mem_array(csv->rows, space->count * sizeof *trained->points);
    trained->row = mem_array(csv->rows, sizeof *trained->row);
    if (!trained->points || !trained->row)
        return log_no_memory(log, csv->path);
    trained->seeds = layout->seeds;
    trained->images = NAN;
    if (status == NR_OK && csv->rows && layout->images != CSV_NO_COLUMN)
        status = csv_real(csv, 0, layout->images, log, &trained->images);
    for (size_t i = 0; i < csv->rows && status == NR_OK; i++) {
        double *point = trained->points + i * space->count;
        trained->row[i].point = point;
        status = read_point(csv, i, layout, space, log, point);
        if (status == NR_OK)
            status = read_numbers(csv, i, layout, log, &trained->row[i]);
    }
    return status == NR_OK ? sort_rows(trained, csv->path, log) : status;
}

static nr_status read_table(struct trained *trained, const char *path, struct log *log)
{
    struct csv csv;
    struct layout layout = {0};
    nr_status status = csv_read(path, log, &csv);
    if (status != NR_OK)
        return status;
    layout.dimension = mem_array(trained->study->space.count, sizeof *layout.dimension);
    status = layout.dimension ? fill(trained, &csv, &layout, log) : log_no_memory(log, path);
    if (status == NR_OK && trained->rows == 0) {
        log_error(log, "%s: there is no row", path);
        status = NR_INVALID;
    }
    free(layout.dimension);
    csv_clear(&csv);
    return status;
}

nr_status trained_open(const char *path, struct log *log, struct trained **out)
{
    struct text table = {0};
    struct trained *trained = mem_array(1, sizeof *trained);
    size_t length = strlen(path), stem = length > 4 ? length - strlen(".ini") : length;
    text_append_bytes(&table, path, stem);
    text_append(&table, ".csv");
    nr_status status = NR_OK;
    if (!trained || table.failed)
        status = log_no_memory(log, path);
    if (status == NR_OK)
        status = study_read(path, NULL, 0, log, &trained->study);
    if (status == NR_OK)
        status = read_table(trained, table.data, log);
    text_clear(&table);
    if (status != NR_OK) {
        trained_close(trained);
        return status;
    }
    *out = trained;
    return NR_OK;
}

void trained_close(struct trained *trained)
{
    if (!trained)
        return;
    study_destroy(trained->study);
    free(trained->points);
    free(trained->row);
    free(trained);
}

const struct trained_row *trained_find(const struct trained *trained, const double *point)
{
    size_t bytes = trained->study->space.count * sizeof *point, low = 0, high = trained->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(trained->row[middle].point, point, bytes);
        if (order == 0)
            return &trained->row[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

double trained_draw(const struct trained *trained, const struct trained_row *row, struct rng *rng)
{
    return row->accuracy[rng_below(rng, (uint32_t)trained->seeds)];
}
