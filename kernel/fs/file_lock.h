/*
 * Advisory locks: fcntl(F_SETLK), its open-file-description form, and flock(2).
 *
 * Record locks of the program never conflict with each other, since it is one
 * process; they do with those of descriptions. Locks of flock are a world of their
 * own. They hang on the vnode,
 * or, for files without one, on a list of their own. Lock: file_lock.lock, rank 12.
 */
#ifndef KERNEL_FS_FILE_LOCK_H
#define KERNEL_FS_FILE_LOCK_H

#include "lib/compiler.h"

struct file;

enum file_lock_kind {
	FILE_LOCK_PROCESS,     /* F_SETLK */
	FILE_LOCK_DESCRIPTION, /* F_OFD_SETLK */
	FILE_LOCK_FLOCK,
};

struct file_lock_range {
	int type;            /* LINUX_F_RDLCK, F_WRLCK, F_UNLCK */
	uint64_t start, end; /* first and last byte */
};

/* Sets, changes or (F_UNLCK) removes. -EAGAIN, -ERESTARTSYS, -ENOLCK. */
int file_lock_set(struct file *file, enum file_lock_kind kind, const struct file_lock_range *range,
	bool wait);
/* F_GETLK: range becomes the first lock in the way, or type F_UNLCK. *pid: its owner. */
int file_lock_test(
	struct file *file, enum file_lock_kind kind, struct file_lock_range *range, int *pid);
/* A descriptor of this file was closed: the program's record locks on it go. */
void file_lock_close_descriptor(struct file *file);
/* The last reference goes: so do its locks of the other kinds. */
void file_lock_release_description(struct file *file);

#endif
