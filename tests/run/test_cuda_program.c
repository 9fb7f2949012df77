/* The program on pretended GPUs, the backend on the double of CUDA's libraries (tests/double): lost, hung and full
 * devices, drivers and devices that cannot be used, two devices, groups. What is recorded of the trials must not tell.
 */
#include "support/searching.h"

enum { SKIPPED = 77 };

/* The double's module lies beside the program; false: it was not built. */
static bool find_module(void)
{
    char path[512];
    const char *program = test_program(), *slash = strrchr(program, '/');
    snprintf(path, sizeof path, "%.*s/libnasrun-cuda-double.so", slash ? (int)(slash - program) : 1,
             slash ? program : ".");
    setenv("NASRUN_CUDA_MODULE", path, 1);
    return access(path, R_OK) == 0;
}

struct scenario {
    const char *name;
    const char *variable, *value; /* of the environment; "FOLDER" in it is the search's (no comma); NULL: none */
    const char *options;
    int status;
    const char *says; /* in nasrun.log, or where nothing was written in the output */
};

static void set_variable(const struct scenario *scenario, const char *folder)
{
    char value[700];
    const char *at = scenario->value ? strstr(scenario->value, "FOLDER") : NULL;
    if (at)
        snprintf(value, sizeof value, "%.*s%s%s", (int)(at - scenario->value), scenario->value, folder, at + 6);
    if (scenario->variable)
        setenv(scenario->variable, at ? value : scenario->value, 1);
}

/* trials.csv where the search ended well; else NULL. The caller frees. */
static char *run_scenario(const struct scenario *scenario)
{
    char folder[512], arguments[512];
    snprintf(folder, sizeof folder, "%s", searching_folder(scenario->name));
    snprintf(arguments, sizeof arguments,
             "small.ini --quiet --fresh --set search.method=random --set study.trials=4 --set data.epoch_images=240 %s",
             scenario->options);
    set_variable(scenario, folder);
    const int status = searching_run(folder, arguments);
    if (scenario->variable)
        unsetenv(scenario->variable);
    char *out = searching_read(folder, "out");
    char *log = status == 0 ? searching_read(folder, "runs/small/nasrun.log") : NULL;
    if (status != scenario->status || !strstr(log ? log : out, scenario->says))
        fail_msg("%s: exit status %d, expected %d and \"%s\":\n%s\n%s", scenario->name, status, scenario->status,
                 scenario->says, out, log ? log : "");
    free(out);
    free(log);
    return status == 0 ? searching_read(folder, "runs/small/trials.csv") : NULL;
}

#define ONE "--set run.devices=0 --set run.lanes=2"
#define GROUP "--set run.devices=all --set run.gpus_per_trial=2 --set run.lanes=1"
#define FAULT(text) "NASRUN_DOUBLE_" text

static const struct scenario undisturbed = {"undisturbed", NULL, NULL, ONE, 0, "trains on cuda: Double 0 (0)"};

/* All of these must record the same trials as `base`. */
static void expect_same(const struct scenario *base, const struct scenario *scenarios, size_t count)
{
    char *expected = run_scenario(base);
    assert_non_null(strstr(expected, "\n4,done,"));
    for (size_t i = 0; i < count; i++) {
        char *got = run_scenario(&scenarios[i]);
        assert_string_equal(got, expected);
        free(got);
    }
    free(expected);
}

static void test_faults(void **state)
{
    static const struct scenario scenarios[] = {
        {"sticky", FAULT("FAIL"), "call=cudaGraphLaunch,nth=9,code=719,once=FOLDER/once", ONE, 0,
         "cudaGraphLaunch(graph, stream): unspecified launch failure at step"},
        {"later", FAULT("FAIL"), "call=cublasLtMatmul,nth=80,when=run,once=FOLDER/once", ONE, 0,
         "an illegal memory access was encountered at step"},
        /* in a step the trial notices, in a call that waits the driver does: which, depends on how steps were queued */
        {"hung", FAULT("HANG"), "call=cublasLtMatmul,nth=100,once=FOLDER/once", ONE " --set run.patience=5s", 0,
         " for 5 s"},
        {"full", FAULT("FAIL"), "call=cudaMalloc,nth=6,once=FOLDER/once", ONE, 0, "it is tried once more alone"},
    };
    (void)state;
    expect_same(&undisturbed, scenarios, sizeof scenarios / sizeof *scenarios);
}

static void test_several(void **state)
{
    static const struct scenario scenarios[] = {
        {"one lane", NULL, NULL, "--set run.devices=0 --set run.lanes=1", 0, "device 0, lane 0"},
        {"two devices", FAULT("DEVICES"), "2", "--set run.devices=all --set run.lanes=2", 0,
         "trains on cuda: Double 0 (0), Double 1 (1)"},
        {"small memory", FAULT("MEMORY"), "40000000", "--set run.devices=0", 0, "device 0, lane 0"},
        {"streams as they come", FAULT("EAGER"), "1", ONE, 0, "trains on cuda: Double 0 (0)"},
    };
    (void)state;
    expect_same(&undisturbed, scenarios, sizeof scenarios / sizeof *scenarios);
}

/* Two ranks, each a process with its own device: one that fails takes its group along, and both go on. */
static void test_group(void **state)
{
    static const struct scenario group = {"group", NULL, NULL, GROUP, 0, "trains on cuda: Double 0 (0), Double 1 (1)"};
    static const struct scenario scenarios[] = {
        {"group with a failure", FAULT("FAIL"), "call=cudaGraphLaunch,nth=9,code=719,once=FOLDER/once", GROUP, 0,
         "cudaGraphLaunch(graph, stream): unspecified launch failure at step"},
        {"group that hangs", FAULT("HANG"), "call=ncclAllReduce,nth=30,once=FOLDER/once",
         GROUP " --set run.patience=5s", 0, "no step finished for 5 s after step"},
    };
    (void)state;
    setenv("NASRUN_DOUBLE_DEVICES", "2", 1);
    expect_same(&group, scenarios, sizeof scenarios / sizeof *scenarios);
    unsetenv("NASRUN_DOUBLE_DEVICES");
}

/* By number: exit status 2, and nothing written. With auto: a warning, and the CPU. */
static void test_unusable(void **state)
{
    static const struct scenario scenarios[] = {
        {"no driver", FAULT("DRIVER"), "none", ONE, 2, "there is no device 0; found no GPU: there is no NVIDIA driver"},
        {"old driver", FAULT("DRIVER"), "old", ONE, 2, "the NVIDIA driver is too old: it is for CUDA 11.0"},
        {"old device", FAULT("CAPABILITY"), "6.1", ONE, 2,
         "device 0 cannot be used; found 0 (Double 0: this program has no code for compute capability 6.1)"},
        {"no such device", FAULT("DEVICES"), "2", "--set run.devices=0,2", 2, "there is no device 2"},
        {"too large a group", FAULT("DEVICES"), "2", "--set run.gpus_per_trial=3", 2,
         "that is more than there are devices to use"},
        /* room for one workspace of 32 MiB */
        {"more lanes than fit", FAULT("MEMORY"), "40000000", ONE, 2, "2 candidates of the largest kind"},
        {"bf16", FAULT("CAPABILITY"), "7.5", ONE " --set training.precision=bf16", 2, "it has no bf16"},
        {"automatic", FAULT("DRIVER"), "none", "--set run.workers=2", 0, "trains on cpu"},
        {"automatic old device", FAULT("CAPABILITY"), "6.1", "--set run.workers=2", 0, "trains on cpu"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        free(run_scenario(&scenarios[i]));
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_faults),
    cmocka_unit_test(test_several),
    cmocka_unit_test(test_group),
    cmocka_unit_test(test_unusable),
};

int main(int count, char **arguments)
{
    if (!find_module()) {
        printf("skipped: the double's module was not built\n");
        return SKIPPED;
    }
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
