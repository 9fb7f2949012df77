/* The configuration file as entries with their places; no meaning yet. Read once at start, by study_read(). */
#ifndef NASRUN_SPACE_CONFIG_H
#define NASRUN_SPACE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

struct config_entry {
    char *section;    /* "block stage" for [block stage] */
    char *key;        /* as written, e.g. "width[blocks]" */
    char *value;      /* never empty */
    const char *file; /* "--set" for an override */
    int line;         /* 1-based; 0 for an override */
};

/* A [section] line: also those without entries, so that a misspelt or empty section is noticed. */
struct config_section {
    char *name;
    int line;
};

struct config {
    char *path;
    char *content; /* the file as it was */
    struct config_entry *entry;
    size_t count, capacity;
    struct config_section *section;
    size_t sections, section_capacity;
};

enum { CONFIG_LONGEST_LINE = 4000 }; /* bytes, blanks at the ends not counted */

/* Reads an INI file (UTF-8, `;` and `#` comments, inline ` ;` comments) and applies `overrides`
 * ("section.key=value"), each of which replaces the entries of that name or adds one. A line too long, bytes that are
 * no text, a line that is neither section nor key = value, a key said twice (but `layer`, `block` and the bounds of
 * [constraints], which are lists): NR_INVALID with file and line. */
nr_status config_read(const char *path, const char *const *overrides, size_t count, struct log *log,
                      struct config *out) NR_MUST_CHECK;
/* The same from memory; `name` is used in messages. */
nr_status config_read_text(const char *content, const char *name, const char *const *overrides, size_t count,
                           struct log *log, struct config *out) NR_MUST_CHECK;
void config_clear(struct config *config);

/* The configuration as an INI file that reads back as the same entries, overrides included. */
void config_append_text(const struct config *config, struct text *text);

/* "mnist.ini:12: [space] hidden1", or "--set space.hidden1" when line is 0: how messages about an entry open. */
void config_append_place(struct text *text, const char *file, int line, const char *section, const char *key);
/* Logs "<place>: <message>" and returns NR_INVALID: `return config_error(log, file, line, "space", name, "...");` */
nr_status config_error(struct log *log, const char *file, int line, const char *section, const char *key,
                       const char *format, ...) NR_PRINTF(6, 7);
/* The same for an entry. */
#define config_entry_error(log, at, ...)                                                                               \
    config_error((log), (at)->file, (at)->line, (at)->section, (at)->key, __VA_ARGS__)
/* "; did you mean "x"?" for a name near one of the candidates, else "". The buffer holds the text. */
enum { CONFIG_HINT_SIZE = 96 };
const char *config_hint(const char *name, const char *const *candidates, size_t count, char buffer[CONFIG_HINT_SIZE]);

#endif
