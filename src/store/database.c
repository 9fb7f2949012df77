#include "store/database.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { PATIENCE_MS = 10000, LONG_PATIENCE_MS = 120000, RETRY_MS = 5 };

static nr_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN: /* these two come when a store is opened: bad input rather than a failure under way */
    case SQLITE_READONLY:
        return NR_INVALID;
    case SQLITE_NOMEM:
        return NR_NO_MEMORY;
    default:
        return NR_STORE;
    }
}

static const char *words_of(sqlite3 *connection, int code)
{
    switch (code & 0xff) {
    case SQLITE_NOTADB:
        return "the file is no SQLite database";
    case SQLITE_CORRUPT:
        return "the database is damaged (restore it from a copy, or start anew with --fresh)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another process keeps it locked";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_READONLY:
        return "the file or its folder is read-only";
    default:
        return connection ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
    }
}

static nr_status report(struct database *database, int code, const char *doing)
{
    int cause = database->connection ? sqlite3_system_errno(database->connection) : 0;
    bool io = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    log_error(database->log, "%s: %s failed: %s%s%s", database->path, doing, words_of(database->connection, code),
              io && cause ? ": " : "", io && cause ? strerror(cause) : "");
    return status_of(code);
}

nr_status database_error(struct database *database, const char *doing)
{
    return report(database, sqlite3_extended_errcode(database->connection), doing);
}

/* "file:PATH?immutable=1" with the bytes escaped that mean something in a URI. */
static char *immutable_uri(const char *path)
{
    struct text uri = {0};
    text_append(&uri, "file:");
    for (const char *c = path; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("/._-", *c))
            text_append_bytes(&uri, c, 1);
        else
            text_format(&uri, "%%%02X", (unsigned char)*c);
    }
    text_append(&uri, "?immutable=1");
    return text_take(&uri);
}

static nr_status wal_exists(const char *path, bool *out)
{
    struct text name = {0};
    text_format(&name, "%s-wal", path);
    if (name.failed)
        return NR_NO_MEMORY;
    struct stat information;
    *out = stat(name.data, &information) == 0;
    text_clear(&name);
    return NR_OK;
}

static nr_status connect(struct database *database)
{
    bool wal = true;
    char *uri = NULL;
    if (stat(database->path, &database->seen) != 0 && database->read_only) {
        log_error(database->log, "%s: cannot be read: %s", database->path, strerror(errno));
        return errno == ENOENT ? NR_NOT_FOUND : NR_STORE;
    }
    if (S_ISDIR(database->seen.st_mode)) {
        log_error(database->log, "%s: is a folder, expected a store", database->path);
        return NR_INVALID;
    }
    if (wal_exists(database->path, &wal) != NR_OK)
        return log_no_memory(database->log, "opening the store");
    database->immutable = database->read_only && !wal;
    if (database->immutable && !(uri = immutable_uri(database->path)))
        return log_no_memory(database->log, "opening the store");
    int flags = SQLITE_OPEN_EXRESCODE | (database->read_only ? SQLITE_OPEN_READONLY : 0) |
                (database->immutable ? SQLITE_OPEN_URI : 0) |
                (database->read_only ? 0 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int code = sqlite3_open_v2(uri ? uri : database->path, &database->connection, flags, NULL);
    free(uri);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(database->connection, PATIENCE_MS);
    if (code == SQLITE_OK)
        return NR_OK;
    nr_status status = report(database, code, "opening the store");
    sqlite3_close(database->connection);
    database->connection = NULL;
    return status;
}

nr_status database_open(const char *path, bool read_only, struct log *log, struct database *out)
{
    *out = (struct database){.path = mem_copy_string(path), .log = log, .read_only = read_only};
    if (!out->path)
        return log_no_memory(log, "opening the store");
    nr_status status = connect(out);
    if (status != NR_OK) {
        free(out->path);
        *out = (struct database){0};
    }
    return status;
}

/* Several programs may open a new database at once, and for the lock under which it gets its WAL SQLite itself does not
 * wait. Where WAL cannot be had (some network file systems) SQLite stays with its rollback journal: slower, as safe. */
nr_status database_start_writing(struct database *database)
{
    static const char sql[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
    int code = sqlite3_exec(database->connection, sql, NULL, NULL, NULL);
    for (int waited = 0; (code & 0xff) == SQLITE_BUSY && waited < PATIENCE_MS; waited += RETRY_MS) {
        sqlite3_sleep(RETRY_MS);
        code = sqlite3_exec(database->connection, sql, NULL, NULL, NULL);
    }
    return code == SQLITE_OK ? NR_OK : report(database, code, "preparing to write");
}

/* A file without a name takes writes as before, and they are gone when the last process closes it. */
static nr_status check_in_place(struct database *database)
{
    int moved = 0;
    int code = sqlite3_file_control(database->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (code != SQLITE_OK || !moved) /* not every file system of SQLite can tell */
        return NR_OK;
    log_error(database->log, "%s: the file was moved, replaced or deleted while it was in use; nothing was recorded",
              database->path);
    return NR_STORE;
}

nr_status database_hold(struct database *database, const char *doing)
{
    sqlite3_busy_timeout(database->connection, LONG_PATIENCE_MS); /* neither call can fail */
    nr_status status = database_execute(database, "BEGIN IMMEDIATE", doing);
    sqlite3_busy_timeout(database->connection, PATIENCE_MS);
    if (status != NR_OK)
        return status;
    status = check_in_place(database);
    if (status != NR_OK)
        sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

nr_status database_synchronous(struct database *database, bool wait)
{
    return database_execute(database, wait ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                            "choosing when to wait for the disk");
}

/* The WAL holds every commit since the last checkpoint, which has synchronised the ones before. Without a WAL SQLite
 * waits for the disk at every commit. */
nr_status database_sync(struct database *database)
{
    sqlite3_file *wal = NULL;
    int code = sqlite3_file_control(database->connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (code == SQLITE_OK && wal && wal->pMethods)
        code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    return code == SQLITE_OK ? NR_OK : report(database, code, "writing to the disk");
}

static bool changed(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
           a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

nr_status database_refresh(struct database *database, bool *reopened)
{
    *reopened = false;
    if (!database->immutable && database->connection)
        return NR_OK;
    struct stat now;
    bool wal;
    if (wal_exists(database->path, &wal) != NR_OK)
        return log_no_memory(database->log, "reading the store");
    if (database->connection && !wal && stat(database->path, &now) == 0 && !changed(&now, &database->seen))
        return NR_OK;
    *reopened = true;
    sqlite3_close_v2(database->connection); /* v2: lives on until its statements are finalised */
    database->connection = NULL;
    return connect(database);
}

void database_close(struct database *database)
{
    if (database->connection && !database->read_only) /* fails while a reader is active: the WAL stays then, as valid */
        sqlite3_wal_checkpoint_v2(database->connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_close_v2(database->connection);
    free(database->path);
    *database = (struct database){0};
}

nr_status database_execute(struct database *database, const char *sql, const char *doing)
{
    int code = sqlite3_exec(database->connection, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? NR_OK : report(database, code, doing);
}

nr_status database_whole(struct database *database, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement;
    bool row;
    nr_status status = database_prepare(database, sql, &statement);
    if (status != NR_OK)
        return status;
    status = database_step(database, statement, NO_CELLS, "reading", &row);
    if (status == NR_OK)
        *out = row ? column_whole(statement, 0) : 0;
    sqlite3_finalize(statement);
    return status;
}

nr_status database_prepare(struct database *database, const char *sql, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(database->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? NR_OK : report(database, code, "reading");
}

static int bind(sqlite3_stmt *statement, int at, const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_WHOLE:
        return sqlite3_bind_int64(statement, at, cell->whole);
    case CELL_REAL:
        return sqlite3_bind_double(statement, at, cell->real);
    case CELL_STRING: /* static: callers' strings outlive the step */
        return sqlite3_bind_text(statement, at, cell->string, -1, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

nr_status database_step(struct database *database, sqlite3_stmt *statement, const struct cell *cells, size_t count,
                        const char *doing, bool *row)
{
    sqlite3_reset(statement); /* its result is the last step's error, reported then */
    for (size_t i = 0; i < count; i++)
        if (bind(statement, (int)i + 1, &cells[i]) != SQLITE_OK)
            return database_error(database, doing);
    if (row)
        return database_next(database, statement, doing, row);
    bool ignored;
    nr_status status = database_next(database, statement, doing, &ignored);
    sqlite3_reset(statement); /* ends the statement, so that it holds no transaction open */
    return status;
}

nr_status database_next(struct database *database, sqlite3_stmt *statement, const char *doing, bool *row)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return report(database, code, doing);
    *row = code == SQLITE_ROW;
    return NR_OK;
}

const char *column_string(sqlite3_stmt *statement, int column)
{
    const unsigned char *string = sqlite3_column_text(statement, column);
    return string ? (const char *)string : "";
}

double column_real(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, column);
}

int64_t column_whole(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}
