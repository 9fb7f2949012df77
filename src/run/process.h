/* The process of a worker: started with its descriptors in place, waited for, killed. */
#ifndef NASRUN_RUN_PROCESS_H
#define NASRUN_RUN_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/log.h"

struct process_setup {
    const char *program;  /* executable of the workers: this one */
    const char *log_path; /* gets its standard output and error */
    int data;             /* descriptor of the data set's shared memory */
    const char *visible;  /* CUDA_VISIBLE_DEVICES of the process; NULL: as it is */
};

/* Starts `nasrun worker`; *socket is this end of the connection. NR_DEVICE when there is no process to be had. */
nr_status process_start(const struct process_setup *setup, struct log *log, pid_t *process, int *socket) NR_MUST_CHECK;
/* Waits for a process to leave by itself, and kills it when it does not; returns how it ended, as waitpid(). */
int process_wait(pid_t process, int patience_ms);
/* "killed by signal 9 (Killed)", "ended with status 3" */
void process_describe_end(int status, char *out, size_t size);

#endif
