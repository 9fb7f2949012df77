#include "kernels/support.h"

#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

enum { MOST_PRINTED = 10 };

static struct {
    const char *name, *schedule;
    char shape[200];
    int failures; /* of this case in this schedule */
    uint64_t random;
    uint64_t fetched, fetched_first; /* digests: of this schedule, of the first */
} running;

void shape(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(running.shape, sizeof running.shape, format, list);
    va_end(list);
}

void failure(const char *format, ...)
{
    if (running.failures++ >= MOST_PRINTED)
        return;
    fprintf(stderr, "%s (%s), %s: ", running.name, running.schedule, running.shape);
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

/* FNV-1a by words, the last one padded. */
void remember(const void *data, size_t bytes)
{
    const unsigned char *from = static_cast<const unsigned char *>(data);
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, from + i, bytes - i < sizeof word ? bytes - i : sizeof word);
        running.fetched = (running.fetched ^ word) * UINT64_C(1099511628211);
    }
}

static bool is_wanted(const char *name, int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        if (!strcmp(arguments[i], name))
            return true;
    return count < 2;
}

static void run_case(const test_case *test, unsigned schedule)
{
    running.name = test->name;
    running.schedule = device_schedule(schedule);
    running.failures = 0;
    running.random = 42;
    running.fetched = UINT64_C(14695981039346656037);
    shape("no shape");
    test->run();
    device_wait();
    if (schedule == 0)
        running.fetched_first = running.fetched;
    shape("as a whole");
    if (running.fetched != running.fetched_first)
        failure("not the bits of the first schedule");
}

int run_cases(int count, char **arguments, const test_case *cases, size_t cases_count)
{
    int runs = 0, failed = 0;
    device_open();
    for (size_t i = 0; i < cases_count; i++)
        for (unsigned s = 0; s < device_schedules() && is_wanted(cases[i].name, count, arguments); s++) {
            run_case(&cases[i], s);
            runs++;
            failed += running.failures > 0;
            if (running.failures > 0)
                fprintf(stderr, "FAILED %s (%s): %d times\n", running.name, running.schedule, running.failures);
        }
    printf("%d runs of cases, %d failed\n", runs, failed);
    return failed > 0 || runs == 0;
}

std::vector<int64_t> sizes_around(int64_t block)
{
    return {0, 1, block - 1, block, block + 1, (racing() ? 2 : 5) * block + 13};
}

/* Marsaglia's xorshift64* (Vigna 2016): good enough, and the same everywhere. */
uint32_t random_word(void)
{
    running.random ^= running.random >> 12;
    running.random ^= running.random << 25;
    running.random ^= running.random >> 27;
    return static_cast<uint32_t>(running.random * UINT64_C(2685821657736338717) >> 32);
}

int64_t random_below(int64_t bound)
{
    return static_cast<int64_t>(static_cast<uint64_t>(random_word()) * static_cast<uint64_t>(bound) >> 32);
}

float random_float(float low, float high)
{
    return low + (high - low) * (static_cast<float>(random_word() >> 8) * 0x1p-24f);
}

values<float> random_floats(int64_t count, float low, float high)
{
    values<float> floats(count);
    for (float &x : floats)
        x = random_float(low, high);
    return floats;
}

void expect_ok(cudaError_t error)
{
    if (error != cudaSuccess)
        failure("the launch says error %d", error);
}

void expect_error(cudaError_t error, cudaError_t expected)
{
    if (error != expected)
        failure("the launch says error %d, expected %d", error, expected);
}

static bool is_near(double got, double want, double bound)
{
    if (std::isnan(got) || std::isnan(want))
        return std::isnan(got) && std::isnan(want);
    if (std::isinf(got) || std::isinf(want))
        return got == want;
    return std::fabs(got - want) <= bound;
}

static void expect_one(const char *what, int64_t i, double got, double want, double bound)
{
    if (!is_near(got, want, bound))
        failure("%s[%" PRId64 "] is %.9g, expected %.9g within %.3g (off by %.3g)", what, i, got, want, bound,
                got - want);
}

static bool same_count(const char *what, int64_t got, int64_t want)
{
    if (got != want)
        failure("%s has %" PRId64 " elements, expected %" PRId64, what, got, want);
    return got == want;
}

void expect_near(const char *what, device_array<float> &got, const values<double> &want, double relative,
                 double absolute)
{
    const values<float> &now = got.fetch();
    for (int64_t i = 0; same_count(what, now.count(), want.count()) && i < now.count(); i++)
        expect_one(what, i, static_cast<double>(now[i]), want[i], absolute + relative * std::fabs(want[i]));
}

void expect_within(const char *what, device_array<float> &got, const values<double> &want, const values<double> &bound)
{
    const values<float> &now = got.fetch();
    for (int64_t i = 0; same_count(what, now.count(), want.count()) && i < now.count(); i++)
        expect_one(what, i, static_cast<double>(now[i]), want[i], bound[i]);
}

void expect_number(const char *what, double got, double want, double relative, double absolute)
{
    if (!is_near(got, want, absolute + relative * std::fabs(want)))
        failure("%s is %.17g, expected %.17g within %.3g relative + %.3g absolute", what, got, want, relative,
                absolute);
}

void expect_same(const char *what, device_array<float> &got, const values<float> &want)
{
    const values<float> &now = got.fetch();
    for (int64_t i = 0; same_count(what, now.count(), want.count()) && i < now.count(); i++)
        if (memcmp(&now[i], &want[i], sizeof now[i]) != 0 && !(std::isnan(now[i]) && std::isnan(want[i])))
            failure("%s[%" PRId64 "] is %.9g, expected exactly %.9g", what, i, static_cast<double>(now[i]),
                    static_cast<double>(want[i]));
}

template <class T> static void expect_integers(const char *what, device_array<T> &got, const values<T> &want)
{
    const values<T> &now = got.fetch();
    for (int64_t i = 0; same_count(what, now.count(), want.count()) && i < now.count(); i++)
        if (now[i] != want[i])
            failure("%s[%" PRId64 "] is %" PRId64 ", expected %" PRId64, what, i, static_cast<int64_t>(now[i]),
                    static_cast<int64_t>(want[i]));
}

void expect_same(const char *what, device_array<int32_t> &got, const values<int32_t> &want)
{
    expect_integers(what, got, want);
}

void expect_same(const char *what, device_array<uint16_t> &got, const values<uint16_t> &want)
{
    expect_integers(what, got, want);
}
