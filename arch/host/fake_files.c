/* See fake_files.h. */
#include "arch/host/fake_files.h"

#include <stdlib.h>

#include "kernel/fs/epoll.h"

static struct file *descriptors[FAKE_FILES_MAX];
static int live;

struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		abort();
	file->ops = ops;
	file->flags = flags;
	file->data = data;
	file->references = 1;
	mutex_init(&file->position_lock);
	list_init(&file->epoll_items);
	__atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
	return file;
}

void file_acquire(struct file *file)
{
	__atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
}

void file_release(struct file *file)
{
	if (__atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (!list_is_empty(&file->epoll_items))
		epoll_forget_file(file);
	if (file->ops->release != NULL)
		file->ops->release(file);
	free(file);
	__atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
}

struct file *fd_get(int fd)
{
	struct file *file = fd >= 0 && fd < FAKE_FILES_MAX ? descriptors[fd] : NULL;

	if (file != NULL)
		file_acquire(file);
	return file;
}

void fake_fd_set(int fd, struct file *file)
{
	descriptors[fd] = file;
}

long fake_file_read(struct file *file, void *buffer, size_t bytes)
{
	uint64_t offset = 0;
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	return file->ops->read(file, &uio, &offset);
}

long fake_file_write(struct file *file, const void *buffer, size_t bytes)
{
	uint64_t offset = 0;
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	return file->ops->write(file, &uio, &offset);
}

int fake_files_live(void)
{
	return __atomic_load_n(&live, __ATOMIC_RELAXED);
}
