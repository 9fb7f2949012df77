/* nasrun serve CONFIG: a study as a conversation on standard input and output; run/protocol.h has its lines. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/lines.h"
#include "run/files.h"
#include "run/interrupt.h"
#include "run/protocol.h"

enum { IDLE_MS = 100, RETRY_MS = 1000 };
static const double longest_unsettled = 5; /* seconds, of a conversation without a pause */

struct serving {
    struct cli *cli;
    struct protocol protocol;
    struct lines lines;
    int64_t number; /* of the last line */
    double settled; /* when, monotonic seconds */
};

static nr_status answer(struct serving *serving, const char *line, size_t length)
{
    struct text text = {0};
    nr_status status = protocol_answer(&serving->protocol, ++serving->number, line, length, &text);
    if (status == NR_OK) {
        fwrite(text.data, 1, text.length, serving->cli->out);
        if (fflush(serving->cli->out) != 0) {
            log_error(serving->cli->log, "standard output cannot be written: %s", strerror(errno));
            status = NR_IO;
        }
    }
    text_clear(&text);
    return status;
}

static nr_status answer_all(struct serving *serving)
{
    const char *line;
    size_t length;
    nr_status status = NR_OK;
    while (status == NR_OK && lines_take(&serving->lines, &line, &length))
        status = answer(serving, line, length);
    return status;
}

/* Brings files and disk up to date. What fails there is in the log file, and will be tried again: the answers do not
 * depend on it. */
static void settle(struct serving *serving)
{
    (void)!session_settle(serving->protocol.session, false);
    serving->settled = clock_monotonic();
}

/* Waits for input, and settles in a pause of the conversation, where it delays no answer. */
static nr_status wait_for_input(struct serving *serving, int signals)
{
    struct session *session = serving->protocol.session;
    struct pollfd sources[] = {{.fd = serving->lines.descriptor, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    if (clock_monotonic() - serving->settled > longest_unsettled)
        settle(serving);
    int ready = poll(sources, 2, IDLE_MS);
    while (ready == 0 || (ready < 0 && errno == EINTR)) {
        settle(serving);
        ready = poll(sources, 2, session_is_settled(session) ? -1 : RETRY_MS);
    }
    if (ready < 0) {
        log_error(serving->cli->log, "waiting for standard input failed: %s", strerror(errno));
        return NR_IO;
    }
    return sources[1].revents ? NR_INTERRUPTED : NR_OK;
}

static nr_status converse(struct serving *serving)
{
    int signals = interrupt_open();
    nr_status status = NR_OK;
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of fflush() */
    while (status == NR_OK && !serving->lines.ended) {
        status = wait_for_input(serving, signals);
        if (status == NR_OK)
            status = lines_read(&serving->lines, serving->cli->log);
        if (status == NR_OK)
            status = answer_all(serving);
    }
    close(signals);
    return status;
}

/* Errors are answers, not messages; the log file has them, too. */
static nr_status open_session(struct cli *cli, struct protocol *protocol)
{
    const struct session_options options = {.study = cli->argument[0],
                                            .set = cli->set,
                                            .sets = cli->sets,
                                            .folder = cli->folder,
                                            .asker = "nasrun serve",
                                            .log = protocol->log};
    nr_status status = session_open(&options, &protocol->session);
    if (status == NR_OK) {
        char *path = file_join(session_folder(protocol->session), STUDY_LOG);
        status = path ? log_add_file(protocol->log, path) : log_no_memory(protocol->log, "opening the log");
        free(path);
    }
    if (status != NR_OK)
        log_error(cli->log, "%.*s", (int)strcspn(log_text(protocol->log), "\n"), log_text(protocol->log));
    return status;
}

nr_status command_serve(struct cli *cli)
{
    struct serving serving = {.cli = cli, .lines = {.descriptor = STDIN_FILENO, .longest = PROTOCOL_LONGEST_LINE}};
    nr_status status = log_create(NULL, LOG_ERROR, &serving.protocol.log);
    if (status != NR_OK)
        return log_no_memory(cli->log, "serving");
    log_keep_text(serving.protocol.log);
    status = open_session(cli, &serving.protocol);
    if (status == NR_OK)
        status = converse(&serving);
    session_close(serving.protocol.session);
    lines_clear(&serving.lines);
    log_destroy(serving.protocol.log);
    return status;
}
