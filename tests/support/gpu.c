#include "support/gpu.h"

#include <sys/wait.h>
#include <unistd.h>

#include "train/backends.h"

enum { SKIPPED = 77, MOST_DEVICES = 16 };

static const char *backend_name(void)
{
    const char *name = getenv("NASRUN_TEST_BACKEND");
    return name && *name ? name : "cuda";
}

bool gpu_is_cpu(void)
{
    return !strcmp(backend_name(), "cpu");
}

bool gpu_is_slow(void)
{
    return !gpu_is_cpu() && getenv("NASRUN_CUDA_MODULE");
}

/* In the child: usable devices. */
static int count_usable(struct log *log)
{
    const struct backend *backend;
    int count, usable = 0;
    if (backend_load(backend_name(), log, &backend) != NR_OK || backend->count(log, &count) != NR_OK)
        return 0;
    for (int number = 0; number < count && number < MOST_DEVICES; number++) {
        struct device_summary summary;
        if (backend->inspect(number, log, &summary) == NR_OK && !*summary.problem)
            usable++;
        else
            fprintf(stderr, "device %d: %s\n", number, summary.problem);
    }
    return usable;
}

int gpu_count(void)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct log *log;
        if (log_create(stderr, LOG_ERROR, &log) != NR_OK)
            _exit(0);
        int usable = count_usable(log);
        fflush(NULL);
        _exit(usable);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 0;
    return WEXITSTATUS(status);
}

int gpu_main(int count, char **arguments, const struct CMUnitTest *cases, size_t cases_count)
{
    if (gpu_count() == 0) {
        printf("skipped: there is no GPU to try\n");
        return SKIPPED;
    }
    return test_main(count, arguments, cases, cases_count);
}

const struct backend *gpu_backend(void)
{
    const struct backend *backend = NULL;
    struct log *log = test_log();
    if (backend_load(backend_name(), log, &backend) != NR_OK) {
        print_error("%s\n", log_text(log));
        fail();
    }
    log_destroy(log);
    return backend;
}

void gpu_pair_create(struct gpu_pair *pair, int64_t images, int64_t channels, int64_t side, gpu_layers *layers)
{
    training_create(&pair->gpu, images, channels, side);
    training_create(&pair->cpu, images, channels, side);
    layers(&pair->gpu.hand);
    layers(&pair->cpu.hand);
}

void gpu_pair_open(struct gpu_pair *pair)
{
    pair->cpu.recipe = pair->gpu.recipe;
    pair->cpu.recipe.precision = PRECISION_FLOAT64;
    training_open(&pair->gpu, gpu_backend());
    training_open(&pair->cpu, &cpu_backend);
}

void gpu_pair_clear(struct gpu_pair *pair)
{
    training_clear(&pair->gpu);
    training_clear(&pair->cpu);
}
