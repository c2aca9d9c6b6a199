/*
 * The open file description of a socket.
 */
#ifndef KERNEL_NET_SOCKET_FILE_H
#define KERNEL_NET_SOCKET_FILE_H

#include "lib/compiler.h"

struct file;
struct socket;

/* Takes over the caller's reference, also when it fails. flags: O_NONBLOCK. NULL: no memory. */
MUST_CHECK struct file *socket_file_create(struct socket *socket, uint32_t flags);

#endif
