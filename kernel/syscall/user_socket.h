/*
 * What the socket calls share: descriptors of sockets and their names in the program's
 * memory.
 */
#ifndef KERNEL_SYSCALL_USER_SOCKET_H
#define KERNEL_SYSCALL_USER_SOCKET_H

#include "kernel/fs/file.h"
#include "kernel/net/socket.h"

/* The file, with a reference. -EBADF, -ENOTSOCK. */
MUST_CHECK int user_socket_get(uint64_t fd, struct file **file);
/* struct sockaddr from the program. -EINVAL (length), -EFAULT. */
MUST_CHECK int user_name_read(struct socket_name *name, uint64_t address, uint64_t bytes);
/* To the program: as much as fits; the length at `length_address`, an int, is replaced by
 * that of the whole name. -EINVAL, -EFAULT. */
MUST_CHECK int user_name_write(
	const struct socket_name *name, uint64_t address, uint64_t length_address);

#endif
