/*
 * FUSE operations on attributes. See fs_call.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "monitor/fs_call.h"

#define NOBODY          65534u
#define XATTR_VALUE_MAX 65536u

/* ---- owners ---------------------------------------------------------------------------------- */

static uint32_t id_for_guest(uint32_t id, uint32_t own)
{
	if (id == own)
		return 0;
	return id == 0 ? NOBODY : id;
}

static uint32_t id_from_guest(uint32_t id, uint32_t own)
{
	return id == 0 ? own : id;
}

struct fuse_attributes fs_attributes_of(const struct fs_server *server, const struct stat *status)
{
	return (struct fuse_attributes){
		.inode = fs_node_inode(&server->nodes, status),
		.size = (uint64_t)status->st_size,
		.blocks = (uint64_t)status->st_blocks,
		.atime = (uint64_t)status->st_atim.tv_sec,
		.mtime = (uint64_t)status->st_mtim.tv_sec,
		.ctime = (uint64_t)status->st_ctim.tv_sec,
		.atime_ns = (uint32_t)status->st_atim.tv_nsec,
		.mtime_ns = (uint32_t)status->st_mtim.tv_nsec,
		.ctime_ns = (uint32_t)status->st_ctim.tv_nsec,
		.mode = status->st_mode,
		.nlink = (uint32_t)status->st_nlink,
		.uid = id_for_guest(status->st_uid, server->own_uid),
		.gid = id_for_guest(status->st_gid, server->own_gid),
		.rdev = (uint32_t)((minor(status->st_rdev) & 0xff) | major(status->st_rdev) << 8 |
				   (minor(status->st_rdev) & ~0xffu) << 12),
		.block_bytes = (uint32_t)status->st_blksize,
	};
}

static int reply_attributes(struct fs_call *call, int fd)
{
	struct fuse_attributes_reply reply = {.valid = FS_VALID_S};
	struct stat status;

	if (fstat(fd, &status) != 0)
		return -errno;
	reply.attributes = fs_attributes_of(call->server, &status);
	return fs_call_write(call, &reply, sizeof(reply));
}

int fs_getattr(struct fs_call *call)
{
	int error, fd = fs_node_get(&call->server->nodes, call->header.node, NULL);

	if (fd < 0)
		return fd;
	error = reply_attributes(call, fd);
	fs_node_put(&call->server->nodes, call->header.node);
	return error;
}

/* ---- setting ------------------------------------------------------------------------------------
 */

static int set_mode(int fd, uint32_t type, uint32_t mode)
{
	char path[32];

	if (S_ISLNK(type))
		return -EOPNOTSUPP;
	/* As in fs_mknod(): directories may pass their group on. */
	mode &= S_ISDIR(type) ? 03777 : 01777;
	fs_descriptor_path(path, fd);
	return chmod(path, mode) == 0 ? 0 : -errno;
}

static int set_owner(const struct fs_server *server, int fd, const struct fuse_setattr *request)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (request->valid & FUSE_SET_UID)
		uid = id_from_guest(request->uid, server->own_uid);
	if (request->valid & FUSE_SET_GID)
		gid = id_from_guest(request->gid, server->own_gid);
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

static int set_size(struct fs_call *call, uint32_t type, const struct fuse_setattr *request)
{
	struct fs_handle *handle = NULL;
	int error = 0, fd;

	if (!S_ISREG(type))
		return S_ISDIR(type) ? -EISDIR : -EINVAL;
	if (request->size > INT64_MAX)
		return -EINVAL;
	if (request->valid & FUSE_SET_HANDLE)
		handle = fs_handle_get(call->server, request->handle, false);
	if (handle) {
		error = ftruncate(handle->fd, (off_t)request->size) == 0 ? 0 : -errno;
		fs_handle_put(call->server, handle);
		return error;
	}
	fd = fs_open_node(call->server, call->header.node, O_WRONLY);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)request->size) != 0)
		error = -errno;
	close(fd);
	return error;
}

static struct timespec time_of(
	const struct fuse_setattr *request, unsigned set, unsigned now, uint64_t s, uint32_t ns)
{
	if (request->valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (request->valid & set)
		return (struct timespec){(time_t)s, ns < 1000000000 ? (long)ns : 0};
	return (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(int fd, uint32_t type, const struct fuse_setattr *request)
{
	struct timespec times[2] = {
		time_of(request, FUSE_SET_ATIME, FUSE_SET_ATIME_NOW, request->atime,
			request->atime_ns),
		time_of(request, FUSE_SET_MTIME, FUSE_SET_MTIME_NOW, request->mtime,
			request->mtime_ns),
	};
	char path[32];

	if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0)
		return 0;
	/* Before Linux 5.8. */
	if (errno != EINVAL || S_ISLNK(type))
		return -errno;
	fs_descriptor_path(path, fd);
	return utimensat(AT_FDCWD, path, times, 0) == 0 ? 0 : -errno;
}

static int set(struct fs_call *call, int fd, uint32_t type, const struct fuse_setattr *request)
{
	const unsigned times =
		FUSE_SET_ATIME | FUSE_SET_MTIME | FUSE_SET_ATIME_NOW | FUSE_SET_MTIME_NOW;
	int error = 0;

	if (request->valid & FUSE_SET_MODE)
		error = set_mode(fd, type, request->mode);
	if (!error && (request->valid & (FUSE_SET_UID | FUSE_SET_GID)))
		error = set_owner(call->server, fd, request);
	if (!error && (request->valid & FUSE_SET_SIZE))
		error = set_size(call, type, request);
	if (!error && (request->valid & times))
		error = set_times(fd, type, request);
	return error;
}

int fs_setattr(struct fs_call *call)
{
	struct fuse_setattr request;
	uint32_t type;
	int fd, error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	fd = fs_node_get(&call->server->nodes, call->header.node, &type);
	if (fd < 0)
		return fd;
	error = set(call, fd, type, &request);
	if (!error)
		error = reply_attributes(call, fd);
	fs_node_put(&call->server->nodes, call->header.node);
	return error;
}

int fs_statfs(struct fs_call *call)
{
	struct fuse_statfs_reply reply;
	struct statvfs usage;
	int error = 0, fd = fs_node_get(&call->server->nodes, call->header.node, NULL);

	if (fd < 0)
		return fd;
	if (fstatvfs(fd, &usage) != 0)
		error = -errno;
	fs_node_put(&call->server->nodes, call->header.node);
	if (error)
		return error;
	reply = (struct fuse_statfs_reply){
		.blocks = usage.f_blocks,
		.free_blocks = usage.f_bfree,
		.available_blocks = usage.f_bavail,
		.files = usage.f_files,
		.free_files = usage.f_ffree,
		.block_bytes = (uint32_t)usage.f_bsize,
		.name_bytes = (uint32_t)usage.f_namemax,
		.fragment_bytes = (uint32_t)usage.f_frsize,
	};
	return fs_call_write(call, &reply, sizeof(reply));
}

/* ---- extended attributes
 * ------------------------------------------------------------------------- Only those of users:
 * the others mean something to the host's kernel. */

static bool is_allowed(const char *name)
{
	return strncmp(name, "user.", 5) == 0;
}

/* Only files and directories have them; others cannot be reached by their descriptors. */
static int get_with_attributes(struct fs_call *call, char path[32])
{
	uint32_t type;
	int fd = fs_node_get(&call->server->nodes, call->header.node, &type);

	if (fd < 0)
		return fd;
	fs_descriptor_path(path, fd);
	if (S_ISREG(type) || S_ISDIR(type))
		return 0;
	fs_node_put(&call->server->nodes, call->header.node);
	return -EPERM;
}

int fs_setxattr(struct fs_call *call)
{
	struct fuse_setxattr request;
	char name[FS_NAME_MAX + 1], path[32];
	void *value;
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = fs_call_read_text(call, name, sizeof(name));
	if (error)
		return error;
	if (!is_allowed(name))
		return -EOPNOTSUPP;
	if (request.bytes > XATTR_VALUE_MAX || request.bytes > call->in.left)
		return -E2BIG;
	value = malloc(request.bytes + 1);
	if (!value)
		return -ENOMEM;
	fs_span_read(&call->in, value, request.bytes);
	error = get_with_attributes(call, path);
	if (!error) {
		if (setxattr(path, name, value, request.bytes, (int)(request.flags & 3)) != 0)
			error = -errno;
		fs_node_put(&call->server->nodes, call->header.node);
	}
	free(value);
	return error;
}

/* What the host gave: the size if the guest asked for that, else the value. */
static int reply_value(struct fs_call *call, uint32_t capacity, const void *value, ssize_t bytes)
{
	struct fuse_getxattr size = {.bytes = (uint32_t)bytes};

	if (bytes < 0)
		return (int)bytes;
	if (capacity == 0)
		return fs_call_write(call, &size, sizeof(size));
	return (size_t)bytes > capacity ? -ERANGE : fs_call_write(call, value, (size_t)bytes);
}

int fs_getxattr(struct fs_call *call)
{
	struct fuse_getxattr request;
	char name[FS_NAME_MAX + 1], path[32];
	void *value;
	ssize_t bytes;
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = fs_call_read_text(call, name, sizeof(name));
	if (error)
		return error;
	if (!is_allowed(name))
		return -EOPNOTSUPP;
	error = get_with_attributes(call, path);
	if (error)
		return error == -EPERM ? -ENODATA : error;
	value = malloc(XATTR_VALUE_MAX);
	bytes = value ? getxattr(path, name, value, XATTR_VALUE_MAX) : -1;
	bytes = bytes < 0 ? (value ? -errno : -ENOMEM) : bytes;
	fs_node_put(&call->server->nodes, call->header.node);
	error = reply_value(call, request.bytes, value, bytes);
	free(value);
	return error;
}

/* Leaves those that the guest may see; returns their bytes. */
static ssize_t filter_names(char *names, ssize_t bytes)
{
	ssize_t kept = 0;

	for (ssize_t at = 0; at < bytes;) {
		ssize_t length = (ssize_t)strlen(names + at) + 1;

		if (is_allowed(names + at)) {
			memmove(names + kept, names + at, (size_t)length);
			kept += length;
		}
		at += length;
	}
	return kept;
}

int fs_listxattr(struct fs_call *call)
{
	struct fuse_getxattr request;
	char path[32], *names;
	ssize_t bytes;
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = get_with_attributes(call, path);
	if (error)
		return error == -EPERM ? reply_value(call, request.bytes, NULL, 0) : error;
	names = malloc(XATTR_VALUE_MAX + 1);
	bytes = names ? listxattr(path, names, XATTR_VALUE_MAX) : -1;
	bytes = bytes < 0 ? (names ? -errno : -ENOMEM) : bytes;
	fs_node_put(&call->server->nodes, call->header.node);
	if (bytes > 0) {
		names[bytes] = 0;
		bytes = filter_names(names, bytes);
	}
	error = reply_value(call, request.bytes, names, bytes);
	free(names);
	return error;
}

int fs_removexattr(struct fs_call *call)
{
	char name[FS_NAME_MAX + 1], path[32];
	int error = fs_call_read_text(call, name, sizeof(name));

	if (error)
		return error;
	if (!is_allowed(name))
		return -EOPNOTSUPP;
	error = get_with_attributes(call, path);
	if (error)
		return error;
	if (removexattr(path, name) != 0)
		error = -errno;
	fs_node_put(&call->server->nodes, call->header.node);
	return error;
}
