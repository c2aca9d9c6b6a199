/*
 * See virtio_fs.h. A queue with messages in flight is armed (its next completion interrupts)
 * unless a vcpu idles: that one polls. A vcpu that stops polling first takes its bit out of
 * `pollers`, then serves each queue under its lock, which arms it if no bit is left.
 */
#include "drivers/virtio_fs.h"
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/fs/fuse/devices.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/device_poll.h"

#define DESCRIPTORS_LEAST 16u
#define PATIENCE_NS       60000u

enum { QUEUE_FORGET = 0, QUEUE_REQUESTS = 1 };

static struct virtio_fs *devices; /* all of them; written at boot */
static uint64_t pollers;          /* vcpus in their idle loop, one bit each; atomic */
static uint32_t expected;         /* replies that threads wait for; atomic */

/* ---- a queue, with its lock held ----------------------------------------------------------- */

static uint32_t free_slot(const struct virtio_fs_queue *queue)
{
	uint32_t slot = 0;

	while (slot < VIRTIO_FS_SLOTS && queue->slots[slot] != NULL)
		slot++;
	return slot;
}

static uint16_t add_segments(struct virtio_fs_queue *queue, const struct fuse_segment *segments,
	uint32_t count, uint16_t at, bool device_writes)
{
	for (uint32_t i = 0; i < count && at < VIRTIO_FS_SEGMENTS; i++)
		queue->buffers[at++] = (struct virtio_buffer){
			segments[i].memory.raw, segments[i].bytes, device_writes};
	return at;
}

/* False: there is no room. */
static bool post(struct virtio_fs_queue *queue, struct fuse_message *message)
{
	uint32_t slot = free_slot(queue);
	uint16_t count;

	if (slot == VIRTIO_FS_SLOTS)
		return false;
	count = add_segments(queue, message->request, message->request_count, 0, false);
	count = add_segments(queue, message->reply, message->reply_count, count, true);
	if (!virtio_ring_add(&queue->ring, queue->buffers, count, slot))
		return false;
	queue->slots[slot] = message;
	queue->in_flight++;
	return true;
}

static void post_waiting(struct virtio_fs_queue *queue)
{
	struct list *first;

	while ((first = list_first(&queue->waiting)) != NULL) {
		struct fuse_message *message = LIST_ENTRY(first, struct fuse_message, link);

		list_remove(first);
		if (!post(queue, message)) {
			list_add_first(&queue->waiting, first);
			return;
		}
	}
}

/* Everything ends: the ring is not used any more. */
static void fail_all(struct virtio_fs_queue *queue, struct list *done)
{
	for (uint32_t slot = 0; slot < VIRTIO_FS_SLOTS; slot++) {
		if (queue->slots[slot] != NULL)
			list_add_last(&queue->waiting, &queue->slots[slot]->link);
		queue->slots[slot] = NULL;
	}
	queue->in_flight = 0;
	LIST_FOR_EACH (link, &queue->waiting)
		LIST_ENTRY(link, struct fuse_message, link)->error = -LINUX_EIO;
	list_splice_last(done, &queue->waiting);
}

/* Moves what is complete to `done`. */
static void reap(struct virtio_fs_queue *queue, struct list *done)
{
	uint32_t slot, bytes;

	while (virtio_ring_take(&queue->ring, &slot, &bytes)) {
		struct fuse_message *message = queue->slots[slot];

		queue->slots[slot] = NULL;
		queue->in_flight--;
		message->replied = bytes;
		list_add_last(done, &message->link);
	}
	if (queue->ring.broken)
		fail_all(queue, done);
	else
		post_waiting(queue);
}

static void reap_and_arm(struct virtio_fs_queue *queue, struct list *done)
{
	for (;;) {
		reap(queue, done);
		queue->is_armed = queue->in_flight != 0 && !queue->ring.broken &&
				  __atomic_load_n(&pollers, __ATOMIC_SEQ_CST) == 0;
		if (!queue->is_armed) {
			virtio_ring_disarm(&queue->ring);
			return;
		}
		if (!virtio_ring_arm(&queue->ring, 1))
			return;
	}
}

/* ---- serving ----------------------------------------------------------------------------------
 */

static void finish(struct list *done)
{
	struct list *first;

	while ((first = list_first(done)) != NULL) {
		struct fuse_message *message = LIST_ENTRY(first, struct fuse_message, link);

		list_remove(first);
		if (message->reply_count != 0)
			__atomic_fetch_sub(&expected, 1, __ATOMIC_RELAXED);
		message->done(message);
	}
}

/* Takes what is complete, shows the device what is new, arms. True if anything was complete. */
static bool serve(struct virtio_fs *device, uint32_t number)
{
	struct virtio_fs_queue *queue = &device->queues[number];
	struct list done = LIST_INIT(done);
	bool must_notify, has_served;

	spin_lock(&queue->lock);
	reap_and_arm(queue, &done);
	must_notify = virtio_ring_publish(&queue->ring);
	spin_unlock(&queue->lock);
	if (must_notify)
		virtio_device_notify(&device->device, number);
	has_served = !list_is_empty(&done);
	finish(&done);
	return has_served;
}

static void submit(struct fuse_transport *transport, struct fuse_message *message)
{
	struct virtio_fs *device = CONTAINER_OF(transport, struct virtio_fs, transport);
	uint32_t number = message->reply_count == 0 ? QUEUE_FORGET : QUEUE_REQUESTS;
	struct virtio_fs_queue *queue = &device->queues[number];

	message->error = 0;
	message->replied = 0;
	if (message->reply_count != 0)
		__atomic_fetch_add(&expected, 1, __ATOMIC_RELAXED);
	list_init(&message->link);
	spin_lock(&queue->lock);
	list_add_last(&queue->waiting, &message->link);
	spin_unlock(&queue->lock);
	serve(device, number);
}

static const struct fuse_transport_ops ops = {.submit = submit};

static void serve_all(struct virtio_fs *device)
{
	for (uint32_t i = 0; i < VIRTIO_FS_QUEUES; i++)
		serve(device, i);
}

static void on_interrupt(void *argument)
{
	struct virtio_fs *device = argument;

	virtio_device_acknowledge(&device->device);
	serve_all(device);
}

/* ---- polling ------------------------------------------------------------------------------------
 */

static bool poll(void)
{
	bool has_served = false;

	for (struct virtio_fs *device = devices; device != NULL; device = device->next) {
		for (uint32_t i = 0; i < VIRTIO_FS_QUEUES; i++) {
			if (virtio_ring_is_pending(&device->queues[i].ring))
				has_served |= serve(device, i);
		}
	}
	return has_served;
}

static void enter_idle(void)
{
	__atomic_fetch_or(&pollers, 1ull << arch_cpu_index(), __ATOMIC_SEQ_CST);
	for (struct virtio_fs *device = devices; device != NULL; device = device->next) {
		for (uint32_t i = 0; i < VIRTIO_FS_QUEUES; i++) {
			if (READ_ONCE(device->queues[i].is_armed))
				serve(device, i);
		}
	}
}

static void leave_idle(void)
{
	uint64_t mine = 1ull << arch_cpu_index();

	if (__atomic_fetch_and(&pollers, ~mine, __ATOMIC_SEQ_CST) != mine)
		return;
	for (struct virtio_fs *device = devices; device != NULL; device = device->next) {
		for (uint32_t i = 0; i < VIRTIO_FS_QUEUES; i++) {
			if (READ_ONCE(device->queues[i].in_flight) != 0)
				serve(device, i);
		}
	}
}

static bool prepare_halt(void)
{
	leave_idle();
	return true;
}

/* Of one vcpu only: the server may need the processor that another would spin on. */
static uint64_t patience(void)
{
	uint64_t others = __atomic_load_n(&pollers, __ATOMIC_RELAXED);

	if (READ_ONCE(expected) == 0 || (others & ((1ull << arch_cpu_index()) - 1)) != 0)
		return 0;
	return clock_ticks_of_duration(PATIENCE_NS);
}

static struct sched_device_poll device_poll_of_shares = {
	.poll = poll,
	.enter_idle = enter_idle,
	.leave_idle = leave_idle,
	.prepare_halt = prepare_halt,
	.patience = patience,
};

/* ---- set-up
 * ---------------------------------------------------------------------------------------- */

static int set_up(struct virtio_fs *device, const struct boot_device *boot)
{
	int error =
		virtio_device_start(&device->device, boot, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
	uint32_t limit;

	for (uint32_t i = 0; i < VIRTIO_FS_QUEUES && error == 0; i++) {
		struct virtio_fs_queue *queue = &device->queues[i];

		spin_init(&queue->lock);
		list_init(&queue->waiting);
		error = virtio_device_add_queue(&device->device, i, VIRTIO_FS_LIMIT, &queue->ring);
		if (error == 0 && queue->ring.limit < DESCRIPTORS_LEAST)
			error = -LINUX_EINVAL;
	}
	if (error != 0)
		return error;
	limit = MIN(device->queues[QUEUE_REQUESTS].ring.limit, VIRTIO_FS_SEGMENTS);
	device->transport = (struct fuse_transport){&ops, limit};
	error = platform_interrupt_attach(boot, on_interrupt, device);
	if (error == 0)
		virtio_device_set_ready(&device->device);
	return error;
}

static void add(const struct boot_device *boot)
{
	struct virtio_fs *device = heap_zalloc(sizeof(*device));
	int error = device == NULL ? -LINUX_ENOMEM : set_up(device, boot);

	/* What the device may know of already is left to it. */
	if (error != 0) {
		log_notice("a directory of the host cannot be used: error %d", -error);
		return;
	}
	device->next = devices;
	devices = device;
}

void fuse_find_devices(void)
{
	const struct boot_info *info = platform_boot_info();

	for (uint32_t i = 0; i < MIN(info->device_count, BOOT_MAX_DEVICES); i++) {
		if (info->devices[i].virtio_id == VIRTIO_ID_FS)
			add(&info->devices[i]);
	}
	if (devices != NULL)
		device_poll_add(&device_poll_of_shares);
}

struct fuse_transport *fuse_find_device(const struct boot_device *boot)
{
	for (struct virtio_fs *device = devices; device != NULL; device = device->next) {
		if (device->device.boot == boot)
			return &device->transport;
	}
	return NULL;
}
