/* `nasrun help config`: the table of keys.c, and the grammar of the sections with keys of one's own. */
#include <string.h>

#include "space/keys.h"

static const char introduction[] =
    "A configuration is an INI file: [sections] of \"key = value\" lines. A line that begins with ; or # is\n"
    "a comment, and so is what follows \" ;\" on a line. `--set section.key=value` replaces a value.\n"
    "Columns: key, values, default, meaning. A * marks keys that may also be a parameter of [space], as\n"
    "in learning_rate = $learning_rate. Keys without a default must be given.\n";

static const char grammar[] =
    "\n"
    "[space]  the parameters that are searched, each used somewhere as $name\n"
    "  hidden      = int 16..128 log             whole numbers; log: equal factors get equal shares\n"
    "  rate        = real 0..0.5                 numbers; log as for int\n"
    "  momentum    = real 0.8..0.99 step 0.01    0.8, 0.81, ... 0.99; ints have steps, too\n"
    "  batch_size  = ordered 32, 64, 128         levels in an order\n"
    "  activation  = choice relu, gelu           levels without an order\n"
    "  norm        = bool                        yes or no\n"
    "  decay       = fixed 5e-4                  one value\n"
    "  beta1       = real 0..0.9 if optimizer = adam    exists only where the condition holds\n"
    "  width[blocks] = int 8..64                 one per block: width[0], width[1], ...\n"
    "\n"
    "[network]  the layers from first to last\n"
    "  layer = dense units=$hidden activation=relu   kind, attributes; $name is the parameter's value\n"
    "  layer = dense units=classes                   as many outputs as the data have classes\n"
    "  layer = batchnorm if=$norm                    left out where $norm is no\n"
    "  block = stage repeat=$blocks                  the layers of [block stage], so many times\n"
    "\n"
    "[block NAME]  layers; a vector's $width is the element of this repetition\n"
    "  layer = conv channels=$width kernel=3 padding=same\n"
    "\n"
    "[objectives]  one to four, in the order in which they are listed; one of the first three at least\n"
    "  val_accuracy = maximize threshold=0.94    fraction of the validation images; what is worth having\n"
    "  val_loss     = minimize transform=none    cross-entropy on the validation images; modelled:\n"
    "                                            halfrank (usual): the worse half by rank; none; auto\n"
    "  train_loss   = minimize                   the same on the training images\n"
    "  parameters   = minimize                   trained values; exact, known before training\n"
    "  macs         = minimize                   multiply-accumulates per image; exact\n"
    "  memory       = minimize                   bytes needed to train; exact\n"
    "\n"
    "[constraints]  networks outside of them are never trained\n"
    "  parameters = <= 200000                    a bound on an exact quantity: <= < >= >, two with \"and\"\n"
    "  narrowing  = hidden2 <= hidden1           any name, a condition of the parameters\n"
    "  fits       = groups divides width if grouped    one that matters only where another holds\n"
    "  val_loss   = <= 0.5                       a bound on a trained metric is learnt from trials\n"
    "\n"
    "A study with external objectives has no [data], [network] and [training]: whoever asks for points\n"
    "measures them and tells the values. Every parameter of [space] is then used, and names are free:\n"
    "[objectives]\n"
    "  loss    = minimize                        told; transform=auto (usual) lets the values decide\n"
    "  size    = minimize exact=\"784*h1 + h1*h2\"    computed, never told nor modelled; not all can be\n"
    "[constraints]\n"
    "  size    = <= 60000                        on an exact objective: points outside are never proposed\n"
    "  latency = <= 5                            any other name: told with the objectives, and modelled\n"
    "\n"
    "Conditions, loosest first: or, and, not, = != < <= > >= divides, + -, * / %, -a, ^; and functions:\n"
    "min(a,b), max(a,b), abs, sqrt, log, log2, exp, floor, ceil, round; if(c,a,b): a where c, else b;\n"
    "sum(a), product(a): over the elements of vectors that exist, as in sum(width * kernel^2). A level is\n"
    "written as it is (optimizer = sgd), in quotes when it is no plain word. Where a parameter in it does\n"
    "not exist, the condition of another parameter does not hold, and a constraint does; a point where an\n"
    "exact objective has no value is never proposed.\n";

enum { NAME_WIDTH = 17, VALUES_WIDTH = 26, DEFAULT_WIDTH = 10 };

static void append_range(const struct key *key, const char *type, struct text *text)
{
    bool open_end = key->maximum > 1e18; /* a seed */
    text_format(text, "%s %s", type, key->open_minimum ? ">" : "");
    text_append_real(text, key->minimum);
    text_append(text, "..");
    if (!open_end)
        text_append_real(text, key->maximum);
}

/* "real >0..100", "sgd | adam | adamw": what a line of the table has room for. */
static void append_values(const struct key *key, struct text *text)
{
    switch (key->type) {
    case KEY_TEXT:
        text_append(text, "name");
        break;
    case KEY_PATH:
        text_append(text, "folder");
        break;
    case KEY_INT:
        append_range(key, "int", text);
        break;
    case KEY_REAL:
        append_range(key, "real", text);
        break;
    case KEY_SECONDS:
        text_append(text, "90s | 12m | 1.5h");
        break;
    case KEY_BOOL:
        text_append(text, "yes | no");
        break;
    case KEY_CHOICE:
    case KEY_NUMBERS:
        for (size_t i = 0; key->choices[i]; i++)
            text_format(text, "%s%s", i ? " | " : "", key->choices[i]);
        text_append(text, key->type == KEY_NUMBERS ? " | 0,2" : "");
        break;
    }
    if (key->zero)
        text_format(text, " | %s", key->zero);
}

static void print_key(FILE *stream, const struct key *key)
{
    struct text values = {0};
    append_values(key, &values);
    const char *preset = key->preset ? key->preset : "";
    fprintf(stream, "%c %-*s", key->searchable ? '*' : ' ', NAME_WIDTH, key->name);
    if (values.length >= VALUES_WIDTH) /* the rest goes to the next line */
        fprintf(stream, "%s\n  %*s", values.data, NAME_WIDTH + VALUES_WIDTH, "");
    else
        fprintf(stream, "%-*s", VALUES_WIDTH, values.data ? values.data : "");
    fprintf(stream, "%-*s%s\n", DEFAULT_WIDTH, preset, key->help);
    text_clear(&values);
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
