/* The command line: one command per file, each thin, found in one table (commands.c).
 *
 * A command gets its options parsed and a log that writes to standard error; it returns a status, which status_exit()
 * turns into the exit status of the program. */
#ifndef NASRUN_CLI_CLI_H
#define NASRUN_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/status.h"
#include "report/table.h"

/* Which options a command takes, as bits; -h and --help are understood by all. */
enum cli_flag {
    CLI_SET = 1 << 0,
    CLI_OUT = 1 << 1,
    CLI_QUIET = 1 << 2,
    CLI_FRESH = 1 << 3,
    CLI_TABLE = 1 << 4,    /* --json, --csv */
    CLI_TRAIN = 1 << 5,    /* bench train */
    CLI_OPTIMISE = 1 << 6, /* bench optimise */
    CLI_SUGGEST = 1 << 7,  /* bench suggest */
    CLI_PREDICTED = 1 << 8,
    CLI_DRAW = 1 << 9, /* --svg */
};

enum cli_option_id {
    OPTION_SET,
    OPTION_OUT,
    OPTION_FRESH,
    OPTION_QUIET,
    OPTION_DEVICE,
    OPTION_LANES,
    OPTION_PRECISION,
    OPTION_IMAGES,
    OPTION_METHOD,
    OPTION_SEEDS,
    OPTION_EVALUATIONS,
    OPTION_PENDING,
    OPTION_INITIAL,
    OPTION_CURVES,
    OPTION_SVG,
    OPTION_WITH,
    OPTION_RESULTS,
    OPTION_ASKS,
    OPTION_DIMENSIONS,
    OPTION_OBJECTIVES,
    OPTION_PREDICTED,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_HELP,
    CLI_OPTIONS
};

struct cli_option {
    const char *name;
    int letter;           /* its short form, 0: none */
    unsigned flags;       /* enum cli_flag: a command with any of these takes it */
    const char *argument; /* what its value is called; NULL: it takes none */
    const char *help;
};
extern const struct cli_option cli_options[CLI_OPTIONS]; /* in the order of `nasrun help COMMAND` */

struct cli {
    const char *program; /* path of the executable, for worker processes */
    const char *typed;   /* what a person types for it: NASRUN_COMMAND (tools/run sets it), or argv[0] */
    FILE *out;           /* standard output */
    struct log *log;
    const char *option[CLI_OPTIONS]; /* values as written, the last where it was repeated; "" where it takes none;
                                      * NULL: not given */
    const char **set;                /* every --set */
    size_t sets;
    const char **with; /* every --with */
    size_t withs;
    const char *folder; /* --out, NULL: the default */
    bool quiet, fresh;
    enum table_format format;
    char **argument; /* what is left */
    int arguments;
};

struct command {
    const char *name;     /* one word or two: "bench train" */
    const char *synopsis; /* arguments, "[STUDY]" */
    const char *help;     /* one line */
    const char *details;  /* paragraphs for `nasrun help NAME`, or NULL */
    unsigned flags;       /* enum cli_flag */
    int fewest, most;     /* arguments */
    bool hidden;          /* for our own use */
    nr_status (*run)(struct cli *cli);
};

extern const struct command commands[]; /* ends with a NULL name */

/* Parses, runs, returns the program's exit status. */
int cli_main(int count, char **arguments);

/* The command that the words begin with, and how many of them are its name; NULL: none. */
const struct command *cli_find_command(char *const *words, int count, int *used);
/* " (did you mean x?)" where the name of a command is near, else "". The buffer holds the text. */
enum { CLI_HINT_SIZE = 96 };
const char *cli_hint(const char *name, char buffer[CLI_HINT_SIZE]);

bool cli_takes(const struct command *command, enum cli_option_id option);
nr_status cli_help_print(FILE *stream, const struct command *command); /* NULL: the overview */
/* A whole number that is the value of an option, where it was given; `*out` is left alone where not. */
nr_status cli_number(const struct cli *cli, enum cli_option_id option, int64_t least, int64_t most,
                     int64_t *out) NR_MUST_CHECK;

/* The commands. */
nr_status command_search(struct cli *cli);
nr_status command_status(struct cli *cli);
nr_status command_trials(struct cli *cli);
nr_status command_pareto(struct cli *cli);
nr_status command_best(struct cli *cli);
nr_status command_show(struct cli *cli);
nr_status command_model(struct cli *cli);
nr_status command_importance(struct cli *cli);
nr_status command_loo(struct cli *cli);
nr_status command_explain(struct cli *cli);
nr_status command_check(struct cli *cli);
nr_status command_test(struct cli *cli);
nr_status command_ask(struct cli *cli);
nr_status command_tell(struct cli *cli);
nr_status command_serve(struct cli *cli);
nr_status command_bench_train(struct cli *cli);
nr_status command_bench_optimise(struct cli *cli);
nr_status command_bench_suggest(struct cli *cli);
nr_status command_doctor(struct cli *cli);
nr_status command_help(struct cli *cli);
nr_status command_version(struct cli *cli);
nr_status command_worker(struct cli *cli);
nr_status command_probe(struct cli *cli);

#endif
