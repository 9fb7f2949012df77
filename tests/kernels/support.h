/* What the tests of the kernels share: arrays in device memory, comparisons that can fail, a runner for cases.
 *
 *     static void add(void)
 *     {
 *         for (int64_t n : sizes_around(256)) {
 *             shape("%ld elements", n);
 *             device_array<float> a(random_floats(n)), b(random_floats(n)), y(n);
 *             expect_ok(k_add(a.data(), b.data(), y.data(), n, device_stream()));
 *             values<double> want(n);
 *             for (int64_t i = 0; i < n; i++)
 *                 want[i] = static_cast<double>(a[i]) + b[i];
 *             expect_near("y", y, want, 6e-8, 0); // half a unit in the last place
 *         }
 *     }
 *     static const test_case cases[] = {{"add", add}};
 *     TEST_MAIN(cases)
 *
 * A case runs in every schedule of the executor, to the same bits; alone when its name is given as an argument. Random
 * numbers begin anew in every run of a case. Under TSan there is one schedule, and shapes are to be small where
 * racing() is true. */
#ifndef NASRUN_TESTS_KERNELS_SUPPORT_H
#define NASRUN_TESTS_KERNELS_SUPPORT_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/device.h"

/* ---- the runner ---- */

struct test_case {
    const char *name;
    void (*run)(void);
};
#define TEST_MAIN(cases)                                                                                               \
    int main(int count, char **arguments)                                                                              \
    {                                                                                                                  \
        return run_cases(count, arguments, (cases), sizeof(cases) / sizeof *(cases));                                  \
    }
int run_cases(int count, char **arguments, const test_case *cases, size_t cases_count);

/* Says in the messages from now on what is being tested. */
__attribute__((format(printf, 1, 2))) void shape(const char *format, ...);
/* The case has failed, goes on; only the first few of a run are printed. */
__attribute__((format(printf, 1, 2))) void failure(const char *format, ...);

constexpr bool racing(void)
{
#ifdef __SANITIZE_THREAD__
    return true;
#else
    return false;
#endif
}

/* What was fetched; all schedules of a case must fetch the same bits. */
void remember(const void *data, size_t bytes);

/* 0, 1, block - 1, block, block + 1, 5 block + 13 (when racing: 2 block + 13). */
std::vector<int64_t> sizes_around(int64_t block);

/* ---- values on the host ---- */

/* A vector whose indices are as signed as those of the kernels, and checked. */
template <class T> class values : public std::vector<T>
{
  public:
    explicit values(int64_t count, T value = T{}) : std::vector<T>(static_cast<size_t>(count), value)
    {
    }
    T &operator[](int64_t i)
    {
        return this->at(static_cast<size_t>(i));
    }
    const T &operator[](int64_t i) const
    {
        return this->at(static_cast<size_t>(i));
    }
    int64_t count(void) const
    {
        return static_cast<int64_t>(this->size());
    }
};

uint32_t random_word(void);
int64_t random_below(int64_t bound);
float random_float(float low, float high); /* [low, high) */
values<float> random_floats(int64_t count, float low = -1, float high = 1);

/* ---- arrays in device memory ---- */

/* Made with a count: an output, 0xff bytes at first (NaN). Made with values: an input; that no kernel changed it is
 * checked at the end, unless fetch() said that it may have. `skew`: the address is so many elements past an aligned
 * one. Guards on both sides are checked at fetch() and at the end. */
template <class T> class device_array
{
  public:
    explicit device_array(int64_t count, int64_t skew = 0) : copy(count), is_input(false), skew(skew)
    {
        allocate();
        read();
    }
    explicit device_array(const values<T> &content, int64_t skew = 0) : copy(content), is_input(true), skew(skew)
    {
        allocate();
        device_write(data(), copy.data(), bytes());
    }
    device_array(const device_array &) = delete;
    device_array &operator=(const device_array &) = delete;
    ~device_array()
    {
        device_wait();
        check_guards();
        if (is_input)
            check_unchanged();
        device_free(memory, offset() + bytes());
    }

    T *data(void) const
    {
        return reinterpret_cast<T *>(static_cast<unsigned char *>(memory) + offset());
    }
    int64_t count(void) const
    {
        return copy.count();
    }
    /* What it holds now; waits for the launches. */
    const values<T> &fetch(void)
    {
        device_wait();
        check_guards();
        is_input = false;
        read();
        remember(copy.data(), bytes());
        return copy;
    }
    /* As of the last fetch(), or as made. */
    const T &operator[](int64_t i) const
    {
        return copy[i];
    }

  private:
    values<T> copy;
    bool is_input;
    int64_t skew;
    void *memory = nullptr;

    size_t bytes(void) const
    {
        return copy.size() * sizeof(T);
    }
    size_t offset(void) const
    {
        return static_cast<size_t>(skew) * sizeof(T);
    }
    void allocate(void)
    {
        memory = device_allocate(offset() + bytes());
    }
    void read(void)
    {
        device_read(copy.data(), data(), bytes());
    }
    void check_guards(void) const
    {
        if (!device_guarded(memory, offset() + bytes()))
            failure("a kernel wrote outside of an array of %ld elements", static_cast<long>(count()));
    }
    void check_unchanged(void) const
    {
        values<T> now(count());
        device_read(now.data(), data(), bytes());
        if (bytes() > 0 && memcmp(now.data(), copy.data(), bytes()) != 0)
            failure("a kernel changed an input of %ld elements", static_cast<long>(count()));
    }
};

/* ---- comparisons; each fetches `got` ---- */

void expect_ok(cudaError_t error);
void expect_error(cudaError_t error, cudaError_t expected);

/* |got - want| <= absolute + relative |want|; NaN and infinity only where `want` has the same. */
void expect_near(const char *what, device_array<float> &got, const values<double> &want, double relative,
                 double absolute);
/* |got - want| <= bound, one for each element. */
void expect_within(const char *what, device_array<float> &got, const values<double> &want, const values<double> &bound);
/* One number. */
void expect_number(const char *what, double got, double want, double relative, double absolute);

/* The same bits, but that a NaN is as good as another. */
void expect_same(const char *what, device_array<float> &got, const values<float> &want);
void expect_same(const char *what, device_array<int32_t> &got, const values<int32_t> &want);
void expect_same(const char *what, device_array<uint16_t> &got, const values<uint16_t> &want);

#endif
