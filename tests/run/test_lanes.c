/* Searches over several GPUs and lanes, pretended ones: whatever the packing, the neighbours and the failures, every
 * trial ends with the bits that it has alone. The method is random search, whose suggestions do not depend on the order
 * in which trials end. */
#include "support/gpus.h"

#include <time.h>

/* What one lane makes of it, computed once: the CPU backend's own bits. */
static const char *expected(void)
{
    static char *trials;
    if (!trials) {
        gpus_pretend("1");
        trials = gpus_search("alone", "--set run.devices=cpu");
    }
    return trials;
}

static void expect_same(const char *name, const char *options)
{
    const char *wanted = expected();
    char *trials = gpus_search(name, options);
    assert_string_equal(trials, wanted);
    free(trials);
}

/* Makes sure that expected() does not run under a planted failure. */
static void pretend(const char *devices)
{
    (void)expected();
    gpus_pretend(devices);
}

static void two_devices_of_four_lanes(void **state)
{
    (void)state;
    pretend("2");
    expect_same("lanes", "--set run.lanes=4");
    for (int device = 0; device < 2; device++) {
        for (int lane = 0; lane < 4; lane++) {
            char text[64];
            snprintf(text, sizeof text, "device %d, lane %d, Fake %d", device, lane, device);
            gpus_expect_logged("lanes", text);
        }
    }
    pretend("1");
    expect_same("lanes", "--set run.lanes=1");
    gpus_expect_not_logged("lanes", "lane 1");
    expect_same("lanes", "--set run.lanes=16");
}

/* Bytes of the largest candidate of the space, 784-64-10: 50890 parameters, their gradients and Adam's two moments, and
 * activations of 16 images; and of the data set. */
enum { LARGEST = 50890 * 16 + 80000, DATA = 1000 * 785 };

/* Of the device, beside the data. */
static void set_memory(int bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%d", bytes + DATA);
    setenv("NASRUN_FAKE_MEMORY", text, 1);
}

/* Candidates of two sizes, on a device that holds a small and a large one, but not two large ones. */
#define CROWD "--set 'space.hidden=ordered 32, 64'"

static void expect_same_crowd(void)
{
    static char *wanted;
    if (!wanted)
        wanted = gpus_search("crowd", CROWD " --set run.devices=cpu");
    set_memory(LARGEST / 10 * 16);
    char *trials = gpus_search("crowded", CROWD " --set run.lanes=auto");
    assert_string_equal(trials, wanted);
    free(trials);
    gpus_expect_logged("crowded", "device 0, lane 1");
}

/* Whoever does not fit waits. The device refuses what is too much, as it does below. */
static void packs_by_bytes(void **state)
{
    (void)state;
    pretend("1");
    expect_same_crowd();
    gpus_expect_not_logged("crowded", "out of memory");
}

/* A candidate that cannot fit is known at once and not tried again; the others are done. */
static void too_large(void **state)
{
    (void)state;
    pretend("1");
    set_memory(LARGEST / 2);
    char *trials = gpus_search("large", "");
    assert_non_null(strstr(trials, ",failed,\"it needs "));
    assert_non_null(strstr(trials, "MiB, the device has 0.4 MiB"));
    assert_non_null(strstr(trials, ",done,"));
    assert_null(strstr(trials, "attempts"));
    gpus_expect_not_logged("large", "goes on from its last checkpoint");
    free(trials);
}

/* The plan promised less than the device then takes: whoever meets that beside others is tried alone. */
static void out_of_memory_beside_others(void **state)
{
    (void)state;
    pretend("1");
    setenv("NASRUN_FAKE_UNDERSTATE", "8", 1);
    expect_same_crowd();
    gpus_expect_logged("crowded", "fakeMalloc: out of memory; it is tried once more alone");
    pretend("1");
    gpus_plant_once(test_folder(), "memory", 2, 30, 0);
    expect_same("crowded", "--set run.lanes=4");
    gpus_expect_logged("crowded", "trial 2: fakeLaunch(steps): out of memory at step");
    gpus_expect_logged("crowded", "(epoch 1); it is tried once more alone");
    pretend("1"); /* the same again and again, alone too: the cause of its failure */
    setenv("NASRUN_FAKE_PLANT", "memory 2 30 0", 1);
    char *trials = gpus_search("crowded", "--set run.lanes=4");
    assert_non_null(strstr(trials, "\n2,failed,fakeLaunch(steps): out of memory at step 30 (epoch 1),"));
    gpus_expect_not_logged("crowded", "trial 2: its worker was lost");
    free(trials);
}

/* Other programs take and give back memory, too: who had the device for itself is tried a second time, and no third. */
static void out_of_memory_alone(void **state)
{
    (void)state;
    pretend("1");
    gpus_plant_once(test_folder(), "memory", 2, 30, 0);
    expect_same("solitary", "--set run.lanes=1");
    gpus_expect_logged("solitary", "trial 2: fakeLaunch(steps): out of memory at step 30 (epoch 1); it goes on from");
    pretend("1");
    setenv("NASRUN_FAKE_PLANT", "memory 2 30 0", 1);
    char *trials = gpus_search("solitary", "--set run.lanes=1");
    assert_non_null(strstr(trials, "\n2,failed,fakeLaunch(steps): out of memory at step 30 (epoch 1),"));
    free(trials);
}

static void a_sticky_error(void **state)
{
    (void)state;
    pretend("2");
    gpus_plant_once(test_folder(), "device", 3, 400, 0);
    expect_same("sticky", "--set run.lanes=4");
    gpus_expect_logged("sticky", "fakeLaunch(steps): an illegal memory access was encountered at step ");
    gpus_expect_logged("sticky", "was lost with trial ");
    gpus_expect_logged("sticky", "it goes on from its last checkpoint");
}

/* One trial that always fails costs three workers, and nobody else an attempt. */
static void a_trial_that_always_fails(void **state)
{
    (void)state;
    pretend("1");
    setenv("NASRUN_FAKE_PLANT", "device 4 100 0", 1);
    char *trials = gpus_search("always", "--set run.lanes=1");
    assert_non_null(strstr(trials, "\n4,failed,its worker was lost: fakeLaunch(steps): an illegal memory access "
                                   "was encountered at step 100 (epoch 1) (3 attempts),"));
    assert_non_null(strstr(trials, "\n5,done,"));
    free(trials);
}

/* A broken device ends the search, which goes on when it is mended. */
static void a_broken_device(void **state)
{
    (void)state;
    char folder[512];
    pretend("1");
    setenv("NASRUN_FAKE_PLANT", "device 0 5 0", 1);
    snprintf(folder, sizeof folder, "%s", searching_folder("broken"));
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s --set run.lanes=2", gpus_search_base);
    assert_int_equal(searching_run(folder, arguments), 3);
    char *out = searching_read(folder, "out");
    assert_non_null(strstr(out, "the worker on device 0 (Fake 0) was lost 5 times without finishing an epoch; see "));
    free(out);
    unsetenv("NASRUN_FAKE_PLANT");
    assert_int_equal(searching_run(folder, arguments), 0);
}

static void hangs(void **state)
{
    (void)state;
    pretend("1");
    gpus_plant_once(test_folder(), "hang", 5, 20, 0);
    expect_same("hung", "--set run.lanes=4 --set run.patience=1");
    gpus_expect_logged("hung", "with trial 5: no step finished for 1 s after step 20 (epoch 1)");
    pretend("1");
    gpus_plant_once(test_folder(), "stuck", 5, 20, 0);
    expect_same("hung", "--set run.lanes=4 --set run.patience=1");
    gpus_expect_logged("hung", "the worker on device 0 (Fake 0) said nothing for 1 s and was killed");
}

/* A device that never becomes ready: its worker is killed, and after the third there is no more. */
static void a_device_that_never_answers(void **state)
{
    (void)state;
    char folder[512], arguments[256];
    pretend("1");
    setenv("NASRUN_FAKE_SILENT", "1", 1);
    snprintf(folder, sizeof folder, "%s", searching_folder("silent"));
    snprintf(arguments, sizeof arguments, "%s --set run.patience=0.3", gpus_search_base);
    assert_int_equal(searching_run(folder, arguments), 3);
    char *out = searching_read(folder, "out");
    assert_non_null(strstr(out, "the worker on device 0 (Fake 0) said nothing for 0 s and was killed"));
    assert_non_null(strstr(out, "3 workers in a row ended before they could train; see "));
    free(out);
}

static void pause_ms(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000}, NULL);
}

/* kill -9 of the driver again and again, while each of its two workers trains up to four trials. */
static void killed_drivers(void **state)
{
    (void)state;
    char folder[512], arguments[256];
    pretend("2");
    snprintf(folder, sizeof folder, "%s", searching_folder("killed"));
    snprintf(arguments, sizeof arguments, "%s --set run.lanes=4", gpus_search_base);
    int status = 137;
    for (int run = 0; status == 137; run++) {
        pid_t driver = searching_start(folder, arguments);
        if (run < 6) {
            pause_ms(120 + 40 * run);
            kill(driver, SIGKILL);
        }
        status = searching_wait(driver);
    }
    assert_int_equal(status, 0);
    char *trials = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(trials, expected());
    free(trials);
}

/* A worker that dies without a word takes up to four trials along: each goes on from its checkpoint. */
static void killed_workers(void **state)
{
    (void)state;
    pretend("1");
    gpus_plant_once(test_folder(), "kill", 3, 450, 0);
    expect_same("murdered", "--set run.lanes=4");
    gpus_expect_logged("murdered", "the worker on device 0 (Fake 0) killed by signal 9 (Killed)");
    gpus_expect_logged("murdered",
                       "trial 3: its worker was lost: killed by signal 9 (Killed); it goes on from its last "
                       "checkpoint");
}

/* An interrupt stops every lane of every worker. */
static void interrupts(void **state)
{
    (void)state;
    char folder[512], arguments[256];
    pretend("2");
    snprintf(folder, sizeof folder, "%s", searching_folder("interrupted"));
    snprintf(arguments, sizeof arguments, "%s --set run.lanes=4", gpus_search_base);
    int status = 130;
    for (int run = 0; status == 130; run++) {
        pid_t driver = searching_start(folder, arguments);
        if (run < 4) {
            pause_ms(120 + 60 * run);
            kill(-driver, SIGINT);
        }
        status = searching_wait(driver);
    }
    assert_int_equal(status, 0);
    char *trials = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(trials, expected());
    free(trials);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(two_devices_of_four_lanes),
        cmocka_unit_test(packs_by_bytes),
        cmocka_unit_test(too_large),
        cmocka_unit_test(out_of_memory_beside_others),
        cmocka_unit_test(out_of_memory_alone),
        cmocka_unit_test(a_sticky_error),
        cmocka_unit_test(a_trial_that_always_fails),
        cmocka_unit_test(a_broken_device),
        cmocka_unit_test(hangs),
        cmocka_unit_test(a_device_that_never_answers),
        cmocka_unit_test(killed_drivers),
        cmocka_unit_test(killed_workers),
        cmocka_unit_test(interrupts),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
