#include "run/pool.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/process.h"

/* A trial that always kills its worker costs three of them; a GPU that loses more before any epoch is finished is
 * broken itself. A CPU is not. */
enum { MOST_STARTS_WITHOUT_WORK = 3, MOST_LOSSES = 5, PATIENCE_MS = 5000, BURIAL_MS = 500 };

int64_t pool_automatic_size(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? cores : 1;
}

static size_t ranks(const struct pool *pool)
{
    return (size_t)pool->setup.devices->ranks;
}

/* Rank 0 of a worker's group; the others follow it. */
static struct pool_worker *leader_of(const struct pool_worker *worker)
{
    return (struct pool_worker *)worker - worker->rank;
}

/* Whether all ranks of the group have come as far. */
static bool group_is(const struct pool *pool, const struct pool_worker *worker, enum worker_state state)
{
    const struct pool_worker *leader = leader_of(worker);
    for (size_t i = 0; i < ranks(pool); i++)
        if (leader[i].state != state)
            return false;
    return true;
}

nr_status pool_create(const struct pool_setup *setup, struct pool *out)
{
    size_t lanes = (size_t)setup->devices->lanes, count = setup->devices->workers;
    struct pool pool = {.setup = *setup, .worker = mem_array(count, sizeof *pool.worker), .count = count};
    int64_t *trials = mem_array(count * lanes, sizeof *trials);
    if (!pool.worker || !trials) {
        free(pool.worker);
        free(trials);
        return log_no_memory(setup->log, "making room for workers");
    }
    for (size_t i = 0; i < pool.count; i++) {
        struct pool_worker *worker = &pool.worker[i];
        worker->channel.descriptor = -1;
        worker->gpu = setup->devices->gpus ? &setup->devices->gpu[i] : NULL;
        worker->rank = (int)(i % (size_t)setup->devices->ranks);
        worker->trial = trials + i * lanes;
    }
    *out = pool;
    return NR_OK;
}

static void describe(const struct pool_worker *worker, char *out, size_t size)
{
    if (worker->gpu)
        snprintf(out, size, "the worker on device %d (%s)", worker->gpu->number, worker->gpu->name);
    else
        snprintf(out, size, "a worker");
}

/* A worker that cannot be reached is seen to end by pool_receive(). */
static void tell(struct pool_worker *worker, json_t *message)
{
    if (channel_send(&worker->channel, message) != NR_OK)
        shutdown(worker->channel.descriptor, SHUT_RDWR);
}

static nr_status start(struct pool *pool, struct pool_worker *worker)
{
    const struct pool_setup *setup = &pool->setup;
    const struct process_setup process = {.program = setup->program,
                                          .log_path = setup->log_path,
                                          .data = setup->data,
                                          .visible = worker->gpu ? worker->gpu->visible : NULL};
    char who[160];
    describe(worker, who, sizeof who);
    if (pool->starts_without_work >= MOST_STARTS_WITHOUT_WORK) {
        log_error(setup->log, "%d workers in a row ended before they could train; see %s", pool->starts_without_work,
                  setup->log_path);
        return NR_DEVICE;
    }
    if (worker->gpu && leader_of(worker)->losses >= MOST_LOSSES) {
        log_error(setup->log, "%s was lost %d times without finishing an epoch; see %s", who, leader_of(worker)->losses,
                  setup->log_path);
        return NR_DEVICE;
    }
    nr_status status = process_start(&process, setup->log, &worker->process, &worker->channel.descriptor);
    if (status != NR_OK)
        return status;
    worker->state = WORKER_STARTING;
    worker->heard = clock_monotonic();
    tell(worker, json_pack("{ss ss ss ss ss si si si}", "type", "setup", "configuration", setup->configuration, "name",
                           "configuration", "folder", setup->folder, "backend", setup->devices->backend, "lanes",
                           setup->devices->lanes, "rank", worker->rank, "ranks", setup->devices->ranks));
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

static int busy_lanes(const struct pool_worker *worker)
{
    int busy = 0;
    for (int lane = 0; lane < worker->lanes; lane++)
        busy += worker->trial[lane] != 0;
    return busy;
}

bool pool_idle(struct pool *pool, struct pool_place *out)
{
    struct pool_worker *least = NULL;
    for (size_t i = 0; i < pool->count; i += ranks(pool)) {
        struct pool_worker *worker = &pool->worker[i];
        if (group_is(pool, worker, WORKER_SERVING) && busy_lanes(worker) < worker->lanes &&
            (!least || busy_lanes(worker) < busy_lanes(least)))
            least = worker;
    }
    for (int lane = 0; least && lane < least->lanes; lane++) {
        if (!least->trial[lane]) {
            *out = (struct pool_place){least, lane};
            return true;
        }
    }
    return false;
}

size_t pool_busy(const struct pool *pool)
{
    size_t busy = 0;
    for (size_t i = 0; i < pool->count; i++)
        busy += (size_t)busy_lanes(&pool->worker[i]);
    return busy;
}

size_t pool_lanes(const struct pool *pool)
{
    return pool->count / ranks(pool) * (size_t)pool->setup.devices->lanes;
}

void pool_train(const struct pool *pool, struct pool_place place, int64_t trial, const char *point, bool alone)
{
    struct pool_worker *worker = place.worker;
    for (size_t i = 0; i < ranks(pool) && !busy_lanes(worker); i++)
        worker[i].heard = clock_monotonic(); /* an idle worker need not speak */
    worker->trial[place.lane] = trial;
    tell(worker, json_pack("{ss sI si sb ss}", "type", "train", "trial", (json_int_t)trial, "lane", place.lane, "alone",
                           alone, "point", point));
}

static void stop_group(struct pool *pool, struct pool_worker *leader)
{
    for (size_t i = 0; i < ranks(pool); i++)
        if (leader[i].state != WORKER_ABSENT)
            kill(leader[i].process, SIGKILL);
}

void pool_stop(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i += ranks(pool)) {
        struct pool_worker *worker = &pool->worker[i];
        if (ranks(pool) > 1)
            stop_group(pool, worker);
        else if (worker->state != WORKER_ABSENT)
            tell(worker, json_pack("{ss}", "type", "stop"));
    }
}

/* What remains of a process is cleared away; its place keeps what is known of its device. */
static int remove_worker(struct pool_worker *worker)
{
    channel_close(&worker->channel);
    int status = process_wait(worker->process, BURIAL_MS);
    worker->state = WORKER_ABSENT;
    worker->process = 0;
    worker->lanes = 0;
    worker->failed_trial = worker->followed = 0;
    *worker->reason = *worker->device = *worker->invitation = '\0';
    return status;
}

static void kill_group(struct pool *pool, struct pool_worker *leader)
{
    for (size_t i = 0; i < ranks(pool); i++) {
        if (leader[i].state == WORKER_ABSENT)
            continue;
        kill(leader[i].process, SIGKILL);
        (void)remove_worker(&leader[i]);
    }
}

/* Leaves the group without trials; `out` [POOL_MOST_LANES] gets what it had, the return value is their number. */
static size_t take_trials(struct pool_worker *leader, int64_t *out)
{
    size_t count = 0;
    for (int lane = 0; lane < leader->lanes; lane++) {
        if (leader->trial[lane])
            out[count++] = leader->trial[lane];
        leader->trial[lane] = 0;
    }
    return count;
}

/* Of a worker whose socket is closed. It is given a moment to leave, so that its own end is told and not our kill. The
 * others of its group wait for it in vain and are killed. */
static nr_status bury(struct pool *pool, struct pool_worker *worker, const struct pool_events *events)
{
    struct pool_worker *leader = leader_of(worker);
    int64_t trials[POOL_MOST_LANES];
    struct pool_loss loss = {.failed_trial = worker->failed_trial, .trial = trials};
    describe(worker, loss.who, sizeof loss.who);
    snprintf(loss.how, sizeof loss.how, "%s", worker->reason);
    loss.trials = take_trials(leader, trials);
    if (worker->state == WORKER_STARTING)
        pool->starts_without_work++;
    leader->losses++;
    int ended = remove_worker(worker);
    if (!*loss.how)
        process_describe_end(ended, loss.how, sizeof loss.how);
    kill_group(pool, leader);
    return events->gone(events->context, &loss);
}

/* Whether a trial's end leaves its group unable to train another: a rank that failed has left the others, or they wait
 * for it. Before they were told of the trial nothing has happened to them. */
static bool breaks_group(const struct pool *pool, const struct pool_worker *worker, const json_t *end)
{
    nr_status status = (nr_status)channel_get_int(end, "status");
    bool shared = worker->rank > 0 || worker->followed == channel_get_int(end, "trial");
    return ranks(pool) > 1 && shared && status != NR_OK && status != NR_DIVERGED && status != NR_INTERRUPTED;
}

/* The trial that broke the group has ended: nobody was lost, and a new group goes on. Should rank 0 have been given
 * another trial since, that one begins again. */
static nr_status retire(struct pool *pool, struct pool_worker *worker, const json_t *end,
                        const struct pool_events *events)
{
    int64_t trials[POOL_MOST_LANES];
    struct pool_loss loss = {.failed_trial = channel_get_int(end, "trial"), .trial = trials};
    describe(worker, loss.who, sizeof loss.who);
    snprintf(loss.how, sizeof loss.how, "%s", channel_get_text(end, "cause"));
    loss.trials = take_trials(leader_of(worker), trials);
    kill_group(pool, leader_of(worker));
    return loss.trials ? events->gone(events->context, &loss) : NR_OK;
}

/* With the last rank that is ready the group can join: rank 0's invitation goes to all. */
static void meet(struct pool *pool, struct pool_worker *worker)
{
    struct pool_worker *leader = leader_of(worker);
    worker->state = ranks(pool) > 1 ? WORKER_MET : WORKER_SERVING;
    if (ranks(pool) == 1 || !group_is(pool, worker, WORKER_MET))
        return;
    for (size_t i = 0; i < ranks(pool); i++) {
        leader[i].state = WORKER_JOINING;
        leader[i].heard = clock_monotonic();
        tell(&leader[i], json_pack("{ss ss}", "type", "join", "invitation", leader->invitation));
    }
}

/* Rank 0 is about to start a trial: so do the others, after as many epochs. */
static void follow(struct pool *pool, struct pool_worker *leader, const json_t *message)
{
    leader->followed = channel_get_int(message, "trial");
    for (size_t i = 1; i < ranks(pool); i++)
        tell(&leader[i],
             json_pack("{ss sI si ss sI}", "type", "train", "trial", (json_int_t)channel_get_int(message, "trial"),
                       "lane", 0, "point", channel_get_text(message, "point"), "from",
                       (json_int_t)channel_get_int(message, "epochs")));
}

static void take_ready(struct pool *pool, struct pool_worker *worker, const json_t *message)
{
    worker->lanes = (int)channel_get_int(message, "lanes");
    snprintf(worker->device, sizeof worker->device, "%s", channel_get_text(message, "device"));
    snprintf(worker->invitation, sizeof worker->invitation, "%s", channel_get_text(message, "invitation"));
    pool->starts_without_work = 0;
    meet(pool, worker);
}

/* It leaves after that: what it says is told with its end, but for one that never worked. */
static void take_error(struct pool *pool, struct pool_worker *worker, const json_t *message)
{
    worker->failed_trial = channel_get_int(message, "trial");
    if (worker->failed_trial)
        snprintf(worker->reason, sizeof worker->reason, "%s", channel_get_text(message, "text"));
    else
        log_error(pool->setup.log, "a worker cannot work: %s", channel_get_text(message, "text"));
}

/* Of rank 0, or of another that a trial failed on by itself: whichever comes first is the trial's. */
static nr_status take_end(struct pool *pool, struct pool_worker *worker, const json_t *message,
                          const struct pool_events *events)
{
    struct pool_worker *leader = leader_of(worker);
    for (int lane = 0; lane < leader->lanes; lane++)
        if (leader->trial[lane] == channel_get_int(message, "trial"))
            leader->trial[lane] = 0;
    nr_status status = events->message(events->context, leader, message);
    return status == NR_OK && breaks_group(pool, worker, message) ? retire(pool, worker, message, events) : status;
}

static nr_status take_message(struct pool *pool, struct pool_worker *worker, const json_t *message,
                              const struct pool_events *events)
{
    const char *type = channel_get_text(message, "type");
    worker->heard = clock_monotonic();
    if (!strcmp(type, "end"))
        return take_end(pool, worker, message, events);
    if (!strcmp(type, "ready"))
        take_ready(pool, worker, message);
    else if (!strcmp(type, "joined"))
        worker->state = WORKER_SERVING;
    else if (!strcmp(type, "start"))
        follow(pool, worker, message);
    else if (!strcmp(type, "error"))
        take_error(pool, worker, message);
    return worker->rank == 0 ? events->message(events->context, worker, message) : NR_OK;
}

/* All whole messages of one worker; its end, if that is what came. */
static nr_status listen_to(struct pool *pool, struct pool_worker *worker, const struct pool_events *events)
{
    while (worker->state != WORKER_ABSENT) {
        json_t *message;
        nr_status status = channel_receive(&worker->channel, &message);
        if (status == NR_NOT_FOUND)
            return NR_OK;
        if (status != NR_OK)
            return bury(pool, worker, events);
        status = take_message(pool, worker, message, events);
        json_decref(message);
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}

/* A worker with a GPU that should be at work and says nothing hangs in a call: it is killed, and its end comes as any
 * other. On the CPU nothing hangs, but a step may take long. */
static void kill_silent(struct pool *pool)
{
    double now = clock_monotonic();
    for (size_t i = 0; i < pool->count; i++) {
        struct pool_worker *worker = &pool->worker[i];
        bool idle = worker->state == WORKER_SERVING && !busy_lanes(leader_of(worker));
        if (!worker->gpu || worker->state == WORKER_ABSENT || worker->state == WORKER_MET || idle ||
            now - worker->heard < pool->setup.patience)
            continue;
        snprintf(worker->reason, sizeof worker->reason, "said nothing for %.0f s and was killed", now - worker->heard);
        kill(worker->process, SIGKILL);
        shutdown(worker->channel.descriptor, SHUT_RDWR); /* seen as its end, even if it does not die */
        worker->heard = now;
    }
}

nr_status pool_receive(struct pool *pool, int signals, int milliseconds, const struct pool_events *events)
{
    struct pollfd *polled = mem_array(pool->count + 1, sizeof *polled);
    if (!polled)
        return log_no_memory(pool->setup.log, "waiting for workers");
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
    kill_silent(pool);
    return status;
}

void pool_clear(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        channel_close(&pool->worker[i].channel);
    for (size_t i = 0; i < pool->count; i++)
        if (pool->worker[i].state != WORKER_ABSENT)
            (void)process_wait(pool->worker[i].process, PATIENCE_MS);
    if (pool->count)
        free(pool->worker[0].trial);
    free(pool->worker);
    *pool = (struct pool){0};
}
