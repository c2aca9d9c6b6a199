/*
 * Timers that send signals. See posix_timer.h.
 *
 * ITIMER_VIRTUAL counts all CPU time of the program: system calls run at the same
 * privilege as the program, as function calls, and are not told apart.
 */
#include "kernel/sched/posix_timer.h"
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

#define MAX_TIMERS 32768

struct posix_timer {
	struct list link; /* guarded by posix_timer.lock */
	int id;
	uint32_t references;
	struct posix_timer_spec spec;
	struct interval_timer timer;
	int32_t last_overrun;
};

static struct {
	struct spinlock lock;
	struct list timers;
	uint32_t count;
	int next_id;
	struct mutex change; /* no two calls change a timer at once */
} posix_timer = {.lock = SPINLOCK_INIT, .timers = LIST_INIT(posix_timer.timers)};

static struct interval_timer itimers[3];

static void send_for_itimer(struct interval_timer *timer, uint64_t expirations)
{
	static const int signals[] = {LINUX_SIGALRM, LINUX_SIGVTALRM, LINUX_SIGPROF};
	struct linux_siginfo info = {
		.signo = signals[timer - itimers],
		.code = LINUX_SI_KERNEL,
	};

	(void)expirations;
	signal_send_process(&info);
}

void posix_timer_init(void)
{
	mutex_init(&posix_timer.change);
	interval_timer_init(&itimers[0], INTERVAL_MONOTONIC, NULL, send_for_itimer);
	interval_timer_init(&itimers[1], INTERVAL_CPU, NULL, send_for_itimer);
	interval_timer_init(&itimers[2], INTERVAL_CPU, NULL, send_for_itimer);
}

static void send_for_timer(struct interval_timer *interval, uint64_t expirations)
{
	struct posix_timer *timer = CONTAINER_OF(interval, struct posix_timer, timer);
	struct linux_siginfo info = {
		.signo = timer->spec.signal,
		.code = LINUX_SI_TIMER,
		.timer = {.timer_id = timer->id, .value = timer->spec.value},
	};

	info.timer.overrun = (int32_t)MIN(expirations - 1, (uint64_t)INT32_MAX);
	WRITE_ONCE(timer->last_overrun, info.timer.overrun);
	if (timer->spec.is_silent)
		return;
	if (timer->spec.target)
		signal_send_thread(timer->spec.target, &info);
	else
		signal_send_process(&info);
}

static struct posix_timer *find_locked(int id)
{
	LIST_FOR_EACH (link, &posix_timer.timers) {
		struct posix_timer *timer = LIST_ENTRY(link, struct posix_timer, link);

		if (timer->id == id)
			return timer;
	}
	return NULL;
}

static struct posix_timer *get_timer(int id)
{
	struct posix_timer *timer;

	spin_lock(&posix_timer.lock);
	timer = find_locked(id);
	if (timer)
		timer->references++;
	spin_unlock(&posix_timer.lock);
	return timer;
}

static void put_timer(struct posix_timer *timer)
{
	bool is_last;

	spin_lock(&posix_timer.lock);
	is_last = --timer->references == 0;
	spin_unlock(&posix_timer.lock);
	if (!is_last)
		return;
	interval_timer_cancel(&timer->timer);
	if (timer->spec.clock_thread)
		thread_release(timer->spec.clock_thread);
	if (timer->spec.target)
		thread_release(timer->spec.target);
	heap_free(timer);
}

/* Gives it an id and makes it findable. */
static int add_timer(struct posix_timer *timer)
{
	int id = -LINUX_EAGAIN;

	spin_lock(&posix_timer.lock);
	if (posix_timer.count < MAX_TIMERS) {
		while (find_locked(posix_timer.next_id))
			posix_timer.next_id = (posix_timer.next_id + 1) & INT32_MAX;
		id = timer->id = posix_timer.next_id;
		posix_timer.next_id = (posix_timer.next_id + 1) & INT32_MAX;
		posix_timer.count++;
		list_add_last(&posix_timer.timers, &timer->link);
	}
	spin_unlock(&posix_timer.lock);
	return id;
}

int posix_timer_create(const struct posix_timer_spec *spec)
{
	struct posix_timer *timer = heap_zalloc(sizeof(*timer));
	int id;

	if (!timer)
		return -LINUX_EAGAIN;
	timer->references = 1;
	timer->spec = *spec;
	interval_timer_init(&timer->timer, spec->clock, spec->clock_thread, send_for_timer);
	mutex_lock(&posix_timer.change);
	id = add_timer(timer);
	if (id >= 0 && spec->value_is_id)
		timer->spec.value = (uint64_t)id;
	mutex_unlock(&posix_timer.change);
	if (id < 0)
		heap_free(timer);
	return id;
}

int posix_timer_set(int id, const struct interval_setting *setting, bool is_absolute,
	struct interval_setting *old)
{
	struct posix_timer *timer = get_timer(id);

	if (!timer)
		return -LINUX_EINVAL;
	mutex_lock(&posix_timer.change);
	interval_timer_set(&timer->timer, setting, is_absolute, old);
	mutex_unlock(&posix_timer.change);
	put_timer(timer);
	return 0;
}

int posix_timer_get(int id, struct interval_setting *setting)
{
	struct posix_timer *timer = get_timer(id);

	if (!timer)
		return -LINUX_EINVAL;
	interval_timer_get(&timer->timer, setting);
	put_timer(timer);
	return 0;
}

int posix_timer_overrun(int id)
{
	struct posix_timer *timer = get_timer(id);
	int overrun;

	if (!timer)
		return -LINUX_EINVAL;
	overrun = READ_ONCE(timer->last_overrun);
	put_timer(timer);
	return overrun;
}

int posix_timer_delete(int id)
{
	struct posix_timer *timer;

	spin_lock(&posix_timer.lock);
	timer = find_locked(id);
	if (timer) {
		list_remove(&timer->link);
		posix_timer.count--;
	}
	spin_unlock(&posix_timer.lock);
	if (!timer)
		return -LINUX_EINVAL;
	put_timer(timer); /* the reference of the list */
	return 0;
}

int itimer_set(int which, const struct interval_setting *setting, struct interval_setting *old)
{
	if (which < 0 || which > 2)
		return -LINUX_EINVAL;
	if (!setting) {
		interval_timer_get(&itimers[which], old);
		return 0;
	}
	mutex_lock(&posix_timer.change);
	interval_timer_set(&itimers[which], setting, false, old);
	mutex_unlock(&posix_timer.change);
	return 0;
}
