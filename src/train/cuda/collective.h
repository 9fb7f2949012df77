/* A data-parallel group by NCCL: one process and one GPU per rank, one all-reduce per step inside the graph.
 *
 * The communicator is non-blocking: nothing here waits for another rank longer than `patience` seconds, and a rank that
 * meets an error aborts, so that no other hangs. */
#ifndef NASRUN_TRAIN_CUDA_COLLECTIVE_H
#define NASRUN_TRAIN_CUDA_COLLECTIVE_H

#include <stdint.h>

#include "train/backend.h"
#include "train/cuda/failure.h"

struct collective;

nr_status collective_invite(struct failure *failure, char invitation[INVITATION_SIZE]) NR_MUST_CHECK;
nr_status collective_join(const char *invitation, int rank, int ranks, double patience, struct failure *failure,
                          struct collective **out) NR_MUST_CHECK;
/* Enqueues the mean over the ranks, in place; may be captured. */
nr_status collective_mean(struct collective *collective, float *values, int64_t count,
                          cudaStream_t stream) NR_MUST_CHECK;
/* Looks for errors of this or another rank; to be called while waiting. */
nr_status collective_check(struct collective *collective) NR_MUST_CHECK;
/* After an error or a time-out, on this rank. No graph may hold a mean of the group any more: NCCL waits for that, for
 * ever if need be ("keep polling until all graphs referencing us die", init.cc). */
void collective_abort(struct collective *collective);
/* Waits for the other ranks to do the same, unless something failed before: then it aborts. NULL is fine. Of graphs as
 * above. */
void collective_destroy(struct collective *collective);

#endif
