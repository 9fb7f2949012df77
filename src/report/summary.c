#include "report/summary.h"

#include <inttypes.h>
#include <math.h>

#include "report/listing.h"
#include "report/phrase.h"
#include "report/terminal.h"

/* Writes and clears the text. */
static nr_status put(struct text *text, struct log *log, FILE *stream)
{
    nr_status status = text->failed ? log_no_memory(log, "writing the summary") : NR_OK;
    if (status == NR_OK && text->length && fwrite(text->data, 1, text->length, stream) != text->length) {
        log_error(log, "the summary cannot be written");
        status = NR_IO;
    }
    text_clear(text);
    return status;
}

/* "mnist: all trials are done; 46 done, 1 failed, in 52 s" */
static void append_counts(const struct summary *summary, struct text *text)
{
    static const enum trial_status order[TRIAL_STATES] = {TRIAL_DONE, TRIAL_STOPPED, TRIAL_FAILED, TRIAL_RUNNING,
                                                          TRIAL_QUEUED};
    const struct results *results = summary->results;
    const char *before = " ";
    text_format(text, "%s:", study_text(results->study, KEY_STUDY_NAME));
    if (summary->reason && *summary->reason)
        text_format(text, " %s;", summary->reason);
    for (size_t i = 0; i < TRIAL_STATES; i++) {
        enum trial_status state = order[i];
        size_t count = results_count(results, state);
        if (!count && state != TRIAL_DONE)
            continue;
        text_format(text, "%s%zu %s", before, count, trial_status_name(state));
        before = ", ";
    }
    if (!isnan(summary->elapsed)) {
        text_append(text, ", in ");
        phrase_append_duration(text, summary->elapsed);
    }
    text_append(text, "\n");
}

nr_status summary_print_front(const struct summary *summary, struct log *log, FILE *stream)
{
    struct table *table;
    struct text text = {0};
    if (!summary->front->members)
        return NR_OK;
    text_format(&text, "Pareto front, %zu of %zu finished trials:\n", summary->front->members,
                results_count(summary->results, TRIAL_DONE));
    nr_status status = put(&text, log, stream);
    if (status == NR_OK)
        status = listing_front(summary->results, summary->front, log, &table);
    if (status != NR_OK)
        return status;
    status = table_write(table, TABLE_TEXT, stream);
    table_destroy(table);
    if (status != NR_OK)
        log_error(log, "the front cannot be written: %s", status_text(status));
    return status;
}

nr_status summary_print_figures(const struct summary *summary, struct log *log, FILE *stream)
{
    struct text text = {0};
    text_append(&text, "\nbest trial   ");
    front_append_best(summary->front, summary->results, &text);
    if (summary->results->study->objectives > 1) {
        text_append(&text, "\nhypervolume  ");
        front_append_hypervolume(summary->front, summary->results->study, &text);
    }
    text_append(&text, "\n");
    return put(&text, log, stream);
}

/* Commands below each other, what they do beside them in a column. */
static void append_commands(struct text *commands, const char *const *what, size_t count, struct text *text)
{
    size_t widest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t width = terminal_columns(commands[i].data ? commands[i].data : "");
        widest = width > widest ? width : widest;
    }
    for (size_t i = 0; i < count; i++) {
        text_append(text, i ? "             " : "next         ");
        terminal_append_fit(text, commands[i].data ? commands[i].data : "", widest, false);
        text_format(text, "   %s\n", what[i]);
        text->failed |= commands[i].failed;
        text_clear(&commands[i]);
    }
}

static void append_next(const struct summary *summary, struct text *text)
{
    static const char *const what[] = {"the best trial, epoch by epoch", "the front on the test set", "search on"};
    static const char *const why[] = {"what became of each"};
    const struct results *results = summary->results;
    struct text command[3] = {0};
    size_t best = summary->front->best;
    const char *program = summary->program ? summary->program : "nasrun";
    text_format(text, "\nfiles        %s: pareto.csv, trials.csv, weights/ of the front, nasrun.log, study.db\n",
                summary->folder);
    if (best == SIZE_MAX) {
        text_format(&command[0], "%s trials %s", program, summary->folder);
        append_commands(command, why, 1, text);
        return;
    }
    text_format(&command[0], "%s show %s %" PRId64, program, summary->folder, results->record[best].trial);
    text_format(&command[1], "%s test %s", program, summary->folder);
    if (summary->configuration)
        text_format(&command[2], "%s %s --set study.trials=%" PRId64, program, summary->configuration,
                    2 * study_int(results->study, KEY_TRIALS, NULL));
    append_commands(command, what, summary->configuration ? 3 : 2, text);
}

nr_status summary_print(const struct summary *summary, struct log *log, FILE *stream)
{
    struct text text = {0};
    append_counts(summary, &text);
    text_append(&text, summary->front->members ? "\n" : "");
    nr_status status = put(&text, log, stream);
    if (status == NR_OK)
        status = summary_print_front(summary, log, stream);
    if (status == NR_OK)
        status = summary_print_figures(summary, log, stream);
    if (status != NR_OK)
        return status;
    append_next(summary, &text);
    return put(&text, log, stream);
}
