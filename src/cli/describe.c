#include "cli/describe.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "report/phrase.h"
#include "run/files.h"
#include "run/session.h"

void describe_layers(FILE *out, const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        const char *name =
            layer->kind == OP_ACTIVATION ? activation_name(layer->activation) : operator_name(layer->kind);
        char shape[72];
        int length = snprintf(shape, sizeof shape, "%" PRId64, layer->out.channels);
        if (layer->out.height != 1 || layer->out.width != 1)
            snprintf(shape + length, sizeof shape - (size_t)length, "x%" PRId64 "x%" PRId64, layer->out.height,
                     layer->out.width);
        if (layer->weights + layer->biases)
            fprintf(out, "    %-14s -> %-14s %10" PRId64 " parameters\n", name, shape, layer->weights + layer->biases);
        else
            fprintf(out, "    %-14s -> %s\n", name, shape);
    }
}

static void append_field(struct text *text, const char *name, const char *value)
{
    if (value && *value)
        text_format(text, "%-11s %s\n", name, value);
}

/* Epochs are those that were trained here; a trial that was asked for may have been told without its seconds. */
static void append_time(struct text *text, const struct record *record)
{
    bool asked = session_is_asker(record->owner);
    text_format(text, "%-11s ", asked ? "measured" : "trained");
    if (!asked)
        text_format(text, "%" PRId64 " epoch%s ", record->epochs, record->epochs == 1 ? "" : "s");
    text_append(text, "in ");
    if (isnan(record->seconds))
        text_append(text, "unknown time");
    else
        phrase_append_duration(text, record->seconds);
    if (record->attempt > 1)
        text_format(text, ", attempt %" PRId64, record->attempt);
    if (!isnan(record->started)) {
        char when[32];
        struct tm local;
        time_t seconds = (time_t)record->started;
        if (localtime_r(&seconds, &local) && strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local))
            text_format(text, ", started %s", when);
    }
    text_append(text, "\n");
}

static void append_point(struct text *text, const struct space *space, const double *point)
{
    text_append(text, "\npoint\n");
    for (size_t i = 0; i < space->count; i++) {
        if (isnan(point[i]))
            continue;
        text_format(text, "  %-16s ", space->dimension[i].name);
        dimension_append_value(&space->dimension[i], point[i], text);
        text_append(text, "\n");
    }
}

static nr_status append_test(struct text *text, const struct view *view, const struct record *record)
{
    double accuracy, loss;
    nr_status status = store_test(view->store, record->trial, &accuracy, &loss);
    if (status == NR_OK && !isnan(accuracy))
        text_format(text, "%-11s accuracy %.4f, loss %.4f\n", "test set", accuracy, loss);
    return status;
}

nr_status describe_trial(const struct view *view, const struct record *record, FILE *out)
{
    struct text text = {0}, values = {0};
    char *weights = files_weights(view->folder, record->trial);
    phrase_append_values(&values, view->study, record->value);
    text_format(&text, "trial %" PRId64 " of %s: %s\n\n", record->trial, study_text(view->study, KEY_STUDY_NAME),
                trial_status_name(record->status));
    append_field(&text, "network", record->summary);
    append_field(&text, "objectives", values.data);
    append_field(&text, "cause", record->cause);
    nr_status status = append_test(&text, view, record);
    append_time(&text, record);
    append_field(&text, "chosen by", record->method);
    append_field(&text, "because", record->note);
    append_field(&text, "weights", weights && file_exists(weights) ? weights : NULL);
    append_point(&text, &view->study->space, record->point);
    if (status == NR_OK && (text.failed || values.failed || !weights))
        status = NR_NO_MEMORY;
    if (status == NR_OK)
        fputs(text.data, out);
    free(weights);
    text_clear(&values);
    text_clear(&text);
    return status;
}
