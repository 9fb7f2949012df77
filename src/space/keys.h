/* Every key of the configuration in one table, from which files are checked, defaults taken and
 * `nasrun help config` printed. Sections with free keys ([space], [network], [block NAME], [objectives],
 * [constraints]) are described beside it. */
#ifndef NASRUN_SPACE_KEYS_H
#define NASRUN_SPACE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"

/* KEY_NUMBERS: one of the choices, or a list of different whole numbers: "0,2". */
enum key_type { KEY_TEXT, KEY_PATH, KEY_INT, KEY_REAL, KEY_BOOL, KEY_CHOICE, KEY_SECONDS, KEY_NUMBERS };
enum { KEY_MOST_NUMBERS = 64 };

/* One identifier per key; study_int(study, KEY_TRIALS, point) and its sisters read them. The table in keys.c is
 * indexed by it. */
enum key_id {
    /* [study] */
    KEY_STUDY_NAME,
    KEY_TRIALS,
    KEY_SEED,
    /* [data] */
    KEY_DATASET,
    KEY_DATA_FOLDER,
    KEY_VALIDATION,
    KEY_FRACTION,
    KEY_EPOCH_IMAGES, /* 0: the training share */
    /* [training]: all of them may be `$name` */
    KEY_OPTIMIZER,
    KEY_LEARNING_RATE,
    KEY_BATCH_SIZE,
    KEY_EPOCHS,
    KEY_MOMENTUM,
    KEY_NESTEROV,
    KEY_BETA1,
    KEY_BETA2,
    KEY_EPSILON,
    KEY_WEIGHT_DECAY,
    KEY_LABEL_SMOOTHING,
    KEY_CLIP_NORM, /* 0: none */
    KEY_SCHEDULE,
    KEY_WARMUP_EPOCHS,
    KEY_STEP_EPOCHS, /* schedule = step: the rate is multiplied by step_factor every step_epochs */
    KEY_STEP_FACTOR,
    KEY_FINAL_RATE,     /* cosine: the rate at the end, as a share of learning_rate */
    KEY_INITIALISATION, /* he | xavier */
    KEY_SHIFT,          /* augmentation: pixels, probability, side of the erased box */
    KEY_FLIP,
    KEY_ERASE,
    KEY_PRECISION, /* of a device: not all have all */
    KEY_REPORT,    /* last | best */
    /* [search] */
    KEY_METHOD,
    KEY_INITIAL,
    KEY_MODEL,
    KEY_COST,
    /* [run] */
    KEY_WORKERS, /* 0: auto */
    KEY_DEVICES, /* auto | all | cpu, or numbers */
    KEY_LANES,   /* 0: auto */
    KEY_GPUS_PER_TRIAL,
    KEY_PATIENCE,    /* seconds */
    KEY_CHECKPOINTS, /* seconds */
    KEY_MAX_TIME,    /* seconds, 0: none */
    KEY_STORE,
    KEY_COUNT
};

struct key {
    const char *section, *name;
    enum key_type type;
    const char *preset;          /* the value where none is given; NULL: required */
    double minimum, maximum;     /* KEY_INT, KEY_REAL, KEY_SECONDS */
    bool open_minimum;           /* the minimum itself is not allowed */
    const char *zero;            /* a word that may stand for 0, which need not lie in the range ("auto"); or NULL */
    const char *const *choices;  /* KEY_CHOICE, KEY_NUMBERS; NULL-terminated */
    bool searchable;             /* may be `$name` */
    enum key_id master;          /* what decides whether the key has an effect, ... */
    const char *const *serves;   /* ... and the values with which it has; NULL: it always has */
    bool external;               /* also for studies with external objectives */
    const char *external_preset; /* for these, where it differs; else NULL */
    bool young;       /* there are studies on record from before it: as its preset, it is not in identities */
    const char *help; /* one line */
};

extern const struct key keys[KEY_COUNT];

/* The key of that section and name, KEY_COUNT when there is none. */
enum key_id key_find(const char *section, const char *name);
/* Is `text` a value of the key? If not, `expected` (may be NULL) gets what would be ("a whole number, 1 or more"). */
bool key_accepts(const struct key *key, const char *text, struct text *expected);
/* The numbers of a KEY_NUMBERS, at most KEY_MOST_NUMBERS; 0 where `text` is no list of different whole numbers. */
size_t key_numbers(const struct key *key, const char *text, int out[KEY_MOST_NUMBERS]);
/* What it expects, alone. */
void key_append_expectation(const struct key *key, struct text *text);
/* Is the number in the key's range? Whether it is whole is not looked at. */
bool key_in_range(const struct key *key, double value);
/* The whole table by section and the grammar of the free-form sections, 100 columns: `nasrun help config`. */
void keys_print(FILE *stream);

#endif
