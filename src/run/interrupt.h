/* Signals that ask a search to stop (Ctrl-C, kill, a closed terminal), read through a descriptor by the driver's loop.
 */
#ifndef NASRUN_RUN_INTERRUPT_H
#define NASRUN_RUN_INTERRUPT_H

/* A descriptor that becomes readable with each such signal (read it as struct signalfd_siginfo); -1 and errno on
 * failure. Only the main thread may read it. SIGHUP that was ignored at start (nohup) stays so. */
int interrupt_open(void);

#endif
