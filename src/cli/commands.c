/* The table of commands: what `nasrun help` prints and cli.c looks up. */
#include "cli/cli.h"

const struct command commands[] = {
    {.name = "search",
     .synopsis = "CONFIG.ini",
     .help = "run a search, or go on with one; the word may be left out",
     .details = "Reads the search space, trains candidates, chooses the next ones, and leaves the Pareto front in the study's\n"
                "folder (runs/NAME, or --out). Said again it resumes; a finished study said again prints its result.\n"
                "Ctrl-C once stops at the next step and keeps everything; twice stops at once.\n",
     .flags = CLI_SET | CLI_OUT | CLI_QUIET | CLI_FRESH,
     .fewest = 1,
     .most = 1,
     .run = command_search},
    {.name = "status", .synopsis = "[STUDY]", .help = "how a study stands: done, running, failed, the front",
     .flags = CLI_TABLE, .most = 1, .run = command_status},
    {.name = "trials", .synopsis = "[STUDY]", .help = "every trial, in order", .flags = CLI_TABLE, .most = 1,
     .run = command_trials},
    {.name = "pareto", .synopsis = "[STUDY]", .help = "the Pareto front", .flags = CLI_TABLE, .most = 1,
     .run = command_pareto},
    {.name = "best", .synopsis = "[STUDY]", .help = "the best trial: most thresholds met, then the best first objective",
     .flags = CLI_TABLE, .most = 1, .run = command_best},
    {.name = "show", .synopsis = "[STUDY] TRIAL", .help = "one trial: its network, layer by layer, and its epochs",
     .flags = CLI_TABLE, .fewest = 1, .most = 2, .run = command_show},
    {.name = "check", .synopsis = "CONFIG.ini", .help = "explain a configuration and its extreme networks; trains nothing",
     .flags = CLI_SET, .fewest = 1, .most = 1, .run = command_check},
    {.name = "test", .synopsis = "[STUDY]", .help = "evaluate the front's weights on the test set", .flags = CLI_TABLE,
     .most = 1, .run = command_test},
    {.name = "bench", .synopsis = "train", .help = "measure training on this machine",
     .flags = CLI_TABLE | CLI_DEVICE, .fewest = 1, .most = 1, .run = command_bench},
    {.name = "doctor", .synopsis = "", .help = "check libraries, arithmetic, data sets and devices",
     .run = command_doctor},
    {.name = "help", .synopsis = "[COMMAND | config]", .help = "this list, one command, or every configuration key",
     .most = 1, .run = command_help},
    {.name = "version", .synopsis = "", .help = "the version, and the libraries' versions", .run = command_version},
    {.name = "worker", .synopsis = "PROCESS", .help = "train for a driver (started by it)", .fewest = 1, .most = 1,
     .hidden = true, .run = command_worker},
    {0}};
