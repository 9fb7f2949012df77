/* What the files of the runtime's double share; the doubles of the libraries include doublework.h alone.
 *
 * Time: work is queued per stream and run by advance(), when the host waits or asks, one node at a time of a stream
 * chosen at random, so that only what events and streams order is ordered.
 * Space: device memory is host memory that is poisoned for AddressSanitizer unless work runs. */
#ifndef DOUBLE_RUNTIME_H
#define DOUBLE_RUNTIME_H

#include "doublework.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace cudadouble
{

/* ---- plans.cc: what the environment asks for, and which call is to fail ---- */

enum class driver_kind { present, none, old };

/* "The nth call of that name"; see NASRUN_DOUBLE_FAIL in cudadouble.h. */
struct plan {
    std::string call, once;
    long nth = 0, seen = 0;
    int code = 0; /* 0: the one that fits the call */
    bool when_run = false;
    bool due(const char *name); /* counts; true: this is the one */
};

struct settings {
    int devices;
    std::vector<int> visible; /* their numbers, as CUDA_VISIBLE_DEVICES has them */
    size_t memory;
    int major, minor;
    driver_kind driver;
    bool eager;
    std::string no_epilogue;
    plan fail, hang;
};

settings &configuration();
cudaError_t planned_fault(const char *work); /* what the device dies of when this work begins; 0: go on */
uint64_t draw(uint64_t below);               /* of the order's generator */

/* ---- errors.cc ---- */

bool is_sticky(cudaError_t error);
cudaError_t report(cudaError_t error); /* notes what cudaGetLastError() returns, and what is sticky */
cudaError_t lost();                    /* the sticky error; 0: none */
cudaError_t take_last();               /* and forgets it, unless it is sticky */
void forget_errors();

/* What a call of the runtime does first: no driver, a lost device, or a planned failure; 0: go on. */
cudaError_t enter(const char *call, cudaError_t code);
/* The same for a call that a capture of this thread forbids. */
cudaError_t enter_unsafe(const char *call, cudaError_t code);

/* ---- memory.cc ---- */

void open_memory(); /* work runs: it may be touched; pairs with close_memory() */
void close_memory();
enum class place { device, pinned, pageable };
place where_is(const void *p);
/* Ends the test unless `bytes` at `p` are pinned memory. */
void need_pinned(const void *p, size_t bytes, const char *call, const char *argument);
/* Bytes from `p`, which may be 0, to the end of the live allocation of the current device that it points into. */
size_t need_live(const void *p, const char *call, const char *argument);
bool was_allocated(const void *p);   /* it points to device memory, live or freed not long ago */
std::vector<uint64_t> take_needed(); /* serial numbers of the allocations that need() saw since the call began */
void note_needed(const std::vector<uint64_t> &serials);
bool is_live(uint64_t serial);
size_t live_allocations();

/* ---- doublework.cc ---- */

void begin_call(); /* forgets what need() saw for a call that came to nothing */
size_t live_objects();

/* ---- streams.cc ---- */

struct node {
    const char *name;
    std::function<bool()> run;
    std::vector<uint64_t> uses; /* allocations */
};

/* What one call put into a stream: a node, or all those of a graph. */
struct launch {
    std::shared_ptr<const std::vector<node>> nodes;
    std::function<void()> finished;
    size_t next = 0;
    bool begun = false, hung = false; /* of nodes[next] */
};

void queue(cudaStream_t stream, launch work);
/* Runs nodes until `enough` holds or nothing can run. wait: then asks blocked work again, for ever. */
void advance(const std::function<bool()> &enough, bool wait);
void drain_device(int device);   /* waits for all of its streams */
void drain_blocking(int device); /* for those that the legacy stream waits for */
void drop_work();                /* the device is lost */
bool spoil_captures();           /* true: there was one */
cudaStream_t legacy_stream(int device);
/* Ends the test unless it is a live stream that work may be put in; 400 where it belongs to another device. */
cudaError_t use_stream(cudaStream_t stream, const char *call);

} // namespace cudadouble

struct CUgraph_st {
    std::vector<cudadouble::node> nodes;
};

struct CUstream_st {
    int device = 0;
    bool blocking = true;
    std::deque<cudadouble::launch> work;
    std::unique_ptr<CUgraph_st> capture;
    bool spoiled = false;
};

#endif
