/* A store's study against the configuration at hand: begun, or seen to be the same. */
#ifndef NASRUN_RUN_RECORDED_H
#define NASRUN_RUN_RECORDED_H

#include "space/study.h"
#include "store/store.h"
#include "train/dataset.h"

/* Workers and later commands read the study from its configuration as files_render_configuration() writes it: a value
 * that was given outside of a file, or a path made absolute, may be too long for a line there. Better refused before
 * anything is recorded. */
nr_status recorded_check(const struct study *study, struct log *log) NR_MUST_CHECK;
/* Records the study in an empty store. `device` is what it trains on, "" when that is not known yet; `dataset` is NULL
 * for a study with external objectives. */
nr_status recorded_begin(struct store *store, const struct study *study, const char *configuration, const char *device,
                         const struct dataset *dataset, struct log *log) NR_MUST_CHECK;
/* NR_INVALID when the configuration differs from the recorded one in more than [run] and trials, or in the order of
 * [space]: says in what. */
nr_status recorded_compare(const struct study *study, const struct store_study *recorded, const char *folder,
                           struct log *log) NR_MUST_CHECK;

#endif
