/* nasrun version */
#include <jansson.h>
#include <sqlite3.h>
#include <zlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "train/backends.h"

/* Without loading the module: what it is linked with is told by `nasrun doctor`. */
static void print_cuda(FILE *out)
{
    struct text module = {0}, problem = {0};
    backend_find_cuda(&module, &problem);
    fprintf(out, "CUDA: %s%s%s\n", module.data ? module.data : "", module.data && problem.data ? "; " : "",
            problem.data ? problem.data : "");
    text_clear(&module);
    text_clear(&problem);
}

nr_status command_version(struct cli *cli)
{
    fprintf(cli->out, "nasrun %s\n", NASRUN_VERSION);
    fprintf(cli->out, "SQLite %s, zlib %s, jansson %s\n", sqlite3_libversion(), zlibVersion(), JANSSON_VERSION);
    struct device *device;
    nr_status status = cpu_backend.open(0, cli->log, &device);
    if (status != NR_OK)
        return status;
    struct text description = {0};
    cpu_backend.describe(device, &description);
    fprintf(cli->out, "%s\n", description.data ? description.data : "");
    text_clear(&description);
    cpu_backend.close(device);
    print_cuda(cli->out);
    return NR_OK;
}
