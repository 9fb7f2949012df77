/* What makes a study the same study, as sorted lines. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

static void append_declaration(const struct dimension *dimension, struct text *lines)
{
    static const char *const kinds[] = {"real", "int", "ordered", "choice", "bool", "fixed"}; /* as the enum */
    text_append(lines, kinds[dimension->kind]);
    for (size_t i = 0; dimension->kind != DIM_BOOL && i < dimension->levels; i++)
        text_format(lines, "%s%s", i ? ", " : " ", dimension->level[i]);
    if (!dimension->levels) {
        text_append(lines, " ");
        text_append_real(lines, dimension->low);
        text_append(lines, "..");
        text_append_real(lines, dimension->high);
        text_append(lines, dimension->log ? " log" : "");
    }
    if (dimension->step > 0) {
        text_append(lines, " step ");
        text_append_real(lines, dimension->step);
    }
    if (dimension->condition_text) {
        text_append(lines, " if ");
        expression_append_normal(dimension->condition_text, lines);
    }
}

void space_append_identity(const struct space *space, struct text *lines)
{
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        if (dimension->element > 0) /* element 0 speaks for its vector */
            continue;
        text_format(lines, "space.%s", dimension->base);
        if (dimension->length)
            text_format(lines, "[%s]", dimension->length);
        text_append(lines, " = ");
        append_declaration(dimension, lines);
        text_append(lines, "\n");
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NULL when out of memory. */
static char *sort_lines(char *lines)
{
    struct text sorted = {0};
    char *rest;
    size_t count = 0, capacity = 0;
    char **line = NULL;
    for (char *next = strtok_r(lines, "\n", &rest); next; next = strtok_r(NULL, "\n", &rest)) {
        if (mem_grow(&line, &capacity, count + 1, sizeof *line) != NR_OK) {
            free(line);
            return NULL;
        }
        line[count++] = next;
    }
    if (count)
        qsort(line, count, sizeof *line, compare_lines);
    for (size_t i = 0; i < count; i++)
        text_format(&sorted, "%s\n", line[i]);
    free(line);
    return text_take(&sorted);
}

char *study_identity(const struct study *study)
{
    struct text lines = {0};
    settings_append_identity(study, &lines);
    space_append_identity(&study->space, &lines);
    network_append_identity(study, &lines);
    objectives_append_identity(study, &lines);
    constraints_append_identity(study, &lines);
    char *unsorted = text_take(&lines);
    char *sorted = unsorted ? sort_lines(unsorted) : NULL;
    free(unsorted);
    return sorted;
}
