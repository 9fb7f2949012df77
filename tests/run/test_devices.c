/* Which devices are chosen, and what is said of those that cannot be had: exit status 2, one sentence with what was
 * found and what is possible, and nothing written. */
#include "support/gpus.h"

#include <dirent.h>

struct refusal {
    const char *name;
    const char *devices;          /* how many there are */
    const char *variable, *value; /* of the environment; NULL: none */
    const char *arguments, *says;
};

static const struct refusal refusals[] = {
    {"unknown number", "2", NULL, NULL, "--set run.devices=0,7",
     "nasrun: --set run.devices: there is no device 7; found 0 (Fake 0), 1 (Fake 1)\n"},
    {"no device to name", "1", "NASRUN_FAKE_NONE", "no CUDA device", "--set run.devices=0",
     "nasrun: --set run.devices: there is no device 0; found no GPU: no CUDA device; auto or cpu "
     "trains on the CPU\n"},
    {"all of none", "1", "NASRUN_FAKE_NONE", "the driver is too old: it serves CUDA 11.4, this program needs 12.0",
     "--set run.devices=all",
     "nasrun: --set run.devices: there is none to use; found no GPU: the driver is too old: it serves CUDA 11.4, this "
     "program needs 12.0; auto or cpu trains on the CPU\n"},
    {"no module", "1", "NASRUN_CUDA_MODULE", "/nowhere/module.so", "--set run.devices=all",
     "nasrun: --set run.devices: there is none to use; found no GPU: NASRUN_CUDA_MODULE is /nowhere/module.so: no such "
     "file; auto or cpu trains on the CPU\n"},
    {"without code, by number", "2", "NASRUN_FAKE_PROBLEM", "1:this program has no code for compute capability 5.0",
     "--set run.devices=1",
     "nasrun: --set run.devices: device 1 cannot be used; found 0 (Fake 0), 1 (Fake 1: this program has no code for "
     "compute capability 5.0)\n"},
    {"without code, of all", "2", "NASRUN_FAKE_PROBLEM", "0:this program has no code for compute capability 5.0",
     "--set run.devices=all",
     "nasrun: --set run.devices: not every device can be used; name those that can; found 0 (Fake 0: this program has "
     "no code for compute capability 5.0), 1 (Fake 1)\n"},
    {"not visible", "4", "CUDA_VISIBLE_DEVICES", "2,3", "--set run.devices=2",
     "nasrun: --set run.devices: there is no device 2; found 0 (Fake 2), 1 (Fake 3)\n"},
    {"bf16 by number", "1", "NASRUN_FAKE_BF16", "0", "--set run.devices=0 --set training.precision=bf16",
     "nasrun: --set run.devices: device 0 cannot be used; found 0 (Fake 0: it has no bf16)\n"},
    {"bf16 nowhere", "1", "NASRUN_FAKE_BF16", "0", "--set training.precision=bf16",
     "nasrun: --set training.precision: it needs a GPU; the CPU has float32 and float64; found 0 (Fake 0: it has no "
     "bf16)\n"},
    {"tf32 without a GPU", "1", "NASRUN_FAKE_NONE", "no CUDA device", "--set training.precision=tf32",
     "nasrun: --set training.precision: it needs a GPU; the CPU has float32 and float64; found no GPU: no CUDA "
     "device\n"},
    {"bf16 on the CPU", "1", NULL, NULL, "--set run.devices=cpu --set training.precision=bf16",
     "nasrun: --set training.precision: bf16 is of GPUs only; the CPU has float32 and float64\n"},
    {"float64 on a GPU", "1", NULL, NULL, "--set run.devices=0 --set training.precision=float64",
     "nasrun: --set training.precision: GPUs have float32, tf32 and bf16; float64 needs devices = cpu\n"},
    {"groups on the CPU", "2", NULL, NULL, "--set run.devices=cpu --set run.gpus_per_trial=2",
     "nasrun: --set run.gpus_per_trial: on the CPU a trial has one process; expected 1\n"},
    {"groups without GPUs", "2", "NASRUN_FAKE_NONE", "no CUDA device", "--set run.gpus_per_trial=2",
     "nasrun: --set run.gpus_per_trial: on the CPU a trial has one process; found no GPU: no CUDA device\n"},
    {"groups too large", "2", NULL, NULL, "--set run.gpus_per_trial=4",
     "nasrun: --set run.gpus_per_trial: that is more than there are devices to use; found 0 (Fake 0), 1 (Fake 1)\n"},
    {"groups that leave a rest", "3", NULL, NULL, "--set run.devices=all --set run.gpus_per_trial=2",
     "nasrun: --set run.gpus_per_trial: 3 devices do not divide into groups of 2: 1 would be left over; name a "
     "multiple "
     "of 2\n"},
    {"lanes of groups", "2", NULL, NULL, "--set run.gpus_per_trial=2 --set run.lanes=4",
     "nasrun: --set run.lanes: a group of GPUs trains one trial at a time; expected 1 or auto where gpus_per_trial is "
     "more than 1\n"},
    {"batches too small", "2", NULL, NULL, "--set run.gpus_per_trial=2 --set training.batch_size=1",
     "nasrun: --set run.gpus_per_trial: batch_size can be 1, less than one image for each of 2 GPUs\n"},
    {"batches that may be too small", "4", NULL, NULL,
     "--set run.gpus_per_trial=4 --set 'space.batch=ordered 2, 16, 64' --set 'training.batch_size=$batch'",
     "nasrun: --set run.gpus_per_trial: batch_size can be 2, less than one image for each of 4 GPUs\n"},
    /* 784-64-10: 50890 parameters, 4 vectors of them and the activations of 16 images: 0.8 MiB; the data take 0.8 */
    {"more lanes than fit", "1", "NASRUN_FAKE_MEMORY", "4000000", "--set run.lanes=16",
     "nasrun: --set run.lanes: 16 candidates of the largest kind, 1 MiB each, do not fit into the "},
    {"not a list", "1", NULL, NULL, "--set run.devices=0;1",
     "nasrun: --set run.devices: found \"0;1\"; expected auto, all, cpu, or different numbers such as 0,2\n"},
    {"no lane", "1", NULL, NULL, "--set run.lanes=0",
     "nasrun: --set run.lanes: found \"0\"; expected a whole number from 1 to 16, or auto\n"},
};

static void expect_nothing_written(const char *folder)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "small.ini") && strcmp(entry->d_name, "out"))
            fail_msg("%s was written", entry->d_name);
    closedir(directory);
}

static void refused(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        char arguments[512], *out;
        const char *folder = searching_folder("refused");
        gpus_pretend(refusal->devices);
        if (refusal->variable)
            setenv(refusal->variable, refusal->value, 1);
        snprintf(arguments, sizeof arguments, "small.ini %s", refusal->arguments);
        for (char *semicolon = strstr(arguments, "0;1"); semicolon; semicolon = NULL) /* for the shell */
            snprintf(arguments, sizeof arguments, "small.ini --set 'run.devices=0;1'");
        int status = searching_run(folder, arguments);
        out = searching_read(folder, "out");
        if (status != 2 || !strstr(out, refusal->says)) {
            print_error("%s: exit status %d, and it says:\n%s", refusal->name, status, out);
            failures++;
        }
        expect_nothing_written(folder);
        free(out);
    }
    assert_int_equal(failures, 0);
}

struct acceptance {
    const char *name, *devices, *variable, *value, *arguments;
    const char *says;  /* of what is printed */
    const char *lacks; /* NULL: nothing in particular */
    const char *logs;  /* of nasrun.log */
};

static const struct acceptance acceptances[] = {
    {"automatic", "2", NULL, NULL, "", "small: 2 trials on GPUs 0, 1 with 1 lane each",
     "nasrun:", "trains on cuda: Fake 0 (0), Fake 1 (1)"},
    {"one of two", "2", NULL, NULL, "--set run.devices=1 --set run.lanes=2", "small: 2 trials on GPU 1 with 2 lanes,",
     "nasrun:", "device 1, lane 1, Fake 1"},
    {"in the parent's numbering", "4", "CUDA_VISIBLE_DEVICES", "3,1", "--set run.devices=1", "on GPU 1 with 1 lane,",
     "nasrun:", "device 1, lane 0, Fake 1"},
    {"the CPU asked for", "2", "NASRUN_FAKE_NONE", "nobody asked", "--set run.devices=cpu", "2 trials on 1 worker,",
     "nobody asked", "trains on cpu "},
    {"float64", "1", NULL, NULL, "--set training.precision=float64", "2 trials on 1 worker,", "GPU", "trains on cpu "},
    {"nothing to use", "1", "NASRUN_FAKE_NONE", "the driver is too old", "",
     "no GPU trains, but the CPU: the driver is too old", NULL, "trains on cpu "},
    {"no such module", "1", "NASRUN_CUDA_MODULE", "/nowhere/module.so", "",
     "no GPU trains, but the CPU: NASRUN_CUDA_MODULE is /nowhere/module.so: no such file", NULL, "trains on cpu "},
    {"one left out", "2", "NASRUN_FAKE_PROBLEM", "0:it is too hot", "",
     "device 0 (Fake 0) is left out: it is too hot\n", NULL, "Fake 1 (1)"},
    {"one without bf16", "1", NULL, NULL, "--set training.precision=bf16", "on GPU 0 with", "nasrun:", "Fake 0 (0)"},
    {"a rest of one", "3", NULL, NULL, "--set run.gpus_per_trial=2",
     "device 2 (Fake 2) is left out: gpus_per_trial is 2\n", NULL, "Fake 0 (0), Fake 1 (1)"},
};

static void accepted(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof acceptances / sizeof *acceptances; i++) {
        const struct acceptance *acceptance = &acceptances[i];
        char arguments[512];
        const char *folder = searching_folder("accepted");
        gpus_pretend(acceptance->devices);
        if (acceptance->variable)
            setenv(acceptance->variable, acceptance->value, 1);
        snprintf(arguments, sizeof arguments, "small.ini --fresh --set study.trials=2 --set data.epoch_images=500 %s",
                 acceptance->arguments);
        int status = searching_run(folder, arguments);
        char *out = searching_read(folder, "out"), *log = searching_read(folder, "runs/small/nasrun.log");
        if (status != 0 || !strstr(out, acceptance->says) || (acceptance->lacks && strstr(out, acceptance->lacks)) ||
            !strstr(log, acceptance->logs)) {
            print_error("%s: exit status %d, and it says:\n%s\n%s", acceptance->name, status, out, log);
            failures++;
        }
        free(log);
        free(out);
    }
    assert_int_equal(failures, 0);
}

/* A sixth of a model-based search's trials at most is under way; a search that learns nothing fills eight lanes. */
static void automatic_lanes(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *memory, *says;
    } cases[] = {
        {"--set study.trials=12", "1000000000", "with 2 lanes,"},
        {"--set search.method=random", "1000000000", "with 8 lanes,"},
        {"--set search.method=sobol", "2000000", "with 2 lanes,"},
        {"--set search.method=sobol", "1000000", "with 1 lane,"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[256];
        const char *folder = searching_folder("automatic");
        gpus_pretend("1");
        setenv("NASRUN_FAKE_MEMORY", cases[i].memory, 1);
        snprintf(arguments, sizeof arguments, "small.ini --fresh --set data.epoch_images=100 %s", cases[i].arguments);
        assert_int_equal(searching_run(folder, arguments), 0);
        char *out = searching_read(folder, "out");
        if (!strstr(out, cases[i].says))
            fail_msg("%s, memory %s: expected \"%s\" in\n%s", cases[i].arguments, cases[i].memory, cases[i].says, out);
        free(out);
    }
}

/* A study that was begun on one device goes on on another, and the log says so. */
static void another_device(void **state)
{
    (void)state;
    const char *folder = searching_folder("moved");
    gpus_pretend("1");
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=2"), 0);
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=3 --set run.devices=cpu"), 0);
    char *log = searching_read(folder, "runs/small/nasrun.log");
    assert_non_null(strstr(log,
                           "the study was begun on cuda: Fake 0 (0): the bits of its trials are those of the device "
                           "that trains"));
    free(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {cmocka_unit_test(refused), cmocka_unit_test(accepted),
                                              cmocka_unit_test(automatic_lanes), cmocka_unit_test(another_device)};
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
