/* nasrun CONFIG.ini */
#include <stdlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "run/search.h"

/* What names this search again: its configuration, what was set but the number of trials, its folder. */
static char *arguments_again(const struct cli *cli)
{
    struct text text = {0};
    text_append_shell(&text, cli->argument[0]);
    for (size_t i = 0; i < cli->sets; i++) {
        if (text_starts_with(cli->set[i], "study.trials="))
            continue;
        text_append(&text, " --set ");
        text_append_shell(&text, cli->set[i]);
    }
    if (cli->folder) {
        text_append(&text, " --out ");
        text_append_shell(&text, cli->folder);
    }
    return text_take(&text);
}

nr_status command_search(struct cli *cli)
{
    struct study *study;
    nr_status status = study_read(cli->argument[0], cli->set, cli->sets, cli->log, &study);
    if (status != NR_OK)
        return status;
    char *again = arguments_again(cli);
    struct search_options options = {.program = cli->program,
                                     .typed = cli->typed,
                                     .arguments = again,
                                     .folder = cli->folder,
                                     .fresh = cli->fresh,
                                     .quiet = cli->quiet,
                                     .out = cli->out,
                                     .log = cli->log};
    status = search_run(study, &options);
    free(again);
    study_destroy(study);
    return status;
}
