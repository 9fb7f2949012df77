/* What `nasrun bench train` trains, and how it measures: fixed networks on synthetic images in the device's memory. */
#ifndef NASRUN_BENCH_TRAINING_H
#define NASRUN_BENCH_TRAINING_H

#include "train/backend.h"

enum { BENCH_IMAGES = 60000, BENCH_LEAST_IMAGES = 16, BENCH_SIDE = 28, BENCH_CLASSES = 10, BENCH_NETWORKS = 4 };

struct bench_network {
    const char *name;
    int64_t batch;
    double seconds; /* on a CPU, measured for so long */
    const char *layers;
};
extern const struct bench_network bench_networks[BENCH_NETWORKS];

/* Images that can be learnt: the label decides which rows are bright. All of them train. */
struct bench_data {
    uint8_t *pixels, *labels;
    uint32_t *indices;
    float mean[1], deviation[1];
    struct dataset dataset;
    struct split split;
};

nr_status bench_data_create(int64_t images, struct log *log, struct bench_data *out) NR_MUST_CHECK;
void bench_data_clear(struct bench_data *data);

struct bench_candidate {
    struct study *study;
    struct plan *plan;
    struct recipe recipe;
    double flops; /* of the matrix products of one image's training */
};

nr_status bench_candidate_create(const struct bench_network *network, int64_t images, enum precision_kind precision,
                                 struct log *log, struct bench_candidate *out) NR_MUST_CHECK;
void bench_candidate_clear(struct bench_candidate *candidate);

/* Where a candidate is trained, as `lanes` trials at once. */
struct bench_place {
    const struct backend *backend;
    struct device *device;
    struct images *images;
    const struct split *split;
    struct log *log;
    int lanes;
};

struct bench_figures {
    double seconds; /* of an epoch, divided by the lanes: what one trial's epoch costs */
    int64_t nodes;  /* that the device starts per step; 0: it starts none */
    int64_t memory; /* bytes that the trials took together, beside the data; -1: the system decides */
};

/* On a device of its own: the median of five epochs after one to warm up. On the CPU, which other work shares: chunks
 * of 1,280 images for so many seconds, their lower quartile scaled up to the epoch, since other work only ever adds. */
nr_status bench_measure(const struct bench_place *place, const struct bench_candidate *candidate, double seconds,
                        struct bench_figures *out) NR_MUST_CHECK;

#endif
