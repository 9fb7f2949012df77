#include "report/listing.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/filling.h"
#include "report/phrase.h"

/* A column beyond those that are promised: where a dimension or a value has its name ("epochs" often has), JSON goes
 * without it. */
static void add_extra(struct filling *filling, const struct study *study, const char *name, enum column_kind kind,
                      int decimals, unsigned forms)
{
    bool taken = space_find(&study->space, name) != SIZE_MAX;
    for (size_t i = 0; i < study_values(study); i++)
        taken |= !strcmp(study_value_name(study, i), name);
    filling_column(filling, name, NULL, kind, decimals, taken ? forms & ~(unsigned)FORM_JSON : forms);
}

/* The order of add_record(). Text has the cause at the end, where a long one harms nothing, if there is any. */
static void add_columns(struct filling *filling, const struct study *study, bool front, bool causes)
{
    const struct space *space = &study->space;
    filling_column(filling, "trial", NULL, COLUMN_INT, 0, FORM_ALL);
    filling_column(filling, "state", NULL, COLUMN_TEXT, 0, front ? FORM_DATA : FORM_ALL);
    filling_column(filling, "cause", NULL, COLUMN_TEXT, 0, FORM_DATA);
    for (size_t i = 0; i < study->objectives; i++)
        filling_column(filling, study->objective[i].name, NULL, COLUMN_REAL, phrase_decimals(&study->objective[i]),
                       FORM_ALL);
    for (size_t i = study->objectives; i < study_values(study); i++)
        filling_column(filling, study_value_name(study, i), NULL, COLUMN_REAL, -6, FORM_ALL);
    for (size_t i = 0; i < space->count; i++)
        filling_column(filling, space->dimension[i].name, NULL, filling_kind(&space->dimension[i]), -1, FORM_DATA);
    add_extra(filling, study, "epochs", COLUMN_INT, 0, front ? FORM_JSON : FORM_JSON | FORM_TEXT);
    add_extra(filling, study, "seconds", COLUMN_REAL, 2, front ? FORM_JSON : FORM_JSON | FORM_TEXT);
    add_extra(filling, study, "method", COLUMN_TEXT, 0, FORM_JSON);
    add_extra(filling, study, "attempt", COLUMN_INT, 0, FORM_JSON);
    add_extra(filling, study, "started", COLUMN_REAL, -1, FORM_JSON);
    add_extra(filling, study, "ended", COLUMN_REAL, -1, FORM_JSON);
    if (study->external)
        filling_column(filling, "point", NULL, COLUMN_TEXT, 0, FORM_TEXT);
    else
        add_extra(filling, study, "network", COLUMN_TEXT, 0, FORM_JSON | FORM_TEXT);
    filling_column(filling, "cause", NULL, COLUMN_TEXT, 0, causes ? FORM_TEXT : 0);
}

static void add_record(struct filling *filling, const struct study *study, const struct record *record)
{
    filling_row(filling);
    filling_int(filling, record->trial);
    filling_text(filling, trial_status_name(record->status));
    filling_text(filling, record->cause);
    for (size_t i = 0; i < study_values(study); i++)
        filling_real(filling, record->value[i]);
    for (size_t i = 0; i < study->space.count; i++)
        filling_dimension(filling, &study->space.dimension[i], record->point[i]);
    filling_int(filling, record->epochs);
    filling_real(filling, record->seconds);
    filling_text(filling, record->method);
    filling_int(filling, record->attempt);
    filling_real(filling, record->started);
    filling_real(filling, record->ended);
    filling_text(filling, study->external ? record->point_text : record->summary);
    filling_text(filling, record->cause);
}

static nr_status list(const struct results *results, const size_t *which, size_t count, bool front, struct log *log,
                      struct table **out)
{
    struct filling filling = filling_begin();
    bool causes = false;
    for (size_t i = 0; i < count && !front; i++)
        causes |= *results->record[which ? which[i] : i].cause != '\0';
    add_columns(&filling, results->study, front, causes);
    for (size_t i = 0; i < count; i++)
        add_record(&filling, results->study, &results->record[which ? which[i] : i]);
    return filling_end(&filling, log, "listing trials", out);
}

nr_status listing_trials(const struct results *results, const size_t *which, size_t count, struct log *log,
                         struct table **out)
{
    return list(results, which, which ? count : results->count, false, log, out);
}

nr_status listing_front(const struct results *results, const struct front *front, struct log *log, struct table **out)
{
    return list(results, front->member, front->members, true, log, out);
}

/* Takes the table. */
static nr_status replace_csv(struct table *table, const char *folder, const char *name, struct log *log)
{
    char *content = NULL, *path = file_join(folder, name);
    size_t length = 0;
    nr_status status = NR_NO_MEMORY;
    FILE *stream = open_memstream(&content, &length);
    if (stream)
        status = table_write(table, TABLE_CSV, stream);
    if (stream && fclose(stream) != 0)
        status = NR_NO_MEMORY;
    table_destroy(table);
    if (status != NR_OK || !path)
        status = log_no_memory(log, "writing a table");
    else
        status = file_replace(path, content, length, false, log);
    free(content);
    free(path);
    return status;
}

nr_status listing_write_files(const struct results *results, const struct front *front, const char *folder,
                              struct log *log)
{
    struct table *table;
    nr_status status = listing_trials(results, NULL, 0, log, &table);
    if (status == NR_OK)
        status = replace_csv(table, folder, "trials.csv", log);
    if (status == NR_OK)
        status = listing_front(results, front, log, &table);
    return status == NR_OK ? replace_csv(table, folder, "pareto.csv", log) : status;
}
