#include "run/worker.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/channel.h"
#include "run/lanes.h"
#include "train/backends.h"

/* While a device works on what it was given; a portion takes two hundred times as long. */
static const struct timespec nap = {.tv_nsec = 100000};
static const double most_silence = 5; /* seconds */

struct worker {
    struct log *log;
    struct channel channel;
    int signals; /* signalfd: SIGINT, SIGTERM, SIGHUP */
    char *folder;
    struct study *study;
    struct dataset *dataset;
    struct split *split;
    struct problem problem;
    const struct backend *backend;
    struct device *device;
    struct images *images;
    struct lanes *lanes;
    int rank, ranks;
    double spoke; /* when the driver was last told anything, monotonic seconds */
    bool stopped; /* told to stop, or nobody is there to be told: leave */
    bool lost;    /* the device has failed: it is not touched again */
};

/* What cannot be sent has nobody to read it: the driver is gone. */
static void tell(struct worker *worker, json_t *message)
{
    worker->spoke = clock_monotonic();
    if (channel_send(&worker->channel, message) != NR_OK)
        worker->stopped = true;
}

static bool on_start(void *context, int64_t trial, const char *point, int64_t epochs)
{
    struct worker *worker = context;
    tell(worker, json_pack("{ss sI ss sI}", "type", "start", "trial", (json_int_t)trial, "point", point, "epochs",
                           (json_int_t)epochs));
    return !worker->stopped;
}

static void on_epoch(void *context, int64_t trial, const struct epoch_metrics *metrics)
{
    tell(context, json_pack("{ss sI sI so so so so so}", "type", "epoch", "trial", (json_int_t)trial, "epoch",
                            (json_int_t)metrics->epoch, "train_loss", channel_real(metrics->train_loss),
                            "validation_loss", channel_real(metrics->validation_loss), "validation_accuracy",
                            channel_real(metrics->validation_accuracy), "learning_rate",
                            channel_real(metrics->learning_rate), "seconds", channel_real(metrics->seconds)));
}

static void tell_end(struct worker *worker, int64_t trial, const struct trial_result *result, bool alone)
{
    const struct epoch_metrics *last = &result->last, *best = &result->best;
    tell(worker,
         json_pack("{ss sI si ss sb sI so so so so so so}", "type", "end", "trial", (json_int_t)trial, "status",
                   (int)result->status, "cause", result->cause, "alone", alone, "epochs", (json_int_t)result->epochs,
                   "val_accuracy", channel_real(last->validation_accuracy), "val_loss",
                   channel_real(last->validation_loss), "train_loss", channel_real(last->train_loss),
                   "best_val_accuracy", channel_real(best->validation_accuracy), "best_val_loss",
                   channel_real(best->validation_loss), "best_train_loss", channel_real(best->train_loss)));
}

/* The ranks of a group see the same end, and rank 0 tells it. What another meets by itself is the trial's end where
 * that is the trial's fault, and else a loss; either way the driver ends the group. */
static void on_end(void *context, int64_t trial, const struct trial_result *result, bool alone)
{
    struct worker *worker = context;
    nr_status status = result->status;
    if (worker->rank == 0 || status == NR_NO_MEMORY || status == NR_INFEASIBLE) {
        tell_end(worker, trial, result, alone);
    } else if (status != NR_OK && status != NR_DIVERGED && status != NR_INTERRUPTED) {
        log_error(worker->log, "trial %lld, rank %d: %s", (long long)trial, worker->rank, result->cause);
        tell(worker, json_pack("{ss sI ss}", "type", "error", "trial", (json_int_t)trial, "text", result->cause));
        worker->stopped = true;
    }
}

static nr_status read_study(struct worker *worker, const json_t *message)
{
    struct log *log = worker->log;
    nr_status status = study_read_text(channel_get_text(message, "configuration"), channel_get_text(message, "name"),
                                       NULL, 0, log, &worker->study);
    if (status != NR_OK)
        return status;
    worker->folder = mem_copy_string(channel_get_text(message, "folder"));
    if (!worker->folder)
        return log_no_memory(log, "setting up a worker");
    status = dataset_map(WORKER_DATA, log, &worker->dataset);
    if (status != NR_OK)
        return status;
    status =
        split_create(worker->dataset, study_real(worker->study, KEY_FRACTION, NULL),
                     study_real(worker->study, KEY_VALIDATION, NULL), study_seed(worker->study), log, &worker->split);
    if (status == NR_OK)
        problem_init(&worker->problem, worker->study, worker->dataset->shape, worker->dataset->classes,
                     worker->split->trainings);
    return status;
}

/* The process sees one device only, whatever its number elsewhere. */
static nr_status open_device(struct worker *worker, const char *backend)
{
    nr_status status = backend_load(backend, worker->log, &worker->backend);
    if (status == NR_OK)
        status = worker->backend->open(0, worker->log, &worker->device);
    if (status == NR_OK)
        status = worker->backend->upload(worker->device, worker->dataset, &worker->images);
    return status;
}

static nr_status make_lanes(struct worker *worker, bool on_cpu)
{
    const struct lanes_setup lanes = {
        .backend = worker->backend,
        .device = worker->device,
        .images = worker->images,
        .split = worker->split,
        .problem = &worker->problem,
        .folder = worker->folder,
        .rank = worker->rank,
        .ranks = worker->ranks,
        .patience = on_cpu ? 0 : study_real(worker->study, KEY_PATIENCE, NULL), /* its steps cannot hang */
        .checkpoint_interval = study_real(worker->study, KEY_CHECKPOINTS, NULL),
        .log = worker->log,
        .events = {.start = on_start, .epoch = on_epoch, .end = on_end, .context = worker}};
    return lanes_create(&lanes, &worker->lanes);
}

static nr_status answer_ready(struct worker *worker, int64_t lanes)
{
    char invitation[INVITATION_SIZE] = "";
    struct text description = {0};
    nr_status status = NR_OK;
    int most = worker->backend->lanes(worker->device);
    if (worker->ranks > 1 && worker->rank == 0)
        status = worker->backend->invite(worker->device, invitation);
    worker->backend->describe(worker->device, &description);
    if (status == NR_OK)
        tell(worker, json_pack("{ss ss sI ss}", "type", "ready", "device", description.data ? description.data : "",
                               "lanes", (json_int_t)(lanes < most ? lanes : most), "invitation", invitation));
    text_clear(&description);
    return status;
}

static nr_status set_up(struct worker *worker, const json_t *message)
{
    const char *backend = channel_get_text(message, "backend");
    worker->rank = (int)channel_get_int(message, "rank");
    worker->ranks = (int)channel_get_int(message, "ranks");
    nr_status status = read_study(worker, message);
    if (status == NR_OK)
        status = open_device(worker, backend);
    if (status == NR_OK)
        status = make_lanes(worker, !strcmp(backend, "cpu"));
    if (status == NR_OK)
        status = answer_ready(worker, channel_get_int(message, "lanes"));
    return status;
}

static nr_status join(struct worker *worker, const json_t *message)
{
    nr_status status =
        worker->backend->join(worker->device, channel_get_text(message, "invitation"), worker->rank, worker->ranks);
    if (status == NR_OK)
        tell(worker, json_pack("{ss}", "type", "joined"));
    return status;
}

static nr_status take(struct worker *worker, const json_t *message)
{
    const struct lanes_trial trial = {.trial = channel_get_int(message, "trial"),
                                      .lane = (int)channel_get_int(message, "lane"),
                                      .point = channel_get_text(message, "point"),
                                      .alone = json_is_true(json_object_get(message, "alone")),
                                      .follows = worker->rank > 0,
                                      .from = channel_get_int(message, "from")};
    return lanes_take(worker->lanes, &trial);
}

static nr_status handle(struct worker *worker, const json_t *message)
{
    const char *type = channel_get_text(message, "type");
    nr_status status = NR_OK;
    if (!strcmp(type, "setup"))
        status = set_up(worker, message);
    else if (!strcmp(type, "join"))
        status = join(worker, message);
    else if (!strcmp(type, "train"))
        status = take(worker, message);
    else if (!strcmp(type, "stop"))
        worker->stopped = true;
    if (status != NR_OK)
        tell(worker, json_pack("{ss ss}", "type", "error", "text", log_text(worker->log)));
    return status;
}

/* Everything that has come. The end of the file is the driver's way to say that nothing more will. */
static nr_status listen(struct worker *worker)
{
    nr_status status = NR_OK;
    while (status == NR_OK && !worker->stopped) {
        json_t *message;
        nr_status received = channel_receive(&worker->channel, &message);
        if (received == NR_NOT_FOUND)
            return NR_OK;
        if (received != NR_OK) {
            worker->stopped = true;
            return NR_OK;
        }
        status = handle(worker, message);
        json_decref(message);
    }
    return status;
}

/* Waits for messages and signals: for ever with nothing to do, a moment while a device works, else not at all. */
static void wait_for_news(struct worker *worker, enum lanes_turn turn)
{
    const struct timespec at_once = {0};
    const struct timespec *timeout = turn == LANES_EMPTY ? NULL : turn == LANES_WAIT ? &nap : &at_once;
    struct pollfd polled[] = {{.fd = worker->signals, .events = POLLIN},
                              {.fd = worker->channel.descriptor, .events = POLLIN}};
    if (ppoll(polled, 2, timeout, NULL) > 0 && polled[0].revents)
        worker->stopped = true;
}

/* One turn of all lanes. */
static enum lanes_turn train(struct worker *worker)
{
    enum lanes_turn turn = lanes_advance(worker->lanes);
    double silence = fmin(most_silence, study_real(worker->study, KEY_PATIENCE, NULL) / 4);
    if (turn != LANES_EMPTY && clock_monotonic() - worker->spoke > silence)
        tell(worker, json_pack("{ss}", "type", "alive"));
    return turn;
}

/* The device is of no use to this process any more: a new one goes on. */
static nr_status tell_of_loss(struct worker *worker)
{
    const char *cause = lanes_cause(worker->lanes);
    int64_t trial = lanes_failed_trial(worker->lanes);
    worker->lost = true;
    log_error(worker->log, "trial %lld: %s", (long long)trial, cause);
    tell(worker, json_pack("{ss sI ss}", "type", "error", "trial", (json_int_t)trial, "text", cause));
    return NR_DEVICE;
}

static nr_status serve(struct worker *worker)
{
    enum lanes_turn turn = LANES_EMPTY;
    nr_status status = NR_OK;
    for (;;) {
        wait_for_news(worker, turn);
        status = listen(worker);
        if (status != NR_OK || worker->stopped)
            break;
        turn = worker->lanes ? train(worker) : LANES_EMPTY;
        if (turn == LANES_LOST)
            return tell_of_loss(worker);
    }
    if (worker->lanes)
        lanes_stop(worker->lanes);
    return status;
}

/* Calls to a lost device may never return, not even at the exit of the process: then the driver, who sees the closed
 * socket, kills it, and the kernel takes back what it held. */
static void clear(struct worker *worker)
{
    lanes_destroy(worker->lanes);
    if (worker->images && !worker->lost)
        worker->backend->unload(worker->images);
    if (worker->device && !worker->lost)
        worker->backend->close(worker->device);
    split_destroy(worker->split);
    dataset_destroy(worker->dataset);
    study_destroy(worker->study);
    free(worker->folder);
    channel_close(&worker->channel);
    close(worker->signals);
    log_destroy(worker->log);
}

int worker_main(long driver)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != driver)
        return 3; /* the driver died before the line above */
    struct worker worker = {.channel.descriptor = WORKER_SOCKET, .signals = -1, .ranks = 1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP); /* a terminal that closes tells every process of its group */
    sigprocmask(SIG_BLOCK, &set, NULL);
    worker.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    nr_status status = log_create(stderr, LOG_WARNING, &worker.log); /* the driver points it to the study's log */
    if (status == NR_OK) {
        log_keep_text(worker.log);
        status = serve(&worker);
    }
    clear(&worker);
    return status_exit(status);
}
