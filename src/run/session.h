/* One study driven from outside: asked for trials, told what came of them. What `nasrun ask`, `tell` and `serve` do and
 * what libnasrun offers, so that all of them can be mixed on one study, at the same time and in any number.
 *
 * The record is the only truth. Each call holds the store while it works, so that nobody else acts in between; asking
 * first follows what others have recorded, and everything is recorded before the call returns. So a kill loses nothing
 * that was answered, and a suggestion depends on configuration, seed and the event log before it, not on who asked or
 * how often a program was started anew. A search that trains (`nasrun CONFIG`) holds its study as long as it runs: it
 * must have stopped before a session may act.
 *
 * Telling and failing cost a short transaction at any number of trials; the first ask of a session replays the log.
 * One session is used by one thread at a time. */
#ifndef NASRUN_RUN_SESSION_H
#define NASRUN_RUN_SESSION_H

#include "report/front.h"
#include "report/results.h"
#include "run/told.h"

enum { SESSION_MOST_ASKED = 1000 }; /* at once */

struct session;

struct session_options {
    const char *study;      /* as a person names it: a configuration file, a study's folder, a name under runs/ */
    const char *const *set; /* overrides, for a configuration */
    size_t sets;
    const char *folder; /* of a configuration's study; NULL: runs/<name> */
    const char *asker;  /* "serve": recorded with the trials that are asked for */
    struct log *log;    /* outlives the session */
};

/* Goes on with a study, or begins that of a configuration. Nothing is written when the input is bad. */
nr_status session_open(const struct session_options *options, struct session **out) NR_MUST_CHECK;
/* Also brings the files up to date; accepts NULL. */
void session_close(struct session *session);

const struct study *session_study(const struct session *session);
const char *session_folder(const struct session *session);

/* Trials first..first + given - 1 are the asker's from now on, their points in session_results(): as many as were asked
 * for (1 to SESSION_MOST_ASKED), or fewer when the space is exhausted. All of them are recorded, or none. */
nr_status session_ask(struct session *session, int64_t count, int64_t *first, int64_t *given) NR_MUST_CHECK;
/* The end of a trial. NR_NOT_FOUND: no such trial; NR_INVALID: it has ended, it is one that a search trains, or a value
 * is missing. */
nr_status session_tell(struct session *session, int64_t trial, const struct told *told) NR_MUST_CHECK;
nr_status session_fail(struct session *session, int64_t trial, const char *cause) NR_MUST_CHECK;
/* A result that comes from elsewhere: `point` is canonical and becomes a trial of its own, whether or not there is one
 * of this point. NR_INVALID where the study does not allow it. */
nr_status session_tell_point(struct session *session, const double *point, const struct told *told,
                             int64_t *trial) NR_MUST_CHECK;

/* All trials as they stand now, and their front; the session's, until its next call. */
nr_status session_results(struct session *session, const struct results **out) NR_MUST_CHECK;
nr_status session_front(struct session *session, const struct front **out) NR_MUST_CHECK;

/* For when there is time: waits until everything is on disk, and writes pareto.csv and trials.csv if something was
 * recorded since; not so often that it costs a tenth of the time, unless `now`. A kill of the program loses nothing
 * without this, a loss of power may. */
nr_status session_settle(struct session *session, bool now) NR_MUST_CHECK;
bool session_is_settled(const struct session *session); /* the files lack nothing that this session recorded */

/* Whether a trial of this owner was handed out by a session: no search trains it then. */
bool session_is_asker(const char *owner);

#endif
