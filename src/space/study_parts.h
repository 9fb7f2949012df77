/* The parts of reading a study, one per group of sections; for study.c and its parts alone. */
#ifndef NASRUN_SPACE_STUDY_PARTS_H
#define NASRUN_SPACE_STUDY_PARTS_H

#include "space/study.h"

struct study_reader {
    struct study *study; /* config is read; space too before the other parts */
    struct log *log;
    bool *used; /* [space.count]: whether anything uses the dimension */
};

/* setting.c: [study], [data], [training], [search], [run] */
bool setting_is_section(const char *section);
nr_status settings_read(struct study_reader *reader) NR_MUST_CHECK;
void settings_append_identity(const struct study *study, struct text *lines);

/* network.c: [network], [block NAME] */
nr_status network_read(struct study_reader *reader) NR_MUST_CHECK;
void network_append_identity(const struct study *study, struct text *lines);
void network_clear(struct network_template *network);

/* objective.c: [objectives] */
nr_status objectives_read(struct study_reader *reader) NR_MUST_CHECK;
/* After the constraints were read: that there are objectives, and that trials decide something. */
nr_status objectives_check(const struct study_reader *reader) NR_MUST_CHECK;
void objectives_append_identity(const struct study *study, struct text *lines);
void objectives_clear(struct study *study);
/* NR_INVALID where the entry's key cannot name an external value: it is no name, a column's or a parameter's. */
nr_status study_check_value_name(const struct study *study, const struct config_entry *entry,
                                 struct log *log) NR_MUST_CHECK;
/* A name of a known objective. `exact` alone: of one that is known before training. */
bool objective_is_known(const char *name, bool exact);
/* The most that a known one can be: 1 for val_accuracy, infinity for others. */
double objective_most(const char *name);
/* The names of the known ones, as above, for hints; at least STUDY_KNOWN_OBJECTIVES entries; returns their number. */
enum { STUDY_KNOWN_OBJECTIVES = 6 };
size_t objective_names(bool exact, const char *names[STUDY_KNOWN_OBJECTIVES]);

/* constraint.c: [constraints] */
nr_status constraints_read(struct study_reader *reader) NR_MUST_CHECK;
void constraints_append_identity(const struct study *study, struct text *lines);
void constraints_clear(struct study *study);

/* study_identity.c: [space] */
void space_append_identity(const struct space *space, struct text *lines);

#endif
