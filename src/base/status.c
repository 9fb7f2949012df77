#include "base/status.h"

#include <stddef.h>

static const struct {
    const char *text;
    int exit_status;
} statuses[] = {
#define X(name, text, exit_status) [name] = {text, exit_status},
    NR_STATUS_LIST(X)
#undef X
};

const char *status_text(nr_status status)
{
    return (size_t)status < sizeof statuses / sizeof *statuses ? statuses[status].text : "unknown status";
}

int status_exit(nr_status status)
{
    return (size_t)status < sizeof statuses / sizeof *statuses ? statuses[status].exit_status : 3;
}
