/* Files: read whole, replace in one move, folders, SHA-256. */
#ifndef NASRUN_BASE_FILE_H
#define NASRUN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

enum { FILE_DIGEST_SIZE = 65 }; /* 64 hexadecimal digits and the NUL */

bool file_exists(const char *path);
/* The whole file, NUL-terminated; the caller frees *out. `length` may be NULL. */
nr_status file_read(const char *path, struct log *log, char **out, size_t *length) NR_MUST_CHECK;
/* Writes beside the target, then renames: a reader sees the old or the new file, never a part.
 * `durable` also survives a power loss (fsync of file and folder). */
nr_status file_replace(const char *path, const void *data, size_t length, bool durable, struct log *log) NR_MUST_CHECK;
/* mkdir -p */
nr_status file_make_folder(const char *path, struct log *log) NR_MUST_CHECK;
/* "folder/name", or `name` alone when it is absolute; the caller frees; NULL when out of memory. */
char *file_join(const char *folder, const char *name) NR_MUST_CHECK;
/* The folder of a path, "." when it has none; the caller frees. */
char *file_folder(const char *path) NR_MUST_CHECK;

void digest_bytes(const void *data, size_t length, char out[FILE_DIGEST_SIZE]); /* SHA-256 */

#endif
