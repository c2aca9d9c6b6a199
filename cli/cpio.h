/*
 * Writes and joins cpio archives in the "newc" format (magic 070701), which the
 * kernel unpacks over its root at boot (BOOT_MODULE_FILES).
 *
 * Format: 110 bytes of header (magic and 13 fields of 8 hexadecimal digits), the name
 * with its NUL, padding to 4, the data, padding to 4; the last entry is TRAILER!!!.
 */
#ifndef CLI_CPIO_H
#define CLI_CPIO_H

#include <stdio.h>
#include <sys/types.h>

#include "lib/compiler.h"

struct cpio_writer {
	FILE *stream;
	uint64_t bytes; /* written so far */
	uint32_t next_inode;
};

struct cpio_entry {
	const char *name; /* without leading slash */
	mode_t mode;      /* type and rights */
	uint64_t mtime;   /* seconds */
	uint64_t bytes;
};

/* Does not take over `stream`. */
void cpio_open(struct cpio_writer *writer, FILE *stream);
/* The caller then writes exactly entry->bytes with cpio_write_data(). Returns 0, or
 * -EFBIG (4 GiB or more), -ENAMETOOLONG, -EIO. */
int cpio_add(struct cpio_writer *writer, const struct cpio_entry *entry);
int cpio_write_data(struct cpio_writer *writer, const void *data, size_t bytes);
/* Pads the data of the entry. */
int cpio_end_data(struct cpio_writer *writer);
/* Writes the trailer and flushes. */
int cpio_close(struct cpio_writer *writer);

/* Appends the entries of the archive [data, +bytes), without its trailer. Returns 0,
 * -EINVAL (no newc archive, or damaged; nothing is written then) or -EIO. */
int cpio_join(struct cpio_writer *writer, const uint8_t *data, uint64_t bytes);

/* Bytes of the entries before the trailer, or -EINVAL. */
int64_t cpio_check(const uint8_t *data, uint64_t bytes);

#endif
