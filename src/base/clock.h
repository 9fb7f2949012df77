/* What time it is, in seconds. */
#ifndef NASRUN_BASE_CLOCK_H
#define NASRUN_BASE_CLOCK_H

double clock_monotonic(void); /* since some moment; does not jump: for durations */
double clock_wall(void);      /* since 1970, to the millisecond: for records */
double clock_processor(void); /* that this process has computed, in all its threads */

#endif
