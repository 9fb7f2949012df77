/* Which GPUs are there? Asked of a child process (`nasrun probe`), so that the process that asks neither carries
 * NVIDIA's libraries nor dies with them: cuDNN ends the process when its parts do not fit. */
#ifndef NASRUN_RUN_PROBE_H
#define NASRUN_RUN_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "train/backend.h"

struct probed_device {
    int number;
    struct device_summary summary;
    /* with `train`, of devices without a problem: */
    char *description; /* as its backend describes it, with the libraries' versions; NULL: not opened */
    double accuracy;   /* of the self-test; NaN: not run */
    char *failure;     /* why the self-test failed; NULL: it did not */
};

struct probe {
    char driver[64]; /* "580.159.04, CUDA 13.0"; empty: unknown */
    struct probed_device *device;
    size_t count;
    bool broken; /* the child died or gave no answer */
    char *error; /* one line: why there is no device, or no answer; NULL: there are devices; without "CUDA: " */
    bool asked;  /* there are a driver and a module, so that a child was asked */
};

/* `program`: of the child, this one. Where there is no driver or no module no child is started: then it costs no time.
 * With `train` every device trains the self-test's network. Whatever goes wrong with the child is probe.error; failure
 * is of this process alone. */
nr_status probe_devices(const char *program, bool train, struct log *log, struct probe *out) NR_MUST_CHECK;
void probe_clear(struct probe *probe);

#endif
