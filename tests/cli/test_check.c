/* `nasrun check`, studies with external objectives from the command line, and searches with outcome constraints. */
#include "support/searching.h"

static void write_file(const char *folder, const char *name, const char *content)
{
    char *path = file_join(folder, name);
    assert_ok(file_replace(path, content, strlen(content), false, NULL));
    free(path);
}

static void expect_output(const char *folder, const char *arguments, int status, const char *const *parts, size_t count)
{
    int found = searching_run(folder, arguments);
    char *out = searching_read(folder, "out");
    for (size_t i = 0; i < count; i++) {
        if (strstr(out, parts[i]))
            continue;
        print_error("nasrun %s lacks \"%s\":\n%s", arguments, parts[i], out);
        fail();
    }
    assert_int_equal(found, status);
    free(out);
}

/* The example that is delivered: what is known of it without a trial. */
static void the_example(void **state)
{
    (void)state;
    char arguments[512];
    const char *folder = searching_folder("example"), *path = test_source("configs/external.ini");
    static const char *const check[] = {
        "study \"external\", 60 trials, seed 1",
        "h2               int 16..512 log if layers = 2        497 values",
        "error            minimize, worth something from 0.1 on; told\n",
        "size             minimize; exact, 784*h1 + h1 + if(layers = 2, ",
        "never proposed)\n  size             <= 300000\n  narrowing        h2 <= h1 if layers = 2\n",
        "learnt from trials)\n  latency          <= 5\n",
        "size        from 12730 to ", /* one layer of 16: 785*16 + 16*10 + 10 */
        "Nothing was written.",
    };
    static const char *const train[] = {"external.ini: there is nothing to train: the study has no [network]",
                                        "nasrun serve ", "nasrun ask"};
    snprintf(arguments, sizeof arguments, "check %s", path);
    expect_output(folder, arguments, 0, check, sizeof check / sizeof *check);
    expect_output(folder, path, 2, train, sizeof train / sizeof *train);
    char *runs = file_join(folder, "runs");
    assert_false(file_exists(runs));
    free(runs);
}

static void a_space_without_points(void **state)
{
    (void)state;
    const char *folder = searching_folder("nothing");
    static const char *const parts[] = {"none.ini: no point of the space is allowed (all were tried, 9 tried); for "
                                        "example: none.ini:10: [constraints] size is 1, less than 10"};
    write_file(folder, "none.ini",
               "[study]\nname = none\ntrials = 3\n[space]\na = int 1..9\n[objectives]\n"
               "loss = minimize\nsize = minimize exact=\"a\"\n[constraints]\nsize = >= 10\n");
    expect_output(folder, "check none.ini", 2, parts, 1);
}

struct tally {
    int feasible, infeasible;
};

/* Of the rows of a table. */
static struct tally tally(const char *table)
{
    struct tally tally = {0, 0};
    for (const char *line = strchr(table, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        double accuracy, parameters, loss;
        assert_int_equal(sscanf(line + 1, "%*d,done,,%lf,%lf,%lf,", &accuracy, &parameters, &loss), 3);
        *(loss <= 0.6 && accuracy >= 0.5 ? &tally.feasible : &tally.infeasible) += 1;
    }
    return tally;
}

/* A metric of training that is bounded, and no objective: recorded, listed, and the front keeps to it. */
static void outcome_constraint(void **state)
{
    (void)state;
    const char *folder = searching_folder("outcome");
    struct text text = {0};
    text_format(&text, "%s[constraints]\nval_loss = <= 0.6\nval_accuracy = >= 0.5\n", searching_configuration);
    write_file(folder, "small.ini", text.data);
    text_clear(&text);
    static const char *const check[] = {"learnt from trials)\n  val_loss         <= 0.6\n  val_accuracy     >= 0.5\n"};
    expect_output(folder, "check small.ini", 0, check, 1);
    expect_output(folder, "small.ini --out s", 0, NULL, 0);
    char *trials = searching_read(folder, "s/trials.csv"), *front = searching_read(folder, "s/pareto.csv");
    static const char head[] = "trial,state,cause,val_accuracy,parameters,val_loss,hidden,";
    assert_true(text_starts_with(trials, head) && text_starts_with(front, head));
    struct tally all = tally(trials), best = tally(front);
    assert_true(all.feasible > 0 && all.infeasible > 0); /* else the bounds show nothing */
    assert_int_equal(all.feasible + all.infeasible, 7);
    assert_true(best.feasible > 0 && best.infeasible == 0);
    free(trials);
    free(front);
    expect_output(folder, "small.ini --out s --set study.trials=9", 0, NULL, 0); /* the record says enough to go on */
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(the_example),
    cmocka_unit_test(a_space_without_points),
    cmocka_unit_test(outcome_constraint),
};

TEST_MAIN(cases)
