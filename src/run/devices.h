/* Which devices train a search, and how many trials at a time on each: [run] devices, lanes, gpus_per_trial and workers
 * against what is there. Decided once by the driver, before anything is written. */
#ifndef NASRUN_RUN_DEVICES_H
#define NASRUN_RUN_DEVICES_H

#include <stddef.h>

#include "base/text.h"
#include "run/preparation.h"

/* One GPU, for one worker process. */
struct gpu {
    int number;     /* among the devices that this process may see */
    char *visible;  /* CUDA_VISIBLE_DEVICES of its worker, so that it sees this one alone: "3", "GPU-8932f937" */
    char name[96];  /* "NVIDIA H100 80GB HBM3" */
    int64_t memory; /* bytes free for trials, the data set subtracted */
    int64_t lane;   /* bytes that a lane takes beside its trial */
};

struct devices {
    const char *backend; /* "cpu" or "cuda" */
    struct gpu *gpu;     /* NULL on the CPU */
    size_t gpus;
    size_t workers; /* processes: one per GPU, or as many as train at a time on the CPU; the caller may take fewer */
    int ranks;      /* workers that train one trial together: 1, or gpus_per_trial */
    int lanes;      /* trials at a time in a worker, or group of workers */
    char driver[64];
};

/* `auto` takes every GPU that can do what the study asks for, else the CPU, and warns when there is a driver whose
 * devices cannot be used. Everything else that cannot be had is NR_INVALID, with what was found and what is possible.
 * `program` is the executable that asks for GPUs in a child. */
nr_status devices_choose(const struct study *study, struct preparation *preparation, const char *program,
                         struct log *log, struct devices *out) NR_MUST_CHECK;
void devices_clear(struct devices *devices);

/* "cpu": what trains, for the record: on GPUs "cuda: NVIDIA H100 80GB HBM3 (0), ...; driver 580.159.04, CUDA 13.0"; on
 * the CPU what its backend says. */
nr_status devices_describe(const struct devices *devices, struct log *log, struct text *out) NR_MUST_CHECK;
/* "2 workers", "GPU 0 with 8 lanes", "GPUs 0, 2 with 4 lanes each", "GPUs 0, 1, 2, 3 in groups of 2". */
void devices_append_summary(const struct devices *devices, struct text *out);

#endif
