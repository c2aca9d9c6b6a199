/* See reclaim.h. */
#include "kernel/fs/reclaim.h"
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/write_back.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/wait.h"

#define MILLISECOND_NS 1000000ull
#define TRIES          500u /* of who waits for memory, a few milliseconds each */
#define LEAST_PAGES    64u  /* cached ones that are worth looking at */

/* Pages that left their file while somebody might be copying from them. */
struct limbo {
	struct limbo *next;
	struct storage_node *node; /* with a reference */
	struct page_cache_grace grace;
	uint32_t count;
	struct phys pages[PAGE_CACHE_BATCH];
};

static struct {
	struct spinlock lock;
	struct list files;
	uint32_t file_count;
	struct limbo *limbo; /* the thread's */
	struct wait_queue wanted, freed;
	bool is_started, is_wanted;
	uint64_t rounds, freed_pages; /* of reclaim_pages, for who waits */
	struct page_alloc_reclaimer hooks;
} reclaim = {.files = LIST_INIT(reclaim.files),
	.wanted.waiters = LIST_INIT(reclaim.wanted.waiters),
	.freed.waiters = LIST_INIT(reclaim.freed.waiters)};

/* ---- the files ----------------------------------------------------------------------- */

void reclaim_note_pages(struct storage_node *node)
{
	if (!list_is_empty(&node->reclaim_link))
		return; /* put there by who came first; it leaves the list at its end */
	spin_lock(&reclaim.lock);
	if (list_is_empty(&node->reclaim_link)) {
		list_add_last(&reclaim.files, &node->reclaim_link);
		reclaim.file_count++;
	}
	spin_unlock(&reclaim.lock);
}

void reclaim_forget(struct storage_node *node)
{
	spin_lock(&reclaim.lock);
	if (!list_is_empty(&node->reclaim_link)) {
		list_remove(&node->reclaim_link);
		list_init(&node->reclaim_link);
		reclaim.file_count--;
	}
	spin_unlock(&reclaim.lock);
}

/* The next file in turn, with a reference. */
static struct storage_node *take_file(void)
{
	struct storage_node *node = NULL;
	uint32_t tries = reclaim.file_count;

	spin_lock(&reclaim.lock);
	while (!node && tries-- > 0 && !list_is_empty(&reclaim.files)) {
		node = LIST_ENTRY(reclaim.files.next, struct storage_node, reclaim_link);
		list_remove(&node->reclaim_link);
		list_add_last(&reclaim.files, &node->reclaim_link);
		if (!storage_node_acquire_unless_dead(node))
			node = NULL;
	}
	spin_unlock(&reclaim.lock);
	return node;
}

/* ---- taking pages ----------------------------------------------------------------------- */

/* Frees what nobody can be copying any more. */
static uint64_t empty_limbo(void)
{
	struct limbo **link = &reclaim.limbo;
	uint64_t freed = 0;

	while (*link) {
		struct limbo *limbo = *link;

		if (!page_cache_grace_is_over(&limbo->node->cache, &limbo->grace)) {
			link = &limbo->next;
			continue;
		}
		*link = limbo->next;
		storage_free_pages(limbo->pages, limbo->count);
		freed += limbo->count;
		vnode_release(&limbo->node->vnode);
		heap_free(limbo);
	}
	return freed;
}

/* Some pages of the file. False: none (this time). */
static bool shrink_file(struct storage_node *node)
{
	struct limbo *limbo = heap_alloc(sizeof(*limbo));

	if (!limbo)
		return false;
	limbo->count =
		storage_take_unused(node, &node->reclaim_next, limbo->pages, PAGE_CACHE_BATCH);
	if (limbo->count == 0) {
		heap_free(limbo);
		return false;
	}
	vnode_acquire(&node->vnode);
	limbo->node = node;
	page_cache_begin_grace(&node->cache, &limbo->grace);
	limbo->next = reclaim.limbo;
	reclaim.limbo = limbo;
	return true;
}

/* A turn of one file: a good part of it, so that large ones do not make rounds long. */
static uint64_t shrink_some(uint64_t wanted)
{
	struct storage_node *node = take_file();
	uint64_t freed = 0;

	if (!node)
		return 0;
	for (uint32_t turns = 0; turns < 64 && freed < wanted; turns++) {
		if (!shrink_file(node) && node->reclaim_next == 0)
			break;
		freed += empty_limbo();
	}
	vnode_release(&node->vnode);
	return freed;
}

uint64_t reclaim_pages(uint64_t wanted)
{
	uint64_t freed = empty_limbo();
	/* Twice around: the first clears what says that pages were used. */
	uint64_t turns =
		2 * (reclaim.file_count + READ_ONCE(storage_page_counts.cached) / 4096 + 1);

	while (freed < wanted && turns-- > 0)
		freed += shrink_some(wanted - freed);
	if (freed < wanted) {
		write_back_hurry();
		tree_forget_names(1024);
		freed += empty_limbo();
	}
	__atomic_fetch_add(&reclaim.freed_pages, freed, __ATOMIC_RELEASE);
	__atomic_fetch_add(&reclaim.rounds, 1, __ATOMIC_RELEASE);
	return freed;
}

/* ---- the thread -------------------------------------------------------------------------- */

static void sleep_until_wanted(void)
{
	struct waiter waiter;

	waiter_init(&waiter);
	wait_add(&reclaim.wanted, &waiter);
	while (!READ_ONCE(reclaim.is_wanted))
		thread_sleep(
			reclaim.limbo ? clock_monotonic_ns() + 5 * MILLISECOND_NS : WAIT_FOREVER);
	wait_remove(&reclaim.wanted, &waiter);
}

/* Up to a fifth above the mark. */
static uint64_t missing_pages(void)
{
	uint64_t target = reclaim.hooks.low_pages + reclaim.hooks.low_pages / 5;
	struct page_counts counts;

	page_alloc_counts(&counts);
	return counts.free_pages < target ? target - counts.free_pages : 0;
}

static void run(void *argument)
{
	(void)argument;
	for (;;) {
		uint64_t missing, freed = 1;

		sleep_until_wanted();
		while ((missing = missing_pages()) > 0 && freed > 0) {
			freed = reclaim_pages(MIN(missing, 1024));
			wait_wake_all(&reclaim.freed);
			sched_yield();
		}
		if (freed == 0) /* not again at once */
			thread_sleep(clock_monotonic_ns() + 10 * MILLISECOND_NS);
		__atomic_store_n(&reclaim.is_wanted, false, __ATOMIC_RELEASE);
		wait_wake_all(&reclaim.freed);
	}
}

static void note_low(void)
{
	if (READ_ONCE(reclaim.is_wanted) || READ_ONCE(storage_page_counts.cached) < LEAST_PAGES ||
		__atomic_exchange_n(&reclaim.is_wanted, true, __ATOMIC_ACQ_REL))
		return;
	wait_wake_all(&reclaim.wanted);
}

/* Sleeps until something was freed. False: there is nothing to hope for, or nothing was freed
 * in a while, when what is cached waits for a slow device. */
static bool wait_for_reclaim(void)
{
	uint64_t before = READ_ONCE(reclaim.freed_pages), rounds = READ_ONCE(reclaim.rounds);

	if (!reclaim.is_started || READ_ONCE(storage_page_counts.cached) < LEAST_PAGES)
		return false;
	for (uint32_t tries = 0; tries < TRIES; tries++) {
		note_low();
		thread_sleep(clock_monotonic_ns() + 2 * MILLISECOND_NS);
		if (READ_ONCE(reclaim.freed_pages) != before)
			return true;
		/* Nothing to free, and nothing on its way that could be later. */
		if (READ_ONCE(reclaim.rounds) > rounds + 3 &&
			READ_ONCE(storage_page_counts.dirty) +
					READ_ONCE(storage_page_counts.writing) ==
				0)
			return false;
	}
	return false;
}

/* Mark at 5/32: above the eighth below which the program gets no huge pages. */
int reclaim_start(void)
{
	struct page_counts counts;
	int error = thread_start_kernel("reclaim", run, NULL);

	if (error)
		return error;
	page_alloc_counts(&counts);
	reclaim.hooks = (struct page_alloc_reclaimer){
		counts.total_pages / 32 * 5, note_low, wait_for_reclaim};
	reclaim.is_started = true;
	page_alloc_set_reclaimer(&reclaim.hooks);
	return 0;
}

/* The last sixteenth is for the program and the kernel. */
bool reclaim_may_take(uint32_t pages)
{
	struct page_counts counts;

	for (;;) {
		page_alloc_counts(&counts);
		if (counts.free_pages > counts.total_pages / 16 + pages)
			return true;
		if (!reclaim.is_started)
			return reclaim_pages(pages + LEAST_PAGES) > 0;
		if (!wait_for_reclaim())
			return false;
	}
}
