/* Where messages go: the console (standard error), a log file, or a string (tests).
 *
 * A log travels in contexts; there is no global one. NULL is a valid log that swallows everything. */
#ifndef NASRUN_BASE_LOG_H
#define NASRUN_BASE_LOG_H

#include <stdio.h>

#include "base/status.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log;

/* `console` (may be NULL) gets messages up to `console_level` without a time stamp, errors as "nasrun: ...". */
nr_status log_create(FILE *console, enum log_level console_level, struct log **out) NR_MUST_CHECK;
/* Adds a file that gets every message with time and level; appended to, flushed per message. */
nr_status log_add_file(struct log *log, const char *path) NR_MUST_CHECK;
/* Calls `before` ahead of every message on the console: a display in the same terminal takes itself away. NULL: none.
 */
void log_before_console(struct log *log, void (*before)(void *context), void *context);
/* Keeps messages (errors and warnings) as text, one per line; log_text() shows them. For tests and for workers
 * that send the reason of a failure to the driver. */
void log_keep_text(struct log *log);
const char *log_text(const struct log *log); /* never NULL */
void log_clear_text(struct log *log);
void log_destroy(struct log *log);

void log_error(struct log *log, const char *format, ...) NR_PRINTF(2, 3);
void log_warning(struct log *log, const char *format, ...) NR_PRINTF(2, 3);
void log_info(struct log *log, const char *format, ...) NR_PRINTF(2, 3);
void log_debug(struct log *log, const char *format, ...) NR_PRINTF(2, 3);

/* Logs "out of memory while <doing>" and returns NR_NO_MEMORY: `return log_no_memory(log, "reading x");` */
nr_status log_no_memory(struct log *log, const char *doing);

#endif
