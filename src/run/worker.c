#include "run/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/channel.h"
#include "run/files.h"
#include "run/problem.h"
#include "train/trial.h"

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
    double *point;
    int64_t trial; /* in training */
    bool stopped;  /* told to stop: leave after this trial */
};

static nr_status setup(struct worker *worker, const json_t *message)
{
    struct log *log = worker->log;
    nr_status status = study_read_text(channel_get_text(message, "configuration"), channel_get_text(message, "name"),
                                       NULL, 0, log, &worker->study);
    if (status != NR_OK)
        return status;
    worker->folder = mem_copy_string(channel_get_text(message, "folder"));
    worker->point = mem_array(worker->study->space.count, sizeof *worker->point);
    if (!worker->folder || !worker->point)
        return log_no_memory(log, "setting up a worker");
    status = dataset_map(WORKER_DATA, log, &worker->dataset);
    if (status != NR_OK)
        return status;
    status =
        split_create(worker->dataset, study_real(worker->study, KEY_FRACTION, NULL),
                     study_real(worker->study, KEY_VALIDATION, NULL), study_seed(worker->study), log, &worker->split);
    if (status != NR_OK)
        return status;
    problem_init(&worker->problem, worker->study, worker->dataset->shape, worker->dataset->classes,
                 worker->split->trainings);
    worker->backend = &cpu_backend;
    status = worker->backend->open(0, log, &worker->device);
    if (status == NR_OK)
        status = worker->backend->upload(worker->device, worker->dataset, &worker->images);
    return status;
}

static void clear(struct worker *worker)
{
    if (worker->images)
        worker->backend->unload(worker->images);
    if (worker->device)
        worker->backend->close(worker->device);
    split_destroy(worker->split);
    dataset_destroy(worker->dataset);
    study_destroy(worker->study);
    free(worker->point);
    free(worker->folder);
    channel_close(&worker->channel);
    close(worker->signals);
    log_destroy(worker->log);
}

/* Anything on the socket while a trial runs means stop: a "stop" message, or the end of the driver. */
static bool should_stop(void *context)
{
    struct worker *worker = context;
    struct pollfd polled[] = {{.fd = worker->signals, .events = POLLIN},
                              {.fd = worker->channel.descriptor, .events = POLLIN}};
    if (poll(polled, 2, 0) > 0)
        worker->stopped = true;
    return worker->stopped;
}

static bool on_epoch(void *context, const struct epoch_metrics *metrics)
{
    struct worker *worker = context;
    json_t *message = json_pack("{ss sI sI so so so so so}", "type", "epoch", "trial", (json_int_t)worker->trial,
                                "epoch", (json_int_t)metrics->epoch, "train_loss", channel_real(metrics->train_loss),
                                "validation_loss", channel_real(metrics->validation_loss), "validation_accuracy",
                                channel_real(metrics->validation_accuracy), "learning_rate",
                                channel_real(metrics->learning_rate), "seconds", channel_real(metrics->seconds));
    if (channel_send(&worker->channel, message) != NR_OK)
        worker->stopped = true; /* the driver is gone: should_stop() says so before the next step */
    return true;
}

/* The last checkpoint of a finished trial is its weights, on disk already: a second name for the file keeps them when
 * the driver deletes the checkpoint, and leaves the checkpoint for a resume should the driver never hear of the end. */
static nr_status keep_weights(struct worker *worker, const char *checkpoint)
{
    nr_status status = NR_OK;
    char *content;
    size_t length;
    char *path = files_weights(worker->folder, worker->trial);
    if (!path)
        return log_no_memory(worker->log, "keeping weights");
    (void)unlink(path);                /* left by a kill: the same bits */
    if (link(checkpoint, path) != 0) { /* a file system without hard links: a copy */
        status = file_read(checkpoint, worker->log, &content, &length);
        if (status == NR_OK) {
            status = file_replace(path, content, length, true, worker->log);
            free(content);
        }
    }
    free(path);
    return status;
}

static void train(struct worker *worker, struct trial_result *result)
{
    struct plan *plan;
    struct recipe recipe;
    struct text reason = {0};
    char *checkpoint = files_checkpoint(worker->folder, worker->trial);
    result->status = checkpoint ? problem_plan(&worker->problem, worker->point, &reason, &plan, &recipe) : NR_NO_MEMORY;
    if (result->status != NR_OK) {
        snprintf(result->cause, sizeof result->cause, "%s", reason.data ? reason.data : "out of memory");
        goto end;
    }
    struct trial_setup trial = {.backend = worker->backend,
                                .device = worker->device,
                                .images = worker->images,
                                .split = worker->split,
                                .plan = plan,
                                .recipe = &recipe,
                                .seed = study_seed(worker->study),
                                .trial = (uint32_t)worker->trial,
                                .checkpoint = checkpoint,
                                .on_epoch = on_epoch,
                                .should_stop = should_stop,
                                .context = worker};
    nr_status status = trial_run(&trial, worker->log, result);
    if (status == NR_OK && result->status == NR_OK)
        status = keep_weights(worker, checkpoint);
    if (status != NR_OK && result->status == NR_OK) {
        result->status = status;
        snprintf(result->cause, sizeof result->cause, "%.150s", log_text(worker->log));
    }
    plan_destroy(plan);
end:
    text_clear(&reason);
    free(checkpoint);
}

static nr_status report_end(struct worker *worker, const struct trial_result *result)
{
    const struct epoch_metrics *last = &result->last, *best = &result->best;
    return channel_send(
        &worker->channel,
        json_pack("{ss sI si ss sI so so so so so so}", "type", "end", "trial", (json_int_t)worker->trial, "status",
                  (int)result->status, "cause", result->cause, "epochs", (json_int_t)result->epochs, "val_accuracy",
                  channel_real(last->validation_accuracy), "val_loss", channel_real(last->validation_loss),
                  "train_loss", channel_real(last->train_loss), "best_val_accuracy",
                  channel_real(best->validation_accuracy), "best_val_loss", channel_real(best->validation_loss),
                  "best_train_loss", channel_real(best->train_loss)));
}

static nr_status handle(struct worker *worker, const json_t *message)
{
    const char *type = channel_get_text(message, "type");
    if (!strcmp(type, "stop")) {
        worker->stopped = true;
        return NR_OK;
    }
    if (!strcmp(type, "setup")) {
        nr_status status = setup(worker, message);
        if (status != NR_OK) {
            nr_status sent =
                channel_send(&worker->channel, json_pack("{ss ss}", "type", "error", "text", log_text(worker->log)));
            return sent == NR_OK ? status : sent;
        }
        struct text description = {0};
        worker->backend->describe(worker->device, &description);
        status = channel_send(&worker->channel, json_pack("{ss ss}", "type", "ready", "device",
                                                          description.data ? description.data : ""));
        text_clear(&description);
        return status;
    }
    struct trial_result result = {0};
    log_clear_text(worker->log);
    worker->trial = channel_get_int(message, "trial");
    nr_status status =
        point_parse(&worker->study->space, channel_get_text(message, "point"), worker->log, worker->point);
    if (status != NR_OK)
        return status;
    train(worker, &result);
    return report_end(worker, &result);
}

int worker_main(long driver)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != driver)
        return 3; /* the driver died before the line above */
    struct worker worker = {.channel.descriptor = WORKER_SOCKET, .signals = -1};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP); /* a terminal that closes tells every process of its group */
    sigprocmask(SIG_BLOCK, &set, NULL);
    worker.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    nr_status status = log_create(stderr, LOG_WARNING, &worker.log); /* the driver points it to the study's log */
    if (status == NR_OK)
        log_keep_text(worker.log);
    while (status == NR_OK && !worker.stopped) {
        struct pollfd polled = {.fd = worker.channel.descriptor, .events = POLLIN};
        json_t *message;
        poll(&polled, 1, -1);
        nr_status received = channel_receive(&worker.channel, &message);
        if (received == NR_NOT_FOUND)
            continue;
        if (received != NR_OK)
            break; /* the driver has closed its end: the normal way to leave */
        status = handle(&worker, message);
        json_decref(message);
    }
    clear(&worker);
    return status_exit(status);
}
