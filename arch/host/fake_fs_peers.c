/* What files ask of other rooms, for host unit tests of kernel/fs. */
#include <time.h>

#include "abi/linux/errno.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/pipe.h"
#include "kernel/mm/vm.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/rlimit.h"

uint64_t clock_realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sched_yield(void)
{
}

uint32_t sched_cpu_count(void)
{
	return 1;
}

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

/* Tests do what the kernel's threads would. */
int thread_start_kernel(const char *name, void (*entry)(void *), void *argument)
{
	(void)name;
	(void)entry;
	(void)argument;
	return 0;
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
