#include "bench/suggest.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "optim/optimizer.h"

static nr_status create_space(int64_t dimensions, struct log *log, struct space *space)
{
    static const char *const kinds[] = {"real 0..1",
                                        "real 1e-4..1e-1 log",
                                        "int 8..256 log",
                                        "ordered 16, 32, 64, 128, 256",
                                        "choice relu, gelu, tanh, elu",
                                        "bool"};
    nr_status status = NR_OK;
    for (int64_t d = 0; d < dimensions && status == NR_OK; d++) {
        char name[24];
        snprintf(name, sizeof name, "x%d", (int)d + 1);
        status = space_add(space, name, kinds[d % 6], "bench", (int)d + 1, log);
    }
    return status == NR_OK ? space_complete(space, log) : status;
}

struct bed {
    const struct suggest_load *load;
    struct log *log;
    struct space space;
    struct optimizer *optimizer;
    double *unit, *point; /* [dimensions] */
    int64_t trials;
};

/* Bowls around centres of their own, steeper in the first dimensions, with a ripple between neighbours. */
static struct optim_result evaluate(const struct bed *bed, const double *point)
{
    struct optim_result result = {.seconds = 1};
    for (size_t j = 0; j < OPTIM_MAX_OUTCOMES; j++)
        result.value[j] = result.variance[j] = NAN;
    point_to_unit(&bed->space, point, bed->unit);
    for (size_t j = 0; j < (size_t)bed->load->objectives; j++) {
        double sum = 0, before = 0;
        for (size_t d = 0; d < bed->space.count; d++) {
            double off = bed->unit[d] - 0.2 - 0.6 * (double)((d + j) % 3) / 2;
            sum += off * off / (1 + 0.3 * (double)d) + 0.1 * sin(6 * off * before);
            before = off;
        }
        result.value[j] = sum;
    }
    return result;
}

static nr_status create_optimizer(struct bed *bed)
{
    struct optim_problem problem = {.space = &bed->space, .objectives = (size_t)bed->load->objectives};
    const struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = 1};
    for (size_t j = 0; j < problem.objectives; j++)
        problem.objective[j].threshold = NAN;
    return optimizer_create(&problem, &options, bed->log, &bed->optimizer);
}

static nr_status take_history(struct bed *bed, struct suggest_figures *out)
{
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    nr_status status = NR_OK;
    double spent = 0;
    for (; bed->trials < bed->load->results && status == NR_OK; bed->trials++) {
        for (size_t d = 0; d < bed->space.count; d++)
            bed->unit[d] = rng_unit(&rng);
        point_from_unit(&bed->space, bed->unit, bed->point);
        struct optim_result result = evaluate(bed, bed->point);
        double start = clock_processor();
        status = optimizer_restore(bed->optimizer, bed->trials, bed->point, "random", "");
        if (status == NR_OK)
            status = optimizer_tell(bed->optimizer, bed->trials, &result);
        spent += clock_processor() - start;
    }
    out->read = spent / (double)bed->load->results;
    return status;
}

/* One suggestion and its result. */
static nr_status step(struct bed *bed, double *ask, double *tell)
{
    struct suggestion suggestion;
    double start = clock_processor();
    nr_status status = optimizer_suggest(bed->optimizer, bed->trials, &suggestion);
    *ask = clock_processor() - start;
    if (status != NR_OK)
        return status;
    struct optim_result result = evaluate(bed, suggestion.point);
    start = clock_processor();
    status = optimizer_tell(bed->optimizer, bed->trials++, &result);
    *tell = clock_processor() - start;
    return status;
}

static int compare_reals(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static nr_status time_asks(struct bed *bed, struct suggest_figures *out)
{
    size_t asks = (size_t)bed->load->asks;
    double tell, *seconds = mem_array(asks, sizeof *seconds);
    if (!seconds)
        return log_no_memory(bed->log, "measuring");
    nr_status status = step(bed, &out->first, &out->tell);
    for (size_t i = 0; i < asks && status == NR_OK; i++) {
        status = step(bed, &seconds[i], &tell);
        out->tell = fmax(out->tell, tell);
    }
    qsort(seconds, asks, sizeof *seconds, compare_reals);
    out->median = seconds[asks / 2];
    out->worst = seconds[asks - 1];
    free(seconds);
    return status;
}

static nr_status measure(const struct suggest_load *load, struct log *log, struct suggest_figures *out)
{
    struct rusage usage;
    struct bed bed = {.load = load, .log = log};
    bed.unit = mem_array((size_t)load->dimensions, sizeof *bed.unit);
    bed.point = mem_array((size_t)load->dimensions, sizeof *bed.point);
    nr_status status = bed.unit && bed.point ? NR_OK : log_no_memory(log, "measuring");
    if (status == NR_OK)
        status = create_space(load->dimensions, log, &bed.space);
    if (status == NR_OK)
        status = create_optimizer(&bed);
    if (status == NR_OK)
        status = take_history(&bed, out);
    if (status == NR_OK)
        status = time_asks(&bed, out);
    getrusage(RUSAGE_SELF, &usage);
    out->memory = 1024.0 * (double)usage.ru_maxrss;
    optimizer_destroy(bed.optimizer);
    space_clear(&bed.space);
    free(bed.unit);
    free(bed.point);
    return status;
}

struct report {
    nr_status status;
    struct suggest_figures figures;
};

/* The child: measures, says what it found, and is gone. */
static void serve(const struct suggest_load *load, struct log *log, int pipe_end)
{
    struct report report = {0};
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one); /* if that is forbidden, one thread is all the same on one core at a time */
    report.status = measure(load, log, &report.figures);
    _exit(write(pipe_end, &report, sizeof report) == sizeof report ? 0 : 1);
}

nr_status suggest_measure(const struct suggest_load *load, struct log *log, struct suggest_figures *out)
{
    int ends[2], state = 0;
    struct report report;
    pid_t child = -1;
    if (pipe(ends) == 0) {
        child = fork();
        if (child == 0)
            serve(load, log, ends[1]);
        close(ends[1]);
    }
    if (child < 0) {
        log_error(log, "bench: a process cannot be started: %s", strerror(errno));
        return NR_IO;
    }
    bool told = read(ends[0], &report, sizeof report) == sizeof report;
    close(ends[0]);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        continue;
    if (!told) {
        log_error(log, "bench: the process that measured %lld results ended early", (long long)load->results);
        return NR_IO;
    }
    if (report.status == NR_OK)
        *out = report.figures;
    return report.status;
}
