/*
 * Fills the guest's memory before it starts: kernel, modules, page tables, boot info.
 */
#ifndef MONITOR_IMAGE_H
#define MONITOR_IMAGE_H

#include "lib/syscall_sites.h"
#include "monitor/machine.h"

/* Room for the system-call sites that image_build() finds itself. */
#define IMAGE_SITES_BYTES (SYSCALL_SITES_MAX * sizeof(struct syscall_site))

/* Bytes of the strings that boot_info will point to. */
uint64_t image_strings_bytes(const struct machine *machine);

/* Needs files, layout and host memory; ends the monitor with a message on failure. */
void image_build(struct machine *machine);

/* Needs image_build() and tsc_hz. Last thing before the guest starts. */
void image_set_clock(struct machine *machine);

#endif
