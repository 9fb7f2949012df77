/* The conversation of `nasrun serve`: a line of JSON in, a line of JSON out. README.md describes it for those who write
 * the other side.
 *
 *   {"ask":2}                                         {"trials":[{"trial":1,"point":{"lr":0.003,"op":"skip"}},...]}
 *   {"tell":{"trial":1,"values":{"loss":0.2}}}        {"ok":true}
 *   {"tell":{"point":{...},"values":{...}}}           {"ok":true}
 *   {"fail":{"trial":1,"cause":"nan"}}                {"ok":true}
 *   {"pareto":{}}                                     {"pareto":[...],"hypervolume":h,"reference":[...]}
 *   anything else                                     {"error":"line 7: what was found, what was expected"}
 *
 * A tell may carry "seconds", the time that the trial took. */
#ifndef NASRUN_RUN_PROTOCOL_H
#define NASRUN_RUN_PROTOCOL_H

#include "run/session.h"

enum { PROTOCOL_LONGEST_LINE = 1 << 20 };

struct protocol {
    struct session *session;
    struct log *log; /* the session's: keeps text, which becomes the text of the answer */
};

/* Appends the answer to line number `number` and a newline. A line that is longer than PROTOCOL_LONGEST_LINE may have
 * been cut anywhere beyond it. Whatever is wrong is an answer; NR_NO_MEMORY when there is not even memory for one. */
nr_status protocol_answer(const struct protocol *protocol, int64_t number, const char *line, size_t length,
                          struct text *answer) NR_MUST_CHECK;

#endif
