/* Signals as a file: signalfd(2). */
#ifndef KERNEL_FS_SIGNALFD_H
#define KERNEL_FS_SIGNALFD_H

#include "lib/compiler.h"

struct file;

/* Bit n-1 of `set` stands for signal n; KILL and STOP are dropped. -ENOMEM. */
int signalfd_create(uint64_t set, uint32_t flags, struct file **file);
/* Replaces the set. -EINVAL: not a signalfd. */
int signalfd_set(struct file *file, uint64_t set);

#endif
