/*
 * FUSE operations READDIR and READDIRPLUS. See fs_call.h.
 *
 * What getdents64 gave and the guest had no room for is kept for its next request: going back in
 * a directory of the host costs more than reading it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/fs_call.h"

#define BUFFER_BYTES 32768u

/* As getdents64(2) gives them. */
struct host_entry {
	uint64_t inode;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

struct fs_listing {
	uint64_t position; /* of the entry at `at` */
	unsigned at, end;  /* of what is in the buffer */
	bool is_at_end;    /* of the directory, behind the buffer */
	union {
		uint64_t align;
		uint8_t buffer[BUFFER_BYTES];
	};
};

void fs_listing_free(struct fs_listing *listing)
{
	free(listing);
}

static struct fs_listing *listing_of(struct fs_handle *handle)
{
	if (!handle->listing) {
		handle->listing = malloc(sizeof(*handle->listing));
		if (handle->listing)
			handle->listing->position = handle->listing->at = handle->listing->end = 0;
	}
	return handle->listing;
}

static int go_to(struct fs_listing *listing, int fd, uint64_t position)
{
	if (listing->position == position && position != 0)
		return 0;
	if (lseek(fd, (off_t)position, SEEK_SET) < 0)
		return -errno;
	listing->position = position;
	listing->at = listing->end = 0;
	return 0;
}

/* The next entry, or NULL at the end (*error 0) and on errors. */
static const struct host_entry *next_entry(struct fs_listing *listing, int fd, int *error)
{
	*error = 0;
	if (listing->at == listing->end) {
		long bytes = syscall(SYS_getdents64, fd, listing->buffer, BUFFER_BYTES);

		if (bytes <= 0) {
			*error = bytes < 0 ? -errno : 0;
			return NULL;
		}
		listing->at = 0;
		listing->end = (unsigned)bytes;
	}
	return (const void *)(listing->buffer + listing->at);
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

/* False: no room. */
static bool add_dirent(struct fs_call *call, size_t *left, const struct host_entry *entry)
{
	static const uint8_t zeroes[8];
	size_t name_bytes = strlen(entry->name);
	size_t bytes = sizeof(struct fuse_dirent) + name_bytes, padding = -bytes % 8;
	struct fuse_dirent dirent = {
		.inode = entry->inode,
		.next = (uint64_t)entry->next,
		.name_bytes = (uint32_t)name_bytes,
		.type = entry->type,
	};

	if (bytes + padding > *left)
		return false;
	*left -= bytes + padding;
	return fs_call_write(call, &dirent, sizeof(dirent)) == 0 &&
	       fs_call_write(call, entry->name, name_bytes) == 0 &&
	       fs_call_write(call, zeroes, padding) == 0;
}

/* With the entry in front; without one (node 0) for "." and "..", and for what has gone. */
static bool add_dirent_plus(
	struct fs_call *call, int directory, size_t *left, const struct host_entry *entry)
{
	struct fuse_entry_reply reply = {0};
	size_t bytes = ALIGN_UP(sizeof(struct fuse_dirent) + strlen(entry->name), 8);

	if (sizeof(reply) + bytes > *left)
		return false;
	if (!is_dot(entry->name) &&
		fs_find_entry(call->server, call->header.node, directory, entry->name, &reply) != 0)
		reply.node = 0;
	*left -= sizeof(reply);
	return fs_call_write(call, &reply, sizeof(reply)) == 0 && add_dirent(call, left, entry);
}

static int list(struct fs_call *call, struct fs_handle *handle, const struct fuse_transfer *request,
	bool plus)
{
	struct fs_listing *listing = listing_of(handle);
	size_t left = MIN((size_t)MIN(request->bytes, FS_MAX_TRANSFER), call->out.left);
	const struct host_entry *entry;
	int error = listing ? go_to(listing, handle->fd, request->offset) : -ENOMEM;

	if (error)
		return error;
	while ((entry = next_entry(listing, handle->fd, &error)) != NULL) {
		bool fits = plus ? add_dirent_plus(call, handle->fd, &left, entry)
				 : add_dirent(call, &left, entry);

		if (!fits)
			return call->out_bytes > 0 ? 0 : -EINVAL;
		listing->position = (uint64_t)entry->next;
		listing->at += entry->bytes;
	}
	return call->out_bytes > 0 ? 0 : error;
}

static int read_directory(struct fs_call *call, bool plus)
{
	struct fuse_transfer request;
	struct fs_handle *handle;
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	handle = fs_handle_get(call->server, request.handle, true);
	if (!handle)
		return -EBADF;
	pthread_mutex_lock(&handle->lock);
	error = list(call, handle, &request, plus);
	pthread_mutex_unlock(&handle->lock);
	fs_handle_put(call->server, handle);
	return error;
}

int fs_readdir(struct fs_call *call)
{
	return read_directory(call, false);
}

/* The entries' directory is that of the handle, not of the node: a guest that mixes them up
 * would get places that are wrong. */
int fs_readdirplus(struct fs_call *call)
{
	uint32_t type;
	int error, fd = fs_node_get(&call->server->nodes, call->header.node, &type);

	if (fd < 0)
		return fd;
	error = S_ISDIR(type) ? read_directory(call, true) : -ENOTDIR;
	fs_node_put(&call->server->nodes, call->header.node);
	return error;
}
