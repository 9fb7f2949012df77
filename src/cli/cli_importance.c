/* nasrun importance [STUDY]: which dimensions matter to the model, and where each is best. */
#include <stdint.h>

#include "cli/view.h"
#include "report/model.h"

nr_status command_importance(struct cli *cli)
{
    struct view view;
    struct look look;
    struct table *table;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = view_expect_model(&view, cli->log, &look);
    if (status == NR_OK) {
        status = model_importance_table(view.study, look.diagnosis, SIZE_MAX, cli->log, &table);
        if (status == NR_OK)
            status = view_print(cli, table);
        look_clear(&look);
    }
    view_close(&view);
    return status;
}
