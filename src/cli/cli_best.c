/* nasrun best [STUDY]: the best trial by what the model believes; by what was measured where there is no model. */
#include <inttypes.h>

#include "cli/describe.h"
#include "report/listing.h"
#include "report/model.h"
#include "report/phrase.h"

/* "val_accuracy 0.9725 (0.9701 to 0.9747; measured 0.9728), parameters 62589" */
static void append_beliefs(struct text *text, const struct study *study, const struct diagnosis *diagnosis,
                           const struct record *record, const struct diagnosis_belief *belief)
{
    for (size_t j = 0; j < study->objectives; j++) {
        const struct objective *objective = &study->objective[j];
        text_format(text, "%s%s ", j ? ", " : "", objective->name);
        phrase_append_value(text, objective, belief[j].mean);
        if (!diagnosis_models(diagnosis, j))
            continue;
        text_append(text, " (");
        phrase_append_value(text, objective, belief[j].low);
        text_append(text, " to ");
        phrase_append_value(text, objective, belief[j].high);
        text_append(text, "; measured ");
        phrase_append_value(text, objective, record->value[j]);
        text_append(text, ")");
    }
}

/* The trial that the model takes for the best, and a sentence; the best measured one, where that is another. */
static nr_status choose_believed(const struct view *view, struct look *look, size_t *best, struct text *text)
{
    int64_t trial = 0;
    struct diagnosis_belief belief[OPTIM_MAX_OUTCOMES];
    nr_status status = model_best(&view->results, look->diagnosis, &trial, belief);
    if (status != NR_OK)
        return status;
    *best = (size_t)trial - 1;
    text_format(text, "by what the model believes, best is trial %" PRId64 ": ", trial);
    append_beliefs(text, view->study, look->diagnosis, &view->results.record[*best], belief);
    if (*best != view->front.best) {
        text_append(text, "\nby measurement alone it would be trial ");
        front_append_best(&view->front, &view->results, text);
    }
    return NR_OK;
}

static nr_status choose(const struct view *view, struct log *log, size_t *best, struct text *text)
{
    struct look look;
    nr_status status = view_look(view, 0, LOOK_FITTED, log, &look);
    if (status != NR_OK)
        return status;
    if (look.diagnosis)
        status = choose_believed(view, &look, best, text);
    if (!look.diagnosis || status == NR_NO_RESULT) {
        *best = view->front.best;
        text_append(text, "by what was measured, best is trial ");
        front_append_best(&view->front, &view->results, text);
        text_format(text, "\n(there is no model to ask: %s)",
                    look.reason ? look.reason : "it believes in no trial that keeps all constraints");
        status = NR_OK;
    }
    look_clear(&look);
    return status;
}

static nr_status print(struct cli *cli, const struct view *view)
{
    struct table *table;
    struct text text = {0};
    size_t best;
    nr_status status = choose(view, cli->log, &best, &text);
    if (status == NR_OK && cli->format != TABLE_TEXT) {
        status = listing_trials(&view->results, &best, 1, cli->log, &table);
        if (status == NR_OK)
            status = view_print(cli, table);
    } else if (status == NR_OK) {
        if (!text.failed)
            fprintf(cli->out, "%s\n\n", text.data);
        status = describe_trial(view, &view->results.record[best], cli->out);
    }
    text_clear(&text);
    return status;
}

nr_status command_best(struct cli *cli)
{
    struct view view;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = view_expect_result(&view, cli->log);
    if (status == NR_OK)
        status = print(cli, &view);
    view_close(&view);
    return status;
}
