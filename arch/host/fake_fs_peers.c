/* What files ask of other rooms, for host unit tests of kernel/fs. */
#include "abi/linux/errno.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/pipe.h"
#include "kernel/mm/vm.h"
#include "kernel/rlimit.h"

void vm_unmap_source(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	(void)source;
	(void)offset;
	(void)bytes;
}

void vm_protect_source(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	(void)source;
	(void)offset;
	(void)bytes;
}

void epoll_forget_file(struct file *file)
{
	(void)file;
}

uint64_t rlimit_nofile(void)
{
	return 1024;
}

uint64_t rlimit_file_bytes(void)
{
	return UINT64_MAX;
}

void rlimit_file_exceeded(void)
{
}

int pipe_open_fifo(struct vnode *vnode, struct file *file)
{
	(void)vnode;
	(void)file;
	return -LINUX_ENXIO;
}

long pipe_capacity(struct file *file)
{
	(void)file;
	return -LINUX_EBADF;
}

long pipe_set_capacity(struct file *file, uint64_t bytes)
{
	(void)file;
	(void)bytes;
	return -LINUX_EBADF;
}
