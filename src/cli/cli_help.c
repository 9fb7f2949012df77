/* nasrun help, nasrun COMMAND --help. */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "net/operators.h"
#include "space/keys.h"

enum { USAGE_WIDTH = 24 };

static void print_overview(FILE *stream)
{
    fprintf(stream,
            "nasrun searches for networks that are worth their size: it trains candidates itself and leaves a Pareto\n"
            "front of accuracy against size.\n\n"
            "  nasrun CONFIG.ini        run the search; said again, it goes on\n\n"
            "Commands:\n");
    for (const struct command *command = commands; command->name; command++) {
        char usage[64];
        int length = snprintf(usage, sizeof usage, "%s %s", command->name, command->synopsis);
        if (!command->hidden)
            fprintf(stream, "  %-*s%s%-*s %s\n", USAGE_WIDTH, usage, length > USAGE_WIDTH ? "\n  " : "",
                    length > USAGE_WIDTH ? USAGE_WIDTH : 0, "", command->help);
    }
    fprintf(
        stream,
        "\nSTUDY is a study's folder, a name under runs/, or its configuration file; the newest one when left out.\n"
        "Exit status: 0 ended as asked; 1 no finished trial, or too many failures; 2 bad usage or bad input\n"
        "(nothing written); 3 a device, folder or store failed while running (say it again to go on);\n"
        "130 interrupted (say it again to go on).\n");
}

nr_status cli_help_print(FILE *stream, const struct command *command)
{
    if (!command) {
        print_overview(stream);
        return NR_OK;
    }
    fprintf(stream, "usage: nasrun %s%s%s\n\n%s\n", command->name, *command->synopsis ? " " : "", command->synopsis,
            command->help);
    if (command->details)
        fprintf(stream, "\n%s", command->details);
    fprintf(stream, "\nOptions:\n");
    for (int id = 0; id < CLI_OPTIONS; id++) {
        const struct cli_option *option = &cli_options[id];
        char usage[64], letter[] = {'-', (char)option->letter, ',', ' ', '\0'};
        snprintf(usage, sizeof usage, "%s--%s%s%s", option->letter ? letter : "", option->name,
                 option->argument ? " " : "", option->argument ? option->argument : "");
        if (cli_takes(command, (enum cli_option_id)id))
            fprintf(stream, "  %-*s %s\n", USAGE_WIDTH, usage, option->help);
    }
    return NR_OK;
}

/* Of a word that several commands begin with: those. False: there are none. */
static bool print_group(FILE *stream, const char *name)
{
    bool found = false;
    size_t length = strlen(name);
    for (const struct command *command = commands; command->name; command++) {
        if (strncmp(command->name, name, length) != 0 || command->name[length] != ' ')
            continue;
        fprintf(stream, "  nasrun %s %s\n      %s; `nasrun help %s` says more\n", command->name, command->synopsis,
                command->help, command->name);
        found = true;
    }
    return found;
}

nr_status command_help(struct cli *cli)
{
    if (cli->arguments == 0)
        return cli_help_print(cli->out, NULL);
    if (!strcmp(cli->argument[0], "config")) {
        keys_print(cli->out);
        operators_print(cli->out);
        return NR_OK;
    }
    int used;
    char hint[CLI_HINT_SIZE];
    const struct command *command = cli_find_command(cli->argument, cli->arguments, &used);
    if (command && used == cli->arguments)
        return cli_help_print(cli->out, command);
    if (cli->arguments == 1 && print_group(cli->out, cli->argument[0]))
        return NR_OK;
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", cli->argument[0], cli->arguments > 1 ? " " : "",
             cli->arguments > 1 ? cli->argument[1] : "");
    log_error(cli->log, "help: there is no command \"%s\"%s", name, cli_hint(name, hint));
    return NR_INVALID;
}
