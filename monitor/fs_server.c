/*
 * See fs_server.h: the table of operations, requests and replies, open files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/fs_call.h"

#define MAX_HANDLES (1u << 20)
#define NO_HANDLE   UINT32_MAX

/* ---- buffers ------------------------------------------------------------------------------ */

void fs_span_skip(struct fs_span *span, size_t bytes)
{
	bytes = MIN(bytes, span->left);
	span->left -= bytes;
	while (span->count > 0 && bytes >= span->parts->iov_len) {
		bytes -= span->parts->iov_len;
		span->parts++;
		span->count--;
	}
	if (bytes > 0) {
		span->parts->iov_base = (uint8_t *)span->parts->iov_base + bytes;
		span->parts->iov_len -= bytes;
	}
}

size_t fs_span_read(struct fs_span *span, void *buffer, size_t bytes)
{
	size_t done = 0;

	bytes = MIN(bytes, span->left);
	while (done < bytes) {
		size_t some = MIN(bytes - done, span->parts->iov_len);

		memcpy((uint8_t *)buffer + done, span->parts->iov_base, some);
		fs_span_skip(span, some);
		done += some;
	}
	return done;
}

size_t fs_span_write(struct fs_span *span, const void *data, size_t bytes)
{
	size_t done = 0;

	bytes = MIN(bytes, span->left);
	while (done < bytes) {
		size_t some = MIN(bytes - done, span->parts->iov_len);

		memcpy(span->parts->iov_base, (const uint8_t *)data + done, some);
		fs_span_skip(span, some);
		done += some;
	}
	return done;
}

unsigned fs_span_window(const struct fs_span *span, size_t bytes, struct iovec *parts)
{
	unsigned count = 0;

	bytes = MIN(bytes, span->left);
	while (bytes > 0) {
		parts[count] = span->parts[count];
		parts[count].iov_len = MIN(bytes, parts[count].iov_len);
		bytes -= parts[count].iov_len;
		count++;
	}
	return count;
}

bool fs_call_read(struct fs_call *call, void *structure, size_t bytes)
{
	return fs_span_read(&call->in, structure, bytes) == bytes;
}

int fs_call_read_text(struct fs_call *call, char *text, size_t capacity)
{
	for (size_t i = 0; i < capacity; i++) {
		if (fs_span_read(&call->in, &text[i], 1) == 0)
			return -EINVAL;
		if (text[i] == 0)
			return 0;
	}
	return -ENAMETOOLONG;
}

int fs_call_read_name(struct fs_call *call, char name[FS_NAME_MAX + 1])
{
	int error = fs_call_read_text(call, name, FS_NAME_MAX + 1);

	if (error)
		return error;
	if (name[0] == 0)
		return -ENOENT;
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return 0;
}

int fs_call_write(struct fs_call *call, const void *data, size_t bytes)
{
	if (bytes > call->out.left)
		return -ERANGE;
	fs_span_write(&call->out, data, bytes);
	call->out_bytes += (uint32_t)bytes;
	return 0;
}

/* ---- operations ----------------------------------------------------------------------------- */

static int init(struct fs_call *call)
{
	const uint32_t offered = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
				 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_WRITEBACK_CACHE |
				 FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES;
	struct fuse_init request = {0};
	struct fuse_init_reply reply = {
		.major = FUSE_VERSION_MAJOR,
		.minor = FUSE_VERSION_MINOR,
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = FS_MAX_TRANSFER,
		.time_granularity = 1,
		.max_pages = FS_MAX_TRANSFER / 4096,
	};

	if (fs_span_read(&call->in, &request, sizeof(request)) < FUSE_INIT_OLD_BYTES)
		return -EINVAL;
	if (request.major < FUSE_VERSION_MAJOR || (request.major == 7 && request.minor < 31))
		return -EPROTO;
	reply.max_readahead = request.max_readahead;
	reply.flags = request.flags & offered;
	return fs_call_write(call, &reply, sizeof(reply));
}

static int destroy(struct fs_call *call)
{
	(void)call;
	return 0;
}

enum operation_flag {
	CHANGES = 1,  /* not in a read-only directory */
	BLOCKS = 2,   /* may wait for a disk for long */
	NO_REPLY = 4, /* none is sent */
};

static const struct {
	fs_operation serve;
	unsigned flags;
} operations[] = {
	[FUSE_LOOKUP] = {fs_lookup, 0},
	[FUSE_FORGET] = {fs_forget, NO_REPLY},
	[FUSE_GETATTR] = {fs_getattr, 0},
	[FUSE_SETATTR] = {fs_setattr, CHANGES},
	[FUSE_READLINK] = {fs_readlink, 0},
	[FUSE_SYMLINK] = {fs_symlink, CHANGES},
	[FUSE_MKNOD] = {fs_mknod, CHANGES},
	[FUSE_MKDIR] = {fs_mkdir, CHANGES},
	[FUSE_UNLINK] = {fs_unlink, CHANGES},
	[FUSE_RMDIR] = {fs_rmdir, CHANGES},
	[FUSE_RENAME] = {fs_rename, CHANGES},
	[FUSE_LINK] = {fs_link, CHANGES},
	[FUSE_OPEN] = {fs_open, 0},
	[FUSE_READ] = {fs_read, 0},
	[FUSE_WRITE] = {fs_write, CHANGES},
	[FUSE_STATFS] = {fs_statfs, 0},
	[FUSE_RELEASE] = {fs_release, 0},
	[FUSE_FSYNC] = {fs_fsync, BLOCKS},
	[FUSE_SETXATTR] = {fs_setxattr, CHANGES},
	[FUSE_GETXATTR] = {fs_getxattr, 0},
	[FUSE_LISTXATTR] = {fs_listxattr, 0},
	[FUSE_REMOVEXATTR] = {fs_removexattr, CHANGES},
	[FUSE_FLUSH] = {fs_flush, 0},
	[FUSE_INIT] = {init, 0},
	[FUSE_OPENDIR] = {fs_opendir, 0},
	[FUSE_READDIR] = {fs_readdir, 0},
	[FUSE_RELEASEDIR] = {fs_release, 0},
	[FUSE_FSYNCDIR] = {fs_fsync, BLOCKS},
	[FUSE_CREATE] = {fs_create, CHANGES},
	[FUSE_INTERRUPT] = {destroy, NO_REPLY},
	[FUSE_DESTROY] = {destroy, 0},
	[FUSE_BATCH_FORGET] = {fs_batch_forget, NO_REPLY},
	[FUSE_FALLOCATE] = {fs_fallocate, CHANGES | BLOCKS},
	[FUSE_READDIRPLUS] = {fs_readdirplus, 0},
	[FUSE_RENAME2] = {fs_rename2, CHANGES},
	[FUSE_LSEEK] = {fs_lseek, 0},
	[FUSE_COPY_FILE_RANGE] = {fs_copy_file_range, CHANGES | BLOCKS},
};

static int serve(struct fs_call *call, unsigned flags)
{
	if ((flags & CHANGES) && call->server->read_only)
		return -EROFS;
	if ((flags & BLOCKS) && !call->may_block)
		return FS_DEFER;
	return operations[call->header.operation].serve(call);
}

uint32_t fs_serve(struct fs_server *server, struct ring_request *request, bool may_block)
{
	struct iovec in[RING_REQUEST_PARTS], out[RING_REQUEST_PARTS];
	struct fs_call call = {.server = server,
		.in = {in, request->read_count, request->read_bytes},
		.out = {out, request->write_count, request->write_bytes},
		.may_block = may_block};
	struct iovec header_parts[sizeof(struct fuse_reply)]; /* at least a byte each */
	struct fs_span header = {header_parts,
		MIN(request->write_count, (unsigned)ARRAY_SIZE(header_parts)),
		request->write_bytes};
	struct fuse_reply reply = {.bytes = sizeof(reply)};
	unsigned flags = 0;
	int result = -ENOSYS;

	memcpy(in, request->parts, request->read_count * sizeof(in[0]));
	memcpy(out, request->parts + request->read_count, request->write_count * sizeof(out[0]));
	memcpy(header_parts, out, header.count * sizeof(out[0]));
	if (fs_span_read(&call.in, &call.header, sizeof(call.header)) < sizeof(call.header))
		return 0;
	fs_span_skip(&call.out, sizeof(reply));
	if (call.header.bytes < sizeof(call.header) ||
		call.header.bytes - sizeof(call.header) > call.in.left)
		result = -EINVAL;
	else
		call.in.left = call.header.bytes - sizeof(call.header);
	if (result != -EINVAL && call.header.operation < ARRAY_SIZE(operations) &&
		operations[call.header.operation].serve) {
		flags = operations[call.header.operation].flags;
		result = serve(&call, flags);
	}
	if (result == FS_DEFER)
		return FS_WOULD_BLOCK;
	if ((flags & NO_REPLY) || request->write_bytes < sizeof(reply))
		return 0;
	reply.unique = call.header.unique;
	reply.error = result;
	if (result == 0)
		reply.bytes += call.out_bytes;
	fs_span_write(&header, &reply, sizeof(reply));
	return reply.bytes;
}

/* ---- open files -------------------------------------------------------------------------------
 */

int64_t fs_handle_add(struct fs_server *server, int fd, bool is_directory)
{
	uint32_t number;

	pthread_mutex_lock(&server->lock);
	number = server->handle_free;
	if (number != NO_HANDLE) {
		server->handle_free = server->handles[number]->next;
	} else if (server->handle_count < MAX_HANDLES) {
		if (server->handle_count == server->handle_room) {
			uint32_t room = server->handle_room ? server->handle_room * 2 : 64;
			void *more = realloc(server->handles, room * sizeof(server->handles[0]));

			if (more) {
				server->handles = more;
				server->handle_room = room;
			}
		}
		if (server->handle_count < server->handle_room) {
			struct fs_handle *handle = malloc(sizeof(*handle));

			if (handle) {
				number = server->handle_count++;
				server->handles[number] = handle;
			}
		}
	}
	if (number != NO_HANDLE) {
		*server->handles[number] = (struct fs_handle){
			.fd = fd, .number = number, .is_directory = is_directory};
		pthread_mutex_init(&server->handles[number]->lock, NULL);
	}
	pthread_mutex_unlock(&server->lock);
	if (number != NO_HANDLE)
		return number;
	close(fd);
	return -EMFILE;
}

static void close_unused(struct fs_server *server, struct fs_handle *handle)
{
	if (!handle->is_released || handle->users > 0)
		return;
	close(handle->fd);
	fs_listing_free(handle->listing);
	handle->fd = -1;
	handle->next = server->handle_free;
	server->handle_free = handle->number;
}

struct fs_handle *fs_handle_get(struct fs_server *server, uint64_t number, bool is_directory)
{
	struct fs_handle *handle = NULL;

	pthread_mutex_lock(&server->lock);
	if (number < server->handle_count)
		handle = server->handles[number];
	if (handle &&
		(handle->fd < 0 || handle->is_released || handle->is_directory != is_directory))
		handle = NULL;
	if (handle)
		handle->users++;
	pthread_mutex_unlock(&server->lock);
	return handle;
}

void fs_handle_put(struct fs_server *server, struct fs_handle *handle)
{
	pthread_mutex_lock(&server->lock);
	handle->users--;
	close_unused(server, handle);
	pthread_mutex_unlock(&server->lock);
}

void fs_handle_release(struct fs_server *server, uint64_t number)
{
	pthread_mutex_lock(&server->lock);
	if (number < server->handle_count && server->handles[number]->fd >= 0) {
		server->handles[number]->is_released = true;
		close_unused(server, server->handles[number]);
	}
	pthread_mutex_unlock(&server->lock);
}

/* ---- all of it
 * ----------------------------------------------------------------------------------- */

void fs_descriptor_path(char path[32], int fd)
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

bool fs_server_init(struct fs_server *server, int root_fd, bool read_only, unsigned descriptors)
{
	*server = (struct fs_server){.read_only = read_only,
		.own_uid = geteuid(),
		.own_gid = getegid(),
		.handle_free = NO_HANDLE};
	pthread_mutex_init(&server->lock, NULL);
	return fs_nodes_init(&server->nodes, root_fd, descriptors);
}

void fs_server_destroy(struct fs_server *server)
{
	for (uint32_t i = 0; i < server->handle_count; i++) {
		if (server->handles[i]->fd >= 0) {
			close(server->handles[i]->fd);
			fs_listing_free(server->handles[i]->listing);
		}
		free(server->handles[i]);
	}
	free(server->handles);
	fs_nodes_destroy(&server->nodes);
}
