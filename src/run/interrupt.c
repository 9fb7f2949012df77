#include "run/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* OpenBLAS starts threads before main(), which block nothing: the kernel hands them what the main thread blocks, and
 * the default action would end the process. So they send it on to the main thread, whose id is the process's; the
 * handler needs no global for that. */
static void forward(int number)
{
    pid_t process = getpid();
    syscall(SYS_tgkill, process, process, number);
}

static bool ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int interrupt_open(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] != SIGHUP || !ignored(SIGHUP))
            sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before the handlers: in the main thread none may run */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigismember(&set, numbers[i]) == 1)
            sigaction(numbers[i], &action, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
