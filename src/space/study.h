/* A study: what a configuration means. Built once by study_read(), constant afterwards. */
#ifndef NASRUN_SPACE_STUDY_H
#define NASRUN_SPACE_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "space/config.h"
#include "space/expression.h"
#include "space/keys.h"
#include "space/space.h"

/* "units=$hidden1" of a layer. Which attributes an operator takes, and of which type, net/operators knows. */
struct attribute {
    char *key, *value;
};

struct layer_spec {
    char *kind; /* "dense", "residual"; the block's name for a block */
    char *word; /* a bare word after it ("begin", "end"), or NULL */
    bool is_block;
    struct attribute *attribute;
    size_t attributes;
    const char *file;
    int line;
};

struct layer_list {
    struct layer_spec *layer;
    size_t count, capacity;
};

struct block_spec {
    char *name;
    struct layer_list layers;
    const char *file;
    int line;
    bool used;
};

struct network_template {
    struct layer_list layers;
    struct block_spec *block;
    size_t blocks, block_capacity;
};

struct objective {
    char *name; /* "val_accuracy", "parameters", ...: objective.c holds the table of known ones */
    bool maximize;
    bool exact;       /* known before training */
    double threshold; /* NaN: none */
};

enum relation { RELATION_AT_MOST, RELATION_AT_LEAST, RELATION_EXPRESSION };

struct constraint {
    char *name;
    enum relation relation;
    double
        bound; /* RELATION_AT_MOST, _AT_LEAST: inclusive, on the exact quantity `name` (a whole number: "< 5" is 4) */
    struct expression *expression; /* RELATION_EXPRESSION: must be true; unknown (inactive names) counts as true */
    const char *file;
    int line;
};

struct setting {      /* the value of a key: a literal, or a dimension of the space */
    char *text;       /* "$name" when searched */
    const char *file; /* NULL: the preset */
    int line;
    bool searched;
    size_t dimension; /* when searched */
};

struct study {
    struct config config; /* owns the texts that `file` points to */
    struct space space;
    struct network_template network;
    struct setting setting[KEY_COUNT];
    struct objective *objective;
    size_t objectives;
    struct constraint *constraint;
    size_t constraints, constraint_capacity;
};

enum { STUDY_MAX_OBJECTIVES = 4 };

/* Reads, checks everything that needs no data, and resolves `$name`s. Every error is NR_INVALID with file, line, key,
 * value, expectation and the nearest known name. Operators and their attributes are checked by net/. */
nr_status study_read(const char *path, const char *const *overrides, size_t count, struct log *log,
                     struct study **out) NR_MUST_CHECK;
nr_status study_read_text(const char *content, const char *name, const char *const *overrides, size_t count,
                          struct log *log, struct study **out) NR_MUST_CHECK;
void study_destroy(struct study *study);

/* Values of keys. `point` is needed by keys that may be searched (NULL otherwise); a key whose dimension is inactive at
 * the point has its preset. Types were checked when the study was read, so these cannot fail. */
int64_t study_int(const struct study *study, enum key_id key, const double *point);
double study_real(const struct study *study, enum key_id key, const double *point);
bool study_bool(const struct study *study, enum key_id key, const double *point);
int study_choice(const struct study *study, enum key_id key, const double *point); /* index into key.choices */
const char *study_text(const struct study *study, enum key_id key); /* as written; "" for a path not given */
uint64_t study_seed(const struct study *study);

/* The constraints that are expressions hold at this point. */
bool study_allows(const struct study *study, const double *point);

/* What makes a study the same study: every entry but [run], study.trials and comments, with presets filled in, one
 * "section.key = value" per line, sorted; values, expressions and layers in one spelling, so that order in the file
 * (but of layers and objectives), comments and spacing make no difference. The caller frees; NULL when out of memory.
 */
char *study_identity(const struct study *study) NR_MUST_CHECK;

#endif
