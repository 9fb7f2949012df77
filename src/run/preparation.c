#include "run/preparation.h"

#include <string.h>

nr_status preparation_require_training(const struct study *study, struct log *log)
{
    const char *path = study->config.path;
    if (!study->external)
        return NR_OK;
    log_error(log,
              "%s: there is nothing to train: the study has no [network], its objectives come from outside; "
              "\"nasrun serve %s\", or \"nasrun ask\" and \"nasrun tell\", drive it",
              path, path);
    return NR_INVALID;
}

nr_status preparation_create(const struct study *study, struct log *log, struct preparation *out)
{
    *out = (struct preparation){0};
    nr_status status = preparation_require_training(study, log);
    if (status == NR_OK)
        status = template_check(study, log);
    if (status == NR_OK)
        status = dataset_load(study, DATASET_TRAIN, log, &out->dataset);
    if (status == NR_OK)
        status = split_create(out->dataset, study_real(study, KEY_FRACTION, NULL),
                              study_real(study, KEY_VALIDATION, NULL), study_seed(study), log, &out->split);
    if (status == NR_OK) {
        problem_init(&out->problem, study, out->dataset->shape, out->dataset->classes, out->split->trainings);
        status = extremes_find(&out->problem, log, &out->extremes);
    }
    if (status != NR_OK)
        preparation_clear(out);
    return status;
}

nr_status preparation_compare_data(const struct preparation *preparation, const struct store_study *recorded,
                                   const char *folder, struct log *log)
{
    const struct dataset *dataset = preparation->dataset;
    if (!strcmp(dataset->digest, recorded->data_digest))
        return NR_OK;
    log_error(log, "%s: this study was begun with other data: the SHA-256 of %s is %s here, %s was recorded", folder,
              dataset->name, dataset->digest, recorded->data_digest);
    return NR_INVALID;
}

void preparation_clear(struct preparation *preparation)
{
    extremes_clear(&preparation->extremes);
    split_destroy(preparation->split);
    dataset_destroy(preparation->dataset);
    *preparation = (struct preparation){0};
}
