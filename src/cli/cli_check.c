/* nasrun check CONFIG: what a configuration means, without training or writing anything. */
#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/describe.h"
#include "run/preparation.h"

static void append_range(const struct dimension *dimension, struct text *text)
{
    static const char *const kinds[] = {"real", "int", "ordered", "choice", "bool", "fixed"};
    text_format(text, "%s ", kinds[dimension->kind]);
    if (dimension->levels) {
        for (size_t i = 0; i < dimension->levels; i++)
            text_format(text, "%s%s", i ? ", " : "", dimension->level[i]);
    } else {
        text_append_real(text, dimension->low);
        text_append(text, "..");
        text_append_real(text, dimension->high);
        if (dimension->step > 0) {
            text_append(text, " step ");
            text_append_real(text, dimension->step);
        }
        if (dimension->log)
            text_append(text, " log");
    }
    if (dimension->condition)
        text_format(text, " if %s", expression_text(dimension->condition));
}

static void print_space(FILE *out, const struct space *space)
{
    bool exact;
    double size = space_size(space, &exact);
    fprintf(out, "\nSpace       %zu dimensions, ", space->count);
    if (isinf(size))
        fprintf(out, "continuous\n");
    else
        fprintf(out, "%s%.*g points\n", exact ? "" : "at most ", size < 1e9 ? 9 : 3, size);
    for (size_t d = 0; d < space->count; d++) {
        struct text range = {0};
        double values = dimension_size(&space->dimension[d]);
        append_range(&space->dimension[d], &range);
        fprintf(out, "  %-16s %-36s ", space->dimension[d].name, range.data ? range.data : "");
        if (isinf(values))
            fprintf(out, "continuous\n");
        else
            fprintf(out, "%.0f value%s\n", values, values == 1 ? "" : "s");
        text_clear(&range);
    }
}

static nr_status print_network(FILE *out, const struct problem *problem, const char *which, const double *point)
{
    struct plan *plan;
    struct recipe recipe;
    struct text text = {0};
    nr_status status = problem_plan(problem, point, NULL, &plan, &recipe);
    if (status != NR_OK)
        return status;
    plan_append_summary(plan, &text);
    double memory = problem_exact("memory", plan, &recipe);
    fprintf(out,
            "\n%-11s %s\n            %" PRId64 " parameters, %" PRId64
            " MACs an image, %.1f MiB to train with batch %" PRId64 "\n",
            which, text.data ? text.data : "", plan->parameters, plan->macs, memory / 1048576, recipe.batch_size);
    describe_layers(out, plan);
    text_clear(&text);
    plan_destroy(plan);
    return NR_OK;
}

static void print_objective(FILE *out, const struct study *study, const struct objective *objective)
{
    fprintf(out, "  %-16s %s", objective->name, objective->maximize ? "maximize" : "minimize");
    if (!isnan(objective->threshold))
        fprintf(out, ", worth something from %.10g on", objective->threshold);
    if (objective->expression)
        fprintf(out, "; exact, %s\n", expression_text(objective->expression));
    else if (study->external)
        fprintf(out, "; told\n");
    else
        fprintf(out, "%s\n", objective->exact ? "; known before training" : "; measured by training");
}

static void print_constraint(FILE *out, const struct constraint *constraint)
{
    if (constraint->relation == RELATION_EXPRESSION)
        fprintf(out, "  %-16s %s\n", constraint->name, expression_text(constraint->expression));
    else
        fprintf(out, "  %-16s %s %.10g\n", constraint->name,
                constraint->relation == RELATION_AT_MOST ? "<=" : ">=", constraint->bound);
}

/* Those that are kept beforehand, or those that only trials show. */
static void print_constraints(FILE *out, const struct study *study, bool outcome, const char *title)
{
    bool any = false;
    for (size_t i = 0; i < study->constraints; i++) {
        if (study->constraint[i].outcome != outcome)
            continue;
        if (!any)
            fprintf(out, "\n%s\n", title);
        any = true;
        print_constraint(out, &study->constraint[i]);
    }
}

static void print_goals(FILE *out, const struct study *study)
{
    fprintf(out, "\nObjectives\n");
    for (size_t i = 0; i < study->objectives; i++)
        print_objective(out, study, &study->objective[i]);
    print_constraints(out, study, false, "Constraints (a point that breaks one is never proposed)");
    print_constraints(out, study, true, "Constraints on outcomes (whether a point keeps them is learnt from trials)");
}

static void print_title(FILE *out, const struct study *study)
{
    fprintf(out, "%s: study \"%s\", ", study->config.path, study_text(study, KEY_STUDY_NAME));
    if (!study->external || study->setting[KEY_TRIALS].file) /* else whoever asks decides */
        fprintf(out, "%" PRId64 " trials, ", study_int(study, KEY_TRIALS, NULL));
    fprintf(out, "seed %" PRIu64 "\n", study_seed(study));
}

static nr_status explain(FILE *out, const struct study *study, const struct preparation *preparation)
{
    const struct dataset *dataset = preparation->dataset;
    const struct split *split = preparation->split;
    print_title(out, study);
    fprintf(out,
            "\nData        %s: %" PRId64 " images %" PRId64 "x%" PRId64 "x%" PRId64 ", %" PRId64 " classes; %" PRId64
            " train, %" PRId64 " validate\n",
            dataset->name, dataset->count, dataset->shape.channels, dataset->shape.height, dataset->shape.width,
            dataset->classes, split->trainings, split->validations);
    print_space(out, &study->space);
    print_goals(out, study);
    nr_status status = print_network(out, &preparation->problem, "Smallest", preparation->extremes.smallest);
    if (status == NR_OK)
        status = print_network(out, &preparation->problem, "Largest", preparation->extremes.largest);
    fprintf(out, "\n%" PRId64 " of %" PRId64 " random points are allowed. Nothing was trained or written.\n",
            preparation->extremes.allowed, preparation->extremes.tried);
    return status;
}

static nr_status check_training(struct cli *cli, const struct study *study)
{
    struct preparation preparation;
    study_warn_idle(study, cli->log);
    nr_status status = preparation_create(study, cli->log, &preparation);
    if (status != NR_OK)
        return status;
    status = explain(cli->out, study, &preparation);
    preparation_clear(&preparation);
    return status;
}

/* What is known of every point: the ends of exact objectives, and two points that have them. */
static nr_status explain_external(FILE *out, struct problem *problem, const struct extremes *extremes, struct log *log)
{
    const struct study *study = problem->study;
    nr_status status = NR_OK;
    print_title(out, study);
    print_space(out, &study->space);
    print_goals(out, study);
    for (size_t i = 0; i < study->objectives && status == NR_OK; i++) {
        struct extent extent;
        if (!study->objective[i].exact)
            continue;
        status = extremes_of_objective(problem, extremes, i, log, &extent);
        if (status == NR_OK)
            fprintf(out, "\n%-11s from %.10g to %.10g%s\n", study->objective[i].name, extent.least, extent.most,
                    extent.proven ? "" : ", as far as a search shows");
    }
    fprintf(out, "\n%" PRId64 " of %" PRId64 " points tried are allowed. Nothing was written.\n", extremes->allowed,
            extremes->tried);
    return status;
}

static nr_status check_external(struct cli *cli, const struct study *study)
{
    struct problem problem;
    struct extremes extremes;
    problem_init_external(&problem, study);
    nr_status status = extremes_find(&problem, cli->log, &extremes);
    if (status != NR_OK)
        return status;
    status = explain_external(cli->out, &problem, &extremes, cli->log);
    extremes_clear(&extremes);
    return status;
}

nr_status command_check(struct cli *cli)
{
    struct study *study;
    nr_status status = study_read(cli->argument[0], cli->set, cli->sets, cli->log, &study);
    if (status != NR_OK)
        return status;
    status = study->external ? check_external(cli, study) : check_training(cli, study);
    study_destroy(study);
    return status;
}
