/*
 * Socket system calls that move no data: making, naming, connecting, options.
 */
#include "kernel/fs/file.h"
#include "kernel/mm/uaccess.h"
#include "kernel/net/socket.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/user_path.h"
#include "kernel/syscall/user_socket.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/socket.h"

#define BACKLOG_MAXIMUM    4096u /* net.core.somaxconn */
#define OPTION_BYTES       512u
#define OPTION_LEAST_BYTES 4u /* nothing looks at less than an int */

_Static_assert((int)LINUX_SOCK_NONBLOCK == LINUX_O_NONBLOCK, "the flags are those of open");
_Static_assert((int)LINUX_SOCK_CLOEXEC == LINUX_O_CLOEXEC, "the flags are those of open");

/* ---- names and descriptors ------------------------------------------------------- */

int user_socket_get(uint64_t fd, struct file **file)
{
	*file = user_file(fd);
	if (*file == NULL)
		return -LINUX_EBADF;
	if (socket_of_file(*file) != NULL)
		return 0;
	file_release(*file);
	return -LINUX_ENOTSOCK;
}

int user_name_read(struct socket_name *name, uint64_t address, uint64_t bytes)
{
	name->bytes = (uint32_t)bytes;
	if (name->bytes > SOCKET_NAME_BYTES)
		return -LINUX_EINVAL;
	return name->bytes == 0 ? 0 : user_copy_in(name->data, address, name->bytes);
}

int user_name_write(const struct socket_name *name, uint64_t address, uint64_t length_address)
{
	int32_t room;
	uint32_t shown;

	if (user_copy_in(&room, length_address, sizeof(room)) != 0)
		return -LINUX_EFAULT;
	if (room < 0)
		return -LINUX_EINVAL;
	shown = MIN((uint32_t)room, name->bytes);
	if (shown != 0 && user_copy_out(address, name->data, shown) != 0)
		return -LINUX_EFAULT;
	return user_copy_out(length_address, &name->bytes, sizeof(name->bytes));
}

static long install(struct file *file, uint32_t flags)
{
	int fd = fd_install(file, 0, (flags & LINUX_SOCK_CLOEXEC) != 0);

	if (fd < 0)
		file_release(file);
	return fd;
}

/* ---- making -------------------------------------------------------------------------- */

static int split_type(uint64_t word, int *type, uint32_t *flags)
{
	*flags = (uint32_t)word & ~(uint32_t)LINUX_SOCK_TYPE_MASK;
	*type = (int)(word & LINUX_SOCK_TYPE_MASK);
	if ((*flags & ~(uint32_t)(LINUX_SOCK_NONBLOCK | LINUX_SOCK_CLOEXEC)) != 0)
		return -LINUX_EINVAL;
	return 0;
}

long sys_socket(uint64_t family, uint64_t word, uint64_t protocol)
{
	struct file *file = NULL;
	uint32_t flags;
	int type;
	int error = split_type(word, &type, &flags);

	if (error == 0)
		error = socket_create_file((int)family, type, (int)protocol, flags, &file);
	return error != 0 ? error : install(file, flags);
}

static long install_pair(struct file *files[2], uint32_t flags, uint64_t address)
{
	int32_t pair[2];

	pair[0] = (int32_t)install(files[0], flags);
	if (pair[0] < 0) {
		file_release(files[1]);
		return pair[0];
	}
	pair[1] = (int32_t)install(files[1], flags);
	if (pair[1] >= 0 && user_copy_out(address, pair, sizeof(pair)) == 0)
		return 0;
	fd_close(pair[0]);
	if (pair[1] < 0)
		return pair[1];
	fd_close(pair[1]);
	return -LINUX_EFAULT;
}

long sys_socketpair(uint64_t family, uint64_t word, uint64_t protocol, uint64_t address)
{
	struct file *files[2];
	uint32_t flags;
	int type;
	int error = split_type(word, &type, &flags);

	/* Linux stores the numbers before it asks the family. */
	if (error == 0 && user_touch(address, true) != 0)
		error = -LINUX_EFAULT;
	if (error == 0)
		error = socket_create_pair((int)family, type, (int)protocol, flags, files);
	return error != 0 ? error : install_pair(files, flags, address);
}

/* ---- naming and connecting -------------------------------------------------------------- */

static int bind_file(struct file *file, const struct socket_name *name)
{
	struct socket *socket = socket_of_file(file);

	return socket->ops->bind != NULL ? socket->ops->bind(socket, name) : -LINUX_EOPNOTSUPP;
}

static long with_name(uint64_t fd, uint64_t address, uint64_t bytes,
	int (*call)(struct file *file, const struct socket_name *name))
{
	struct socket_name name;
	struct file *file = NULL;
	int error = user_socket_get(fd, &file);

	if (error != 0)
		return error;
	error = user_name_read(&name, address, bytes);
	if (error == 0)
		error = call(file, &name);
	file_release(file);
	return error;
}

long sys_bind(uint64_t fd, uint64_t address, uint64_t bytes)
{
	return with_name(fd, address, bytes, bind_file);
}

long sys_connect(uint64_t fd, uint64_t address, uint64_t bytes)
{
	return with_name(fd, address, bytes, socket_connect);
}

long sys_listen(uint64_t fd, uint64_t backlog)
{
	struct socket *socket;
	struct file *file;
	int error = user_socket_get(fd, &file);

	if (error != 0)
		return error;
	socket = socket_of_file(file);
	error = socket->ops->listen != NULL
			? socket->ops->listen(socket, (int)MIN((uint32_t)backlog, BACKLOG_MAXIMUM))
			: -LINUX_EOPNOTSUPP;
	file_release(file);
	return error;
}

/* Who connected; a peer that left before we could ask has aborted. */
static int write_peer(struct file *connection, uint64_t address, uint64_t length_address)
{
	struct socket *socket = socket_of_file(connection);
	struct socket_name name = {0};

	if (address == 0)
		return 0;
	if (socket->ops->peer_name(socket, &name) != 0)
		return -LINUX_ECONNABORTED;
	return user_name_write(&name, address, length_address);
}

long sys_accept4(uint64_t fd, uint64_t address, uint64_t length_address, uint64_t word)
{
	struct file *file, *connection;
	uint32_t flags = (uint32_t)word;
	int error = user_socket_get(fd, &file);

	/* The flags come second, but before the question whether it is a socket. */
	if (error != -LINUX_EBADF &&
		(flags & ~(uint32_t)(LINUX_SOCK_NONBLOCK | LINUX_SOCK_CLOEXEC)) != 0) {
		if (error == 0)
			file_release(file);
		error = -LINUX_EINVAL;
	}
	if (error != 0)
		return error;
	error = socket_accept(file, flags, &connection);
	file_release(file);
	if (error != 0)
		return error;
	error = write_peer(connection, address, length_address);
	if (error == 0)
		return install(connection, flags);
	file_release(connection);
	return error;
}

long sys_accept(uint64_t fd, uint64_t address, uint64_t length_address)
{
	return sys_accept4(fd, address, length_address, 0);
}

static long show_name(uint64_t fd, uint64_t address, uint64_t length_address, bool of_peer)
{
	struct socket_name name = {0};
	struct socket *socket;
	struct file *file;
	int error = user_socket_get(fd, &file);

	if (error != 0)
		return error;
	socket = socket_of_file(file);
	error = of_peer ? socket->ops->peer_name(socket, &name)
			: socket->ops->local_name(socket, &name);
	if (error == 0)
		error = user_name_write(&name, address, length_address);
	file_release(file);
	return error;
}

long sys_getsockname(uint64_t fd, uint64_t address, uint64_t length_address)
{
	return show_name(fd, address, length_address, false);
}

long sys_getpeername(uint64_t fd, uint64_t address, uint64_t length_address)
{
	return show_name(fd, address, length_address, true);
}

long sys_shutdown(uint64_t fd, uint64_t word)
{
	struct socket *socket;
	struct file *file;
	int error = user_socket_get(fd, &file);

	if (error != 0)
		return error;
	socket = socket_of_file(file);
	if (socket->ops->shutdown == NULL)
		error = -LINUX_EOPNOTSUPP;
	else if ((uint32_t)word > LINUX_SHUT_RDWR)
		error = -LINUX_EINVAL;
	else
		error = socket->ops->shutdown(socket, (uint32_t)word + 1);
	file_release(file);
	return error;
}

/* ---- options ----------------------------------------------------------------------------- */

/* Families look at as much as they need: a value that ends early is not a fault before. */
static int set_option(struct file *file, int level, int option, uint64_t address, uint64_t word)
{
	uint8_t value[OPTION_BYTES] = {0};
	uint32_t bytes = MIN((uint32_t)word, OPTION_BYTES);
	size_t copied;

	if ((int32_t)word < 0)
		return -LINUX_EINVAL;
	copied = bytes == 0 ? 0 : user_copy_some_in(value, address, bytes);
	if (copied < MIN(bytes, OPTION_LEAST_BYTES))
		return -LINUX_EFAULT;
	return socket_set_option(socket_of_file(file), level, option, value, (uint32_t)copied);
}

long sys_setsockopt(uint64_t fd, uint64_t level, uint64_t option, uint64_t address, uint64_t bytes)
{
	struct file *file;
	int error = user_socket_get(fd, &file);

	if (error != 0)
		return error;
	error = set_option(file, (int)level, (int)option, address, bytes);
	file_release(file);
	return error;
}

static int get_option(
	struct file *file, int level, int option, uint64_t address, uint64_t length_address)
{
	uint8_t value[OPTION_BYTES];
	uint32_t bytes;
	int32_t room;
	int error;

	if (user_copy_in(&room, length_address, sizeof(room)) != 0)
		return -LINUX_EFAULT;
	if (room < 0)
		return -LINUX_EINVAL;
	bytes = MIN((uint32_t)room, OPTION_BYTES);
	error = socket_get_option(socket_of_file(file), level, option, value, &bytes);
	if (error != 0)
		return error;
	if (bytes != 0 && user_copy_out(address, value, bytes) != 0)
		return -LINUX_EFAULT;
	return user_copy_out(length_address, &bytes, sizeof(bytes));
}

long sys_getsockopt(
	uint64_t fd, uint64_t level, uint64_t option, uint64_t address, uint64_t length_address)
{
	struct file *file;
	int error = user_socket_get(fd, &file);

	if (error != 0)
		return error;
	error = get_option(file, (int)level, (int)option, address, length_address);
	file_release(file);
	return error;
}
