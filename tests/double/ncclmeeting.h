/* Where the processes of NCCL's double meet: a segment of shared memory named by the unique id. */
#ifndef NCCLMEETING_H
#define NCCLMEETING_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cudadouble
{

/* One rank's membership. It holds a lock on its byte of the segment, which the system takes from a process that dies,
 * even while nobody has waited for it. */
class meeting
{
  public:
    enum { max_ranks = 16, slot_floats = 1 << 16 };
    enum class presence { absent, attached, finalized, aborted };

    meeting(const std::string &name, int rank, int ranks, int device);
    ~meeting();
    meeting(const meeting &) = delete;
    meeting &operator=(const meeting &) = delete;

    void set(presence mine);
    bool all(presence at_least) const;
    bool anyone_gone() const; /* aborted, or died while attached */
    bool agrees() const;      /* once all are there: as many ranks, no device twice */
    void forget_name();       /* the segment stays as long as someone has it; done once all are there */

    /* The next piece of a sum: put mine, then, once all have put theirs, read the mean. False: others are not there. */
    bool put(const float *values, size_t count, size_t total);
    bool take_mean(float *values, size_t count, size_t total);

  private:
    struct slot {
        std::atomic<int> state, device, ranks;
        std::atomic<uint64_t> written, read; /* pieces */
        uint64_t total;                      /* elements of the whole reduction, which all must give alike */
        float values[slot_floats];
    };

    bool is_dead(int rank) const;

    std::string name_;
    int rank_, ranks_, file_;
    uint64_t pieces_ = 0; /* that are over */
    slot *slots_;
};

} // namespace cudadouble

#endif
