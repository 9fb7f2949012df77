/* nasrun explain [STUDY] TRIAL: why a trial was tried. As data: a row per outcome. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/view.h"
#include "report/filling.h"
#include "report/model.h"
#include "report/phrase.h"

/* What a suggestion's method means where no model chose the point. */
static const char *plain_reason(const char *method)
{
    static const struct {
        const char *method, *reason;
    } reasons[] = {
        {"sobol", "a scrambled Sobol point, spread evenly over the space; no model was asked"},
        {"random", "drawn at random; no model was asked"},
        {"grid", "the next point of a grid; no model was asked"},
        {"evolution", "a changed copy of a good trial (regularised evolution); no model was asked"},
        {"enumerate", "one of the few points that were left; no model was asked"},
        {"told", "brought by a person or a program together with its result; nasrun did not choose it"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (!strcmp(method, reasons[i].method))
            return reasons[i].reason;
    return NULL;
}

struct explanation {
    const struct view *view;
    const struct record *record;
    const struct look *look;        /* as the trial was suggested; its diagnosis may be NULL */
    struct diagnosis_reason reason; /* where there is a diagnosis */
    bool modelled;                  /* a model was asked */
};

static bool ended(const struct record *record)
{
    return record->status == TRIAL_DONE || record->status == TRIAL_STOPPED;
}

/* As the objective's values are written; what a constraint bounds has no form of its own. */
static void append_value(struct text *text, const struct study *study, size_t j, double value)
{
    if (j < study->objectives)
        phrase_append_value(text, &study->objective[j], value);
    else if (isnan(value))
        text_append(text, "unknown");
    else
        text_format(text, "%.6g", value);
}

/* "much better than expected (3.2 standard deviations)" */
static void append_surprise(struct text *text, double surprise)
{
    double size = fabs(surprise);
    text_format(text, "%s (%+.1f standard deviations)",
                size < 1   ? "as expected"
                : size < 2 ? (surprise > 0 ? "somewhat better than expected" : "somewhat worse than expected")
                           : (surprise > 0 ? "much better than expected" : "much worse than expected"),
                surprise);
}

static void append_outcome(struct text *text, const struct explanation *explanation, size_t j)
{
    const struct diagnosis_belief *expected = &explanation->reason.expected[j];
    const struct study *study = explanation->view->study;
    double surprise = explanation->reason.surprise[j];
    text_format(text, "  %-14s ", model_outcome_name(study, j));
    append_value(text, study, j, expected->mean);
    if (!diagnosis_models(explanation->look->diagnosis, j)) {
        text_append(text, ", known exactly\n");
        return;
    }
    text_append(text, ", 95 % between ");
    append_value(text, study, j, expected->low);
    text_append(text, " and ");
    append_value(text, study, j, expected->high);
    if (!isnan(surprise)) {
        text_append(text, "; measured ");
        append_value(text, study, j, model_outcome_value(study, explanation->record, j));
        text_append(text, ", ");
        append_surprise(text, surprise);
    }
    text_append(text, "\n");
}

/* "trials 3, 12 and 14" */
static void append_trials(struct text *text, const int64_t *trial, size_t count)
{
    text_append(text, count == 1 ? "trial " : "trials ");
    for (size_t i = 0; i < count; i++)
        text_format(text, "%s%" PRId64, i == 0 ? "" : i + 1 < count ? ", " : " and ", trial[i]);
}

/* ", success -0.22 (80 %)": a part that takes something away. */
static void append_chance(struct text *text, const char *what, double log_chance)
{
    if (log_chance < -0.005)
        text_format(text, ", %s %.3g (%.0f %%)", what, log_chance, 100 * exp(log_chance));
}

static void append_acquisition(struct text *text, const struct explanation *explanation)
{
    const struct diagnosis_reason *reason = &explanation->reason;
    const struct study *study = explanation->view->study;
    text_format(text, "  %-14s log %.3g", "value", reason->log_value);
    if (!isnan(reason->log_improvement))
        text_format(text, " = improvement %.3g", reason->log_improvement);
    append_chance(text, "success", reason->log_success);
    for (size_t j = study->objectives; j < model_outcomes(study); j++) {
        struct text kept = {0};
        text_format(&kept, "%s kept", model_outcome_name(study, j));
        append_chance(text, kept.data ? kept.data : "", reason->log_feasible[j - study->objectives]);
        text->failed |= kept.failed;
        text_clear(&kept);
    }
    if (!isnan(reason->log_seconds)) {
        text_format(text, ", less its cost %.3g (", reason->log_seconds);
        phrase_append_duration(text, exp(reason->log_seconds));
        text_append(text, ")");
    }
    text_append(text, "\n");
}

static void append_standing(struct text *text, const struct explanation *explanation)
{
    const struct diagnosis_reason *reason = &explanation->reason;
    bool front = explanation->view->study->objectives > 1;
    text_format(text, "  %-14s %.0f %% that it would %s\n", "chance", 100 * reason->front_chance,
                front ? "join the front believed then" : "be the best believed then");
    text_format(text, "  %-14s ", "competes with");
    if (reason->competitors)
        append_trials(text, reason->competitor, reason->competitors);
    else
        text_append(text, "none");
    text_append(text, reason->competitors ? ": at the good end of its interval it takes their place\n"
                                          : ": it would fill a gap or extend the front\n");
}

/* How much the model had to learn here: what it knew of others like it, and the deviation that was left of that before
 * any result. */
static void append_exploration(struct text *text, const struct explanation *explanation)
{
    const struct diagnosis_reason *reason = &explanation->reason;
    const struct view *view = explanation->view;
    for (size_t i = 0; i < reason->nears; i++) {
        const struct record *near = &view->results.record[reason->nearest[i] - 1];
        text_format(text, "  %-14s trial %" PRId64 ", alike to %.3f: ", i ? "" : "most like it", near->trial,
                    reason->similarity[i]);
        phrase_append_values(text, view->study, near->value);
        text_append(text, "\n");
    }
    for (size_t j = 0; j < model_outcomes(view->study); j++) {
        double left = reason->deviation[j];
        if (!diagnosis_models(explanation->look->diagnosis, j))
            continue;
        text_format(text, "  %-14s ", "exploration");
        if (left < 0.01)
            text_append(text, "less than 1 %");
        else
            text_format(text, "%.0f %%", 100 * left);
        text_format(text, " of the uncertainty about %s was left: %s\n", model_outcome_name(view->study, j),
                    left > 0.5    ? "new ground"
                    : left > 0.25 ? "between new and known ground"
                                  : "known ground");
    }
}

static void append_model(struct text *text, const struct explanation *explanation)
{
    text_format(text, "\nwhat the model expected of it, from %zu results\n",
                diagnosis_rows(explanation->look->diagnosis));
    for (size_t j = 0; j < model_outcomes(explanation->view->study); j++)
        append_outcome(text, explanation, j);
    text_append(text, "\nwhy it\n");
    append_acquisition(text, explanation);
    append_standing(text, explanation);
    append_exploration(text, explanation);
}

static nr_status print_text(struct cli *cli, const struct explanation *explanation)
{
    const struct record *record = explanation->record;
    const char *plain = plain_reason(record->method);
    struct text text = {0};
    text_format(&text, "trial %" PRId64 " of %s: %s%s%s\n", record->trial,
                study_text(explanation->view->study, KEY_STUDY_NAME), trial_status_name(record->status),
                *record->cause ? ", " : "", record->cause);
    if (*record->summary)
        text_format(&text, "network     %s\n", record->summary);
    text_format(&text, "point       %s\n", record->point_text);
    if (ended(record)) {
        text_append(&text, "came out    ");
        phrase_append_values(&text, explanation->view->study, record->value);
        text_append(&text, "\n");
    }
    text_format(&text, "chosen by   %s%s%s\n", record->method, plain ? ": " : "", plain ? plain : "");
    if (*record->note)
        text_format(&text, "            %s\n", record->note);
    if (explanation->modelled)
        append_model(&text, explanation);
    else if (!plain)
        text_format(&text, "\n(the model of then cannot be made again: %s)\n",
                    explanation->look->reason ? explanation->look->reason : "unknown");
    if (!text.failed)
        fputs(text.data, cli->out);
    nr_status status = text.failed ? log_no_memory(cli->log, "explaining a trial") : NR_OK;
    text_clear(&text);
    return status;
}

static void fill_row(struct filling *filling, const struct explanation *explanation, size_t j)
{
    const struct record *record = explanation->record;
    const struct diagnosis_reason *reason = &explanation->reason;
    struct text competitors = {0}, nearest = {0};
    for (size_t i = 0; i < reason->competitors; i++)
        text_format(&competitors, "%s%" PRId64, i ? " " : "", reason->competitor[i]);
    for (size_t i = 0; i < reason->nears; i++)
        text_format(&nearest, "%s%" PRId64, i ? " " : "", reason->nearest[i]);
    if (competitors.failed || nearest.failed)
        filling->status = NR_NO_MEMORY;
    bool model = explanation->modelled, uncertain = model && diagnosis_models(explanation->look->diagnosis, j);
    filling_row(filling);
    filling_int(filling, record->trial);
    filling_text(filling, record->method);
    filling_text(filling, record->note);
    filling_text(filling, model_outcome_name(explanation->view->study, j));
    filling_real(filling, model ? reason->expected[j].mean : NAN);
    filling_real(filling, uncertain ? reason->expected[j].low : NAN);
    filling_real(filling, uncertain ? reason->expected[j].high : NAN);
    filling_real(filling, model_outcome_value(explanation->view->study, record, j));
    filling_real(filling, uncertain ? reason->surprise[j] : NAN);
    filling_real(filling, uncertain ? reason->deviation[j] : NAN);
    filling_real(filling, model ? reason->log_value : NAN);
    filling_real(filling, model ? reason->log_improvement : NAN);
    filling_real(filling, model ? reason->log_success : NAN);
    filling_real(filling, model ? reason->log_seconds : NAN);
    filling_real(filling, model ? reason->front_chance : NAN);
    filling_text(filling, competitors.data);
    filling_text(filling, nearest.data);
    text_clear(&competitors);
    text_clear(&nearest);
}

static nr_status print_data(struct cli *cli, const struct explanation *explanation)
{
    static const char *const reals[] = {"expected",    "low",         "high",    "measured", "deviations", "uncertain",
                                        "acquisition", "improvement", "success", "cost",     "chance"};
    struct filling filling = filling_begin();
    struct table *table;
    filling_column(&filling, "trial", NULL, COLUMN_INT, 0, FORM_DATA);
    filling_column(&filling, "method", NULL, COLUMN_TEXT, 0, FORM_DATA);
    filling_column(&filling, "note", NULL, COLUMN_TEXT, 0, FORM_DATA);
    filling_column(&filling, "outcome", NULL, COLUMN_TEXT, 0, FORM_DATA);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        filling_column(&filling, reals[i], NULL, COLUMN_REAL, -1, FORM_DATA);
    filling_column(&filling, "competes_with", NULL, COLUMN_TEXT, 0, FORM_DATA);
    filling_column(&filling, "nearest", NULL, COLUMN_TEXT, 0, FORM_DATA);
    for (size_t j = 0; j < model_outcomes(explanation->view->study); j++)
        fill_row(&filling, explanation, j);
    nr_status status = filling_end(&filling, cli->log, "explaining a trial", &table);
    return status == NR_OK ? view_print(cli, table) : status;
}

/* What the model of then says, where one was asked. */
static nr_status ask_model(struct cli *cli, const struct look *look, struct explanation *explanation)
{
    const struct record *record = explanation->record;
    struct optim_admission admission = {0};
    if (!look->diagnosis || plain_reason(record->method))
        return NR_OK;
    if (!look->problem.optim.admit(look->problem.optim.context, record->point, &admission)) {
        log_error(cli->log, "trial %" PRId64 ": its point is not allowed by this study", record->trial);
        return NR_INVALID;
    }
    struct optim_result result = look_result(look, record);
    nr_status status = diagnosis_explain(look->diagnosis, record->point, &admission, ended(record) ? &result : NULL,
                                         &explanation->reason);
    explanation->modelled = status == NR_OK;
    if (status != NR_OK)
        log_error(cli->log, "trial %" PRId64 " cannot be explained: %s", record->trial, status_text(status));
    return status;
}

static nr_status explain(struct cli *cli, const struct view *view, int64_t trial)
{
    struct look look;
    struct explanation explanation = {.view = view, .look = &look};
    nr_status status = view_record(view, trial, cli->log, &explanation.record);
    if (status == NR_OK)
        status = view_look(view, trial, LOOK_RECORDED, cli->log, &look);
    if (status != NR_OK)
        return status;
    status = ask_model(cli, &look, &explanation);
    if (status == NR_OK)
        status = cli->format == TABLE_TEXT ? print_text(cli, &explanation) : print_data(cli, &explanation);
    diagnosis_reason_clear(&explanation.reason);
    look_clear(&look);
    return status;
}

nr_status command_explain(struct cli *cli)
{
    return view_show_trial(cli, explain);
}
