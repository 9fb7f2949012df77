/* What the environment asks of the double, and which call is to fail. */
#include "runtime.h"
#include "cudadouble.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <random>
#include <unistd.h>

namespace cudadouble
{

namespace
{

/* The next failure that a test in this process has asked for. */
struct countdown {
    long calls = 0, fail_at = 0;
    const char *failed = "";
    int code = 0;
    long runs = 0, lose_at = 0; /* the same of work that runs */
};

countdown &counted()
{
    static countdown c;
    return c;
}

const char *text_of(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != nullptr ? value : otherwise;
}

long number_of(const char *name, const char *text)
{
    char *end;
    const long value = strtol(text, &end, 10);
    if (end == text || *end != '\0')
        misuse("%s: \"%s\" is no number", name, text);
    return value;
}

/* call=NAME,nth=N,code=C,when=run,once=FILE */
plan plan_of(const char *variable)
{
    plan out;
    std::string rest = text_of(variable, "");
    while (!rest.empty()) {
        const std::string item = rest.substr(0, rest.find(','));
        rest = item.size() < rest.size() ? rest.substr(item.size() + 1) : "";
        const size_t equals = item.find('=');
        const std::string key = item.substr(0, equals), value = equals < item.size() ? item.substr(equals + 1) : "";
        if (key == "call")
            out.call = value;
        else if (key == "nth")
            out.nth = number_of(variable, value.c_str());
        else if (key == "code")
            out.code = static_cast<int>(number_of(variable, value.c_str()));
        else if (key == "when" && value == "run")
            out.when_run = true;
        else if (key == "once")
            out.once = value;
        else
            misuse("%s: \"%s\" is none of call=, nth=, code=, when=run, once=", variable, item.c_str());
    }
    return out;
}

/* The list ends at the first number that is not there, as the driver has it; unset: all. */
std::vector<int> visible_of(int devices)
{
    std::vector<int> out;
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    if (list == nullptr) {
        for (int d = 0; d < devices; d++)
            out.push_back(d);
        return out;
    }
    while (*list != '\0') {
        char *end;
        const long device = strtol(list, &end, 10);
        if (end == list || (*end != ',' && *end != '\0') || device < 0 || device >= devices)
            break;
        out.push_back(static_cast<int>(device));
        list = *end == ',' ? end + 1 : end;
    }
    return out;
}

driver_kind driver_of(const char *text)
{
    if (strcmp(text, "present") != 0 && strcmp(text, "none") != 0 && strcmp(text, "old") != 0)
        misuse("NASRUN_DOUBLE_DRIVER: \"%s\" is none of present, none, old", text);
    return *text == 'p' ? driver_kind::present : *text == 'n' ? driver_kind::none : driver_kind::old;
}

settings read_settings()
{
    settings s{};
    s.devices = static_cast<int>(number_of("NASRUN_DOUBLE_DEVICES", text_of("NASRUN_DOUBLE_DEVICES", "1")));
    s.visible = visible_of(s.devices);
    s.memory = static_cast<size_t>(number_of("NASRUN_DOUBLE_MEMORY", text_of("NASRUN_DOUBLE_MEMORY", "2147483648")));
    if (sscanf(text_of("NASRUN_DOUBLE_CAPABILITY", "9.0"), "%d.%d", &s.major, &s.minor) != 2)
        misuse("NASRUN_DOUBLE_CAPABILITY: not like 9.0");
    s.driver = driver_of(text_of("NASRUN_DOUBLE_DRIVER", "present"));
    s.eager = number_of("NASRUN_DOUBLE_EAGER", text_of("NASRUN_DOUBLE_EAGER", "0")) != 0;
    s.no_epilogue = text_of("NASRUN_DOUBLE_NO_EPILOGUE", "");
    s.fail = plan_of("NASRUN_DOUBLE_FAIL");
    s.hang = plan_of("NASRUN_DOUBLE_HANG");
    return s;
}

/* The runtime knows which thread captures and which device is current per thread; the double does not. */
void check_thread(const char *call)
{
    static const pthread_t only = pthread_self();
    if (!pthread_equal(only, pthread_self()))
        misuse("%s: called from a second thread", call);
}

} // namespace

settings &configuration()
{
    static settings &s = *new settings(read_settings()); /* never destroyed: the last calls come late */
    return s;
}

uint64_t draw(uint64_t below)
{
    static std::mt19937_64 generator(
        static_cast<uint64_t>(number_of("NASRUN_DOUBLE_SEED", text_of("NASRUN_DOUBLE_SEED", "1"))));
    return generator() % below;
}

bool plan::due(const char *name)
{
    if (nth == 0 || (call != "*" && call != name) || ++seen != nth)
        return false;
    if (once.empty())
        return true;
    const int file = open(once.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0)
        close(file);
    return file >= 0;
}

int planned(const char *call, int code, int lost_code)
{
    check_thread(call);
    begin_call();
    if (lost() != cudaSuccess)
        return lost_code;
    countdown &c = counted();
    if (++c.calls == c.fail_at) {
        c.failed = call;
        return c.code = code;
    }
    plan &fail = configuration().fail;
    if (!fail.when_run && fail.due(call))
        return fail.code != 0 ? fail.code : code;
    return 0;
}

cudaError_t planned_fault(const char *work)
{
    countdown &c = counted();
    plan &fail = configuration().fail;
    if (++c.runs == c.lose_at)
        return cudaErrorIllegalAddress;
    if (!fail.when_run || !fail.due(work))
        return cudaSuccess;
    return fail.code != 0 ? static_cast<cudaError_t>(fail.code) : cudaErrorIllegalAddress;
}

} // namespace cudadouble

void cudadouble_fail_at(long n)
{
    cudadouble::counted() = {0, n, "", 0, 0, 0};
    cudadouble::forget_errors();
}

void cudadouble_lose_at(long n)
{
    cudadouble_fail_at(0);
    cudadouble::counted().lose_at = n;
}

long cudadouble_runs(void)
{
    return cudadouble::counted().runs;
}

long cudadouble_calls(void)
{
    return cudadouble::counted().calls;
}

const char *cudadouble_failed(void)
{
    return cudadouble::counted().failed;
}

int cudadouble_failed_code(void)
{
    return cudadouble::counted().code;
}
