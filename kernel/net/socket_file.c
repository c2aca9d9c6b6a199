/* Sockets as files: read, write, poll, ioctl, fstat. See socket_file.h. */
#include "kernel/net/socket_file.h"
#include "kernel/fs/file.h"
#include "kernel/net/interface_ioctl.h"
#include "kernel/net/socket.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "abi/linux/socket.h"
#include "abi/linux/stat.h"

#define SOCKFS_DEVICE 8

static long socket_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct socket_message message = {.uio = uio};

	(void)offset;
	return uio->bytes_left == 0 ? 0 : socket_receive(file, &message);
}

static long socket_write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct socket_message message = {.uio = uio};

	(void)offset;
	if (((struct socket *)file->data)->type == LINUX_SOCK_SEQPACKET)
		message.flags = LINUX_MSG_EOR;
	return socket_send(file, &message);
}

static uint32_t socket_poll(struct file *file)
{
	struct socket *socket = file->data;

	return socket->ops->poll(socket);
}

static struct wait_queue *socket_poll_queue(struct file *file)
{
	struct socket *socket = file->data;

	return socket->events;
}

static long socket_ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	struct socket *socket = file->data;

	long result = -LINUX_ENOTTY;

	if (socket->ops->ioctl != NULL)
		result = socket->ops->ioctl(socket, request, argument);
	return result == -LINUX_ENOTTY ? interface_ioctl(request, argument) : result;
}

static int socket_stat(struct file *file, struct linux_stat *stat)
{
	const struct socket *socket = file->data;

	*stat = (struct linux_stat){.dev = SOCKFS_DEVICE,
		.ino = socket->number,
		.nlink = 1,
		.mode = LINUX_S_IFSOCK | 0777,
		.block_bytes = 4096};
	return 0;
}

/* /proc/self/fd/N does not open sockets anew. */
static int socket_reopen(struct file *file, uint32_t flags, struct file **result)
{
	(void)file, (void)flags, (void)result;
	return -LINUX_ENXIO;
}

static void socket_file_release(struct file *file)
{
	socket_release(file->data);
}

static const struct file_ops socket_file_ops = {
	.kind = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.poll_queue = socket_poll_queue,
	.ioctl = socket_ioctl,
	.stat = socket_stat,
	.reopen = socket_reopen,
	.release = socket_file_release,
};

struct file *socket_file_create(struct socket *socket, uint32_t flags)
{
	struct file *file =
		file_create(&socket_file_ops, LINUX_O_RDWR | (flags & LINUX_O_NONBLOCK), socket);

	if (file == NULL)
		socket_release(socket);
	return file;
}

struct socket *socket_of_file(const struct file *file)
{
	return file->ops == &socket_file_ops ? file->data : NULL;
}
