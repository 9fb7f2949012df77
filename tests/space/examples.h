/* Configurations that tests of the space share: the search of configs/mnist.ini, and one that uses the whole grammar.
 */
#ifndef NASRUN_TESTS_SPACE_EXAMPLES_H
#define NASRUN_TESTS_SPACE_EXAMPLES_H

static const char example_mnist[] = "[study]\n"                                      /* 1 */
                                    "name   = mnist\n"                               /* 2 */
                                    "trials = 48\n"                                  /* 3 */
                                    "seed   = 1\n"                                   /* 4 */
                                    "\n"                                             /* 5 */
                                    "[data]\n"                                       /* 6 */
                                    "dataset    = mnist\n"                           /* 7 */
                                    "validation = 0.1\n"                             /* 8 */
                                    "fraction   = 1.0\n"                             /* 9 */
                                    "\n"                                             /* 10 */
                                    "[space]\n"                                      /* 11 */
                                    "hidden1       = int 16..128 log\n"              /* 12 */
                                    "hidden2       = int 16..128 log\n"              /* 13 */
                                    "learning_rate = real 1e-4..1e-2 log\n"          /* 14 */
                                    "dropout       = real 0..0.5\n"                  /* 15 */
                                    "batch_size    = ordered 32, 64, 128, 256\n"     /* 16 */
                                    "epochs        = int 1..4\n"                     /* 17 */
                                    "\n"                                             /* 18 */
                                    "[network]\n"                                    /* 19 */
                                    "layer = dense units=$hidden1 activation=relu\n" /* 20 */
                                    "layer = dropout rate=$dropout\n"                /* 21 */
                                    "layer = dense units=$hidden2 activation=relu\n" /* 22 */
                                    "layer = dropout rate=$dropout\n"                /* 23 */
                                    "layer = dense units=classes\n"                  /* 24 */
                                    "\n"                                             /* 25 */
                                    "[training]\n"                                   /* 26 */
                                    "optimizer     = adam\n"                         /* 27 */
                                    "learning_rate = $learning_rate\n"               /* 28 */
                                    "batch_size    = $batch_size\n"                  /* 29 */
                                    "epochs        = $epochs\n"                      /* 30 */
                                    "\n"                                             /* 31 */
                                    "[objectives]\n"                                 /* 32 */
                                    "val_accuracy = maximize threshold=0.94\n"       /* 33 */
                                    "parameters   = minimize threshold=80000\n"      /* 34 */
                                    "\n"                                             /* 35 */
                                    "[search]\n"                                     /* 36 */
                                    "method  = bo\n"                                 /* 37 */
                                    "initial = 12\n";                                /* 38 */

static const char example_grammar[] =
    "[study]\n"
    "name = everything\n"
    "trials = 10\n"
    "[data]\n"
    "dataset = tiny\n"
    "[run]\n"
    "workers  = auto\n"
    "devices  = auto\n"
    "max_time = 12m\n"
    "store    = sqlite\n"
    "\n"
    "[space]\n"
    "activation    = choice relu, gelu, tanh   ; unordered\n"
    "norm          = bool\n"
    "momentum      = real 0.8..0.99 step 0.01 if optimizer = sgd\n"
    "optimizer     = choice sgd, adam\n"
    "weight_decay  = fixed 5e-4\n"
    "blocks        = int 1..3\n"
    "width[blocks] = int 8..64 log             ; one per block\n"
    "kernel[blocks] = ordered 3, 5\n"
    "hidden1 = int 16..64\n"
    "hidden2 = int 16..64\n"
    "\n"
    "[network]\n"
    "block = stage repeat=$blocks              ; $width, $kernel are this repetition's\n"
    "layer = globalavgpool\n"
    "layer = dense units=$hidden1\n"
    "layer = dense units=$hidden2\n"
    "layer = dense units=classes\n"
    "\n"
    "[block stage]\n"
    "layer = conv channels=$width kernel=$kernel padding=same\n"
    "layer = batchnorm if=$norm\n"
    "layer = activation kind=$activation\n"
    "layer = residual begin\n"
    "layer = residual end\n"
    "layer = maxpool size=2\n"
    "\n"
    "[training]\n"
    "optimizer = $optimizer\n"
    "momentum = $momentum\n"
    "weight_decay = $weight_decay\n"
    "[objectives]\n"
    "val_accuracy = maximize\n"
    "macs = minimize\n"
    "[constraints]\n"
    "parameters = <= 200000\n"
    "macs       = <= 5e6\n"
    "narrowing  = hidden2 <= hidden1           ; any name\n";

#endif
