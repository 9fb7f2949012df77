/* A program that uses libnasrun as others would: compiled by test_library.c against the installed header and library.
 *
 *     example CONFIG FOLDER TRIALS
 *
 * asks for trials one by one, tells what they gave, and prints each point, then the Pareto set. Started again, it goes
 * on. */
#include <inttypes.h>
#include <math.h>
#include <nasrun.h>
#include <stdio.h>
#include <stdlib.h>

static double evaluate(nasrun_study *study, int64_t trial)
{
    double h1, h2, rate;
    if (nasrun_number(study, trial, "h1", &h1) != NASRUN_OK || nasrun_number(study, trial, "h2", &h2) != NASRUN_OK ||
        nasrun_number(study, trial, "lr", &rate) != NASRUN_OK)
        return NAN;
    return 1 / log(h1) + 0.5 / log(h2) + 0.1 * pow(log10(rate) + 2.5, 2);
}

/* One trial; 0 when there is none left. */
static int step(nasrun_study *study)
{
    int64_t trial;
    size_t given;
    const char *point;
    if (nasrun_ask(study, 1, &trial, &given) != NASRUN_OK || nasrun_point(study, trial, &point) != NASRUN_OK) {
        fprintf(stderr, "%s\n", nasrun_error(study));
        exit(1);
    }
    if (!given)
        return 0;
    printf("%" PRId64 " %s\n", trial, point);
    struct nasrun_value values[] = {{"loss", evaluate(study, trial)}, {"latency", 1}};
    if (nasrun_tell(study, trial, values, 2, 0.5) != NASRUN_OK) {
        fprintf(stderr, "%s\n", nasrun_error(study));
        exit(1);
    }
    return 1;
}

/* What is wrong is said, and changes nothing. */
static void expect_refusals(nasrun_study *study)
{
    int64_t trials, now;
    double number = 7;
    struct nasrun_value missing[] = {{"loss", 1}}, wrong[] = {{"loss", NAN}, {"latency", 1}};
    if (nasrun_trials(study, &trials) != NASRUN_OK || nasrun_tell(study, trials, missing, 1, NAN) != NASRUN_INVALID ||
        nasrun_tell(study, trials + 1, missing, 1, NAN) != NASRUN_NOT_FOUND ||
        nasrun_tell(study, trials, wrong, 2, NAN) != NASRUN_INVALID ||
        nasrun_tell_point(study, "h1=3", wrong, 1, NAN, NULL) != NASRUN_INVALID ||
        nasrun_number(study, trials, "h3", &number) != NASRUN_NOT_FOUND || number != 7 || !*nasrun_error(study) ||
        nasrun_trials(study, &now) != NASRUN_OK || now != trials) {
        fprintf(stderr, "a wrong call was not refused: %s\n", nasrun_error(study));
        exit(1);
    }
}

int main(int count, char **arguments)
{
    char error[NASRUN_ERROR_SIZE];
    struct nasrun_front front;
    if (count != 4)
        return 2;
    nasrun_study *study = nasrun_open(arguments[1], arguments[2], error, sizeof error);
    if (!study) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    for (int i = 0; i < atoi(arguments[3]) && step(study); i++)
        ;
    expect_refusals(study);
    if (nasrun_pareto(study, &front) != NASRUN_OK) {
        fprintf(stderr, "%s\n", nasrun_error(study));
        return 1;
    }
    printf("front of %zu, hypervolume %.17g\n", front.count, front.hypervolume);
    nasrun_close(study);
    return 0;
}
