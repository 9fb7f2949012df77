/* An opened GPU and what is resident on it. For the files of this folder. */
#ifndef NASRUN_TRAIN_CUDA_DEVICE_H
#define NASRUN_TRAIN_CUDA_DEVICE_H

#include "kernels/kernels.h"
#include "train/cuda/collective.h"
#include "train/cuda/cuda.h"
#include "train/cuda/lane.h"
#include "train/cuda/reserve.h"

/* More than are of use: beyond about eight the starts of kernels are the limit, not the lanes. */
enum { DEVICE_MOST_LANES = 16 };

struct device {
    int number;
    struct log *log;
    struct cuda_options options;
    char name[96];
    int capability; /* 90 is 9.0 */
    int multiprocessors, clock_khz;
    struct failure failure;
    bool hung;                                 /* it does not answer: whatever waits for it would wait for ever */
    cudaStream_t stream;                       /* of uploads */
    struct lane *lane[DEVICE_MOST_LANES];      /* NULL until used */
    int trainers[DEVICE_MOST_LANES];           /* that live there: one, unless lanes do not matter */
    struct reserve reserve[DEVICE_MOST_LANES]; /* what the last trainer of the lane left */
    struct collective *group;                  /* NULL: none was joined */
    int rank, ranks;
};

struct images {
    struct device *device;
    struct shape shape;
    int64_t count;
    void *memory; /* pixels, then labels */
    struct k_images view;
};

/* Logs what the device's failure says of `doing`, forgets what can be forgotten, and returns the status. */
nr_status device_report(struct device *device, nr_status status, const char *doing);
/* Waits until the stream has done all that was enqueued; NR_DEVICE after an error, an error of another rank, or
 * `patience` without an end. */
nr_status device_wait(struct device *device, cudaStream_t stream) NR_MUST_CHECK;
/* Nothing came back for `patience` seconds. The group is left as it is: to leave it would wait for the device, too. */
nr_status device_hangs(struct device *device, const char *what) NR_MUST_CHECK;
/* NR_DEVICE once the device is lost; every entry asks first. */
nr_status device_check(const struct device *device) NR_MUST_CHECK;
/* The lane, made if it is used for the first time. */
nr_status device_lane(struct device *device, int number, struct lane **out) NR_MUST_CHECK;
/* Gives back lanes without a trainer and what they keep, which device_available() counts as free, until there is room
 * for `bytes` and the workspace of lane `number`, or there are no more. */
nr_status device_make_room(struct device *device, int number, size_t bytes) NR_MUST_CHECK;
size_t device_workspace(const struct device *device);
/* Memory for a trainer in that lane. NR_NO_MEMORY says what was needed and what is free. */
nr_status device_take_memory(struct device *device, int lane, size_t arena_bytes, size_t pinned_bytes,
                             struct reserve *out) NR_MUST_CHECK;
/* Takes it back; nothing may be running on it. */
void device_return_memory(struct device *device, int lane, struct reserve *reserve);

/* The device even if it could not be started: its failure tells why. */
nr_status device_create(int number, struct log *log, struct device **out) NR_MUST_CHECK;

/* Members of the table. */
nr_status device_count(struct log *log, int *out);
nr_status device_inspect(int number, struct log *log, struct device_summary *out);
nr_status device_open(int number, struct log *log, struct device **out);
void device_describe(const struct device *device, struct text *text);
void device_close(struct device *device);
int device_lanes(const struct device *device);
int64_t device_available(struct device *device);
bool device_supports(const struct device *device, enum precision_kind precision);
double device_peak(const struct device *device, enum precision_kind precision);
nr_status device_invite(struct device *device, char invitation[INVITATION_SIZE]);
nr_status device_join(struct device *device, const char *invitation, int rank, int ranks);
nr_status images_upload(struct device *device, const struct dataset *dataset, struct images **out);
void images_unload(struct images *images);

#endif
