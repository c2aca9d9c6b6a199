/*
 * The kernel image: build/kernel.elf, as abi/kernel_image.h describes it.
 *
 * It is mapped so that all VMs of a host share its text, unless copies are faster. The whole
 * file also stays mapped read-only, for symbol names after a crash.
 */
#ifndef MONITOR_KERNEL_FILE_H
#define MONITOR_KERNEL_FILE_H

#include "abi/kernel_image.h"
#include "lib/compiler.h"

#define KERNEL_FILE_MAX_SEGMENTS 8

struct kernel_segment {
	uint64_t
		offset; /* in the image: physical from kernel_base, virtual from KERNEL_VIRT_BASE */
	uint64_t bytes; /* in memory, page-aligned */
	uint64_t file_offset;
	uint64_t file_bytes; /* not aligned */
	bool writable, executable;
};

struct kernel_file {
	const char *path;
	int fd;
	uint64_t offset;     /* of the kernel's file in `fd`, on a page */
	const uint8_t *file; /* mapping of the kernel's whole file */
	uint64_t file_bytes;
	struct kernel_note note;
	struct kernel_segment segments[KERNEL_FILE_MAX_SEGMENTS];
	unsigned segment_count;
	uint64_t image_bytes; /* of all segments with the gaps, page-aligned */
};

/* Opens and checks the file; ends the monitor with a message if it is bad. */
void kernel_file_open(struct kernel_file *kernel, const char *path);
/* The same for a kernel that is part of an open file, known to have that many bytes. */
void kernel_file_open_part(
	struct kernel_file *kernel, const char *path, int fd, uint64_t offset, uint64_t bytes);

/*
 * Maps the segments at `host` over a mapping that reads as zeroes. With `copy` what every boot
 * touches becomes this VM's own and present, its text too: see copy_segments() in image.c.
 */
void kernel_file_map(const struct kernel_file *kernel, uint8_t *host, bool copy);

/*
 * The function that holds the virtual address: its name, and in *offset how far in
 * the address lies, in *source its source file ("" if unknown). NULL: none known.
 */
const char *kernel_file_symbol(
	const struct kernel_file *kernel, uint64_t address, uint64_t *offset, const char **source);

#endif
