/* nasrun CONFIG.ini */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "run/search.h"

/* As a shell reads it back: quoted where something in it is not plain. */
static void append_word(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        text_append(text, word);
        return;
    }
    text_append(text, "'");
    for (; *word; word++)
        if (*word == '\'')
            text_append(text, "'\\''");
        else
            text_append_bytes(text, word, 1);
    text_append(text, "'");
}

/* What names this search again: its configuration, what was set but the number of trials, its folder. */
static char *arguments_again(const struct cli *cli)
{
    struct text text = {0};
    append_word(&text, cli->argument[0]);
    for (size_t i = 0; i < cli->sets; i++) {
        if (text_starts_with(cli->set[i], "study.trials="))
            continue;
        text_append(&text, " --set ");
        append_word(&text, cli->set[i]);
    }
    if (cli->folder) {
        text_append(&text, " --out ");
        append_word(&text, cli->folder);
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
