/* How long a suggestion takes and how much memory the optimizer needs, with so many finished trials. */
#ifndef NASRUN_BENCH_SUGGEST_H
#define NASRUN_BENCH_SUGGEST_H

#include <stdint.h>

#include "base/log.h"
#include "base/status.h"

struct suggest_load {
    int64_t results;    /* finished trials, at random points */
    int64_t asks;       /* consecutive suggestions after the first, each followed by its result */
    int64_t dimensions; /* by turns a real, a log real, a log int, an ordered, a choice and a bool one */
    int64_t objectives; /* 1 to 3, all modelled */
};

/* Seconds of processor time. */
struct suggest_figures {
    double median, worst; /* of a suggestion */
    double first;         /* the first one, which fits the model from scratch */
    double tell;          /* worst, of telling a result */
    double read;          /* mean, of taking up one trial of the history */
    double memory;        /* bytes: the most that the process held at once */
};

/* In a process of its own, on one core. */
nr_status suggest_measure(const struct suggest_load *load, struct log *log, struct suggest_figures *out) NR_MUST_CHECK;

#endif
