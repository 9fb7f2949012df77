/* report/front, listing, summary: what a study found, in numbers worked out by hand, as files and as text. */
#include "support/test.h"

#include <jansson.h>

#include "base/file.h"
#include "report/front.h"
#include "report/listing.h"
#include "report/summary.h"

static const char configuration[] = "[study]\nname = small\ntrials = 8\nseed = 1\n"
                                    "[data]\ndataset = tiny\n"
                                    "[space]\n"
                                    "hidden = int 4..64 log\n"
                                    "kind = choice relu, gelu\n"
                                    "wide = bool\n"
                                    "batch = ordered 16, 32\n"
                                    "decay = fixed 5e-4\n"
                                    "rate = real 1e-4..1e-1 log if kind = relu\n"
                                    "[network]\n"
                                    "layer = dense units=$hidden\n"
                                    "layer = activation kind=$kind if=$wide\n"
                                    "layer = dense units=classes\n"
                                    "[training]\nlearning_rate = $rate\nbatch_size = $batch\nweight_decay = $decay\n"
                                    "[objectives]\n";

static const char both[] = "val_accuracy = maximize threshold=0.9\nparameters = minimize threshold=1000\n";

static struct study *read_study(const char *objectives)
{
    struct text text = {0};
    struct study *study = NULL;
    struct log *log = test_log();
    text_append(&text, configuration);
    text_append(&text, objectives);
    nr_status status = study_read_text(text.data, "small.ini", NULL, 0, log, &study);
    if (status != NR_OK)
        print_error("%s\n", log_text(log));
    assert_ok(status);
    text_clear(&text);
    log_destroy(log);
    return study;
}

static void add(struct results *results, enum trial_status status, const char *point, double accuracy,
                double parameters, const char *cause)
{
    struct store_trial trial = {.trial = (int64_t)results->count + 1,
                                .status = status,
                                .point = point,
                                .cause = cause,
                                .summary = "784-8-10",
                                .method = "bo",
                                .attempt = 1,
                                .epochs = 2,
                                .seconds = 1.25,
                                .value = {accuracy, parameters, NAN, NAN, NAN, NAN, NAN, NAN},
                                .started = 1700000000,
                                .ended = NAN};
    assert_ok(results_add(results, &trial, NULL));
}

static const char gelu[] = "hidden=8 kind=gelu wide=no batch=16";

static void fill(struct results *results)
{
    add(results, TRIAL_DONE, "hidden=8 kind=relu wide=yes batch=32 rate=0.0031", 0.95, 600, "");
    add(results, TRIAL_DONE, gelu, 0.92, 200, "");
    add(results, TRIAL_DONE, gelu, 0.94, 700, "");  /* dominated by 1 */
    add(results, TRIAL_DONE, gelu, 0.99, 5000, ""); /* beyond a threshold */
    add(results, TRIAL_FAILED, gelu, NAN, 300, "loss is \"nan\", at step 4");
    add(results, TRIAL_STOPPED, gelu, 0.999, 100, "dominated"); /* counts for nothing */
    add(results, TRIAL_RUNNING, gelu, NAN, 100, "");
}

static void with_thresholds(void **state)
{
    (void)state;
    struct study *study = read_study(both);
    struct results results = {.study = study};
    struct front front;
    fill(&results);
    assert_ok(front_compute(&results, NULL, &front));
    assert_int_equal(front.members, 3);
    assert_true(front.member[0] == 3 && front.member[1] == 0 && front.member[2] == 1);
    assert_int_equal(front.rule, REFERENCE_THRESHOLDS);
    assert_true(front.reference[0] == 0.9 && front.reference[1] == 1000);
    /* steps at 0.95: 600 and 0.92: 200 */
    assert_near(front.volume, 0.05 * 400 + 0.02 * 400, 1e-12, 0);
    assert_near(front.hypervolume, front.volume / 1000, 1e-12, 0);
    assert_int_equal(front.best, 0); /* 4 is more accurate but too large */
    assert_true(front.thresholds == 2 && front.met == 2);
    struct text text = {0};
    front_append_hypervolume(&front, study, &text);
    assert_string_equal(text.data, "0.028 beyond val_accuracy 0.9, parameters 1000 (the thresholds); "
                                   "parameters as a share of 1000");
    text_clear(&text);
    front_append_best(&front, &results, &text);
    assert_string_equal(text.data, "1: val_accuracy 0.9500, parameters 600; meets all thresholds");
    text_clear(&text);
    front_clear(&front);
    results_clear(&results);
    study_destroy(study);
}

static void when_no_threshold_is_met(void **state)
{
    (void)state;
    struct study *study = read_study("val_accuracy = maximize threshold=0.999\nparameters = minimize threshold=10\n");
    struct results results = {.study = study};
    struct front front;
    fill(&results);
    assert_ok(front_compute(&results, NULL, &front));
    assert_int_equal(front.rule, REFERENCE_THRESHOLDS); /* from the first trial to the last */
    assert_true(front.reference[0] == 0.999 && front.reference[1] == 10 && front.volume == 0);
    assert_int_equal(front.best, 3);
    assert_true(front.met == 0);
    struct text text = {0};
    front_append_best(&front, &results, &text);
    assert_string_equal(text.data, "4: val_accuracy 0.9900, parameters 5000; meets 0 of 2 thresholds");
    text_clear(&text);
    front_append_hypervolume(&front, study, &text);
    assert_non_null(strstr(text.data, "(the thresholds, which no trial beats yet)"));
    text_clear(&text);
    front_clear(&front);
    results_clear(&results);
    study_destroy(study);
}

/* Without thresholds the reference is from the initial trials and stays what it is, whatever comes later. */
static void reference_settles(void **state)
{
    (void)state;
    struct study *study = read_study("val_accuracy = maximize\nparameters = minimize\n[search]\ninitial = 4\n");
    struct results results = {.study = study};
    struct front front;
    struct text text = {0};
    add(&results, TRIAL_DONE, gelu, 0.95, 600, "");
    add(&results, TRIAL_DONE, gelu, 0.92, 200, "");
    assert_ok(front_compute(&results, NULL, &front));
    assert_true(front.rule == REFERENCE_OBSERVED && !front.settled && front.observed == 4);
    front_append_hypervolume(&front, study, &text);
    assert_non_null(strstr(text.data, "10 % worse than the worst so far; settled when trials 1 to 4 have ended"));
    text_clear(&text);
    front_clear(&front);
    add(&results, TRIAL_FAILED, gelu, NAN, 300, "nan");
    add(&results, TRIAL_DONE, gelu, 0.99, 5000, "");
    for (int later = 0; later < 3; later++) {
        assert_ok(front_compute(&results, NULL, &front));
        assert_true(front.settled);
        double r0 = 0.92 - 0.1 * 0.07, r1 = 5000 + 0.1 * 4800;
        assert_near(front.reference[0], r0, 1e-12, 0);
        assert_near(front.reference[1], r1, 1e-12, 0);
        assert_near(front.volume, (0.99 - r0) * (r1 - 5000) + (0.95 - r0) * (5000 - 600) + (0.92 - r0) * (600 - 200),
                    1e-12, 0);
        front_append_hypervolume(&front, study, &text);
        assert_non_null(strstr(text.data, "10 % worse than the worst of trials 1 to 4"));
        text_clear(&text);
        front_clear(&front);
        add(&results, TRIAL_DONE, gelu, 0.1, 9000, ""); /* far worse, and too late to matter */
    }
    results_clear(&results);
    study_destroy(study);
}

static void few_trials(void **state)
{
    (void)state;
    struct study *study = read_study("val_accuracy = maximize\nparameters = minimize\n");
    struct results results = {.study = study};
    struct front front;
    struct text text = {0};
    assert_ok(front_compute(&results, NULL, &front));
    assert_true(front.members == 0 && front.best == SIZE_MAX && front.rule == REFERENCE_NONE);
    front_append_hypervolume(&front, study, &text);
    front_append_best(&front, &results, &text);
    assert_string_equal(text.data, "unknown: no trial has finishednone: no trial has finished");
    text_clear(&text);
    front_clear(&front);
    add(&results, TRIAL_DONE, gelu, 0.5, 100, ""); /* a range of nothing */
    assert_ok(front_compute(&results, NULL, &front));
    assert_near(front.reference[0], 0.45, 1e-12, 0);
    assert_near(front.reference[1], 110, 1e-12, 0);
    assert_near(front.volume, 0.05 * 10, 1e-12, 0);
    front_append_best(&front, &results, &text);
    assert_string_equal(text.data, "1: val_accuracy 0.5000, parameters 100");
    text_clear(&text);
    front_clear(&front);
    results_clear(&results);
    study_destroy(study);
}

static void files_for_programs(void **state)
{
    (void)state;
    struct study *study = read_study(both);
    struct results results = {.study = study};
    struct front front;
    char path[256], *content;
    fill(&results);
    assert_ok(front_compute(&results, NULL, &front));
    assert_ok(listing_write_files(&results, &front, test_folder(), NULL));
    snprintf(path, sizeof path, "%s/trials.csv", test_folder());
    assert_ok(file_read(path, NULL, &content, NULL));
    assert_string_equal(content, "trial,state,cause,val_accuracy,parameters,hidden,kind,wide,batch,decay,rate\n"
                                 "1,done,,0.95,600,8,relu,yes,32,0.0005,0.0031\n"
                                 "2,done,,0.92,200,8,gelu,no,16,0.0005,\n"
                                 "3,done,,0.94,700,8,gelu,no,16,0.0005,\n"
                                 "4,done,,0.99,5000,8,gelu,no,16,0.0005,\n"
                                 "5,failed,\"loss is \"\"nan\"\", at step 4\",,300,8,gelu,no,16,0.0005,\n"
                                 "6,stopped,dominated,0.999,100,8,gelu,no,16,0.0005,\n"
                                 "7,running,,,100,8,gelu,no,16,0.0005,\n");
    free(content);
    snprintf(path, sizeof path, "%s/pareto.csv", test_folder());
    assert_ok(file_read(path, NULL, &content, NULL));
    assert_string_equal(content, "trial,state,cause,val_accuracy,parameters,hidden,kind,wide,batch,decay,rate\n"
                                 "4,done,,0.99,5000,8,gelu,no,16,0.0005,\n"
                                 "1,done,,0.95,600,8,relu,yes,32,0.0005,0.0031\n"
                                 "2,done,,0.92,200,8,gelu,no,16,0.0005,\n");
    free(content);
    assert_int_equal(listing_write_files(&results, &front, "/nowhere", NULL), NR_IO);
    front_clear(&front);
    results_clear(&results);
    study_destroy(study);
}

struct memory_stream {
    FILE *stream;
    char *text;
    size_t length;
};

static void as_json(void **state)
{
    (void)state;
    struct study *study = read_study(both);
    struct results results = {.study = study};
    struct memory_stream memory;
    struct table *table;
    json_error_t error;
    fill(&results);
    assert_ok(listing_trials(&results, NULL, 0, NULL, &table));
    assert_non_null(memory.stream = open_memstream(&memory.text, &memory.length));
    assert_ok(table_write(table, TABLE_JSON, memory.stream));
    fclose(memory.stream);
    json_t *trials = json_loads(memory.text, JSON_REJECT_DUPLICATES, &error), *trial;
    assert_non_null(trials);
    assert_int_equal(json_array_size(trials), 7);
    trial = json_array_get(trials, 0);
    assert_string_equal(json_string_value(json_object_get(trial, "state")), "done");
    assert_true(json_is_integer(json_object_get(trial, "parameters")));
    assert_true(json_real_value(json_object_get(trial, "rate")) == 0.0031);
    assert_true(json_integer_value(json_object_get(trial, "batch")) == 32);
    assert_string_equal(json_string_value(json_object_get(trial, "wide")), "yes");
    assert_string_equal(json_string_value(json_object_get(trial, "network")), "784-8-10");
    trial = json_array_get(trials, 4);
    assert_true(json_is_null(json_object_get(trial, "val_accuracy")));
    assert_true(json_is_null(json_object_get(trial, "rate")));
    assert_string_equal(json_string_value(json_object_get(trial, "cause")), "loss is \"nan\", at step 4");
    json_decref(trials);
    free(memory.text);
    table_destroy(table);
    results_clear(&results);
    study_destroy(study);
}

static void at_the_end_of_a_run(void **state)
{
    (void)state;
    struct study *study = read_study(both);
    struct results results = {.study = study};
    struct front front;
    struct memory_stream memory;
    fill(&results);
    assert_ok(front_compute(&results, NULL, &front));
    struct summary summary = {.results = &results,
                              .front = &front,
                              .reason = "the time is up",
                              .elapsed = 200,
                              .folder = "runs/small",
                              .configuration = "small.ini"};
    assert_non_null(memory.stream = open_memstream(&memory.text, &memory.length));
    assert_ok(summary_print(&summary, NULL, memory.stream));
    fclose(memory.stream);
    assert_string_equal(
        memory.text,
        "small: the time is up; 4 done, 1 stopped, 1 failed, 1 running, in 3 min 20 s\n"
        "\n"
        "Pareto front, 3 of 4 finished trials:\n"
        "trial  val_accuracy  parameters  network\n"
        "    4        0.9900        5000  784-8-10\n"
        "    1        0.9500         600  784-8-10\n"
        "    2        0.9200         200  784-8-10\n"
        "\n"
        "best trial   1: val_accuracy 0.9500, parameters 600; meets all thresholds\n"
        "hypervolume  0.028 beyond val_accuracy 0.9, parameters 1000 (the thresholds); parameters as a share of 1000\n"
        "\n"
        "files        runs/small: pareto.csv, trials.csv, weights/ of the front, nasrun.log, study.db\n"
        "next         the best trial         nasrun show runs/small 1\n"
        "             what mattered          nasrun model runs/small\n"
        "             the test set           nasrun test runs/small\n"
        "             search on              nasrun small.ini --set study.trials=16\n");
    free(memory.text);
    front_clear(&front);
    results_clear(&results);
    study_destroy(study);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(with_thresholds),     cmocka_unit_test(when_no_threshold_is_met), cmocka_unit_test(few_trials),
    cmocka_unit_test(reference_settles),   cmocka_unit_test(files_for_programs),       cmocka_unit_test(as_json),
    cmocka_unit_test(at_the_end_of_a_run),
};
TEST_MAIN(cases)
