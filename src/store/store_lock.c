/* The lock of a study's driver: a POSIX record lock on a file of its own beside the database.
 *
 * Of the kinds of locks only this one is the process's: flock() and open-file-description locks go to children with
 * fork, and a worker that outlives a killed driver for a moment would keep the study locked. It also names its holder,
 * and is a file of its own because closing any descriptor of a file drops the process's locks on it (SQLite's as well).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "store/store_internal.h"

static int open_lock_file(const char *path, int flags)
{
    struct text name = {0};
    text_format(&name, "%s.lock", path);
    int descriptor = -1;
    if (name.failed)
        errno = ENOMEM;
    else
        descriptor = open(name.data, flags | O_CLOEXEC, 0666);
    int cause = errno;
    text_clear(&name);
    errno = cause;
    return descriptor;
}

static int64_t holder_of(int descriptor)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

nr_status store_lock(struct store *store)
{
    if (store->lock >= 0)
        return NR_OK;
    int descriptor = open_lock_file(store->database.path, O_RDWR | O_CREAT);
    if (descriptor < 0) {
        log_error(store->log, "%s.lock: cannot be made: %s", store->database.path, strerror(errno));
        return NR_STORE;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_SETLK, &lock) == 0) {
        double spent = 0;
        nr_status read = store->study ? store_elapsed(store, &spent) : NR_OK;
        store_run_clock(store, spent);
        store->lock = descriptor;
        return read;
    }
    nr_status status = NR_STORE;
    if (errno == EACCES || errno == EAGAIN) {
        log_error(store->log, "%s: another nasrun (process %" PRId64 ") is running this study", store->database.path,
                  holder_of(descriptor));
        status = NR_INVALID;
    } else {
        log_error(store->log, "%s.lock: cannot be locked: %s", store->database.path, strerror(errno));
    }
    close(descriptor);
    return status;
}

int64_t store_holder(struct store *store)
{
    if (store->lock >= 0)
        return getpid();
    int descriptor = open_lock_file(store->database.path, O_RDONLY);
    if (descriptor < 0)
        return 0;
    int64_t holder = holder_of(descriptor);
    close(descriptor);
    return holder;
}

int64_t store_holder_of(const char *path)
{
    int descriptor = open_lock_file(path, O_RDONLY);
    if (descriptor < 0)
        return 0;
    int64_t holder = holder_of(descriptor);
    close(descriptor);
    return holder;
}
