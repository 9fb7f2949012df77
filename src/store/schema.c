#include "store/schema.h"

#include <inttypes.h>

#include "base/text.h"
#include "store/store.h"

enum { APPLICATION_ID = 0x6e617372 }; /* "nasr" */

/* Version 1. Times are seconds since 1970; an unknown number is NULL. `study` is there for stores that several studies
 * share; in a file of its own it is always 1. */
static const char version_1[] =
    "CREATE TABLE studies (          -- what is fixed when a study begins\n"
    "    study         INTEGER PRIMARY KEY,\n"
    "    name          TEXT NOT NULL,\n"
    "    identity      TEXT NOT NULL, -- what makes it the same study, one 'section.key = value' per line\n"
    "    configuration TEXT NOT NULL, -- in force: overrides applied; [run] and trials may change\n"
    "    version       TEXT NOT NULL, -- of nasrun\n"
    "    device        TEXT NOT NULL,\n"
    "    data_name     TEXT NOT NULL,\n"
    "    data_digest   TEXT NOT NULL,\n"
    "    seed          INTEGER NOT NULL,\n"
    "    created       REAL NOT NULL\n"
    ") STRICT;\n"
    "CREATE TABLE study_state (      -- what changes about a study\n"
    "    study         INTEGER PRIMARY KEY REFERENCES studies,\n"
    "    changes       INTEGER NOT NULL, -- rises with every write\n"
    "    end_reason    TEXT NOT NULL, -- of the last run; '' while one runs, or when it was killed\n"
    "    end_time      REAL,\n"
    "    elapsed       REAL NOT NULL  -- seconds of wall time, all runs\n"
    ") STRICT;\n"
    "CREATE TABLE objectives (       -- names of the values below: objectives, then constraints on outcomes\n"
    "    study         INTEGER NOT NULL REFERENCES studies,\n"
    "    objective     INTEGER NOT NULL, -- 0, 1, ... in the order of the configuration\n"
    "    name          TEXT NOT NULL,\n"
    "    PRIMARY KEY (study, objective)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE trials (           -- one candidate network with its recipe, and what became of it\n"
    "    study         INTEGER NOT NULL REFERENCES studies,\n"
    "    trial         INTEGER NOT NULL, -- 1, 2, ...\n"
    "    state         TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'stopped', 'failed')),\n"
    "    cause         TEXT NOT NULL, -- why it stopped or failed, else ''\n"
    "    point         TEXT NOT NULL, -- 'hidden1=64 learning_rate=0.003'\n"
    "    identity      TEXT NOT NULL, -- of network and recipe: equal for duplicates\n"
    "    network       TEXT NOT NULL, -- in one line\n"
    "    method        TEXT NOT NULL, -- that suggested it\n"
    "    fit           TEXT NOT NULL, -- the model's hyper-parameters then\n"
    "    note          TEXT NOT NULL, -- why this point\n"
    "    attempt       INTEGER NOT NULL, -- 1, 2, ...; a resume is no new attempt\n"
    "    owner         TEXT NOT NULL, -- who runs it\n"
    "    lease         REAL,          -- until when it is the owner's; NULL: as long as the owner lives\n"
    "    seconds       REAL,          -- of training, known when it has ended\n"
    "    suggested     REAL NOT NULL,\n"
    "    started       REAL,          -- first\n"
    "    ended         REAL,\n"
    "    PRIMARY KEY (study, trial)\n"
    ") STRICT;\n"
    "CREATE INDEX trials_by_state ON trials (study, state);\n"
    "CREATE TABLE epochs (           -- metrics; an epoch that is trained again replaces itself\n"
    "    study         INTEGER NOT NULL,\n"
    "    trial         INTEGER NOT NULL,\n"
    "    epoch         INTEGER NOT NULL, -- 1, 2, ...\n"
    "    attempt       INTEGER NOT NULL,\n"
    "    train_loss    REAL,\n"
    "    validation_loss     REAL,\n"
    "    validation_accuracy REAL,\n"
    "    learning_rate REAL,          -- at its end\n"
    "    seconds       REAL,\n"
    "    PRIMARY KEY (study, trial, epoch),\n"
    "    FOREIGN KEY (study, trial) REFERENCES trials\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE events (           -- append-only: all that the optimiser decided from, in order\n"
    "    number        INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    study         INTEGER NOT NULL,\n"
    "    trial         INTEGER NOT NULL,\n"
    "    kind          TEXT NOT NULL CHECK (kind IN ('suggest', 'finish')),\n"
    "    time          REAL NOT NULL,\n"
    "    UNIQUE (study, trial, kind), -- nothing is recorded twice\n"
    "    FOREIGN KEY (study, trial) REFERENCES trials\n"
    ") STRICT;\n"
    "CREATE TABLE objective_values ( -- append-only: what became known with an event\n"
    "    event         INTEGER NOT NULL REFERENCES events,\n"
    "    objective     INTEGER NOT NULL,\n"
    "    value         REAL NOT NULL,\n"
    "    PRIMARY KEY (event, objective)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE tests (            -- kept weights on the test set (nasrun test)\n"
    "    study         INTEGER NOT NULL,\n"
    "    trial         INTEGER NOT NULL,\n"
    "    accuracy      REAL,\n"
    "    loss          REAL,\n"
    "    time          REAL NOT NULL,\n"
    "    PRIMARY KEY (study, trial),\n"
    "    FOREIGN KEY (study, trial) REFERENCES trials\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE VIEW results AS          -- for people: one row per trial and objective, the newest value\n"
    "    SELECT t.study, t.trial, t.state, t.cause, o.name AS objective,\n"
    "           (SELECT v.value FROM events e JOIN objective_values v ON v.event = e.number\n"
    "            WHERE e.study = t.study AND e.trial = t.trial AND v.objective = o.objective\n"
    "            ORDER BY e.number DESC LIMIT 1) AS value, t.network\n"
    "    FROM trials t JOIN objectives o ON o.study = t.study;\n"
    "CREATE TRIGGER events_stay BEFORE UPDATE ON events\n"
    "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;\n"
    "CREATE TRIGGER events_are_kept BEFORE DELETE ON events\n"
    "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;\n"
    "CREATE TRIGGER values_stay BEFORE UPDATE ON objective_values\n"
    "BEGIN SELECT RAISE(ABORT, 'values are append-only'); END;\n"
    "CREATE TRIGGER values_are_kept BEFORE DELETE ON objective_values\n"
    "BEGIN SELECT RAISE(ABORT, 'values are append-only'); END;\n"
    "CREATE TRIGGER trials_end_once BEFORE UPDATE ON trials\n"
    "WHEN OLD.state IN ('done', 'stopped', 'failed')\n"
    "BEGIN SELECT RAISE(ABORT, 'the trial has ended'); END;\n"
    "CREATE TRIGGER trials_are_kept BEFORE DELETE ON trials\n"
    "BEGIN SELECT RAISE(ABORT, 'trials are never deleted'); END;\n";

/* migrations[v] brings version v to v + 1. */
static const char *const migrations[STORE_SCHEMA_VERSION] = {version_1};

nr_status schema_check(struct database *database, bool *empty)
{
    int64_t application, version, tables;
    nr_status status = database_whole(database, "SELECT count(*) FROM sqlite_schema", &tables);
    if (status == NR_OK)
        status = database_whole(database, "PRAGMA application_id", &application);
    if (status == NR_OK)
        status = database_whole(database, "PRAGMA user_version", &version);
    if (status != NR_OK)
        return status;
    if (tables > 0 && application != APPLICATION_ID) {
        log_error(database->log, "%s: this is a database, but no store of nasrun", database->path);
        return NR_INVALID;
    }
    if (version > STORE_SCHEMA_VERSION) {
        log_error(database->log,
                  "%s: the store has version %" PRId64 ", written by a newer nasrun; this one reads up to version %d",
                  database->path, version, STORE_SCHEMA_VERSION);
        return NR_INVALID;
    }
    *empty = tables == 0;
    return NR_OK;
}

static nr_status migrate_from(struct database *database, int64_t version)
{
    nr_status status = NR_OK;
    for (int64_t v = version; v < STORE_SCHEMA_VERSION && status == NR_OK; v++)
        status = database_execute(database, migrations[v], "making the tables");
    struct text sql = {0};
    text_format(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
                STORE_SCHEMA_VERSION);
    if (status == NR_OK && sql.failed)
        status = log_no_memory(database->log, "making the tables");
    if (status == NR_OK)
        status = database_execute(database, sql.data, "making the tables");
    text_clear(&sql);
    return status;
}

nr_status schema_migrate(struct database *database)
{
    int64_t version;
    nr_status status = database_hold(database, "making the tables"); /* also finds out whether writing is allowed */
    if (status != NR_OK)
        return status;
    /* asked within the transaction: another process may have been here since schema_check() */
    status = database_whole(database, "PRAGMA user_version", &version);
    if (status == NR_OK)
        status = migrate_from(database, version);
    if (status != NR_OK)
        sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
