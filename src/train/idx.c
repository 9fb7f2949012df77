#include "train/idx.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/memory.h"

/* zlib's gzread would do the same in less code, but it ignores what follows the compressed data, and a file that was
 * appended to is a damaged one. */
enum { INPUT_BYTES = 1 << 16, GZIP_WINDOW = 31 /* the largest window, with a gzip header */ };

struct idx {
    char *path;
    FILE *file;
    bool gzipped;
    bool member_ended; /* gzip: the last member's check sum was right */
    z_stream inflate;
    uint8_t header[IDX_MOST_HEADER];
    int dimensions;
    uint32_t dimension[IDX_MOST_DIMENSIONS];
    size_t data_bytes;
    uint8_t input[INPUT_BYTES];
};

/* Refills the inflater's input; false at the end of the file. */
static bool refill(struct idx *idx)
{
    if (idx->inflate.avail_in > 0)
        return true;
    idx->inflate.next_in = idx->input;
    idx->inflate.avail_in = (uInt)fread(idx->input, 1, INPUT_BYTES, idx->file);
    return idx->inflate.avail_in > 0;
}

static nr_status inflate_some(struct idx *idx, uint8_t *out, size_t wanted, size_t *got, struct log *log)
{
    enum { MOST_AT_ONCE = 1 << 30 }; /* zlib counts in 32 bits */
    while (*got < wanted && refill(idx)) {
        if (idx->member_ended) { /* a file of several members is their contents in sequence */
            if (inflateReset(&idx->inflate) != Z_OK)
                return log_no_memory(log, idx->path);
            idx->member_ended = false;
        }
        size_t room = wanted - *got < MOST_AT_ONCE ? wanted - *got : MOST_AT_ONCE;
        idx->inflate.next_out = out + *got;
        idx->inflate.avail_out = (uInt)room;
        int code = inflate(&idx->inflate, Z_NO_FLUSH);
        *got += room - idx->inflate.avail_out;
        idx->member_ended = code == Z_STREAM_END;
        if (code == Z_MEM_ERROR)
            return log_no_memory(log, idx->path);
        if (code != Z_OK && code != Z_STREAM_END) {
            log_error(log, "%s: damaged: after %zu unpacked bytes the gzip data is wrong (%s)", idx->path, *got,
                      idx->inflate.msg ? idx->inflate.msg : "unexpected end");
            return NR_INVALID;
        }
    }
    return NR_OK;
}

/* Up to `wanted` unpacked bytes; fewer only at the end of the file. */
static nr_status read_some(struct idx *idx, uint8_t *out, size_t wanted, size_t *got, struct log *log)
{
    *got = 0;
    nr_status status = NR_OK;
    if (idx->gzipped)
        status = inflate_some(idx, out, wanted, got, log);
    else
        *got = fread(out, 1, wanted, idx->file);
    if (status == NR_OK && ferror(idx->file)) {
        log_error(log, "%s: reading failed: %s", idx->path, strerror(errno));
        return NR_IO;
    }
    return status;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static nr_status check_magic(struct idx *idx, enum idx_content content, struct log *log)
{
    const char *expected = content == IDX_LABELS ? "00000801 (labels [N])"
                                                 : "00000803 (images [N,H,W]) or 00000804 (images [N,C,H,W])";
    uint32_t magic = big_endian(idx->header);
    bool known = content == IDX_LABELS ? magic == 0x801 : magic == 0x803 || magic == 0x804;
    if (!known) {
        log_error(log, "%s: starts with %08x, expected %s, unsigned bytes in IDX format", idx->path, magic, expected);
        return NR_INVALID;
    }
    idx->dimensions = (int)(magic & 0xff);
    return NR_OK;
}

/* Deflate packs at most 1032 bytes into one, so that the file's length bounds what it can hold. */
static nr_status check_size(struct idx *idx, struct log *log)
{
    enum { DEFLATE_MOST = 1032 };
    struct stat information;
    if (fstat(fileno(idx->file), &information) != 0) {
        log_error(log, "%s: cannot be examined: %s", idx->path, strerror(errno));
        return NR_IO;
    }
    size_t most = (size_t)information.st_size, bytes = 1;
    if (idx->gzipped && __builtin_mul_overflow(most, (size_t)DEFLATE_MOST, &most))
        most = SIZE_MAX;
    bool overflow = false;
    for (int i = 0; i < idx->dimensions; i++)
        overflow |= __builtin_mul_overflow(bytes, (size_t)idx->dimension[i], &bytes);
    if (overflow) {
        log_error(log, "%s: the dimensions in its header multiply to more than memory can address", idx->path);
        return NR_INVALID;
    }
    if (bytes > most) {
        log_error(log, "%s: truncated or damaged: its header announces %zu bytes, a file of %lld bytes holds fewer",
                  idx->path, bytes, (long long)information.st_size);
        return NR_INVALID;
    }
    idx->data_bytes = bytes;
    return NR_OK;
}

static nr_status read_header(struct idx *idx, enum idx_content content, struct log *log)
{
    size_t got, wanted = 4;
    nr_status status = read_some(idx, idx->header, wanted, &got, log);
    if (status == NR_OK && got == wanted) {
        status = check_magic(idx, content, log);
        if (status != NR_OK)
            return status;
        wanted = 4 * (size_t)idx->dimensions;
        status = read_some(idx, idx->header + 4, wanted, &got, log);
    }
    if (status != NR_OK)
        return status;
    if (got != wanted) {
        log_error(log, "%s: truncated: it ends within its header", idx->path);
        return NR_INVALID;
    }
    for (int i = 0; i < idx->dimensions; i++) {
        idx->dimension[i] = big_endian(idx->header + 4 + 4 * i);
        if (idx->dimension[i] == 0) {
            log_error(log, "%s: dimension %d of %d is 0, expected at least 1", idx->path, i + 1, idx->dimensions);
            return NR_INVALID;
        }
    }
    return check_size(idx, log);
}

static nr_status detect_gzip(struct idx *idx, struct log *log)
{
    int first = getc(idx->file), second = getc(idx->file);
    rewind(idx->file);
    if (first != 0x1f || second != 0x8b)
        return NR_OK;
    if (inflateInit2(&idx->inflate, GZIP_WINDOW) != Z_OK)
        return log_no_memory(log, idx->path);
    idx->gzipped = true;
    return NR_OK;
}

nr_status idx_open(const char *path, enum idx_content content, struct log *log, struct idx **out)
{
    nr_status status = NR_IO;
    struct idx *idx = mem_array(1, sizeof *idx);
    if (!idx || !(idx->path = mem_copy_string(path))) {
        free(idx);
        return log_no_memory(log, path);
    }
    idx->file = fopen(path, "re");
    if (!idx->file) {
        log_error(log, "%s: cannot be read: %s", path, strerror(errno));
        goto err_close;
    }
    status = detect_gzip(idx, log);
    if (status == NR_OK)
        status = read_header(idx, content, log);
    if (status != NR_OK)
        goto err_close;
    *out = idx;
    return NR_OK;

err_close:
    idx_close(idx);
    return status;
}

const uint32_t *idx_dimensions(const struct idx *idx, int *count)
{
    if (count)
        *count = idx->dimensions;
    return idx->dimension;
}

size_t idx_header_bytes(const struct idx *idx)
{
    return 4 + 4 * (size_t)idx->dimensions;
}

size_t idx_data_bytes(const struct idx *idx)
{
    return idx->data_bytes;
}

nr_status idx_read(struct idx *idx, uint8_t *out, struct log *log)
{
    size_t header = idx_header_bytes(idx), got;
    memcpy(out, idx->header, header);
    nr_status status = read_some(idx, out + header, idx->data_bytes, &got, log);
    if (status != NR_OK)
        return status;
    if (got < idx->data_bytes) {
        log_error(log, "%s: truncated: it ends after %zu of %zu bytes", idx->path, header + got,
                  header + idx->data_bytes);
        return NR_INVALID;
    }
    uint8_t beyond;
    status = read_some(idx, &beyond, 1, &got, log); /* of a gzip file this also reads and compares the check sum */
    if (status != NR_OK)
        return status;
    if (got > 0) {
        log_error(log, "%s: goes on after the %zu bytes that its header announces", idx->path,
                  header + idx->data_bytes);
        return NR_INVALID;
    }
    if (idx->gzipped && !idx->member_ended) {
        log_error(log, "%s: truncated: the end of the gzip data is missing", idx->path);
        return NR_INVALID;
    }
    return NR_OK;
}

void idx_close(struct idx *idx)
{
    if (!idx)
        return;
    if (idx->gzipped)
        inflateEnd(&idx->inflate);
    if (idx->file)
        fclose(idx->file);
    free(idx->path);
    free(idx);
}
