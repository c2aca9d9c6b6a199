/* Event counters: eventfd(2). */
#ifndef KERNEL_FS_EVENTFD_H
#define KERNEL_FS_EVENTFD_H

#include "lib/compiler.h"

struct file;

/* `flags`: O_NONBLOCK only; the descriptor's flags are the table's. -ENOMEM. */
int eventfd_create(uint64_t count, bool semaphore, uint32_t flags, struct file **file);

#endif
