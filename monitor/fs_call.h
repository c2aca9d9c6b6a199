/*
 * One FUSE request being served: reads what the guest sent front to back, writes the reply.
 *
 * The buffers lie in guest memory: what is read is copied once, and the copy is checked.
 */
#ifndef MONITOR_FS_CALL_H
#define MONITOR_FS_CALL_H

#include "monitor/fs_server.h"

#define FS_NAME_MAX 255

struct fs_span {
	struct iovec *parts;
	unsigned count;
	size_t left; /* bytes */
};

struct fs_call {
	struct fs_server *server;
	struct fuse_request header;
	struct fs_span in;
	struct fs_span out; /* behind the reply's header */
	uint32_t out_bytes; /* written there */
	bool may_block;
};

/* Moves min(bytes, left); returns how many. */
size_t fs_span_read(struct fs_span *span, void *buffer, size_t bytes);
size_t fs_span_write(struct fs_span *span, const void *data, size_t bytes);
/* The first `bytes` (at most what is left) for a system call: sets parts and count, which the
 * caller gives back unchanged to fs_span_skip(). */
unsigned fs_span_window(const struct fs_span *span, size_t bytes, struct iovec *parts);
void fs_span_skip(struct fs_span *span, size_t bytes);

/* The structure of the operation. False: the request is too short. */
MUST_CHECK bool fs_call_read(struct fs_call *call, void *structure, size_t bytes);
/* The next name, one component: -EINVAL, -ENAMETOOLONG, -ENOENT (empty). */
int fs_call_read_name(struct fs_call *call, char name[FS_NAME_MAX + 1]);
/* Text up to its NUL, at most `capacity` with it: -EINVAL, -ENAMETOOLONG. */
int fs_call_read_text(struct fs_call *call, char *text, size_t capacity);
/* Appends to the reply. -ERANGE: the guest has no room for it. */
int fs_call_write(struct fs_call *call, const void *data, size_t bytes);

/* ---- the operations: 0 or -E; FS_DEFER: it would block ------------------------------------- */

#define FS_DEFER 1

typedef int (*fs_operation)(struct fs_call *call);

/* fs_names.c */
int fs_lookup(struct fs_call *call);
int fs_mknod(struct fs_call *call);
int fs_mkdir(struct fs_call *call);
int fs_symlink(struct fs_call *call);
int fs_readlink(struct fs_call *call);
int fs_link(struct fs_call *call);
int fs_unlink(struct fs_call *call);
int fs_rmdir(struct fs_call *call);
int fs_rename(struct fs_call *call);
int fs_rename2(struct fs_call *call);
int fs_forget(struct fs_call *call);
int fs_batch_forget(struct fs_call *call);

/* fs_attributes.c */
int fs_getattr(struct fs_call *call);
int fs_setattr(struct fs_call *call);
int fs_statfs(struct fs_call *call);
int fs_setxattr(struct fs_call *call);
int fs_getxattr(struct fs_call *call);
int fs_listxattr(struct fs_call *call);
int fs_removexattr(struct fs_call *call);

/* fs_data.c */
int fs_open(struct fs_call *call);
int fs_create(struct fs_call *call);
int fs_read(struct fs_call *call);
int fs_write(struct fs_call *call);
int fs_flush(struct fs_call *call);
int fs_release(struct fs_call *call);
int fs_fsync(struct fs_call *call);
int fs_fallocate(struct fs_call *call);
int fs_lseek(struct fs_call *call);
int fs_copy_file_range(struct fs_call *call);

/* fs_directory.c */
int fs_opendir(struct fs_call *call);
int fs_readdir(struct fs_call *call);
int fs_readdirplus(struct fs_call *call);
void fs_listing_free(struct fs_listing *listing);

/* ---- for them -------------------------------------------------------------------------------- */

struct fuse_attributes fs_attributes_of(const struct fs_server *server, const struct stat *status);
/* Looks `name` up in the directory (got, as `fd`) and counts the lookup. */
int fs_find_entry(struct fs_server *server, uint64_t directory, int fd, const char *name,
	struct fuse_entry_reply *entry);
/* Appends the entry; forgets it if there is no room. */
int fs_reply_entry(struct fs_call *call, const struct fuse_entry_reply *entry);
/* The directory's descriptor (fs_node_put() it), -ENOTDIR, -E. */
int fs_get_directory(struct fs_call *call, uint64_t node);
/* The node opened by way of its O_PATH descriptor, which has to be a regular file or directory:
 * a new descriptor, -EOPNOTSUPP, -E. */
int fs_open_node(struct fs_server *server, uint64_t node, int flags);
/* "/proc/self/fd/N", for calls that take no O_PATH descriptor. */
void fs_descriptor_path(char path[32], int fd);

/* An open file until fs_handle_put(); NULL: there is none of that number and kind. */
struct fs_handle *fs_handle_get(struct fs_server *server, uint64_t number, bool is_directory);
void fs_handle_put(struct fs_server *server, struct fs_handle *handle);
/* Takes fd; its number, or -EMFILE (fd is closed then). */
int64_t fs_handle_add(struct fs_server *server, int fd, bool is_directory);
/* Closes it when nobody uses it any more. */
void fs_handle_release(struct fs_server *server, uint64_t number);

#endif
