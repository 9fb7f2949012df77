/* A study: what a configuration means. Built once by study_read(), constant afterwards.
 *
 * Either nasrun trains: [data], [network] and [training] say what, and objectives are those that it knows. Or the
 * objectives are external: there is none of these sections, objectives and constraints have any names, and somebody
 * else measures them (ask and tell). */
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

/* How an objective's values are warped before they are modelled; AUTO: as the data suggest. */
enum objective_transform { OBJECTIVE_TRANSFORM_AUTO, OBJECTIVE_TRANSFORM_NONE, OBJECTIVE_TRANSFORM_HALF_RANK };

struct objective {
    char *name; /* "val_accuracy", "parameters", ...: objective.c holds the table of known ones; any if external */
    bool maximize;
    bool exact;                         /* known before a trial: never modelled, never told */
    double threshold;                   /* NaN: none */
    enum objective_transform transform; /* NONE for an exact one */
    struct expression *expression;      /* of an external exact one: its value; else NULL */
};

enum relation { RELATION_AT_MOST, RELATION_AT_LEAST, RELATION_EXPRESSION };

struct constraint {
    char *name;
    enum relation relation;
    double bound; /* RELATION_AT_MOST, _AT_LEAST: inclusive. "< 5" is 4 for what a network costs, else next below 5 */
    struct expression *expression; /* RELATION_EXPRESSION: must be true; unknown (inactive names) counts as true */
    bool outcome; /* a bound on what only a trial shows: modelled. Others keep points from being proposed */
    size_t value; /* bounds: the number of the value they are on (study_value_name()), or STUDY_NO_VALUE: on the
                   * parameters, macs or memory (`name`) of a network. Two bounds may be on one value */
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

enum { STUDY_MAX_OBJECTIVES = 4, STUDY_MAX_OUTCOME_CONSTRAINTS = 4 };
enum { STUDY_MAX_VALUES = STUDY_MAX_OBJECTIVES + STUDY_MAX_OUTCOME_CONSTRAINTS };
#define STUDY_NO_VALUE SIZE_MAX

struct study {
    struct config config; /* owns the texts that `file` points to */
    bool external;        /* nothing is trained here; settings of [data] and [training] mean nothing */
    struct space space;
    struct network_template network;
    struct setting setting[KEY_COUNT];
    struct objective *objective;
    size_t objectives;
    struct constraint *constraint;
    size_t constraints, constraint_capacity;
    char *measure[STUDY_MAX_OUTCOME_CONSTRAINTS]; /* what constraints bound, only a trial shows, and is no objective */
    size_t measures;
};

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

/* The values of a trial, as they are recorded and listed: by objective, then by measure. */
size_t study_values(const struct study *study);
const char *study_value_name(const struct study *study, size_t value);
/* Whether a trial must bring it: all but exact objectives. */
bool study_value_is_told(const struct study *study, size_t value);

/* An exact objective that is an expression, at this point; NaN where the expression has no value. */
double study_exact_value(const struct study *study, size_t objective, const double *point);
/* The constraints that follow from the point alone hold: expressions, and bounds on exact objectives that are
 * expressions. What a network costs is not looked at. */
bool study_allows(const struct study *study, const double *point);
/* The first of these that does not hold; NULL: none. */
const struct constraint *study_broken(const struct study *study, const double *point);
/* A bound (no expression) holds for this value; NaN is within no bound. */
bool constraint_holds(const struct constraint *constraint, double value);
/* The outcome constraints hold for the values of a finished trial. */
bool study_feasible(const struct study *study, const double *value);

/* Warns of keys that are given though no point of the study makes use of them: momentum where the optimizer is adam. */
void study_warn_idle(const struct study *study, struct log *log);

/* What makes a study the same study: every entry but [run], study.trials and comments, with presets filled in (but of
 * keys that are younger than studies on record: these are left out while they have their preset), one
 * "section.key = value" per line, sorted; values, expressions and layers in one spelling, so that order in the file
 * (but of layers, objectives and bounds on outcomes), comments and spacing make no difference. The caller frees; NULL
 * when out of memory.
 */
char *study_identity(const struct study *study) NR_MUST_CHECK;

#endif
