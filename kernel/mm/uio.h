/*
 * A scattered buffer in program or kernel memory, consumed front to back: what
 * read, write, readv, sendmsg and splice hand to a file.
 */
#ifndef KERNEL_MM_UIO_H
#define KERNEL_MM_UIO_H

#include "lib/compiler.h"

struct uio_part {
	uintptr_t address;
	size_t bytes;
};

struct uio {
	const struct uio_part *parts; /* owned by the caller, not changed */
	size_t part_count;
	size_t part_index;
	size_t part_offset;
	size_t bytes_left;
	bool is_kernel; /* addresses are the kernel's: plain copies */
};

void uio_init_user(struct uio *uio, struct uio_part *storage, uintptr_t address, size_t bytes);
void uio_init_kernel(struct uio *uio, struct uio_part *storage, const void *buffer, size_t bytes);
/* `parts` must stay valid while the uio is used. */
void uio_init_parts(struct uio *uio, const struct uio_part *parts, size_t part_count);

/* Move min(bytes, bytes_left) and advance. On -EFAULT nothing after the last whole
 * chunk was consumed; bytes_left tells how far it came. May sleep. Return bytes moved. */
long uio_copy_to(struct uio *uio, const void *src, size_t bytes); /* file -> program */
long uio_copy_from(struct uio *uio, void *dst, size_t bytes);     /* program -> file */
long uio_fill_zero(struct uio *uio, size_t bytes);
/* The same for files that move what they can: up to the first byte that cannot be
 * accessed. Return bytes moved; fewer than min(bytes, bytes_left): a fault ended it. */
size_t uio_copy_some_to(struct uio *uio, const void *src, size_t bytes);
size_t uio_copy_some_from(struct uio *uio, void *dst, size_t bytes);
size_t uio_zero_some(struct uio *uio, size_t bytes);
void uio_advance(struct uio *uio, size_t bytes);

#endif
