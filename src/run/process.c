#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "run/worker.h"

/* After SIGKILL. A process in a call of a driver whose device is gone does not die even of that: it is left behind. */
enum { DEATH_MS = 5000 };

/* This process's environment with other values of some variables; the strings of `variables` are used as they are. */
static char **environment_with(char *const *variables, size_t count)
{
    size_t size = 0, used = 0;
    while (environ[size])
        size++;
    char **out = mem_array(size + count + 1, sizeof *out);
    for (size_t i = 0; out && i < size; i++) {
        bool replaced = false;
        for (size_t v = 0; v < count; v++)
            replaced |= !strncmp(environ[i], variables[v], strcspn(variables[v], "=") + 1);
        if (!replaced)
            out[used++] = environ[i];
    }
    for (size_t v = 0; out && v < count; v++)
        out[used++] = variables[v];
    return out;
}

/* The child gets the socket and the data set at fixed descriptors, the log as standard output and error. It stays in
 * this process group. */
static int spawn_with(const struct process_setup *setup, int socket, int data, char **environment, pid_t *process)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char driver[32];
    snprintf(driver, sizeof driver, "%ld", (long)getpid());
    char *arguments[] = {(char *)setup->program, "worker", driver, NULL};
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, setup->log_path, O_WRONLY | O_APPEND | O_CREAT, 0666);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, socket, WORKER_SOCKET);
    posix_spawn_file_actions_adddup2(&actions, data, WORKER_DATA);
    int error = posix_spawn(process, setup->program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* Streams that share one of a device's queues wait for one another; there are 8 unless told, fewer than lanes. */
#define QUEUES "CUDA_DEVICE_MAX_CONNECTIONS=32"

/* One thread per library: a trial is single-threaded. */
static int spawn(const struct process_setup *setup, int socket, int data, pid_t *process)
{
    struct text visible = {0};
    text_format(&visible, "CUDA_VISIBLE_DEVICES=%s", setup->visible ? setup->visible : "");
    char *variables[] = {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", visible.data, QUEUES};
    size_t count = !setup->visible ? 2 : getenv("CUDA_DEVICE_MAX_CONNECTIONS") ? 3 : 4;
    char **environment = visible.failed ? NULL : environment_with(variables, count);
    int error = environment ? spawn_with(setup, socket, data, environment, process) : ENOMEM;
    free(environment);
    text_clear(&visible);
    return error;
}

nr_status process_start(const struct process_setup *setup, struct log *log, pid_t *process, int *socket)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_error(log, "no socket for a worker: %s", strerror(errno));
        return NR_DEVICE;
    }
    /* Above the fixed numbers: below, the socket's dup2 could overwrite the data set before that is moved, and a dup2
     * onto the number itself would keep close-on-exec. */
    int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, WORKER_DATA + 1);
    int data = theirs < 0 ? -1 : fcntl(setup->data, F_DUPFD_CLOEXEC, WORKER_DATA + 1);
    int error = data < 0 ? errno : spawn(setup, theirs, data, process);
    close(pair[1]);
    if (theirs >= 0)
        close(theirs);
    if (data >= 0)
        close(data);
    if (error) {
        close(pair[0]);
        log_error(log, "a worker cannot be started: %s", strerror(error));
        return NR_DEVICE;
    }
    *socket = pair[0];
    return NR_OK;
}

int process_wait(pid_t process, int patience_ms)
{
    int status = 0;
    for (int waited = 0; waited < patience_ms; waited += 10) {
        if (waitpid(process, &status, WNOHANG) != 0)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(process, SIGKILL);
    for (int waited = 0; waited < DEATH_MS; waited++) {
        if (waitpid(process, &status, WNOHANG) != 0)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return SIGKILL;
}

void process_describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}
