/* IDX files (the format of MNIST): a big-endian header of magic and dimensions, then unsigned bytes. Used by dataset.c.
 *
 *   00 00 08 D, D dimensions of 32 bits, data      D = 1: labels [N], 3: images [N,H,W], 4: images [N,C,H,W]
 *
 * A file may be gzipped, whatever its name: its first two bytes tell. */
#ifndef NASRUN_TRAIN_IDX_H
#define NASRUN_TRAIN_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"

enum { IDX_MOST_DIMENSIONS = 4, IDX_MOST_HEADER = 4 + 4 * IDX_MOST_DIMENSIONS };

struct idx; /* an opened file, its header read */

enum idx_content { IDX_LABELS, IDX_IMAGES };

/* Reads and checks the header: magic, number of dimensions, none of them 0, a size that does not overflow and that a
 * file of this length can hold (so that a damaged header never makes us allocate what is not there). */
nr_status idx_open(const char *path, enum idx_content content, struct log *log, struct idx **out) NR_MUST_CHECK;
/* dimension[0] is the count of items; unused ones are 0. */
const uint32_t *idx_dimensions(const struct idx *idx, int *count);
size_t idx_header_bytes(const struct idx *idx); /* 8, 16 or 20 */
size_t idx_data_bytes(const struct idx *idx);   /* the product of the dimensions */
/* Writes the unpacked file, header included, to out[idx_header_bytes + idx_data_bytes]. Once. NR_INVALID when the file
 * ends early, goes on, or is a damaged gzip file. */
nr_status idx_read(struct idx *idx, uint8_t *out, struct log *log) NR_MUST_CHECK;
void idx_close(struct idx *idx);

#endif
