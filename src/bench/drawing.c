#include "bench/drawing.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

/* All lengths are in SVG's user units. */
enum {
    PANEL_WIDTH = 300,
    PANEL_HEIGHT = 190,
    MARGIN_LEFT = 66,
    MARGIN_RIGHT = 14,
    MARGIN_TOP = 34,
    MARGIN_BOTTOM = 36,
    CELL_WIDTH = MARGIN_LEFT + PANEL_WIDTH + MARGIN_RIGHT,
    CELL_HEIGHT = MARGIN_TOP + PANEL_HEIGHT + MARGIN_BOTTOM,
    COLUMNS = 3,
    HEAD = 30,
    LEGEND_ROW = 22,
    LEGEND_WIDTH = 228,
    MOST_NAMES = 64
};

/* Okabe and Ito 2008, told apart also by the colour-blind, and wine and olive of Tol 2021: a comparison has nine. */
static const char *const colours[] = {"#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00",
                                      "#56b4e9", "#777777", "#000000", "#882255", "#999933"};
enum { COLOURS = sizeof colours / sizeof *colours };

/* The names in the order of their first curves; those past MOST_NAMES are not drawn. */
struct names {
    const char *name[MOST_NAMES];
    size_t count;
};

struct panel {
    const char *problem;
    bool logarithmic; /* what is missing to the best possible; else the value */
    size_t evaluations;
    double low, high; /* of the axis, in log10 where logarithmic */
    double left, top; /* of the plot */
};

static size_t find_name(const struct names *names, const char *name)
{
    size_t i = 0;
    while (i < names->count && strcmp(names->name[i], name) != 0)
        i++;
    return i;
}

static void add_name(struct names *names, const char *name)
{
    if (find_name(names, name) == names->count && names->count < MOST_NAMES)
        names->name[names->count++] = name;
}

/* ---- scales ---- */

static double height_of(const struct panel *panel, double best, double value)
{
    if (!panel->logarithmic)
        return value;
    return log10(fmax(fabs(best - value), 1e-300)); /* the best itself is drawn at the lower edge */
}

static double x_of(const struct panel *panel, size_t evaluation)
{
    return panel->left + PANEL_WIDTH * (double)evaluation / (double)panel->evaluations;
}

static double y_of(const struct panel *panel, double height)
{
    double share = (height - panel->low) / (panel->high - panel->low);
    return panel->top + PANEL_HEIGHT * (1 - fmin(fmax(share, -0.02), 1.02)); /* past the edges: just outside the clip */
}

/* The axis spans the means; single seeds may leave it. */
static void set_range(struct panel *panel, const struct curve_groups *groups)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t g = 0; g < groups->count; g++) {
        const struct curve_group *group = &groups->group[g];
        if (strcmp(group->first->problem, panel->problem) != 0)
            continue;
        for (size_t k = 0; k < group->longest && k < panel->evaluations; k++) {
            double height = height_of(panel, group->first->best, group->mean[k]);
            if (!isfinite(height) || (panel->logarithmic && height < -12))
                continue;
            low = fmin(low, height);
            high = fmax(high, height);
        }
    }
    if (low > high)
        low = high = 0;
    double margin = fmax(0.06 * (high - low), panel->logarithmic ? 0.05 : 1e-6 * fmax(fabs(high), 1));
    panel->low = low - margin;
    panel->high = high + margin;
}

static struct panel make_panel(const struct curve_groups *groups, const char *problem, size_t index, size_t most)
{
    struct panel panel = {.problem = problem, .logarithmic = true, .evaluations = 1};
    for (size_t g = 0; g < groups->count; g++) {
        const struct curve_group *group = &groups->group[g];
        if (strcmp(group->first->problem, problem) != 0)
            continue;
        panel.logarithmic &= !isnan(group->first->best);
        panel.evaluations = group->longest > panel.evaluations ? group->longest : panel.evaluations;
    }
    panel.evaluations = panel.evaluations < most ? panel.evaluations : most;
    panel.left = (double)(index % COLUMNS) * CELL_WIDTH + MARGIN_LEFT;
    panel.top = HEAD + (double)(index / COLUMNS) * CELL_HEIGHT + MARGIN_TOP;
    set_range(&panel, groups);
    return panel;
}

/* ---- axes ---- */

static void append_tick(struct text *svg, const struct panel *panel, double height, double shown)
{
    double y = y_of(panel, height);
    text_format(svg, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", panel->left,
                panel->left + PANEL_WIDTH, y, y);
    text_format(svg, "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%.4g</text>\n", panel->left - 6,
                y + 4, shown);
}

/* 1, 2 or 5 times a power of ten, so that the range has about `parts` steps. */
static double nice_step(double range, double parts)
{
    double raw = range / parts, power = pow(10, floor(log10(raw))), factor = raw / power;
    return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

/* Powers of ten, and between them as many as the range leaves room for. */
static void append_decades(struct text *svg, const struct panel *panel)
{
    static const double within[] = {1, 2, 5, 1.5, 3, 4, 7};
    double range = panel->high - panel->low, step = fmax(1, round(range / 6));
    size_t count = range < 0.7 ? 7 : range < 2.2 ? 3 : 1;
    for (double decade = floor(panel->low); decade <= panel->high; decade += step) {
        for (size_t i = 0; i < count; i++) {
            double height = decade + log10(within[i]);
            if (height >= panel->low && height <= panel->high)
                append_tick(svg, panel, height, within[i] * pow(10, decade));
        }
    }
}

static void append_y_axis(struct text *svg, const struct panel *panel)
{
    double step = nice_step(panel->high - panel->low, 5);
    if (panel->logarithmic) {
        append_decades(svg, panel);
        return;
    }
    for (double value = step * ceil(panel->low / step); value <= panel->high; value += step)
        append_tick(svg, panel, value, value);
}

static void append_x_axis(struct text *svg, const struct panel *panel)
{
    double step = fmax(1, nice_step((double)panel->evaluations, 6)), bottom = panel->top + PANEL_HEIGHT;
    for (double value = 0; value <= (double)panel->evaluations; value += step)
        text_format(svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%.0f</text>",
                    x_of(panel, (size_t)value), bottom + 16, value);
    text_format(svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">evaluations</text>\n",
                panel->left + PANEL_WIDTH / 2.0, bottom + 30);
}

static void append_frame(struct text *svg, const struct panel *panel, size_t index)
{
    text_format(svg,
                "<clipPath id=\"panel%zu\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\"/></clipPath>\n"
                "<text class=\"title\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                index, panel->left, panel->top, PANEL_WIDTH, PANEL_HEIGHT, panel->left, panel->top - 10,
                panel->problem);
    append_y_axis(svg, panel);
    append_x_axis(svg, panel);
    text_format(svg, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n", panel->left,
                panel->top, PANEL_WIDTH, PANEL_HEIGHT);
}

/* ---- curves ---- */

/* Within a level stretch, whose ends are enough. */
static bool is_level(const double *value, size_t k, size_t end)
{
    return k > 0 && k + 1 < end && value[k - 1] == value[k] && value[k] == value[k + 1];
}

static void append_line(struct text *svg, const struct panel *panel, const double *value, size_t count, double best)
{
    bool drawing = false;
    size_t end = count < panel->evaluations ? count : panel->evaluations;
    text_append(svg, "<path d=\"");
    for (size_t k = 0; k < end; k++) {
        if (isnan(value[k]) || is_level(value, k, end))
            continue;
        text_format(svg, "%s%.1f %.1f", drawing ? "L" : "M", x_of(panel, k + 1),
                    y_of(panel, height_of(panel, best, value[k])));
        drawing = true;
    }
    text_append(svg, "\"/>\n");
}

static const char *dashes(const struct curve *curve)
{
    return curve->pending > 1 ? " stroke-dasharray=\"6 3\"" : "";
}

static void append_groups(struct text *svg, const struct panel *panel, size_t index, const struct curve_groups *groups,
                          const struct names *methods, bool means)
{
    text_format(svg, "<g clip-path=\"url(#panel%zu)\" class=\"%s\">\n", index, means ? "mean" : "seeds");
    for (size_t g = 0; g < groups->count; g++) {
        const struct curve_group *group = &groups->group[g];
        size_t method = find_name(methods, group->first->method);
        if (strcmp(group->first->problem, panel->problem) != 0 || method == methods->count)
            continue;
        text_format(svg, "<g stroke=\"%s\"%s>\n", colours[method % COLOURS], dashes(group->first));
        for (size_t m = 0; m < group->members && !means; m++)
            append_line(svg, panel, group->member[m]->value, group->member[m]->count, group->first->best);
        if (means)
            append_line(svg, panel, group->mean, group->longest, group->first->best);
        text_append(svg, "</g>\n");
    }
    text_append(svg, "</g>\n");
}

/* ---- the whole ---- */

static void append_legend(struct text *svg, const struct names *methods, bool parallel, double top)
{
    size_t per_row = COLUMNS * CELL_WIDTH / LEGEND_WIDTH, entries = methods->count + parallel;
    for (size_t i = 0; i < entries; i++) {
        bool note = i == methods->count;
        double x = MARGIN_LEFT + (double)(i % per_row) * LEGEND_WIDTH, y = top + (double)(i / per_row) * LEGEND_ROW;
        text_format(svg, "<g class=\"mean\"><path stroke=\"%s\"%s d=\"M%.1f %.1fh26\"/></g>",
                    note ? "#333333" : colours[i % COLOURS], note ? " stroke-dasharray=\"6 3\"" : "", x, y);
        text_format(svg, "<text class=\"legend\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 34, y + 4,
                    note ? "several at once" : methods->name[i]);
    }
}

static void append_head(struct text *svg, double width, double height)
{
    text_format(svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
                "font-family=\"sans-serif\">\n"
                "<style>.grid{stroke:#e4e4e4}.frame{fill:none;stroke:#333}.tick{font-size:11px;fill:#333}"
                ".title{font-size:14px;font-weight:bold;fill:#111}.legend{font-size:13px;fill:#111}"
                ".mean{fill:none;stroke-width:2.4}.seeds{fill:none;stroke-width:.8;stroke-opacity:.45}</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                "<text class=\"legend\" x=\"%d\" y=\"22\">What is missing to the best possible value (one objective) "
                "or hypervolume (two); thick: mean, thin: every seed</text>\n",
                width, height, width, height, MARGIN_LEFT);
}

nr_status drawing_write(const struct curve_groups *groups, size_t evaluations, const char *path, struct log *log)
{
    struct text svg = {0};
    struct names problems = {0}, methods = {0};
    bool parallel = false;
    for (size_t g = 0; g < groups->count; g++) {
        add_name(&problems, groups->group[g].first->problem);
        add_name(&methods, groups->group[g].first->method);
        parallel |= groups->group[g].first->pending > 1;
    }
    size_t rows = (problems.count + COLUMNS - 1) / COLUMNS, per_row = COLUMNS * CELL_WIDTH / LEGEND_WIDTH;
    double legend = HEAD + (double)rows * CELL_HEIGHT + LEGEND_ROW;
    double height = legend + (double)((methods.count + parallel + per_row - 1) / per_row) * LEGEND_ROW;
    append_head(&svg, COLUMNS * CELL_WIDTH, height);
    for (size_t i = 0; i < problems.count; i++) {
        struct panel panel = make_panel(groups, problems.name[i], i, evaluations);
        append_frame(&svg, &panel, i);
        append_groups(&svg, &panel, i, groups, &methods, false);
        append_groups(&svg, &panel, i, groups, &methods, true);
    }
    append_legend(&svg, &methods, parallel, legend);
    text_append(&svg, "</svg>\n");
    nr_status status = svg.failed ? log_no_memory(log, path) : file_replace(path, svg.data, svg.length, false, log);
    text_clear(&svg);
    return status;
}
