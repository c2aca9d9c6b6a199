/* See write_back.h. */
#include "kernel/fs/write_back.h"
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/reclaim.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/wait.h"

#define SECOND_NS      1000000000ull
#define AGE_NS         (5 * SECOND_NS)
#define MOST_IN_FLIGHT 16384u /* pages on their way before the thread waits: 64 MiB */
#define BATCH          32u    /* nodes begun before the first is waited for */
#define THROTTLE_NS    2000000ull

static struct {
	struct spinlock lock;
	struct list queue; /* by dirty_since_ns */
	uint32_t count;
	struct wait_queue wanted; /* the thread sleeps here */
	bool is_started, hurry;
} write_back = {.queue = LIST_INIT(write_back.queue),
	.wanted.waiters = LIST_INIT(write_back.wanted.waiters)};

static bool is_clean(const struct storage_node *node)
{
	return READ_ONCE(node->dirty) == 0 && READ_ONCE(node->writing) == 0 &&
	       !(READ_ONCE(node->state) & (STORAGE_ATTRIBUTES_DIRTY | STORAGE_TIMES_DIRTY));
}

/* ---- the queue ---------------------------------------------------------------------- */

static void set_state(struct storage_node *node, uint32_t state)
{
	bool was_empty = false;

	/* What was changed is seen by who clears the state after this has seen it set. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((READ_ONCE(node->state) & (state | STORAGE_QUEUED)) == (state | STORAGE_QUEUED))
		return;
	spin_lock(&write_back.lock);
	node->state |= state;
	if (!(node->state & STORAGE_QUEUED)) {
		vnode_acquire(&node->vnode);
		node->state |= STORAGE_QUEUED;
		node->dirty_since_ns = clock_monotonic_ns();
		list_add_last(&write_back.queue, &node->queue_link);
		was_empty = write_back.count++ == 0;
	}
	spin_unlock(&write_back.lock);
	if (was_empty)
		wait_wake_all(&write_back.wanted);
}

void storage_mark_dirty(struct storage_node *node, bool times_only)
{
	if (!storage_ops_of(node)->write_attributes || node->vnode.fs->read_only)
		return;
	set_state(node, times_only ? STORAGE_TIMES_DIRTY : STORAGE_ATTRIBUTES_DIRTY);
}

void write_back_queue(struct storage_node *node)
{
	set_state(node, 0);
}

/* The reference of the queue goes to the caller. */
static void unqueue_locked(struct storage_node *node)
{
	list_remove(&node->queue_link);
	node->state &= ~(uint32_t)STORAGE_QUEUED;
	write_back.count--;
}

void write_back_settle(struct storage_node *node)
{
	bool left = false;

	spin_lock(&write_back.lock);
	if ((node->state & STORAGE_QUEUED) && is_clean(node)) {
		unqueue_locked(node);
		left = true;
	}
	spin_unlock(&write_back.lock);
	if (!left)
		return;
	/* Who made it dirty meanwhile may have seen it queued still. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!is_clean(node))
		write_back_queue(node);
	vnode_release(&node->vnode);
}

void storage_forget_unlinked(struct storage_node *node)
{
	bool left = false;

	spin_lock(&write_back.lock);
	if ((node->state & STORAGE_QUEUED) && node->vnode.nlink == 0 &&
		READ_ONCE(node->vnode.references) == 2) {
		unqueue_locked(node);
		node->state = 0;
		left = true;
	}
	spin_unlock(&write_back.lock);
	if (left)
		vnode_release(&node->vnode);
}

/* ---- writing -------------------------------------------------------------------------- */

int write_back_attributes(struct storage_node *node, bool data_only)
{
	uint32_t due = STORAGE_ATTRIBUTES_DIRTY | (data_only ? 0 : STORAGE_TIMES_DIRTY);
	int error = 0;

	if (!storage_ops_of(node)->write_attributes)
		return 0;
	mutex_lock(&node->attributes_lock);
	if (READ_ONCE(node->state) & due) {
		spin_lock(&write_back.lock);
		node->state &= ~(uint32_t)(STORAGE_ATTRIBUTES_DIRTY | STORAGE_TIMES_DIRTY);
		spin_unlock(&write_back.lock);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		error = node->vnode.fs->is_closed ? -LINUX_EIO
						  : storage_ops_of(node)->write_attributes(node);
		if (error)
			set_state(node, STORAGE_ATTRIBUTES_DIRTY);
	}
	mutex_unlock(&node->attributes_lock);
	return error;
}

static int begin(struct storage_node *node)
{
	bool wait = READ_ONCE(storage_page_counts.writing) > MOST_IN_FLIGHT;
	int error = 0, attributes;

	if (storage_is_regular(node))
		error = storage_write_pages(node, 0, LAST_PAGE - 1, wait);
	attributes = write_back_attributes(node, false);
	return error ? error : attributes;
}

/* What its file system held back. */
static void submit(struct storage_node *node)
{
	if (storage_ops_of(node)->submit_pages && !node->vnode.fs->is_closed)
		storage_ops_of(node)->submit_pages(node->vnode.fs);
}

static int finish(struct storage_node *node)
{
	int error =
		storage_is_regular(node) ? storage_write_pages(node, 0, LAST_PAGE - 1, true) : 0;

	write_back_settle(node);
	return error;
}

/* What a round over the queue is to visit. */
struct round {
	const struct file_system *fs; /* NULL: of all */
	uint64_t before_ns;           /* those last looked at before that */
	uint32_t pass;                /* not 0: those that this pass has not visited */
	uint32_t left;                /* at most so many: two passes may move nodes about */
	bool wait;
	int error; /* the first */
};

static bool is_wanted(const struct round *round, const struct storage_node *node)
{
	return (!round->fs || node->vnode.fs == round->fs) &&
	       (!round->pass || node->write_pass != round->pass);
}

/* The next node, with a reference; it goes to the end of the queue. */
static struct storage_node *take_next(struct round *round)
{
	struct storage_node *found = NULL;

	spin_lock(&write_back.lock);
	LIST_FOR_EACH (link, &write_back.queue) {
		struct storage_node *node = LIST_ENTRY(link, struct storage_node, queue_link);

		if (round->left == 0 || node->dirty_since_ns >= round->before_ns)
			break;
		if (!is_wanted(round, node))
			continue;
		round->left--;
		found = node;
		vnode_acquire(&node->vnode);
		node->write_pass = round->pass;
		node->dirty_since_ns = clock_monotonic_ns();
		list_remove(&node->queue_link);
		list_add_last(&write_back.queue, &node->queue_link);
		break;
	}
	spin_unlock(&write_back.lock);
	return found;
}

static void note_error(struct round *round, int error)
{
	if (error && !round->error)
		round->error = error;
}

/* Up to BATCH nodes; false: there were none. */
static bool write_batch(struct round *round)
{
	struct storage_node *nodes[BATCH];
	uint32_t count = 0;

	while (count < BATCH && (nodes[count] = take_next(round)) != NULL)
		note_error(round, begin(nodes[count++]));
	for (uint32_t i = 0; i < count; i++)
		submit(nodes[i]);
	for (uint32_t i = 0; i < count; i++) {
		if (round->wait)
			note_error(round, finish(nodes[i]));
		else
			write_back_settle(nodes[i]);
		vnode_release(&nodes[i]->vnode);
	}
	return count > 0;
}

int write_back_all(struct file_system *fs, bool wait)
{
	static uint32_t passes;
	struct round round = {.fs = fs, .before_ns = UINT64_MAX, .wait = wait};

	do {
		round.pass = __atomic_add_fetch(&passes, 1, __ATOMIC_RELAXED);
	} while (round.pass == 0);
	round.left = READ_ONCE(write_back.count) * 2;
	while (write_batch(&round))
		;
	return round.error;
}

void write_back_old(uint64_t before_ns)
{
	struct round round = {.before_ns = before_ns,
		.left = READ_ONCE(write_back.count)}; /* fsync tells errors */

	while (write_batch(&round))
		;
}

/* ---- the thread -------------------------------------------------------------------------- */

static uint64_t total_pages(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return counts.total_pages;
}

/* When the thread has to look again. */
static uint64_t next_due_ns(void)
{
	uint64_t due = UINT64_MAX;

	spin_lock(&write_back.lock);
	if (write_back.count > 0)
		due = LIST_ENTRY(write_back.queue.next, struct storage_node, queue_link)
			      ->dirty_since_ns +
		      AGE_NS;
	spin_unlock(&write_back.lock);
	return due;
}

static void sleep_until_due(void)
{
	struct waiter waiter;

	waiter_init(&waiter);
	wait_add(&write_back.wanted, &waiter);
	for (;;) {
		uint64_t due = next_due_ns();

		if (READ_ONCE(write_back.hurry) || due <= clock_monotonic_ns())
			break;
		thread_sleep(due);
	}
	wait_remove(&write_back.wanted, &waiter);
}

static void begin_commits(void)
{
	struct mount_info info = {0};

	while (mount_next(&info)) {
		if (info.fs->storage->sync && !info.fs->is_closed)
			info.fs->storage->sync(info.fs, false);
	}
}

static void run(void *argument)
{
	(void)argument;
	for (;;) {
		uint64_t now;

		sleep_until_due();
		now = clock_monotonic_ns();
		if (__atomic_exchange_n(&write_back.hurry, false, __ATOMIC_ACQ_REL))
			write_back_old(now);
		else
			/* All of the last seconds at once: one commit for it. */
			write_back_old(now - AGE_NS / 2);
		begin_commits();
	}
}

int write_back_start(void)
{
	int error;

	if (write_back.is_started)
		return 0;
	error = thread_start_kernel("writeback", run, NULL);
	if (!error)
		error = reclaim_start();
	write_back.is_started = !error;
	return error;
}

void write_back_hurry(void)
{
	if (!__atomic_exchange_n(&write_back.hurry, true, __ATOMIC_ACQ_REL))
		wait_wake_all(&write_back.wanted);
}

void write_back_throttle(void)
{
	uint64_t dirty = READ_ONCE(storage_page_counts.dirty), total;

	if (dirty < 1024)
		return;
	total = total_pages();
	if (dirty > total / 10)
		write_back_hurry();
	while (READ_ONCE(storage_page_counts.dirty) + READ_ONCE(storage_page_counts.writing) >
		total / 5) {
		write_back_hurry();
		thread_sleep(clock_monotonic_ns() + THROTTLE_NS);
	}
}
