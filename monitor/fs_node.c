/*
 * See fs_node.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/fs_node.h"

#define CHUNK_NODES   1024u
#define CHUNKS        (FS_MAX_NODE / CHUNK_NODES)
#define FIRST_BUCKETS 1024u
#define DEEPEST       4096u /* directories above a node */
#define NO_NODE       0u

static struct fs_node *at(const struct fs_nodes *nodes, uint32_t number)
{
	return &nodes->chunks[number / CHUNK_NODES][number % CHUNK_NODES];
}

/* What the guest calls a node; NULL: there is none. */
static struct fs_node *find(const struct fs_nodes *nodes, uint64_t number)
{
	struct fs_node *node;

	if (number == NO_NODE || number >= nodes->count)
		return NULL;
	node = at(nodes, (uint32_t)number);
	return node->name && (node->lookups > 0 || number == FS_ROOT) ? node : NULL;
}

/* ---- by device and inode ----------------------------------------------------------- */

static uint32_t *bucket_of(const struct fs_nodes *nodes, dev_t device, ino_t inode)
{
	uint64_t hash = (inode ^ (uint64_t)device << 40) * 0x9e3779b97f4a7c15ull;

	return &nodes->buckets[(hash >> 32) & (nodes->bucket_count - 1)];
}

static uint32_t find_file(const struct fs_nodes *nodes, const struct stat *status)
{
	uint32_t number = *bucket_of(nodes, status->st_dev, status->st_ino);

	while (number != NO_NODE) {
		const struct fs_node *node = at(nodes, number);

		if (node->device == status->st_dev && node->inode == status->st_ino &&
			node->type == (status->st_mode & S_IFMT))
			return number;
		number = node->next;
	}
	return NO_NODE;
}

static void insert(struct fs_nodes *nodes, uint32_t number)
{
	struct fs_node *node = at(nodes, number);
	uint32_t *bucket = bucket_of(nodes, node->device, node->inode);

	node->next = *bucket;
	*bucket = number;
}

static void remove_file(struct fs_nodes *nodes, uint32_t number)
{
	const struct fs_node *node = at(nodes, number);
	uint32_t *link = bucket_of(nodes, node->device, node->inode);

	while (*link != number)
		link = &at(nodes, *link)->next;
	*link = node->next;
}

/* Twice the buckets when there are as many nodes; without memory it stays slow. */
static void grow_buckets(struct fs_nodes *nodes)
{
	uint32_t *fresh;

	if (nodes->live_count < nodes->bucket_count)
		return;
	fresh = calloc(nodes->bucket_count * 2, sizeof(*fresh));
	if (!fresh)
		return;
	free(nodes->buckets);
	nodes->buckets = fresh;
	nodes->bucket_count *= 2;
	for (uint32_t number = FS_ROOT; number < nodes->count; number++) {
		if (at(nodes, number)->name)
			insert(nodes, number);
	}
}

/* ---- numbers -------------------------------------------------------------------------- */

static uint32_t take_number(struct fs_nodes *nodes)
{
	uint32_t number = nodes->free;

	if (number != NO_NODE) {
		nodes->free = at(nodes, number)->next;
		return number;
	}
	number = nodes->count;
	if (number == FS_MAX_NODE)
		return NO_NODE;
	if (!nodes->chunks[number / CHUNK_NODES]) {
		nodes->chunks[number / CHUNK_NODES] = calloc(CHUNK_NODES, sizeof(struct fs_node));
		if (!nodes->chunks[number / CHUNK_NODES])
			return NO_NODE;
	}
	nodes->count++;
	return number;
}

static void close_node(struct fs_nodes *nodes, struct fs_node *node)
{
	if (node->fd < 0)
		return;
	close(node->fd);
	node->fd = -1;
	list_remove(&node->recent);
	nodes->open_count--;
}

/* Frees the node, and the directories that lived for it alone. */
static void free_unused(struct fs_nodes *nodes, uint32_t number)
{
	while (number != FS_ROOT) {
		struct fs_node *node = at(nodes, number);
		uint32_t directory = node->directory;

		if (node->lookups > 0 || node->users > 0 || node->children > 0)
			return;
		remove_file(nodes, number);
		close_node(nodes, node);
		free(node->name);
		node->name = NULL;
		node->next = nodes->free;
		nodes->free = number;
		nodes->live_count--;
		at(nodes, directory)->children--;
		number = directory;
	}
}

/* ---- descriptors ------------------------------------------------------------------------ */

/* Closes what was used least recently, down to the limit. What is in use stays. */
static void limit_open(struct fs_nodes *nodes)
{
	struct list *link = nodes->recent.next;

	while (nodes->open_count > nodes->open_limit && link != &nodes->recent) {
		struct fs_node *node = LIST_ENTRY(link, struct fs_node, recent);

		link = link->next;
		if (node != at(nodes, FS_ROOT) && node->users == 0)
			close_node(nodes, node);
	}
}

static int open_in(const struct fs_node *directory, struct fs_node *node)
{
	struct stat status;
	int error, fd = openat(directory->fd, node->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
	if (fstat(fd, &status) == 0 && status.st_dev == node->device &&
		status.st_ino == node->inode && (status.st_mode & S_IFMT) == node->type) {
		node->fd = fd;
		return 0;
	}
	error = -ESTALE;
	close(fd);
	return error;
}

/* Opens the node and the directories above it that are closed, from the top down: each pass
 * opens the topmost. */
static int open_node(struct fs_nodes *nodes, uint32_t number)
{
	for (unsigned pass = 0; at(nodes, number)->fd < 0; pass++) {
		uint32_t closed = number;
		unsigned depth = 0;
		struct fs_node *node;
		int error;

		while (at(nodes, at(nodes, closed)->directory)->fd < 0) {
			closed = at(nodes, closed)->directory;
			if (++depth > DEEPEST)
				return -ESTALE;
		}
		if (pass > DEEPEST)
			return -ESTALE;
		node = at(nodes, closed);
		error = open_in(at(nodes, node->directory), node);
		if (error)
			return error;
		list_add_last(&nodes->recent, &node->recent);
		nodes->open_count++;
	}
	return 0;
}

int fs_node_get(struct fs_nodes *nodes, uint64_t number, uint32_t *type)
{
	struct fs_node *node;
	int result = -ENOENT;

	pthread_mutex_lock(&nodes->lock);
	node = find(nodes, number);
	if (node) {
		result = node->fd < 0 ? open_node(nodes, (uint32_t)number) : 0;
		if (type)
			*type = node->type;
	}
	if (node && result == 0) {
		node->users++;
		list_remove(&node->recent);
		list_add_last(&nodes->recent, &node->recent);
		result = node->fd;
		limit_open(nodes);
	}
	pthread_mutex_unlock(&nodes->lock);
	return result;
}

void fs_node_put(struct fs_nodes *nodes, uint64_t number)
{
	pthread_mutex_lock(&nodes->lock);
	at(nodes, (uint32_t)number)->users--;
	free_unused(nodes, (uint32_t)number);
	pthread_mutex_unlock(&nodes->lock);
}

/* ---- what was found ------------------------------------------------------------------------ */

/* Is `number` the node `below`, or a directory above it? */
static bool is_above(const struct fs_nodes *nodes, uint32_t number, uint32_t below)
{
	for (unsigned depth = 0; below != FS_ROOT && depth <= DEEPEST; depth++) {
		if (below == number)
			return true;
		below = at(nodes, below)->directory;
	}
	return number == FS_ROOT || below != FS_ROOT;
}

static void place(struct fs_nodes *nodes, uint32_t number, uint32_t directory, const char *name)
{
	struct fs_node *node = at(nodes, number);
	uint32_t old = node->directory;
	char *copy;

	if (old == directory && strcmp(node->name, name) == 0)
		return;
	/* A directory that the host moved into itself, as it seems while it is moving. */
	if (number == FS_ROOT || is_above(nodes, number, directory))
		return;
	copy = strdup(name);
	if (!copy)
		return;
	free(node->name);
	node->name = copy;
	node->directory = directory;
	at(nodes, directory)->children++;
	at(nodes, old)->children--;
	free_unused(nodes, old);
}

static uint32_t add(
	struct fs_nodes *nodes, uint32_t directory, const char *name, const struct stat *status)
{
	char *copy = strdup(name);
	uint32_t number = copy ? take_number(nodes) : NO_NODE;

	if (number == NO_NODE) {
		free(copy);
		return NO_NODE;
	}
	*at(nodes, number) = (struct fs_node){
		.device = status->st_dev,
		.inode = status->st_ino,
		.type = status->st_mode & S_IFMT,
		.directory = directory,
		.fd = -1,
		.name = copy,
	};
	list_init(&at(nodes, number)->recent);
	at(nodes, directory)->children++;
	nodes->live_count++;
	grow_buckets(nodes);
	if (find_file(nodes, status) != number)
		insert(nodes, number);
	return number;
}

uint64_t fs_node_found(
	struct fs_nodes *nodes, uint64_t directory, const char *name, const struct stat *status)
{
	uint32_t number;

	pthread_mutex_lock(&nodes->lock);
	number = find_file(nodes, status);
	if (number == NO_NODE)
		number = add(nodes, (uint32_t)directory, name, status);
	else
		place(nodes, number, (uint32_t)directory, name);
	if (number != NO_NODE)
		at(nodes, number)->lookups++;
	pthread_mutex_unlock(&nodes->lock);
	return number;
}

void fs_node_forget(struct fs_nodes *nodes, uint64_t number, uint64_t lookups)
{
	struct fs_node *node;

	pthread_mutex_lock(&nodes->lock);
	node = find(nodes, number);
	if (node && number != FS_ROOT) {
		node->lookups -= MIN(lookups, node->lookups);
		free_unused(nodes, (uint32_t)number);
	}
	pthread_mutex_unlock(&nodes->lock);
}

static uint32_t find_place(const struct fs_nodes *nodes, uint32_t directory, const char *name)
{
	struct stat status;
	int fd = at(nodes, directory)->fd;

	if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return NO_NODE;
	return find_file(nodes, &status);
}

void fs_node_moved(struct fs_nodes *nodes, uint64_t from_directory, const char *from,
	uint64_t to_directory, const char *to, bool exchange)
{
	uint32_t number;

	pthread_mutex_lock(&nodes->lock);
	number = find_place(nodes, (uint32_t)to_directory, to);
	if (number != NO_NODE)
		place(nodes, number, (uint32_t)to_directory, to);
	if (exchange) {
		number = find_place(nodes, (uint32_t)from_directory, from);
		if (number != NO_NODE)
			place(nodes, number, (uint32_t)from_directory, from);
	}
	pthread_mutex_unlock(&nodes->lock);
}

/* Files of other file systems mounted below keep apart: their numbers differ in the high bits. */
uint64_t fs_node_inode(const struct fs_nodes *nodes, const struct stat *status)
{
	uint64_t inode = status->st_ino;

	if (status->st_dev != nodes->root_device)
		inode ^= (uint64_t)status->st_dev << 44 | 1ull << 63;
	return inode;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

bool fs_nodes_init(struct fs_nodes *nodes, int root_fd, unsigned open_limit)
{
	struct stat status;
	struct fs_node *root;

	*nodes = (struct fs_nodes){.open_limit = open_limit,
		.bucket_count = FIRST_BUCKETS,
		.count = FS_ROOT,
		.buckets = calloc(FIRST_BUCKETS, sizeof(uint32_t)),
		.chunks = calloc(CHUNKS, sizeof(struct fs_node *))};
	pthread_mutex_init(&nodes->lock, NULL);
	list_init(&nodes->recent);
	if (fstat(root_fd, &status) != 0 || !nodes->buckets || !nodes->chunks ||
		take_number(nodes) != FS_ROOT)
		return false;
	root = at(nodes, FS_ROOT);
	*root = (struct fs_node){.device = status.st_dev,
		.inode = status.st_ino,
		.type = S_IFDIR,
		.directory = FS_ROOT,
		.fd = root_fd,
		.name = strdup("")};
	nodes->root_device = status.st_dev;
	nodes->live_count = nodes->open_count = 1;
	list_add_last(&nodes->recent, &root->recent);
	insert(nodes, FS_ROOT);
	return root->name != NULL;
}

void fs_nodes_destroy(struct fs_nodes *nodes)
{
	for (uint32_t number = FS_ROOT; number < nodes->count; number++) {
		struct fs_node *node = at(nodes, number);

		if (node->name)
			close_node(nodes, node);
		free(node->name);
	}
	for (uint32_t i = 0; i < CHUNKS; i++)
		free(nodes->chunks[i]);
	free(nodes->chunks);
	free(nodes->buckets);
}
