/*
 * Pipes and FIFOs: pipe(7).
 *
 * A pipe is a ring of bytes that grows from one page to its capacity as it is
 * filled; writes up to PIPE_BUF are whole. In packet mode (O_DIRECT) each write of
 * up to a page is one read. A write without readers gives -EPIPE and SIGPIPE.
 */
#ifndef KERNEL_FS_PIPE_H
#define KERNEL_FS_PIPE_H

#include "lib/compiler.h"

struct file;
struct vnode;

#define PIPE_ATOMIC_BYTES  4096u /* PIPE_BUF */
#define PIPE_DEFAULT_BYTES 65536u
#define PIPE_MAXIMUM_BYTES 1048576u

/* Two ends; `flags`: O_NONBLOCK, O_DIRECT (O_CLOEXEC is the table's). -ENOMEM. */
int pipe_create(uint32_t flags, struct file **read_end, struct file **write_end);
/* vnode_ops.open of a FIFO: sets file->ops and file->data, waits for the other side
 * as fifo(7) says. -ENXIO, -ERESTARTSYS, -ENOMEM. */
int pipe_open_fifo(struct vnode *vnode, struct file *file);

bool pipe_is_pipe(const struct file *file);
/* fcntl(F_GETPIPE_SZ, F_SETPIPE_SZ). Capacity; -EBADF not a pipe, -EBUSY, -EPERM, -EINVAL. */
long pipe_capacity(struct file *file);
long pipe_set_capacity(struct file *file, uint64_t bytes);

#endif
