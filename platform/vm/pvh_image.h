/*
 * A built file (abi/image.h) that a PVH loader has put into memory: its manifest and the
 * kernel command line say what otherwise a launcher says. In ring 0, through LINEAR_BASE.
 *
 * Words of the command line, between blanks ("…" holds blanks together):
 *   burrow.env=NAME=VALUE  burrow.ip=[NAME=]SETTINGS  burrow.hostname=NAME  burrow.cwd=DIR
 *   burrow.verbose  burrow.trace
 *   -- ARGUMENT…           the program's arguments, instead of the manifest's
 */
#ifndef PLATFORM_VM_PVH_IMAGE_H
#define PLATFORM_VM_PVH_IMAGE_H

#include "abi/boot_info.h"
#include "abi/image.h"

/* NULL: there is none. Panics if there is one that is damaged. */
const struct image_header *pvh_image_find(void);

/* The memory of its parts. */
void pvh_image_span(const struct image_header *header, uint64_t *start, uint64_t *end);

/* Fills modules, strings, streams, interfaces, host name and flags. What is needed of memory
 * is taken behind the head, below KERNEL_PHYS_LINK. */
void pvh_image_read(
	const struct image_header *header, const char *command_line, struct boot_info *info);

#endif
