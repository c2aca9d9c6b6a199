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

#define AWAKE_MIN_US 4 /* looking for more after a request */
#define AWAKE_MAX_US 50
#define STACK_BYTES  (128u << 10)

static void *run(void *argument);

static void start_thread(struct block_device *device)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* If it cannot be, a slow request holds up the others. */
	if (pthread_create(&thread, &attributes, run, device) == 0)
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

/* With the lock: another thread watches from now on. */
static void hand_over(struct block_device *device)
{
	device->is_watched = false;
	if (device->followers > 0)
		pthread_cond_signal(&device->next_watcher);
	else if (device->threads < BLOCK_THREADS)
		start_thread(device);
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

static void sleep_until_doorbell(struct block_device *device)
{
	uint64_t start = timeline_ticks(), rings, slept_us;

	while (read(device->doorbell_fd, &rings, sizeof(rings)) < 0 && errno == EINTR)
		;
	slept_us = (timeline_ticks() - start) / device->ticks_per_us;
	if (slept_us < AWAKE_MAX_US)
		device->awake_us = MIN(device->awake_us * 2, (uint64_t)AWAKE_MAX_US);
	else
		device->awake_us = MAX(device->awake_us / 2, (uint64_t)AWAKE_MIN_US);
}

/* The watcher found nothing; with the lock, which is let go meanwhile. */
static void wait_for_request(struct block_device *device)
{
	bool may_sleep = true;

	pthread_mutex_unlock(&device->lock);
	if (watch(device)) {
		pthread_mutex_lock(&device->lock);
		return;
	}
	pthread_mutex_lock(&device->lock);
	for (unsigned i = 0; i < device->ring_count; i++)
		may_sleep &= !ring_ask_doorbell(&device->rings[i]);
	if (!may_sleep)
		return;
	pthread_mutex_unlock(&device->lock);
	sleep_until_doorbell(device);
	pthread_mutex_lock(&device->lock);
}

/* Other requests need not wait for this one. A write into the page cache is only copying:
 * waking a thread for what may come meanwhile does not pay. */
static bool should_hand_over(struct block_device *device, const struct block_work *work)
{
	return work->header.type != VIRTIO_BLK_T_OUT || is_anything_waiting(device);
}

/* With the lock, which is let go meanwhile. Returns whether this thread still watches. */
static bool serve(struct block_device *device, struct block_work *work)
{
	bool is_watcher = true, must_interrupt;

	device->working++;
	pthread_mutex_unlock(&device->lock);
	if (!block_execute(device, work, true)) {
		pthread_mutex_lock(&device->lock);
		if (should_hand_over(device, work)) {
			hand_over(device);
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
		device->interrupt(device);
		pthread_mutex_lock(&device->lock);
	}
	return is_watcher;
}

static void become_watcher(struct block_device *device)
{
	while (device->is_watched) {
		device->followers++;
		pthread_cond_wait(&device->next_watcher, &device->lock);
		device->followers--;
	}
	device->is_watched = true;
}

static void *run(void *argument)
{
	struct block_device *device = argument;
	struct block_work *work = malloc(sizeof(*work));
	bool is_watcher = false;

	if (!work)
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for a request of a disk");
	pthread_mutex_lock(&device->lock);
	for (;;) {
		if (!is_watcher)
			become_watcher(device);
		is_watcher = true;
		if (block_take(device, work)) {
			is_watcher = serve(device, work);
			continue;
		}
		check_rings(device);
		wait_for_request(device);
	}
}

void block_start(struct block_device *device)
{
	pthread_mutex_init(&device->lock, NULL);
	pthread_cond_init(&device->next_watcher, NULL);
	pthread_cond_init(&device->all_done, NULL);
	device->awake_us = AWAKE_MIN_US;
	pthread_mutex_lock(&device->lock);
	start_thread(device);
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
