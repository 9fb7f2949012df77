/* base/memory: overflow checks, growing, the arena. */
#include "support/test.h"

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>

/* Sizes that cannot be shall give NULL, as they do without it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

static void arrays(void **state)
{
    (void)state;
    int *array = mem_array(100, sizeof *array);
    assert_non_null(array);
    for (int i = 0; i < 100; i++)
        assert_int_equal(array[i], 0);
    free(array);
    array = mem_array(0, sizeof *array); /* nothing is something that can be freed */
    assert_non_null(array);
    free(array);
    assert_null(mem_array(SIZE_MAX / 2, 3));     /* the product overflows */
    assert_null(mem_array(SIZE_MAX / 4 + 1, 4)); /* ... to exactly 0 */
    assert_null(mem_array(SIZE_MAX / 16, 8));    /* more than there can be */
}

static void growing(void **state)
{
    (void)state;
    uint64_t *array = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t i = 0; i < 10000; i++) {
        size_t before = capacity;
        assert_ok(mem_grow(&array, &capacity, i + 1, sizeof *array));
        assert_true(capacity > i);
        moves += capacity != before;
        array[i] = i * i;
    }
    assert_true(moves < 16); /* doubling, not one by one */
    for (size_t i = 0; i < 10000; i++)
        assert_true(array[i] == i * i);
    uint64_t *kept = array;
    size_t kept_capacity = capacity;
    assert_ok(mem_grow(&array, &capacity, 5, sizeof *array)); /* never shrinks */
    assert_ptr_equal(array, kept);
    /* a failure leaves what there is */
    assert_int_equal(mem_grow(&array, &capacity, SIZE_MAX, sizeof *array), NR_NO_MEMORY);
    assert_int_equal(mem_grow(&array, &capacity, SIZE_MAX / 4, sizeof *array), NR_NO_MEMORY);
    assert_int_equal(mem_grow(&array, &capacity, SIZE_MAX / 32, sizeof *array), NR_NO_MEMORY);
    assert_ptr_equal(array, kept);
    assert_int_equal(capacity, kept_capacity);
    assert_true(array[9999] == 9999ull * 9999);
    free(array);
}

static void strings(void **state)
{
    (void)state;
    char original[] = "text", *copy = mem_copy_string(original);
    original[0] = 'n';
    assert_string_equal(copy, "text");
    free(copy);
    assert_null(mem_copy_string(NULL));
}

enum { PIECES = 6 };
static const size_t counts[PIECES] = {1, 0, 16, 1000, 3, 4096};

/* The two passes as a trainer makes them. */
static void place(struct arena *arena, float **piece)
{
    for (int i = 0; i < PIECES; i++)
        piece[i] = arena_take(arena, counts[i], sizeof **piece);
}

static void arena_places_pieces(void **state)
{
    (void)state;
    struct arena arena = {0};
    float *piece[PIECES];
    place(&arena, piece);
    for (int i = 0; i < PIECES; i++)
        assert_null(piece[i]);
    size_t counted = arena.used;
    assert_ok(arena_commit(&arena));
    assert_true(arena.size >= counted && arena.used == 0);
    place(&arena, piece);
    assert_int_equal(arena.used, counted); /* both passes agree */
    for (int i = 0; i < PIECES; i++) {
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % 64, 0);
        for (size_t k = 0; k < counts[i]; k++) {
            assert_true(piece[i][k] == 0);
            piece[i][k] = (float)i;
        }
        if (i)
            assert_true((char *)piece[i] >= (char *)(piece[i - 1] + counts[i - 1]) + 64); /* a gap between */
    }
    for (int i = 0; i < PIECES; i++)
        for (size_t k = 0; k < counts[i]; k++)
            assert_true(piece[i][k] == (float)i);
#ifdef HAVE_ASAN
    assert_true(__asan_address_is_poisoned(piece[0] + 1)); /* right behind the only element */
    assert_true(__asan_address_is_poisoned(piece[2] + 16));
    assert_false(__asan_address_is_poisoned(piece[2] + 15));
#endif
    assert_null(arena_take(&arena, arena.size, 1)); /* more than was counted */
    arena_clear(&arena);
    assert_true(!arena.base && !arena.size && !arena.used);
    arena_clear(&arena);
}

static void arena_is_zeroed_and_aligned_when_large(void **state)
{
    (void)state;
    enum { BYTES = 5 << 20 };
    struct arena arena = {0};
    assert_null(arena_take(&arena, BYTES, 1));
    assert_ok(arena_commit(&arena));
    unsigned char *bytes = arena_take(&arena, BYTES, 1);
    assert_int_equal((uintptr_t)bytes % (2 << 20), 0); /* room for huge pages */
    for (size_t i = 0; i < BYTES; i += 64)
        assert_int_equal(bytes[i], 0);
    arena_clear(&arena);
}

static void arena_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_null(arena_take(&arena, SIZE_MAX, 2)); /* a product that overflows */
    assert_int_equal(arena_commit(&arena), NR_NO_MEMORY);
    arena_clear(&arena);
    assert_null(arena_take(&arena, SIZE_MAX / 5, 1)); /* sums that would overflow */
    assert_null(arena_take(&arena, SIZE_MAX / 5, 1));
    assert_null(arena_take(&arena, SIZE_MAX / 5, 1));
    assert_int_equal(arena_commit(&arena), NR_NO_MEMORY);
    arena_clear(&arena);
    assert_ok(arena_commit(&arena)); /* nothing counted: an empty one */
    arena_clear(&arena);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(growing),
        cmocka_unit_test(strings),
        cmocka_unit_test(arena_places_pieces),
        cmocka_unit_test(arena_is_zeroed_and_aligned_when_large),
        cmocka_unit_test(arena_refuses_what_cannot_be),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
