/* nasrun trials [STUDY]: every trial, in order. */
#include "cli/view.h"
#include "report/listing.h"

nr_status command_trials(struct cli *cli)
{
    struct view view;
    struct table *table;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = listing_trials(&view.results, NULL, 0, cli->log, &table);
    if (status == NR_OK)
        status = view_print(cli, table);
    view_close(&view);
    return status;
}
