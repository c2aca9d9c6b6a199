/*
 * FUSE operations on names. See fs_call.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/fs_call.h"

#define LINK_TEXT_MAX 4096

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#endif

int fs_get_directory(struct fs_call *call, uint64_t node)
{
	uint32_t type;
	int fd = fs_node_get(&call->server->nodes, node, &type);

	if (fd < 0 || S_ISDIR(type))
		return fd;
	fs_node_put(&call->server->nodes, node);
	return -ENOTDIR;
}

static int fill_entry(struct fs_server *server, uint64_t directory, const char *name,
	const struct stat *status, struct fuse_entry_reply *entry)
{
	uint64_t node = fs_node_found(&server->nodes, directory, name, status);

	if (node == 0)
		return -ENFILE;
	*entry = (struct fuse_entry_reply){.node = node,
		.entry_valid = FS_VALID_S,
		.attributes_valid = FS_VALID_S,
		.attributes = fs_attributes_of(server, status)};
	return 0;
}

int fs_find_entry(struct fs_server *server, uint64_t directory, int fd, const char *name,
	struct fuse_entry_reply *entry)
{
	struct stat status;

	if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
		return -errno;
	return fill_entry(server, directory, name, &status, entry);
}

int fs_reply_entry(struct fs_call *call, const struct fuse_entry_reply *entry)
{
	int error = fs_call_write(call, entry, sizeof(*entry));

	if (error)
		fs_node_forget(&call->server->nodes, entry->node, 1);
	return error;
}

int fs_lookup(struct fs_call *call)
{
	struct fuse_entry_reply entry;
	char name[FS_NAME_MAX + 1];
	int fd, error = fs_call_read_name(call, name);

	if (error)
		return error;
	fd = fs_get_directory(call, call->header.node);
	if (fd < 0)
		return fd;
	error = fs_find_entry(call->server, call->header.node, fd, name, &entry);
	fs_node_put(&call->server->nodes, call->header.node);
	return error ? error : fs_reply_entry(call, &entry);
}

/* ---- making names ------------------------------------------------------------------------ */

struct new_name {
	char name[FS_NAME_MAX + 1];
	uint32_t mode;
	const char *target; /* of a symbolic link */
	uint64_t node;      /* of a hard link */
};

typedef int (*make_name)(struct fs_call *call, int directory, const struct new_name *what);

/* Makes the name and replies with its entry. */
static int make(struct fs_call *call, const struct new_name *what, make_name function)
{
	struct fuse_entry_reply entry;
	int error, fd = fs_get_directory(call, call->header.node);

	if (fd < 0)
		return fd;
	error = function(call, fd, what);
	if (!error)
		error = fs_find_entry(call->server, call->header.node, fd, what->name, &entry);
	fs_node_put(&call->server->nodes, call->header.node);
	return error ? error : fs_reply_entry(call, &entry);
}

static int make_node(struct fs_call *call, int directory, const struct new_name *what)
{
	(void)call;
	return mknodat(directory, what->name, what->mode, 0) == 0 ? 0 : -errno;
}

/* No devices, and no files that run with another's rights: the host's users would run them. */
int fs_mknod(struct fs_call *call)
{
	struct fuse_mknod request;
	struct new_name what = {.target = NULL};
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = fs_call_read_name(call, what.name);
	if (error)
		return error;
	if (!S_ISREG(request.mode) && !S_ISFIFO(request.mode) && !S_ISSOCK(request.mode))
		return -EPERM;
	what.mode = request.mode & (S_IFMT | 01777);
	return make(call, &what, make_node);
}

static int make_directory(struct fs_call *call, int directory, const struct new_name *what)
{
	(void)call;
	return mkdirat(directory, what->name, what->mode) == 0 ? 0 : -errno;
}

int fs_mkdir(struct fs_call *call)
{
	struct fuse_mkdir request;
	struct new_name what = {.target = NULL};
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = fs_call_read_name(call, what.name);
	what.mode = request.mode & 01777;
	return error ? error : make(call, &what, make_directory);
}

static int make_symlink(struct fs_call *call, int directory, const struct new_name *what)
{
	(void)call;
	return symlinkat(what->target, directory, what->name) == 0 ? 0 : -errno;
}

/* The text may be anything: it is only followed in the guest. */
int fs_symlink(struct fs_call *call)
{
	char target[LINK_TEXT_MAX];
	struct new_name what = {.target = target};
	int error = fs_call_read_name(call, what.name);

	if (!error)
		error = fs_call_read_text(call, target, sizeof(target));
	return error ? error : make(call, &what, make_symlink);
}

static int make_link(struct fs_call *call, int directory, const struct new_name *what)
{
	char path[32];
	uint32_t type;
	int error = 0, fd = fs_node_get(&call->server->nodes, what->node, &type);

	if (fd < 0)
		return fd;
	fs_descriptor_path(path, fd);
	if (S_ISDIR(type))
		error = -EPERM;
	else if (linkat(AT_FDCWD, path, directory, what->name, AT_SYMLINK_FOLLOW) != 0)
		error = -errno;
	fs_node_put(&call->server->nodes, what->node);
	return error;
}

int fs_link(struct fs_call *call)
{
	struct fuse_link request;
	struct new_name what = {.target = NULL};
	int error;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	error = fs_call_read_name(call, what.name);
	what.node = request.target;
	return error ? error : make(call, &what, make_link);
}

int fs_readlink(struct fs_call *call)
{
	char text[LINK_TEXT_MAX];
	uint32_t type;
	ssize_t bytes = -EINVAL;
	int fd = fs_node_get(&call->server->nodes, call->header.node, &type);

	if (fd < 0)
		return fd;
	if (S_ISLNK(type)) {
		bytes = readlinkat(fd, "", text, sizeof(text));
		if (bytes < 0)
			bytes = -errno;
	}
	fs_node_put(&call->server->nodes, call->header.node);
	return bytes < 0 ? (int)bytes : fs_call_write(call, text, (size_t)bytes);
}

/* ---- removing and moving them ----------------------------------------------------------- */

static int remove_name(struct fs_call *call, int flags)
{
	char name[FS_NAME_MAX + 1];
	int fd, error = fs_call_read_name(call, name);

	if (error)
		return error;
	fd = fs_get_directory(call, call->header.node);
	if (fd < 0)
		return fd;
	error = unlinkat(fd, name, flags) == 0 ? 0 : -errno;
	fs_node_put(&call->server->nodes, call->header.node);
	return error;
}

int fs_unlink(struct fs_call *call)
{
	return remove_name(call, 0);
}

int fs_rmdir(struct fs_call *call)
{
	return remove_name(call, AT_REMOVEDIR);
}

static int rename_between(struct fs_call *call, int from_fd, uint64_t to_directory,
	const char *from, const char *to, uint32_t flags)
{
	int error = 0, to_fd = fs_get_directory(call, to_directory);

	if (to_fd < 0)
		return to_fd;
	if (syscall(SYS_renameat2, from_fd, from, to_fd, to, flags) != 0)
		error = -errno;
	if (!error)
		fs_node_moved(&call->server->nodes, call->header.node, from, to_directory, to,
			(flags & RENAME_EXCHANGE) != 0);
	fs_node_put(&call->server->nodes, to_directory);
	return error;
}

static int rename_with(struct fs_call *call, uint64_t to_directory, uint32_t flags)
{
	char from[FS_NAME_MAX + 1], to[FS_NAME_MAX + 1];
	int fd, error = fs_call_read_name(call, from);

	if (!error)
		error = fs_call_read_name(call, to);
	if (!error && (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)))
		error = -EINVAL;
	if (error)
		return error;
	fd = fs_get_directory(call, call->header.node);
	if (fd < 0)
		return fd;
	error = rename_between(call, fd, to_directory, from, to, flags);
	fs_node_put(&call->server->nodes, call->header.node);
	return error;
}

int fs_rename(struct fs_call *call)
{
	struct fuse_rename request;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	return rename_with(call, request.new_directory, 0);
}

int fs_rename2(struct fs_call *call)
{
	struct fuse_rename2 request;

	if (!fs_call_read(call, &request, sizeof(request)))
		return -EINVAL;
	return rename_with(call, request.new_directory, request.flags);
}

/* ---- forgetting them ----------------------------------------------------------------------- */

int fs_forget(struct fs_call *call)
{
	struct fuse_forget request;

	if (fs_call_read(call, &request, sizeof(request)))
		fs_node_forget(&call->server->nodes, call->header.node, request.lookups);
	return 0;
}

/* However many it says there are: what the request holds counts. */
int fs_batch_forget(struct fs_call *call)
{
	struct fuse_batch_forget request;
	struct fuse_forget_one one;

	if (!fs_call_read(call, &request, sizeof(request)))
		return 0;
	for (uint32_t i = 0; i < request.count && fs_call_read(call, &one, sizeof(one)); i++)
		fs_node_forget(&call->server->nodes, one.node, one.lookups);
	return 0;
}
