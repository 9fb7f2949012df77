#include "report/summary.h"

#include <inttypes.h>
#include <math.h>

#include "report/health.h"
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

/* What a command does, and the command: whole, however long, so that it can be copied. */
static void append_command(struct text *text, const char *what, struct text *command)
{
    terminal_append_fit(text, what, 36, false);
    text_format(text, "%s\n", command->data ? command->data : "");
    text->failed |= command->failed;
    text_clear(command);
}

static void append_next(const struct summary *summary, struct text *text)
{
    const struct results *results = summary->results;
    const char *program = summary->program ? summary->program : "nasrun";
    int64_t trials = study_int(results->study, KEY_TRIALS, NULL); /* fewer may be asked for than there are */
    trials = trials < (int64_t)results->count ? (int64_t)results->count : trials;
    size_t best = summary->front->best;
    struct text folder = {0}, command = {0};
    text_append_shell(&folder, summary->folder);
    text_format(text, "\nfiles        %s: pareto.csv, trials.csv, weights/ of the front, nasrun.log, study.db\n",
                summary->folder);
    if (best == SIZE_MAX) {
        text_format(&command, "%s trials %s", program, folder.data);
        append_command(text, "next         what became of each", &command);
    } else {
        text_format(&command, "%s show %s %" PRId64, program, folder.data, results->record[best].trial);
        append_command(text, "next         the best trial", &command);
        text_format(&command, "%s model %s", program, folder.data);
        append_command(text, "             what mattered", &command);
        text_format(&command, "%s test %s", program, folder.data);
        append_command(text, "             the test set", &command);
    }
    if (summary->configuration && best != SIZE_MAX) {
        text_format(&command, "%s %s --set study.trials=%" PRId64, program, summary->configuration, 2 * trials);
        append_command(text, "             search on", &command);
    }
    text->failed |= folder.failed;
    text_clear(&folder);
}

/* What is wrong, where anything is, but for the model: `nasrun status` judges that, which can take a while. */
static nr_status append_health(const struct summary *summary, struct log *log, struct text *text)
{
    struct health health = {0};
    const struct health_subject subject = {.results = summary->results, .front = summary->front};
    nr_status status = health_check(&subject, log, &health);
    if (status == NR_OK && health.findings.length)
        health_append_findings(&health, text);
    health_clear(&health);
    return status;
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
    if (status == NR_OK)
        status = append_health(summary, log, &text);
    if (status != NR_OK) {
        text_clear(&text);
        return status;
    }
    append_next(summary, &text);
    return put(&text, log, stream);
}
