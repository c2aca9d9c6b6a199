/*
 * Advisory locks. See file_lock.h.
 *
 * A node's locks are a list in no order. Setting a range first checks for conflicts,
 * then cuts the owner's old locks out of the range, then adds the new one.
 */
#include "kernel/fs/file_lock.h"
#include "kernel/fs/file.h"
#include "kernel/fs/vfs.h"
#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "abi/linux/fcntl.h"
#include "lib/string.h"

struct file_lock {
	struct file_lock *next;
	const void *object;       /* what is locked */
	struct file *description; /* owner, unless of the program */
	enum file_lock_kind kind;
	struct file_lock_range range;
};

/* `lock` guards the lists of all nodes; `count` may be read without it. */
static struct {
	struct spinlock lock;
	struct file_lock *nameless; /* of files that have no node */
	uint32_t count;
	bool waiters_ready;
	struct wait_queue released;
} locks;

static struct file_lock **list_of(struct file *file)
{
	return file->vnode ? &file->vnode->locks : &locks.nameless;
}

/* As Linux has it: both ends of a pipe are one thing, and so are all the anonymous
 * descriptors (eventfd, epoll...) together, for they share one inode. */
static const void *object_of(const struct file *file)
{
	const char *kind = file->ops->kind ? file->ops->kind : "file";

	if (file->vnode)
		return file->vnode;
	if (strcmp(kind, "pipe") == 0)
		return file->data;
	return kind[0] == '/' ? (const void *)file : &locks;
}

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
	const void *object = object_of(file);

	for (struct file_lock *lock = *list_of(file); lock; lock = lock->next) {
		bool same_world = (lock->kind == FILE_LOCK_FLOCK) == (kind == FILE_LOCK_FLOCK);

		if (lock->object == object && same_world && !owns(lock, file, kind) &&
			overlaps(&lock->range, range) &&
			(lock->range.type == LINUX_F_WRLCK || range->type == LINUX_F_WRLCK))
			return lock;
	}
	return NULL;
}

static void add_locked(struct file *file, struct file_lock *lock)
{
	struct file_lock **list = list_of(file);

	lock->next = *list;
	*list = lock;
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
	struct file_lock **link = list_of(file);
	const void *object = object_of(file);

	while (*link) {
		struct file_lock *lock = *link;

		if (lock->object != object || !owns(lock, file, kind) ||
			!overlaps(&lock->range, range)) {
			link = &lock->next;
		} else if (lock->range.start < range->start && lock->range.end > range->end) {
			**spare = *lock;
			(*spare)->range.start = range->end + 1;
			lock->range.end = range->start - 1;
			add_locked(file, *spare);
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
			**fresh = (struct file_lock){.object = object_of(file),
				.description = file,
				.kind = kind,
				.range = *range};
			add_locked(file, *fresh);
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
	const void *object = object_of(file);
	struct file_lock **link;
	bool any = false;

	spin_lock(&locks.lock);
	link = list_of(file);
	while (*link) {
		bool of_program = (*link)->kind == FILE_LOCK_PROCESS;

		if ((*link)->object == object && of_program == of_process &&
			(of_program || (*link)->description == file)) {
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
	if (READ_ONCE(locks.count) > 0 && !(file->flags & LINUX_O_PATH))
		release_owned(file, true);
}

void file_lock_release_description(struct file *file)
{
	if (READ_ONCE(locks.count) > 0)
		release_owned(file, false);
}
