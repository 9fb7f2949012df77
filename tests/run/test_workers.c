/* Worker processes: how they are started and what is said of their end. */
#include "support/searching.h"

#include <fcntl.h>

#include "run/files.h"
#include "run/pool.h"
#include "run/worker.h"
#include "train/dataset.h"

static nr_status on_message(void *context, struct pool_worker *worker, const json_t *message)
{
    (void)context;
    (void)worker;
    (void)message;
    return NR_OK;
}

static nr_status on_gone(void *context, const struct pool_loss *loss)
{
    snprintf(context, sizeof loss->how, "%s", loss->how);
    return NR_OK;
}

/* Starts one worker and waits until it can work or has gone; `how` says how it went. */
static enum worker_state start_one(const char *configuration, int data, char how[384])
{
    struct pool pool;
    const struct pool_events events = {.message = on_message, .gone = on_gone, .context = how};
    char *log_path = file_join(test_folder(), "workers.log");
    *how = '\0';
    const struct devices devices = {.backend = "cpu", .workers = 1, .ranks = 1, .lanes = 1};
    const struct pool_setup setup = {.devices = &devices,
                                     .program = test_program(),
                                     .log_path = log_path,
                                     .configuration = configuration,
                                     .folder = test_folder(),
                                     .data = data,
                                     .patience = 60};
    assert_ok(pool_create(&setup, &pool));
    assert_ok(pool_fill(&pool));
    while (pool.worker[0].state == WORKER_STARTING)
        assert_ok(pool_receive(&pool, -1, 1000, &events));
    enum worker_state state = pool.worker[0].state;
    pool_clear(&pool);
    free(log_path);
    return state;
}

/* Wherever the driver has the data set: workers find it, and their socket, at the fixed numbers. */
static void any_descriptor(void **state)
{
    (void)state;
    struct dataset *dataset;
    char how[384];
    int saved[] = {fcntl(WORKER_SOCKET, F_DUPFD_CLOEXEC, 20), fcntl(WORKER_DATA, F_DUPFD_CLOEXEC, 20)};
    assert_ok(dataset_read("tiny", test_source("data/tiny"), DATASET_TRAIN, NULL, &dataset));
    int data = fcntl(dataset->descriptor, F_DUPFD, 10);
    dataset_destroy(dataset); /* the memory lives as long as a descriptor of it */
    const int places[] = {WORKER_SOCKET, WORKER_DATA, data};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i] != data)
            assert_int_equal(dup2(data, places[i]), places[i]);
        assert_int_equal(start_one(searching_configuration, places[i], how), WORKER_SERVING);
        assert_string_equal(how, "");
    }
    close(data);
    for (int i = 0; i < 2; i++)
        if (saved[i] >= 0)
            assert_true(dup2(saved[i], WORKER_SOCKET + i) >= 0);
}

/* A worker that cannot be set up leaves by itself, and that is what is told, not that it was killed. */
static void own_end(void **state)
{
    (void)state;
    char how[384];
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(start_one(searching_configuration, nothing, how), WORKER_ABSENT);
    assert_string_equal(how, "ended with status 3");
    close(nothing);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {cmocka_unit_test(any_descriptor), cmocka_unit_test(own_end)};
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
