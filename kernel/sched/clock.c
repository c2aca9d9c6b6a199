/*
 * Clocks. See clock.h.
 *
 * Time is one multiplication: ns = base_ns + ((ticks - base) * multiplier >> shift),
 * with a 128-bit product and the largest shift that keeps the multiplier below 2^63,
 * so that the error is a nanosecond or two in a century. The parameters live in the
 * page that the vDSO reads; only the offset of the wall clock ever changes.
 */
#include "kernel/sched/clock.h"
#include "kernel/arch.h"
#include "kernel/lock.h"
#include "kernel/platform.h"
#include "kernel/sched/clock_math.h"
#include "kernel/sched/wait.h"

#define NS_PER_S 1000000000ull

/* A whole page of the kernel's image: the program's address space maps it. */
static union {
	struct vdso_data data;
	uint8_t page[PAGE_BYTES];
} ALIGNED(PAGE_BYTES) shared_page;

static struct {
	struct vdso_data *data; /* NULL before clock_init() */
	struct clock_scale to_ns;
	struct clock_scale to_ticks;
	struct spinlock lock; /* rank 39: writers of the shared page */
	uint32_t change_count;
	struct wait_queue changed;
} clock = {.lock = SPINLOCK_INIT};

void clock_init(void)
{
	const struct boot_info *boot = platform_boot_info();
	uint64_t hz = platform_ticks_hz();
	uint64_t now = arch_ticks();
	struct vdso_data *data = &shared_page.data;

	clock.to_ns = clock_scale(NS_PER_S, hz);
	clock.to_ticks = clock_scale(hz, NS_PER_S);
	wait_queue_init(&clock.changed);

	data->multiplier = clock.to_ns.multiplier;
	data->shift = clock.to_ns.shift;
	/* Time starts when the launcher did, if it says so, and is never 0. */
	data->base_tsc = boot->start_tsc && boot->start_tsc < now ? boot->start_tsc : now;
	data->base_ns = 1;
	data->realtime_offset_ns = (int64_t)(boot->wall_ns - data->base_ns -
					     (uint64_t)clock_scale_signed(&clock.to_ns,
						     (int64_t)(boot->wall_tsc - data->base_tsc)));
	__atomic_store_n(&clock.data, data, __ATOMIC_RELEASE);
}

uint64_t clock_monotonic_ns(void)
{
	const struct vdso_data *data = clock.data;
	int64_t elapsed;

	if (UNLIKELY(!data))
		return 1;
	elapsed = (int64_t)(arch_ticks() - data->base_tsc);
	if (UNLIKELY(elapsed < 0))
		return data->base_ns;
	return data->base_ns + clock_scale_apply(&clock.to_ns, (uint64_t)elapsed);
}

uint64_t clock_realtime_ns(void)
{
	int64_t offset = clock.data ? READ_ONCE(clock.data->realtime_offset_ns) : 0;

	return clock_monotonic_ns() + (uint64_t)offset;
}

uint64_t clock_monotonic_of_realtime(uint64_t realtime_ns)
{
	int64_t offset = clock.data ? READ_ONCE(clock.data->realtime_offset_ns) : 0;

	if (offset >= 0)
		return realtime_ns > (uint64_t)offset ? realtime_ns - (uint64_t)offset : 1;
	return realtime_ns > UINT64_MAX + (uint64_t)offset ? UINT64_MAX
							   : realtime_ns - (uint64_t)offset;
}

void clock_set_realtime_ns(uint64_t ns)
{
	struct vdso_data *data = clock.data;
	uint32_t sequence;

	spin_lock(&clock.lock);
	sequence = data->sequence;
	__atomic_store_n(&data->sequence, sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE_ONCE(data->realtime_offset_ns, (int64_t)(ns - clock_monotonic_ns()));
	__atomic_store_n(&data->sequence, sequence + 2, __ATOMIC_RELEASE);
	__atomic_fetch_add(&clock.change_count, 1, __ATOMIC_SEQ_CST);
	spin_unlock(&clock.lock);
	wait_wake_all(&clock.changed);
}

struct wait_queue *clock_change_queue(void)
{
	return &clock.changed;
}

uint32_t clock_change_count(void)
{
	return READ_ONCE(clock.change_count);
}

uint64_t clock_ticks_of_ns(uint64_t monotonic_ns)
{
	const struct vdso_data *data = clock.data;
	uint64_t ticks;

	if (monotonic_ns <= data->base_ns)
		return data->base_tsc;
	/* One tick more: both scales round down, and waking early is no use. */
	ticks = clock_scale_apply(&clock.to_ticks, monotonic_ns - data->base_ns);
	return ticks > UINT64_MAX - 2 - data->base_tsc ? UINT64_MAX : data->base_tsc + ticks + 2;
}

uint64_t clock_ns_of_ticks(uint64_t ticks)
{
	return clock_scale_apply(&clock.to_ns, ticks);
}

uint64_t clock_ticks_of_duration(uint64_t ns)
{
	return clock_scale_apply(&clock.to_ticks, ns);
}

struct vdso_data *clock_vdso_data(void)
{
	return clock.data;
}
