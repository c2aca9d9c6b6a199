/*
 * Block devices as a whole: set-up, registration, and who looks at the rings. See
 * virtio_block.h.
 *
 * A queue with requests in flight is armed (its next completion interrupts) unless a vcpu
 * idles: that one polls. A vcpu that stops polling first takes its bit out of `pollers`, then
 * serves each queue under its lock, which arms it if no bit is left; whoever serves a queue
 * reads `pollers` under the same lock. So one of the two sees the other.
 */
#include "drivers/virtio_block.h"
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/device_poll.h"
#include "lib/format.h"
#include "lib/string.h"

#define FEATURES                                                                                   \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC |                        \
		VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO |                   \
		VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_MQ |                     \
		VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES)

#define REQUEST_BYTES_MAX (1u << 20)
#define RANGE_BYTES_MAX   (1ull << 30) /* of a discard: the host works on it at a stretch */
#define SECTOR_BYTES_MAX  4096u
#define DESCRIPTORS_LEAST 8u
#define MOMENT_NS         3000u
#define ID_WAIT_SECONDS   5u

/* Requests that take about as long as each other. */
enum class { CLASS_SMALL, CLASS_LARGE, CLASS_FLUSH, CLASS_COUNT };

#define SMALL_BYTES     (64u << 10)
#define PATIENCE_MIN_NS 8000u
#define PATIENCE_MAX_NS 400000u

/*
 * How long it pays to poll for a request: a halt and its end cost some 50 us, to which come the
 * device's own. Longer after a request that was done in that time, however it was noticed, else
 * shorter: a device that is slow is not waited for.
 */
static struct {
	uint32_t in_flight; /* atomic */
	uint32_t patience_ns;
} classes[CLASS_COUNT];

static struct virtio_block *disks; /* all of them; written at boot */
static uint64_t pollers;           /* vcpus in their idle loop, one bit each; atomic */

/* ---- requests ------------------------------------------------------------------------------ */

static enum class class_of(const struct block_request *request) {
	if (request->operation != BLOCK_READ &&
		request->operation != BLOCK_WRITE) return CLASS_FLUSH;
	if (request->force_unit_access) return CLASS_FLUSH;
	return request->bytes <= SMALL_BYTES ? CLASS_SMALL : CLASS_LARGE;
}

/* Races of two vcpus cost a little precision. */
static void learn(const struct block_request *request)
{
	enum class class = class_of(request);
	uint32_t patience_ns = READ_ONCE(classes[class].patience_ns);
	uint64_t took_ns = clock_monotonic_ns() - request->started_ns;

	__atomic_fetch_sub(&classes[class].in_flight, 1, __ATOMIC_RELAXED);
	if (took_ns <= PATIENCE_MAX_NS)
		patience_ns = MIN(MAX(patience_ns, PATIENCE_MIN_NS) * 2, PATIENCE_MAX_NS);
	else
		patience_ns = patience_ns / 2;
	WRITE_ONCE(classes[class].patience_ns, patience_ns);
}

static void finish(struct virtio_block *disk, struct list *done)
{
	struct list *first;

	while ((first = list_first(done)) != NULL) {
		list_remove(first);
		learn(LIST_ENTRY(first, struct block_request, link));
		block_complete(&disk->block, LIST_ENTRY(first, struct block_request, link));
	}
}

static void reap_and_arm_locked(struct virtio_block_queue *queue, struct list *done)
{
	for (;;) {
		virtio_block_queue_reap(queue, done);
		if (__atomic_load_n(&pollers, __ATOMIC_SEQ_CST) != 0) {
			virtio_block_queue_disarm(queue);
			return;
		}
		if (queue->ring.broken || !virtio_block_queue_arm(queue))
			return;
	}
}

/* Takes what is complete, shows the device what is new, arms. True if anything was complete. */
static bool serve(struct virtio_block *disk, uint32_t number)
{
	struct virtio_block_queue *queue = &disk->queues[number];
	struct list done = LIST_INIT(done);
	bool must_notify, is_broken, has_served;

	spin_lock(&queue->lock);
	reap_and_arm_locked(queue, &done);
	must_notify = virtio_ring_publish(&queue->ring);
	is_broken = queue->ring.broken && !disk->has_reported;
	disk->has_reported |= queue->ring.broken;
	spin_unlock(&queue->lock);
	if (must_notify)
		virtio_device_notify(&disk->device, number);
	if (is_broken)
		log_notice("disk %s: the device breaks the rules of its queue and is not used "
			   "any more",
			disk->block.name);
	has_served = !list_is_empty(&done);
	finish(disk, &done);
	return has_served;
}

static struct virtio_block *of(struct block_device *device)
{
	return device->driver;
}

static uint32_t queue_here(const struct virtio_block *disk)
{
	return arch_cpu_index() % disk->queue_count;
}

static void submit(struct block_device *device, struct block_request *request)
{
	struct virtio_block *disk = of(device);
	struct virtio_block_queue *queue = &disk->queues[queue_here(disk)];

	__atomic_fetch_add(&classes[class_of(request)].in_flight, 1, __ATOMIC_RELAXED);
	spin_lock(&queue->lock);
	virtio_block_queue_add(queue, request);
	spin_unlock(&queue->lock);
}

static bool publish(struct virtio_block_queue *queue)
{
	bool must_notify;

	spin_lock(&queue->lock);
	must_notify = virtio_ring_publish(&queue->ring);
	spin_unlock(&queue->lock);
	return must_notify;
}

/* A device that is awake is done with a small request about now. */
static void wait_a_moment(const struct virtio_block_queue *queue)
{
	uint64_t end = arch_ticks() + clock_ticks_of_duration(MOMENT_NS);

	while (!virtio_block_queue_is_pending(queue) && arch_ticks() < end)
		arch_relax();
}

/* The queue is armed last: a doorbell takes so long that the request may be done by then, and
 * an interrupt costs even more. */
static void start(struct block_device *device)
{
	struct virtio_block *disk = of(device);
	uint32_t number = queue_here(disk);
	struct virtio_block_queue *queue = &disk->queues[number];

	if (publish(queue))
		virtio_device_notify(&disk->device, number);
	else if (READ_ONCE(classes[CLASS_SMALL].in_flight) != 0 &&
		 __atomic_load_n(&pollers, __ATOMIC_RELAXED) == 0)
		wait_a_moment(queue);
	serve(disk, number);
}

static const struct block_ops ops = {.submit = submit, .start = start};

static void on_interrupt(void *argument)
{
	struct virtio_block *disk = argument;

	virtio_device_acknowledge(&disk->device);
	for (uint32_t i = 0; i < disk->queue_count; i++)
		serve(disk, i);
}

/* ---- polling ------------------------------------------------------------------------------- */

static bool is_busy(const struct virtio_block *disk)
{
	return __atomic_load_n(&disk->block.in_flight, __ATOMIC_SEQ_CST) != 0;
}

static bool poll(void)
{
	bool has_served = false;

	for (struct virtio_block *disk = disks; disk != NULL; disk = disk->next) {
		for (uint32_t i = 0; i < disk->queue_count; i++) {
			if (virtio_block_queue_is_pending(&disk->queues[i]))
				has_served |= serve(disk, i);
		}
	}
	return has_served;
}

static void serve_busy(void)
{
	for (struct virtio_block *disk = disks; disk != NULL; disk = disk->next) {
		for (uint32_t i = 0; i < disk->queue_count && is_busy(disk); i++)
			serve(disk, i);
	}
}

static void enter_idle(void)
{
	__atomic_fetch_or(&pollers, 1ull << arch_cpu_index(), __ATOMIC_SEQ_CST);
	for (struct virtio_block *disk = disks; disk != NULL; disk = disk->next) {
		for (uint32_t i = 0; i < disk->queue_count; i++) {
			if (READ_ONCE(disk->queues[i].is_armed))
				serve(disk, i);
		}
	}
}

/* If nobody polls any more, what is in flight is armed. */
static void leave_idle(void)
{
	uint64_t mine = 1ull << arch_cpu_index();

	if (__atomic_fetch_and(&pollers, ~mine, __ATOMIC_SEQ_CST) == mine)
		serve_busy();
}

/* What was complete has been served: its thread is in a queue, which the caller looks at. */
static bool prepare_halt(void)
{
	leave_idle();
	return true;
}

/* Of one vcpu only: the device may need the processor that another would spin on. */
static uint64_t patience(void)
{
	uint64_t others = __atomic_load_n(&pollers, __ATOMIC_RELAXED), ns = 0;

	if ((others & ((1ull << arch_cpu_index()) - 1)) != 0)
		return 0;
	for (uint32_t i = 0; i < CLASS_COUNT; i++) {
		if (READ_ONCE(classes[i].in_flight) != 0)
			ns = MAX(ns, READ_ONCE(classes[i].patience_ns));
	}
	return ns == 0 ? 0 : clock_ticks_of_duration(ns);
}

static struct sched_device_poll device_poll_of_disks = {
	.poll = poll,
	.enter_idle = enter_idle,
	.leave_idle = leave_idle,
	.prepare_halt = prepare_halt,
	.patience = patience,
};

/* ---- set-up: limits -------------------------------------------------------------------------- */

static bool has(const struct virtio_block *disk, uint64_t feature)
{
	return (disk->device.features & feature) != 0;
}

static uint64_t read_config(struct virtio_block *disk, size_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	virtio_device_read_config(&disk->device, (uint32_t)offset, &value, bytes);
	return value;
}

#define CONFIG(disk, field)                                                                        \
	read_config(disk, offsetof(struct virtio_blk_config, field),                               \
		sizeof(((struct virtio_blk_config *)NULL)->field))

static uint32_t sector_bytes(struct virtio_block *disk)
{
	uint32_t bytes = VIRTIO_BLK_SECTOR_BYTES;

	if (has(disk, VIRTIO_BLK_F_BLK_SIZE))
		bytes = (uint32_t)CONFIG(disk, blk_size);
	/* A larger "optimal" block is no reason to refuse a device. */
	if (bytes < VIRTIO_BLK_SECTOR_BYTES || bytes > SECTOR_BYTES_MAX ||
		(bytes & (bytes - 1)) != 0)
		bytes = VIRTIO_BLK_SECTOR_BYTES;
	return bytes;
}

static uint64_t range_limit(uint64_t sectors, uint32_t sector)
{
	return ALIGN_DOWN(MIN(sectors * VIRTIO_BLK_SECTOR_BYTES, RANGE_BYTES_MAX), sector);
}

static void read_limits(struct virtio_block *disk)
{
	struct block_device *block = &disk->block;
	uint64_t sectors = MIN(CONFIG(disk, capacity), (uint64_t)INT64_MAX / 512);
	uint32_t segments = VIRTIO_BLOCK_SEGMENTS, most = REQUEST_BYTES_MAX;
	uint32_t descriptors = disk->queues[0].ring.limit;

	block->sector_bytes = sector_bytes(disk);
	block->bytes = ALIGN_DOWN(sectors * VIRTIO_BLK_SECTOR_BYTES, block->sector_bytes);
	block->read_only = has(disk, VIRTIO_BLK_F_RO);
	block->volatile_cache = has(disk, VIRTIO_BLK_F_FLUSH);
	if (has(disk, VIRTIO_BLK_F_SEG_MAX))
		segments = MIN(segments, MAX((uint32_t)CONFIG(disk, seg_max), 1u));
	if (disk->queues[0].tables == NULL)
		segments = MIN(segments, descriptors - 2);
	/* A segment larger than the device takes can only be kept out by smaller requests. */
	if (has(disk, VIRTIO_BLK_F_SIZE_MAX))
		most = MIN(most, (uint32_t)CONFIG(disk, size_max));
	block->max_segments = segments;
	block->max_request_bytes =
		MAX((uint32_t)ALIGN_DOWN(most, block->sector_bytes), block->sector_bytes);
	if (has(disk, VIRTIO_BLK_F_DISCARD) && CONFIG(disk, max_discard_seg) != 0)
		block->max_discard_bytes =
			range_limit(CONFIG(disk, max_discard_sectors), block->sector_bytes);
	if (has(disk, VIRTIO_BLK_F_WRITE_ZEROES) && CONFIG(disk, max_write_zeroes_seg) != 0)
		block->max_zeroes_bytes =
			range_limit(CONFIG(disk, max_write_zeroes_sectors), block->sector_bytes);
	block->queue_count = disk->queue_count;
}

/* ---- set-up: names -----------------------------------------------------------------------------
 */

static const struct boot_disk *boot_disks(uint32_t *count)
{
	const struct boot_info *info = platform_boot_info();

	*count = info->disks != 0 ? MIN(info->disk_count, BOOT_MAX_DISKS) : 0;
	return *count != 0 ? platform_phys_to_virt((struct phys){info->disks}) : NULL;
}

/* Asks the device for its identifier, before anything else is in flight. */
static int read_identifier(struct virtio_block *disk, char id[VIRTIO_BLK_ID_BYTES + 1])
{
	struct virtio_block_queue *queue = &disk->queues[0];
	struct virtio_block_memory *memory = queue->memory;
	uint64_t phys = queue->memory_phys;
	const struct virtio_buffer buffers[] = {
		{phys, sizeof(memory->header), false},
		{phys + sizeof(*memory), VIRTIO_BLK_ID_BYTES, true}, /* in the next slot's */
		{phys + offsetof(struct virtio_block_memory, status), 1, true},
	};
	uint64_t start_ticks = arch_ticks();
	uint32_t token, bytes;

	memory->header = (struct virtio_blk_header){.type = VIRTIO_BLK_T_GET_ID};
	memory->status = VIRTIO_BLK_S_UNSUPP;
	if (!virtio_ring_add(&queue->ring, buffers, ARRAY_SIZE(buffers), 0))
		return -LINUX_EIO;
	if (virtio_ring_publish(&queue->ring))
		virtio_device_notify(&disk->device, 0);
	while (!virtio_ring_take(&queue->ring, &token, &bytes)) {
		if (queue->ring.broken ||
			arch_ticks() - start_ticks > ID_WAIT_SECONDS * platform_ticks_hz())
			return -LINUX_EIO;
		arch_relax();
	}
	memset(id, 0, VIRTIO_BLK_ID_BYTES + 1);
	if (memory->status == VIRTIO_BLK_S_OK)
		memcpy(id, &memory[1], VIRTIO_BLK_ID_BYTES);
	return 0;
}

static bool is_name(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++) {
		bool is_letter = (*name | 0x20) >= 'a' && (*name | 0x20) <= 'z';

		if (!is_letter && !(*name >= '0' && *name <= '9') && *name != '-' && *name != '_')
			return false;
	}
	return true;
}

static void set_name(struct block_device *block, const char *name)
{
	uint32_t number = 0;

	memcpy(block->name, name, MIN(strlen(name), sizeof(block->name) - 1));
	while (!is_name(block->name) || block_find(block->name) != NULL) {
		memset(block->name, 0, sizeof(block->name));
		format_text(block->name, sizeof(block->name), "disk%u", number++);
	}
}

/* The n-th STATIC device has the n-th name; others tell theirs. */
static int name(struct virtio_block *disk)
{
	static uint32_t static_count;
	char id[VIRTIO_BLK_ID_BYTES + 1];
	const struct boot_disk *named;
	uint32_t count;
	int error;

	named = boot_disks(&count);
	if (disk->device.boot->transport == BOOT_TRANSPORT_STATIC) {
		uint32_t number = static_count++;

		set_name(&disk->block, number < count ? named[number].name : "");
		return 0;
	}
	error = read_identifier(disk, id);
	if (error == 0)
		set_name(&disk->block, id);
	return error;
}

/* ---- set-up -------------------------------------------------------------------------------------
 */

static uint32_t count_queues(struct virtio_block *disk)
{
	uint32_t count = has(disk, VIRTIO_BLK_F_MQ) ? (uint32_t)CONFIG(disk, num_queues) : 1;

	return MAX(MIN(MIN(count, platform_cpu_count()), VIRTIO_BLOCK_QUEUES), 1u);
}

static int add_queues(struct virtio_block *disk)
{
	int error = 0;

	disk->queues = heap_zalloc(disk->queue_count * sizeof(disk->queues[0]));
	if (disk->queues == NULL)
		return -LINUX_ENOMEM;
	for (uint32_t i = 0; i < disk->queue_count && error == 0; i++) {
		struct virtio_block_queue *queue = &disk->queues[i];

		error = virtio_device_add_queue(&disk->device, i, VIRTIO_BLOCK_LIMIT, &queue->ring);
		if (error == 0 && queue->ring.limit < DESCRIPTORS_LEAST)
			error = -LINUX_EINVAL;
		if (error == 0)
			error = virtio_block_queue_init(queue, has(disk, VIRTIO_F_INDIRECT_DESC),
				has(disk, VIRTIO_BLK_F_FLUSH));
	}
	return error;
}

static int set_up(struct virtio_block *disk, const struct boot_device *boot)
{
	int error = virtio_device_start(&disk->device, boot, FEATURES);

	if (error != 0)
		return error;
	disk->block.ops = &ops;
	disk->block.driver = disk;
	disk->queue_count = count_queues(disk);
	error = add_queues(disk);
	if (error == 0)
		error = platform_interrupt_attach(boot, on_interrupt, disk);
	if (error != 0)
		return error;
	virtio_device_set_ready(&disk->device);
	read_limits(disk);
	return name(disk);
}

static void add(const struct boot_device *boot)
{
	struct virtio_block *disk = heap_zalloc(sizeof(*disk));
	int error = disk == NULL ? -LINUX_ENOMEM : set_up(disk, boot);

	/* What the device may know of already is left to it. */
	if (error != 0) {
		log_notice("a disk cannot be used: error %d", -error);
		return;
	}
	disk->next = disks;
	disks = disk;
	block_register(&disk->block);
	log_verbose("disk %s: %lu MiB%s, %u queues", disk->block.name,
		(unsigned long)(disk->block.bytes >> 20),
		disk->block.read_only ? ", read-only" : "", disk->queue_count);
}

void block_find_all(void)
{
	const struct boot_info *info = platform_boot_info();

	for (uint32_t i = 0; i < MIN(info->device_count, BOOT_MAX_DEVICES); i++) {
		if (info->devices[i].virtio_id == VIRTIO_ID_BLOCK)
			add(&info->devices[i]);
	}
	if (disks != NULL)
		device_poll_add(&device_poll_of_disks);
}
