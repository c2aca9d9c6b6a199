/*
 * Moving bytes between files inside the kernel: splice(2), tee(2), vmsplice(2),
 * sendfile(2). Bytes are copied through a buffer; none are lost when the receiving
 * side takes less than it was offered. What cannot be done is -EINVAL.
 */
#ifndef KERNEL_FS_SPLICE_H
#define KERNEL_FS_SPLICE_H

#include "lib/compiler.h"
#include "kernel/mm/uio.h"

struct file;

enum splice_flags {
	SPLICE_MOVE = 1,
	SPLICE_NONBLOCK = 2,
	SPLICE_MORE = 4,
	SPLICE_GIFT = 8,
};

/* Offsets may be NULL: the file's own. They advance by what was moved. */
long splice_files(struct file *in, uint64_t *in_offset, struct file *out, uint64_t *out_offset,
	uint64_t bytes, uint32_t flags);
long splice_tee(struct file *in, struct file *out, uint64_t bytes, uint32_t flags);
/* The program's memory into a pipe, or out of one, by the direction of `file`. */
long splice_memory(struct file *file, struct uio *uio, uint32_t flags);
long splice_send_file(struct file *out, struct file *in, uint64_t *offset, uint64_t bytes);

#endif
