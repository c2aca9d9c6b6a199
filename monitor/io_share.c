/*
 * The directories of the host that the guest sees: opened, connected, served. What requests do
 * is in fs_server.c; the I/O thread has no part in it. See io.h.
 *
 * As for disks (block_threads.c): a few threads share the rings of a directory. One watches; if
 * a request may wait for the host's disk, another becomes the watcher before it is served.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/fs_confine.h"
#include "monitor/fs_server.h"
#include "monitor/io.h"
#include "monitor/message.h"
#include "monitor/stream.h"
#include "monitor/timeline.h"

#define MSI_ADDRESS  0xfee00000u /* physical destination 0: vcpu 0 */
#define THREADS_MOST 4
#define STACK_BYTES  (512u << 10)
#define AWAKE_MIN_US 4
#define AWAKE_MAX_US 50
#define NODES_MOST   16384u /* descriptors kept for nodes, all directories together */

struct share {
	struct fs_server server;
	struct machine *machine;
	const char *path;
	unsigned number;
	int root_fd;
	int doorbell_fd;
	uint64_t ticks_per_us, awake_us;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t next_watcher;
	struct ring rings[LAYOUT_SHARE_QUEUES];
	unsigned threads, followers;
	bool is_watched;
	bool is_confined; /* the first thread, and so the others that it starts */
};

static struct share shares[BOOT_MAX_SHARES];

/* ---- opening -------------------------------------------------------------------------------- */

/* Half of the descriptors that there may be are for files that the guest has open. */
static unsigned descriptors_for_nodes(unsigned count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 256;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return (unsigned)MIN(limit.rlim_max / 2, NODES_MOST) / count;
}

void io_open_shares(struct machine *machine)
{
	const struct options *options = &machine->options;

	if (options->share_count == 0)
		return;
	umask(0); /* the guest applies the program's */
	for (unsigned i = 0; i < options->share_count; i++) {
		struct share *share = &shares[i];

		share->machine = machine;
		share->number = i;
		share->path = options->shares[i].path;
		share->root_fd = open(share->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (share->root_fd < 0)
			message_fail(
				STATUS_MONITOR_FAILED, "-v %s: %s", share->path, strerror(errno));
		if (!fs_server_init(&share->server, share->root_fd, options->shares[i].read_only,
			    descriptors_for_nodes(options->share_count)))
			message_fail(STATUS_MONITOR_FAILED, "memory: no room for -v");
	}
}

/* ---- serving -----------------------------------------------------------------------------------
 */

static void *run(void *argument);

static void start_thread(struct share *share)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* If it cannot be, a slow request holds up the others. */
	if (pthread_create(&thread, &attributes, run, share) == 0)
		share->threads++;
	pthread_attr_destroy(&attributes);
}

static void interrupt(const struct share *share)
{
	const struct options *options = &share->machine->options;
	unsigned device =
		DEVICE_COUNT + options->interface_count + options->disk_count + share->number;
	struct kvm_msi message = {.address_lo = MSI_ADDRESS, .data = STREAM_FIRST_VECTOR + device};

	(void)ioctl(share->machine->vm_fd, KVM_SIGNAL_MSI, &message);
}

static bool is_anything_waiting(struct share *share)
{
	return ring_waiting(&share->rings[0]) > 0 || ring_waiting(&share->rings[1]) > 0;
}

/* With the lock. NULL: nothing waits. */
static struct ring *take(struct share *share, struct ring_request *request)
{
	for (unsigned i = 0; i < LAYOUT_SHARE_QUEUES; i++) {
		struct ring *ring = &share->rings[i];

		if (ring_take(ring, request))
			return ring;
		if (ring->broken)
			message_fail(STATUS_VM_FAILED,
				"directory %s: broken ring: %s; this is a bug of the kernel in "
				"the VM",
				share->path, ring->broken);
	}
	return NULL;
}

/* With the lock: another thread watches from now on. */
static void hand_over(struct share *share)
{
	share->is_watched = false;
	if (share->followers > 0)
		pthread_cond_signal(&share->next_watcher);
	else if (share->threads < THREADS_MOST)
		start_thread(share);
}

/* With the lock, which is let go meanwhile. Returns whether this thread still watches. */
static bool serve(struct share *share, struct ring *ring, struct ring_request *request)
{
	bool is_watcher = true, must_interrupt;
	uint32_t bytes;

	pthread_mutex_unlock(&share->lock);
	bytes = fs_serve(&share->server, request, false);
	if (bytes == FS_WOULD_BLOCK) {
		pthread_mutex_lock(&share->lock);
		hand_over(share);
		is_watcher = false;
		pthread_mutex_unlock(&share->lock);
		bytes = fs_serve(&share->server, request, true);
	}
	pthread_mutex_lock(&share->lock);
	ring_give(ring, request->id, bytes);
	must_interrupt = ring_publish(ring);
	if (must_interrupt) {
		pthread_mutex_unlock(&share->lock);
		interrupt(share);
		pthread_mutex_lock(&share->lock);
	}
	return is_watcher;
}

static bool watch(struct share *share)
{
	uint64_t start = timeline_ticks();

	do {
		if (is_anything_waiting(share))
			return true;
		__builtin_ia32_pause();
	} while (timeline_ticks() - start < share->awake_us * share->ticks_per_us);
	return false;
}

/* The watcher found nothing; with the lock, which is let go meanwhile. */
static void wait_for_request(struct share *share)
{
	uint64_t start, rings;
	bool is_there;

	pthread_mutex_unlock(&share->lock);
	is_there = watch(share);
	pthread_mutex_lock(&share->lock);
	for (unsigned i = 0; i < LAYOUT_SHARE_QUEUES && !is_there; i++)
		is_there = ring_ask_doorbell(&share->rings[i]);
	if (is_there)
		return;
	pthread_mutex_unlock(&share->lock);
	start = timeline_ticks();
	while (read(share->doorbell_fd, &rings, sizeof(rings)) < 0 && errno == EINTR)
		;
	/* Longer after a sleep that was short: it was not worth it. */
	if ((timeline_ticks() - start) / share->ticks_per_us < AWAKE_MAX_US)
		share->awake_us = MIN(share->awake_us * 2, (uint64_t)AWAKE_MAX_US);
	else
		share->awake_us = MAX(share->awake_us / 2, (uint64_t)AWAKE_MIN_US);
	pthread_mutex_lock(&share->lock);
}

static void become_watcher(struct share *share)
{
	while (share->is_watched) {
		share->followers++;
		pthread_cond_wait(&share->next_watcher, &share->lock);
		share->followers--;
	}
	share->is_watched = true;
}

static void *run(void *argument)
{
	struct share *share = argument;
	struct ring_request *request = malloc(sizeof(*request));
	bool is_watcher = false;

	if (!request)
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for a request of -v");
	pthread_mutex_lock(&share->lock);
	if (!share->is_confined && !fs_confine(share->root_fd, share->server.read_only) &&
		share->machine->options.verbose)
		message_print("-v %s: this host has no landlock to keep to it", share->path);
	share->is_confined = true;
	for (;;) {
		struct ring *ring;

		if (!is_watcher)
			become_watcher(share);
		is_watcher = true;
		ring = take(share, request);
		if (ring)
			is_watcher = serve(share, ring, request);
		else
			wait_for_request(share);
	}
}

/* ---- connecting
 * ---------------------------------------------------------------------------------- */

static void connect_share(struct machine *machine, struct share *share)
{
	struct kvm_ioeventfd doorbell = {.addr = LAYOUT_SHARE_DOORBELL(share->number), .len = 4};

	for (unsigned i = 0; i < LAYOUT_SHARE_QUEUES; i++) {
		struct boot_queue queue = layout_share_queue(&machine->layout, share->number, i);

		if (!ring_init(&share->rings[i], &machine->memory, queue.descriptors,
			    queue.available, queue.used, (uint16_t)queue.size, false))
			message_fail(STATUS_MONITOR_FAILED, "memory: no room for the rings");
	}
	share->ticks_per_us = MAX(machine->tsc_hz / 1000000, 1u);
	share->awake_us = AWAKE_MIN_US;
	share->doorbell_fd = eventfd(0, EFD_CLOEXEC);
	if (share->doorbell_fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "eventfd: %s", strerror(errno));
	doorbell.fd = share->doorbell_fd;
	/* Without it the vcpu threads come by io_share_doorbell(), slower. */
	if (ioctl(machine->vm_fd, KVM_IOEVENTFD, &doorbell) < 0)
		message_print("doorbell: %s; -v will be slow", strerror(errno));
	pthread_mutex_init(&share->lock, NULL);
	pthread_cond_init(&share->next_watcher, NULL);
	pthread_mutex_lock(&share->lock);
	start_thread(share);
	if (share->threads == 0)
		message_fail(STATUS_MONITOR_FAILED, "cannot start a thread for -v");
	pthread_mutex_unlock(&share->lock);
}

void io_connect_shares(struct machine *machine)
{
	for (unsigned i = 0; i < machine->options.share_count; i++)
		connect_share(machine, &shares[i]);
}

void io_share_doorbell(struct machine *machine, uint64_t address)
{
	uint64_t number = (address - LAYOUT_SHARE_DOORBELL(0)) / 8, one = 1;

	if (number < machine->options.share_count &&
		write(shares[number].doorbell_fd, &one, sizeof(one)) < 0)
		return; /* full: it rings already */
}
