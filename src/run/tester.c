#include "run/tester.h"

#include <stdlib.h>

#include "base/memory.h"
#include "run/files.h"
#include "run/session.h"
#include "run/preparation.h"
#include "train/backends.h"
#include "train/checkpoint.h"

struct tester {
    struct log *log;
    const char *folder;
    struct preparation preparation; /* the split holds the normalisation of the training share */
    struct dataset *test;
    uint32_t *indices;             /* all of the test set */
    const struct backend *backend; /* the CPU: a few thousand images once */
    struct device *device;
    struct images *images;
};

static nr_status create(const struct study *study, const char *folder, struct log *log, struct tester *tester)
{
    *tester = (struct tester){.log = log, .folder = folder};
    nr_status status = preparation_create(study, log, &tester->preparation);
    if (status == NR_OK)
        status = dataset_load(study, DATASET_TEST, log, &tester->test);
    if (status != NR_OK)
        return status;
    const struct shape *trained = &tester->preparation.dataset->shape, *tested = &tester->test->shape;
    if (trained->channels != tested->channels || trained->height != tested->height || trained->width != tested->width) {
        log_error(log, "%s: the test images are not of the shape of the training images", tester->test->name);
        return NR_INVALID;
    }
    tester->indices = mem_array((size_t)tester->test->count, sizeof *tester->indices);
    if (!tester->indices)
        return log_no_memory(log, "testing");
    for (int64_t i = 0; i < tester->test->count; i++)
        tester->indices[i] = (uint32_t)i;
    status = backend_load("cpu", log, &tester->backend);
    if (status == NR_OK)
        status = tester->backend->open(0, log, &tester->device);
    if (status == NR_OK)
        status = tester->backend->upload(tester->device, tester->test, &tester->images);
    return status;
}

static void clear(struct tester *tester)
{
    if (tester->images)
        tester->backend->unload(tester->images);
    if (tester->device)
        tester->backend->close(tester->device);
    free(tester->indices);
    dataset_destroy(tester->test);
    preparation_clear(&tester->preparation);
}

static nr_status evaluate(struct tester *tester, const struct study *study, const struct plan *plan,
                          const struct recipe *recipe, const struct checkpoint *checkpoint, struct tested *out)
{
    struct trainer_setup setup = {
        .plan = plan, .recipe = recipe, .split = tester->preparation.split, .seed = study_seed(study), .ranks = 1};
    struct trainer *trainer;
    struct evaluation evaluation;
    nr_status status = tester->backend->create(tester->device, tester->images, &setup, &trainer);
    if (status != NR_OK)
        return status;
    status = tester->backend->write_state(trainer, &checkpoint->state);
    if (status == NR_OK)
        status = tester->backend->evaluate(trainer, tester->images, tester->indices, tester->test->count, &evaluation);
    tester->backend->destroy(trainer);
    if (status != NR_OK)
        return status;
    out->accuracy = (double)evaluation.correct / (double)evaluation.images;
    out->loss = evaluation.loss_sum / (double)evaluation.images;
    return NR_OK;
}

static nr_status test_trial(struct tester *tester, const struct study *study, const struct record *record,
                            struct tested *out)
{
    struct plan *plan;
    struct recipe recipe;
    struct checkpoint checkpoint;
    char *path = files_weights(tester->folder, record->trial);
    if (!path)
        return log_no_memory(tester->log, "testing");
    nr_status status = problem_plan(&tester->preparation.problem, record->point, NULL, &plan, &recipe);
    if (status != NR_OK) {
        log_error(tester->log, "trial %lld gives no network any more", (long long)record->trial);
        goto err_path;
    }
    if (!tester->backend->supports(tester->device, recipe.precision))
        recipe.precision = PRECISION_FLOAT32; /* trained on a GPU: the weights are float32 in any case */
    status = checkpoint_read(path, plan, recipe_optimizer_slots(&recipe), tester->log, &checkpoint);
    if (status != NR_OK)
        goto err_plan;
    status = evaluate(tester, study, plan, &recipe, &checkpoint, out);
    checkpoint_clear(&checkpoint);
err_plan:
    plan_destroy(plan);
err_path:
    free(path);
    return status;
}

nr_status tester_run(const struct study *study, const char *folder, const struct results *results, struct store *store,
                     struct log *log, struct tested *out, size_t *count)
{
    struct tester tester;
    size_t members = 0, tested = 0, *front = mem_array(results->count, sizeof *front);
    if (!front || results_front(results, front, &members) != NR_OK) {
        free(front);
        return log_no_memory(log, "testing");
    }
    struct store_study recorded;
    nr_status status = create(study, folder, log, &tester);
    if (status == NR_OK)
        status = store_study(store, &recorded);
    if (status == NR_OK)
        status = preparation_compare_data(&tester.preparation, &recorded, folder, log);
    for (size_t i = 0; i < members && status == NR_OK; i++) {
        const struct record *record = &results->record[front[i]];
        if (session_is_asker(record->owner)) {
            log_warning(log, "trial %lld was measured elsewhere, its weights are not here", (long long)record->trial);
            continue;
        }
        out[tested].record = front[i];
        status = test_trial(&tester, study, record, &out[tested]);
        if (status == NR_OK)
            status = store_record_test(store, record->trial, out[tested].accuracy, out[tested].loss);
        tested++;
    }
    clear(&tester);
    free(front);
    if (status == NR_OK)
        *count = tested;
    return status;
}
