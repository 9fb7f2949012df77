/* The study of a session: found or begun, and what suggestions need to know of it. A part of session.c. */
#ifndef NASRUN_RUN_SESSION_STUDY_H
#define NASRUN_RUN_SESSION_STUDY_H

#include "run/preparation.h"
#include "run/session.h"

struct session_study {
    struct log *log;
    char *folder;
    struct study *study;
    struct store *store;
    struct problem *problem; /* NULL until session_study_prepare(); in one of the two below */
    struct problem external;
    struct preparation preparation;
};

nr_status session_study_open(struct session_study *source, const struct session_options *options) NR_MUST_CHECK;
/* Before points are looked at: a study that trains needs its data set for that. */
nr_status session_study_prepare(struct session_study *source) NR_MUST_CHECK;
/* Images that a val_accuracy is measured on; 0: unknown. After session_study_prepare(). */
int64_t session_study_validations(const struct session_study *source);
void session_study_close(struct session_study *source);

#endif
