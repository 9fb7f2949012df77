#include "ncclmeeting.h"

#include "doublework.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cudadouble
{

meeting::meeting(const std::string &name, int rank, int ranks, int device) : name_(name), rank_(rank), ranks_(ranks)
{
    const size_t bytes = sizeof(slot) * max_ranks; /* not in memory but for what is touched */
    file_ = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
    if (file_ < 0 || ftruncate(file_, static_cast<off_t>(bytes)) != 0)
        misuse("ncclCommInitRankConfig: %s: %s", name.c_str(), strerror(errno));
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (memory == MAP_FAILED)
        misuse("ncclCommInitRankConfig: %s: %s", name.c_str(), strerror(errno));
    slots_ = static_cast<slot *>(memory); /* zero bytes are what a fresh one has */
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_start = rank;
    lock.l_len = 1;
    if (fcntl(file_, F_SETLK, &lock) != 0 || slots_[rank].state != static_cast<int>(presence::absent))
        misuse("ncclCommInitRankConfig: rank %d is there already", rank);
    slots_[rank].device = device;
    slots_[rank].ranks = ranks;
    set(presence::attached);
    if (all(presence::attached))
        forget_name();
}

meeting::~meeting()
{
    munmap(slots_, sizeof(slot) * max_ranks);
    close(file_);
}

void meeting::set(presence mine)
{
    slots_[rank_].state = static_cast<int>(mine);
}

bool meeting::all(presence at_least) const
{
    for (int i = 0; i < ranks_; i++)
        if (slots_[i].state < static_cast<int>(at_least) || slots_[i].state == static_cast<int>(presence::aborted))
            return false;
    return true;
}

bool meeting::is_dead(int rank) const
{
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_start = rank;
    lock.l_len = 1;
    return rank != rank_ && fcntl(file_, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK &&
           slots_[rank].state == static_cast<int>(presence::attached);
}

bool meeting::anyone_gone() const
{
    for (int i = 0; i < ranks_; i++)
        if (slots_[i].state == static_cast<int>(presence::aborted) ||
            (slots_[i].state == static_cast<int>(presence::attached) && is_dead(i)))
            return true;
    return false;
}

bool meeting::agrees() const
{
    for (int i = 0; i < ranks_; i++) {
        if (slots_[i].ranks != ranks_)
            return false;
        for (int j = 0; j < i; j++)
            if (slots_[i].device == slots_[j].device)
                return false;
    }
    return true;
}

void meeting::forget_name()
{
    shm_unlink(name_.c_str());
}

bool meeting::put(const float *values, size_t count, size_t total)
{
    slot &mine = slots_[rank_];
    if (mine.written > pieces_)
        return true;
    for (int i = 0; i < ranks_; i++)
        if (slots_[i].read < pieces_)
            return false;
    memcpy(mine.values, values, count * sizeof *values);
    mine.total = total;
    mine.written = pieces_ + 1;
    return true;
}

bool meeting::take_mean(float *values, size_t count, size_t total)
{
    for (int i = 0; i < ranks_; i++)
        if (slots_[i].written <= pieces_)
            return false;
    for (int i = 0; i < ranks_; i++)
        if (slots_[i].total != total)
            misuse("ncclAllReduce: %zu elements on rank %d, %llu on rank %d", total, rank_,
                   static_cast<unsigned long long>(slots_[i].total), i);
    for (size_t at = 0; at < count; at++) {
        double sum = 0;
        for (int i = 0; i < ranks_; i++)
            sum += static_cast<double>(slots_[i].values[at]);
        values[at] = static_cast<float>(sum / ranks_);
    }
    slots_[rank_].read = ++pieces_;
    return true;
}

} // namespace cudadouble
