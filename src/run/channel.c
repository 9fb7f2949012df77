#include "run/channel.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

nr_status channel_send(struct channel *channel, json_t *message)
{
    if (!message)
        return NR_NO_MEMORY;
    char *line = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(message);
    if (!line)
        return NR_NO_MEMORY;
    size_t length = strlen(line), sent = 0;
    line[length++] = '\n'; /* in the place of the NUL */
    while (sent < length) {
        ssize_t count = send(channel->descriptor, line + sent, length - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break;
        sent += (size_t)count;
    }
    free(line);
    return sent == length ? NR_OK : NR_IO;
}

/* Cuts the first line off the received bytes. */
static nr_status take_line(struct channel *channel, json_t **out)
{
    struct text *received = &channel->received;
    char *end = received->length ? memchr(received->data, '\n', received->length) : NULL;
    if (!end)
        return NR_NOT_FOUND;
    size_t length = (size_t)(end - received->data);
    json_t *message = json_loadb(received->data, length, 0, NULL);
    received->length -= length + 1;
    memmove(received->data, end + 1, received->length);
    received->data[received->length] = '\0';
    if (!json_is_object(message)) {
        json_decref(message);
        return NR_IO;
    }
    *out = message;
    return NR_OK;
}

nr_status channel_receive(struct channel *channel, json_t **out)
{
    nr_status status = take_line(channel, out);
    if (status != NR_NOT_FOUND)
        return status;
    char bytes[4096];
    ssize_t count = recv(channel->descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? NR_NOT_FOUND : NR_IO;
    if (count == 0)
        return NR_IO;
    text_append_bytes(&channel->received, bytes, (size_t)count);
    return channel->received.failed ? NR_NO_MEMORY : take_line(channel, out);
}

void channel_close(struct channel *channel)
{
    if (channel->descriptor >= 0)
        close(channel->descriptor);
    channel->descriptor = -1;
    text_clear(&channel->received);
}

json_t *channel_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

double channel_get_real(const json_t *message, const char *key)
{
    const json_t *value = json_object_get(message, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

int64_t channel_get_int(const json_t *message, const char *key)
{
    return json_integer_value(json_object_get(message, key));
}

const char *channel_get_text(const json_t *message, const char *key)
{
    const char *text = json_string_value(json_object_get(message, key));
    return text ? text : "";
}
