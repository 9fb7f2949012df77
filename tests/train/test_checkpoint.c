/* Checkpoints: round trips, the layout that other readers of safetensors rely on, and every kind of damage. */
#include "support/test.h"

#include <jansson.h>
#include <unistd.h>

#include "base/file.h"
#include "train/checkpoint.h"

static const char configuration[] = "[study]\nname = t\ntrials = 1\n[data]\ndataset = tiny\n[space]\n"
                                    "units = int 5..6\n[network]\nlayer = conv channels=4 kernel=3 groups=2\n"
                                    "layer = batchnorm\nlayer = activation kind=relu\nlayer = dense units=$units\n"
                                    "layer = dense units=classes bias=no\n"
                                    "[objectives]\nval_accuracy = maximize\n";

struct scene {
    struct log *log;
    struct study *study;
    struct plan *plan, *other;
    struct split split;
    struct checkpoint checkpoint;
    char path[256];
};

static void fill(float *values, int64_t count, float start)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = start + (float)i / 7;
}

static int set_up(void **state)
{
    static float mean[2] = {0.1f, 0.2f}, deviation[2] = {1.0f / 3, 0.25f};
    struct scene *scene = calloc(1, sizeof *scene);
    struct shape input = {2, 6, 6};
    scene->log = test_log();
    assert_ok(study_read_text(configuration, "t.ini", NULL, 0, scene->log, &scene->study));
    assert_ok(plan_build(scene->study, (double[]){5}, input, 3, NULL, &scene->plan));
    assert_ok(plan_build(scene->study, (double[]){6}, input, 3, NULL, &scene->other));
    scene->split = (struct split){.mean = mean, .deviation = deviation, .channels = 2};
    struct checkpoint *checkpoint = &scene->checkpoint;
    assert_ok(trial_state_create(scene->plan, 2, &checkpoint->state));
    fill(checkpoint->state.parameter, checkpoint->state.parameters, 1);
    fill(checkpoint->state.buffer, checkpoint->state.buffers, -3);
    fill(checkpoint->state.slot, 2 * checkpoint->state.parameters, 1e-20f);
    checkpoint->state.step = 1234567890123;
    checkpoint->epochs = 7;
    checkpoint->last = (struct epoch_metrics){7, 1.0 / 3, 0.1, 0.9876543210987654, 1e-5, 12.5};
    checkpoint->best = (struct epoch_metrics){5, 2.0 / 3, 0.2, 0.99, 1e-300, 1};
    snprintf(scene->path, sizeof scene->path, "%s/c.safetensors", test_folder());
    unlink(scene->path);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    checkpoint_clear(&scene->checkpoint);
    plan_destroy(scene->plan);
    plan_destroy(scene->other);
    study_destroy(scene->study);
    log_destroy(scene->log);
    free(scene);
    return 0;
}

static void write_it(struct scene *scene, bool with_optimizer)
{
    assert_ok(checkpoint_write(scene->path, &scene->checkpoint, scene->plan, &scene->split, with_optimizer, false,
                               scene->log));
}

static void assert_same(const struct checkpoint *a, const struct checkpoint *b, bool slots)
{
    assert_int_equal(a->epochs, b->epochs);
    assert_int_equal(a->state.step, b->state.step);
    assert_memory_equal(a->state.parameter, b->state.parameter, (size_t)a->state.parameters * sizeof(float));
    assert_memory_equal(a->state.buffer, b->state.buffer, (size_t)a->state.buffers * sizeof(float));
    if (slots)
        assert_memory_equal(a->state.slot, b->state.slot, 2 * (size_t)a->state.parameters * sizeof(float));
    assert_memory_equal(&a->last, &b->last, sizeof a->last);
    assert_memory_equal(&a->best, &b->best, sizeof a->best);
}

static void comes_back_as_it_was(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    write_it(scene, true);
    assert_ok(checkpoint_read(scene->path, scene->plan, 2, scene->log, &got));
    assert_same(&got, &scene->checkpoint, true);
    checkpoint_clear(&got);
}

static void absent_slots_are_zero(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    write_it(scene, false);
    assert_ok(checkpoint_read(scene->path, scene->plan, 2, scene->log, &got));
    assert_same(&got, &scene->checkpoint, false);
    for (int64_t i = 0; i < 2 * got.state.parameters; i++)
        assert_true(got.state.slot[i] == 0);
    checkpoint_clear(&got);
    assert_ok(checkpoint_read(scene->path, scene->plan, 0, scene->log, &got));
    assert_int_equal(got.state.slots, 0);
    checkpoint_clear(&got);
}

/* Walks the file as the format's description says, without the code under test. */
static void has_the_layout_of_safetensors(void **state)
{
    static const struct {
        const char *name;
        json_int_t shape[4];
        size_t dimensions;
    } expected[] = {
        {"0.conv.weight", {4, 1, 3, 3}, 4},     {"0.conv.bias", {4}, 1},
        {"1.batchnorm.weight", {4}, 1},         {"1.batchnorm.bias", {4}, 1},
        {"1.batchnorm.mean", {4}, 1},           {"1.batchnorm.variance", {4}, 1},
        {"3.dense.weight", {64, 5}, 2},         {"3.dense.bias", {5}, 1},
        {"4.dense.weight", {5, 3}, 2},          {"optimizer.0", {36 + 4 + 8 + 340}, 1},
        {"optimizer.1", {36 + 4 + 8 + 340}, 1},
    };
    struct scene *scene = *state;
    char *content;
    size_t length;
    uint64_t header;
    write_it(scene, true);
    assert_ok(file_read(scene->path, scene->log, &content, &length));
    memcpy(&header, content, 8);
    assert_int_equal(header % 8, 0);
    assert_true(content[8] == '{' && header < length - 8);
    json_t *root = json_loadb(content + 8, header, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_int_equal(json_object_size(root), 1 + sizeof expected / sizeof *expected);
    json_int_t at = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        json_t *tensor = json_object_get(root, expected[i].name);
        json_int_t begin, end, values = 1;
        assert_non_null(tensor);
        assert_string_equal(json_string_value(json_object_get(tensor, "dtype")), "F32");
        assert_int_equal(json_array_size(json_object_get(tensor, "shape")), expected[i].dimensions);
        for (size_t k = 0; k < expected[i].dimensions; k++) {
            assert_int_equal(json_integer_value(json_array_get(json_object_get(tensor, "shape"), k)),
                             expected[i].shape[k]);
            values *= expected[i].shape[k];
        }
        assert_int_equal(json_unpack(tensor, "{s:[I,I]}", "data_offsets", &begin, &end), 0);
        assert_int_equal(begin, at); /* no holes, in order */
        assert_int_equal(end - begin, 4 * values);
        at = end;
    }
    assert_int_equal(8 + header + (uint64_t)at, length); /* nothing after the last one */
    float first;
    memcpy(&first, content + 8 + header, sizeof first);
    assert_true(first == scene->checkpoint.state.parameter[0]);
    json_t *metadata = json_object_get(root, "__metadata__");
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) assert_true(json_is_string(value)); /* the format allows nothing else */
    assert_string_equal(json_string_value(json_object_get(metadata, "network")), scene->plan->identity);
    assert_string_equal(json_string_value(json_object_get(metadata, "input")), "2,6,6");
    assert_string_equal(json_string_value(json_object_get(metadata, "deviation")), "0.333333343,0.25");
    json_decref(root);
    free(content);
}

static void refuses_every_truncation(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    char *content;
    size_t length;
    write_it(scene, true);
    assert_ok(file_read(scene->path, scene->log, &content, &length));
    for (size_t cut = 0; cut < length; cut += cut < 16 || cut + 16 > length ? 1 : 37) {
        assert_ok(file_replace(scene->path, content, cut, false, scene->log));
        assert_int_equal(checkpoint_read(scene->path, scene->plan, 2, scene->log, &got), NR_INVALID);
        test_log_has(scene->log, "c.safetensors: the checkpoint is damaged: ");
    }
    free(content);
}

static void refuses_every_flipped_bit(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    char *content;
    size_t length;
    write_it(scene, true);
    assert_ok(file_read(scene->path, scene->log, &content, &length));
    for (size_t at = 0; at < length; at += at < 64 ? 1 : 13) {
        content[at] ^= (char)(1 << at % 8);
        assert_ok(file_replace(scene->path, content, length, false, scene->log));
        assert_int_equal(checkpoint_read(scene->path, scene->plan, 2, scene->log, &got), NR_INVALID);
        test_log_has(scene->log, "c.safetensors: the checkpoint ");
        content[at] ^= (char)(1 << at % 8);
    }
    free(content);
}

static void refuses_another_network(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    write_it(scene, true);
    assert_int_equal(checkpoint_read(scene->path, scene->other, 2, scene->log, &got), NR_INVALID);
    test_log_has(scene->log, "the checkpoint holds another network (dw4k3-bn-relu 5-3, identity ");
}

static void refuses_a_newer_format(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    char *content;
    size_t length;
    write_it(scene, true);
    assert_ok(file_read(scene->path, scene->log, &content, &length));
    char *format = memmem(content, length, "\"format\":\"1\"", 12);
    assert_non_null(format);
    format[10] = '2';
    assert_ok(file_replace(scene->path, content, length, false, scene->log));
    assert_int_equal(checkpoint_read(scene->path, scene->plan, 2, scene->log, &got), NR_INVALID);
    test_log_has(scene->log, "has format 2, this version reads up to 1");
    free(content);
}

static void says_when_there_is_none(void **state)
{
    struct scene *scene = *state;
    struct checkpoint got;
    assert_int_equal(checkpoint_read(scene->path, scene->plan, 2, scene->log, &got), NR_NOT_FOUND);
    test_log_has(scene->log, "c.safetensors: cannot be read");
    assert_int_equal(checkpoint_write("/nonexistent/c.safetensors", &scene->checkpoint, scene->plan, &scene->split,
                                      true, false, scene->log),
                     NR_IO);
    test_log_has(scene->log, "/nonexistent/c.safetensors: cannot be written");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest cases[] = {
    CASE(comes_back_as_it_was),     CASE(absent_slots_are_zero),     CASE(has_the_layout_of_safetensors),
    CASE(refuses_every_truncation), CASE(refuses_every_flipped_bit), CASE(refuses_another_network),
    CASE(refuses_a_newer_format),   CASE(says_when_there_is_none),
};
TEST_MAIN(cases)
