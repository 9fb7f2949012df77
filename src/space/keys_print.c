/* `nasrun help config`: the table of keys.c, and the grammar of the sections with keys of one's own. */
#include <stdlib.h>
#include <string.h>

#include "space/keys.h"

static const char introduction[] =
    "A configuration is an INI file: [sections] of \"key = value\" lines. A line that begins with ; or # is a comment, and\n"
    "what follows \" ;\" on a line. `--set section.key=value` replaces a value (not layers). $ before a default: the key may\n"
    "also be a parameter of [space], as in learning_rate = $learning_rate.\n";

static const char grammar[] =
    "\n"
    "[space]  the parameters that are searched, each used somewhere as $name\n"
    "  hidden      = int 16..128 log             whole numbers; log: equal factors get equal shares\n"
    "  rate        = real 0..0.5                 numbers; log and step as for int\n"
    "  momentum    = real 0.8..0.99 step 0.01    0.8, 0.81, ... 0.99\n"
    "  batch_size  = ordered 32, 64, 128         levels in an order\n"
    "  activation  = choice relu, gelu           levels without an order\n"
    "  norm        = bool                        yes or no\n"
    "  decay       = fixed 5e-4                  one value\n"
    "  momentum    = real 0..0.9 if optimizer = sgd   exists only where the condition holds\n"
    "  width[blocks] = int 8..64                 one per block: width[0], width[1], ...\n"
    "\n"
    "[network]  the layers from first to last\n"
    "  layer = dense units=$hidden activation=relu    a kind, then attributes; $name is the parameter's value\n"
    "  layer = dense units=classes                    as many outputs as the data have classes\n"
    "  layer = batchnorm if=$norm                     left out where $norm is no\n"
    "  block = stage repeat=$blocks                   the layers of [block stage], so many times\n"
    "\n"
    "[block NAME]  layers; a vector's $width is the element of this repetition\n"
    "  layer = conv channels=$width kernel=3 padding=same\n"
    "\n"
    "[objectives]  one to four, in the order in which they are listed; one of the first three at least\n"
    "  val_accuracy = maximize threshold=0.94    fraction of the validation images; what is worth having\n"
    "  val_loss     = minimize                   cross-entropy on the validation images\n"
    "  train_loss   = minimize                   the same on the training images\n"
    "  parameters   = minimize                   trained values; exact, known before training\n"
    "  macs         = minimize                   multiply-accumulates per image; exact\n"
    "  memory       = minimize                   bytes needed to train; exact\n"
    "\n"
    "[constraints]  networks outside of them are never trained\n"
    "  parameters = <= 200000                    a bound on an exact quantity: <=, <, >=, >; two with \"and\"\n"
    "  narrowing  = hidden2 <= hidden1           any name, a condition of the parameters\n"
    "\n"
    "Conditions, closest last: or, and, not, = != < <= > >= divides, + -, * / %, -a, ^, and the functions min(a,b),\n"
    "max(a,b), abs, sqrt, log, log2, exp, floor, ceil, round. A level is written as it is (optimizer = sgd), in quotes\n"
    "when it is no plain word. With a parameter that does not exist at a point, a condition of a parameter does not hold\n"
    "and a constraint does.\n";

enum { NAME_WIDTH = 16, DEFAULT_WIDTH = 11, TEXT_WIDTH = 71 };

/* Words of `text`, continued under the column when they do not fit. */
static void print_wrapped(FILE *stream, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column && column + 1 + length > TEXT_WIDTH) {
            fprintf(stream, "\n%*s", 2 + NAME_WIDTH + DEFAULT_WIDTH, "");
            column = 0;
        }
        column += (size_t)fprintf(stream, "%s%.*s", column ? " " : "", (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static void print_key(FILE *stream, const struct key *key)
{
    struct text preset = {0}, description = {0};
    if (key->preset)
        text_format(&preset, "%s%s", key->searchable ? "$ " : "  ", *key->preset ? key->preset : "-");
    else
        text_append(&preset, "  needed");
    text_format(&description, "%s: ", key->help);
    key_append_expectation(key, &description);
    fprintf(stream, "  %-*s%-*s", NAME_WIDTH, key->name, DEFAULT_WIDTH, preset.data ? preset.data : "");
    print_wrapped(stream, description.data ? description.data : key->help);
    text_clear(&preset);
    text_clear(&description);
}

void keys_print(FILE *stream)
{
    const char *section = "";
    fputs(introduction, stream);
    for (int id = 0; id < KEY_COUNT; id++) {
        if (strcmp(section, keys[id].section))
            fprintf(stream, "\n[%s]\n", keys[id].section);
        section = keys[id].section;
        print_key(stream, &keys[id]);
    }
    fputs(grammar, stream);
}
