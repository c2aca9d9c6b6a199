/*
 * Vectors of buffers from the program: struct iovec of readv(2), sendmsg(2).
 */
#ifndef KERNEL_SYSCALL_USER_VECTOR_H
#define KERNEL_SYSCALL_USER_VECTOR_H

#include "lib/compiler.h"
#include "kernel/mm/uio.h"

#define USER_VECTOR_MOST_BYTES 0x7ffff000ull /* MAX_RW_COUNT: what one call moves */
#define USER_VECTOR_MOST_PARTS 1024
#define USER_VECTOR_FEW_PARTS  8

struct user_vector {
	struct uio_part *parts;
	struct uio_part few[USER_VECTOR_FEW_PARTS]; /* most vectors: no allocation */
};

/* Copies in `count` parts and shortens them to what one call moves. -EINVAL, -EFAULT,
 * -ENOMEM: nothing to release. */
MUST_CHECK int user_vector_get(struct user_vector *vector, uint64_t address, uint64_t count);
void user_vector_put(struct user_vector *vector);

#endif
