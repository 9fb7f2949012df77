/* nasrun help, nasrun COMMAND --help. */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "net/operators.h"
#include "space/keys.h"

static const struct {
    unsigned flag;
    const char *option, *help;
} options[] = {
    {CLI_SET, "--set section.key=value", "override an entry of the configuration; may be repeated"},
    {CLI_OUT, "--out DIR", "the study's folder (default: runs/<study name>)"},
    {CLI_FRESH, "--fresh", "move an old run aside and begin again"},
    {CLI_QUIET, "-q, --quiet", "no progress, only the result"},
    {CLI_DEVICE, "--device NAME", "cpu (default), cuda, or one of several: cuda:1"},
    {CLI_BENCH, "--lanes N", "trials at once, measured after one alone (default: 16, or as many as the device has)"},
    {CLI_BENCH, "--precision NAME", "float32 (default), tf32 or bf16"},
    {CLI_BENCH, "--images N", "in an epoch (default: 60000)"},
    {CLI_TABLE, "--json, --csv", "for programs"},
    {~0u, "-h, --help", "this text"},
};

static void print_overview(FILE *stream)
{
    fprintf(stream,
            "nasrun searches for networks that are worth their size: it trains candidates itself and leaves a Pareto\n"
            "front of accuracy against size.\n\n"
            "  nasrun CONFIG.ini        run the search; said again, it goes on\n\n"
            "Commands:\n");
    for (const struct command *command = commands; command->name; command++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", command->name, command->synopsis);
        if (!command->hidden)
            fprintf(stream, "  %-24s %s\n", usage, command->help);
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
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].flag == ~0u || command->flags & options[i].flag)
            fprintf(stream, "  %-24s %s\n", options[i].option, options[i].help);
    return NR_OK;
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
    const char *names[32];
    size_t count = 0;
    for (const struct command *command = commands; command->name; command++) {
        if (!strcmp(command->name, cli->argument[0]))
            return cli_help_print(cli->out, command);
        if (!command->hidden && count < 32)
            names[count++] = command->name;
    }
    const char *nearest = text_nearest(cli->argument[0], names, count);
    log_error(cli->log, "help: there is no command \"%s\"%s%s%s", cli->argument[0], nearest ? " (did you mean " : "",
              nearest ? nearest : "", nearest ? "?)" : "");
    return NR_INVALID;
}
