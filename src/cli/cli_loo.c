/* nasrun loo [STUDY]: every result beside what the model predicts for it from all others; --svg draws it. */
#include "cli/view.h"
#include "report/loo_drawing.h"
#include "report/model.h"

nr_status command_loo(struct cli *cli)
{
    struct view view;
    struct look look;
    struct table *table;
    nr_status status = view_open(view_named(cli), cli->log, &view);
    if (status != NR_OK)
        return status;
    status = view_expect_model(&view, cli->log, &look);
    if (status == NR_OK) {
        if (cli->option[OPTION_SVG])
            status = loo_drawing_write(view.study, look.diagnosis, cli->option[OPTION_SVG], cli->log);
        if (status == NR_OK)
            status = model_loo_table(view.study, look.diagnosis, cli->log, &table);
        if (status == NR_OK)
            status = view_print(cli, table);
        look_clear(&look);
    }
    view_close(&view);
    return status;
}
