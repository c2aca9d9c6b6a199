/*
 * Extended attributes: in what is left of the inode, then in one block of its own.
 *
 * Both hold a table of entries that grows up and values that grow down from the end. A change
 * is made on copies, which replace the originals when all fitted.
 */
#include "kernel/fs/ext4/volume.h"
#include "kernel/fs/xattr.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

struct area {
	uint8_t *origin; /* offsets of values count from here */
	uint8_t *first;  /* entry */
	uint8_t *end;
};

static const struct prefix {
	uint8_t index;
	const char *text;
} prefixes[] = {
	{1, "user."},
	{4, "trusted."},
	{6, "security."},
};

struct name {
	uint8_t index;
	const char *text;
	size_t length;
};

static int parse_name(const char *full, struct name *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t length = strlen(prefixes[i].text);

		if (strncmp(full, prefixes[i].text, length) != 0)
			continue;
		*name = (struct name){prefixes[i].index, full + length, strlen(full + length)};
		return name->length == 0 ? -LINUX_EINVAL : name->length > 255 ? -LINUX_ERANGE : 0;
	}
	return -LINUX_EOPNOTSUPP;
}

static const char *prefix_of(uint8_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (prefixes[i].index == index)
			return prefixes[i].text;
	return NULL;
}

/* ---- entries --------------------------------------------------------------------- */

static struct ext4_xattr_entry *first_of(const struct area *area)
{
	return (struct ext4_xattr_entry *)(void *)area->first;
}

static bool is_last(const struct ext4_xattr_entry *entry)
{
	return *(const uint32_t *)(const void *)entry == 0;
}

static size_t entry_bytes(size_t name_length)
{
	return (sizeof(struct ext4_xattr_entry) + name_length + 3) & ~(size_t)3;
}

static struct ext4_xattr_entry *next_of(const struct ext4_xattr_entry *entry)
{
	return (struct ext4_xattr_entry *)(uintptr_t)((uintptr_t)entry +
						      entry_bytes(entry->name_length));
}

static size_t padded(size_t bytes)
{
	return (bytes + 3) & ~(size_t)3;
}

static bool value_is_within(
	const struct area *area, const struct ext4_xattr_entry *entry, const uint8_t *table_end)
{
	size_t room = (size_t)(area->end - area->origin);

	if (entry->value_inode != 0)
		return false;
	if (entry->value_bytes == 0)
		return true;
	return entry->value_offset % 4 == 0 && entry->value_offset <= room &&
	       padded(entry->value_bytes) <= room - entry->value_offset &&
	       area->origin + entry->value_offset >= table_end;
}

static bool is_valid(const struct area *area)
{
	const struct ext4_xattr_entry *entry = first_of(area);
	const uint8_t *end;

	for (;;) {
		if (area->end - (const uint8_t *)entry < 4)
			return false;
		if (is_last(entry))
			break;
		if ((size_t)(area->end - (const uint8_t *)entry) < sizeof(*entry) ||
			(size_t)(area->end - (const uint8_t *)entry) <
				entry_bytes(entry->name_length))
			return false;
		entry = next_of(entry);
	}
	end = (const uint8_t *)entry + 4;
	for (entry = first_of(area); !is_last(entry); entry = next_of(entry))
		if (!value_is_within(area, entry, end))
			return false;
	return true;
}

static struct area area_of_block(const struct ext4 *fs, uint8_t *data)
{
	return (struct area){data, data + sizeof(struct ext4_xattr_header), data + fs->block_bytes};
}

bool xattr_block_is_valid(const struct ext4 *fs, const uint8_t *data)
{
	struct area area = area_of_block(fs, (uint8_t *)(uintptr_t)data);

	return is_valid(&area);
}

static struct area area_of_inode(const struct ext4_inode *inode, uint8_t *space)
{
	return (struct area){space + 4, space + 4, space + inode->xattr_space};
}

static struct ext4_xattr_entry *find(const struct area *area, const struct name *name)
{
	for (struct ext4_xattr_entry *entry = first_of(area); !is_last(entry);
		entry = next_of(entry))
		if (entry->name_index == name->index && entry->name_length == name->length &&
			memcmp(entry->name, name->text, name->length) == 0)
			return entry;
	return NULL;
}

static size_t lowest_value(const struct area *area)
{
	size_t lowest = (size_t)(area->end - area->origin);

	for (struct ext4_xattr_entry *entry = first_of(area); !is_last(entry);
		entry = next_of(entry))
		if (entry->value_bytes > 0)
			lowest = MIN(lowest, entry->value_offset);
	return lowest;
}

static uint8_t *table_end(const struct area *area)
{
	struct ext4_xattr_entry *entry = first_of(area);

	while (!is_last(entry))
		entry = next_of(entry);
	return (uint8_t *)entry;
}

static void erase(const struct area *area, struct ext4_xattr_entry *entry)
{
	size_t size = padded(entry->value_bytes), offset = entry->value_offset;
	size_t lowest = lowest_value(area), bytes = entry_bytes(entry->name_length);
	uint8_t *end = table_end(area);

	if (entry->value_bytes > 0) {
		memmove(area->origin + lowest + size, area->origin + lowest, offset - lowest);
		memset(area->origin + lowest, 0, size);
		for (struct ext4_xattr_entry *other = first_of(area); !is_last(other);
			other = next_of(other))
			if (other->value_bytes > 0 && other->value_offset < offset)
				other->value_offset = (uint16_t)(other->value_offset + size);
	}
	memmove(entry, (uint8_t *)entry + bytes, (size_t)(end - (uint8_t *)entry) - bytes);
	memset(end - bytes, 0, bytes);
}

/* Entries are sorted by index, length and text. */
static bool is_before(const struct ext4_xattr_entry *entry, const struct name *name)
{
	if (entry->name_index != name->index)
		return entry->name_index < name->index;
	if (entry->name_length != name->length)
		return entry->name_length < name->length;
	return memcmp(entry->name, name->text, name->length) < 0;
}

static uint32_t rotate(uint32_t word, int bits)
{
	return word << bits | word >> (32 - bits);
}

static uint32_t hash_of(const struct name *name, const uint8_t *value, size_t bytes)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < name->length; i++)
		hash = rotate(hash, 5) ^ (uint8_t)name->text[i];
	for (size_t at = 0; at < bytes; at += 4) {
		uint32_t word = 0;

		memcpy(&word, value + at, MIN(bytes - at, 4));
		hash = rotate(hash, 16) ^ word;
	}
	return hash;
}

static int insert(const struct area *area, const struct name *name, const void *value, size_t bytes)
{
	size_t lowest = lowest_value(area), need = entry_bytes(name->length);
	struct ext4_xattr_entry *entry = first_of(area);
	uint8_t *end = table_end(area);

	if (need + padded(bytes) + 4 > lowest - (size_t)(end - area->origin))
		return -LINUX_ENOSPC;
	while (!is_last(entry) && is_before(entry, name))
		entry = next_of(entry);
	memmove((uint8_t *)entry + need, entry, (size_t)(end - (uint8_t *)entry));
	memset(entry, 0, need);
	memset(end + need, 0, 4);
	entry->name_index = name->index;
	entry->name_length = (uint8_t)name->length;
	memcpy(entry->name, name->text, name->length);
	entry->value_bytes = (uint32_t)bytes;
	entry->hash = hash_of(name, value, bytes);
	if (bytes > 0) {
		entry->value_offset = (uint16_t)(lowest - padded(bytes));
		memset(area->origin + entry->value_offset, 0, padded(bytes));
		memcpy(area->origin + entry->value_offset, value, bytes);
	}
	return 0;
}

/* ---- reading ------------------------------------------------------------------------- */

static int open_block(struct ext4_inode *inode, struct ext4_buffer **buffer)
{
	*buffer = NULL;
	if (inode->xattr_block == 0)
		return 0;
	return buffer_read(inode->fs, inode->xattr_block, BUFFER_XATTRS, 0, buffer);
}

static int open_inode_area(const struct ext4_inode *inode, struct area *area)
{
	*area = area_of_inode(inode, inode->xattrs);
	return is_valid(area) ? 0 : EXT4_CORRUPT;
}

static long copy_value(
	const struct area *area, const struct ext4_xattr_entry *entry, void *value, size_t capacity)
{
	if (capacity == 0)
		return (long)entry->value_bytes;
	if (entry->value_bytes > capacity)
		return -LINUX_ERANGE;
	memcpy(value, area->origin + entry->value_offset, entry->value_bytes);
	return (long)entry->value_bytes;
}

static long get_locked(
	struct ext4_inode *inode, const struct name *name, void *value, size_t capacity)
{
	struct ext4_xattr_entry *entry;
	struct ext4_buffer *buffer;
	struct area area;
	long result;

	if (inode->xattrs) {
		result = open_inode_area(inode, &area);
		if (result)
			return result;
		entry = find(&area, name);
		if (entry)
			return copy_value(&area, entry, value, capacity);
	}
	result = open_block(inode, &buffer);
	if (result)
		return result;
	result = -LINUX_ENODATA;
	if (buffer) {
		area = area_of_block(inode->fs, buffer->data);
		entry = find(&area, name);
		if (entry)
			result = copy_value(&area, entry, value, capacity);
	}
	buffer_release(buffer);
	return result;
}

long ext4_get_xattr(struct ext4_inode *inode, const char *full, void *value, size_t capacity)
{
	struct name name;
	long result = parse_name(full, &name);

	if (result)
		return result;
	mutex_lock(&inode->fs->lock);
	result = get_locked(inode, &name, value, capacity);
	mutex_unlock(&inode->fs->lock);
	return result;
}

struct list_target {
	char *names;
	size_t capacity, used;
	bool overflow;
};

static void list_area(const struct area *area, struct list_target *target)
{
	for (struct ext4_xattr_entry *entry = first_of(area); !is_last(entry);
		entry = next_of(entry)) {
		const char *prefix = prefix_of(entry->name_index);
		size_t length = prefix ? strlen(prefix) : 0, need = length + entry->name_length + 1;

		if (!prefix)
			continue;
		if (target->capacity > 0 && need > target->capacity - target->used) {
			target->overflow = true;
			return;
		}
		if (target->capacity > 0) {
			memcpy(target->names + target->used, prefix, length);
			memcpy(target->names + target->used + length, entry->name,
				entry->name_length);
			target->names[target->used + need - 1] = 0;
		}
		target->used += need;
	}
}

static int list_locked(struct ext4_inode *inode, struct list_target *target)
{
	struct ext4_buffer *buffer;
	struct area area;
	int error;

	if (inode->xattrs) {
		error = open_inode_area(inode, &area);
		if (error)
			return error;
		list_area(&area, target);
	}
	error = open_block(inode, &buffer);
	if (error)
		return error;
	if (buffer) {
		area = area_of_block(inode->fs, buffer->data);
		list_area(&area, target);
	}
	buffer_release(buffer);
	return 0;
}

long ext4_list_xattrs(struct ext4_inode *inode, char *names, size_t capacity)
{
	struct list_target target = {.names = names, .capacity = capacity};
	int error;

	mutex_lock(&inode->fs->lock);
	error = list_locked(inode, &target);
	mutex_unlock(&inode->fs->lock);
	if (error)
		return error;
	return target.overflow ? -LINUX_ERANGE : (long)target.used;
}

/* ---- changing --------------------------------------------------------------------------- */

struct change {
	struct ext4_inode *inode;
	struct ext4_buffer *old_block; /* with a reference; NULL */
	uint8_t *space, *block;        /* copies; heap */
	struct area in_inode, in_block;
	bool has_space, has_block; /* there is room for attributes there */
};

static int begin_change(struct ext4_inode *inode, struct change *change)
{
	struct ext4 *fs = inode->fs;
	int error = open_block(inode, &change->old_block);

	if (error)
		return error;
	change->inode = inode;
	change->space = heap_zalloc(MAX(inode->xattr_space, 8));
	change->block = heap_zalloc(fs->block_bytes);
	if (!change->space || !change->block)
		return -LINUX_ENOMEM;
	if (inode->xattrs)
		memcpy(change->space, inode->xattrs, inode->xattr_space);
	else
		*(uint32_t *)(void *)change->space = EXT4_XATTR_MAGIC;
	change->has_space = inode->xattr_space >= 8;
	if (change->old_block) {
		memcpy(change->block, change->old_block->data, fs->block_bytes);
	} else {
		struct ext4_xattr_header *header = (void *)change->block;

		header->magic = EXT4_XATTR_MAGIC;
		header->blocks = header->references = 1;
	}
	change->in_inode = area_of_inode(inode, change->space);
	change->in_block = area_of_block(fs, change->block);
	return change->has_space && !is_valid(&change->in_inode) ? EXT4_CORRUPT : 0;
}

static void end_change(struct change *change)
{
	buffer_release(change->old_block);
	heap_free(change->space);
	heap_free(change->block);
}

static void hash_block(const struct area *area, struct ext4_xattr_header *header)
{
	header->hash = 0;
	for (struct ext4_xattr_entry *entry = first_of(area); !is_last(entry);
		entry = next_of(entry)) {
		if (entry->hash == 0) {
			header->hash = 0;
			return;
		}
		header->hash = rotate(header->hash, 16) ^ entry->hash;
	}
}

/* The block on the medium is no longer this inode's. */
static int drop_block(struct ext4_inode *inode, struct ext4_buffer *buffer)
{
	struct ext4_xattr_header *header = (void *)buffer->data;
	uint64_t block = buffer->block;

	inode->xattr_block = 0;
	inode->blocks_512 -= MIN(inode->blocks_512, inode->fs->block_bytes / 512);
	if (header->references > 1) {
		header->references--;
		buffer_dirty(inode->fs, buffer);
		buffer_release(buffer);
		return 0;
	}
	buffer_release(buffer);
	return block_free(inode->fs, block, 1, true);
}

static int new_block(struct change *change)
{
	struct ext4_inode *inode = change->inode;
	struct ext4 *fs = inode->fs;
	struct ext4_buffer *buffer;
	uint64_t block;
	uint32_t got;
	int error = block_allocate(fs, extent_goal(inode, 0), 1, &block, &got);

	if (error)
		return error;
	error = buffer_make(fs, block, BUFFER_XATTRS, 0, true, &buffer);
	if (error)
		return error;
	((struct ext4_xattr_header *)(void *)change->block)->references = 1;
	memcpy(buffer->data, change->block, fs->block_bytes);
	buffer_dirty(fs, buffer);
	buffer_release(buffer);
	inode->xattr_block = block;
	inode->blocks_512 += fs->block_bytes / 512;
	return 0;
}

static int store_block(struct change *change)
{
	struct ext4_buffer *old = change->old_block;
	struct ext4_inode *inode = change->inode;
	bool is_empty = is_last(first_of(&change->in_block));
	int error = 0;

	hash_block(&change->in_block, (void *)change->block);
	if (old && !is_empty && ((struct ext4_xattr_header *)(void *)old->data)->references == 1) {
		memcpy(old->data, change->block, inode->fs->block_bytes);
		buffer_dirty(inode->fs, old);
		return 0;
	}
	/* The new one first: there may be no room for it. */
	if (!is_empty) {
		uint64_t old_block = inode->xattr_block;

		error = new_block(change);
		if (error || !old)
			return error;
		((struct ext4_xattr_header *)(void *)old->data)->references--;
		inode->blocks_512 -= inode->fs->block_bytes / 512;
		buffer_dirty(inode->fs, old);
		return old_block == 0 ? EXT4_CORRUPT : 0;
	}
	if (old) {
		change->old_block = NULL;
		error = drop_block(inode, old);
	}
	return error;
}

static int store_change(struct change *change)
{
	struct ext4_inode *inode = change->inode;
	int error = store_block(change);

	if (error)
		return error;
	if (change->has_space && !is_last(first_of(&change->in_inode))) {
		heap_free(inode->xattrs);
		inode->xattrs = change->space;
		change->space = NULL;
	} else {
		heap_free(inode->xattrs);
		inode->xattrs = NULL;
	}
	inode->ctime_ns = ext4_now_ns();
	return inode_store(inode, false);
}

/* value NULL: removes. */
static int change_copies(
	struct change *change, const struct name *name, const void *value, size_t bytes, int flags)
{
	struct ext4_xattr_entry *here = change->has_space ? find(&change->in_inode, name) : NULL;
	struct ext4_xattr_entry *there = find(&change->in_block, name);
	int error = -LINUX_ENOSPC;

	if ((flags & XATTR_CREATE) && (here || there))
		return -LINUX_EEXIST;
	if ((!value || (flags & XATTR_REPLACE)) && !here && !there)
		return -LINUX_ENODATA;
	if (here)
		erase(&change->in_inode, here);
	if (there)
		erase(&change->in_block, there);
	if (!value)
		return 0;
	if (change->has_space)
		error = insert(&change->in_inode, name, value, bytes);
	return error ? insert(&change->in_block, name, value, bytes) : 0;
}

static int set(
	struct ext4_inode *inode, const char *full, const void *value, size_t bytes, int flags)
{
	struct change change = {0};
	struct name name;
	int error = parse_name(full, &name);

	if (error)
		return error;
	error = ext4_begin(inode->fs);
	if (error)
		return error;
	error = begin_change(inode, &change);
	if (!error)
		error = change_copies(&change, &name, value, bytes, flags);
	if (!error)
		error = store_change(&change);
	end_change(&change);
	return ext4_end(inode->fs, error);
}

int ext4_set_xattr(
	struct ext4_inode *inode, const char *name, const void *value, size_t bytes, int flags)
{
	return set(inode, name, value ? value : "", bytes, flags);
}

int ext4_remove_xattr(struct ext4_inode *inode, const char *name)
{
	return set(inode, name, NULL, 0, 0);
}

int xattrs_release(struct ext4_inode *inode)
{
	struct ext4_buffer *buffer;
	int error = open_block(inode, &buffer);

	if (error || !buffer)
		return error;
	return drop_block(inode, buffer);
}
