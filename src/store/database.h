/* One SQLite file: how it is opened, statements with typed arguments, errors in words. Knows no table; used by the
 * store only.
 *
 * Writing: WAL, every commit on disk before it returns (synchronous = FULL), 10 s of patience with other writers.
 * Reading: see database_open(); nothing beside the file is created where that can be avoided. */
#ifndef NASRUN_STORE_DATABASE_H
#define NASRUN_STORE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/status.h"

struct database {
    sqlite3 *connection;
    char *path;
    struct log *log;
    bool read_only;
    bool immutable;   /* opened as a file that nobody changes; see database_refresh() */
    struct stat seen; /* of that file */
};

/* An argument of a statement. */
struct cell {
    enum { CELL_WHOLE, CELL_REAL, CELL_STRING } kind;
    int64_t whole;
    double real;
    const char *string;
};

static inline struct cell cell_whole(int64_t value)
{
    return (struct cell){.kind = CELL_WHOLE, .whole = value};
}
static inline struct cell cell_real(double value) /* NaN becomes NULL */
{
    return (struct cell){.kind = CELL_REAL, .real = value};
}
static inline struct cell cell_string(const char *value) /* NULL becomes '' */
{
    return (struct cell){.kind = CELL_STRING, .string = value ? value : ""};
}

/* The arguments ?1, ?2, ... of a statement: `CELLS(cell_whole(7), cell_string("x"))`. */
#define CELLS(...) (const struct cell[]){__VA_ARGS__}, sizeof((const struct cell[]){__VA_ARGS__}) / sizeof(struct cell)
#define NO_CELLS NULL, 0

/* Opens the file; a writer creates it. Nothing is changed yet: the caller looks at what it is, then calls
 * database_start_writing().
 *
 * A reader beside a writer shares its WAL. When there is no WAL nobody writes, and the file is read as immutable, since
 * a plain read-only connection would leave an empty WAL and index behind (and could not read in a read-only folder).
 * NR_NOT_FOUND when a reader finds no file; NR_INVALID when the file is no database or may not be written. */
nr_status database_open(const char *path, bool read_only, struct log *log, struct database *out) NR_MUST_CHECK;
nr_status database_start_writing(struct database *database) NR_MUST_CHECK;
/* Begins a transaction that writes; waits up to two minutes for another one. NR_STORE, too, where the path no longer
 * leads to the open file. */
nr_status database_hold(struct database *database, const char *doing) NR_MUST_CHECK;
/* Whether a commit waits until it is on disk (as it does at the start), or only until every process sees it. */
nr_status database_synchronous(struct database *database, bool wait) NR_MUST_CHECK;
/* Waits for commits that did not. */
nr_status database_sync(struct database *database) NR_MUST_CHECK;
/* Before a reader reads: opens an immutable file anew when somebody has changed it or begun to write. Statements
 * prepared before are lost then: *reopened says so. */
nr_status database_refresh(struct database *database, bool *reopened) NR_MUST_CHECK;
/* Every statement must have been finalised. A writer moves the WAL into the file, so that study.db alone is whole. */
void database_close(struct database *database);

/* Logs "PATH: DOING failed: <SQLite's words>" for the last call on the connection and returns its status. */
nr_status database_error(struct database *database, const char *doing) NR_MUST_CHECK;
/* Statements without result. */
nr_status database_execute(struct database *database, const char *sql, const char *doing) NR_MUST_CHECK;
/* One whole number: "PRAGMA user_version". */
nr_status database_whole(struct database *database, const char *sql, int64_t *out) NR_MUST_CHECK;
nr_status database_prepare(struct database *database, const char *sql, sqlite3_stmt **out) NR_MUST_CHECK;
/* Resets, binds, and steps once; *row says whether there is one (NULL: there must be none, and it is reset again). */
nr_status database_step(struct database *database, sqlite3_stmt *statement, const struct cell *cells, size_t count,
                        const char *doing, bool *row) NR_MUST_CHECK;
/* The next row. */
nr_status database_next(struct database *database, sqlite3_stmt *statement, const char *doing, bool *row) NR_MUST_CHECK;

/* Columns of the current row, counted from 0. Strings live until the next step. */
const char *column_string(sqlite3_stmt *statement, int column); /* "" for NULL */
double column_real(sqlite3_stmt *statement, int column);        /* NaN for NULL */
int64_t column_whole(sqlite3_stmt *statement, int column);

#endif
