/*
 * Open file descriptions: their memory and their references.
 *
 * The memory of a description is only ever used for descriptions: a lookup in the
 * table of descriptors may raise the count of one that is being freed, see that it
 * was too late, and drop it again (fd_table.c).
 */
#include "kernel/fs/file.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/file_lock.h"
#include "kernel/fs/inotify.h"
#include "kernel/fs/tree.h"
#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "abi/linux/fcntl.h"

/* Freed descriptions, linked by `data`. `lock` guards the list; taken last. */
static struct {
	struct spinlock lock;
	struct file *free;
} pool;

static struct file *pool_take(void)
{
	struct file *file;

	spin_lock(&pool.lock);
	file = pool.free;
	if (file)
		pool.free = file->data;
	spin_unlock(&pool.lock);
	return file ? file : heap_zalloc(sizeof(*file));
}

struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data)
{
	struct file *file = pool_take();

	if (!file)
		return NULL;
	file->ops = ops;
	file->flags = flags;
	file->offset = 0;
	file->vnode = NULL;
	file->entry = NULL;
	file->data = data;
	mutex_init(&file->position_lock);
	list_init(&file->epoll_items);
	/* A late lookup may hold a count of its own for a moment: add, not store. */
	__atomic_fetch_add(&file->references, 1, __ATOMIC_RELEASE);
	return file;
}

void file_acquire(struct file *file)
{
	__atomic_fetch_add(&file->references, 1, __ATOMIC_RELAXED);
}

bool file_acquire_unless_dead(struct file *file)
{
	uint32_t count = READ_ONCE(file->references);

	while (count != 0) {
		if (__atomic_compare_exchange_n(&file->references, &count, count + 1, true,
			    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static void destroy(struct file *file)
{
	if (!list_is_empty(&file->epoll_items))
		epoll_forget_file(file);
	if (READ_ONCE(inotify_watch_count) && file->entry && !(file->flags & LINUX_O_PATH))
		inotify_report_entry(file->entry,
			file_is_writable(file) ? INOTIFY_CLOSE_WRITE : INOTIFY_CLOSE_NOWRITE);
	file_lock_release_description(file);
	if (file->ops->release)
		file->ops->release(file);
	if (file->vnode)
		vnode_release(file->vnode);
	if (file->entry)
		path_entry_release(file->entry);
	spin_lock(&pool.lock);
	file->data = pool.free;
	pool.free = file;
	spin_unlock(&pool.lock);
}

void file_release(struct file *file)
{
	if (__atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL) == 0)
		destroy(file);
}

void file_pool_trim(void)
{
	struct file *file = pool.free;

	pool.free = NULL;
	while (file) {
		struct file *next = file->data;

		heap_free(file);
		file = next;
	}
}
