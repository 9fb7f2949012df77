#include "run/look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/replay.h"
#include "train/dataset.h"
#include "train/split.h"

/* Answers from the record: what is asked about are the recorded trials, in their order. */
static bool admit_recorded(void *context, const double *point, struct optim_admission *out)
{
    struct look *look = context;
    const struct results *results = look->results;
    const struct study *study = results->study;
    for (size_t step = 0; step < results->count; step++) {
        size_t index = (look->next + step) % results->count;
        const struct record *record = &results->record[index];
        if (!point_equal(&study->space, record->point, point))
            continue;
        for (size_t i = 0; i < study->objectives; i++)
            out->exact[i] = study->objective[i].exact ? record->value[i] : NAN;
        snprintf(out->identity, sizeof out->identity, "%s", record->identity);
        look->next = index + 1;
        return true;
    }
    return false;
}

/* Whether every recorded accuracy is a whole number of images right out of `images`. */
static bool all_are_shares(const struct results *results, size_t objective, int64_t images)
{
    for (size_t i = 0; i < results->count; i++) {
        double right = results->record[i].value[objective] * (double)images;
        if (results->record[i].status == TRIAL_DONE && fabs(right - round(right)) > 1e-9 * (double)images)
            return false;
    }
    return true;
}

/* How many images validate, from the record alone: the smallest number that all accuracies are shares of. It is the
 * true one or, where all numbers of right images happen to share a factor with that, a part of it. */
static int64_t guess_validations(const struct results *results)
{
    enum { MOST_IMAGES = 1000000 };
    const struct study *study = results->study;
    for (size_t j = 0; j < study->objectives; j++)
        for (int64_t images = 1; !strcmp(study->objective[j].name, "val_accuracy") && images < MOST_IMAGES; images++)
            if (all_are_shares(results, j, images))
                return images;
    return 0;
}

/* The problem as the driver has it, or as far as the record tells where the data set is not at hand. */
static void init_problem(struct look *look)
{
    const struct study *study = look->results->study;
    struct dataset_outline outline;
    int64_t trainings;
    if (study->external) {
        problem_init_external(&look->problem, study);
    } else if (dataset_outline(study, NULL, &outline) == NR_OK) {
        split_count(&outline, study_real(study, KEY_FRACTION, NULL), study_real(study, KEY_VALIDATION, NULL),
                    &trainings, &look->validations);
        problem_init(&look->problem, study, outline.shape, outline.classes, trainings);
    } else {
        look->validations = guess_validations(look->results);
        problem_init(&look->problem, study, (struct shape){0}, 0, 0);
        look->problem.optim.admit = admit_recorded;
        look->problem.optim.context = look;
    }
}

nr_status look_create(struct store *store, const struct results *results, int64_t trial, enum look_fit fit,
                      struct log *log, struct look *out)
{
    *out = (struct look){.results = results};
    struct text note = {0};
    struct replay replay = {.study = results->study, .store = store, .log = log};
    init_problem(out);
    replay.validations = out->validations;
    nr_status status = replay_create_optimizer(&out->problem, log, &out->optimizer);
    replay.optimizer = out->optimizer;
    if (status == NR_OK)
        status = trial ? replay_before(&replay, trial) : replay_all(&replay);
    if (status == NR_OK)
        status = diagnosis_create(out->optimizer, trial ? results->record[trial - 1].fit : NULL, fit == LOOK_FITTED,
                                  &note, &out->diagnosis);
    if (status == NR_NO_RESULT) {
        out->reason = text_take(&note);
        status = out->reason ? NR_OK : NR_NO_MEMORY;
    }
    if (status == NR_NO_MEMORY)
        (void)log_no_memory(log, "looking at the model");
    text_clear(&note);
    if (status != NR_OK)
        look_clear(out);
    return status;
}

struct optim_result look_result(const struct look *look, const struct record *record)
{
    return replay_result(look->results->study, look->validations, record->value, record->seconds);
}

void look_clear(struct look *look)
{
    diagnosis_destroy(look->diagnosis);
    optimizer_destroy(look->optimizer);
    free(look->reason);
    *look = (struct look){0};
}
