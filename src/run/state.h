/* What a running search holds; shared by the files of the driver (search.c, resume.c, outcome.c) and by nobody else. */
#ifndef NASRUN_RUN_STATE_H
#define NASRUN_RUN_STATE_H

#include "optim/optimizer.h"
#include "report/progress.h"
#include "report/results.h"
#include "run/devices.h"
#include "run/pool.h"
#include "run/preparation.h"
#include "run/search.h"
#include "store/store.h"

enum { SEARCH_MOST_ATTEMPTS = 3 };

struct search {
    const struct study *study;
    const struct search_options *options;
    struct log *log;
    char *folder;
    struct preparation preparation;
    struct devices devices;
    char *begun_on; /* the device on record where it is another one than now, else NULL */
    struct store *store;
    struct optimizer *optimizer;
    struct results results;
    struct pool pool;
    struct progress *progress;
    int64_t *waiting; /* trials to start before new ones are asked for: interrupted ones and those of lost workers */
    size_t waitings, waiting_capacity;
    int64_t *kept; /* trials whose weights lie in the folder */
    size_t kepts, kept_capacity;
    double began;      /* this run, monotonic seconds */
    double spent;      /* earlier runs of the study, seconds */
    double wrote_csv;  /* when, monotonic seconds */
    double shown;      /* last redraw, monotonic seconds */
    double suggesting; /* seconds that the optimiser took in this run */
    bool stopping;     /* workers were asked to stop */
    double stop_asked; /* when, monotonic seconds */
    bool exhausted;
    enum search_end end;
};

/* Wall time of the study so far, all runs. */
double search_elapsed(const struct search *search);
nr_status search_wait_for(struct search *search, int64_t trial) NR_MUST_CHECK; /* queues it for a worker */

/* resume.c: an empty store begins, a used one must hold the same study; then optimizer and results are brought to where
 * the event log ends, and unfinished trials wait. */
nr_status search_restore(struct search *search) NR_MUST_CHECK;

/* assign.c: every free lane gets a trial: one that waits, or a new one. */
nr_status search_assign(struct search *search) NR_MUST_CHECK;

/* outcome.c: what workers report. */
nr_status search_on_epoch(struct search *search, struct pool_worker *worker, const json_t *message) NR_MUST_CHECK;
nr_status search_on_end(struct search *search, const json_t *message) NR_MUST_CHECK;
nr_status search_on_lost(struct search *search, const struct pool_loss *loss) NR_MUST_CHECK;
/* Weights of this trial lie in the folder: search_prune_files() deletes them once it is not on the front. */
nr_status search_keep_files(struct search *search, int64_t trial) NR_MUST_CHECK;
void search_prune_files(struct search *search);
/* pareto.csv and trials.csv; at most once a second unless `now`. */
nr_status search_write_tables(struct search *search, bool now) NR_MUST_CHECK;

/* display.c: what a person sees. */
void search_announce(const struct search *search);
void search_show_progress(struct search *search);
void search_show_end(struct search *search, const struct record *record); /* of a trial */
nr_status search_summarise(const struct search *search) NR_MUST_CHECK;

#endif
