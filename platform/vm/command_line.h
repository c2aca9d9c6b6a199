/*
 * The kernel command line of PVH loaders: words separated by blanks.
 *
 *   virtio_mmio.device=SIZE@BASE:LINE   a virtio-mmio device (QEMU's microvm adds these)
 *   burrow.cpus=N                       vcpus, where the loader cannot tell
 *   burrow.tsc_hz=N                     frequency of the tick counter, if known
 */
#ifndef PLATFORM_VM_COMMAND_LINE_H
#define PLATFORM_VM_COMMAND_LINE_H

#include "abi/boot_info.h"

/* Adds what the line says to *info; unknown words are for others. In ring 0: reads the
 * identity of each device through LINEAR_BASE. */
void command_line_read(const char *line, struct boot_info *info);

#endif
