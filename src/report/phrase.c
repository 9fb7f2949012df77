#include "report/phrase.h"

#include <inttypes.h>
#include <math.h>

void phrase_append_duration(struct text *text, double seconds)
{
    if (!isfinite(seconds)) {
        text_append(text, "unknown");
        return;
    }
    int64_t whole = llround(seconds), minutes = whole / 60, hours = minutes / 60, days = hours / 24;
    if (seconds < 9.95)
        text_format(text, "%.1f s", seconds);
    else if (whole < 120)
        text_format(text, "%" PRId64 " s", whole);
    else if (hours < 1)
        text_format(text, "%" PRId64 " min %02" PRId64 " s", minutes, whole % 60);
    else if (days < 2)
        text_format(text, "%" PRId64 " h %02" PRId64 " min", hours, minutes % 60);
    else
        text_format(text, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
}

int phrase_decimals(const struct objective *objective)
{
    return objective->exact ? -1 : 4;
}

void phrase_append_value(struct text *text, const struct objective *objective, double value)
{
    if (isnan(value))
        text_append(text, "unknown");
    else if (objective->exact)
        text_append_real(text, value);
    else
        text_format(text, "%.4f", value);
}

void phrase_append_values(struct text *text, const struct study *study, const double *value)
{
    for (size_t i = 0; i < study->objectives; i++) {
        text_format(text, "%s%s ", i ? ", " : "", study->objective[i].name);
        phrase_append_value(text, &study->objective[i], value[i]);
    }
}
