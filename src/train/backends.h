/* The backends that can be had here: the CPU is part of the program; CUDA is a module beside it, libnasrun-cuda.so, so
 * that the one program starts on machines without a driver or NVIDIA's libraries.
 *
 * Loading the CUDA module costs 0.15 s and 160 MB: only processes that train, or that ask for devices, do it. */
#ifndef NASRUN_TRAIN_BACKENDS_H
#define NASRUN_TRAIN_BACKENDS_H

#include <stdbool.h>

#include "base/text.h"
#include "train/backend.h"

/* "cpu" or "cuda". The module is sought as $NASRUN_CUDA_MODULE, beside the program, and in ../lib/nasrun of an
 * installed one; once loaded it stays. NR_NOT_FOUND: no driver, no such file, or it cannot be loaded, as when a library
 * that it needs is missing (the log names it); NR_INVALID: a module of another build, or an unknown name. */
nr_status backend_load(const char *name, struct log *log, const struct backend **out) NR_MUST_CHECK;

/* Whether there are a driver and a module for backend_load("cuda") to try; loads neither. `module` gets the path of the
 * module where there is one, `problem` one line where something is missing. A module that was named by
 * $NASRUN_CUDA_MODULE is taken to know what it needs: no driver is asked for. */
bool backend_find_cuda(struct text *module, struct text *problem);

#endif
