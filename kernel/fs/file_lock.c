/*
 * Advisory locks. See file_lock.h.
 *
 * A node's locks are a list in no order. Setting a range first checks for conflicts,
 * then cuts the owner's old locks out of the range, then adds the new one.
 */
#include "kernel/fs/file_lock.h"
#include "kernel/fs/vfs.h"
#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "abi/linux/fcntl.h"

struct file_lock {
	struct file_lock *next;
	struct file *description; /* owner, unless of the program */
	enum file_lock_kind kind;
	struct file_lock_range range;
};

/* `lock` guards the lists of all nodes; `count` may be read without it. */
static struct {
	struct spinlock lock;
	uint32_t count;
	bool waiters_ready;
	struct wait_queue released;
} locks;

static bool owns(const struct file_lock *lock, const struct file *file, enum file_lock_kind kind)
{
	return lock->kind == kind && (kind == FILE_LOCK_PROCESS || lock->description == file);
}

static bool overlaps(const struct file_lock_range *a, const struct file_lock_range *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static struct file_lock *find_conflict_locked(
	struct file *file, enum file_lock_kind kind, const struct file_lock_range *range)
{
	for (struct file_lock *lock = file->vnode->locks; lock; lock = lock->next) {
		bool same_world = (lock->kind == FILE_LOCK_FLOCK) == (kind == FILE_LOCK_FLOCK);

		if (same_world && !owns(lock, file, kind) && overlaps(&lock->range, range) &&
			(lock->range.type == LINUX_F_WRLCK || range->type == LINUX_F_WRLCK))
			return lock;
	}
	return NULL;
}

static void add_locked(struct vnode *vnode, struct file_lock *lock)
{
	lock->next = vnode->locks;
	vnode->locks = lock;
	WRITE_ONCE(locks.count, locks.count + 1);
}

static void remove_locked(struct file_lock **link)
{
	struct file_lock *lock = *link;

	*link = lock->next;
	WRITE_ONCE(locks.count, locks.count - 1);
	heap_free(lock);
}

/* Cuts `range` out of the owner's locks; *spare serves when one becomes two. */
static void cut_locked(struct file *file, enum file_lock_kind kind,
	const struct file_lock_range *range, struct file_lock **spare)
{
	struct file_lock **link = &file->vnode->locks;

	while (*link) {
		struct file_lock *lock = *link;

		if (!owns(lock, file, kind) || !overlaps(&lock->range, range)) {
			link = &lock->next;
		} else if (lock->range.start < range->start && lock->range.end > range->end) {
			**spare = *lock;
			(*spare)->range.start = range->end + 1;
			lock->range.end = range->start - 1;
			add_locked(file->vnode, *spare);
			*spare = NULL;
			return;
		} else if (lock->range.start < range->start) {
			lock->range.end = range->start - 1;
			link = &lock->next;
		} else if (lock->range.end > range->end) {
			lock->range.start = range->end + 1;
			link = &lock->next;
		} else {
			remove_locked(link);
		}
	}
}

static bool try_set(struct file *file, enum file_lock_kind kind,
	const struct file_lock_range *range, struct file_lock **fresh, struct file_lock **spare)
{
	bool done;

	spin_lock(&locks.lock);
	done = range->type == LINUX_F_UNLCK || !find_conflict_locked(file, kind, range);
	if (done) {
		cut_locked(file, kind, range, spare);
		if (range->type != LINUX_F_UNLCK) {
			**fresh = (struct file_lock){
				.description = file, .kind = kind, .range = *range};
			add_locked(file->vnode, *fresh);
			*fresh = NULL;
		}
	}
	spin_unlock(&locks.lock);
	return done;
}

static void prepare_waiters(void)
{
	spin_lock(&locks.lock);
	if (!locks.waiters_ready) {
		wait_queue_init(&locks.released);
		locks.waiters_ready = true;
	}
	spin_unlock(&locks.lock);
}

static void wake_waiters(void)
{
	if (locks.waiters_ready)
		wait_wake_all(&locks.released);
}

int file_lock_set(
	struct file *file, enum file_lock_kind kind, const struct file_lock_range *range, bool wait)
{
	struct file_lock *fresh, *spare;
	int error = 0;

	if (!file->vnode)
		return -LINUX_EBADF;
	fresh = heap_alloc(sizeof(*fresh));
	spare = heap_alloc(sizeof(*spare));
	prepare_waiters();
	if (!fresh || !spare)
		error = -LINUX_ENOLCK;
	else if (wait)
		error = WAIT_UNTIL(
			&locks.released, try_set(file, kind, range, &fresh, &spare), WAIT_FOREVER);
	else
		error = try_set(file, kind, range, &fresh, &spare) ? 0 : -LINUX_EAGAIN;
	if (!error)
		wake_waiters(); /* a write lock may have become a read lock */
	heap_free(fresh);
	heap_free(spare);
	return error;
}

int file_lock_test(
	struct file *file, enum file_lock_kind kind, struct file_lock_range *range, int *pid)
{
	const struct file_lock *lock;

	if (!file->vnode)
		return -LINUX_EBADF;
	spin_lock(&locks.lock);
	lock = find_conflict_locked(file, kind, range);
	if (lock) {
		*range = lock->range;
		*pid = lock->kind == FILE_LOCK_PROCESS ? PROCESS_ID : -1;
	} else {
		range->type = LINUX_F_UNLCK;
	}
	spin_unlock(&locks.lock);
	return 0;
}

static void release_owned(struct file *file, bool of_process)
{
	struct file_lock **link;
	bool any = false;

	spin_lock(&locks.lock);
	link = &file->vnode->locks;
	while (*link) {
		bool of_program = (*link)->kind == FILE_LOCK_PROCESS;

		if (of_program == of_process && (of_program || (*link)->description == file)) {
			remove_locked(link);
			any = true;
		} else {
			link = &(*link)->next;
		}
	}
	spin_unlock(&locks.lock);
	if (any)
		wake_waiters();
}

void file_lock_close_descriptor(struct file *file)
{
	if (READ_ONCE(locks.count) > 0 && file->vnode && !(file->flags & LINUX_O_PATH))
		release_owned(file, true);
}

void file_lock_release_description(struct file *file)
{
	if (READ_ONCE(locks.count) > 0 && file->vnode)
		release_owned(file, false);
}
