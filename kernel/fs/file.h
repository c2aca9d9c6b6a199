/*
 * Open file descriptions, and the table of descriptors.
 *
 * A struct file is what open(2) makes: shared by dup, freed with the last
 * reference. Kinds of file implement file_ops; a NULL operation gives the error
 * noted. The table is one per program, lock rank 10; lookups take no lock when
 * they can (see fd_table.c).
 */
#ifndef KERNEL_FS_FILE_H
#define KERNEL_FS_FILE_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "kernel/mm/page_source.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/uio.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/wait.h"
#include "abi/linux/stat.h"

struct file;
struct vnode;

struct file_ops {
	const char *kind; /* "pipe", "eventfd": for /proc/self/fd ("anon_inode:[eventfd]") */
	/* Move bytes at *offset and advance it (streams ignore it). Return bytes moved,
	 * 0 at the end, or -E. Short counts are fine. Honour O_NONBLOCK in file->flags
	 * with -EAGAIN. Interrupted before any byte: -ERESTARTSYS. Missing: -EINVAL. */
	long (*read)(struct file *file, struct uio *uio, uint64_t *offset);
	long (*write)(struct file *file, struct uio *uio, uint64_t *offset);
	/* Present readiness (POLL_ bits). Missing: always IN|OUT. */
	uint32_t (*poll)(struct file *file);
	/* Woken (with the events) whenever poll's answer may have gained bits. Missing:
	 * the file cannot be polled by epoll (-EPERM). */
	struct wait_queue *(*poll_queue)(struct file *file);
	/* New offset, or -ESPIPE when missing. */
	int64_t (*seek)(struct file *file, int64_t offset, int whence);
	/* -ENOTTY when missing. `argument` is the user's word. */
	long (*ioctl)(struct file *file, uint32_t request, uintptr_t argument);
	int (*stat)(struct file *file, struct linux_stat *stat);
	int (*truncate)(struct file *file, uint64_t bytes); /* -EINVAL */
	int (*sync)(struct file *file, bool data_only);     /* -EINVAL */
	int (*allocate)(
		struct file *file, int mode, uint64_t offset, uint64_t bytes); /* -EOPNOTSUPP */
	/* Directory entries as linux_dirent64 into uio. -ENOTDIR. */
	long (*read_directory)(struct file *file, struct uio *uio, uint64_t *offset);
	/* The source of pages for mmap, without a new reference. NULL: -ENODEV. */
	struct page_source *(*page_source)(struct file *file);
	/* F_SETFL changed file->flags (O_ASYNC, O_DIRECT...). May be NULL. */
	int (*flags_changed)(struct file *file, uint32_t new_flags);
	/* Called for every close(2) of a descriptor of this file (locks). May be NULL. */
	void (*close_descriptor)(struct file *file);
	/* A new description of the same thing, for an open of /proc/self/fd/N where the file
	 * has no name in the tree. May sleep. NULL: the description itself is shared. */
	int (*reopen)(struct file *file, uint32_t flags, struct file **result);
	/* Last reference gone: free private data. May sleep. */
	void (*release)(struct file *file);
};

struct file {
	const struct file_ops *ops;
	uint32_t references;
	uint32_t flags;             /* O_ flags of open(2), changeable by F_SETFL */
	struct mutex position_lock; /* guards offset for read/write/lseek of seekable files */
	uint64_t offset;
	struct vnode *vnode;      /* of files that have one in the tree, with a reference */
	struct path_entry *entry; /* name it was opened by, with a reference; NULL if none */
	void *data;               /* of the kind of file */
	struct list epoll_items;  /* epoll registrations; guarded by epoll's lock */
};

/* New description with one reference and no data. NULL: no memory. */
struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data);
void file_acquire(struct file *file);
void file_release(struct file *file);
/* For lookups without a lock: false if the last reference is gone already. */
bool file_acquire_unless_dead(struct file *file);
/* Gives the memory of unused descriptions back. Only when nobody looks descriptors up. */
void file_pool_trim(void);

static inline bool file_is_readable(const struct file *file)
{
	return (file->flags & 3) != 1 && !(file->flags & 010000000); /* not O_WRONLY, O_PATH */
}

static inline bool file_is_writable(const struct file *file)
{
	return (file->flags & 3) != 0 && !(file->flags & 010000000);
}

static inline bool file_is_nonblocking(const struct file *file)
{
	return (READ_ONCE(file->flags) & 04000) != 0;
}

/* ---- descriptors -------------------------------------------------------- */

#define FD_LIMIT_DEFAULT 1048576

/* Closes everything and gives the table's memory back: for tests. */
void fd_table_clear(void);
/* The file, with a reference; NULL: -EBADF. */
struct file *fd_get(int fd);
/* Installs file (the table takes the caller's reference) at the lowest free number
 * >= least. -EMFILE, -ENOMEM: the caller keeps the reference. */
int fd_install(struct file *file, int least, bool close_on_exec);
/* dup3: installs at exactly `fd`, closing what was there. */
int fd_install_at(struct file *file, int fd, bool close_on_exec);
int fd_close(int fd); /* -EBADF */
int fd_close_range(unsigned first, unsigned last, bool only_mark);
int fd_get_flags(int fd); /* FD_CLOEXEC or 0; -EBADF */
int fd_set_flags(int fd, int flags);
/* The first open descriptor >= fd, or -1. For /proc/self/fd. */
int fd_next_open(int fd);
uint32_t fd_count(void);

#endif
