/*
 * Event polling. Theory of operation:
 *
 * An item is one registration: (epoll, file, fd). Its waiter sits on the file's wait
 * queue; when the file wakes it, the item goes to the epoll's ready list and the
 * epoll's own sleepers are woken. Collecting takes the ready list away, asks each
 * file whether it really is ready, and stores what is. An item is taken off the list
 * *before* its file is asked: a wake-up during the question puts it back, so that none
 * is lost. Level-triggered items that were reported go back to the end of the list.
 *
 * Locks, in order:
 *   graph_lock (mutex)    who watches whom: file->epoll_items, epoll->items
 *   epoll->collecting (mutex)  the items taken off the ready list; items live as long
 *                         as it is held. Nested epolls: outer before inner.
 *   a wait queue's lock, then epoll->lock (spin, rank 36): ready list, item->is_ready
 *   the wait queues of an epoll, inside the queue of a file it watches. The graph has
 *                         no cycles and is at most EPOLL_DEPTH deep.
 */
#include "kernel/fs/epoll.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/wait.h"
#include "abi/linux/fcntl.h"

#define EPOLL_DEPTH 5 /* epolls on a path, as Linux allows */

enum {
	CONTROL_ADD = 1,
	CONTROL_DELETE = 2,
	CONTROL_MODIFY = 3,
};

#define EVENT_EXCLUSIVE (1u << 28)
#define EVENT_WAKEUP    (1u << 29)
#define EVENT_ONESHOT   (1u << 30)
#define EVENT_EDGE      (1u << 31)
#define EVENT_PRIVATE   (EVENT_EXCLUSIVE | EVENT_WAKEUP | EVENT_ONESHOT | EVENT_EDGE)
#define EXCLUSIVE_OK                                                                               \
	(POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP | EVENT_EXCLUSIVE | EVENT_WAKEUP | EVENT_EDGE)

struct epoll {
	struct mutex collecting;
	struct spinlock lock;
	struct list ready;          /* guarded by lock */
	struct wait_queue sleepers; /* epoll_wait */
	struct wait_queue pollers;  /* poll on the epoll's descriptor; outer epolls */
	struct list items;          /* guarded by graph_lock */
	bool is_scanning;           /* `ready` lies in a collector's hands; by collecting */
	struct file *file;          /* itself, for the walk upwards */
	uint64_t visited;           /* by which walk, and what it found; by graph_lock */
	int depth;
};

struct epoll_item {
	struct waiter waiter;
	struct wait_queue *queue; /* of the file */
	struct epoll *epoll;
	struct file *file; /* no reference: epoll_forget_file comes first */
	int fd;
	struct epoll_event event; /* guarded by epoll->lock */
	struct list ready_link;   /* in epoll->ready or a collector's list; by epoll->lock */
	struct list epoll_link;   /* graph_lock */
	struct list file_link;    /* graph_lock */
};

static struct mutex graph_lock = {
	.waiters = {SPINLOCK_INIT, LIST_INIT(graph_lock.waiters.waiters)}};
static uint64_t last_walk; /* guarded by graph_lock */

static const struct file_ops epoll_ops;

static struct epoll *of_file(const struct file *file)
{
	return file->ops == &epoll_ops ? file->data : NULL;
}

bool epoll_is_epoll(const struct file *file)
{
	return file->ops == &epoll_ops;
}

/* ---- becoming ready ------------------------------------------------------ */

static uint32_t wanted_events(const struct epoll_item *item)
{
	return READ_ONCE(item->event.events) & ~EVENT_PRIVATE;
}

static bool queue_is_waited_for(struct wait_queue *queue)
{
	return !list_is_empty(&queue->waiters);
}

/* Puts the item on the ready list unless it is on one. */
static void make_ready(struct epoll_item *item)
{
	struct epoll *epoll = item->epoll;

	spin_lock(&epoll->lock);
	if (!list_is_linked(&item->ready_link))
		list_add_last(&epoll->ready, &item->ready_link);
	spin_unlock(&epoll->lock);
}

static void wake_epoll(struct epoll *epoll)
{
	wait_wake_events(&epoll->sleepers, POLL_IN, 1);
	wait_wake_events(&epoll->pollers, POLL_IN | POLL_RDNORM, UINT32_MAX);
}

/* The file may have become ready. Called with the lock of the file's queue held. */
static bool on_wake(struct waiter *waiter, uint32_t events)
{
	struct epoll_item *item = CONTAINER_OF(waiter, struct epoll_item, waiter);
	uint32_t wanted = wanted_events(item);
	bool waited_for;

	if (wanted == 0 || (events != 0 && (events & wanted) == 0))
		return false;
	waited_for = queue_is_waited_for(&item->epoll->sleepers);
	make_ready(item);
	wake_epoll(item->epoll);
	return item->waiter.exclusive && waited_for;
}

static uint32_t poll_item(const struct epoll_item *item)
{
	uint32_t events = item->file->ops->poll ? item->file->ops->poll(item->file)
						: POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;

	return events & wanted_events(item);
}

/* ---- collecting ---------------------------------------------------------- */

struct collection {
	int stored, capacity;
	int (*store)(void *argument, int index, const struct epoll_event *event);
	void *argument;
};

static struct epoll_item *take_first(struct epoll *epoll, struct list *from)
{
	struct list *link;

	spin_lock(&epoll->lock);
	link = list_first(from);
	if (link != NULL)
		list_remove(link);
	spin_unlock(&epoll->lock);
	return link == NULL ? NULL : LIST_ENTRY(link, struct epoll_item, ready_link);
}

/* Takes the ready list away for a look at its items. With `collecting` held. */
static void begin_scan(struct epoll *epoll, struct list *batch)
{
	list_init(batch);
	WRITE_ONCE(epoll->is_scanning, true);
	spin_lock(&epoll->lock);
	list_splice_last(batch, &epoll->ready);
	spin_unlock(&epoll->lock);
}

/* Puts what was not looked at back to the front. True if anything is ready now. */
static bool end_scan(struct epoll *epoll, struct list *batch)
{
	bool any;

	spin_lock(&epoll->lock);
	list_splice_last(batch, &epoll->ready);
	list_splice_last(&epoll->ready, batch);
	any = !list_is_empty(&epoll->ready);
	spin_unlock(&epoll->lock);
	WRITE_ONCE(epoll->is_scanning, false);
	return any;
}

/* Stores the item's events if it has any. -EFAULT. */
static int collect_item(struct epoll *epoll, struct epoll_item *item, struct collection *to)
{
	struct epoll_event event = {.events = poll_item(item), .data = item->event.data};
	int error;

	if (event.events == 0)
		return 0;
	error = to->store(to->argument, to->stored, &event);
	if (error != 0) {
		make_ready(item);
		return error;
	}
	to->stored++;
	if ((item->event.events & EVENT_ONESHOT) != 0) {
		spin_lock(&epoll->lock);
		WRITE_ONCE(item->event.events, item->event.events & EVENT_PRIVATE);
		spin_unlock(&epoll->lock);
	} else if ((item->event.events & EVENT_EDGE) == 0) {
		make_ready(item);
	}
	return 0;
}

/* One pass over what is ready now. Events stored, or -EFAULT if none was. */
static int collect_ready(struct epoll *epoll, struct collection *to)
{
	struct epoll_item *item;
	struct list batch;
	bool more;
	int error = 0;

	mutex_lock(&epoll->collecting);
	begin_scan(epoll, &batch);
	while (error == 0 && to->stored < to->capacity &&
		(item = take_first(epoll, &batch)) != NULL)
		error = collect_item(epoll, item, to);
	more = end_scan(epoll, &batch);
	mutex_unlock(&epoll->collecting);
	if (more)
		wait_wake_events(&epoll->sleepers, POLL_IN, 1);
	return to->stored == 0 ? error : to->stored;
}

/* A scan counts as ready: whoever asks now waits for its end rather than hear "no". */
static bool has_ready(const struct epoll *epoll)
{
	return READ_ONCE(epoll->ready.next) != &epoll->ready || READ_ONCE(epoll->is_scanning);
}

/* Like WAIT_UNTIL, but one wake-up wakes one sleeper. */
static int sleep_until_ready(struct epoll *epoll, uint64_t deadline_ns)
{
	struct waiter waiter;
	int error = 0;

	waiter_init(&waiter);
	waiter.exclusive = true;
	wait_add(&epoll->sleepers, &waiter);
	while (!has_ready(epoll)) {
		if (thread_is_interrupted(thread_current())) {
			error = -LINUX_ERESTARTSYS;
			break;
		}
		if (deadline_ns != WAIT_FOREVER && clock_monotonic_ns() >= deadline_ns) {
			error = -LINUX_ETIMEDOUT;
			break;
		}
		thread_sleep(deadline_ns);
	}
	wait_remove(&epoll->sleepers, &waiter);
	return error;
}

long epoll_collect(struct file *file, int capacity, uint64_t deadline_ns,
	int (*store)(void *argument, int index, const struct epoll_event *event), void *argument)
{
	struct collection to = {.capacity = capacity, .store = store, .argument = argument};
	struct epoll *epoll = of_file(file);

	if (epoll == NULL || capacity <= 0)
		return -LINUX_EINVAL;
	if (!has_ready(epoll))
		device_poll();
	for (;;) {
		int result = has_ready(epoll) ? collect_ready(epoll, &to) : 0;

		if (result == 0 && deadline_ns != 0)
			result = sleep_until_ready(epoll, deadline_ns);
		else
			return result;
		if (result != 0)
			return result == -LINUX_ETIMEDOUT ? 0 : result;
	}
}

/* ---- the graph of who watches whom --------------------------------------- */

/* Epolls on the longest path down from `epoll`, itself included. With graph_lock. */
static int depth_below(struct epoll *epoll, uint64_t walk)
{
	if (epoll->visited == walk)
		return epoll->depth;
	epoll->visited = walk;
	epoll->depth = 1;
	LIST_FOR_EACH (link, &epoll->items) {
		struct epoll_item *item = LIST_ENTRY(link, struct epoll_item, epoll_link);
		struct epoll *inner = of_file(item->file);

		if (inner != NULL)
			epoll->depth = MAX(epoll->depth, 1 + depth_below(inner, walk));
	}
	return epoll->depth;
}

/* The same upwards: through the epolls that watch it. */
static int depth_above(struct epoll *epoll, uint64_t walk)
{
	if (epoll->visited == walk)
		return epoll->depth;
	epoll->visited = walk;
	epoll->depth = 1;
	LIST_FOR_EACH (link, &epoll->file->epoll_items) {
		struct epoll_item *item = LIST_ENTRY(link, struct epoll_item, file_link);

		epoll->depth = MAX(epoll->depth, 1 + depth_above(item->epoll, walk));
	}
	return epoll->depth;
}

/* May `epoll` watch `inner`? Not if that makes a cycle or a path that is too long. */
static bool may_watch(struct epoll *epoll, struct epoll *inner)
{
	uint64_t walk = ++last_walk;
	int below = depth_below(inner, walk);

	/* The walk down from `inner` came by `epoll`: a cycle. */
	return epoll->visited != walk && below + depth_above(epoll, ++last_walk) <= EPOLL_DEPTH;
}

static struct epoll_item *find_item(const struct epoll *epoll, const struct file *file, int fd)
{
	LIST_FOR_EACH (link, &file->epoll_items) {
		struct epoll_item *item = LIST_ENTRY(link, struct epoll_item, file_link);

		if (item->epoll == epoll && item->fd == fd)
			return item;
	}
	return NULL;
}

/* The events may have come before anybody watched. With `collecting` held. */
static void look_at_item(struct epoll *epoll, struct epoll_item *item)
{
	/* Pairs with the barrier in wait_wake_events: either the waker sees the item as
	 * it is now, or this sees the state that it woke for. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (poll_item(item) == 0)
		return;
	make_ready(item);
	wake_epoll(epoll);
}

static int add_item(struct epoll *epoll, int fd, struct file *file, const struct epoll_event *event)
{
	struct epoll_item *item = heap_zalloc(sizeof(*item));

	if (item == NULL)
		return -LINUX_ENOMEM;
	item->epoll = epoll;
	item->file = file;
	item->fd = fd;
	item->event = *event;
	item->event.events |= POLL_ERR | POLL_HUP;
	item->queue = file->ops->poll_queue(file);
	list_init(&item->ready_link);
	list_add_last(&epoll->items, &item->epoll_link);
	list_add_last(&file->epoll_items, &item->file_link);
	waiter_init(&item->waiter);
	item->waiter.wake = on_wake;
	item->waiter.thread = NULL;
	item->waiter.exclusive = (event->events & EVENT_EXCLUSIVE) != 0;
	wait_add(item->queue, &item->waiter);
	look_at_item(epoll, item);
	return 0;
}

/*
 * Unlinks from file->epoll_items in the order that lets file_release() ask without the
 * lock whether the list is empty: once it reads as empty, nobody touches it any more.
 */
static void unlink_from_file(struct epoll_item *item)
{
	struct list *next = item->file_link.next, *prev = item->file_link.prev;

	__atomic_store_n(&next->prev, prev, __ATOMIC_RELAXED);
	__atomic_store_n(&prev->next, next, __ATOMIC_RELEASE);
}

/* With graph_lock held. */
static void remove_item(struct epoll_item *item)
{
	struct epoll *epoll = item->epoll;

	wait_remove(item->queue, &item->waiter);
	mutex_lock(&epoll->collecting);
	spin_lock(&epoll->lock);
	list_remove(&item->ready_link);
	spin_unlock(&epoll->lock);
	mutex_unlock(&epoll->collecting);
	list_remove(&item->epoll_link);
	unlink_from_file(item);
	heap_free(item);
}

static void modify_item(
	struct epoll *epoll, struct epoll_item *item, const struct epoll_event *event)
{
	mutex_lock(&epoll->collecting);
	spin_lock(&epoll->lock);
	item->event.data = event->data;
	WRITE_ONCE(item->event.events, event->events | POLL_ERR | POLL_HUP);
	spin_unlock(&epoll->lock);
	look_at_item(epoll, item);
	mutex_unlock(&epoll->collecting);
}

/* With graph_lock held. */
static int control_locked(struct epoll *epoll, int operation, int fd, struct file *file,
	const struct epoll_event *event)
{
	struct epoll_item *item = find_item(epoll, file, fd);

	if (operation == CONTROL_ADD) {
		struct epoll *inner = of_file(file);

		if (inner != NULL && !may_watch(epoll, inner))
			return -LINUX_ELOOP;
		return item != NULL ? -LINUX_EEXIST : add_item(epoll, fd, file, event);
	}
	if (operation != CONTROL_DELETE && operation != CONTROL_MODIFY)
		return -LINUX_EINVAL;
	if (item == NULL)
		return -LINUX_ENOENT;
	if (operation == CONTROL_DELETE)
		remove_item(item);
	else if (item->waiter.exclusive)
		return -LINUX_EINVAL;
	else
		modify_item(epoll, item, event);
	return 0;
}

int epoll_control(struct file *file, int operation, int fd, struct file *target,
	const struct epoll_event *event)
{
	struct epoll *epoll = of_file(file);
	int error;

	if (target->ops->poll_queue == NULL)
		return -LINUX_EPERM;
	if (epoll == NULL || file == target)
		return -LINUX_EINVAL;
	if (operation != CONTROL_DELETE && (event->events & EVENT_EXCLUSIVE) != 0) {
		if (operation == CONTROL_MODIFY || epoll_is_epoll(target) ||
			(event->events & ~(uint32_t)EXCLUSIVE_OK) != 0)
			return -LINUX_EINVAL;
	}
	mutex_lock(&graph_lock);
	error = control_locked(epoll, operation, fd, target, event);
	mutex_unlock(&graph_lock);
	return error;
}

void epoll_forget_file(struct file *file)
{
	struct list *link;

	mutex_lock(&graph_lock);
	while ((link = list_first(&file->epoll_items)) != NULL)
		remove_item(LIST_ENTRY(link, struct epoll_item, file_link));
	mutex_unlock(&graph_lock);
}

/* ---- the epoll's own descriptor ------------------------------------------ */

/* Readable if an item really is ready; those that are not leave the list. */
static uint32_t epoll_poll(struct file *file)
{
	struct epoll *epoll = file->data;
	struct epoll_item *item;
	struct list batch;
	bool found = false;

	if (!has_ready(epoll))
		return 0;
	mutex_lock(&epoll->collecting);
	begin_scan(epoll, &batch);
	while (!found && (item = take_first(epoll, &batch)) != NULL) {
		found = poll_item(item) != 0;
		if (found)
			make_ready(item);
	}
	end_scan(epoll, &batch);
	mutex_unlock(&epoll->collecting);
	return found ? POLL_IN | POLL_RDNORM : 0u;
}

static struct wait_queue *epoll_poll_queue(struct file *file)
{
	struct epoll *epoll = file->data;

	return &epoll->pollers;
}

static void epoll_release(struct file *file)
{
	struct epoll *epoll = file->data;
	struct list *link;

	mutex_lock(&graph_lock);
	while ((link = list_first(&epoll->items)) != NULL)
		remove_item(LIST_ENTRY(link, struct epoll_item, epoll_link));
	mutex_unlock(&graph_lock);
	heap_free(epoll);
}

static const struct file_ops epoll_ops = {
	.kind = "eventpoll",
	.poll = epoll_poll,
	.poll_queue = epoll_poll_queue,
	.release = epoll_release,
};

int epoll_create_file(struct file **file)
{
	struct epoll *epoll = heap_zalloc(sizeof(*epoll));

	if (epoll == NULL)
		return -LINUX_ENOMEM;
	mutex_init(&epoll->collecting);
	spin_init(&epoll->lock);
	list_init(&epoll->ready);
	list_init(&epoll->items);
	wait_queue_init(&epoll->sleepers);
	wait_queue_init(&epoll->pollers);
	*file = file_create(&epoll_ops, LINUX_O_RDWR, epoll);
	if (*file == NULL) {
		heap_free(epoll);
		return -LINUX_ENOMEM;
	}
	epoll->file = *file;
	return 0;
}
