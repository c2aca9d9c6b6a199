/* Block devices: the list of them, splitting, synchronous helpers. See block.h. */
#include "kernel/block/block.h"
#include "abi/linux/errno.h"
#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/wait.h"
#include "lib/string.h"

/* Filled at boot, on one vcpu; only read afterwards. */
static struct list devices = LIST_INIT(devices);
static uint32_t device_count;

#define ADD(counter, amount) __atomic_fetch_add(&(counter), amount, __ATOMIC_RELAXED)

void block_register(struct block_device *device)
{
	device->number = device_count++;
	list_add_last(&devices, &device->link);
}

struct block_device *block_next(struct block_device *previous)
{
	struct list *next = previous != NULL ? previous->link.next : devices.next;

	return next == &devices ? NULL : LIST_ENTRY(next, struct block_device, link);
}

struct block_device *block_find(const char *name)
{
	struct block_device *device = NULL;

	while ((device = block_next(device)) != NULL) {
		if (strcmp(device->name, name) == 0)
			break;
	}
	return device;
}

/* ---- one request that the device can take ---------------------------------------------- */

static void count(struct block_device *device, const struct block_request *request, uint64_t ns)
{
	if (request->error != 0)
		ADD(device->errors, 1);
	switch (request->operation) {
	case BLOCK_READ:
		ADD(device->reads, 1);
		ADD(device->read_bytes, request->bytes);
		ADD(device->read_ns, ns);
		break;
	case BLOCK_WRITE:
		ADD(device->writes, 1);
		ADD(device->written_bytes, request->bytes);
		ADD(device->write_ns, ns);
		break;
	case BLOCK_FLUSH:
		ADD(device->flushes, 1);
		ADD(device->flush_ns, ns);
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		ADD(device->discards, 1);
		ADD(device->discarded_bytes, request->bytes);
		ADD(device->discard_ns, ns);
		break;
	}
}

void block_complete(struct block_device *device, struct block_request *request)
{
	count(device, request, clock_monotonic_ns() - request->started_ns);
	ADD(device->in_flight, -1u);
	request->done(request);
}

static void submit_whole(struct block_device *device, struct block_request *request)
{
	request->started_ns = clock_monotonic_ns();
	ADD(device->in_flight, 1);
	device->ops->submit(device, request);
}

/* ---- requests beyond the device's limits ------------------------------------------------- */

/* One for a request that is split; freed with the last part. */
struct split {
	struct block_request *request;
	uint32_t parts; /* under way, and one while more are being made; atomic */
	int error;      /* the first; atomic */
};

struct part {
	struct block_request request;
	struct split *split;
	struct block_segment segments[];
};

/* Where a request stands while it is cut up. */
struct cut {
	uint64_t offset, bytes_left;
	uint32_t segment;       /* of the whole request */
	uint32_t segment_start; /* bytes of it that are taken */
};

static void note_error(struct split *split, int error)
{
	int none = 0;

	if (error != 0)
		__atomic_compare_exchange_n(
			&split->error, &none, error, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void drop_part(struct split *split)
{
	struct block_request *request = split->request;

	if (__atomic_sub_fetch(&split->parts, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	request->error = split->error;
	heap_free(split);
	request->done(request);
}

static void part_done(struct block_request *request)
{
	struct part *part = request->context;
	struct split *split = part->split;

	note_error(split, request->error);
	heap_free(part);
	drop_part(split);
}

static bool has_data(const struct block_request *request)
{
	return request->operation == BLOCK_READ || request->operation == BLOCK_WRITE;
}

static uint64_t limit_of(const struct block_device *device, enum block_operation operation)
{
	switch (operation) {
	case BLOCK_DISCARD:
		return device->max_discard_bytes;
	case BLOCK_WRITE_ZEROES:
		return device->max_zeroes_bytes;
	case BLOCK_READ:
	case BLOCK_WRITE:
	case BLOCK_FLUSH:
		break;
	}
	return device->max_request_bytes;
}

/* Moves segments of the whole into the part until one of the limits is met, and cuts the last
 * at a sector. */
static void fill_part(const struct block_device *device, const struct block_request *whole,
	struct cut *cut, struct part *part)
{
	struct block_request *request = &part->request;
	uint64_t most = MIN(cut->bytes_left, (uint64_t)device->max_request_bytes);

	while (request->bytes < most && request->segment_count < device->max_segments) {
		const struct block_segment *from = &whole->segments[cut->segment];
		uint32_t bytes = (uint32_t)MIN(
			(uint64_t)(from->bytes - cut->segment_start), most - request->bytes);

		part->segments[request->segment_count++] =
			(struct block_segment){{from->memory.raw + cut->segment_start}, bytes};
		request->bytes += bytes;
		cut->segment_start += bytes;
		if (cut->segment_start == from->bytes) {
			cut->segment++;
			cut->segment_start = 0;
		}
	}
	/* Segments need not be whole sectors: give back what is beyond the last one. */
	for (uint32_t excess = (uint32_t)(request->bytes % device->sector_bytes); excess != 0;) {
		struct block_segment *last = &part->segments[request->segment_count - 1];
		uint32_t bytes = MIN(excess, last->bytes);

		if (cut->segment_start == 0)
			cut->segment_start = whole->segments[--cut->segment].bytes;
		cut->segment_start -= bytes;
		last->bytes -= bytes;
		request->bytes -= bytes;
		excess -= bytes;
		if (last->bytes == 0)
			request->segment_count--;
	}
}

static struct part *make_part(
	struct block_device *device, const struct block_request *whole, struct cut *cut)
{
	uint32_t most = has_data(whole) ? device->max_segments : 0;
	struct part *part = heap_alloc(sizeof(*part) + most * sizeof(part->segments[0]));

	if (part == NULL)
		return NULL;
	part->request = (struct block_request){.operation = whole->operation,
		.force_unit_access = whole->force_unit_access,
		.offset = cut->offset,
		.segments = part->segments,
		.done = part_done,
		.context = part};
	if (has_data(whole))
		fill_part(device, whole, cut, part);
	else
		part->request.bytes = MIN(cut->bytes_left, limit_of(device, whole->operation));
	cut->offset += part->request.bytes;
	cut->bytes_left -= part->request.bytes;
	return part;
}

static void submit_parts(struct block_device *device, struct block_request *request)
{
	struct cut cut = {.offset = request->offset, .bytes_left = request->bytes};
	struct split *split = heap_alloc(sizeof(*split));

	if (split == NULL) {
		request->error = -LINUX_ENOMEM;
		request->done(request);
		return;
	}
	*split = (struct split){.request = request, .parts = 1};
	while (cut.bytes_left > 0) {
		struct part *part = make_part(device, request, &cut);

		/* A part of no sector: more segments in one than the device takes. */
		if (part == NULL || part->request.bytes == 0) {
			note_error(split, part == NULL ? -LINUX_ENOMEM : -LINUX_EINVAL);
			heap_free(part);
			break;
		}
		part->split = split;
		__atomic_fetch_add(&split->parts, 1, __ATOMIC_RELAXED);
		submit_whole(device, &part->request);
	}
	drop_part(split);
}

/* ---- submitting ------------------------------------------------------------------------ */

static int check(const struct block_device *device, const struct block_request *request)
{
	if (request->operation == BLOCK_FLUSH)
		return 0;
	if (((request->offset | request->bytes) & (device->sector_bytes - 1)) != 0 ||
		request->offset > device->bytes || request->bytes > device->bytes - request->offset)
		return -LINUX_EINVAL;
	if (request->operation != BLOCK_READ && device->read_only)
		return -LINUX_EROFS;
	return limit_of(device, request->operation) == 0 ? -LINUX_EOPNOTSUPP : 0;
}

static bool is_nothing(const struct block_device *device, const struct block_request *request)
{
	return request->operation == BLOCK_FLUSH ? !device->volatile_cache : request->bytes == 0;
}

void block_submit(struct block_device *device, struct block_request *request)
{
	request->error = check(device, request);
	if (request->error != 0 || is_nothing(device, request)) {
		request->done(request);
		return;
	}
	if (request->operation != BLOCK_FLUSH &&
		(request->bytes > limit_of(device, request->operation) ||
			(has_data(request) && request->segment_count > device->max_segments)))
		submit_parts(device, request);
	else
		submit_whole(device, request);
	device->ops->start(device);
}

/* ---- waiting --------------------------------------------------------------------------- */

struct wait {
	struct thread *thread;
	bool is_done;
};

static void wake(struct block_request *request)
{
	struct wait *wait = request->context;
	struct thread *thread = wait->thread;

	/* The thread may be awake for another reason, see this, and end. */
	thread_acquire(thread);
	__atomic_store_n(&wait->is_done, true, __ATOMIC_RELEASE);
	thread_wake(thread);
	thread_release(thread);
}

int block_submit_wait(struct block_device *device, struct block_request *request)
{
	struct wait wait = {.thread = thread_current()};

	request->done = wake;
	request->context = &wait;
	block_submit(device, request);
	/* A vcpu with nothing else to run looks for completions while it idles. */
	while (!__atomic_load_n(&wait.is_done, __ATOMIC_ACQUIRE))
		thread_sleep(WAIT_FOREVER);
	return request->error;
}

static int move(struct block_device *device, enum block_operation operation, uint64_t offset,
	const void *linear, uint64_t bytes)
{
	const uint8_t *at = linear;

	while (bytes > 0) {
		/* Segments have 32-bit sizes. */
		uint32_t piece = (uint32_t)MIN(bytes, 1ull << 30);
		struct block_segment segment = {platform_virt_to_phys(at), piece};
		struct block_request request = {.operation = operation,
			.offset = offset,
			.bytes = piece,
			.segments = &segment,
			.segment_count = 1};
		int error = block_submit_wait(device, &request);

		if (error != 0)
			return error;
		at += piece;
		offset += piece;
		bytes -= piece;
	}
	return 0;
}

int block_read(struct block_device *device, uint64_t offset, void *linear, uint64_t bytes)
{
	return move(device, BLOCK_READ, offset, linear, bytes);
}

int block_write(struct block_device *device, uint64_t offset, const void *linear, uint64_t bytes)
{
	return move(device, BLOCK_WRITE, offset, linear, bytes);
}

static int change(struct block_device *device, enum block_operation operation, uint64_t offset,
	uint64_t bytes)
{
	struct block_request request = {.operation = operation, .offset = offset, .bytes = bytes};

	return block_submit_wait(device, &request);
}

int block_flush(struct block_device *device)
{
	return change(device, BLOCK_FLUSH, 0, 0);
}

int block_discard(struct block_device *device, uint64_t offset, uint64_t bytes)
{
	return change(device, BLOCK_DISCARD, offset, bytes);
}

int block_write_zeroes(struct block_device *device, uint64_t offset, uint64_t bytes)
{
	return change(device, BLOCK_WRITE_ZEROES, offset, bytes);
}
