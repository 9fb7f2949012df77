/* A backend module, but for what it is linked with. */
#include "train/backend.h"

extern int part(void);
extern const struct backend *nasrun_cuda_backend(void);

const struct backend *nasrun_cuda_backend(void)
{
    static struct backend backend = {.name = "cuda"};
    backend.interface = part() ? BACKEND_INTERFACE : 0;
    return &backend;
}
