/*
 * The cache of metadata blocks. See buffer.h; ext4.lock guards everything here.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "lib/string.h"

#define MOST_PREFETCHED 32

int buffers_init(struct ext4 *fs)
{
	struct ext4_buffer_cache *cache = &fs->cache;
	struct page_counts counts;
	uint32_t slots = 1024;

	page_alloc_counts(&counts);
	/* An eighth of memory: directories and inodes of a busy tree stay. */
	cache->most = (uint32_t)MIN(MAX(counts.total_pages / 8, 256), 1u << 22);
	while (slots < cache->most && slots < 1u << 17)
		slots *= 2;
	cache->table = heap_zalloc(slots * sizeof(cache->table[0]));
	if (!cache->table)
		return -LINUX_ENOMEM;
	cache->mask = slots - 1;
	cache->count = 0;
	list_init(&cache->lru);
	return 0;
}

static struct ext4_buffer **slot_of(struct ext4 *fs, uint64_t block)
{
	uint64_t hash = block * 0x9e3779b97f4a7c15ull;

	return &fs->cache.table[hash >> 32 & fs->cache.mask];
}

static struct ext4_buffer *find(struct ext4 *fs, uint64_t block)
{
	struct ext4_buffer *buffer = *slot_of(fs, block);

	while (buffer && buffer->block != block)
		buffer = buffer->hash_next;
	return buffer;
}

/* Out of the table and the lists; freed. */
static void drop(struct ext4 *fs, struct ext4_buffer *buffer)
{
	struct ext4_buffer **link = slot_of(fs, buffer->block);

	while (*link != buffer)
		link = &(*link)->hash_next;
	*link = buffer->hash_next;
	list_remove(&buffer->lru);
	list_remove(&buffer->checkpoint_link);
	list_remove(&buffer->transaction_link);
	fs->cache.count--;
	block_memory_free(fs, buffer->data);
	heap_free(buffer);
}

void buffers_destroy(struct ext4 *fs)
{
	struct list *first;

	if (!fs->cache.table)
		return;
	while ((first = list_first(&fs->cache.lru)) != NULL)
		drop(fs, LIST_ENTRY(first, struct ext4_buffer, lru));
	heap_free(fs->cache.table);
	fs->cache.table = NULL;
}

static bool is_idle(const struct ext4_buffer *buffer)
{
	return buffer->references == 0 && !buffer->joined && !buffer->committing &&
	       !list_is_linked(&buffer->checkpoint_link);
}

/* Makes room for one more; looks at a few of the oldest only. */
static void forget_some(struct ext4 *fs, uint32_t looks)
{
	while (looks-- > 0 && !list_is_empty(&fs->cache.lru)) {
		struct ext4_buffer *oldest =
			LIST_ENTRY(list_first(&fs->cache.lru), struct ext4_buffer, lru);

		if (is_idle(oldest)) {
			drop(fs, oldest);
			if (fs->cache.count < fs->cache.most)
				return;
			continue;
		}
		list_remove(&oldest->lru);
		list_add_last(&fs->cache.lru, &oldest->lru);
	}
}

static struct ext4_buffer *insert(
	struct ext4 *fs, uint64_t block, enum ext4_buffer_kind kind, uint32_t owner)
{
	struct ext4_buffer *buffer = heap_zalloc(sizeof(*buffer));
	struct ext4_buffer **slot = slot_of(fs, block);

	if (fs->cache.count >= fs->cache.most)
		forget_some(fs, 8);
	if (!buffer)
		return NULL;
	buffer->data = block_memory_alloc(fs);
	if (!buffer->data) {
		forget_some(fs, fs->cache.count);
		buffer->data = block_memory_alloc(fs);
	}
	if (!buffer->data) {
		heap_free(buffer);
		return NULL;
	}
	buffer->block = block;
	buffer->kind = (uint8_t)kind;
	buffer->owner = owner;
	buffer->references = 1;
	list_add_last(&fs->cache.lru, &buffer->lru);
	list_init(&buffer->transaction_link);
	list_init(&buffer->checkpoint_link);
	buffer->hash_next = *slot;
	*slot = buffer;
	fs->cache.count++;
	return buffer;
}

static struct ext4_buffer *use(struct ext4 *fs, struct ext4_buffer *buffer)
{
	list_remove(&buffer->lru);
	list_add_last(&fs->cache.lru, &buffer->lru);
	buffer->references++;
	return buffer;
}

int buffer_read(struct ext4 *fs, uint64_t block, enum ext4_buffer_kind kind, uint32_t owner,
	struct ext4_buffer **result)
{
	struct ext4_buffer *buffer = find(fs, block);
	int error;

	if (buffer) {
		/* A damaged volume may use one block for two things. */
		if (buffer->kind != kind || buffer->owner != owner || buffer->dead)
			return EXT4_CORRUPT;
		*result = use(fs, buffer);
		return 0;
	}
	if (block >= fs->block_count)
		return EXT4_CORRUPT;
	buffer = insert(fs, block, kind, owner);
	if (!buffer)
		return -LINUX_ENOMEM;
	error = block_read(fs->device, block << fs->block_shift, buffer->data, fs->block_bytes);
	if (!error)
		error = buffer_check(fs, buffer);
	if (error) {
		if (error == EXT4_CORRUPT)
			ext4_complain(fs, "block %llu is damaged (kind %u)",
				(unsigned long long)block, (unsigned)kind);
		drop(fs, buffer);
		return error;
	}
	*result = buffer;
	return 0;
}

int buffer_make(struct ext4 *fs, uint64_t block, enum ext4_buffer_kind kind, uint32_t owner,
	bool fresh, struct ext4_buffer **result)
{
	struct ext4_buffer *buffer = find(fs, block);

	if (buffer) {
		if (buffer->dead || buffer->references > 0)
			return EXT4_CORRUPT;
		use(fs, buffer);
		buffer->kind = (uint8_t)kind;
		buffer->owner = owner;
	} else {
		buffer = insert(fs, block, kind, owner);
		if (!buffer)
			return -LINUX_ENOMEM;
		buffer->fresh = fresh;
	}
	memset(buffer->data, 0, fs->block_bytes);
	*result = buffer;
	return 0;
}

bool buffer_is_cached(struct ext4 *fs, uint64_t block)
{
	return find(fs, block) != NULL;
}

void buffer_release(struct ext4_buffer *buffer)
{
	if (buffer)
		buffer->references--;
}

void buffer_dirty(struct ext4 *fs, struct ext4_buffer *buffer)
{
	fs->changed = true;
	if (buffer->joined)
		return;
	buffer->joined = true;
	list_add_last(&fs->running->buffers, &buffer->transaction_link);
	fs->running->buffer_count++;
}

bool buffer_forget(struct ext4 *fs, uint64_t block)
{
	struct ext4_buffer *buffer = find(fs, block);
	bool fresh;

	if (!buffer)
		return true;
	fresh = buffer->fresh;
	if (buffer->joined) {
		buffer->joined = false;
		list_remove(&buffer->transaction_link);
		fs->running->buffer_count--;
	}
	buffer->dead = true;
	if (fresh && is_idle(buffer))
		drop(fs, buffer);
	return !fresh;
}

void buffer_bury(struct ext4 *fs, uint64_t block)
{
	struct ext4_buffer *buffer = find(fs, block);

	if (!buffer || !buffer->dead)
		return;
	list_remove(&buffer->checkpoint_link);
	if (is_idle(buffer))
		drop(fs, buffer);
}

void buffers_prefetch(
	struct ext4 *fs, uint64_t block, uint32_t count, enum ext4_buffer_kind kind, uint32_t owner)
{
	struct ext4_transfer transfers[MOST_PREFETCHED];
	struct ext4_buffer *buffers[MOST_PREFETCHED];
	uint32_t missing = 0;
	int error;

	for (uint64_t end = block + MIN(count, MOST_PREFETCHED); block < end; block++) {
		if (block >= fs->block_count || find(fs, block))
			continue;
		buffers[missing] = insert(fs, block, kind, owner);
		if (!buffers[missing])
			break;
		transfers[missing] = (struct ext4_transfer){block, buffers[missing]->data};
		missing++;
	}
	if (missing == 0)
		return;
	error = blocks_transfer(fs, transfers, missing, false);
	for (uint32_t i = 0; i < missing; i++)
		if (error || buffer_check(fs, buffers[i]))
			drop(fs, buffers[i]);
		else
			buffer_release(buffers[i]);
}
