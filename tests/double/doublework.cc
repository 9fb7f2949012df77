/* What every library's double needs: how a test ends, and which handles and descriptors are alive. */
#include "runtime.h"
#include "cudadouble.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace cudadouble
{

namespace
{

std::map<const void *, const char *> &objects()
{
    static auto &all = *new std::map<const void *, const char *>;
    return all;
}

} // namespace

void misuse(const char *format, ...)
{
    va_list list;
    fputs("double: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    abort();
}

void begin_call()
{
    (void)take_needed();
}

void born(const void *object, const char *kind)
{
    objects()[object] = kind;
}

void known(const void *object, const char *kind, const char *call)
{
    const auto it = objects().find(object);
    if (it == objects().end())
        misuse("%s: %p is no live %s", call, object, kind);
    if (strcmp(it->second, kind) != 0)
        misuse("%s: %p is no %s but another object: %s", call, object, kind, it->second);
}

void died(const void *object, const char *kind, const char *call)
{
    known(object, kind, call);
    objects().erase(object);
}

size_t live_objects()
{
    return objects().size();
}

} // namespace cudadouble

size_t cudadouble_live(void)
{
    return cudadouble::live_objects() + cudadouble::live_allocations();
}

void cudadouble_print_live(void)
{
    std::map<std::string, size_t> kinds;
    for (const auto &[object, kind] : cudadouble::objects())
        kinds[kind]++;
    if (cudadouble::live_allocations() > 0)
        kinds["allocation"] = cudadouble::live_allocations();
    for (const auto &[kind, count] : kinds)
        fprintf(stderr, "double: alive: %zu of %s\n", count, kind.c_str());
}
