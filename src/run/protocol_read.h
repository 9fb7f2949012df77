/* Parts of a line of the conversation, checked: each says what was found and what was expected. Used by protocol.c. */
#ifndef NASRUN_RUN_PROTOCOL_READ_H
#define NASRUN_RUN_PROTOCOL_READ_H

#include <jansson.h>
#include <stdint.h>

#include "run/told.h"

/* "a number", "an object", ... for messages. */
const char *protocol_kind(const json_t *value);

/* `message` is an object with no other members than these (NULL after the last); not that it has them. */
nr_status protocol_expect_members(const json_t *message, const char *name, const char *const *members,
                                  struct log *log) NR_MUST_CHECK;
/* `value` may be NULL: missing. */
nr_status protocol_read_whole(const json_t *value, const char *name, struct log *log, int64_t *out) NR_MUST_CHECK;
nr_status protocol_read_string(const json_t *value, const char *name, struct log *log, const char **out) NR_MUST_CHECK;
/* "values" and "seconds" of a tell. */
nr_status protocol_read_told(const json_t *message, const struct study *study, struct log *log,
                             struct told *out) NR_MUST_CHECK;
/* {"lr":0.003,"norm":true,"op":"skip"}: every active dimension, fixed ones may be left out. */
nr_status protocol_read_point(const json_t *value, const struct space *space, struct log *log,
                              double *point) NR_MUST_CHECK;

#endif
