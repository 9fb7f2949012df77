#include "report/terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
static const char ellipsis[] = "\xe2\x80\xa6";

struct terminal terminal_of(FILE *stream)
{
    struct terminal terminal = {0};
    struct winsize size;
    int descriptor = fileno(stream);
    const char *kind = getenv("TERM");
    const char *plain = getenv("NO_COLOR");
    if (descriptor < 0 || !isatty(descriptor))
        return terminal;
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
        terminal.width = size.ws_col;
        terminal.height = size.ws_row;
    }
    terminal.live = kind && *kind && strcmp(kind, "dumb") != 0 && terminal.width && terminal.height;
    terminal.styled = terminal.live && !(plain && *plain);
    return terminal;
}

/* The bytes of the character at `string`, 0 when they are no valid UTF-8 (RFC 3629: shortest form, no surrogates). */
static size_t decode(const char *string, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)string;
    size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xc0 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if (length == 0 || byte[0] > 0xf4)
        return 0;
    uint32_t character = length == 1 ? byte[0] : byte[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) { /* a NUL is no continuation: stops at the end of the string */
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (byte[i] & 0x3f);
    }
    if (character < smallest[length] || character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
        return 0;
    *out = character;
    return length;
}

/* wcwidth() knows only the locale's characters, and a program that stays in "C" (for its decimal points) has none. */
static size_t width_of(uint32_t character)
{
    static const struct {
        uint32_t first, last;
        size_t columns;
    } ranges[] = {
        {0x0300, 0x036f, 0}, {0x200b, 0x200f, 0},   {0x20d0, 0x20ff, 0},   {0xfe00, 0xfe0f, 0}, {0x1100, 0x115f, 2},
        {0x2e80, 0xa4cf, 2}, {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2}, {0xff00, 0xff60, 2},
        {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return ranges[i].columns;
    return 1;
}

size_t terminal_next(const char *string, size_t *columns)
{
    uint32_t character;
    size_t length = decode(string, &character);
    *columns = length ? width_of(character) : 1;
    return length ? length : 1;
}

size_t terminal_columns(const char *string)
{
    size_t total = 0, columns;
    for (; *string; total += columns)
        string += terminal_next(string, &columns);
    return total;
}

void terminal_append_valid(struct text *text, const char *string)
{
    while (*string) {
        uint32_t character;
        size_t length = decode(string, &character);
        if (length)
            text_append_bytes(text, string, length);
        else
            text_append(text, replacement);
        string += length ? length : 1;
    }
}

static void append_blanks(struct text *text, size_t count)
{
    while (count--)
        text_append_bytes(text, " ", 1);
}

void terminal_append_fit(struct text *text, const char *string, size_t columns, bool right)
{
    size_t total = terminal_columns(string), used = 0, width;
    bool cut = total > columns;
    if (right && !cut)
        append_blanks(text, columns - total);
    while (*string) {
        size_t length = terminal_next(string, &width);
        if (cut && used + width + 1 > columns)
            break;
        bool control = (unsigned char)*string < 0x20 || *string == 0x7f;
        text_append_bytes(text, control ? " " : string, length);
        string += length;
        used += width;
    }
    if (cut && columns) {
        text_append(text, ellipsis);
        used++;
    }
    if (!right || cut)
        append_blanks(text, columns > used ? columns - used : 0);
}
