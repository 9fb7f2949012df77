/* A network that has to learn: data, split, plan, training and evaluation in a fraction of a second. For `nasrun
 * doctor`. */
#ifndef NASRUN_RUN_SELFTEST_H
#define NASRUN_RUN_SELFTEST_H

#include "base/log.h"
#include "base/status.h"
#include "train/backend.h"

/* Validation accuracy of a small CNN after two epochs on made-up images of two classes that a person tells apart at
 * once, trained on the backend's device `number`. */
nr_status selftest_training(const struct backend *backend, int number, struct log *log, double *accuracy) NR_MUST_CHECK;

#endif
