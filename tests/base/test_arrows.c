/* The arrows between folders: every #include of src/ and kernels/ follows the USES lists of CMakeLists.txt, kernels/
 * knows nothing of src/, nothing includes itself by a detour, and a module includes its own header first. */
#include "support/test.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

struct include {
    char *path; /* from the source tree's root, "src/base/log.h" */
    int line;
};

struct source {
    char *path;
    struct include *include;
    size_t includes, capacity;
    enum { NEW, OPEN, DONE } visit;
};

struct sources {
    struct source *source;
    size_t count, capacity;
};

enum { MOST_FOLDERS = 32, MOST_USES = 32 };

struct folder {
    char *name;
    char *uses[MOST_USES];
    size_t count;
};

struct folders {
    char *content; /* of CMakeLists.txt; names point into it */
    struct folder folder[MOST_FOLDERS];
    size_t count;
};

/* "nasrun_folder(optim USES space base LIBRARIES lbfgs)" */
static void read_folder(char *arguments, struct folder *out)
{
    char *rest;
    bool uses = false;
    *out = (struct folder){.name = strtok_r(arguments, " \t\n", &rest)};
    for (char *word = strtok_r(NULL, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
        if (!strcmp(word, "USES") || !strcmp(word, "LIBRARIES")) {
            uses = *word == 'U';
        } else if (uses) {
            assert_true(out->count < MOST_USES);
            out->uses[out->count++] = word;
        }
    }
}

static void read_folders(struct folders *out)
{
    static const char call[] = "\nnasrun_folder(";
    *out = (struct folders){0};
    assert_ok(file_read(test_source("CMakeLists.txt"), NULL, &out->content, NULL));
    for (char *at = strstr(out->content, call), *end; at; at = strstr(end + 1, call)) {
        assert_true(out->count < MOST_FOLDERS);
        assert_non_null(end = strchr(at, ')'));
        *end = '\0';
        read_folder(at + strlen(call), &out->folder[out->count++]);
    }
    assert_true(out->count >= 5); /* the pattern still finds them */
}

static const struct folder *find_folder(const struct folders *folders, const char *name, size_t length)
{
    for (size_t i = 0; i < folders->count; i++)
        if (!strncmp(folders->folder[i].name, name, length) && !folders->folder[i].name[length])
            return &folders->folder[i];
    return NULL;
}

static bool folder_uses(const struct folder *folder, const char *name, size_t length)
{
    for (size_t i = 0; i < folder->count; i++)
        if (!strncmp(folder->uses[i], name, length) && !folder->uses[i][length])
            return true;
    return false;
}

static char *concatenate(const char *a, const char *b, const char *c)
{
    struct text text = {0};
    text_append(&text, a);
    text_append(&text, b);
    text_append(&text, c);
    char *copy = text_take(&text);
    assert_non_null(copy);
    return copy;
}

static bool ends_with(const char *string, const char *end)
{
    size_t length = strlen(string), tail = strlen(end);
    return length >= tail && !strcmp(string + length - tail, end);
}

static void add_include(struct source *source, const char *name, size_t length, int line)
{
    assert_ok(mem_grow(&source->include, &source->capacity, source->includes + 1, sizeof *source->include));
    char *quoted = strndup(name, length);
    bool rooted = text_starts_with(quoted, "kernels/");
    source->include[source->includes++] = (struct include){concatenate(rooted ? "" : "src/", quoted, ""), line};
    free(quoted);
}

/* Lines of the form #include "..." ; those in <> are the system's. */
static void read_includes(struct source *source)
{
    char *content, *rest;
    int line = 1;
    assert_ok(file_read(test_source(source->path), NULL, &content, NULL));
    for (char *at = content; at; at = rest ? rest + 1 : NULL, line++) {
        rest = strchr(at, '\n');
        at += strspn(at, " \t");
        if (*at != '#')
            continue;
        at += 1 + strspn(at + 1, " \t");
        if (!text_starts_with(at, "include"))
            continue;
        at += strlen("include");
        at += strspn(at, " \t");
        size_t length = *at == '"' ? strcspn(at + 1, "\"\n") : 0;
        if (length)
            add_include(source, at + 1, length, line);
    }
    free(content);
}

/* All .c, .h and .cu files below `folder`, which is relative to the root. */
static void read_tree(const char *folder, struct sources *out)
{
    char *root = mem_copy_string(test_source(folder));
    DIR *directory = opendir(root);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        char *path = concatenate(folder, "/", entry->d_name);
        assert_int_equal(stat(test_source(path), &status), 0);
        if (S_ISDIR(status.st_mode))
            read_tree(path, out);
        if (S_ISDIR(status.st_mode) || !(ends_with(path, ".c") || ends_with(path, ".h") || ends_with(path, ".cu"))) {
            free(path);
            continue;
        }
        assert_ok(mem_grow(&out->source, &out->capacity, out->count + 1, sizeof *out->source));
        out->source[out->count] = (struct source){.path = path};
        read_includes(&out->source[out->count++]);
    }
    closedir(directory);
    free(root);
}

static void read_sources(struct sources *out)
{
    *out = (struct sources){0};
    read_tree("src", out);
    read_tree("kernels", out);
    assert_true(out->count > 50);
}

static void clear_sources(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        for (size_t k = 0; k < sources->source[i].includes; k++)
            free(sources->source[i].include[k].path);
        free(sources->source[i].include);
        free(sources->source[i].path);
    }
    free(sources->source);
}

static struct source *find_source(const struct sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->count; i++)
        if (!strcmp(sources->source[i].path, path))
            return &sources->source[i];
    return NULL;
}

/* May a file of src/ include one of kernels/? The mathematics: base (random numbers) and train; launchers: the CUDA
 * backend alone. */
static bool may_use_kernels(const char *path, const char *included)
{
    if (text_starts_with(path, "src/train/cuda/"))
        return true;
    bool mathematics = text_starts_with(included, "kernels/math/");
    return mathematics && (text_starts_with(path, "src/base/") || text_starts_with(path, "src/train/"));
}

static bool is_allowed(const struct folders *folders, const char *path, const char *included)
{
    if (text_starts_with(path, "kernels/"))
        return text_starts_with(included, "kernels/");
    if (text_starts_with(included, "kernels/"))
        return may_use_kernels(path, included);
    const char *from = path + strlen("src/"), *to = included + strlen("src/");
    size_t from_length = strcspn(from, "/"), to_length = strcspn(to, "/");
    if (!from[from_length]) /* src/main.c and src/nasrun.h stand above all */
        return true;
    if (!to[to_length])
        return false; /* nobody includes what stands above all */
    const struct folder *folder = find_folder(folders, from, from_length);
    bool own = from_length == to_length && !strncmp(from, to, to_length);
    return folder && (own || folder_uses(folder, to, to_length));
}

static void includes_follow_the_list(void **state)
{
    (void)state;
    struct folders folders;
    struct sources sources;
    int wrong = 0;
    read_folders(&folders);
    read_sources(&sources);
    for (size_t i = 0; i < sources.count; i++) {
        const struct source *source = &sources.source[i];
        for (size_t k = 0; k < source->includes; k++) {
            const struct include *include = &source->include[k];
            bool exists = find_source(&sources, include->path);
            if (exists && is_allowed(&folders, source->path, include->path))
                continue;
            print_error("%s:%d: %s %s\n", source->path, include->line,
                        exists ? "may not include" : "includes what is no file by its path from src/:", include->path);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
    clear_sources(&sources);
    free(folders.content);
}

/* The list itself: no folder uses itself by a detour, and what must never know of one another does not. */
static void the_list_points_one_way(void **state)
{
    (void)state;
    static const char *const strangers[] = {"optim", "net", "store"};
    struct folders folders;
    read_folders(&folders);
    for (size_t i = 0; i < folders.count; i++) {
        /* every folder used is listed earlier: then there is no circle */
        for (size_t k = 0; k < folders.folder[i].count; k++) {
            const char *used = folders.folder[i].uses[k];
            const struct folder *earlier = find_folder(&folders, used, strlen(used));
            assert_true(earlier && earlier < &folders.folder[i]);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        const struct folder *folder = find_folder(&folders, strangers[i], strlen(strangers[i]));
        assert_non_null(folder);
        for (size_t k = 0; k < 3; k++)
            assert_false(folder_uses(folder, strangers[k], strlen(strangers[k])));
    }
    assert_int_equal(find_folder(&folders, "base", 4)->count, 0);
    free(folders.content);
}

/* Depth first; a file that is met while it is open closes a circle. */
static bool find_circle(const struct sources *sources, struct source *source)
{
    if (source->visit == DONE)
        return false;
    if (source->visit == OPEN)
        return true;
    source->visit = OPEN;
    for (size_t i = 0; i < source->includes; i++) {
        struct source *next = find_source(sources, source->include[i].path);
        if (next && find_circle(sources, next)) {
            print_error("%s:%d: includes %s in a circle\n", source->path, source->include[i].line, next->path);
            return true;
        }
    }
    source->visit = DONE;
    return false;
}

static void no_circles(void **state)
{
    (void)state;
    struct sources sources;
    read_sources(&sources);
    for (size_t i = 0; i < sources.count; i++)
        assert_false(find_circle(&sources, &sources.source[i]));
    clear_sources(&sources);
}

static void own_header_first(void **state)
{
    (void)state;
    struct sources sources;
    int wrong = 0;
    read_sources(&sources);
    for (size_t i = 0; i < sources.count; i++) {
        const struct source *source = &sources.source[i];
        if (!ends_with(source->path, ".c"))
            continue;
        char *header = mem_copy_string(source->path);
        header[strlen(header) - 1] = 'h';
        if (find_source(&sources, header) && !(source->includes && !strcmp(source->include[0].path, header))) {
            print_error("%s: its first include is not \"%s\"\n", source->path, header + strlen("src/"));
            wrong++;
        }
        free(header);
    }
    assert_int_equal(wrong, 0);
    clear_sources(&sources);
}

/* The rules refuse what they should, so that the cases above mean something. */
static void rules_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *path, *included;
        bool allowed;
    } cases[] = {
        {"src/optim/gp.c", "src/net/plan.h", false},
        {"src/net/plan.c", "src/optim/optimizer.h", false},
        {"src/store/store.c", "src/net/plan.h", false},
        {"src/base/log.c", "src/space/space.h", false},
        {"src/space/space.c", "src/run/search.h", false},
        {"src/train/trial.c", "src/run/search.h", false},
        {"src/cli/cli.c", "src/main.c", false},
        {"src/nowhere/x.c", "src/base/log.h", false},
        {"src/optim/gp.c", "kernels/math/activation.h", false},
        {"src/train/cpu/dense.c", "kernels/kernels.h", false},
        {"kernels/relu.cu", "src/base/status.h", false},
        {"src/train/cpu/dense.c", "kernels/math/activation.h", true},
        {"src/base/rng.c", "kernels/math/random.h", true},
        {"src/train/cuda/device.c", "kernels/kernels.h", true},
        {"kernels/relu.cu", "kernels/math/activation.h", true},
        {"src/optim/gp.c", "src/optim/kernel.h", true},
        {"src/run/search.c", "src/store/store.h", true},
        {"src/main.c", "src/cli/cli.h", true},
    };
    struct folders folders;
    read_folders(&folders);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(is_allowed(&folders, cases[i].path, cases[i].included), cases[i].allowed);
    free(folders.content);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(includes_follow_the_list),
        cmocka_unit_test(the_list_points_one_way),
        cmocka_unit_test(no_circles),
        cmocka_unit_test(own_header_first),
        cmocka_unit_test(rules_refuse),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
