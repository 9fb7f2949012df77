/* The tables of a store. People query them with `sqlite3 study.db`: what each holds is written beside its SQL in
 * schema.c, and stays in the file, since SQLite keeps the text (`sqlite3 study.db .schema`).
 *
 * The version of a file is its `user_version`; `application_id` tells a store from other databases. */
#ifndef NASRUN_STORE_SCHEMA_H
#define NASRUN_STORE_SCHEMA_H

#include "store/database.h"

/* What the file is: *empty when it holds nothing yet. NR_INVALID when it is another program's database or of a newer
 * version than STORE_SCHEMA_VERSION; nothing is changed. */
nr_status schema_check(struct database *database, bool *empty) NR_MUST_CHECK;
/* Brings an empty or older store to STORE_SCHEMA_VERSION, all or nothing. */
nr_status schema_migrate(struct database *database) NR_MUST_CHECK;

#endif
