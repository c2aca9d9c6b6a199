/*
 * Directories: their blocks, the entries in them, and those without a hash tree.
 *
 * Blocks were checked when they were read (checksum.c), so that walks over entries need not.
 */
#include "kernel/fs/ext4/ext4.h"
#include "lib/string.h"

uint32_t directory_leaf_bytes(const struct ext4 *fs)
{
	return fs->block_bytes -
	       (fs->has_checksums ? (uint32_t)sizeof(struct ext4_directory_tail) : 0);
}

uint8_t directory_type_of(uint16_t mode)
{
	switch (mode & LINUX_S_IFMT) {
	case LINUX_S_IFREG:
		return EXT4_TYPE_REGULAR;
	case LINUX_S_IFDIR:
		return EXT4_TYPE_DIRECTORY;
	case LINUX_S_IFCHR:
		return EXT4_TYPE_CHARACTER;
	case LINUX_S_IFBLK:
		return EXT4_TYPE_BLOCK;
	case LINUX_S_IFIFO:
		return EXT4_TYPE_FIFO;
	case LINUX_S_IFSOCK:
		return EXT4_TYPE_SOCKET;
	case LINUX_S_IFLNK:
		return EXT4_TYPE_LINK;
	default:
		return EXT4_TYPE_UNKNOWN;
	}
}

static uint8_t type_field(const struct ext4 *fs, uint16_t mode)
{
	return fs->incompatible & EXT4_INCOMPAT_FILETYPE ? directory_type_of(mode) : 0;
}

static struct ext4_directory_entry *entry_at(const struct ext4_buffer *buffer, uint32_t offset)
{
	return (struct ext4_directory_entry *)(void *)(buffer->data + offset);
}

/* ---- blocks -------------------------------------------------------------------- */

int directory_block(struct ext4_inode *directory, uint32_t logical, enum ext4_buffer_kind kind,
	struct ext4_buffer **buffer)
{
	struct ext4_map map;
	int error = extent_map(directory, logical, &map);

	if (error)
		return error;
	if (map.state != EXT4_MAP_WRITTEN)
		return EXT4_CORRUPT;
	return buffer_read(directory->fs, map.block, kind, directory->seed, buffer);
}

int directory_grow(struct ext4_inode *directory, enum ext4_buffer_kind kind, uint32_t *logical,
	struct ext4_buffer **buffer)
{
	struct ext4 *fs = directory->fs;
	uint64_t block;
	uint32_t got;
	int error;

	*logical = (uint32_t)(directory->size >> fs->block_shift);
	if (directory->size + fs->block_bytes > INT32_MAX)
		return -LINUX_ENOSPC;
	error = block_allocate(fs, extent_goal(directory, *logical), 1, &block, &got);
	if (error)
		return error;
	error = extent_insert(directory, *logical, block, 1, false);
	if (error) {
		int undone = block_free(fs, block, 1, true);

		return undone ? undone : error;
	}
	error = buffer_make(fs, block, kind, directory->seed, true, buffer);
	if (error)
		return error == -LINUX_ENOSPC ? -LINUX_ENOMEM : error;
	directory->size += fs->block_bytes;
	directory->blocks_512 += fs->block_bytes / 512;
	buffer_dirty(fs, *buffer);
	return 0;
}

/* One free entry, and the place of the sum. */
void directory_leaf_init(struct ext4 *fs, struct ext4_buffer *buffer)
{
	struct ext4_directory_entry *entry = entry_at(buffer, 0);

	memset(buffer->data, 0, fs->block_bytes);
	entry->bytes = (uint16_t)directory_leaf_bytes(fs);
	if (fs->has_checksums) {
		struct ext4_directory_tail *tail =
			(void *)(buffer->data + directory_leaf_bytes(fs));

		tail->bytes = sizeof(*tail);
		tail->type = EXT4_TYPE_CHECKSUM;
	}
}

/* ---- entries ---------------------------------------------------------------------- */

int directory_find_in(struct ext4_inode *directory, struct ext4_buffer *buffer, const char *name,
	size_t length, struct ext4_found *found)
{
	uint32_t end = directory_leaf_bytes(directory->fs), offset = 0;

	found->previous = NULL;
	while (offset < end) {
		struct ext4_directory_entry *entry = entry_at(buffer, offset);

		if (entry->inode != 0 && entry->name_length == length &&
			memcmp(entry->name, name, length) == 0) {
			found->entry = entry;
			found->buffer = buffer;
			return 0;
		}
		found->previous = entry;
		offset += entry->bytes;
	}
	return -LINUX_ENOENT;
}

static void fill_entry(const struct ext4 *fs, struct ext4_directory_entry *entry, const char *name,
	size_t length, uint32_t inode, uint16_t mode)
{
	entry->inode = inode;
	entry->name_length = (uint8_t)length;
	entry->type = type_field(fs, mode);
	memcpy(entry->name, name, length);
}

int directory_put(struct ext4_inode *directory, struct ext4_buffer *buffer, const char *name,
	size_t length, uint32_t inode, uint16_t mode)
{
	struct ext4 *fs = directory->fs;
	uint32_t end = directory_leaf_bytes(fs), need = directory_entry_bytes(length);

	for (uint32_t offset = 0; offset < end;) {
		struct ext4_directory_entry *entry = entry_at(buffer, offset);
		uint32_t used = entry->inode ? directory_entry_bytes(entry->name_length) : 0;

		if (entry->bytes - used < need) {
			offset += entry->bytes;
			continue;
		}
		if (used > 0) {
			struct ext4_directory_entry *rest = entry_at(buffer, offset + used);

			rest->bytes = (uint16_t)(entry->bytes - used);
			entry->bytes = (uint16_t)used;
			entry = rest;
		}
		fill_entry(fs, entry, name, length, inode, mode);
		buffer_dirty(fs, buffer);
		return 0;
	}
	return -LINUX_ENOSPC;
}

void directory_remove(struct ext4_inode *directory, struct ext4_found *found)
{
	if (found->previous)
		found->previous->bytes = (uint16_t)(found->previous->bytes + found->entry->bytes);
	found->entry->inode = 0;
	buffer_dirty(directory->fs, found->buffer);
}

void directory_set(
	struct ext4_inode *directory, struct ext4_found *found, uint32_t inode, uint16_t mode)
{
	found->entry->inode = inode;
	found->entry->type = type_field(directory->fs, mode);
	buffer_dirty(directory->fs, found->buffer);
}

/* ---- whole directories --------------------------------------------------------------- */

static bool is_indexed(const struct ext4_inode *directory)
{
	return (directory->flags & EXT4_INODE_INDEX) != 0;
}

int directory_find(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_found *found)
{
	uint32_t blocks = (uint32_t)(directory->size >> directory->fs->block_shift);

	if (is_indexed(directory))
		return index_find(directory, name, length, found);
	for (uint32_t logical = 0; logical < blocks; logical++) {
		struct ext4_buffer *buffer;
		int error = directory_block(directory, logical, BUFFER_LEAF, &buffer);

		if (error)
			return error;
		if (directory_find_in(directory, buffer, name, length, found) == 0)
			return 0;
		buffer_release(buffer);
	}
	return -LINUX_ENOENT;
}

/* Into a block of a directory without a hash tree, or a new one. */
static int add_linearly(struct ext4_inode *directory, const char *name, size_t length,
	uint32_t inode, uint16_t mode)
{
	uint32_t blocks = (uint32_t)(directory->size >> directory->fs->block_shift), logical;
	struct ext4_buffer *buffer;
	int error;

	for (logical = MIN(directory->insert_hint, blocks); logical < blocks; logical++) {
		error = directory_block(directory, logical, BUFFER_LEAF, &buffer);
		if (error)
			return error;
		error = directory_put(directory, buffer, name, length, inode, mode);
		buffer_release(buffer);
		directory->insert_hint = logical;
		if (error != -LINUX_ENOSPC)
			return error;
	}
	if (directory->fs->has_index && blocks == 1)
		return -LINUX_ENOSPC; /* time for a hash tree */
	error = directory_grow(directory, BUFFER_LEAF, &logical, &buffer);
	if (error)
		return error;
	directory_leaf_init(directory->fs, buffer);
	error = directory_put(directory, buffer, name, length, inode, mode);
	buffer_release(buffer);
	return error;
}

int directory_add(struct ext4_inode *directory, const char *name, size_t length, uint32_t inode,
	uint16_t mode)
{
	bool may_index = directory->fs->has_index && directory->size == directory->fs->block_bytes;
	int error;

	if (!is_indexed(directory)) {
		if (may_index)
			directory->insert_hint = 0;
		error = add_linearly(directory, name, length, inode, mode);
		if (error != -LINUX_ENOSPC || !may_index)
			return error;
		error = index_make(directory);
		if (error)
			return error;
	}
	return index_add(directory, name, length, inode, mode);
}

int directory_make(struct ext4_inode *directory, uint32_t parent)
{
	struct ext4 *fs = directory->fs;
	struct ext4_directory_entry *dot, *dots;
	struct ext4_buffer *buffer;
	uint32_t logical;
	int error = directory_grow(directory, BUFFER_LEAF, &logical, &buffer);

	if (error)
		return error;
	directory_leaf_init(fs, buffer);
	dot = entry_at(buffer, 0);
	fill_entry(fs, dot, ".", 1, directory->number, LINUX_S_IFDIR);
	dot->bytes = 12;
	dots = entry_at(buffer, 12);
	fill_entry(fs, dots, "..", 2, parent, LINUX_S_IFDIR);
	dots->bytes = (uint16_t)(directory_leaf_bytes(fs) - 12);
	buffer_release(buffer);
	return 0;
}

int directory_find_parent(struct ext4_inode *directory, struct ext4_found *found)
{
	struct ext4_directory_entry *dots;
	struct ext4_buffer *buffer;
	int error = directory_block(
		directory, 0, is_indexed(directory) ? BUFFER_INDEX_ROOT : BUFFER_LEAF, &buffer);

	if (error)
		return error;
	dots = entry_at(buffer, entry_at(buffer, 0)->bytes);
	/* The check of a leaf was of its shape only. */
	if (entry_at(buffer, 0)->bytes != 12 || dots->inode == 0 || dots->name_length != 2 ||
		memcmp(dots->name, "..", 2) != 0) {
		buffer_release(buffer);
		return EXT4_CORRUPT;
	}
	*found = (struct ext4_found){.buffer = buffer, .entry = dots};
	return 0;
}

/* ---- listing ----------------------------------------------------------------------------- */

/*
 * The position after a name is its key + 3, after "." 1, after ".." 2. The key is the name's
 * hash, so that positions stay when a block is split; in a directory of several blocks
 * without a hash tree, whose names never move, it is the entry's place.
 */
#define FIRST_POSITION 2

static uint64_t key_of_hash(struct ext4_hash hash)
{
	return (uint64_t)(hash.major >> 1) << 32 | hash.minor;
}

struct listing {
	struct ext4_inode *directory;
	struct ext4_name_batch *batch;
	uint64_t position;
	bool by_hash;
	uint8_t hash_version;
};

static void sort_names(struct ext4_name_batch *batch)
{
	struct ext4_listed *names = batch->names;

	for (uint32_t gap = batch->count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (uint32_t i = gap; i < batch->count; i++) {
			struct ext4_listed moved = names[i];
			uint32_t at = i;

			for (; at >= gap && names[at - gap].key > moved.key; at -= gap)
				names[at] = names[at - gap];
			names[at] = moved;
		}
}

static bool is_dots(const struct ext4_directory_entry *entry)
{
	return entry->name[0] == '.' &&
	       (entry->name_length == 1 || (entry->name_length == 2 && entry->name[1] == '.'));
}

/* False if the batch is full. */
static bool list_block(struct listing *listing, const struct ext4_buffer *buffer, uint32_t logical)
{
	struct ext4 *fs = listing->directory->fs;
	struct ext4_name_batch *batch = listing->batch;
	uint32_t end = directory_leaf_bytes(fs);
	uint8_t *copy = batch->blocks + (size_t)batch->block_count * fs->block_bytes;

	if (batch->block_count == EXT4_BATCH_BLOCKS)
		return false;
	memcpy(copy, buffer->data, fs->block_bytes);
	batch->block_count++;
	for (uint32_t offset = 0; offset < end;) {
		const struct ext4_directory_entry *entry = (void *)(copy + offset);
		uint64_t key = ((uint64_t)logical << fs->block_shift) + offset;

		offset += entry->bytes;
		if (entry->inode == 0 || is_dots(entry))
			continue;
		if (listing->by_hash)
			key = key_of_hash(directory_hash(
				fs, listing->hash_version, entry->name, entry->name_length));
		if (key + 3 > listing->position && batch->count < EXT4_BATCH_NAMES)
			batch->names[batch->count++] =
				(struct ext4_listed){.key = key, .entry = entry};
	}
	return true;
}

static int list_plain(struct listing *listing)
{
	struct ext4_inode *directory = listing->directory;
	struct ext4 *fs = directory->fs;
	uint32_t blocks = (uint32_t)(directory->size >> fs->block_shift), logical = 0;
	struct ext4_buffer *buffer;
	int error;

	if (!listing->by_hash && listing->position > FIRST_POSITION)
		logical = (uint32_t)MIN(
			(listing->position - FIRST_POSITION) >> fs->block_shift, blocks);
	if (logical >= blocks) {
		listing->batch->is_last = true;
		return 0;
	}
	error = directory_block(directory, logical, BUFFER_LEAF, &buffer);
	if (error)
		return error;
	(void)list_block(listing, buffer, logical);
	buffer_release(buffer);
	listing->batch->is_last = logical + 1 == blocks;
	listing->batch->next = ((uint64_t)(logical + 1) << fs->block_shift) + FIRST_POSITION;
	return 0;
}

/* One leaf, and those after it that go on with the same hash. */
static int list_indexed(struct listing *listing)
{
	struct ext4_inode *directory = listing->directory;
	uint64_t key = listing->position > FIRST_POSITION ? listing->position - FIRST_POSITION : 0;
	uint32_t hash = (uint32_t)(key >> 32) << 1, next;
	struct index_cursor *cursor = &listing->batch->cursor;
	int error = index_seek(directory, hash, cursor);

	if (error)
		return error;
	do {
		struct ext4_buffer *buffer;

		error = directory_block(directory, cursor->leaf, BUFFER_LEAF, &buffer);
		if (error)
			return error;
		if (!list_block(listing, buffer, cursor->leaf))
			cursor->next_hash = 0;
		buffer_release(buffer);
		next = cursor->next_hash;
		if (next & 1)
			error = index_advance(directory, cursor);
	} while (!error && (next & 1) != 0);
	listing->batch->is_last = next == 0;
	listing->batch->next = ((uint64_t)(next >> 1) << 32) + FIRST_POSITION;
	return error;
}

int directory_read_batch(
	struct ext4_inode *directory, uint64_t position, struct ext4_name_batch *batch)
{
	struct ext4 *fs = directory->fs;
	struct listing listing = {directory, batch, position, true, fs->hash_version};
	int error = 0;

	batch->count = batch->block_count = 0;
	batch->is_last = false;
	if (is_indexed(directory)) {
		listing.hash_version = index_hash_version(directory, &error);
		if (!error)
			error = list_indexed(&listing);
	} else {
		listing.by_hash = fs->has_index && directory->size == fs->block_bytes;
		error = list_plain(&listing);
	}
	if (!error)
		sort_names(batch);
	return error;
}

/* Also asks blocks that hold names whose positions lie before those of others. */
int directory_is_empty(struct ext4_inode *directory, struct ext4_name_batch *batch)
{
	uint64_t position = FIRST_POSITION;

	do {
		int error = directory_read_batch(directory, position, batch);

		if (error)
			return error;
		if (batch->count > 0)
			return -LINUX_ENOTEMPTY;
		position = batch->next;
	} while (!batch->is_last);
	return 0;
}
