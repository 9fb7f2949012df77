#include "cli/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Appends what arrived, but of an unfinished line no more than is kept. */
static void keep(struct lines *lines, const char *bytes, size_t count)
{
    while (count > 0) {
        const char *newline = memchr(bytes, '\n', count);
        size_t length = newline ? (size_t)(newline - bytes) : count;
        size_t kept = lines->received.length - lines->beginning;
        size_t room = kept > lines->longest ? 0 : lines->longest + 1 - kept;
        text_append_bytes(&lines->received, bytes, length < room ? length : room);
        if (newline) {
            text_append_bytes(&lines->received, "\n", 1);
            lines->beginning = lines->received.length;
            length++;
        }
        bytes += length;
        count -= length;
    }
}

nr_status lines_read(struct lines *lines, struct log *log)
{
    char bytes[65536];
    ssize_t count;
    do
        count = read(lines->descriptor, bytes, sizeof bytes);
    while (count < 0 && errno == EINTR);
    if (count < 0) {
        log_error(log, "standard input cannot be read: %s", strerror(errno));
        return NR_IO;
    }
    if (count == 0) {
        lines->ended = true;
        if (lines->received.length > lines->beginning) /* the last line lacks its newline */
            keep(lines, "\n", 1);
    } else {
        keep(lines, bytes, (size_t)count);
    }
    return lines->received.failed ? log_no_memory(log, "reading a line") : NR_OK;
}

bool lines_take(struct lines *lines, const char **line, size_t *length)
{
    struct text *received = &lines->received;
    if (lines->taken == lines->beginning) { /* all whole lines are gone: the unfinished one moves to the front */
        if (lines->taken > 0)
            memmove(received->data, received->data + lines->taken, received->length - lines->taken + 1);
        received->length -= lines->taken;
        lines->taken = lines->beginning = 0;
        return false;
    }
    *line = received->data + lines->taken;
    *length = (size_t)((char *)memchr(*line, '\n', received->length - lines->taken) - *line);
    lines->taken += *length + 1;
    return true;
}

void lines_clear(struct lines *lines)
{
    text_clear(&lines->received);
}
