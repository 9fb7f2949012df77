/* nasrun CONFIG.ini */
#include "cli/cli.h"
#include "run/search.h"

nr_status command_search(struct cli *cli)
{
    struct study *study;
    nr_status status = study_read(cli->argument[0], cli->set, cli->sets, cli->log, &study);
    if (status != NR_OK)
        return status;
    struct search_options options = {.program = cli->program,
                                     .folder = cli->folder,
                                     .fresh = cli->fresh,
                                     .quiet = cli->quiet,
                                     .out = cli->out,
                                     .log = cli->log};
    status = search_run(study, &options);
    study_destroy(study);
    return status;
}
