/*
 * A directory of the host as a file system: a client of the FUSE protocol (abi/fuse.h).
 *
 * A node is what the server calls a node; it keeps its handles, opened when contents are wanted
 * and closed when many are open (handle.c). Names and attributes are believed as long as the
 * server says. Changes of attributes and names go to the server at once; contents when a file
 * is closed, synced, or after some seconds. Contents that changed on the host are noticed when
 * attributes are asked for.
 */
#ifndef KERNEL_FS_FUSE_FUSE_H
#define KERNEL_FS_FUSE_FUSE_H

#include "abi/fuse.h"
#include "kernel/fs/fuse/transport.h"
#include "kernel/fs/storage.h"

struct fuse {
	struct file_system fs;
	struct fuse_transport *transport;
	uint64_t unique; /* atomic */
	uint32_t most_transfer;
	/* Guards opening and closing of handles, and the list. */
	struct mutex handle_lock;
	struct list handles; /* open ones, least recently used first */
	uint32_t handle_count;
};

struct fuse_handle {
	struct list link;
	struct fuse_node *node;
	uint64_t number;
	uint32_t users; /* atomic: transfers under way */
	bool is_open;
};

enum fuse_handle_kind {
	FUSE_READING, /* of directories too */
	FUSE_WRITING, /* and reading */
	FUSE_HANDLE_KINDS,
};

struct fuse_node {
	struct storage_node storage;
	uint64_t lookups; /* what the server counts; atomic */
	uint64_t host_inode;
	uint64_t blocks;
	uint64_t attributes_until_ns; /* clock_monotonic_ns() */
	int64_t host_mtime_ns;        /* as told last */
	uint64_t host_size;
	bool has_written; /* since then: what is told next is our own doing */
	struct fuse_handle handles[FUSE_HANDLE_KINDS];
};

static inline struct fuse_node *fuse_node_of(struct vnode *vnode)
{
	return CONTAINER_OF(vnode, struct fuse_node, storage.vnode);
}

static inline struct fuse *fuse_of(const struct vnode *vnode)
{
	return vnode->fs->data;
}

/* Starts a session, and gives the root with a reference. -EIO, -EPROTO... The transport stays
 * for ever. */
int fuse_open(struct fuse_transport *transport, bool read_only, struct file_system **fs,
	struct vnode **root);

/* ---- calls (call.c) --------------------------------------------------------- */

struct fuse_call {
	uint32_t operation;
	uint64_t node;
	const void *structure;
	uint32_t structure_bytes;
	const char *names[2]; /* not terminated; NULL: none */
	size_t name_lengths[2];
	const void *value; /* after the names */
	size_t value_bytes;
	void *reply;
	uint32_t reply_capacity;
	uint32_t reply_bytes; /* what came */
};

/* Sleeps until the reply is there: 0 or -E. */
int fuse_call(struct fuse *fuse, struct fuse_call *call);
/* Without a reply; not waited for. */
void fuse_forget(struct fuse *fuse, uint64_t node, uint64_t lookups);
/* Checks a reply of `replied` bytes: 0 or -E. */
int fuse_check_reply(const struct fuse_reply *reply, uint32_t replied);
uint64_t fuse_next_unique(struct fuse *fuse);

/* ---- handles (handle.c) -------------------------------------------------------- */

/* An open handle that stays so until it is put back. */
int fuse_handle_get(struct fuse_node *node, enum fuse_handle_kind kind, uint64_t *number);
void fuse_handle_put(struct fuse_node *node, enum fuse_handle_kind kind); /* any context */
/* A handle that came with a new file. */
void fuse_handle_adopt(struct fuse_node *node, enum fuse_handle_kind kind, uint64_t number);
/* Closes what is open of a node that goes, or (of directories) is to be read anew. */
void fuse_handles_close(struct fuse_node *node);

/* ---- attributes (node.c), contents (contents.c) ---------------------------------- */

/* From a reply. Notices contents that changed on the host. */
void fuse_take_attributes(struct vnode *vnode, const struct fuse_attributes *attributes,
	uint64_t valid_s, uint32_t valid_ns);
void fuse_read_pages(struct storage_node *node, struct storage_io *io);
void fuse_write_pages(struct storage_node *node, struct storage_io *io);
int fuse_set_size(struct storage_node *node, uint64_t bytes);
int fuse_allocate(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes);
int64_t fuse_seek(struct storage_node *node, uint64_t offset, bool data);
int fuse_sync_node(struct storage_node *node, bool data_only);
int fuse_read_directory(
	struct storage_node *directory, uint64_t position, struct directory_sink *sink);

#endif
