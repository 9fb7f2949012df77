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

/* The problem as the driver has it; the number of validation images, 0 where it is unknown. */
static int64_t init_problem(struct look *look)
{
    const struct study *study = look->results->study;
    struct dataset_outline outline = {.classes = 2};
    int64_t trainings = 0, validations = 0;
    look->data = dataset_outline(study, NULL, &outline) == NR_OK;
    if (look->data)
        split_count(&outline, study_real(study, KEY_FRACTION, NULL), study_real(study, KEY_VALIDATION, NULL),
                    &trainings, &validations);
    problem_init(&look->problem, study, outline.shape, outline.classes, trainings);
    if (!look->data) {
        look->problem.optim.admit = admit_recorded;
        look->problem.optim.context = look;
    }
    return validations;
}

nr_status look_create(struct store *store, const struct results *results, int64_t trial, struct log *log,
                      struct look *out)
{
    *out = (struct look){.results = results};
    struct text note = {0};
    struct replay replay = {.study = results->study, .store = store, .log = log};
    replay.validations = init_problem(out);
    nr_status status = replay_create_optimizer(&out->problem, log, &out->optimizer);
    replay.optimizer = out->optimizer;
    if (status == NR_OK)
        status = trial ? replay_before(&replay, trial) : replay_all(&replay);
    if (status == NR_OK)
        status =
            diagnosis_create(out->optimizer, trial ? results->record[trial - 1].fit : NULL, &note, &out->diagnosis);
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

void look_clear(struct look *look)
{
    diagnosis_destroy(look->diagnosis);
    optimizer_destroy(look->optimizer);
    free(look->reason);
    *look = (struct look){0};
}
