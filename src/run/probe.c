#include "run/probe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/channel.h"
#include "train/backends.h"

/* A first contact with eight GPUs takes seconds; one with a driver that hangs, for ever. */
enum { PATIENCE_SECONDS = 60, MOST_ANSWER = 1 << 20 };

/* What a child left in `descriptor`, as a string; NULL when out of memory. */
static char *read_back(int descriptor)
{
    char *content = mem_array(MOST_ANSWER + 1, 1);
    if (content && pread(descriptor, content, MOST_ANSWER, 0) < 0)
        *content = '\0';
    return content;
}

static int spawn(const char *program, bool train, int answer, int errors, pid_t *process)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char *arguments[] = {(char *)program, "probe", train ? "train" : NULL, NULL};
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, answer, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    int error = posix_spawn(process, program, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* Waits for the child's end; -1 and a killed child when it takes too long. */
static int wait_for(pid_t process)
{
    int status;
    double end = clock_monotonic() + PATIENCE_SECONDS;
    while (waitpid(process, &status, WNOHANG) == 0) {
        if (clock_monotonic() > end) {
            kill(process, SIGKILL);
            waitpid(process, &status, 0);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return status;
}

/* "asking for GPUs: killed by signal 6 (Aborted): Cannot load symbol cudnnGetVersion" */
static void tell_end(int status, const char *said, struct text *error)
{
    size_t line = strcspn(said, "\n");
    text_append(error, "the process that asked for GPUs ");
    if (status < 0)
        text_format(error, "gave no answer within %d seconds", PATIENCE_SECONDS);
    else if (WIFSIGNALED(status))
        text_format(error, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        text_format(error, "ended with status %d", WEXITSTATUS(status));
    if (line)
        text_format(error, ": %.*s", (int)line, said);
}

static char *copy_field(const json_t *object, const char *key)
{
    return mem_copy_string(json_string_value(json_object_get(object, key)));
}

static void read_device(const json_t *object, struct probed_device *out)
{
    struct device_summary *summary = &out->summary;
    out->number = (int)channel_get_int(object, "number");
    snprintf(summary->name, sizeof summary->name, "%s", channel_get_text(object, "name"));
    snprintf(summary->problem, sizeof summary->problem, "%s", channel_get_text(object, "problem"));
    summary->memory = channel_get_int(object, "memory");
    summary->available = channel_get_int(object, "available");
    summary->lane = channel_get_int(object, "lane");
    summary->tf32 = json_is_true(json_object_get(object, "tf32"));
    summary->bf16 = json_is_true(json_object_get(object, "bf16"));
    out->description = copy_field(object, "description");
    out->accuracy = channel_get_real(object, "accuracy");
    out->failure = copy_field(object, "failure");
}

static nr_status read_answer(const json_t *answer, struct log *log, struct probe *out)
{
    const json_t *devices = json_object_get(answer, "devices");
    snprintf(out->driver, sizeof out->driver, "%s", channel_get_text(answer, "driver"));
    out->error = copy_field(answer, "error");
    out->device = mem_array(json_array_size(devices), sizeof *out->device);
    if (!out->device)
        return log_no_memory(log, "reading the list of GPUs");
    for (; out->count < json_array_size(devices); out->count++)
        read_device(json_array_get(devices, out->count), &out->device[out->count]);
    return NR_OK;
}

/* Runs the child with its output in `answer` and `errors` (both files in memory), and reads what it said. */
static nr_status ask(const char *program, bool train, int answer, int errors, struct log *log, struct probe *out)
{
    pid_t process;
    int error = spawn(program, train, answer, errors, &process);
    if (error) {
        log_error(log, "%s cannot be started to ask for GPUs: %s", program, strerror(error));
        return NR_DEVICE;
    }
    int ended = wait_for(process);
    char *written = read_back(answer), *said = read_back(errors);
    nr_status status = NR_NO_MEMORY;
    if (written && said) {
        json_t *object = json_loads(written, JSON_DISABLE_EOF_CHECK, NULL);
        struct text text = {0};
        if (ended != 0 || !json_is_object(object)) {
            tell_end(ended, said, &text);
            out->broken = true;
            out->error = text_take(&text);
            status = out->error ? NR_OK : NR_NO_MEMORY;
        } else {
            status = read_answer(object, log, out);
        }
        json_decref(object);
    }
    free(written);
    free(said);
    return status;
}

nr_status probe_devices(const char *program, bool train, struct log *log, struct probe *out)
{
    struct text module = {0}, problem = {0};
    struct probe probe = {0};
    nr_status status = NR_OK;
    if (backend_find_cuda(&module, &problem)) {
        probe.asked = true;
        int answer = memfd_create("answer", MFD_CLOEXEC), errors = memfd_create("errors", MFD_CLOEXEC);
        status = ask(program, train, answer, errors, log, &probe);
        close(answer);
        close(errors);
    } else {
        probe.error = text_take(&problem);
        status = probe.error ? NR_OK : log_no_memory(log, "asking for GPUs");
    }
    text_clear(&module);
    text_clear(&problem);
    if (status == NR_OK)
        *out = probe;
    else
        probe_clear(&probe);
    return status;
}

void probe_clear(struct probe *probe)
{
    for (size_t i = 0; i < probe->count; i++) {
        free(probe->device[i].description);
        free(probe->device[i].failure);
    }
    free(probe->device);
    free(probe->error);
    *probe = (struct probe){0};
}
