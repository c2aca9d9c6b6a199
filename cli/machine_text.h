/* How ps and stats write times and sizes of VMs. */
#ifndef CLI_MACHINE_TEXT_H
#define CLI_MACHINE_TEXT_H

#include "abi/machine_record.h"
#include "host/machines.h"

char *text_of_bytes(uint64_t bytes);  /* "512M", "1.5G", "37K" */
char *text_of_age(uint64_t since_ns); /* of CLOCK_REALTIME: "12s", "3m", "4h", "2d" */
const char *text_of_state(const struct machine_handle *machine);

/* The VM of this name, or fails the command. */
void machine_open_or_fail(const char *name, struct machine_handle *machine);

#endif
