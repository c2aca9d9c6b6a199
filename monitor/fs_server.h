/*
 * Serves one host directory over FUSE (abi/fuse.h).
 *
 * Everything in a request comes from the guest: node and handle numbers are looked up, names are
 * single components without a slash, lengths are checked. Nothing is ever opened by a path: a
 * node is reached from its directory's descriptor by one name, never following a symbolic link
 * (fs_node.h), so that no link and no renaming leads out of the directory. Only regular files and
 * directories are opened, after the type was seen through an O_PATH descriptor; devices are
 * neither opened nor made.
 *
 * Owner and group: the user that runs the monitor is root (0) in the guest, for files are made
 * with its rights; root's files belong to nobody there. A monitor run by root shows what is.
 *
 * Threads: fs_serve() may run in several at once. Cheap ones only unless `may_block`: what may
 * wait for a disk is then refused with FS_WOULD_BLOCK, nothing done.
 */
#ifndef MONITOR_FS_SERVER_H
#define MONITOR_FS_SERVER_H

#include <pthread.h>
#include <sys/uio.h>

#include "abi/fuse.h"
#include "monitor/fs_node.h"
#include "monitor/ring.h"

#define FS_MAX_TRANSFER (1u << 20)
#define FS_VALID_S      1 /* how long the guest may believe names and attributes */

struct fs_listing;

/* An open file. They are never freed, only used again. */
struct fs_handle {
	int fd; /* -1: free */
	uint32_t number;
	uint32_t next; /* free one */
	uint32_t users;
	bool is_directory;
	bool is_released;     /* closed when the last user is gone */
	pthread_mutex_t lock; /* guards the position and `listing` of a directory */
	struct fs_listing *listing;
};

struct fs_server {
	struct fs_nodes nodes;
	bool read_only;
	uint32_t own_uid, own_gid;
	pthread_mutex_t lock; /* guards handles */
	struct fs_handle **handles;
	uint32_t handle_count, handle_room, handle_free;
};

/* `root_fd` (O_PATH or a directory opened for reading) becomes the server's. `descriptors`: how
 * many it may keep open for nodes. False: no memory. */
bool fs_server_init(struct fs_server *server, int root_fd, bool read_only, unsigned descriptors);
/* Closes everything; for tests. */
void fs_server_destroy(struct fs_server *server);

#define FS_WOULD_BLOCK UINT32_MAX

/* Serves a request; the bytes written into it, for ring_give(). */
uint32_t fs_serve(struct fs_server *server, struct ring_request *request, bool may_block);

#endif
