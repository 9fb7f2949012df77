/* JSON lines over a socket between driver and worker: one object per line, readable with strace.
 *
 *   driver -> worker   {"type":"setup","configuration":...,"name":...,"folder":...,"backend":"cuda","lanes":8,
 *                       "rank":0,"ranks":1}         once
 *                      {"type":"join","invitation":...}                     ranks > 1: to every rank of a group
 *                      {"type":"train","trial":7,"lane":0,"alone":false,"point":"hidden1=64 ..."}
 *                                                  with "from": after so many epochs, as rank 0 does
 *                      {"type":"stop"}              stop every trial at its next step, keep the checkpoints, leave
 *                      end of file                  the same
 *   worker -> driver   {"type":"ready","device":"...","lanes":8}            rank 0 of a group: with "invitation"
 *                      {"type":"joined"}
 *                      {"type":"start","trial":7,"point":...,"epochs":2}    rank 0 of a group: the others may follow
 *                      {"type":"epoch","trial":7,"epoch":1,...}             of a group: from rank 0
 *                      {"type":"end","trial":7,"status":0,"cause":"",...}   of a group: from rank 0; from another
 *                                                  that ran out of memory, or whose library lacks a shape
 *                      {"type":"alive"}             every few seconds while a GPU trains
 *                      {"type":"error","text":"..."}    the worker cannot go on, and leaves; "trial": through whom
 */
#ifndef NASRUN_RUN_CHANNEL_H
#define NASRUN_RUN_CHANNEL_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

struct channel {
    int descriptor;
    struct text received; /* bytes that are no whole line yet */
};

/* Takes a reference away from `message`, also on failure. Blocks until it is sent; NR_IO when the other side is gone.
 */
nr_status channel_send(struct channel *channel, json_t *message) NR_MUST_CHECK;
/* The next whole message if one has arrived; NR_NOT_FOUND when none has (never blocks on a readable socket);
 * NR_IO at the end of file or for a line that is no object. The caller drops the reference. */
nr_status channel_receive(struct channel *channel, json_t **out) NR_MUST_CHECK;
void channel_close(struct channel *channel);

/* A number that may be NaN (null in JSON). */
json_t *channel_real(double value);
double channel_get_real(const json_t *message, const char *key);
int64_t channel_get_int(const json_t *message, const char *key);      /* 0 when absent */
const char *channel_get_text(const json_t *message, const char *key); /* "" when absent */

#endif
