#include "space/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static const char override_file[] = "--set";

/* A file being read. */
struct reader {
    int line; /* the one in hand */
    struct config *config;
    struct log *log;
};

void config_append_place(struct text *text, const char *file, int line, const char *section, const char *key)
{
    if (line > 0)
        text_format(text, "%s:%d: [%s]%s%s", file, line, section, key ? " " : "", key ? key : "");
    else
        text_format(text, "%s %s%s%s", file, section, key ? "." : "", key ? key : "");
}

nr_status config_error(struct log *log, const char *file, int line, const char *section, const char *key,
                       const char *format, ...)
{
    struct text place = {0};
    char message[CONFIG_LONGEST_LINE + 1024]; /* most quote a value */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    config_append_place(&place, file, line, section, key);
    log_error(log, "%s: %s", place.data ? place.data : file, message);
    text_clear(&place);
    return NR_INVALID;
}

const char *config_hint(const char *name, const char *const *candidates, size_t count, char buffer[CONFIG_HINT_SIZE])
{
    const char *nearest = text_nearest(name, candidates, count);
    *buffer = '\0';
    if (nearest)
        snprintf(buffer, CONFIG_HINT_SIZE, "; did you mean \"%s\"?", nearest);
    return buffer;
}

/* The number of bytes of the UTF-8 character at `bytes`, 0 when it is none or a control character. */
static size_t character_length(const unsigned char *bytes, const unsigned char *end)
{
    if (*bytes < 0x80)
        return (*bytes >= 0x20 && *bytes != 0x7f) || *bytes == '\t';
    size_t length = *bytes >= 0xf0 ? 4 : *bytes >= 0xe0 ? 3 : 2;
    if (*bytes < 0xc2 || *bytes > 0xf4 || (size_t)(end - bytes) < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (*bytes == 0xe0 && bytes[1] < 0xa0) || (*bytes == 0xf0 && bytes[1] < 0x90);
    bool outside = (*bytes == 0xed && bytes[1] > 0x9f) || (*bytes == 0xf4 && bytes[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

/* The first byte that belongs to no text, or NULL. */
static const char *find_binary(const char *start, const char *end)
{
    for (const char *c = start; c < end;) {
        size_t length = character_length((const unsigned char *)c, (const unsigned char *)end);
        if (!length)
            return c;
        c += length;
    }
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* `name` with blanks cut at the ends and single inside; NULL when out of memory. */
static char *normal_section(const char *name, size_t length)
{
    struct text out = {0};
    for (size_t i = 0; i < length; i++) {
        bool blank = is_blank(name[i]);
        if (!blank)
            text_append_bytes(&out, name + i, 1);
        else if (out.length && i + 1 < length && !is_blank(name[i + 1]))
            text_append_bytes(&out, " ", 1);
    }
    return text_take(&out);
}

static nr_status note_section(struct reader *reader, const char *start, size_t length)
{
    enum { LONGEST_SECTION = 48 };
    struct config *config = reader->config;
    const char *close = memchr(start, ']', length), *name = config->path;
    const char *rest = close ? close + 1 : start;
    while (close && rest < start + length && is_blank(*rest))
        rest++;
    if (!close || (rest < start + length && *rest != ';' && *rest != '#')) {
        log_error(reader->log, "%s:%d: \"%.*s\" is no section; expected [name] alone on its line", name, reader->line,
                  (int)length, start);
        return NR_INVALID;
    }
    if (close - start > LONGEST_SECTION) {
        log_error(reader->log, "%s:%d: the section's name is longer than %d characters", name, reader->line,
                  LONGEST_SECTION);
        return NR_INVALID;
    }
    if (mem_grow(&config->section, &config->section_capacity, config->sections + 1, sizeof *config->section) != NR_OK)
        return log_no_memory(reader->log, name);
    char *section = normal_section(start + 1, (size_t)(close - start - 1));
    if (!section)
        return log_no_memory(reader->log, name);
    config->section[config->sections++] = (struct config_section){section, reader->line};
    return NR_OK;
}

static nr_status check_line(struct reader *reader, const char *start, size_t length, bool comment)
{
    const char *name = reader->config->path, *binary = find_binary(start, start + length);
    if (binary) {
        log_error(reader->log, "%s:%d: byte 0x%02x is no text; a configuration is a text file in UTF-8", name,
                  reader->line, (unsigned)(unsigned char)*binary);
        return NR_INVALID;
    }
    if (!comment && length > CONFIG_LONGEST_LINE) {
        log_error(reader->log, "%s:%d: the line has %zu characters; at most %d are allowed", name, reader->line, length,
                  CONFIG_LONGEST_LINE);
        return NR_INVALID;
    }
    return NR_OK;
}

/* Entries that may be said more than once: layers, and bounds. */
static bool is_list(const char *section, const char *key, const char *value)
{
    if (!strcmp(section, "constraints"))
        return *value == '<' || *value == '>';
    return (!strcmp(section, "network") || text_starts_with(section, "block ")) &&
           (!strcmp(key, "layer") || !strcmp(key, "block"));
}

static const struct config_entry *find_entry(const struct config *config, const char *section, const char *key)
{
    for (size_t i = 0; i < config->count; i++)
        if (!strcmp(config->entry[i].section, section) && !strcmp(config->entry[i].key, key))
            return &config->entry[i];
    return NULL;
}

static void clear_entry(struct config_entry *entry)
{
    free(entry->section);
    free(entry->key);
    free(entry->value);
}

static nr_status add_entry(struct config *config, const char *section, const char *key, const char *value,
                           const char *file, int line, struct log *log)
{
    if (mem_grow(&config->entry, &config->capacity, config->count + 1, sizeof *config->entry) != NR_OK)
        return log_no_memory(log, config->path);
    struct config_entry entry = {mem_copy_string(section), mem_copy_string(key), mem_copy_string(value), file, line};
    if (!entry.section || !entry.key || !entry.value) {
        clear_entry(&entry);
        return log_no_memory(log, config->path);
    }
    config->entry[config->count++] = entry;
    return NR_OK;
}

static nr_status take_entry(struct reader *reader, const char *key, const char *value)
{
    struct config *config = reader->config;
    const char *name = config->path;
    if (!config->sections) {
        log_error(reader->log, "%s:%d: \"%s\" stands before any [section]", name, reader->line, key);
        return NR_INVALID;
    }
    const char *section = config->section[config->sections - 1].name;
    if (!*key) {
        log_error(reader->log, "%s:%d: [%s] there is no key before \"=\"", name, reader->line, section);
        return NR_INVALID;
    }
    if (!*value)
        return config_error(reader->log, name, reader->line, section, key, "the value is missing");
    const struct config_entry *earlier = find_entry(config, section, key);
    if (earlier && !(is_list(section, key, value) && is_list(section, key, earlier->value)))
        return config_error(reader->log, name, reader->line, section, key, "said twice; the first is in line %d",
                            earlier->line);
    return add_entry(config, section, key, value, name, reader->line, reader->log);
}

/* Ends the text where a comment begins: a ";" after a blank. */
static void cut_comment(char *line)
{
    for (char *c = line; *c; c++)
        if (is_blank(*c) && c[1] == ';')
            *c = '\0';
}

/* "key = value" or "key: value". */
static nr_status take_pair(struct reader *reader, const char *start, size_t length)
{
    char *line = strndup(start, length);
    if (!line)
        return log_no_memory(reader->log, reader->config->path);
    nr_status status = NR_INVALID;
    cut_comment(line);
    char *sign = strpbrk(line, "=:");
    if (sign) {
        *sign = '\0';
        status = take_entry(reader, text_trim(line), text_trim(sign + 1));
    } else {
        log_error(reader->log, "%s:%d: the line is neither [section], nor key = value, nor a comment",
                  reader->config->path, reader->line);
    }
    free(line);
    return status;
}

/* One physical line without its end; blanks around it mean nothing. */
static nr_status take_line(struct reader *reader, const char *start, const char *stop)
{
    while (start < stop && is_blank(*start))
        start++;
    while (stop > start && is_blank(stop[-1]))
        stop--;
    size_t length = (size_t)(stop - start);
    bool comment = length && (*start == ';' || *start == '#');
    nr_status status = check_line(reader, start, length, comment);
    if (status != NR_OK || comment || !length)
        return status;
    return *start == '[' ? note_section(reader, start, length) : take_pair(reader, start, length);
}

/* Replaces the entries of that name (a list of constraints as a whole), keeping the place of the first. */
static nr_status replace_entry(struct config *config, const char *section, const char *key, const char *value,
                               struct log *log)
{
    bool placed = false;
    size_t kept = 0;
    for (size_t i = 0; i < config->count; i++) {
        struct config_entry *entry = &config->entry[i];
        bool same = !strcmp(entry->section, section) && !strcmp(entry->key, key);
        if (same && placed) {
            clear_entry(entry);
            continue;
        }
        if (same) {
            char *copy = mem_copy_string(value);
            if (!copy)
                return log_no_memory(log, override_file);
            free(entry->value);
            *entry = (struct config_entry){entry->section, entry->key, copy, override_file, 0};
            placed = true;
        }
        config->entry[kept++] = *entry;
    }
    config->count = kept;
    return placed ? NR_OK : add_entry(config, section, key, value, override_file, 0, log);
}

static nr_status apply_override(struct config *config, const char *override, struct log *log)
{
    nr_status status = NR_INVALID;
    char *copy = mem_copy_string(override);
    if (!copy)
        return log_no_memory(log, override_file);
    char *equals = strchr(copy, '='), *dot = strchr(copy, '.');
    if (!equals || !dot || dot > equals) {
        log_error(log, "--set \"%s\": expected section.key=value", override);
        goto err_copy;
    }
    *equals = *dot = '\0';
    const char *section = text_trim(copy), *key = text_trim(dot + 1), *value = text_trim(equals + 1);
    if (!*section || !*key || !*value || find_binary(value, value + strlen(value))) {
        log_error(log, "--set \"%s\": expected section.key=value, all three of them text", override);
        goto err_copy;
    }
    if ((!strcmp(section, "network") || text_starts_with(section, "block ")) && is_list(section, key, value)) {
        config_error(log, override_file, 0, section, key,
                     "the layers of a network are a list; they can be changed in the file only");
        goto err_copy;
    }
    status = replace_entry(config, section, key, value, log);

err_copy:
    free(copy);
    return status;
}

/* `config->path` and `config->content` are set. */
static nr_status parse_content(struct config *config, size_t length, struct log *log)
{
    static const char mark[] = "\xef\xbb\xbf"; /* byte order mark */
    const char *next = config->content, *end = next + length;
    struct reader reader = {.config = config, .log = log};
    nr_status status = NR_OK;
    if (text_starts_with(next, mark))
        next += strlen(mark);
    while (status == NR_OK && next < end) {
        const char *stop = memchr(next, '\n', (size_t)(end - next));
        stop = stop ? stop : end;
        reader.line++;
        status = take_line(&reader, next, stop > next && stop[-1] == '\r' ? stop - 1 : stop);
        next = stop + 1;
    }
    return status;
}

/* Takes `content`. */
static nr_status read_content(char *content, size_t length, const char *name, const char *const *overrides,
                              size_t count, struct log *log, struct config *out)
{
    struct config config = {.path = mem_copy_string(name), .content = content};
    nr_status status = config.path ? parse_content(&config, length, log) : log_no_memory(log, name);
    for (size_t i = 0; status == NR_OK && i < count; i++)
        status = apply_override(&config, overrides[i], log);
    if (status == NR_OK)
        *out = config;
    else
        config_clear(&config);
    return status;
}

nr_status config_read(const char *path, const char *const *overrides, size_t count, struct log *log, struct config *out)
{
    char *content;
    size_t length;
    nr_status status = file_read(path, log, &content, &length);
    if (status != NR_OK) /* a configuration that cannot be read is bad input, not a failing machine */
        return status == NR_IO ? NR_INVALID : status;
    return read_content(content, length, path, overrides, count, log, out);
}

nr_status config_read_text(const char *content, const char *name, const char *const *overrides, size_t count,
                           struct log *log, struct config *out)
{
    char *copy = mem_copy_string(content);
    if (!copy)
        return log_no_memory(log, name);
    return read_content(copy, strlen(copy), name, overrides, count, log, out);
}

void config_clear(struct config *config)
{
    for (size_t i = 0; i < config->count; i++)
        clear_entry(&config->entry[i]);
    for (size_t i = 0; i < config->sections; i++)
        free(config->section[i].name);
    free(config->entry);
    free(config->section);
    free(config->content);
    free(config->path);
    *config = (struct config){0};
}

void config_append_text(const struct config *config, struct text *text)
{
    const char *section = "";
    for (size_t i = 0; i < config->count; i++) {
        const struct config_entry *entry = &config->entry[i];
        if (strcmp(entry->section, section))
            text_format(text, "%s[%s]\n", i ? "\n" : "", entry->section);
        section = entry->section;
        text_format(text, "%s = %s\n", entry->key, entry->value);
    }
}
