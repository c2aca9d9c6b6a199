/*
 * The files of a host directory that the guest knows of, by number.
 *
 * A node is a file of the host (device and inode) and the place where it was last seen: its
 * directory's node and one name. Its O_PATH descriptor is opened when it is first needed and
 * closed again when too many are open, the least recently used first; it is then opened anew
 * from its place, and what is found there must be the same file, or the node is stale (-ESTALE:
 * the guest looks the name up again). Names are opened one at a time without following links:
 * nothing outside of the root directory can become a node.
 *
 * A node lives while the guest has looked it up more often than it forgot it, while a thread
 * uses it, or while it is the directory of another one. `lock` guards everything.
 */
#ifndef MONITOR_FS_NODE_H
#define MONITOR_FS_NODE_H

#include <pthread.h>
#include <sys/stat.h>

#include "lib/compiler.h"
#include "lib/list.h"

#define FS_ROOT     1u         /* number of the root */
#define FS_MAX_NODE (1u << 24) /* nodes at most; then the guest is told -ENFILE */

struct fs_node {
	dev_t device;
	ino_t inode;
	uint64_t lookups;
	uint32_t users;    /* threads that have got it: its descriptor stays */
	uint32_t children; /* nodes whose directory it is */
	uint32_t directory;
	uint32_t next; /* in the hash chain, or among the free ones */
	uint32_t type; /* S_IFMT */
	int fd;        /* O_PATH; -1: none */
	char *name;    /* NULL: the node is free (the root's: "") */
	struct list recent;
};

struct fs_nodes {
	pthread_mutex_t lock;
	struct fs_node **chunks;
	uint32_t count, free; /* numbers given out ever; the first free one */
	uint32_t *buckets;
	uint32_t bucket_count, live_count;
	struct list recent; /* nodes with descriptors, the least recently used first */
	unsigned open_count, open_limit;
	dev_t root_device;
};

/* Takes root_fd. False: no memory. */
bool fs_nodes_init(struct fs_nodes *nodes, int root_fd, unsigned open_limit);
void fs_nodes_destroy(struct fs_nodes *nodes);

/*
 * The node's descriptor, open until fs_node_put() (only then, and as often). -ENOENT: the guest
 * has no such node; -ESTALE, or an error of the host. *type, if wanted: its S_IFMT.
 */
int fs_node_get(struct fs_nodes *nodes, uint64_t number, uint32_t *type);
void fs_node_put(struct fs_nodes *nodes, uint64_t number);

/* The node of the file that `status` was read from at `name` in `directory` (which the caller
 * has got), counted as looked up once more. 0: no memory, or too many. */
uint64_t fs_node_found(
	struct fs_nodes *nodes, uint64_t directory, const char *name, const struct stat *status);
void fs_node_forget(struct fs_nodes *nodes, uint64_t number, uint64_t lookups);

/* Names were changed, as told: the nodes' places follow. Directories are those the caller has
 * got; `exchange` swaps the two. */
void fs_node_moved(struct fs_nodes *nodes, uint64_t from_directory, const char *from,
	uint64_t to_directory, const char *to, bool exchange);

/* What the guest sees as inode number. */
uint64_t fs_node_inode(const struct fs_nodes *nodes, const struct stat *status);

#endif
