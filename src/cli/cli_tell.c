/* nasrun tell STUDY TRIAL NAME=VALUE...: what came of a trial that was asked for.
 * nasrun tell STUDY point NAME=VALUE...: a result from elsewhere, with its parameters.
 * nasrun tell STUDY TRIAL fail=CAUSE */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include "report/phrase.h"
#include "run/session.h"

/* The assignments of the command line: parameters as a point's text, the others as values. */
struct assignments {
    struct text point;
    struct told told;
};

static nr_status take_value(struct cli *cli, const struct study *study, const char *assignment, const char *equals,
                            struct told *told)
{
    double value;
    char *name = strndup(assignment, (size_t)(equals - assignment));
    if (!name)
        return log_no_memory(cli->log, "reading the command line");
    nr_status status = NR_INVALID;
    if (strcmp(name, "fail") == 0) /* no value may be called so */
        log_error(cli->log, "tell: fail=CAUSE is told of a trial alone; expected no other NAME=VALUE, and no point");
    else if (text_to_real(equals + 1, &value))
        status = told_set(told, study, name, value, cli->log);
    else
        log_error(cli->log, "tell: %s is \"%s\"; expected a number", name, equals + 1);
    free(name);
    return status;
}

static bool names_parameter(const struct study *study, const char *assignment, size_t length)
{
    char name[256];
    if (length >= sizeof name)
        return false;
    memcpy(name, assignment, length);
    name[length] = '\0';
    return space_find(&study->space, name) != SIZE_MAX;
}

/* `with_point`: parameters are expected, too. */
static nr_status take_assignments(struct cli *cli, const struct study *study, bool with_point, struct assignments *out)
{
    nr_status status = NR_OK;
    told_init(&out->told);
    text_append(&out->point, "");
    for (int i = 2; i < cli->arguments && status == NR_OK; i++) {
        const char *assignment = cli->argument[i], *equals = strchr(assignment, '=');
        if (!equals) {
            log_error(cli->log, "tell: \"%s\" is no assignment; expected NAME=VALUE", assignment);
            return NR_INVALID;
        }
        if (with_point && names_parameter(study, assignment, (size_t)(equals - assignment)))
            text_format(&out->point, " %s", assignment);
        else
            status = take_value(cli, study, assignment, equals, &out->told);
    }
    return status == NR_OK && out->point.failed ? log_no_memory(cli->log, "reading the command line") : status;
}

static nr_status tell_point(struct cli *cli, struct session *session, const struct assignments *given, int64_t *trial)
{
    const struct space *space = &session_study(session)->space;
    double *point = mem_array(space->count, sizeof *point);
    if (!point)
        return log_no_memory(cli->log, "reading a point");
    nr_status status = point_parse(space, given->point.data, cli->log, point);
    if (status == NR_OK)
        status = session_tell_point(session, point, &given->told, trial);
    free(point);
    return status;
}

/* The cause after "fail" or "fail=", NULL where the trial is told values. */
static const char *failure(const struct cli *cli)
{
    static const char word[] = "fail";
    const char *argument = cli->argument[2];
    size_t length = strlen(word);
    if (cli->arguments != 3 || strncmp(argument, word, length) != 0 || (argument[length] && argument[length] != '='))
        return NULL;
    return argument + length + (argument[length] == '=');
}

static nr_status confirm(struct cli *cli, struct session *session, int64_t trial)
{
    const struct results *results;
    struct text values = {0};
    nr_status status = cli->quiet ? NR_OK : session_results(session, &results);
    if (status != NR_OK || cli->quiet)
        return status;
    const struct record *record = &results->record[trial - 1];
    if (record->status == TRIAL_DONE)
        phrase_append_values(&values, results->study, record->value);
    fprintf(cli->out, "trial %" PRId64 " %s: %s\n", trial, trial_status_name(record->status),
            record->status == TRIAL_DONE && values.data ? values.data : record->cause);
    text_clear(&values);
    return NR_OK;
}

static nr_status tell(struct cli *cli, struct session *session, int64_t trial)
{
    struct assignments given = {0};
    const char *cause = trial ? failure(cli) : NULL;
    nr_status status = NR_OK;
    if (!cause)
        status = take_assignments(cli, session_study(session), trial == 0, &given);
    if (status == NR_OK) {
        if (cause)
            status = session_fail(session, trial, cause);
        else if (trial)
            status = session_tell(session, trial, &given.told);
        else
            status = tell_point(cli, session, &given, &trial);
    }
    text_clear(&given.point);
    return status == NR_OK ? confirm(cli, session, trial) : status;
}

nr_status command_tell(struct cli *cli)
{
    const struct session_options options = {.study = cli->argument[0],
                                            .set = cli->set,
                                            .sets = cli->sets,
                                            .folder = cli->folder,
                                            .asker = "nasrun tell",
                                            .log = cli->log};
    struct session *session;
    int64_t trial = 0; /* a point */
    if (strcmp(cli->argument[1], "point") != 0 && (!text_to_int(cli->argument[1], &trial) || trial < 1)) {
        log_error(cli->log, "tell: \"%s\" is no trial; expected its number, or the word point", cli->argument[1]);
        return NR_INVALID;
    }
    nr_status status = session_open(&options, &session);
    if (status != NR_OK)
        return status;
    status = tell(cli, session, trial);
    session_close(session);
    return status;
}
