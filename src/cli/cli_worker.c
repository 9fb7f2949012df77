/* nasrun worker: the process that a driver starts per device. */
#include "run/worker.h"

#include "base/text.h"
#include "cli/cli.h"

nr_status command_worker(struct cli *cli)
{
    int64_t driver;
    if (!text_to_int(cli->argument[0], &driver) || driver < 1) {
        log_error(cli->log, "worker: \"%s\" is no process; workers are started by a search, not by hand",
                  cli->argument[0]);
        return NR_INVALID;
    }
    return worker_main((long)driver) == 0 ? NR_OK : NR_DEVICE;
}
