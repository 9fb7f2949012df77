/* Memory that stays with a lane from one trainer to the next. To give it back is to wait for the whole device, all
 * other lanes included (cudaFree does), and to get it costs milliseconds; a search makes and unmakes a trainer every
 * second. */
#ifndef NASRUN_TRAIN_CUDA_RESERVE_H
#define NASRUN_TRAIN_CUDA_RESERVE_H

#include "train/cuda/failure.h"

struct reserve {
    void *arena; /* of the device */
    size_t arena_bytes;
    void *pinned; /* of the host */
    size_t pinned_bytes;
};

/* Large enough, and not twice too large. */
bool reserve_fits(const struct reserve *lane, size_t arena_bytes);
/* At least so many bytes of either: what is left in `lane` if that fits, else new memory. The caller owns *out; *lane
 * is empty then. Too little of the device's memory leaves no word in the failure: the caller knows how much was asked
 * for. */
nr_status reserve_take(struct reserve *lane, size_t arena_bytes, size_t pinned_bytes, struct failure *failure,
                       struct reserve *out) NR_MUST_CHECK;
void reserve_release(struct reserve *reserve); /* an empty one is fine */

#endif
