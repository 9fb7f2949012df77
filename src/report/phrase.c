#include "report/phrase.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

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

/* Metrics of training are near 1; what an external program measures may have any size. */
static bool is_metric(const struct objective *objective)
{
    return !strcmp(objective->name, "val_accuracy") || !strcmp(objective->name, "val_loss") ||
           !strcmp(objective->name, "train_loss");
}

int phrase_decimals(const struct objective *objective)
{
    return objective->exact ? -1 : is_metric(objective) ? 4 : -6;
}

void phrase_append_value(struct text *text, const struct objective *objective, double value)
{
    if (isnan(value))
        text_append(text, "unknown");
    else if (objective->exact)
        text_append_real(text, value);
    else if (is_metric(objective))
        text_format(text, "%.4f", value);
    else
        text_format(text, "%.6g", value);
}

void phrase_append_values(struct text *text, const struct study *study, const double *value)
{
    for (size_t i = 0; i < study->objectives; i++) {
        text_format(text, "%s%s ", i ? ", " : "", study->objective[i].name);
        phrase_append_value(text, &study->objective[i], value[i]);
    }
}
