#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

nr_status file_read(const char *path, struct log *log, char **out, size_t *length)
{
    nr_status status = NR_IO;
    struct text content = {0};
    char chunk[16384];
    FILE *file = fopen(path, "re");
    if (!file) {
        bool missing = errno == ENOENT;
        log_error(log, "%s: cannot be read: %s", path, strerror(errno));
        return missing ? NR_NOT_FOUND : NR_IO;
    }
    size_t count;
    while ((count = fread(chunk, 1, sizeof chunk, file)) > 0)
        text_append_bytes(&content, chunk, count);
    if (ferror(file)) {
        log_error(log, "%s: reading failed: %s", path, strerror(errno));
        goto err_close;
    }
    size_t total = content.length;
    char *data = text_take(&content);
    if (!data) {
        status = log_no_memory(log, path);
        goto err_close;
    }
    fclose(file);
    *out = data;
    if (length)
        *length = total;
    return NR_OK;

err_close:
    text_clear(&content);
    fclose(file);
    return status;
}

static bool write_all(int descriptor, const char *data, size_t length)
{
    while (length) {
        ssize_t count = write(descriptor, data, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        data += count;
        length -= (size_t)count;
    }
    return true;
}

static void sync_folder(const char *path)
{
    char *folder = file_folder(path);
    int descriptor = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (descriptor >= 0) {
        (void)fsync(descriptor); /* some file systems refuse to sync a folder; the file itself is safe */
        close(descriptor);
    }
    free(folder);
}

nr_status file_replace(const char *path, const void *data, size_t length, bool durable, struct log *log)
{
    struct text name = {0};
    text_format(&name, "%s.%ld.part", path, (long)getpid());
    char *part = text_take(&name);
    if (!part)
        return log_no_memory(log, "writing a file");
    int descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
        goto err_part;
    bool written = write_all(descriptor, data, length) && (!durable || fsync(descriptor) == 0);
    if (close(descriptor) != 0 || !written || rename(part, path) != 0)
        goto err_unlink;
    if (durable)
        sync_folder(path);
    free(part);
    return NR_OK;

err_unlink:;
    int cause = errno;
    unlink(part);
    errno = cause;
err_part:
    log_error(log, "%s: cannot be written: %s", path, strerror(errno));
    free(part);
    return NR_IO;
}

static bool is_folder(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0 && S_ISDIR(information.st_mode);
}

nr_status file_make_folder(const char *path, struct log *log)
{
    if (!*path) {
        log_error(log, "a folder's name is empty");
        return NR_INVALID;
    }
    char *copy = mem_copy_string(path);
    if (!copy)
        return log_no_memory(log, "making a folder");
    for (char *c = copy + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        bool end = *c == '\0';
        *c = '\0';
        if (mkdir(copy, 0777) != 0 && !(errno == EEXIST && is_folder(copy))) {
            log_error(log, "%s: the folder cannot be made: %s", path, strerror(errno == EEXIST ? ENOTDIR : errno));
            free(copy);
            return NR_IO;
        }
        if (end)
            break;
        *c = '/';
    }
    free(copy);
    return NR_OK;
}

char *file_join(const char *folder, const char *name)
{
    if (*name == '/')
        return mem_copy_string(name);
    struct text path = {0};
    text_format(&path, "%s/%s", folder, name);
    return text_take(&path);
}

char *file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_copy_string(".");
    return slash == path ? mem_copy_string("/") : strndup(path, (size_t)(slash - path));
}

void digest_bytes(const void *data, size_t length, char out[FILE_DIGEST_SIZE])
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, length, data);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) { /* no snprintf: the search digests some thousand points at a time */
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out[2 * sizeof digest] = '\0';
}
