/*
 * Event polling: epoll(7).
 *
 * Locks: epoll.graph_lock (a mutex) serialises changes of who watches whom, and
 * guards file->epoll_items; each epoll's own lock (rank 36, taken inside a wait
 * queue's lock by the callbacks) guards its ready list.
 */
#ifndef KERNEL_FS_EPOLL_H
#define KERNEL_FS_EPOLL_H

#include "lib/compiler.h"

struct file;

struct epoll_event {
	uint32_t events;
	uint64_t data;
} PACKED; /* as the program sees it: 12 bytes */

_Static_assert(sizeof(struct epoll_event) == 12, "Linux layout");

int epoll_create_file(struct file **file);
bool epoll_is_epoll(const struct file *file);
/* `operation`: EPOLL_CTL_ADD 1, DEL 2, MOD 3. `target` is what `fd` names; both name
 * the registration. Errors as in epoll_ctl(2). */
int epoll_control(struct file *epoll, int operation, int fd, struct file *target,
	const struct epoll_event *event);
/* Waits until the deadline (clock_monotonic_ns) for at least one event and stores at
 * most `capacity` through `store`, which may sleep and fails with -EFAULT. Returns how
 * many, or -ERESTARTSYS (the system call turns it into EINTR). */
long epoll_collect(struct file *epoll, int capacity, uint64_t deadline_ns,
	int (*store)(void *argument, int index, const struct epoll_event *event), void *argument);
/* The last reference of `file` is going: forget its registrations. Called by
 * file_release() when file->epoll_items is not empty, before ops->release. */
void epoll_forget_file(struct file *file);

#endif
