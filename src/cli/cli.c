#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { LONG_OPTION = 256, SHORT_SIZE = 2 * CLI_OPTIONS + 2, MOST_NAMES = 64 };

/* What getopt_long() wants, made of the table. A long option's code is LONG_OPTION + its id. */
struct parser {
    struct option option[CLI_OPTIONS + 1];
    char letters[SHORT_SIZE];
};

static void fill_parser(struct parser *parser)
{
    char *letter = parser->letters;
    *parser = (struct parser){0};
    *letter++ = ':';
    for (int id = 0; id < CLI_OPTIONS; id++) {
        const struct cli_option *known = &cli_options[id];
        int argument = known->argument ? required_argument : no_argument;
        parser->option[id] = (struct option){known->name, argument, NULL, LONG_OPTION + id};
        if (known->letter)
            *letter++ = (char)known->letter;
        if (known->letter && known->argument)
            *letter++ = ':';
    }
}

/* Of what getopt_long() returned for one that it knows. */
static enum cli_option_id option_of(int code)
{
    int id = code - LONG_OPTION;
    if (code < LONG_OPTION)
        for (id = 0; cli_options[id].letter != code; id++)
            continue;
    return (enum cli_option_id)id;
}

static bool is_word(const char *word, size_t length, const char *other)
{
    return strlen(other) == length && !strncmp(word, other, length);
}

const struct command *cli_find_command(char *const *words, int count, int *used)
{
    for (const struct command *command = commands; command->name; command++) {
        const char *second = strchr(command->name, ' ');
        size_t first = second ? (size_t)(second - command->name) : strlen(command->name);
        *used = second ? 2 : 1;
        if (count >= *used && is_word(command->name, first, words[0]) && (!second || !strcmp(second + 1, words[1])))
            return command;
    }
    return NULL;
}

const char *cli_hint(const char *name, char buffer[CLI_HINT_SIZE])
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    for (const struct command *command = commands; command->name; command++)
        if (!command->hidden && count < MOST_NAMES)
            names[count++] = command->name;
    const char *nearest = text_nearest(name, names, count);
    *buffer = '\0';
    if (nearest)
        snprintf(buffer, CLI_HINT_SIZE, " (did you mean %s?)", nearest);
    return buffer;
}

bool cli_takes(const struct command *command, enum cli_option_id option)
{
    return option == OPTION_HELP || command->flags & cli_options[option].flags;
}

nr_status cli_number(const struct cli *cli, enum cli_option_id option, int64_t least, int64_t most, int64_t *out)
{
    int64_t value;
    const char *text = cli->option[option];
    if (!text)
        return NR_OK;
    if (!text_to_int(text, &value) || value < least || value > most) {
        log_error(cli->log, "--%s is \"%s\", expected a number from %" PRId64 " to %" PRId64, cli_options[option].name,
                  text, least, most);
        return NR_INVALID;
    }
    *out = value;
    return NR_OK;
}

static nr_status bad_option(struct cli *cli, const struct command *command, char **arguments, int code)
{
    const char *names[CLI_OPTIONS];
    size_t count = 0;
    const char *written = arguments[optind - 1];
    if (code == ':') {
        log_error(cli->log, "%s: the option %s needs a value", command->name, written);
        return NR_INVALID;
    }
    for (int id = 0; id < CLI_OPTIONS; id++)
        if (cli_takes(command, (enum cli_option_id)id))
            names[count++] = cli_options[id].name;
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
static nr_status take_option(struct cli *cli, const struct command *command, enum cli_option_id option,
                             const char *value)
{
    cli->option[option] = value ? value : "";
    switch (option) {
    case OPTION_QUIET:
        cli->quiet = true;
        break;
    case OPTION_SET:
        cli->set[cli->sets++] = value;
        break;
    case OPTION_WITH:
        cli->with[cli->withs++] = value;
        break;
    case OPTION_OUT:
        return take_folder(cli, command, value);
    case OPTION_FRESH:
        cli->fresh = true;
        break;
    case OPTION_JSON:
    case OPTION_CSV:
        cli->format = option == OPTION_JSON ? TABLE_JSON : TABLE_CSV;
        break;
    default: /* the command looks */
        break;
    }
    return NR_OK;
}

static nr_status parse_options(struct cli *cli, const struct command *command, int count, char **arguments)
{
    int code;
    struct parser parser;
    nr_status status = NR_OK;
    fill_parser(&parser);
    optind = 1;
    opterr = 0;
    while (status == NR_OK && (code = getopt_long(count, arguments, parser.letters, parser.option, NULL)) != -1) {
        if (code == '?' || code == ':')
            return bad_option(cli, command, arguments, code);
        enum cli_option_id option = option_of(code);
        if (!cli_takes(command, option)) {
            log_error(cli->log, "%s takes no --%s; `nasrun help %s` lists its options", command->name,
                      cli_options[option].name, command->name);
            return NR_INVALID;
        }
        status = take_option(cli, command, option, optarg);
    }
    return status;
}

static nr_status parse(struct cli *cli, const struct command *command, int count, char **arguments)
{
    cli->set = mem_array((size_t)count, sizeof *cli->set);
    cli->with = mem_array((size_t)count, sizeof *cli->with);
    if (!cli->set || !cli->with)
        return log_no_memory(cli->log, "reading the command line");
    nr_status status = parse_options(cli, command, count, arguments);
    cli->argument = arguments + optind;
    cli->arguments = count - optind;
    bool fits = cli->arguments >= command->fewest && cli->arguments <= command->most;
    if (status != NR_OK || cli->option[OPTION_HELP] || fits)
        return status;
    log_error(cli->log, "usage: nasrun %s%s%s", command->name, *command->synopsis ? " " : "", command->synopsis);
    return NR_INVALID;
}

/* The first word of a command of two: what may follow it. */
static nr_status unknown_second(struct cli *cli, const char *first, const char *second)
{
    struct text list = {0};
    size_t length = strlen(first);
    for (const struct command *command = commands; command->name; command++)
        if (!strncmp(command->name, first, length) && command->name[length] == ' ')
            text_format(&list, "%s%s", list.length ? ", " : "", command->name + length + 1);
    if (!list.length)
        return NR_NOT_FOUND;
    const char *expected = list.failed ? "another" : list.data;
    if (second)
        log_error(cli->log, "%s: \"%s\" is none of %s", first, second, expected);
    else
        log_error(cli->log, "%s: one word more is needed: %s", first, expected);
    text_clear(&list);
    return NR_INVALID;
}

static nr_status unknown_command(struct cli *cli, const char *name)
{
    char hint[CLI_HINT_SIZE];
    log_error(cli->log, "\"%s\" is neither a command nor a configuration file%s; `nasrun help` lists the commands",
              name, cli_hint(name, hint));
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
    int named = 0;
    static char help[] = "help", version[] = "version";
    char *first[] = {count > 1 ? arguments[1] : help, count > 2 ? arguments[2] : NULL};
    if (!strcmp(first[0], "-h") || !strcmp(first[0], "--help"))
        first[0] = help;
    if (!strcmp(first[0], "--version") || !strcmp(first[0], "-V"))
        first[0] = version;
    const struct command *command = cli_find_command(first, count > 2 ? 2 : 1, &named);
    if (!command && names_configuration(count, arguments)) {
        command = cli_find_command((char *[]){"search"}, 1, &named);
        named = 0;
    }
    if (!command) {
        nr_status status = unknown_second(cli, first[0], first[1]);
        return status == NR_NOT_FOUND ? unknown_command(cli, first[0]) : status;
    }
    if (named >= count) /* no word at all */
        named = count - 1;
    /* getopt takes the last word of the command's name for the program's */
    nr_status status = parse(cli, command, count - named, arguments + named);
    if (status != NR_OK)
        return status;
    return cli->option[OPTION_HELP] ? cli_help_print(cli->out, command) : command->run(cli);
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
    free((void *)cli.with);
    log_destroy(cli.log);
    return status_exit(status);
}
