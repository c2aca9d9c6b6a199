/*
 * Writes of contents that are held back for a moment, so that what lies one after the other on
 * the medium goes there in one request: the contents of small files, written back one by one.
 *
 * Only the thread of write-back has writes held, and it calls ext4_submit_held() before it
 * waits for any. Who waits for a transaction's data calls it, too.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/mm/heap.h"

#define MOST_BYTES    (1u << 20)
#define MOST_SEGMENTS 64

struct joined {
	struct block_request request;
	struct ext4_held *first;
	struct block_segment segments[];
};

static void joined_done(struct block_request *request)
{
	struct joined *joined = request->context;
	struct ext4_held *held = joined->first;
	int error = request->error;

	heap_free(joined);
	while (held) {
		struct ext4_held *next = held->next;

		held->request.error = error;
		held->request.done(&held->request);
		held = next;
	}
}

static struct joined *join(struct ext4_held *first, uint32_t segments, uint64_t bytes)
{
	struct joined *joined =
		heap_alloc(sizeof(*joined) + segments * sizeof(struct block_segment));

	if (!joined)
		return NULL;
	joined->first = first;
	joined->request = (struct block_request){.operation = BLOCK_WRITE,
		.offset = first->request.offset,
		.bytes = bytes,
		.segments = joined->segments,
		.done = joined_done,
		.context = joined};
	for (struct ext4_held *held = first; held; held = held->next)
		for (uint32_t i = 0; i < held->request.segment_count; i++)
			joined->segments[joined->request.segment_count++] =
				held->request.segments[i];
	return joined;
}

/* A chain that was taken out. */
static void submit(struct ext4 *fs, struct ext4_held *first)
{
	uint32_t segments = 0;
	uint64_t bytes = 0;
	struct joined *joined;

	for (struct ext4_held *held = first; held; held = held->next) {
		segments += held->request.segment_count;
		bytes += held->request.bytes;
	}
	joined = first && first->next ? join(first, segments, bytes) : NULL;
	if (joined) {
		block_submit(fs->device, &joined->request);
		return;
	}
	while (first) {
		struct ext4_held *next = first->next;

		block_submit(fs->device, &first->request);
		first = next;
	}
}

static struct ext4_held *take_locked(struct ext4 *fs)
{
	struct ext4_held *first = fs->held_first;

	fs->held_first = fs->held_last = NULL;
	fs->held_segments = 0;
	fs->held_bytes = 0;
	return first;
}

static bool continues(const struct ext4 *fs, const struct ext4_held *held)
{
	const struct block_request *last = fs->held_last ? &fs->held_last->request : NULL;

	return last && last->offset + last->bytes == held->request.offset &&
	       fs->held_bytes + held->request.bytes <= MOST_BYTES &&
	       fs->held_segments + held->request.segment_count <= MOST_SEGMENTS;
}

void ext4_hold(struct ext4 *fs, struct ext4_held *held)
{
	struct ext4_held *before = NULL;

	held->next = NULL;
	spin_lock(&fs->held_lock);
	if (!continues(fs, held))
		before = take_locked(fs);
	if (fs->held_last)
		fs->held_last->next = held;
	else
		fs->held_first = held;
	fs->held_last = held;
	fs->held_segments += held->request.segment_count;
	fs->held_bytes += held->request.bytes;
	spin_unlock(&fs->held_lock);
	submit(fs, before);
}

void ext4_submit_held(struct ext4 *fs)
{
	struct ext4_held *first;

	if (!READ_ONCE(fs->held_first))
		return;
	spin_lock(&fs->held_lock);
	first = take_locked(fs);
	spin_unlock(&fs->held_lock);
	submit(fs, first);
}
