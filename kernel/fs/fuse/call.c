/* Calls of FUSE operations that move no pages. See fuse.h. */
#include "kernel/fs/fuse/fuse.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/wait.h"
#include "lib/string.h"

struct pending {
	struct fuse_message message;
	struct fuse_segment segments[2];
	bool is_done;
	uint64_t memory[]; /* the request, then room for the reply */
};

static struct wait_queue answered = {.waiters = LIST_INIT(answered.waiters)};

uint64_t fuse_next_unique(struct fuse *fuse)
{
	return __atomic_add_fetch(&fuse->unique, 2, __ATOMIC_RELAXED);
}

int fuse_check_reply(const struct fuse_reply *reply, uint32_t replied)
{
	if (replied < sizeof(*reply) || reply->bytes != replied || reply->error > 0 ||
		reply->error < -4095)
		return -LINUX_EIO;
	return reply->error;
}

static void note_done(struct fuse_message *message)
{
	struct pending *pending = message->context;

	__atomic_store_n(&pending->is_done, true, __ATOMIC_RELEASE);
	wait_wake_all(&answered);
}

static void wait_for(struct pending *pending)
{
	struct waiter waiter;

	waiter_init(&waiter);
	wait_add(&answered, &waiter);
	while (!__atomic_load_n(&pending->is_done, __ATOMIC_ACQUIRE)) {
		if (!device_poll())
			thread_sleep(WAIT_FOREVER);
	}
	wait_remove(&answered, &waiter);
}

static uint8_t *append(uint8_t *at, const void *data, size_t bytes)
{
	if (bytes > 0)
		memcpy(at, data, bytes);
	return at + bytes;
}

static void write_request(
	struct fuse *fuse, const struct fuse_call *call, uint8_t *at, size_t bytes)
{
	struct fuse_request header = {.bytes = (uint32_t)bytes,
		.operation = call->operation,
		.unique = fuse_next_unique(fuse),
		.node = call->node,
		.pid = 1};

	at = append(at, &header, sizeof(header));
	at = append(at, call->structure, call->structure_bytes);
	for (int i = 0; i < 2 && call->names[i]; i++) {
		at = append(at, call->names[i], call->name_lengths[i]);
		*at++ = 0;
	}
	append(at, call->value, call->value_bytes);
}

static size_t request_bytes(const struct fuse_call *call)
{
	size_t bytes = sizeof(struct fuse_request) + call->structure_bytes + call->value_bytes;

	for (int i = 0; i < 2 && call->names[i]; i++)
		bytes += call->name_lengths[i] + 1;
	return bytes;
}

static struct pending *prepare(struct fuse *fuse, const struct fuse_call *call, size_t reply_bytes)
{
	size_t bytes = request_bytes(call), room = ALIGN_UP(bytes, 8u);
	struct pending *pending = heap_alloc(sizeof(*pending) + room + reply_bytes);
	struct phys start;

	if (!pending)
		return NULL;
	memset(pending, 0, sizeof(*pending));
	write_request(fuse, call, (uint8_t *)pending->memory, bytes);
	start = platform_virt_to_phys(pending->memory);
	pending->segments[0] = (struct fuse_segment){start, (uint32_t)bytes};
	pending->segments[1] = (struct fuse_segment){{start.raw + room}, (uint32_t)reply_bytes};
	pending->message = (struct fuse_message){
		.request = &pending->segments[0],
		.reply = &pending->segments[1],
		.request_count = 1,
		.reply_count = reply_bytes > 0,
		.done = note_done,
		.context = pending,
	};
	return pending;
}

int fuse_call(struct fuse *fuse, struct fuse_call *call)
{
	struct pending *pending =
		prepare(fuse, call, sizeof(struct fuse_reply) + call->reply_capacity);
	const struct fuse_reply *reply;
	int error;

	if (!pending)
		return -LINUX_ENOMEM;
	fuse->transport->ops->submit(fuse->transport, &pending->message);
	wait_for(pending);
	reply = (void *)((uint8_t *)pending->memory + ALIGN_UP(pending->segments[0].bytes, 8u));
	error = pending->message.error;
	if (!error && pending->message.replied > sizeof(*reply) + call->reply_capacity)
		error = -LINUX_EIO;
	if (!error)
		error = fuse_check_reply(reply, pending->message.replied);
	if (!error) {
		call->reply_bytes = reply->bytes - (uint32_t)sizeof(*reply);
		if (call->reply_bytes > 0)
			memcpy(call->reply, reply + 1, call->reply_bytes);
	}
	heap_free(pending);
	return error;
}

static void free_message(struct fuse_message *message)
{
	heap_free(message->context);
}

void fuse_forget(struct fuse *fuse, uint64_t node, uint64_t lookups)
{
	struct fuse_forget forget = {lookups};
	struct fuse_call call = {.operation = FUSE_FORGET,
		.node = node,
		.structure = &forget,
		.structure_bytes = sizeof(forget)};
	struct pending *pending = prepare(fuse, &call, 0);

	if (!pending)
		return; /* the server keeps the node */
	pending->message.done = free_message;
	fuse->transport->ops->submit(fuse->transport, &pending->message);
}
