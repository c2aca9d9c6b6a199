/*
 * FUSE operations on open files. See fs_call.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "monitor/fs_call.h"

#define COPY_MOST (64ull << 20) /* in one call; the guest asks again */

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

/* A node that cannot be opened, because its file is something else, has an O_PATH descriptor
 * all the same: the type was seen on the very file. */
int fs_open_node(struct fs_server *server, uint64_t node, int flags)
{
	char path[32];
	uint32_t type;
	int result = -EACCES, fd = fs_node_get(&server->nodes, node, &type);

	if (fd < 0)
		return fd;
	if (S_ISREG(type) || S_ISDIR(type)) {
		fs_descriptor_path(path, fd);
		result = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (result < 0)
			result = -errno;
	}
	fs_node_put(&server->nodes, node);
	return result;
}

/* What the guest may ask of an open: it has a cache of its own, so that it reads what is
 * open for writing only, and knows where to append. */
static int host_flags(uint32_t flags)
{
	int result = (int)(flags & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC));

	if ((result & O_ACCMODE) == O_WRONLY)
		result = (result & ~O_ACCMODE) | O_RDWR;
	return result;
}

static int open_file(struct fs_server *server, uint64_t node, uint32_t flags)
{
	int wanted = host_flags(flags), fd;

	if (server->read_only && ((wanted & O_ACCMODE) != O_RDONLY || (wanted & O_TRUNC)))
		return -EROFS;
	fd = fs_open_node(server, node, wanted);
	if (fd == -EACCES && (flags & O_ACCMODE) == O_WRONLY)
		fd = fs_open_node(server, node, (wanted & ~O_ACCMODE) | O_WRONLY);
	return fd;
}

static int reply_open(struct fs_call *call, int fd, bool is_directory)
{
	struct fuse_open_reply reply = {.flags = FUSE_OPEN_NO_FLUSH};
	int64_t handle = fs_handle_add(call->server, fd, is_directory);
	int error;

	if (handle < 0)
		return (int)handle;
	reply.handle = (uint64_t)handle;
	error = fs_call_write(call, &reply, sizeof(reply));
	if (error)
		fs_handle_release(call->server, (uint64_t)handle);
	return error;
}

int fs_open(struct fs_call *call)
{
	struct fuse_open request;
	int fd;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	fd = open_file(call->server, call->header.node, request.flags);
	if (fd < 0)
		return fd;
	return reply_open(call, fd, false);
}

int fs_opendir(struct fs_call *call)
{
	int fd = fs_open_node(call->server, call->header.node, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? fd : reply_open(call, fd, true);
}

/* A new file, or one that was there: that is opened as a node, after a look at its type. */
static int create_or_find(struct fs_call *call, const struct fuse_create *request, const char *name,
	int directory, struct fuse_entry_reply *entry)
{
	int flags = host_flags(request->flags) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int error, fd = openat(directory, name, flags, request->mode & 01777);

	if (fd < 0 && (errno != EEXIST || (request->flags & O_EXCL)))
		return -errno;
	error = fs_find_entry(call->server, call->header.node, directory, name, entry);
	if (error) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	if (fd >= 0)
		return fd;
	fd = open_file(call->server, entry->node, request->flags);
	if (fd < 0)
		fs_node_forget(&call->server->nodes, entry->node, 1);
	return fd;
}

int fs_create(struct fs_call *call)
{
	struct fuse_create request;
	struct fuse_entry_reply entry;
	char name[FS_NAME_MAX + 1];
	int error, fd, directory;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = fs_call_read_name(call, name);
	if (error)
		return error;
	directory = fs_get_directory(call, call->header.node);
	if (directory < 0)
		return directory;
	fd = create_or_find(call, &request, name, directory, &entry);
	fs_node_put(&call->server->nodes, call->header.node);
	if (fd < 0)
		return fd;
	error = fs_reply_entry(call, &entry);
	if (error) {
		close(fd);
		return error;
	}
	error = reply_open(call, fd, false);
	if (error)
		fs_node_forget(&call->server->nodes, entry.node, 1);
	return error;
}

/* ---- contents ---------------------------------------------------------------------------- */

/* Without waiting for a disk: FS_DEFER if that would be needed. */
static ssize_t read_cached(
	int fd, const struct iovec *parts, unsigned count, size_t bytes, uint64_t offset)
{
	uint8_t more;
	struct iovec rest = {&more, 1};
	ssize_t done = syscall(SYS_preadv2, fd, parts, count, offset, 0, RWF_NOWAIT), next;

	if (done < 0 && errno == EOPNOTSUPP)
		return preadv(fd, parts, (int)count, (off_t)offset);
	if (done < 0 || (size_t)done == bytes)
		return done;
	/* Less than wanted: the end of the file, or of what is in memory. */
	next = syscall(SYS_preadv2, fd, &rest, 1, offset + (uint64_t)done, 0, RWF_NOWAIT);
	if (next == 0)
		return done;
	errno = EAGAIN;
	return -1;
}

static int read_into(struct fs_call *call, int fd, const struct fuse_transfer *request)
{
	struct iovec parts[RING_REQUEST_PARTS];
	size_t bytes = MIN((size_t)MIN(request->bytes, FS_MAX_TRANSFER), call->out.left);
	unsigned count = fs_span_window(&call->out, bytes, parts);
	ssize_t done = 0;

	if (request->offset > INT64_MAX - FS_MAX_TRANSFER)
		return -EINVAL;
	if (count > 0 && call->may_block)
		done = preadv(fd, parts, (int)count, (off_t)request->offset);
	else if (count > 0)
		done = read_cached(fd, parts, count, bytes, request->offset);
	if (done < 0 && errno == EAGAIN && !call->may_block)
		return FS_DEFER;
	if (done < 0)
		return -errno;
	fs_span_skip(&call->out, (size_t)done);
	call->out_bytes += (uint32_t)done;
	return 0;
}

int fs_read(struct fs_call *call)
{
	struct fuse_transfer request;
	struct fs_handle *handle;
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	handle = fs_handle_get(call->server, request.handle, false);
	if (!handle)
		return -EBADF;
	error = read_into(call, handle->fd, &request);
	fs_handle_put(call->server, handle);
	return error;
}

static int write_from(struct fs_call *call, int fd, const struct fuse_transfer *request)
{
	struct iovec parts[RING_REQUEST_PARTS];
	unsigned count = fs_span_window(&call->in, request->bytes, parts);
	struct fuse_write_reply reply = {0};
	ssize_t done = 0;

	if (request->bytes > call->in.left || request->bytes > FS_MAX_TRANSFER ||
		request->offset > INT64_MAX - FS_MAX_TRANSFER)
		return -EINVAL;
	if (count > 0)
		done = pwritev(fd, parts, (int)count, (off_t)request->offset);
	if (done < 0)
		return -errno;
	reply.bytes = (uint32_t)done;
	return fs_call_write(call, &reply, sizeof(reply));
}

int fs_write(struct fs_call *call)
{
	struct fuse_transfer request;
	struct fs_handle *handle;
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	handle = fs_handle_get(call->server, request.handle, false);
	if (!handle)
		return -EBADF;
	error = write_from(call, handle->fd, &request);
	fs_handle_put(call->server, handle);
	return error;
}

/* ---- the rest ------------------------------------------------------------------------------ */

/* Nothing is kept here that a close would have to write. */
int fs_flush(struct fs_call *call)
{
	(void)call;
	return 0;
}

int fs_release(struct fs_call *call)
{
	struct fuse_release request;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	fs_handle_release(call->server, request.handle);
	return 0;
}

int fs_fsync(struct fs_call *call)
{
	bool is_directory = call->header.operation == FUSE_FSYNCDIR;
	struct fuse_fsync request;
	struct fs_handle *handle;
	int result;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	handle = fs_handle_get(call->server, request.handle, is_directory);
	if (!handle)
		return -EBADF;
	result = request.flags & FUSE_FSYNC_DATA ? fdatasync(handle->fd) : fsync(handle->fd);
	result = result == 0 ? 0 : -errno;
	fs_handle_put(call->server, handle);
	return result;
}

int fs_fallocate(struct fs_call *call)
{
	struct fuse_fallocate request;
	struct fs_handle *handle;
	long result;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	handle = fs_handle_get(call->server, request.handle, false);
	if (!handle)
		return -EBADF;
	result = syscall(SYS_fallocate, handle->fd, request.mode, request.offset, request.bytes);
	result = result == 0 ? 0 : -errno;
	fs_handle_put(call->server, handle);
	return (int)result;
}

int fs_lseek(struct fs_call *call)
{
	struct fuse_lseek request;
	struct fuse_lseek_reply reply;
	struct fs_handle *handle;
	off_t offset;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	if (request.whence != SEEK_DATA && request.whence != SEEK_HOLE)
		return -EINVAL;
	handle = fs_handle_get(call->server, request.handle, false);
	if (!handle)
		return -EBADF;
	offset = lseek(handle->fd, (off_t)request.offset, (int)request.whence);
	reply.offset = (uint64_t)offset;
	if (offset < 0)
		offset = -errno;
	fs_handle_put(call->server, handle);
	return offset < 0 ? (int)offset : fs_call_write(call, &reply, sizeof(reply));
}

static int copy(struct fs_call *call, int from, int to, const struct fuse_copy_file_range *request)
{
	int64_t in = (int64_t)request->offset_in, out = (int64_t)request->offset_out;
	size_t bytes = MIN(request->bytes, COPY_MOST);
	struct fuse_write_reply reply = {0};
	long done = syscall(SYS_copy_file_range, from, &in, to, &out, bytes, 0);

	if (done < 0)
		return -errno;
	reply.bytes = (uint32_t)done;
	return fs_call_write(call, &reply, sizeof(reply));
}

int fs_copy_file_range(struct fs_call *call)
{
	struct fuse_copy_file_range request;
	struct fs_handle *from, *to;
	int error = -EBADF;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	from = fs_handle_get(call->server, request.handle_in, false);
	to = fs_handle_get(call->server, request.handle_out, false);
	if (from && to)
		error = copy(call, from->fd, to->fd, &request);
	if (from)
		fs_handle_put(call->server, from);
	if (to)
		fs_handle_put(call->server, to);
	return error;
}
