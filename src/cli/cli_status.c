/* nasrun status [STUDY]: how a study stands, also while it runs. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/view.h"
#include "report/health.h"
#include "report/phrase.h"
#include "run/search.h"
#include "run/session.h"

/* In one word, and in a sentence for people. */
struct standing {
    bool running;
    const char *word; /* "running", or why the last run ended, or "killed" */
    char sentence[160];
    double elapsed;
    struct health health; /* its model: also why there is none */
};

/* Without a search that holds the study, or the reason of its end. */
static struct standing standing_without_end(const struct view *view, double elapsed)
{
    struct standing standing = {.word = "killed", .elapsed = elapsed};
    const char *sentence = "not running; its last run was killed: the same command goes on";
    if (view->study->external) {
        standing.word = "open";
        sentence = "driven from outside, by ask and tell";
    } else if (elapsed == 0) {
        standing.word = "new";
        sentence = "not running: no search has run yet";
    }
    snprintf(standing.sentence, sizeof standing.sentence, "%s", sentence);
    return standing;
}

static nr_status find_standing(const struct view *view, struct standing *out)
{
    int64_t holder = store_holder(view->store);
    double elapsed;
    nr_status status = store_elapsed(view->store, &elapsed);
    if (status != NR_OK)
        return status;
    const char *end = store_end(view->store);
    *out = standing_without_end(view, elapsed);
    out->running = holder != 0;
    if (holder) {
        out->word = "running";
        snprintf(out->sentence, sizeof out->sentence, "running (process %" PRId64 ")", holder);
    }
    for (enum search_end i = 0; !holder && i < SEARCH_ENDS; i++) {
        if (strcmp(end, search_end_name(i)) != 0)
            continue;
        out->word = search_end_name(i);
        snprintf(out->sentence, sizeof out->sentence, "not running: %s", search_end_text(i));
    }
    return NR_OK;
}

/* What the model is worth, and what is wrong with the study. */
static nr_status find_health(const struct view *view, struct log *log, struct standing *standing)
{
    struct look look;
    nr_status status = view_look(view, 0, LOOK_RECORDED, log, &look);
    if (status != NR_OK)
        return status;
    const struct health_subject subject = {.results = &view->results,
                                           .front = &view->front,
                                           .diagnosis = look.diagnosis,
                                           .driven = standing->running || view->study->external,
                                           .exhausted = !strcmp(standing->word, search_end_name(SEARCH_EXHAUSTED)),
                                           .now = clock_wall()};
    status = health_check(&subject, log, &standing->health);
    if (!look.diagnosis)
        text_format(&standing->health.model, "none: %s", look.reason);
    look_clear(&look);
    return status;
}

static nr_status last_epoch(void *context, const struct store_epoch *epoch)
{
    *(struct store_epoch *)context = *epoch;
    return NR_OK;
}

static nr_status print_running(struct cli *cli, const struct view *view)
{
    for (size_t i = 0; i < view->results.count; i++) {
        const struct record *record = &view->results.record[i];
        struct store_epoch last = {.validation_accuracy = NAN};
        if (record->status != TRIAL_RUNNING || session_is_asker(record->owner))
            continue;
        nr_status status = store_epochs(view->store, record->trial, last_epoch, &last);
        if (status != NR_OK)
            return status;
        fprintf(cli->out, "  trial %" PRId64 "  epoch %" PRId64 "/%" PRId64, record->trial, last.epoch,
                study_int(view->study, KEY_EPOCHS, record->point));
        if (!isnan(last.validation_accuracy))
            fprintf(cli->out, "  %.4f", last.validation_accuracy);
        fprintf(cli->out, "  %s\n", record->summary);
    }
    return NR_OK;
}

/* "12 of 48 trials done, 1 failed, 2 interrupted, 3 asked for"; whoever asks decides how many there will be. */
static void append_counts(const struct view *view, const struct standing *standing, struct text *line)
{
    size_t asked = 0;
    for (size_t i = 0; i < view->results.count; i++)
        asked += view->results.record[i].status == TRIAL_RUNNING && session_is_asker(view->results.record[i].owner);
    text_format(line, "%zu", results_count(&view->results, TRIAL_DONE));
    if (!view->study->external)
        text_format(line, " of %" PRId64, study_int(view->study, KEY_TRIALS, NULL));
    text_append(line, " trials done");
    for (enum trial_status s = 0; s < TRIAL_STATES; s++) {
        size_t count = results_count(&view->results, s) - (s == TRIAL_RUNNING ? asked : 0);
        if (s != TRIAL_DONE && count)
            text_format(line, ", %zu %s", count,
                        s == TRIAL_RUNNING && !standing->running ? "interrupted" : trial_status_name(s));
    }
    if (asked)
        text_format(line, ", %zu asked for and not told yet", asked);
}

static nr_status print_health(struct cli *cli, const struct standing *standing)
{
    struct text text = {0};
    text_format(&text, "model        %s\n", standing->health.model.data ? standing->health.model.data : "");
    health_append_findings(&standing->health, &text);
    nr_status status = text.failed ? log_no_memory(cli->log, "printing the status") : NR_OK;
    if (status == NR_OK)
        fputs(text.data, cli->out);
    text_clear(&text);
    return status;
}

static nr_status print_text(struct cli *cli, const struct view *view, const struct standing *standing)
{
    struct summary summary = view_summary(view);
    struct text line = {0};
    text_format(&line, "%s in %s: %s\n", study_text(view->study, KEY_STUDY_NAME), view->folder, standing->sentence);
    append_counts(view, standing, &line);
    if (!view->study->external) {
        text_append(&line, ", in ");
        phrase_append_duration(&line, standing->elapsed);
    }
    text_append(&line, "\n");
    if (!line.failed)
        fputs(line.data, cli->out);
    text_clear(&line);
    nr_status status = standing->running ? print_running(cli, view) : NR_OK;
    if (status != NR_OK)
        return status;
    fprintf(cli->out, "\n");
    status = summary_print_front(&summary, cli->log, cli->out);
    if (status == NR_OK && view->front.members)
        status = summary_print_figures(&summary, cli->log, cli->out);
    return status == NR_OK ? print_health(cli, standing) : status;
}

/* A column and its only cell; a whole number below 0 is unknown. */
struct figure {
    const char *name;
    enum column_kind kind;
    const char *string;
    int64_t whole;
    double real;
};

static nr_status fill(struct table *table, const struct figure *figure, size_t count)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < count && status == NR_OK; i++)
        status = table_add_column(table, figure[i].name, NULL, figure[i].kind, -1, false);
    if (status == NR_OK)
        status = table_add_row(table);
    for (size_t i = 0; i < count && status == NR_OK; i++) {
        if (figure[i].kind == COLUMN_TEXT)
            status = table_set_text(table, i, figure[i].string);
        else if (figure[i].kind == COLUMN_LIST)
            status = table_set_list(table, i, figure[i].string);
        else if (figure[i].kind == COLUMN_REAL)
            status = table_set_real(table, i, figure[i].real);
        else if (figure[i].whole >= 0)
            status = table_set_int(table, i, figure[i].whole);
    }
    return status;
}

static nr_status print_data(struct cli *cli, const struct view *view, const struct standing *standing)
{
    enum { LEADING = 4, FIGURES = LEADING + TRIAL_STATES + 6 };
    const struct results *results = &view->results;
    const struct front *front = &view->front;
    struct figure figure[FIGURES] = {
        {.name = "study", .kind = COLUMN_TEXT, .string = study_text(view->study, KEY_STUDY_NAME)},
        {.name = "folder", .kind = COLUMN_TEXT, .string = view->folder},
        {.name = "standing", .kind = COLUMN_TEXT, .string = standing->word},
        {.name = "trials", .kind = COLUMN_INT, .whole = study_int(view->study, KEY_TRIALS, NULL)},
    };
    for (enum trial_status s = 0; s < TRIAL_STATES; s++)
        figure[LEADING + s] = (struct figure){
            .name = trial_status_name(s), .kind = COLUMN_INT, .whole = (int64_t)results_count(results, s)};
    struct figure *last = figure + LEADING + TRIAL_STATES;
    last[0] = (struct figure){.name = "seconds", .kind = COLUMN_REAL, .real = standing->elapsed};
    last[1] = (struct figure){.name = "front", .kind = COLUMN_INT, .whole = (int64_t)front->members};
    last[2] = (struct figure){
        .name = "best", .kind = COLUMN_INT, .whole = front->best == SIZE_MAX ? -1 : results->record[front->best].trial};
    last[3] =
        (struct figure){.name = "hypervolume", .kind = COLUMN_REAL, .real = front->members ? front->hypervolume : NAN};
    last[4] = (struct figure){.name = "model", .kind = COLUMN_TEXT, .string = standing->health.model.data};
    last[5] = (struct figure){.name = "health",
                              .kind = COLUMN_LIST,
                              .string = standing->health.findings.data ? standing->health.findings.data : ""};
    struct table *table;
    if (table_create(&table) != NR_OK)
        return log_no_memory(cli->log, "printing the status");
    if (fill(table, figure, FIGURES) != NR_OK) {
        table_destroy(table);
        return log_no_memory(cli->log, "printing the status");
    }
    return view_print(cli, table);
}

nr_status command_status(struct cli *cli)
{
    struct view view;
    struct standing standing = {0};
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = find_standing(&view, &standing);
    if (status == NR_OK)
        status = find_health(&view, cli->log, &standing);
    if (status == NR_OK)
        status = cli->format == TABLE_TEXT ? print_text(cli, &view, &standing) : print_data(cli, &view, &standing);
    health_clear(&standing.health);
    view_close(&view);
    return status;
}
