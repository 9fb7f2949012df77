#include "train/backends.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

typedef const struct backend *backend_entry(void);

static const char module_name[] = "libnasrun-cuda.so", entry_name[] = "nasrun_cuda_backend";
static const char missing[] = NASRUN_CUDA_MISSING; /* what the build lacked for the module; empty: it was made */
static const char *const module_places[] = {"", "../lib/nasrun/"}; /* from the program's folder: built, installed */

/* Appends the module's path if it is there. */
static bool find_module(struct text *module)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *name = strrchr(program, '/');
    if (!name)
        return false;
    name[1] = '\0';
    for (size_t i = 0; i < sizeof module_places / sizeof *module_places; i++) {
        struct text path = {0};
        text_format(&path, "%s%s%s", program, module_places[i], module_name);
        bool found = path.data && file_exists(path.data);
        if (found)
            text_append(module, path.data);
        text_clear(&path);
        if (found)
            return true;
    }
    return false;
}

/* By name, as CUDA's runtime does it; let go again, so that asking leaves nothing behind. */
static bool find_driver(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (driver)
        dlclose(driver);
    return driver;
}

bool backend_find_cuda(struct text *module, struct text *problem)
{
    const char *named = getenv("NASRUN_CUDA_MODULE");
    if (named && *named) {
        bool exists = file_exists(named);
        if (exists)
            text_append(module, named);
        else
            text_format(problem, "NASRUN_CUDA_MODULE is %s: no such file", named);
        return exists;
    }
    bool found = find_module(module);
    if (!find_driver()) {
        text_append(problem, "no NVIDIA driver: libcuda.so.1 was not found");
        return false;
    }
    if (!found && *missing)
        text_format(problem, "built without CUDA, missing then: %s", missing);
    else if (!found)
        text_format(problem, "there is no %s beside the program or in ../lib/nasrun", module_name);
    return found;
}

/* libcudnn.so.9 loads its parts by itself when it is first called, and ends the process if one is missing: so they are
 * looked for now, beside it and where the loader looks. */
static bool dnn_is_whole(struct log *log)
{
    static const char *const parts[] = {"libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9"};
    char folder[PATH_MAX];
    void *whole = dlopen("libcudnn.so.9", RTLD_LAZY | RTLD_NOLOAD);
    if (!whole)
        return true; /* the module does without it */
    bool known = dlinfo(whole, RTLD_DI_ORIGIN, folder) == 0;
    dlclose(whole);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *beside = known ? file_join(folder, parts[i]) : NULL;
        bool found = beside && file_exists(beside);
        free(beside);
        if (!found && !dlopen(parts[i], RTLD_LAZY | RTLD_LOCAL)) {
            log_error(log, "CUDA: libcudnn.so.9 is incomplete: %s", dlerror());
            return false;
        }
    }
    return true;
}

static nr_status load_module(const char *path, struct log *log, const struct backend **out)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        log_error(log, "CUDA: %s cannot be loaded: %s", path, dlerror());
        return NR_NOT_FOUND;
    }
    if (!dnn_is_whole(log))
        return NR_NOT_FOUND;
    backend_entry *entry;
    *(void **)&entry = dlsym(module, entry_name); /* POSIX's way from an object pointer to a function */
    if (!entry) {
        log_error(log, "CUDA: %s is no backend of nasrun: it has no %s()", path, entry_name);
        return NR_INVALID;
    }
    const struct backend *backend = entry();
    if (backend->interface != BACKEND_INTERFACE) {
        log_error(log, "CUDA: %s is of another build: its interface is number %d, this program's %d", path,
                  backend->interface, BACKEND_INTERFACE);
        return NR_INVALID;
    }
    *out = backend;
    return NR_OK;
}

static nr_status load_cuda(struct log *log, const struct backend **out)
{
    struct text module = {0}, problem = {0};
    nr_status status = NR_NOT_FOUND;
    bool found = backend_find_cuda(&module, &problem);
    if (module.failed || problem.failed)
        status = log_no_memory(log, "looking for the CUDA module");
    else if (found)
        status = load_module(module.data, log, out);
    else
        log_error(log, "CUDA: %s", problem.data);
    text_clear(&module);
    text_clear(&problem);
    return status;
}

nr_status backend_load(const char *name, struct log *log, const struct backend **out)
{
    if (!strcmp(name, "cpu")) {
        *out = &cpu_backend;
        return NR_OK;
    }
    if (!strcmp(name, "cuda"))
        return load_cuda(log, out);
    log_error(log, "there is no backend \"%s\"; known are cpu and cuda", name);
    return NR_INVALID;
}
