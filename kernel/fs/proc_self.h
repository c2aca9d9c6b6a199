/*
 * Parts of /proc/1 that change by themselves: descriptors and threads.
 */
#ifndef KERNEL_FS_PROC_SELF_H
#define KERNEL_FS_PROC_SELF_H

#include "kernel/fs/text_node.h"
#include "kernel/fs/tree.h"

/* Same device as /proc; its entries are made by lookups. */
extern struct file_system proc_varying;

int proc_descriptors_init(void); /* /proc/1/fd, /proc/1/fdinfo */
int proc_threads_init(void);     /* /proc/1/task, /proc/thread-self */
/* Decimal without sign or leading zeroes; -1 if it is none. */
int64_t proc_parse_number(const char *name, size_t length);
/* Lists "." and "..", then what next gives: numbers >= its argument, or -1. */
long proc_list_numbers(struct file *file, struct uio *uio, uint64_t *offset, uint32_t mode,
	int64_t (*next)(int64_t least));
int64_t proc_seek(struct file *file, int64_t offset, int whence);

#endif
