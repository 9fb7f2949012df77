/* The configuration file as entries with their places; no meaning yet. Read once at start, by study_read(). */
#ifndef NASRUN_SPACE_CONFIG_H
#define NASRUN_SPACE_CONFIG_H

#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

struct config_entry {
    char *section; /* "block stage" for [block stage] */
    char *key;     /* as written, e.g. "width[blocks]" */
    char *value;
    const char *file; /* "--set" for an override */
    int line;         /* 1-based; 0 for an override */
};

struct config {
    char *path;
    struct config_entry *entry;
    size_t count, capacity;
};

/* Reads an INI file (UTF-8, `;` and `#` comments, inline ` ;` comments) through inih and applies `overrides`
 * ("section.key=value"), each of which replaces the entry of that name or adds one. A line too long, bytes that are no
 * text, a line that is neither section nor key = value: NR_INVALID with file and line. */
nr_status config_read(const char *path, const char *const *overrides, size_t count, struct log *log,
                      struct config *out) NR_MUST_CHECK;
/* The same from memory; `name` is used in messages. */
nr_status config_read_text(const char *content, const char *name, const char *const *overrides, size_t count,
                           struct log *log, struct config *out) NR_MUST_CHECK;
void config_clear(struct config *config);

#endif
