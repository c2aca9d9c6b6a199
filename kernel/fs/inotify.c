/*
 * inotify(7). Watches hang on nodes; each belongs to an instance with a queue of
 * events. `inotify.lock` (spin, rank 14) guards everything here.
 */
#include "kernel/fs/inotify.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define MOST_EVENTS 16384

struct watch {
	struct watch *next_of_vnode;
	struct list of_instance;
	struct instance *instance;
	struct vnode *vnode; /* no reference: the node tells when it goes */
	int32_t number;
	uint32_t mask;
};

/* struct inotify_event of Linux. */
struct event_record {
	int32_t watch;
	uint32_t mask;
	uint32_t cookie;
	uint32_t name_bytes;
};

struct event {
	struct list link;
	struct event_record record;
	char name[]; /* record.name_bytes, filled up with NULs */
};

struct instance {
	struct list watches;
	struct list events;
	struct wait_queue readable;
	uint32_t event_count;
	uint32_t queued_bytes;
	int32_t last_number;
	bool overflowed;
};

static struct spinlock lock;
static uint32_t last_cookie;
uint32_t inotify_watch_count;

uint32_t inotify_next_cookie(void)
{
	return __atomic_add_fetch(&last_cookie, 1, __ATOMIC_RELAXED);
}

static bool is_same_as_last(const struct instance *instance, const struct event *event)
{
	struct list *last = list_last(&instance->events);
	const struct event *other = last ? LIST_ENTRY(last, struct event, link) : NULL;

	return other && memcmp(&other->record, &event->record, sizeof(event->record)) == 0 &&
	       memcmp(other->name, event->name, event->record.name_bytes) == 0;
}

static void queue_locked(struct instance *instance, int32_t number, uint32_t mask, uint32_t cookie,
	const char *name, size_t length)
{
	size_t name_bytes = name ? ALIGN_UP(length + 1, sizeof(struct event_record)) : 0;
	struct event *event;

	if (instance->event_count >= MOST_EVENTS) {
		if (instance->overflowed)
			return;
		instance->overflowed = true;
		number = -1;
		mask = INOTIFY_OVERFLOW;
		name_bytes = cookie = 0;
	}
	event = heap_zalloc(sizeof(*event) + name_bytes);
	if (!event)
		return;
	event->record = (struct event_record){number, mask, cookie, (uint32_t)name_bytes};
	if (name_bytes > 0)
		memcpy(event->name, name, length);
	if (is_same_as_last(instance, event)) {
		heap_free(event);
		return;
	}
	list_add_last(&instance->events, &event->link);
	instance->event_count++;
	instance->queued_bytes += (uint32_t)(sizeof(struct event_record) + name_bytes);
	wait_wake_events(&instance->readable, POLL_IN | POLL_RDNORM, UINT32_MAX);
}

static void update_interest_locked(struct vnode *vnode)
{
	uint32_t events = 0;

	for (const struct watch *watch = vnode->watches; watch; watch = watch->next_of_vnode)
		events |= watch->mask;
	vnode->watch_events = events & INOTIFY_ALL;
	if (vnode->watches)
		vnode->watch_events |= INOTIFY_IGNORED;
}

/* Takes the watch from its node and instance; tells the program. */
static void remove_locked(struct watch *watch, bool tell)
{
	struct watch **link = &watch->vnode->watches;

	while (*link != watch)
		link = &(*link)->next_of_vnode;
	*link = watch->next_of_vnode;
	update_interest_locked(watch->vnode);
	list_remove(&watch->of_instance);
	if (tell)
		queue_locked(watch->instance, watch->number, INOTIFY_IGNORED, 0, NULL, 0);
	__atomic_fetch_sub(&inotify_watch_count, 1, __ATOMIC_RELAXED);
	heap_free(watch);
}

void inotify_report(struct vnode *vnode, uint32_t events, uint32_t cookie, const char *name,
	size_t length, bool is_directory)
{
	struct watch *next;

	if (!(READ_ONCE(vnode->watch_events) & events))
		return;
	spin_lock(&lock);
	for (struct watch *watch = vnode->watches; watch; watch = next) {
		next = watch->next_of_vnode;
		if (!(watch->mask & events))
			continue;
		queue_locked(watch->instance, watch->number,
			events | (is_directory ? INOTIFY_ISDIR : 0), cookie, name, length);
		if (watch->mask & INOTIFY_ONESHOT)
			remove_locked(watch, true);
	}
	spin_unlock(&lock);
}

void inotify_report_entry(struct path_entry *entry, uint32_t events)
{
	bool is_directory = path_entry_is_directory(entry);
	struct path_entry *parent = NULL;
	char name[LINUX_NAME_MAX + 1];
	size_t length = 0;

	spin_lock(&tree.spin);
	if (entry->parent && entry->linked && (entry->parent->vnode->watch_events & events)) {
		parent = path_entry_acquire(entry->parent);
		length = entry->name_length;
		memcpy(name, entry->name, length);
	}
	spin_unlock(&tree.spin);
	if (parent) {
		inotify_report(parent->vnode, events, 0, name, length, is_directory);
		path_entry_release(parent);
	}
	inotify_report(entry->vnode, events, 0, NULL, 0, is_directory);
}

void inotify_vnode_deleted(struct vnode *vnode)
{
	if (!READ_ONCE(vnode->watches))
		return;
	inotify_report(vnode, INOTIFY_DELETE_SELF, 0, NULL, 0, false);
	inotify_vnode_gone(vnode);
}

void inotify_vnode_gone(struct vnode *vnode)
{
	if (!READ_ONCE(vnode->watches))
		return;
	spin_lock(&lock);
	while (vnode->watches)
		remove_locked(vnode->watches, true);
	spin_unlock(&lock);
}

/* ---- instances ------------------------------------------------------------- */

static bool has_events(struct instance *instance)
{
	return READ_ONCE(instance->event_count) > 0;
}

/* The first event, if it fits. *too_big when it does not. */
static struct event *take_event(struct instance *instance, size_t capacity, bool *too_big)
{
	struct event *event = NULL;
	struct list *link;

	spin_lock(&lock);
	link = list_first(&instance->events);
	if (link) {
		event = LIST_ENTRY(link, struct event, link);
		*too_big = sizeof(event->record) + event->record.name_bytes > capacity;
		if (*too_big) {
			event = NULL;
		} else {
			list_remove(link);
			instance->event_count--;
			instance->queued_bytes -=
				(uint32_t)sizeof(event->record) + event->record.name_bytes;
			if (event->record.mask & INOTIFY_OVERFLOW)
				instance->overflowed = false;
		}
	}
	spin_unlock(&lock);
	return event;
}

static long read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct instance *instance = file->data;
	long total = 0;
	bool too_big = false;

	(void)offset;
	if (!has_events(instance)) {
		int error = file_is_nonblocking(file) ? -LINUX_EAGAIN
						      : WAIT_UNTIL(&instance->readable,
								has_events(instance), WAIT_FOREVER);

		if (error)
			return error;
	}
	for (struct event *event; (event = take_event(instance, uio->bytes_left, &too_big));) {
		size_t bytes = sizeof(event->record) + event->record.name_bytes;
		long moved = uio_copy_to(uio, &event->record, bytes);

		heap_free(event);
		if (moved != (long)bytes)
			return total > 0 ? total : -LINUX_EFAULT;
		total += moved;
	}
	return total == 0 && too_big ? -LINUX_EINVAL : total;
}

static uint32_t poll(struct file *file)
{
	return has_events(file->data) ? POLL_IN | POLL_RDNORM : 0;
}

static struct wait_queue *poll_queue(struct file *file)
{
	return &((struct instance *)file->data)->readable;
}

static void release(struct file *file)
{
	struct instance *instance = file->data;
	struct list *link;

	spin_lock(&lock);
	while ((link = list_first(&instance->watches)))
		remove_locked(LIST_ENTRY(link, struct watch, of_instance), false);
	spin_unlock(&lock);
	while ((link = list_first(&instance->events))) {
		list_remove(link);
		heap_free(LIST_ENTRY(link, struct event, link));
	}
	heap_free(instance);
}

/* FIONREAD. */
uint32_t inotify_queued_bytes(const struct file *file)
{
	return READ_ONCE(((const struct instance *)file->data)->queued_bytes);
}

static const struct file_ops inotify_file_ops = {
	.kind = "inotify",
	.read = read,
	.poll = poll,
	.poll_queue = poll_queue,
	.release = release,
};

bool inotify_is_inotify(const struct file *file)
{
	return file->ops == &inotify_file_ops;
}

int inotify_create_file(uint32_t flags, struct file **file)
{
	struct instance *instance = heap_zalloc(sizeof(*instance));

	if (!instance)
		return -LINUX_ENOMEM;
	list_init(&instance->watches);
	list_init(&instance->events);
	wait_queue_init(&instance->readable);
	*file = file_create(&inotify_file_ops, flags & LINUX_O_NONBLOCK, instance);
	if (*file)
		return 0;
	heap_free(instance);
	return -LINUX_ENOMEM;
}

static struct watch *find_locked(struct instance *instance, const struct vnode *vnode)
{
	for (struct watch *watch = vnode->watches; watch; watch = watch->next_of_vnode) {
		if (watch->instance == instance)
			return watch;
	}
	return NULL;
}

static long add_locked(
	struct instance *instance, struct vnode *vnode, uint32_t mask, struct watch **fresh)
{
	struct watch *watch = find_locked(instance, vnode);

	if (watch) {
		if (mask & INOTIFY_MASK_CREATE)
			return -LINUX_EEXIST;
		watch->mask = (mask & INOTIFY_MASK_ADD ? watch->mask : 0) | mask;
	} else {
		watch = *fresh;
		*fresh = NULL;
		*watch = (struct watch){.instance = instance,
			.vnode = vnode,
			.mask = mask,
			.number = ++instance->last_number,
			.next_of_vnode = vnode->watches};
		vnode->watches = watch;
		list_add_last(&instance->watches, &watch->of_instance);
		__atomic_fetch_add(&inotify_watch_count, 1, __ATOMIC_RELAXED);
	}
	update_interest_locked(vnode);
	return watch->number;
}

long inotify_add_watch(struct file *inotify, struct vnode *vnode, uint32_t mask)
{
	struct watch *fresh;
	long result;

	if (!(mask & (INOTIFY_ALL | INOTIFY_ONESHOT)))
		return -LINUX_EINVAL;
	if ((mask & INOTIFY_MASK_ADD) && (mask & INOTIFY_MASK_CREATE))
		return -LINUX_EINVAL;
	fresh = heap_alloc(sizeof(*fresh));
	if (!fresh)
		return -LINUX_ENOMEM;
	spin_lock(&lock);
	result = add_locked(inotify->data, vnode, mask, &fresh);
	spin_unlock(&lock);
	heap_free(fresh);
	return result;
}

long inotify_remove_watch(struct file *inotify, int32_t number)
{
	struct instance *instance = inotify->data;
	long error = -LINUX_EINVAL;

	spin_lock(&lock);
	LIST_FOR_EACH_SAFE (link, after, &instance->watches) {
		struct watch *watch = LIST_ENTRY(link, struct watch, of_instance);

		if (watch->number == number) {
			remove_locked(watch, true);
			error = 0;
			break;
		}
	}
	spin_unlock(&lock);
	return error;
}
