/* What a person sees of a search: its first line, its progress, its summary. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/front.h"
#include "report/progress.h"
#include "report/summary.h"
#include "run/state.h"

#define REFRESH_SECONDS 0.2

static void log_devices(const struct search *search)
{
    struct text now = {0};
    if (devices_describe(&search->devices, search->log, &now) != NR_OK)
        return; /* said already */
    log_info(search->log, "trains on %s", now.data);
    if (search->begun_on)
        log_info(search->log, "the study was begun on %s: the bits of its trials are those of the device that trains",
                 search->begun_on);
    text_clear(&now);
}

/* "mnist: 48 trials on 2 workers, mnist: 54000 images train, 6000 validate": the study's name, then the data set's; on
 * GPUs "48 trials on GPUs 0, 1 with 4 lanes each". */
void search_announce(const struct search *search)
{
    const struct preparation *preparation = &search->preparation;
    size_t done = results_count(&search->results, TRIAL_DONE);
    log_info(search->log, "nasrun %s: study %s in %s, data %s (SHA-256 %s)", NASRUN_VERSION,
             study_text(search->study, KEY_STUDY_NAME), search->folder, preparation->dataset->name,
             preparation->dataset->digest);
    log_devices(search);
    if (search->options->quiet)
        return;
    struct text devices = {0};
    devices_append_summary(&search->devices, &devices);
    fprintf(search->options->out, "%s: %" PRId64 " trials on %s, %s: %" PRId64 " images train, %" PRId64 " validate\n",
            study_text(search->study, KEY_STUDY_NAME), study_int(search->study, KEY_TRIALS, NULL),
            devices.data ? devices.data : "", preparation->dataset->name, preparation->split->trainings,
            preparation->split->validations);
    text_clear(&devices);
    if (done)
        fprintf(search->options->out, "%s: goes on after %zu finished trials\n", search->folder, done);
    fflush(search->options->out);
}

nr_status search_summarise(const struct search *search)
{
    struct front front;
    nr_status status = front_compute(&search->results, search->log, &front);
    if (status != NR_OK)
        return status;
    bool more =
        search->end != SEARCH_EXHAUSTED && search->end != SEARCH_FAILURES; /* trials would change nothing there */
    struct summary summary = {.results = &search->results,
                              .front = &front,
                              .reason = search_end_text(search->end),
                              .elapsed = search->store ? search_elapsed(search) : search->spent,
                              .folder = search->folder,
                              .program = search->options->typed,
                              .configuration = more ? search->options->arguments : NULL};
    status = summary_print(&summary, search->log, search->options->out);
    front_clear(&front);
    return status;
}

/* The running trials, device by device; returns their number, at most one per lane. */
static size_t collect_running(const struct search *search, struct progress_trial *out)
{
    size_t count = 0;
    for (size_t i = 0; i < search->pool.count; i++) {
        for (int lane = 0; lane < search->pool.worker[i].lanes; lane++) {
            int64_t trial = search->pool.worker[i].trial[lane];
            if (trial < 1)
                continue;
            const struct record *record = &search->results.record[trial - 1];
            out[count++] = (struct progress_trial){.trial = trial,
                                                   .network = record->summary,
                                                   .epoch = record->epochs,
                                                   .epochs = study_int(search->study, KEY_EPOCHS, record->point),
                                                   .accuracy = record->accuracy};
        }
    }
    return count;
}

static struct progress_snapshot snapshot(const struct search *search, const struct front *front,
                                         const struct progress_trial *running, size_t count)
{
    return (struct progress_snapshot){.now = clock_monotonic(),
                                      .elapsed = search_elapsed(search),
                                      .max_time = study_real(search->study, KEY_MAX_TIME, NULL),
                                      .total = study_int(search->study, KEY_TRIALS, NULL),
                                      .results = &search->results,
                                      .front = front,
                                      .running = running,
                                      .runnings = count,
                                      .message = search->stopping ? "stopping at the next step; again: at once" : NULL};
}

/* `ended`: the trial that this is about, NULL for a mere redraw. A display that cannot be made is not shown. */
static void show(struct search *search, const struct record *ended)
{
    struct progress_trial *running = mem_array(pool_lanes(&search->pool), sizeof *running);
    struct front front;
    if (running && search->progress && front_compute(&search->results, search->log, &front) == NR_OK) {
        size_t count = collect_running(search, running);
        struct progress_snapshot now = snapshot(search, &front, running, count);
        if (ended)
            progress_ended(search->progress, &now, ended);
        else
            progress_show(search->progress, &now);
        front_clear(&front);
    }
    free(running);
}

void search_show_progress(struct search *search)
{
    if (clock_monotonic() - search->shown < REFRESH_SECONDS)
        return; /* the front is computed for every redraw */
    search->shown = clock_monotonic();
    show(search, NULL);
}

void search_show_end(struct search *search, const struct record *record)
{
    show(search, record);
}
