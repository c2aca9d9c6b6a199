/*
 * Timers: a pairing heap per vcpu. See timer.h.
 *
 * Arming, cancelling and firing take the lock of one heap. timer->cpu and
 * timer->armed change under the lock of the heap that timer->cpu names, so a
 * canceller locks, and looks again whether it locked the right one.
 */
#include "kernel/sched/timer.h"
#include "abi/boot_info.h"
#include "kernel/arch.h"
#include "kernel/lock.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"

struct timer_heap {
	struct spinlock lock; /* rank 38 */
	struct timer *root;
	uint64_t next_ticks; /* deadline of root; read without the lock */
	bool next_is_sleep;  /* root wakes a thread, and does nothing else; the same */
} ALIGNED(64);

static struct timer_heap heaps[BOOT_MAX_CPUS] = {
	[0 ... BOOT_MAX_CPUS - 1] = {.next_ticks = UINT64_MAX}};

/* Makes one tree of two; both are roots without siblings. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->deadline_ns < a->deadline_ns) {
		struct timer *earlier = b;

		b = a;
		a = earlier;
	}
	b->sibling = a->child;
	if (b->sibling)
		b->sibling->back = &b->sibling;
	b->back = &a->child;
	a->child = b;
	a->sibling = NULL;
	return a;
}

/* Makes one tree of a list of siblings: pairs from left to right, then all of them. */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *result = NULL;

	while (first) {
		struct timer *a = first, *b = a->sibling, *pair;

		first = b ? b->sibling : NULL;
		a->sibling = NULL;
		if (b)
			b->sibling = NULL;
		pair = meld(a, b);
		pair->sibling = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct timer *pair = pairs;

		pairs = pair->sibling;
		pair->sibling = NULL;
		result = meld(result, pair);
	}
	return result;
}

static void set_root(struct timer_heap *heap, struct timer *root)
{
	bool changed = heap->root != root;

	heap->root = root;
	if (!root) {
		WRITE_ONCE(heap->next_ticks, UINT64_MAX);
		return;
	}
	root->back = &heap->root;
	if (changed) {
		WRITE_ONCE(heap->next_is_sleep, root->sleeper != NULL);
		WRITE_ONCE(heap->next_ticks, clock_ticks_of_ns(root->deadline_ns));
	}
}

static void heap_remove(struct timer_heap *heap, struct timer *timer)
{
	struct timer *children = meld_siblings(timer->child);

	if (timer == heap->root) {
		heap->root = NULL; /* its memory may be the next root's: count it as changed */
		set_root(heap, children);
	} else {
		*timer->back = timer->sibling;
		if (timer->sibling)
			timer->sibling->back = timer->back;
		set_root(heap, meld(heap->root, children));
	}
	timer->child = timer->sibling = NULL;
	timer->back = NULL;
	timer->armed = false;
}

static struct timer_heap *lock_heap_of(struct timer *timer)
{
	for (;;) {
		uint32_t cpu = READ_ONCE(timer->cpu);

		spin_lock(&heaps[cpu].lock);
		if (cpu == timer->cpu)
			return &heaps[cpu];
		spin_unlock(&heaps[cpu].lock);
	}
}

void timer_init(struct timer *timer, timer_fn fn)
{
	*timer = (struct timer){.fn = fn};
}

void timer_init_sleep(struct timer *timer, struct thread *sleeper)
{
	*timer = (struct timer){.sleeper = sleeper};
}

void timer_insert(struct timer *timer, uint64_t deadline_ns)
{
	uint32_t cpu = arch_cpu_index();
	struct timer_heap *heap = lock_heap_of(timer);

	if (timer->armed)
		heap_remove(heap, timer);
	if (heap != &heaps[cpu]) {
		WRITE_ONCE(timer->cpu, cpu);
		spin_unlock(&heap->lock);
		heap = &heaps[cpu];
		spin_lock(&heap->lock);
	}
	timer->deadline_ns = deadline_ns;
	timer->armed = true;
	set_root(heap, meld(heap->root, timer));
	spin_unlock(&heap->lock);
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
	timer_insert(timer, deadline_ns);
	sched_timer_changed();
}

bool timer_cancel(struct timer *timer)
{
	struct timer_heap *heap = lock_heap_of(timer);
	bool was_armed = timer->armed;

	if (was_armed)
		heap_remove(heap, timer);
	spin_unlock(&heap->lock);
	return was_armed;
}

bool timer_cancel_wait(struct timer *timer)
{
	bool was_armed = timer_cancel(timer);

	/* A callback under way may have armed it again. */
	while (__atomic_load_n(&timer->running, __ATOMIC_ACQUIRE)) {
		arch_relax();
		if (!__atomic_load_n(&timer->running, __ATOMIC_ACQUIRE))
			timer_cancel(timer);
	}
	return was_armed;
}

uint64_t timer_remaining_ns(struct timer *timer)
{
	struct timer_heap *heap = lock_heap_of(timer);
	uint64_t now = clock_monotonic_ns(), remaining = 0;

	if (timer->armed)
		remaining = timer->deadline_ns > now ? timer->deadline_ns - now : 1;
	spin_unlock(&heap->lock);
	return remaining;
}

uint64_t timer_next_ticks(uint32_t cpu)
{
	return READ_ONCE(heaps[cpu].next_ticks);
}

bool timer_next_is_sleep(uint32_t cpu)
{
	return READ_ONCE(heaps[cpu].next_is_sleep);
}

/*
 * Fires the first timer of a heap, whose lock is held and is released. Nobody waits
 * for the end of a sleeper's wake-up: the vcpu that does it may be stopped by the host
 * right then, and the thread, which is awake by now, would spin for milliseconds.
 */
static void fire_first(struct timer_heap *heap)
{
	struct timer *timer = heap->root;
	struct thread *sleeper = timer->sleeper;

	if (sleeper) {
		thread_acquire(sleeper);
		heap_remove(heap, timer);
		spin_unlock(&heap->lock);
		thread_wake(sleeper);
		thread_release(sleeper);
		return;
	}
	__atomic_add_fetch(&timer->running, 1, __ATOMIC_RELAXED);
	heap_remove(heap, timer);
	spin_unlock(&heap->lock);
	timer->fn(timer);
	__atomic_sub_fetch(&timer->running, 1, __ATOMIC_RELEASE);
}

bool timer_run_expired(void)
{
	struct timer_heap *heap = &heaps[arch_cpu_index()];
	bool found = false;

	while (arch_ticks() >= READ_ONCE(heap->next_ticks)) {
		spin_lock(&heap->lock);
		if (!heap->root || clock_monotonic_ns() < heap->root->deadline_ns) {
			spin_unlock(&heap->lock);
			return found;
		}
		fire_first(heap);
		found = true;
	}
	return found;
}
