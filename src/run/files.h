/* Where things lie in a study's folder, and how a person names a study. */
#ifndef NASRUN_RUN_FILES_H
#define NASRUN_RUN_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "space/study.h"

/* FOLDER/study.db, FOLDER/nasrun.log; the caller frees. */
#define STUDY_DATABASE "study.db"
#define STUDY_LOG "nasrun.log"
char *files_checkpoint(const char *folder, int64_t trial) NR_MUST_CHECK; /* FOLDER/checkpoints/trial-N.safetensors */
char *files_weights(const char *folder, int64_t trial) NR_MUST_CHECK;    /* FOLDER/weights/trial-N.safetensors */

/* runs/<study name>; the caller frees. */
char *files_default_folder(const struct study *study) NR_MUST_CHECK;

/* The folder of STUDY as a person wrote it: a study's folder or the study.db in it, a name under runs/, a configuration
 * file (its study's folder under runs/), or NULL for the newest under runs/. NR_NOT_FOUND says what was looked for. */
nr_status files_find_study(const char *study, struct log *log, char **folder) NR_MUST_CHECK;

/* Whether a person who writes this names a configuration file. */
bool files_is_configuration(const char *study);

/* The study as recorded in a folder's store: its effective configuration, read again. */
struct store;
nr_status files_open_study(const char *folder, bool read_only, struct log *log, struct store **store,
                           struct study **study) NR_MUST_CHECK;
/* The effective configuration (overrides applied, paths absolute) as an INI file; the caller frees. */
char *files_render_configuration(const struct study *study) NR_MUST_CHECK;

/* Moves FOLDER aside to FOLDER.1, .2, ...; its new name in *moved (caller frees). */
nr_status files_move_aside(const char *folder, struct log *log, char **moved) NR_MUST_CHECK;

#endif
