#include "space/keys.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHOICES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const double any_seed = 9223372036854775807.0;

/* Orders of choices are those of the enums in train/recipe.h and optim/optimizer.h. Ranges are closed but for
 * `open_minimum`, and narrow enough that no value can break what computes with it (0.9999: below 1 in any rounding). */
const struct key keys[KEY_COUNT] = {
    [KEY_STUDY_NAME] = {"study", "name", KEY_TEXT, .external = true, .help = "results are kept in runs/<name>"},
    [KEY_TRIALS] = {"study", "trials", KEY_INT, .minimum = 1, .maximum = 1e6, .external = true,
                    .external_preset = "1000000", .help = "networks to try; external: as many as asked"},
    [KEY_SEED] = {"study", "seed", KEY_INT, "1", 0, any_seed, .external = true, .help = "of everything random"},

    [KEY_DATASET] = {"data", "dataset", KEY_TEXT, .help = "mnist, fashion-mnist, mnist-5k, tiny, ..."},
    [KEY_DATA_FOLDER] = {"data", "folder", KEY_PATH, "", .help = "the set's folder, if not in a usual place"},
    [KEY_VALIDATION] = {"data", "validation", KEY_REAL, "0.1", 0, 0.9, .open_minimum = true,
                        .help = "share of the images kept to validate"},
    [KEY_FRACTION] = {"data", "fraction", KEY_REAL, "1", 0, 1, .open_minimum = true,
                      .help = "share of the set that is used at all"},
    [KEY_EPOCH_IMAGES] = {"data", "epoch_images", KEY_INT, "all", 1, 1e9, .zero = "all",
                          .help = "images of an epoch, pass after pass"},

    [KEY_OPTIMIZER] = {"training", "optimizer", KEY_CHOICE, "adam", .choices = CHOICES("sgd", "adam", "adamw"),
                       .searchable = true, .help = "adamw: with decoupled weight decay"},
    [KEY_LEARNING_RATE] = {"training", "learning_rate", KEY_REAL, "0.001", 0, 100, .open_minimum = true,
                           .searchable = true, .help = "where the schedule is highest"},
    [KEY_BATCH_SIZE] = {"training", "batch_size", KEY_INT, "64", 1, 65536, .searchable = true,
                        .help = "images per step"},
    [KEY_EPOCHS] = {"training", "epochs", KEY_INT, "10", 1, 100000, .searchable = true,
                    .help = "rounds over the training images"},
    [KEY_MOMENTUM] = {"training", "momentum", KEY_REAL, "0.9", 0, 0.9999, .searchable = true, .master = KEY_OPTIMIZER,
                      .serves = CHOICES("sgd"), .help = "of sgd"},
    [KEY_NESTEROV] = {"training", "nesterov", KEY_BOOL, "no", .searchable = true, .master = KEY_OPTIMIZER,
                      .serves = CHOICES("sgd"), .help = "of sgd: look ahead"},
    [KEY_BETA1] = {"training", "beta1", KEY_REAL, "0.9", 0, 0.9999, .searchable = true, .master = KEY_OPTIMIZER,
                   .serves = CHOICES("adam", "adamw"), .help = "of adam: decay of the gradient's mean"},
    [KEY_BETA2] = {"training", "beta2", KEY_REAL, "0.999", 0, 0.999999, .searchable = true, .master = KEY_OPTIMIZER,
                   .serves = CHOICES("adam", "adamw"), .help = "of adam: decay of its square's mean"},
    [KEY_EPSILON] = {"training", "epsilon", KEY_REAL, "1e-8", 0, 1, .open_minimum = true, .searchable = true,
                     .master = KEY_OPTIMIZER, .serves = CHOICES("adam", "adamw"), .help = "of adam: added to the root"},
    [KEY_WEIGHT_DECAY] = {"training", "weight_decay", KEY_REAL, "0", 0, 10, .searchable = true,
                          .help = "pull of the weights towards 0"},
    [KEY_LABEL_SMOOTHING] = {"training", "label_smoothing", KEY_REAL, "0", 0, 0.9, .searchable = true,
                             .help = "share given to all classes alike"},
    [KEY_CLIP_NORM] = {"training", "clip_norm", KEY_REAL, "none", 0, 1e6, .open_minimum = true, .zero = "none",
                       .searchable = true, .help = "longest gradient, all weights together"},
    [KEY_SCHEDULE] = {"training", "schedule", KEY_CHOICE, "constant",
                      .choices = CHOICES("constant", "step", "cosine", "onecycle"), .searchable = true,
                      .help = "of the learning rate"},
    [KEY_WARMUP_EPOCHS] = {"training", "warmup_epochs", KEY_REAL, "0", 0, 100000, .searchable = true,
                           .help = "rising from 0, before the schedule"},
    [KEY_STEP_EPOCHS] = {"training", "step_epochs", KEY_REAL, "10", 0, 100000, .open_minimum = true, .searchable = true,
                         .master = KEY_SCHEDULE, .serves = CHOICES("step"),
                         .help = "schedule = step: epochs between two steps"},
    [KEY_STEP_FACTOR] = {"training", "step_factor", KEY_REAL, "0.1", 0, 1, .open_minimum = true, .searchable = true,
                         .master = KEY_SCHEDULE, .serves = CHOICES("step"),
                         .help = "schedule = step: what a step multiplies by"},
    [KEY_FINAL_RATE] = {"training", "final_rate", KEY_REAL, "0", 0, 1, .searchable = true, .master = KEY_SCHEDULE,
                        .serves = CHOICES("cosine", "onecycle"), .help = "schedule = cosine: the end, as a share"},
    [KEY_INITIALISATION] = {"training", "initialisation", KEY_CHOICE, "xavier",
                            .choices = CHOICES("he", "xavier", "small"), .searchable = true,
                            .help = "weights at the start; small: as in PyTorch"},
    [KEY_SHIFT] = {"training", "shift", KEY_INT, "0", 0, 64, .searchable = true,
                   .help = "augmentation: pixels moved at most"},
    [KEY_FLIP] = {"training", "flip", KEY_REAL, "0", 0, 1, .searchable = true,
                  .help = "augmentation: share mirrored left to right"},
    [KEY_ERASE] = {"training", "erase", KEY_INT, "0", 0, 64, .searchable = true,
                   .help = "augmentation: side of the erased box"},
    [KEY_PRECISION] = {"training", "precision", KEY_CHOICE, "float32",
                       .choices = CHOICES("float32", "float64", "tf32", "bf16"),
                       .help = "tf32, bf16: on GPUs; float64: for tests"},
    [KEY_REPORT] = {"training", "report", KEY_CHOICE, "last", .choices = CHOICES("last", "best"),
                    .help = "the epoch whose metrics count"},

    [KEY_METHOD] = {"search", "method", KEY_CHOICE, "bo", .external = true,
                    .choices = CHOICES("bo", "random", "sobol", "evolution", "grid"),
                    .help = "bo: Bayesian optimisation"},
    [KEY_INITIAL] = {"search", "initial", KEY_INT, "20", 1, 1e6, .external = true,
                     .help = "Sobol points first; evolution's population"},
    [KEY_MODEL] = {"search", "model", KEY_CHOICE, "auto", .choices = CHOICES("auto", "dense", "sparse"),
                   .external = true, .young = true, .help = "sparse: few of many dimensions matter"},
    [KEY_COST] = {"search", "cost", KEY_CHOICE, "none", .choices = CHOICES("none", "seconds"), .young = true,
                  .help = "seconds: the most gain per second of training"},

    [KEY_WORKERS] = {"run", "workers", KEY_INT, "auto", 1, 1024, .zero = "auto",
                     .help = "on CPUs: trials at a time; auto: one per core"},
    [KEY_DEVICES] = {"run", "devices", KEY_NUMBERS, "auto", 0, 1023, .choices = CHOICES("auto", "all", "cpu"),
                     .help = "what trains; auto: GPUs, else the CPU"},
    [KEY_LANES] = {"run", "lanes", KEY_INT, "auto", 1, 16, .zero = "auto", .help = "trials at a time on each GPU"},
    [KEY_GPUS_PER_TRIAL] = {"run", "gpus_per_trial", KEY_INT, "1", 1, 64,
                            .help = "GPUs that share the batches of a trial"},
    [KEY_PATIENCE] = {"run", "patience", KEY_SECONDS, "10m", 0, 1e9, .open_minimum = true,
                      .help = "a GPU without a step for so long is lost"},
    [KEY_CHECKPOINTS] = {"run", "checkpoints", KEY_SECONDS, "0.5s", 0, 1e9,
                         .help = "between two of a trial; 0: every epoch"},
    [KEY_MAX_TIME] = {"run", "max_time", KEY_SECONDS, "none", 0, 1e9, .open_minimum = true, .zero = "none",
                      .external = true, .help = "end after this time; a later run goes on"},
    [KEY_STORE] = {"run", "store", KEY_CHOICE, "sqlite", .choices = CHOICES("sqlite"), .external = true,
                   .help = "what keeps the record"},
};

enum key_id key_find(const char *section, const char *name)
{
    for (int id = 0; id < KEY_COUNT; id++)
        if (!strcmp(keys[id].section, section) && !strcmp(keys[id].name, name))
            return (enum key_id)id;
    return KEY_COUNT;
}

bool key_in_range(const struct key *key, double value)
{
    return value >= key->minimum && value <= key->maximum && !(key->open_minimum && value == key->minimum);
}

/* A name that can be a folder's: no slash, no blank, no leading dot or dash. */
static bool is_file_name(const char *text)
{
    if (!isalnum((unsigned char)*text) && *text != '_')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
            return false;
    return true;
}

static bool is_choice(const struct key *key, const char *text)
{
    for (const char *const *choice = key->choices; *choice; choice++)
        if (!strcmp(*choice, text))
            return true;
    return false;
}

size_t key_numbers(const struct key *key, const char *text, int out[KEY_MOST_NUMBERS])
{
    size_t count = 0;
    for (const char *start = text;; start++) {
        char *end;
        long number = isdigit((unsigned char)*start) ? strtol(start, &end, 10) : -1;
        if (count == KEY_MOST_NUMBERS || number < 0 || !key_in_range(key, (double)number))
            return 0;
        for (size_t i = 0; i < count; i++)
            if (out[i] == number)
                return 0;
        out[count++] = (int)number;
        start = end + strspn(end, " ");
        if (*start == '\0')
            return count;
        if (*start != ',')
            return 0;
        start += strspn(start + 1, " ");
    }
}

static bool has_type_and_range(const struct key *key, const char *text)
{
    int64_t whole;
    double real;
    bool yes;
    int numbers[KEY_MOST_NUMBERS];
    switch (key->type) {
    case KEY_TEXT:
        return is_file_name(text);
    case KEY_PATH:
        return true;
    case KEY_INT:
        return text_to_int(text, &whole) && key_in_range(key, (double)whole);
    case KEY_REAL:
        return text_to_real(text, &real) && key_in_range(key, real);
    case KEY_SECONDS:
        return text_to_seconds(text, &real) && key_in_range(key, real);
    case KEY_BOOL:
        return text_to_bool(text, &yes);
    case KEY_CHOICE:
        return is_choice(key, text);
    case KEY_NUMBERS:
        return is_choice(key, text) || key_numbers(key, text, numbers);
    }
    return false;
}

static void append_range(const struct key *key, const char *noun, struct text *text)
{
    text_append(text, noun);
    if (key->maximum == any_seed) {
        text_append(text, " from 0 to 9223372036854775807");
        return;
    }
    text_append(text, key->open_minimum ? " above " : " from ");
    text_append_real(text, key->minimum);
    text_append(text, key->open_minimum ? ", at most " : " to ");
    text_append_real(text, key->maximum);
}

void key_append_expectation(const struct key *key, struct text *text)
{
    switch (key->type) {
    case KEY_TEXT:
        text_append(text, "a name of letters, digits, \"_\", \"-\" and \".\"");
        break;
    case KEY_PATH:
        text_append(text, "a folder");
        break;
    case KEY_INT:
        append_range(key, "a whole number", text);
        break;
    case KEY_REAL:
        append_range(key, "a number", text);
        break;
    case KEY_SECONDS:
        text_append(text, "a time such as 90s, 12m, 1.5h or 2d");
        break;
    case KEY_BOOL:
        text_append(text, "yes or no");
        break;
    case KEY_CHOICE:
        for (size_t i = 0; key->choices[i]; i++)
            text_format(text, "%s%s", i == 0 ? "" : key->choices[i + 1] ? ", " : " or ", key->choices[i]);
        break;
    case KEY_NUMBERS:
        for (size_t i = 0; key->choices[i]; i++)
            text_format(text, "%s, ", key->choices[i]);
        text_append(text, "or different numbers such as 0,2");
        break;
    }
    if (key->zero)
        text_format(text, ", or %s", key->zero);
}

bool key_accepts(const struct key *key, const char *text, struct text *expected)
{
    if ((key->zero && !strcmp(text, key->zero)) || has_type_and_range(key, text))
        return true;
    if (expected)
        key_append_expectation(key, expected);
    return false;
}
