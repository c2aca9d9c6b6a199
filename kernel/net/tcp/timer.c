/*
 * A wheel of two levels under the network lock, driven by one kernel timer: 1024 slots of a
 * millisecond, 256 of 1024 ms. What lies beyond the second level's span stays in its slot
 * and is looked at once a turn.
 */
#include "kernel/net/net.h"
#include "kernel/net/tcp/connection.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/timer.h"

#define NEAR_BITS  10u
#define NEAR_SLOTS (1u << NEAR_BITS)
#define FAR_SLOTS  256u

static struct list near_slots[NEAR_SLOTS], far_slots[FAR_SLOTS];
static uint64_t near_used[NEAR_SLOTS / 64], far_used[FAR_SLOTS / 64];
static uint64_t current; /* the last tick that was served */
static uint64_t armed;   /* tick of the kernel's timer; UINT64_MAX: none */
static struct timer kernel_timer;

static void insert(struct tcp_timer *timer, uint64_t tick)
{
	uint32_t slot;

	timer->tick = MAX(tick, current + 1);
	if (timer->tick - current < NEAR_SLOTS) {
		slot = (uint32_t)(timer->tick % NEAR_SLOTS);
		list_add_last(&near_slots[slot], &timer->link);
		near_used[slot / 64] |= 1ull << slot % 64;
	} else {
		slot = (uint32_t)((timer->tick >> NEAR_BITS) % FAR_SLOTS);
		list_add_last(&far_slots[slot], &timer->link);
		far_used[slot / 64] |= 1ull << slot % 64;
	}
}

/* The first used slot at or after `from` in a circle of `count`: its distance, or count. */
static uint32_t find_used(const uint64_t *used, uint32_t count, uint32_t from)
{
	for (uint32_t distance = 0; distance < count;) {
		uint32_t slot = (from + distance) % count;
		uint64_t word = used[slot / 64] >> slot % 64;

		if (word)
			return distance + (uint32_t)__builtin_ctzll(word);
		distance += 64 - slot % 64;
	}
	return count;
}

static uint64_t next_tick(void)
{
	uint32_t near_distance =
		find_used(near_used, NEAR_SLOTS, (uint32_t)((current + 1) % NEAR_SLOTS));
	uint64_t far_now = current >> NEAR_BITS;
	uint32_t far_distance =
		find_used(far_used, FAR_SLOTS, (uint32_t)((far_now + 1) % FAR_SLOTS));
	uint64_t next = UINT64_MAX;

	if (near_distance < NEAR_SLOTS)
		next = current + 1 + near_distance;
	if (far_distance < FAR_SLOTS)
		next = MIN(next, (far_now + 1 + far_distance) << NEAR_BITS);
	return next;
}

static void arm_kernel(void)
{
	uint64_t next = next_tick();

	if (next >= armed)
		return;
	armed = next;
	timer_arm(&kernel_timer, next * TCP_NS_PER_MS);
}

void tcp_timer_need(struct tcp_timer *timer, uint64_t deadline_ns)
{
	uint64_t tick = (deadline_ns + TCP_NS_PER_MS - 1) / TCP_NS_PER_MS;

	if (list_is_linked(&timer->link)) {
		if (timer->tick <= tick)
			return;
		list_remove(&timer->link);
	}
	insert(timer, tick);
	if (timer->tick < armed)
		arm_kernel();
}

void tcp_timer_cancel(struct tcp_timer *timer)
{
	/* The slot stays marked until it is looked at. */
	list_remove(&timer->link);
}

/* Empties the slots of [from, +count) that are used into `list`. */
static void take_slots(struct list *slots, uint64_t *used, uint32_t total, uint64_t from,
	uint64_t count, struct list *list)
{
	uint32_t limit = (uint32_t)MIN(count, (uint64_t)total);

	for (uint32_t i = 0; i < limit; i++) {
		uint32_t distance = find_used(used, total, (uint32_t)((from + i) % total));
		uint32_t slot;

		i += distance;
		if (i >= limit)
			return;
		slot = (uint32_t)((from + i) % total);
		list_splice_last(list, &slots[slot]);
		used[slot / 64] &= ~(1ull << slot % 64);
	}
}

static void run(uint64_t now)
{
	struct list due, *link;

	list_init(&due);
	if (now <= current)
		return;
	take_slots(near_slots, near_used, NEAR_SLOTS, current + 1, now - current, &due);
	take_slots(far_slots, far_used, FAR_SLOTS, (current >> NEAR_BITS) + 1,
		(now >> NEAR_BITS) - (current >> NEAR_BITS), &due);
	current = now;
	while ((link = list_first(&due)) != NULL) {
		struct tcp_timer *timer = LIST_ENTRY(link, struct tcp_timer, link);

		list_remove(link);
		if (timer->tick > now)
			insert(timer, timer->tick);
		else
			timer->fn(timer);
	}
}

static void expired(struct timer *timer)
{
	(void)timer;
	tcp_enter();
	armed = UINT64_MAX;
	run(tcp_now_ns / TCP_NS_PER_MS);
	arm_kernel();
	tcp_leave();
}

void tcp_timer_init(void)
{
	for (uint32_t i = 0; i < NEAR_SLOTS; i++)
		list_init(&near_slots[i]);
	for (uint32_t i = 0; i < FAR_SLOTS; i++)
		list_init(&far_slots[i]);
	timer_init(&kernel_timer, expired);
	armed = UINT64_MAX;
	current = clock_monotonic_ns() / TCP_NS_PER_MS;
}
