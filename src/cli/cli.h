/* The command line: one command per file, each thin, found in one table (commands.c).
 *
 * A command gets its options parsed and a log that writes to standard error; it returns a status, which status_exit()
 * turns into the exit status of the program. */
#ifndef NASRUN_CLI_CLI_H
#define NASRUN_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "base/status.h"
#include "report/table.h"

/* Which options a command takes, as bits; -h and --help are understood by all. */
enum cli_flag {
    CLI_SET = 1 << 0,    /* --set section.key=value, any number */
    CLI_OUT = 1 << 1,    /* --out DIR */
    CLI_QUIET = 1 << 2,  /* -q, --quiet */
    CLI_FRESH = 1 << 3,  /* --fresh */
    CLI_TABLE = 1 << 4,  /* --json, --csv */
    CLI_DEVICE = 1 << 5, /* --device NAME */
    CLI_BENCH = 1 << 6,  /* --lanes N, --precision NAME, --images N */
};

struct cli {
    const char *program; /* path of the executable, for worker processes */
    const char *typed;   /* what a person types for it: NASRUN_COMMAND (tools/run sets it), or argv[0] */
    FILE *out;           /* standard output */
    struct log *log;
    const char **set; /* overrides */
    size_t sets;
    const char *folder;                     /* --out, NULL: the default */
    const char *device;                     /* --device, NULL: the default */
    const char *lanes, *precision, *images; /* of bench, as written; NULL: the default */
    bool quiet, fresh;
    enum table_format format;
    char **argument; /* what is left */
    int arguments;
};

struct command {
    const char *name;
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

nr_status cli_help_print(FILE *stream, const struct command *command); /* NULL: the overview */

/* The commands. */
nr_status command_search(struct cli *cli);
nr_status command_status(struct cli *cli);
nr_status command_trials(struct cli *cli);
nr_status command_pareto(struct cli *cli);
nr_status command_best(struct cli *cli);
nr_status command_show(struct cli *cli);
nr_status command_check(struct cli *cli);
nr_status command_test(struct cli *cli);
nr_status command_bench(struct cli *cli);
nr_status command_doctor(struct cli *cli);
nr_status command_help(struct cli *cli);
nr_status command_version(struct cli *cli);
nr_status command_worker(struct cli *cli);
nr_status command_probe(struct cli *cli);

#endif
