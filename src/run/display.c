/* What a person sees of a search: its first line, its progress, its summary. */
#include <inttypes.h>
#include <math.h>

#include "report/front.h"
#include "report/summary.h"
#include "run/state.h"

/* "mnist: 48 trials on 2 workers; 54,000 images train, 6,000 validate; 12,986 to 132,490 parameters" */
void search_announce(const struct search *search)
{
    const struct preparation *preparation = &search->preparation;
    size_t done = results_count(&search->results, TRIAL_DONE);
    log_info(search->log, "nasrun %s: study %s in %s, data %s (SHA-256 %s)", NASRUN_VERSION,
             study_text(search->study, KEY_STUDY_NAME), search->folder, preparation->dataset->name,
             preparation->dataset->digest);
    if (search->options->quiet)
        return;
    fprintf(search->options->out, "%s: %" PRId64 " trials on %zu worker%s, %s: %" PRId64 " images train, %" PRId64 " validate\n",
            study_text(search->study, KEY_STUDY_NAME), study_int(search->study, KEY_TRIALS, NULL), search->pool.count,
            search->pool.count == 1 ? "" : "s", preparation->dataset->name, preparation->split->trainings,
            preparation->split->validations);
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
    struct summary summary = {.results = &search->results,
                              .front = &front,
                              .reason = search_end_text(search->end),
                              .elapsed = search->store ? search_elapsed(search) : search->spent,
                              .folder = search->folder,
                              .configuration = search->study->config.path};
    status = summary_print(&summary, search->log, search->options->out);
    front_clear(&front);
    return status;
}

void search_show_progress(struct search *search)
{
    (void)search;
}
