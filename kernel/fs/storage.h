/*
 * File systems whose files are kept elsewhere: on a volume, in a directory of the host.
 *
 * Such a file system fills in struct vnode_ops (vfs.h) for names and struct storage_ops for
 * contents; it embeds struct storage_node first in its inodes. What the VFS does for it:
 *   - names: entries of the tree are a cache. A miss calls ops->lookup; what it finds (and,
 *     for negative_timeout_ns, that there is nothing) is kept as long as memory allows and
 *     for entry_timeout_ns, then asked again. Changes of names (create ... rename) come one
 *     at a time, with tree.lock held; lookup, attributes and contents come at any time.
 *   - nodes: one struct storage_node a file, found by number (storage_find, storage_enter), so
 *     that hard links share it. Nodes live as long as names in memory or open files need
 *     them, or while they are dirty.
 *   - contents: a page cache with read-ahead and write-back, mappings, O_DIRECT, O_SYNC,
 *     fsync, errors that each open file is told of once (cached_file.c, write_back.c).
 *   - attributes: kept in the vnode. Who changes them calls storage_mark_dirty(); write-back
 *     or fsync then calls write_attributes.
 *   - mounting, statfs, sync, unmounting at the end of the program (mount.c).
 *
 * Start: struct file_system with .storage set; read the root into a node; vfs_mount(). The
 * vnode_ops of regular files and directories need `.open = storage_open`, `.release`, and
 * `.get_attributes` if st_blocks matters.
 */
#ifndef KERNEL_FS_STORAGE_H
#define KERNEL_FS_STORAGE_H

#include "kernel/fs/page_cache.h"
#include "kernel/fs/tree.h"
#include "kernel/mm/page_source.h"

#define STORAGE_IO_PAGES 512 /* most of one transfer: 2 MiB */

enum storage_node_state {
	STORAGE_ATTRIBUTES_DIRTY = 1, /* write_attributes is due */
	STORAGE_TIMES_DIRTY = 2,      /* it is, but fdatasync may go without */
	STORAGE_QUEUED = 4,           /* on the list of what to write back, with a reference */
};

/* What every vnode of a storage file system begins with. */
struct storage_node {
	struct vnode vnode;
	struct storage_node *hash_next; /* by number; guarded by the table's lock */
	bool is_entered;                /* in that table */

	/* Regular files. */
	struct page_source source;
	struct page_cache cache; /* slots carry PAGE_SLOT_ bits; see cached_file.c */
	/* Pages under transfer, and dirty ones; guarded by cache.lock. */
	uint32_t reading, writing, dirty;
	bool was_mapped; /* shared, for writing: bytes after the end may not be zero */
	/* Faults of mappings that run through the file; unguarded guesses. */
	uint64_t fault_expected;
	uint32_t fault_window;

	struct mutex attributes_lock; /* held while write_attributes is called */

	/* Guarded by write_back.lock. */
	struct list queue_link;
	uint64_t dirty_since_ns; /* or the time it was last looked at */
	uint32_t state;
	uint32_t write_pass; /* the last sync that came by */
	/* Errors of write-back: the last, and how many; each open file remembers what it saw. */
	int write_error;
	uint32_t write_errors;

	struct list reclaim_link; /* files with pages; guarded by the reclaim lock */
	uint64_t reclaim_next;    /* the page to look at next */
};

static inline struct storage_node *storage_node_of(struct vnode *vnode)
{
	return CONTAINER_OF(vnode, struct storage_node, vnode);
}

/*
 * A transfer of whole pages between memory and a file, asynchronous: the file system returns
 * when it has begun (it may sleep for that, or do it all), and calls storage_io_done() once,
 * from any context: a device's polling context is fine. Pages may be adjacent in memory: that
 * makes one segment of a block request.
 *   Reading: pages are to be filled whole, with zeroes for holes and beyond the end of the file
 *   (`bytes` tells what of them lies before the end). Writing: contents beyond the end are
 *   zeroes already; blocks that the file does not have are allocated. What is written is the
 *   data as of the call, or newer. -ENOMEM, -EAGAIN when writing: tried again later; other
 *   errors lose the data and are told by fsync.
 */
struct storage_io {
	struct storage_node *node;
	uint64_t index; /* of the first page in the file */
	uint64_t bytes; /* of the file: count pages, but cut off at its end */
	uint32_t count; /* 1 to STORAGE_IO_PAGES */
	bool write;
	bool waited_for;    /* somebody sleeps until it is done: do not hold it back */
	struct phys *pages; /* count of them; valid until done */
	int error;          /* set by storage_io_done */
	void (*done)(struct storage_io *io); /* the VFS's: call storage_io_done */
	void *context;                       /* the VFS's */
	void *fs_data;                       /* the file system's, until done */
};

static inline void storage_io_done(struct storage_io *io, int error)
{
	io->error = error;
	io->done(io);
}

/* How read_directory gives a name; `next` is the position to go on from after it. Nonzero:
 * enough; then this name is given again by the next call, from the position before it. */
struct directory_sink {
	int (*emit)(struct directory_sink *sink, const char *name, size_t length, uint64_t inode,
		uint32_t mode,
		uint64_t next); /* of the mode only the S_IFMT bits matter; 0: DT_UNKNOWN */
};

struct file_system_usage {
	uint64_t block_bytes, blocks, free_blocks, available_blocks, files, free_files;
	uint32_t name_length;
};

/* NULL: does not apply. All may sleep. 0 or -E, unless said otherwise. */
struct storage_ops {
	/* ---- the file system ---- */
	/* Makes everything durable that write_pages and write_attributes were called for
	 * (the VFS has done so for all that was dirty), and all changes of names. With
	 * `wait` false: begins to. */
	int (*sync)(struct file_system *fs, bool wait);
	int (*usage)(struct file_system *fs, struct file_system_usage *usage); /* statfs(2) */
	/* After the last sync: marks the volume clean. Vnodes may stay (mappings); what is asked
	 * of them afterwards fails with -EIO. */
	int (*unmount)(struct file_system *fs);

	/* ---- nodes ---- */
	/* Takes mode, owner, size, times of the vnode into the inode, as a change that fsync or
	 * the next commit makes durable. The size: what lies before it and was dirty when this
	 * was decided has been given to write_pages, not yet done: a file system that orders
	 * data before sizes keeps its own size on disk, raised as transfers are done. */
	int (*write_attributes)(struct storage_node *node);
	/* fsync: the node's pages are written and done, and write_attributes was called if
	 * due (with data_only: not for times). Makes that durable, with what is needed to find
	 * the file. Directories too. */
	int (*sync_node)(struct storage_node *node, bool data_only);
	/* The names of a directory, "." and ".." among them, from `position` on (0: the start).
	 * Positions stay good when other names come and go. Returns 0 at the end, what emit
	 * returned, or -E. */
	int (*read_directory)(
		struct storage_node *directory, uint64_t position, struct directory_sink *sink);

	/* ---- contents of regular files ---- */
	/* Never called twice at once for the same page; else concurrently, with no lock of the
	 * VFS that other operations need. */
	void (*read_pages)(struct storage_node *node, struct storage_io *io);
	void (*write_pages)(struct storage_node *node, struct storage_io *io);
	/* Writes that are not waited_for may be held back, to be joined with others, until this
	 * is called. NULL: none is. */
	void (*submit_pages)(struct file_system *fs);
	/* Pages [index, +count), count <= 64, become dirty: sets aside space for those without
	 * blocks and sets their bits in *taken, so that write_pages never lacks any.
	 * -ENOSPC, -EDQUOT: none is taken. For each page taken, unreserve comes once, after
	 * it was written or thrown away: write_pages allocates from free space, not minding
	 * what is set aside. Called in page faults: without vnode->lock. */
	int (*reserve)(struct storage_node *node, uint64_t index, uint32_t count, uint64_t *taken);
	void (*unreserve)(struct storage_node *node, uint32_t count); /* any context: it counts */
	/* With vnode->lock: the file's size becomes `bytes`; vnode->size is still the old one
	 * when it grows, the new one when it shrinks. No transfer is under way beyond it, no
	 * page is cached there; the rest of the last page reads as zeroes (written later). Blocks
	 * beyond are freed. */
	int (*set_size)(struct storage_node *node, uint64_t bytes);
	/* fallocate(2), with vnode->lock. The VFS has written or dropped the pages of the range,
	 * and zeroed (and written) what of a page is to be zeroed: a hole frees whole blocks
	 * only. It raises vnode->size afterwards, unless KEEP_SIZE. NULL: -EOPNOTSUPP. */
	int (*allocate)(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes);
	int allocate_modes; /* LINUX_FALLOC_ bits it knows beside KEEP_SIZE and PUNCH_HOLE */
	/* The first byte from offset on that is data (or in a hole: there is one at the end of
	 * the file). Dirty pages have been written before. -ENXIO. NULL: all is data. */
	int64_t (*seek)(struct storage_node *node, uint64_t offset, bool data);
};

/* ---- nodes (storage_node.c) ----------------------------------------------- */

/* Sets up the common fields: one reference, times now, file_ops by the kind in `mode`. The
 * caller sets nlink, owner, size, times, rdev; of a link, data: the text, on the heap, ending
 * in NUL, and size, its length. */
void storage_node_init(struct storage_node *node, const struct vnode_ops *ops,
	struct file_system *fs, uint32_t mode, uint64_t inode);
/* In ops->release, before the memory is freed: the pages and the text of a link. A node whose
 * nlink is not 0 is clean by then; of one with nlink 0 the file system frees the inode. */
void storage_node_destroy(struct storage_node *node);

/* By number, with a reference; NULL: not in memory. */
struct storage_node *storage_find(struct file_system *fs, uint64_t inode);
/* Makes the node findable. If another thread was faster: that thread's node, with a reference;
 * the caller then drops its own (storage_node_destroy, free). Else the node itself. Until then
 * nobody else has seen the node. */
struct storage_node *storage_enter(struct storage_node *node);

/* .open of regular files and directories (more may be done before). Per-open data of the file
 * system: storage_open_data(). */
int storage_open(struct vnode *vnode, struct file *file);
void **storage_open_data(struct file *file);

/* Attributes were changed: write_attributes will be called. Any context that may take rank 51;
 * the file system itself need not when it has written them. `times_only`: lazily. */
void storage_mark_dirty(struct storage_node *node, bool times_only);

/* Contents changed elsewhere (a file of the host): forgets clean pages [first, last]; dirty
 * ones stay. May sleep. */
void storage_invalidate(struct storage_node *node, uint64_t first, uint64_t last);

/* Writes dirty pages [first, last] and waits for them; attributes if due. For file systems
 * that must before they ask elsewhere. */
int storage_write(struct storage_node *node, uint64_t first, uint64_t last);

/* The name may have changed elsewhere: the next lookup asks again. */
void storage_forget_name(struct vnode *directory, const char *name, size_t length);

/* ---- mounting (mount.c) ----------------------------------------------------- */

/* Puts `root` (the VFS takes the reference) over the directory `path`, which is made if it
 * is missing. `source` shows in /proc/mounts and is copied. fs->device is given a number if
 * it is 0. -EBUSY: "/" or a mount is there; -ENOTDIR... On errors the reference is dropped. */
int vfs_mount(const char *path, const char *source, struct file_system *fs, struct vnode *root);
/* Everything dirty of one file system (NULL: of all) to the medium. First error. */
int vfs_sync(struct file_system *fs, bool wait);
/* Closes files, syncs and unmounts all: at the end of the program, whose other threads have
 * been stopped. */
void vfs_unmount_all(void);

#endif
