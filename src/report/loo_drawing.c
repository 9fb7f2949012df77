#include "report/loo_drawing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "report/model.h"

enum { /* SVG's user units */
       SIDE = 340,
       MARGIN_LEFT = 74,
       MARGIN_RIGHT = 22,
       MARGIN_TOP = 52,
       MARGIN_BOTTOM = 48,
       CELL_WIDTH = MARGIN_LEFT + SIDE + MARGIN_RIGHT,
       CELL_HEIGHT = MARGIN_TOP + SIDE + MARGIN_BOTTOM,
       TICKS = 4,
};

/* One square: both axes have the same range, from the measurements and predictions (intervals may leave it). */
struct square {
    double left, top, low, high;
};

static double x_of(const struct square *square, double value)
{
    return square->left + SIDE * (value - square->low) / (square->high - square->low);
}

static double y_of(const struct square *square, double value)
{
    double y = square->top + SIDE - SIDE * (value - square->low) / (square->high - square->low);
    return fmin(fmax(y, square->top), square->top + SIDE);
}

static void find_range(const struct diagnosis_row *row, size_t count, struct square *square)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        low = fmin(low, fmin(row[i].measured, row[i].mean));
        high = fmax(high, fmax(row[i].measured, row[i].mean));
    }
    double margin = high > low ? 0.05 * (high - low) : 0.5 * fmax(fabs(high), 1e-9);
    square->low = low - margin;
    square->high = high + margin;
}

static void draw_axes(struct text *svg, const struct square *square, const char *name,
                      const struct diagnosis_quality *quality)
{
    text_format(svg, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#888\"/>\n",
                square->left, square->top, SIDE, SIDE);
    text_format(svg,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\n",
                square->left, square->top + SIDE, square->left + SIDE, square->top);
    for (int i = 0; i <= TICKS; i++) {
        double value = square->low + (square->high - square->low) * i / TICKS;
        text_format(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g</text>\n", x_of(square, value),
                    square->top + SIDE + 16, value);
        text_format(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", square->left - 6,
                    y_of(square, value) + 4, value);
    }
    text_format(svg, "<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\">%s</text>\n", square->left, square->top - 24,
                name); /* a name: letters, digits, _ */
    text_format(svg,
                "<text x=\"%.1f\" y=\"%.1f\">left out one by one: R2 %.3f, %.0f %% of %zu within their 95 %% "
                "intervals</text>\n",
                square->left, square->top - 8, quality->r_squared, 100 * quality->coverage, quality->rows);
    text_format(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">measured</text>\n", square->left + SIDE / 2.0,
                square->top + SIDE + 36);
    text_format(svg,
                "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">predicted from the "
                "others</text>\n",
                square->left - 58, square->top + SIDE / 2.0);
}

/* Orange: the measurement lies outside of its interval. */
static void draw_rows(struct text *svg, const struct square *square, const struct diagnosis_row *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool outside = row[i].measured < row[i].low || row[i].measured > row[i].high;
        double x = x_of(square, row[i].measured);
        text_format(svg,
                    "<g stroke=\"%s\" fill=\"%s\"><title>trial %" PRId64
                    ": measured %.6g, predicted %.6g (%.6g to %.6g)</title>",
                    outside ? "#d55e00" : "#0072b2", outside ? "#d55e00" : "#0072b2", row[i].trial, row[i].measured,
                    row[i].mean, row[i].low, row[i].high);
        text_format(svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke-opacity=\"0.5\"/>", x,
                    y_of(square, row[i].low), x, y_of(square, row[i].high));
        text_format(svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/></g>\n", x, y_of(square, row[i].mean));
    }
}

static nr_status draw_outcome(struct text *svg, const struct study *study, struct diagnosis *diagnosis, size_t outcome,
                              size_t place)
{
    struct diagnosis_quality quality;
    struct square square = {.left = (double)(place * CELL_WIDTH + MARGIN_LEFT), .top = MARGIN_TOP};
    struct diagnosis_row *row = mem_array(diagnosis_rows(diagnosis), sizeof *row);
    nr_status status = row ? diagnosis_leave_one_out(diagnosis, outcome, row, &quality) : NR_NO_MEMORY;
    if (status == NR_OK) {
        find_range(row, quality.rows, &square);
        draw_axes(svg, &square, model_outcome_name(study, outcome), &quality);
        draw_rows(svg, &square, row, quality.rows);
    }
    free(row);
    return status;
}

nr_status loo_drawing_write(const struct study *study, struct diagnosis *diagnosis, const char *path, struct log *log)
{
    struct text svg = {0};
    size_t squares = 0, place = 0;
    nr_status status = NR_OK;
    for (size_t j = 0; j < model_outcomes(study); j++)
        squares += diagnosis_models(diagnosis, j);
    text_format(&svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %zu %d\" font-family=\"sans-serif\" "
                "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                squares * CELL_WIDTH, CELL_HEIGHT);
    for (size_t j = 0; j < model_outcomes(study) && status == NR_OK; j++)
        if (diagnosis_models(diagnosis, j))
            status = draw_outcome(&svg, study, diagnosis, j, place++);
    text_append(&svg, "</svg>\n");
    if (status == NR_NO_MEMORY || svg.failed)
        status = log_no_memory(log, "drawing the leave-one-out plot");
    else if (status != NR_OK)
        log_error(log, "%s cannot be drawn: %s", path, status_text(status));
    else
        status = file_replace(path, svg.data, svg.length, false, log);
    text_clear(&svg);
    return status;
}
