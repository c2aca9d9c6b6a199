/*
 * Signals sent to the monitor, which are meant for the program.
 */
#ifndef MONITOR_SIGNALS_H
#define MONITOR_SIGNALS_H

#include "lib/compiler.h"

/* Blocks the signals that are passed on. Before any thread is made. */
void signals_block(void);
/* A signalfd of them; ends the monitor with a message on failure. */
int signals_open(void);
/* Signals that arrived since, bit n - 1 for signal n. */
uint64_t signals_read(int fd);
/* Gives all signals their default effect again: for the last moments. */
void signals_restore(void);
/* Ends this process by the signal, without a core file, so that its parent sees it. */
_Noreturn void signals_die(unsigned signal);

#endif
