#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    OPTION_SET = 256,
    OPTION_OUT,
    OPTION_FRESH,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_DEVICE,
    OPTION_LANES,
    OPTION_PRECISION,
    OPTION_IMAGES
};

static const struct option long_options[] = {{"help", no_argument, NULL, 'h'},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"set", required_argument, NULL, OPTION_SET},
                                             {"out", required_argument, NULL, OPTION_OUT},
                                             {"fresh", no_argument, NULL, OPTION_FRESH},
                                             {"json", no_argument, NULL, OPTION_JSON},
                                             {"csv", no_argument, NULL, OPTION_CSV},
                                             {"device", required_argument, NULL, OPTION_DEVICE},
                                             {"lanes", required_argument, NULL, OPTION_LANES},
                                             {"precision", required_argument, NULL, OPTION_PRECISION},
                                             {"images", required_argument, NULL, OPTION_IMAGES},
                                             {NULL, 0, NULL, 0}};

static unsigned option_flag(int option)
{
    switch (option) {
    case OPTION_SET:
        return CLI_SET;
    case OPTION_OUT:
        return CLI_OUT;
    case OPTION_FRESH:
        return CLI_FRESH;
    case OPTION_JSON:
    case OPTION_CSV:
        return CLI_TABLE;
    case OPTION_DEVICE:
        return CLI_DEVICE;
    case OPTION_LANES:
    case OPTION_PRECISION:
    case OPTION_IMAGES:
        return CLI_BENCH;
    case 'q':
        return CLI_QUIET;
    default:
        return 0;
    }
}

static const char *option_name(int option)
{
    for (const struct option *known = long_options; known->name; known++)
        if (known->val == option)
            return known->name;
    return "?";
}

static const struct command *find_command(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            return command;
    return NULL;
}

static nr_status bad_option(struct cli *cli, const struct command *command, char **arguments, int option)
{
    const char *names[16];
    size_t count = 0;
    const char *written = arguments[optind - 1];
    if (option == ':') {
        log_error(cli->log, "%s: the option %s needs a value", command->name, written);
        return NR_INVALID;
    }
    for (const struct option *known = long_options; known->name; known++)
        if (!option_flag(known->val) || command->flags & option_flag(known->val))
            names[count++] = known->name;
    const char *nearest = text_starts_with(written, "--") ? text_nearest(written + 2, names, count) : NULL;
    log_error(cli->log, "%s: there is no option %s%s%s%s; `nasrun help %s` lists them", command->name, written,
              nearest ? " (did you mean --" : "", nearest ? nearest : "", nearest ? "?)" : "", command->name);
    return NR_INVALID;
}

static nr_status take_folder(struct cli *cli, const struct command *command, const char *value)
{
    if (!*value) { /* an unset variable in a script: the files would land in / */
        log_error(cli->log, "%s: --out is empty; expected the study's folder", command->name);
        return NR_INVALID;
    }
    cli->folder = value;
    return NR_OK;
}

/* One option that the command knows; `value` is NULL where it takes none. */
static nr_status take_option(struct cli *cli, const struct command *command, int option, const char *value)
{
    switch (option) {
    case 'q':
        cli->quiet = true;
        break;
    case OPTION_SET:
        cli->set[cli->sets++] = value;
        break;
    case OPTION_OUT:
        return take_folder(cli, command, value);
    case OPTION_FRESH:
        cli->fresh = true;
        break;
    case OPTION_DEVICE:
        cli->device = value;
        break;
    case OPTION_LANES:
        cli->lanes = value;
        break;
    case OPTION_PRECISION:
        cli->precision = value;
        break;
    case OPTION_IMAGES:
        cli->images = value;
        break;
    default:
        cli->format = option == OPTION_JSON ? TABLE_JSON : TABLE_CSV;
    }
    return NR_OK;
}

/* On NR_OK *help says whether -h was among the options. */
static nr_status parse(struct cli *cli, const struct command *command, int count, char **arguments, bool *help)
{
    int option;
    nr_status status = NR_OK;
    cli->set = mem_array((size_t)count, sizeof *cli->set);
    if (!cli->set)
        return log_no_memory(cli->log, "reading the command line");
    optind = 1;
    opterr = 0;
    while (status == NR_OK && (option = getopt_long(count, arguments, ":hq", long_options, NULL)) != -1) {
        if (option == '?' || option == ':')
            return bad_option(cli, command, arguments, option);
        if (option_flag(option) && !(command->flags & option_flag(option))) {
            log_error(cli->log, "%s takes no --%s; `nasrun help %s` lists its options", command->name,
                      option_name(option), command->name);
            return NR_INVALID;
        }
        if (option == 'h')
            *help = true;
        else
            status = take_option(cli, command, option, optarg);
    }
    cli->argument = arguments + optind;
    cli->arguments = count - optind;
    if (status != NR_OK || *help || (cli->arguments >= command->fewest && cli->arguments <= command->most))
        return status;
    log_error(cli->log, "usage: nasrun %s%s%s", command->name, *command->synopsis ? " " : "", command->synopsis);
    return NR_INVALID;
}

static nr_status unknown_command(struct cli *cli, const char *name)
{
    const char *names[32];
    size_t count = 0;
    for (const struct command *command = commands; command->name; command++)
        if (!command->hidden && count < 32)
            names[count++] = command->name;
    const char *nearest = text_nearest(name, names, count);
    log_error(cli->log, "\"%s\" is neither a command nor a configuration file%s%s%s; `nasrun help` lists the commands",
              name, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    return NR_INVALID;
}

/* A first argument that is no command is a configuration to search: a file, or at least named like one. Options may
 * stand before it, so it is looked for among all arguments. */
static bool names_configuration(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        size_t length = strlen(arguments[i]);
        if (length > 4 && !strcmp(arguments[i] + length - 4, ".ini"))
            return true;
    }
    return count > 1 && arguments[1][0] != '-' && file_exists(arguments[1]);
}

static nr_status dispatch(struct cli *cli, int count, char **arguments)
{
    const char *first = count > 1 ? arguments[1] : "help";
    if (!strcmp(first, "-h") || !strcmp(first, "--help"))
        first = "help";
    if (!strcmp(first, "--version") || !strcmp(first, "-V"))
        first = "version";
    const struct command *command = find_command(first);
    bool help = false;
    if (command) {
        int named = count > 1; /* getopt takes the command's name for the program's */
        count -= named;
        arguments += named;
    } else if (names_configuration(count, arguments)) {
        command = find_command("search");
    } else {
        return unknown_command(cli, first);
    }
    nr_status status = parse(cli, command, count, arguments, &help);
    if (status != NR_OK)
        return status;
    return help ? cli_help_print(cli->out, command) : command->run(cli);
}

static const char *executable(const char *name, char *buffer, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", buffer, size - 1);
    if (length <= 0)
        return name;
    buffer[length] = '\0';
    return buffer;
}

int cli_main(int count, char **arguments)
{
    char path[4096];
    const char *typed = getenv("NASRUN_COMMAND");
    struct cli cli = {.program = executable(arguments[0], path, sizeof path),
                      .typed = typed && *typed ? typed : arguments[0],
                      .out = stdout};
    nr_status status = log_create(stderr, LOG_WARNING, &cli.log);
    if (status == NR_OK)
        status = dispatch(&cli, count, arguments);
    if (fflush(cli.out) != 0 && status == NR_OK) {
        log_error(cli.log, "standard output cannot be written: %s", strerror(errno));
        status = NR_IO;
    }
    free((void *)cli.set);
    log_destroy(cli.log);
    return status_exit(status);
}
