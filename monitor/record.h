/*
 * The VM's record, which `burrow ps` and `burrow stats` read (abi/machine_record.h): the
 * monitor counts there what passes the devices.
 */
#ifndef MONITOR_RECORD_H
#define MONITOR_RECORD_H

#include "abi/machine_record.h"

/* Never NULL: counters that nobody reads if there is no record. The I/O thread's. */
extern struct machine_counters *record_counters;

/* Maps the record behind an inherited descriptor. Ends the monitor if it is none. */
void record_open(int fd);

#endif
