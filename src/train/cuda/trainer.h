/* One candidate in training on a GPU. For the files of this folder:
 *   trainer.c   making and unmaking one       graph.c   steps as CUDA graphs
 *   progress.c  submit and poll               state.c   states in and out, evaluation
 *
 * Steps that were submitted are enqueued in portions, a bounded number ahead, each closed by a mark: a copy of the
 * device's struct k_state into pinned memory and an event behind it. poll() collects marks and enqueues more. */
#ifndef NASRUN_TRAIN_CUDA_TRAINER_H
#define NASRUN_TRAIN_CUDA_TRAINER_H

#include "train/cuda/blueprint.h"
#include "train/cuda/device.h"
#include "train/cuda/feed.h"

enum { TRAINER_MARKS = 2 };

struct mark {
    cudaEvent_t event;
    bool pending;
    int64_t resets; /* of the progress, at the time it was set */
};

/* Pinned memory of the host, one block; the order of the images follows it. */
struct pinned {
    struct k_state state[TRAINER_MARKS];
    struct k_evaluation evaluation;
};

struct trainer {
    struct device *device;
    const struct images *images;
    struct trainer_setup setup;
    struct lane *lane;
    struct blueprint blueprint;
    struct reserve memory; /* all that it has of the device's and of pinned memory */
    struct pinned *pinned;
    struct feed feed;
    cudaGraphExec_t many, one, last; /* steps_per_graph full steps; one; the short one (NULL: there is none) */
    struct mark mark[TRAINER_MARKS]; /* mark[first] is the oldest */
    int first;
    int64_t submitted, enqueued; /* steps since the start of the trial */
    int64_t resets;
    double alive; /* when the device was last seen to get on */
    struct progress progress;
    char cause[sizeof((struct failure *)0)->text];
};

/* The group that its steps take the mean over: the device's, if that has as many ranks (one, perhaps); else NULL. */
static inline struct collective *trainer_group(const struct trainer *trainer)
{
    const struct device *device = trainer->device;
    return device->ranks == (trainer->setup.ranks > 1 ? trainer->setup.ranks : 1) ? device->group : NULL;
}

/* trainer.c */
nr_status trainer_create(struct device *device, struct images *images, const struct trainer_setup *setup,
                         struct trainer **out);
void trainer_destroy(struct trainer *trainer);
int64_t trainer_memory(const struct device *device, const struct plan *plan, const struct recipe *recipe);
int64_t trainer_nodes(const struct trainer *trainer);
/* After a failure: lets the other ranks of the trainer's group know, which must not wait for this one. Ends the graphs
 * first, and with them the trainer: NCCL waits, also in an abort, until no graph holds a collective of its communicator
 * any more. Nothing is done where the device is lost: what is left then is the end of the process. */
void trainer_leave_group(struct trainer *trainer);

/* graph.c: captures all graphs; every node must have run once outside of a capture. */
nr_status graph_capture_all(struct trainer *trainer) NR_MUST_CHECK;
/* The graph of the next step, and of how many it is; at most `most`, at least 1. */
cudaGraphExec_t graph_choose(const struct trainer *trainer, int64_t step, int64_t most, int64_t *steps);

/* progress.c */
nr_status trainer_submit(struct trainer *trainer, int64_t steps);
void trainer_poll(struct trainer *trainer, struct progress *out);
void trainer_reset_progress(struct trainer *trainer);
/* Position in the sequence of passes at which a step begins. */
int64_t trainer_position(const struct trainer *trainer, int64_t step);
/* Waits for all submitted steps. NR_DEVICE, NR_NO_MEMORY; a training that diverged is no error here. */
nr_status trainer_drain(struct trainer *trainer) NR_MUST_CHECK;
/* Notes the device's failure as the trainer's; returns what progress.status then is. */
nr_status trainer_fail(struct trainer *trainer, nr_status status);

/* state.c */
nr_status trainer_evaluate(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                           struct evaluation *out);
nr_status trainer_predict(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                          float *logits);
nr_status trainer_read_state(struct trainer *trainer, struct trial_state *out);
nr_status trainer_write_state(struct trainer *trainer, const struct trial_state *state);

#endif
