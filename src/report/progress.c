#include "report/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/listing.h"
#include "report/phrase.h"

static const double redraw_seconds = 0.2;

struct progress {
    FILE *stream;
    struct terminal terminal;
    bool asks_stream, quiet;
    bool drawn;
    double drawn_at;
    struct text frame; /* what is on the screen, "" when nothing */
    bool started;
    double started_at; /* the first snapshot: what was finished before this run tells nothing of its rate */
    int64_t finished_then;
};

nr_status progress_create(FILE *stream, const struct terminal *terminal, bool quiet, struct progress **out)
{
    struct progress *progress = mem_array(1, sizeof *progress);
    if (!progress)
        return NR_NO_MEMORY;
    progress->stream = stream;
    progress->terminal = terminal ? *terminal : terminal_of(stream);
    progress->asks_stream = !terminal;
    progress->quiet = quiet;
    *out = progress;
    return NR_OK;
}

static int64_t finished_trials(const struct progress_snapshot *snapshot)
{
    const struct results *results = snapshot->results;
    return (int64_t)(results_count(results, TRIAL_DONE) + results_count(results, TRIAL_STOPPED) +
                     results_count(results, TRIAL_FAILED));
}

/* --- rendering --- */

struct canvas {
    struct text *out;
    size_t width; /* columns of a line */
    size_t room;  /* lines left */
    bool styled;
};

static const char bold[] = "\033[1m", dim[] = "\033[2m", green[] = "\033[32m", normal[] = "\033[0m";

/* One line, cut to the width; `style` NULL: none. */
static void put_line(struct canvas *canvas, const char *style, const char *content)
{
    if (!canvas->room)
        return;
    canvas->room--;
    size_t columns = terminal_columns(content);
    if (style && canvas->styled)
        text_append(canvas->out, style);
    terminal_append_fit(canvas->out, content, columns < canvas->width ? columns : canvas->width, false);
    if (style && canvas->styled)
        text_append(canvas->out, normal);
    text_append(canvas->out, "\n");
}

static void put_text(struct canvas *canvas, const char *style, struct text *content)
{
    if (!content->failed)
        put_line(canvas, style, content->data ? content->data : "");
    text_clear(content);
}

/* "mnist   31 of 48 trials, 2 failed   42 per minute   44 s, about 22 s left": the pieces that fit. */
static void put_heading(struct canvas *canvas, const struct progress_snapshot *snapshot, double rate, double left)
{
    struct text line = {0};
    size_t failed = results_count(snapshot->results, TRIAL_FAILED);
    text_format(&line, "%s   %" PRId64 " of %" PRId64 " trials", study_text(snapshot->results->study, KEY_STUDY_NAME),
                finished_trials(snapshot), snapshot->total);
    if (failed)
        text_format(&line, ", %zu failed", failed);
    text_append(&line, "   ");
    phrase_append_duration(&line, snapshot->elapsed);
    if (!isnan(left)) {
        text_append(&line, ", about ");
        phrase_append_duration(&line, left);
        text_append(&line, " left");
    }
    if (!isnan(rate))
        text_format(&line, "   %.*f per minute", rate < 10 ? 1 : 0, rate);
    put_text(canvas, bold, &line);
}

static void put_bar(struct canvas *canvas, double share)
{
    static const char full[] = "\xe2\x94\x81", rest[] = "\xe2\x94\x80"; /* heavy and light lines */
    enum { PERCENT = 6 };
    if (!canvas->room || canvas->width < 2 * PERCENT)
        return;
    canvas->room--;
    size_t cells = canvas->width - PERCENT, filled = (size_t)(share * (double)cells + 0.5);
    text_append(canvas->out, canvas->styled ? green : "");
    for (size_t i = 0; i < filled; i++)
        text_append(canvas->out, full);
    text_append(canvas->out, canvas->styled ? normal : "");
    text_append(canvas->out, canvas->styled ? dim : "");
    for (size_t i = filled; i < cells; i++)
        text_append(canvas->out, rest);
    text_append(canvas->out, canvas->styled ? normal : "");
    text_format(canvas->out, " %3d %%\n", (int)floor(100 * share));
}

static void put_running(struct canvas *canvas, const struct progress_snapshot *snapshot, size_t most)
{
    struct text line = {0};
    if (!snapshot->runnings || canvas->room < 2 || !most)
        return;
    size_t shown = snapshot->runnings > most ? most - 1 : snapshot->runnings;
    put_line(canvas, NULL, "");
    for (size_t i = 0; i < shown; i++) {
        const struct progress_trial *trial = &snapshot->running[i];
        text_format(&line, "%s%4" PRId64 "  epoch %3" PRId64 "/%-3" PRId64, i ? "         " : "running  ", trial->trial,
                    trial->epoch, trial->epochs);
        if (isnan(trial->accuracy))
            text_append(&line, "         ");
        else
            text_format(&line, " %.4f  ", trial->accuracy);
        text_append(&line, trial->network);
        put_text(canvas, NULL, &line);
    }
    if (shown < snapshot->runnings) {
        text_format(&line, "         and %zu more", snapshot->runnings - shown);
        put_text(canvas, dim, &line);
    }
}

/* The front's table as text, its first `rows` members. */
static char *front_lines(const struct progress_snapshot *snapshot, size_t rows, size_t width)
{
    struct front front = *snapshot->front;
    struct table *table;
    char *lines = NULL;
    size_t length = 0;
    front.members = rows;
    if (listing_front(snapshot->results, &front, NULL, &table) != NR_OK)
        return NULL;
    FILE *stream = open_memstream(&lines, &length);
    nr_status status = stream ? table_write_text(table, width, false, stream) : NR_NO_MEMORY;
    if (stream)
        fclose(stream);
    table_destroy(table);
    if (status == NR_OK)
        return lines;
    free(lines);
    return NULL;
}

static void put_front(struct canvas *canvas, const struct progress_snapshot *snapshot)
{
    enum { INDENT = 9, HEADING = 2, FEWEST = 20 };
    struct text line = {0};
    size_t members = snapshot->front ? snapshot->front->members : 0;
    if (!members || canvas->room < HEADING + 1 || canvas->width < INDENT + FEWEST)
        return;
    size_t rows = canvas->room - HEADING;
    if (rows < members)
        rows--; /* for "and n more" */
    else
        rows = members;
    char *rest, *lines = front_lines(snapshot, rows, canvas->width - INDENT);
    if (!lines)
        return;
    put_line(canvas, NULL, "");
    size_t i = 0;
    for (char *row = strtok_r(lines, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest), i++) {
        text_format(&line, "%s%s", i ? "         " : "front    ", row);
        put_text(canvas, i ? NULL : dim, &line);
    }
    free(lines);
    if (rows < members) {
        text_format(&line, "         and %zu more", members - rows);
        put_text(canvas, dim, &line);
    }
}

void progress_render(const struct progress_snapshot *snapshot, const struct terminal *terminal, double rate,
                     double seconds_left, struct text *out)
{
    if (terminal->width < 2 || terminal->height < 2)
        return;
    struct canvas canvas = {out, terminal->width - 1, terminal->height - 1, terminal->styled};
    double share = snapshot->total > 0 ? (double)finished_trials(snapshot) / (double)snapshot->total : 0;
    bool message = snapshot->message && *snapshot->message && canvas.room > 1;
    canvas.room -= message;
    put_heading(&canvas, snapshot, rate, seconds_left);
    put_bar(&canvas, fmin(share, 1));
    put_running(&canvas, snapshot, canvas.room / 3);
    put_front(&canvas, snapshot);
    canvas.room += message;
    if (message)
        put_line(&canvas, NULL, snapshot->message);
}

/* --- drawing --- */

/* Lines that the frame takes on a screen of this width: a window that has become narrower wraps what was drawn. */
static size_t screen_lines(const char *frame, size_t width)
{
    size_t lines = 0, columns = 0, step;
    while (*frame) {
        if (*frame == '\n') {
            lines += columns > width && width ? (columns + width - 1) / width : 1;
            columns = 0;
            frame++;
        } else if (*frame == '\033') { /* a style, up to its 'm' */
            frame += strcspn(frame, "m") + 1;
        } else {
            frame += terminal_next(frame, &step);
            columns += step;
        }
    }
    return lines;
}

/* To the first line of what is drawn, and clears from there. */
static void append_erase(const struct progress *progress, struct text *out)
{
    if (!progress->frame.length)
        return;
    text_format(out, "\033[%zuA\r\033[J", screen_lines(progress->frame.data, progress->terminal.width));
}

/* One write per change: nothing flickers. */
static void write_out(struct progress *progress, struct text *out)
{
    if (!out->failed && out->length) {
        (void)!fwrite(out->data, 1, out->length, progress->stream);
        (void)fflush(progress->stream);
    }
    text_clear(out);
}

void progress_hide(struct progress *progress)
{
    struct text out = {0};
    if (progress->asks_stream && progress->drawn)
        progress->terminal = terminal_of(progress->stream);
    append_erase(progress, &out);
    write_out(progress, &out);
    text_clear(&progress->frame);
    progress->drawn = false;
}

void progress_destroy(struct progress *progress)
{
    if (!progress)
        return;
    progress_hide(progress);
    free(progress);
}

static void note_start(struct progress *progress, const struct progress_snapshot *snapshot)
{
    if (progress->started)
        return;
    progress->started = true;
    progress->started_at = snapshot->now;
    progress->finished_then = finished_trials(snapshot);
}

/* Trials per minute of this run, and seconds until the end by them or by the clock, whichever comes first. */
static void estimate(const struct progress *progress, const struct progress_snapshot *snapshot, double *rate,
                     double *left)
{
    int64_t finished = finished_trials(snapshot), now = finished - progress->finished_then;
    double seconds = snapshot->now - progress->started_at;
    *rate = now > 0 && seconds > 0 ? 60 * (double)now / seconds : NAN;
    *left = 60 * fmax((double)(snapshot->total - finished), 0) / *rate;
    if (snapshot->max_time > 0)
        *left = fmin(*left, fmax(snapshot->max_time - snapshot->elapsed, 0)); /* fmin ignores a NaN */
}

void progress_show(struct progress *progress, const struct progress_snapshot *snapshot)
{
    struct text out = {0}, frame = {0};
    double rate, left;
    note_start(progress, snapshot);
    if (progress->quiet || !progress->terminal.live ||
        (progress->drawn && snapshot->now - progress->drawn_at < redraw_seconds))
        return;
    if (progress->asks_stream)
        progress->terminal = terminal_of(progress->stream);
    estimate(progress, snapshot, &rate, &left);
    progress_render(snapshot, &progress->terminal, rate, left, &frame);
    append_erase(progress, &out);
    if (frame.length)
        text_append_bytes(&out, frame.data, frame.length);
    out.failed |= frame.failed;
    if (out.failed) { /* what is on the screen stays, and is known still */
        text_clear(&out);
        text_clear(&frame);
        return;
    }
    write_out(progress, &out);
    text_clear(&progress->frame);
    progress->frame = frame;
    progress->drawn = true;
    progress->drawn_at = snapshot->now;
}

/* "[12/48] trial 12 done in 3.2 s: val_accuracy 0.9731, parameters 50890; 784-64-relu-10" */
static void append_ended(const struct progress_snapshot *snapshot, const struct record *record, struct text *out)
{
    const struct study *study = snapshot->results->study;
    text_format(out, "[%" PRId64 "/%" PRId64 "] trial %" PRId64 " %s in ", finished_trials(snapshot), snapshot->total,
                record->trial, trial_status_name(record->status));
    phrase_append_duration(out, record->seconds);
    text_append(out, ": ");
    if (record->status == TRIAL_FAILED)
        text_append(out, record->cause);
    else
        phrase_append_values(out, study, record->value);
    text_format(out, "; %s\n", record->summary);
}

void progress_ended(struct progress *progress, const struct progress_snapshot *snapshot, const struct record *record)
{
    struct text out = {0};
    note_start(progress, snapshot);
    if (progress->quiet || (progress->terminal.live && record->status != TRIAL_FAILED))
        return;
    if (progress->terminal.live)
        progress_hide(progress);
    append_ended(snapshot, record, &out);
    write_out(progress, &out);
}
