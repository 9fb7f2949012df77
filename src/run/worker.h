/* The worker process: trains on one device, several trials at a time in its lanes, told by the driver over a socket. A
 * crash here costs the driver one attempt of a trial. */
#ifndef NASRUN_RUN_WORKER_H
#define NASRUN_RUN_WORKER_H

/* Descriptors that the driver leaves open for its workers. */
enum { WORKER_SOCKET = 3, WORKER_DATA = 4 };

/* Serves until the driver closes the socket; the exit status of the process. `driver` is its process id: the worker
 * dies with it, however it dies. */
int worker_main(long driver);

#endif
