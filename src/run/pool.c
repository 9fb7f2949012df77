#include "run/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/worker.h"

enum { MOST_STARTS_WITHOUT_WORK = 3, PATIENCE_MS = 5000, BURIAL_MS = 500 };

int64_t pool_automatic_size(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? cores : 1;
}

nr_status pool_create(size_t count, const char *program, const char *log_path, const char *configuration,
                      const char *folder, int data, struct log *log, struct pool *out)
{
    struct pool_worker *workers = mem_array(count, sizeof *workers);
    if (!workers)
        return log_no_memory(log, "making room for workers");
    for (size_t i = 0; i < count; i++)
        workers[i].channel.descriptor = -1;
    *out = (struct pool){.worker = workers,
                         .count = count,
                         .log = log,
                         .program = program,
                         .log_path = log_path,
                         .configuration = configuration,
                         .folder = folder,
                         .data = data};
    return NR_OK;
}

/* The child gets the socket and the data set at fixed descriptors, the log as standard output and error, and one thread
 * per library: a trial is single-threaded. It stays in this process group. */
static int spawn(const struct pool *pool, int socket, int data, pid_t *process)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char driver[32];
    snprintf(driver, sizeof driver, "%ld", (long)getpid());
    char *arguments[] = {(char *)pool->program, "worker", driver, NULL};
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, pool->log_path, O_WRONLY | O_APPEND | O_CREAT, 0666);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, socket, WORKER_SOCKET);
    posix_spawn_file_actions_adddup2(&actions, data, WORKER_DATA);
    int error = posix_spawn(process, pool->program, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static nr_status start(struct pool *pool, struct pool_worker *worker)
{
    int pair[2];
    if (pool->starts_without_work >= MOST_STARTS_WITHOUT_WORK) {
        log_error(pool->log, "%d workers in a row ended before they could train; see %s", pool->starts_without_work,
                  pool->log_path);
        return NR_DEVICE;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_error(pool->log, "no socket for a worker: %s", strerror(errno));
        return NR_DEVICE;
    }
    /* Above the fixed numbers: below, the socket's dup2 could overwrite the data set before that is moved, and a dup2
     * onto the number itself would keep close-on-exec. */
    int socket = fcntl(pair[1], F_DUPFD_CLOEXEC, WORKER_DATA + 1);
    int data = socket < 0 ? -1 : fcntl(pool->data, F_DUPFD_CLOEXEC, WORKER_DATA + 1);
    int error = data < 0 ? errno : spawn(pool, socket, data, &worker->process);
    close(pair[1]);
    if (socket >= 0)
        close(socket);
    if (data >= 0)
        close(data);
    if (error) {
        close(pair[0]);
        log_error(pool->log, "a worker cannot be started: %s", strerror(error));
        return NR_DEVICE;
    }
    worker->channel = (struct channel){.descriptor = pair[0]};
    worker->state = WORKER_STARTING;
    worker->trial = 0;
    json_t *setup = json_pack("{ss ss ss ss}", "type", "setup", "configuration", pool->configuration, "name",
                              "configuration", "folder", pool->folder);
    if (channel_send(&worker->channel, setup) != NR_OK)
        log_debug(pool->log, "worker %ld left before its setup", (long)worker->process);
    return NR_OK;
}

nr_status pool_fill(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        nr_status status = pool->worker[i].state == WORKER_ABSENT ? start(pool, &pool->worker[i]) : NR_OK;
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}

struct pool_worker *pool_idle(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        if (pool->worker[i].state == WORKER_IDLE)
            return &pool->worker[i];
    return NULL;
}

size_t pool_busy(const struct pool *pool)
{
    size_t busy = 0;
    for (size_t i = 0; i < pool->count; i++)
        busy += pool->worker[i].state == WORKER_BUSY;
    return busy;
}

void pool_train(struct pool_worker *worker, int64_t trial, const char *point)
{
    worker->trial = trial;
    worker->state = WORKER_BUSY;
    json_t *message = json_pack("{ss sI ss}", "type", "train", "trial", (json_int_t)trial, "point", point);
    if (channel_send(&worker->channel, message) != NR_OK)
        shutdown(worker->channel.descriptor, SHUT_RDWR); /* pool_receive() sees its end */
}

void pool_stop(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct pool_worker *worker = &pool->worker[i];
        if (worker->state != WORKER_ABSENT &&
            channel_send(&worker->channel, json_pack("{ss}", "type", "stop")) != NR_OK)
            shutdown(worker->channel.descriptor, SHUT_RDWR);
    }
}

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}

/* Waits for a process to leave by itself, and kills it when it does not; returns how it ended, as waitpid(). */
static int wait_or_kill(pid_t process, int patience_ms)
{
    int status = 0;
    for (int waited = 0; waited < patience_ms; waited += 10) {
        if (waitpid(process, &status, WNOHANG) != 0)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(process, SIGKILL);
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* Of a worker whose socket is closed. It is given a moment to leave, so that its own end is told and not our kill. */
static nr_status bury(struct pool *pool, struct pool_worker *worker, const struct pool_events *events)
{
    char how[96];
    channel_close(&worker->channel);
    describe_end(wait_or_kill(worker->process, BURIAL_MS), how, sizeof how);
    if (worker->state == WORKER_STARTING)
        pool->starts_without_work++;
    int64_t trial = worker->trial;
    *worker = (struct pool_worker){.state = WORKER_ABSENT, .channel.descriptor = -1};
    return events->gone(events->context, trial, how);
}

/* All whole messages of one worker; its end, if that is what came. */
static nr_status listen_to(struct pool *pool, struct pool_worker *worker, const struct pool_events *events)
{
    for (;;) {
        json_t *message;
        nr_status status = channel_receive(&worker->channel, &message);
        if (status == NR_NOT_FOUND)
            return NR_OK;
        if (status != NR_OK)
            return bury(pool, worker, events);
        const char *type = channel_get_text(message, "type");
        if (!strcmp(type, "ready")) {
            worker->state = WORKER_IDLE;
            snprintf(worker->device, sizeof worker->device, "%s", channel_get_text(message, "device"));
            pool->starts_without_work = 0;
        }
        if (!strcmp(type, "error"))
            log_error(pool->log, "a worker cannot work: %s", channel_get_text(message, "text"));
        status = events->message(events->context, worker, message);
        if (!strcmp(type, "end")) {
            worker->state = WORKER_IDLE;
            worker->trial = 0;
        }
        json_decref(message);
        if (status != NR_OK)
            return status;
    }
}

nr_status pool_receive(struct pool *pool, int signals, int milliseconds, const struct pool_events *events)
{
    struct pollfd *polled = mem_array(pool->count + 1, sizeof *polled);
    if (!polled)
        return log_no_memory(pool->log, "waiting for workers");
    for (size_t i = 0; i < pool->count; i++)
        polled[i] = (struct pollfd){.fd = pool->worker[i].channel.descriptor, .events = POLLIN};
    polled[pool->count] = (struct pollfd){.fd = signals, .events = POLLIN};
    nr_status status = NR_OK;
    if (poll(polled, pool->count + 1, milliseconds) > 0) {
        struct signalfd_siginfo information;
        if (polled[pool->count].revents & POLLIN && read(signals, &information, sizeof information) > 0)
            events->signal(events->context);
        for (size_t i = 0; i < pool->count && status == NR_OK; i++)
            if (polled[i].revents)
                status = listen_to(pool, &pool->worker[i], events);
    }
    free(polled);
    return status;
}

void pool_clear(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        channel_close(&pool->worker[i].channel);
    for (size_t i = 0; i < pool->count; i++)
        if (pool->worker[i].state != WORKER_ABSENT)
            (void)wait_or_kill(pool->worker[i].process, PATIENCE_MS);
    free(pool->worker);
    *pool = (struct pool){0};
}
