#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

struct log {
    FILE *console;
    enum log_level console_level;
    void (*before)(void *context);
    void *context;
    FILE *file;
    bool keeps_text;
    struct text text;
};

nr_status log_create(FILE *console, enum log_level console_level, struct log **out)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return NR_NO_MEMORY;
    log->console = console;
    log->console_level = console_level;
    *out = log;
    return NR_OK;
}

nr_status log_add_file(struct log *log, const char *path)
{
    FILE *file = fopen(path, "ae");
    if (!file) {
        log_error(log, "%s: cannot be opened for writing: %s", path, strerror(errno));
        return NR_IO;
    }
    if (log->file)
        fclose(log->file);
    log->file = file;
    return NR_OK;
}

void log_before_console(struct log *log, void (*before)(void *context), void *context)
{
    if (!log)
        return;
    log->before = before;
    log->context = context;
}

void log_keep_text(struct log *log)
{
    log->keeps_text = true;
}

const char *log_text(const struct log *log)
{
    return log && log->text.data ? log->text.data : "";
}

void log_clear_text(struct log *log)
{
    text_clear(&log->text);
}

void log_destroy(struct log *log)
{
    if (!log)
        return;
    if (log->file)
        fclose(log->file);
    text_clear(&log->text);
    free(log);
}

static void write_to_file(FILE *file, enum log_level level, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct timespec now;
    struct tm local;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    fprintf(file, "%s.%03ld %-7s %s\n", stamp, now.tv_nsec / 1000000, names[level], message);
    fflush(file);
}

static void log_message(struct log *log, enum log_level level, const char *format, va_list arguments)
{
    if (!log)
        return;
    char message[8192]; /* no allocation: a message about memory must get through; a line of input fits in */
    vsnprintf(message, sizeof message, format, arguments);
    if (log->console && level <= log->console_level) {
        if (log->before)
            log->before(log->context);
        const char *prefix = level == LOG_ERROR ? "nasrun: " : level == LOG_WARNING ? "nasrun: warning: " : "";
        fprintf(log->console, "%s%s\n", prefix, message);
        fflush(log->console);
    }
    if (log->file)
        write_to_file(log->file, level, message);
    if (log->keeps_text && level <= LOG_WARNING) {
        text_append(&log->text, message);
        text_append(&log->text, "\n");
    }
}

#define NR_LOG_FUNCTION(name, level)                 \
    void name(struct log *log, const char *format, ...) \
    {                                                \
        va_list arguments;                           \
        va_start(arguments, format);                 \
        log_message(log, level, format, arguments);  \
        va_end(arguments);                           \
    }
NR_LOG_FUNCTION(log_error, LOG_ERROR)
NR_LOG_FUNCTION(log_warning, LOG_WARNING)
NR_LOG_FUNCTION(log_info, LOG_INFO)
NR_LOG_FUNCTION(log_debug, LOG_DEBUG)

nr_status log_no_memory(struct log *log, const char *doing)
{
    log_error(log, "out of memory while %s", doing);
    return NR_NO_MEMORY;
}
