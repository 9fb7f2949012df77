/* Lines read from a descriptor without waiting for more than has arrived. */
#ifndef NASRUN_CLI_LINES_H
#define NASRUN_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/text.h"

struct lines {
    int descriptor;
    size_t longest;       /* bytes of a line that are kept; of a longer one longest + 1, the rest is dropped */
    struct text received; /* whole lines that were not taken yet, and the beginning of one */
    size_t taken;         /* bytes at its start that were */
    size_t beginning;     /* where the unfinished line starts */
    bool ended;           /* end of file: what is left without a newline counts as a line */
};

/* Reads once: blocks when nothing has arrived. NR_IO when reading fails (logged). */
nr_status lines_read(struct lines *lines, struct log *log) NR_MUST_CHECK;
/* The next whole line, without its newline; false when there is none yet. It lives until the next call. */
bool lines_take(struct lines *lines, const char **line, size_t *length);
void lines_clear(struct lines *lines);

#endif
