/*
 * virtio-blk, device side: the threads of a disk. See block.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/block.h"
#include "monitor/message.h"
#include "monitor/timeline.h"

#define AWAKE_MIN_US 10 /* looking for more after a request */
#define AWAKE_MAX_US 100
#define GRACE_US     15 /* for the guest to see a completion by itself */
#define WAKE_US      50 /* what the doorbell and waking up take of the time of a request */
#define STACK_BYTES  (128u << 10)

/* Threads come and go, and each request has memory of its own. */
/* Sandbox, disk: clone clone3 mmap munmap mprotect brk madvise set_robust_list rseq */
/* Sandbox, disk: exit gettid sched_yield */
/* Sandbox, disk: clock_gettime */

static void *run(void *argument);

static void start_thread(struct block_device *device, void *(*entry)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* If it cannot be, a slow request holds up the others. */
	if (pthread_create(&thread, &attributes, entry, device) == 0)
		device->threads++;
	pthread_attr_destroy(&attributes);
}

static bool is_anything_waiting(struct block_device *device)
{
	for (unsigned i = 0; i < device->ring_count; i++) {
		if (ring_waiting(&device->rings[i]) > 0)
			return true;
	}
	return false;
}

/* Asks for doorbells. False: there is something to do already. */
static bool arm(struct block_device *device)
{
	bool is_waiting = false;

	for (unsigned i = 0; i < device->ring_count; i++)
		is_waiting |= ring_ask_doorbell(&device->rings[i]);
	return !is_waiting;
}

static void disarm(struct block_device *device)
{
	for (unsigned i = 0; i < device->ring_count; i++)
		ring_ask_nothing(&device->rings[i]);
}

/* With the lock: this thread no longer watches. What comes rings the doorbell, which somebody
 * must hear; what is there already must be seen at once. */
static void stop_watching(struct block_device *device)
{
	uint64_t one = 1;
	bool is_armed = arm(device);

	device->idle_since = timeline_ticks();
	device->is_watched = false;
	if (device->has_standby) {
		if (!is_armed && write(device->doorbell_fd, &one, sizeof(one)) < 0)
			return; /* full: it rings already */
	} else if (device->followers > 0) {
		pthread_cond_signal(&device->next_watcher);
	} else if (device->threads < BLOCK_THREADS) {
		start_thread(device, run);
	}
}

static void check_rings(struct block_device *device)
{
	const char *why = block_broken(device);

	if (why)
		device->broken(device, why);
}

/* Looks for a while; without the lock, which the watcher needs for taking only. */
static bool watch(struct block_device *device)
{
	uint64_t start = timeline_ticks();

	do {
		if (is_anything_waiting(device))
			return true;
		__builtin_ia32_pause();
	} while (timeline_ticks() - start < device->awake_us * device->ticks_per_us);
	return false;
}

/* How long to look before sleeping, by how long there was nothing to do. */
static void adapt(struct block_device *device)
{
	uint64_t idle_us = (timeline_ticks() - device->idle_since) / device->ticks_per_us;

	if (idle_us < AWAKE_MAX_US + WAKE_US)
		device->awake_us = MIN(device->awake_us * 2, (uint64_t)AWAKE_MAX_US);
	else
		device->awake_us = MAX(device->awake_us / 2, (uint64_t)AWAKE_MIN_US);
}

/* The watcher found nothing; with the lock, which is let go meanwhile. Returns whether this
 * thread watches afterwards. */
static bool wait_for_request(struct block_device *device)
{
	uint64_t rings;
	bool has_found;

	pthread_mutex_unlock(&device->lock);
	has_found = watch(device);
	pthread_mutex_lock(&device->lock);
	if (has_found || !arm(device))
		return true;
	device->idle_since = timeline_ticks();
	device->is_watched = false;
	if (device->has_standby)
		return false;
	device->has_standby = true;
	pthread_mutex_unlock(&device->lock);
	while (read(device->doorbell_fd, &rings, sizeof(rings)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&device->lock);
	device->has_standby = false;
	device->doorbells++;
	if (device->is_watched)
		return false;
	adapt(device);
	device->is_watched = true;
	return true;
}

/* Other requests need not wait for this one. A write into the page cache is only copying:
 * waking a thread for what may come meanwhile does not pay. */
static bool should_hand_over(struct block_device *device, const struct block_work *work)
{
	return work->header.type != VIRTIO_BLK_T_OUT || is_anything_waiting(device);
}

/* A vcpu that runs something is interrupted at a price of some 50 us; often it goes idle first,
 * and looks by itself. True: it did not. */
static bool wait_for_guest(struct block_device *device, const struct ring *ring)
{
	uint64_t start = timeline_ticks();

	while (ring_wants_interrupt(ring)) {
		if (is_anything_waiting(device) ||
			timeline_ticks() - start > GRACE_US * device->ticks_per_us)
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/* With the lock, which is let go meanwhile. Returns whether this thread still watches. */
static bool serve(struct block_device *device, struct block_work *work)
{
	bool is_watcher = true, must_interrupt;

	device->working++;
	device->requests++;
	pthread_mutex_unlock(&device->lock);
	if (!block_execute(device, work, true)) {
		pthread_mutex_lock(&device->lock);
		device->slow_requests++;
		if (should_hand_over(device, work)) {
			stop_watching(device);
			is_watcher = false;
		}
		pthread_mutex_unlock(&device->lock);
		(void)block_execute(device, work, false);
	}
	pthread_mutex_lock(&device->lock);
	must_interrupt = block_give(device, work);
	if (--device->working == 0)
		pthread_cond_signal(&device->all_done);
	if (must_interrupt) {
		pthread_mutex_unlock(&device->lock);
		must_interrupt = wait_for_guest(device, work->ring);
		if (must_interrupt)
			device->interrupt(device);
		pthread_mutex_lock(&device->lock);
		device->interrupts += must_interrupt;
	}
	return is_watcher;
}

/* One that just worked looks for more; another leaves that to who waits for the doorbell. */
static void become_watcher(struct block_device *device, bool is_hot)
{
	while (device->is_watched || (device->has_standby && !is_hot)) {
		device->followers++;
		pthread_cond_wait(&device->next_watcher, &device->lock);
		device->followers--;
	}
	device->is_watched = true;
	disarm(device);
}

static void *run(void *argument)
{
	struct block_device *device = argument;
	struct block_work *work = malloc(sizeof(*work));
	bool is_watcher = false, is_hot = true;

	if (!work)
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for a request of a disk");
	pthread_mutex_lock(&device->lock);
	for (;;) {
		if (!is_watcher)
			become_watcher(device, is_hot);
		is_watcher = true;
		if (block_take(device, work)) {
			is_watcher = serve(device, work);
			is_hot = true;
			continue;
		}
		check_rings(device);
		is_hot = false;
		is_watcher = wait_for_request(device);
	}
}

static void *run_first(void *argument)
{
	struct block_device *device = argument;

	device->enter();
	return run(device);
}

void block_start(struct block_device *device)
{
	pthread_mutex_init(&device->lock, NULL);
	pthread_cond_init(&device->next_watcher, NULL);
	pthread_cond_init(&device->all_done, NULL);
	device->awake_us = AWAKE_MIN_US;
	pthread_mutex_lock(&device->lock);
	start_thread(device, run_first);
	if (device->threads == 0)
		message_fail(
			STATUS_MONITOR_FAILED, "cannot start a thread for disk %s", device->name);
	pthread_mutex_unlock(&device->lock);
}

void block_finish(struct block_device *device)
{
	pthread_mutex_lock(&device->lock);
	while (device->working > 0)
		pthread_cond_wait(&device->all_done, &device->lock);
	/* The lock is kept: nobody takes another request. The file must be free for the next VM
	 * when this process has ended, which part of it outlives (teardown.h). */
	block_unlock(device);
}
