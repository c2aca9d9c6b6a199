/*
 * Sums and shapes of everything on the medium that has one.
 *
 * All sums are CRC-32C, started from one of the volume (its UUID), continued over what tells
 * the place (number of the group, inode and generation), then over the thing itself without
 * the field that holds the sum. Sums of blocks are computed when a transaction is closed, not
 * at each change.
 */
#include "kernel/fs/ext4/ext4.h"
#include "lib/crc32c.h"
#include "lib/string.h"

uint32_t ext4_sum(const struct ext4 *fs, const void *data, size_t bytes)
{
	return crc32c(fs->seed, data, bytes);
}

uint32_t inode_seed(const struct ext4 *fs, uint32_t number, uint32_t generation)
{
	return crc32c(ext4_sum(fs, &number, 4), &generation, 4);
}

bool super_sum_is_right(const struct ext4_super *super)
{
	return super->checksum == crc32c(~0u, super, offsetof(struct ext4_super, checksum));
}

/* ---- groups --------------------------------------------------------------- */

static uint16_t group_sum(
	struct ext4 *fs, uint32_t number, const struct ext4_group_descriptor *descriptor)
{
	const uint8_t *bytes = (const uint8_t *)descriptor;
	size_t at = offsetof(struct ext4_group_descriptor, checksum);
	uint32_t sum = crc32c(ext4_sum(fs, &number, 4), bytes, at);

	sum = crc32c(sum, "\0", 2);
	return (uint16_t)crc32c(sum, bytes + at + 2, fs->descriptor_bytes - at - 2);
}

void group_seal(struct ext4 *fs, uint32_t number, struct ext4_group_descriptor *descriptor)
{
	if (fs->has_checksums)
		descriptor->checksum = group_sum(fs, number, descriptor);
}

bool group_sum_is_right(
	struct ext4 *fs, uint32_t number, const struct ext4_group_descriptor *descriptor)
{
	return !fs->has_checksums || descriptor->checksum == group_sum(fs, number, descriptor);
}

static uint32_t bitmap_sum(struct ext4 *fs, const struct ext4_buffer *buffer)
{
	uint32_t bits =
		buffer->kind == BUFFER_BLOCK_BITMAP ? fs->blocks_per_group : fs->inodes_per_group;

	return ext4_sum(fs, buffer->data, bits / 8);
}

static void seal_bitmap(struct ext4 *fs, struct ext4_buffer *buffer)
{
	struct ext4_group_descriptor *descriptor = group_descriptor(fs, buffer->owner);
	uint32_t sum = bitmap_sum(fs, buffer);

	if (buffer->kind == BUFFER_BLOCK_BITMAP) {
		descriptor->block_bitmap_sum_lo = (uint16_t)sum;
		if (fs->wide)
			descriptor->block_bitmap_sum_hi = (uint16_t)(sum >> 16);
	} else {
		descriptor->inode_bitmap_sum_lo = (uint16_t)sum;
		if (fs->wide)
			descriptor->inode_bitmap_sum_hi = (uint16_t)(sum >> 16);
	}
	group_dirty(fs, buffer->owner);
}

static bool bitmap_is_right(struct ext4 *fs, const struct ext4_buffer *buffer)
{
	const struct ext4_group_descriptor *descriptor = group_descriptor(fs, buffer->owner);
	bool blocks = buffer->kind == BUFFER_BLOCK_BITMAP;
	uint32_t sum = bitmap_sum(fs, buffer);
	uint16_t hi = blocks ? descriptor->block_bitmap_sum_hi : descriptor->inode_bitmap_sum_hi;

	if ((uint16_t)sum !=
		(blocks ? descriptor->block_bitmap_sum_lo : descriptor->inode_bitmap_sum_lo))
		return false;
	return !fs->wide || (uint16_t)(sum >> 16) == hi;
}

/* ---- inodes ------------------------------------------------------------------ */

static uint32_t raw_inode_sum(struct ext4 *fs, uint32_t number, const uint8_t *raw)
{
	const struct ext4_raw_inode *inode = (const struct ext4_raw_inode *)raw;
	size_t lo = offsetof(struct ext4_raw_inode, checksum_lo);
	size_t hi = offsetof(struct ext4_raw_inode, checksum_hi);
	uint32_t sum = crc32c(inode_seed(fs, number, inode->generation), raw, lo);

	sum = crc32c(sum, "\0", 2);
	sum = crc32c(sum, raw + lo + 2, EXT4_OLD_INODE_BYTES - lo - 2);
	if (fs->inode_bytes <= EXT4_OLD_INODE_BYTES)
		return sum;
	if (inode->extra_bytes < 4)
		return crc32c(
			sum, raw + EXT4_OLD_INODE_BYTES, fs->inode_bytes - EXT4_OLD_INODE_BYTES);
	sum = crc32c(sum, raw + EXT4_OLD_INODE_BYTES, hi - EXT4_OLD_INODE_BYTES);
	sum = crc32c(sum, "\0", 2);
	return crc32c(sum, raw + hi + 2, fs->inode_bytes - hi - 2);
}

static bool has_wide_sum(const struct ext4 *fs, const struct ext4_raw_inode *inode)
{
	return fs->inode_bytes > EXT4_OLD_INODE_BYTES && inode->extra_bytes >= 4;
}

void raw_inode_seal(struct ext4 *fs, uint32_t number, uint8_t *raw)
{
	struct ext4_raw_inode *inode = (struct ext4_raw_inode *)raw;
	uint32_t sum;

	if (!fs->has_checksums)
		return;
	sum = raw_inode_sum(fs, number, raw);
	inode->checksum_lo = (uint16_t)sum;
	if (has_wide_sum(fs, inode))
		inode->checksum_hi = (uint16_t)(sum >> 16);
}

bool raw_inode_sum_is_right(struct ext4 *fs, uint32_t number, const uint8_t *raw)
{
	const struct ext4_raw_inode *inode = (const struct ext4_raw_inode *)raw;
	uint32_t sum;

	if (!fs->has_checksums)
		return true;
	sum = raw_inode_sum(fs, number, raw);
	return inode->checksum_lo == (uint16_t)sum &&
	       (!has_wide_sum(fs, inode) || inode->checksum_hi == (uint16_t)(sum >> 16));
}

/* ---- extents ------------------------------------------------------------------ */

static uint32_t *extents_sum_of(const struct ext4_buffer *buffer)
{
	struct ext4_extent_header *header = (struct ext4_extent_header *)buffer->data;

	return (uint32_t *)(void *)(buffer->data + sizeof(*header) +
				    header->most * sizeof(struct ext4_extent));
}

static uint32_t extents_sum(const struct ext4_buffer *buffer)
{
	return crc32c(buffer->owner, buffer->data,
		(size_t)((uint8_t *)extents_sum_of(buffer) - buffer->data));
}

static int check_extents(struct ext4 *fs, struct ext4_buffer *buffer)
{
	const struct ext4_extent_header *header = (struct ext4_extent_header *)buffer->data;
	const struct ext4_extent *entries = (const struct ext4_extent *)(header + 1);
	uint64_t next = 0;

	if (header->magic != EXT4_EXTENT_MAGIC || header->entries > header->most ||
		header->most != (fs->block_bytes - sizeof(*header)) / sizeof(*entries) ||
		header->depth >= EXT4_EXTENT_DEEPEST || header->entries == 0)
		return EXT4_CORRUPT;
	if (fs->has_checksums && *extents_sum_of(buffer) != extents_sum(buffer))
		return EXT4_CORRUPT;
	/* In order; of leaves, without overlap and within the volume. */
	for (uint32_t i = 0; i < header->entries; i++) {
		uint32_t length = entries[i].length;

		if (entries[i].logical < next)
			return EXT4_CORRUPT;
		if (header->depth > 0) {
			next = (uint64_t)entries[i].logical + 1;
			continue;
		}
		if (length > EXT4_EXTENT_UNWRITTEN_BIT)
			length -= EXT4_EXTENT_UNWRITTEN_BIT;
		next = (uint64_t)entries[i].logical + length;
		if (length == 0 || next > EXT4_LOGICAL_MOST ||
			!block_range_is_valid(fs,
				(uint64_t)entries[i].start_hi << 32 | entries[i].start_lo, length))
			return EXT4_CORRUPT;
	}
	return 0;
}

/* ---- directories ---------------------------------------------------------------- */

static struct ext4_directory_tail *tail_of(struct ext4 *fs, const struct ext4_buffer *buffer)
{
	return (struct ext4_directory_tail *)(void *)(buffer->data + fs->block_bytes -
						      sizeof(struct ext4_directory_tail));
}

static uint32_t leaf_sum(struct ext4 *fs, const struct ext4_buffer *buffer)
{
	return crc32c(
		buffer->owner, buffer->data, fs->block_bytes - sizeof(struct ext4_directory_tail));
}

static int check_leaf(struct ext4 *fs, struct ext4_buffer *buffer)
{
	uint32_t end = directory_leaf_bytes(fs), at = 0;

	if (fs->has_checksums) {
		const struct ext4_directory_tail *tail = tail_of(fs, buffer);

		if (tail->zero != 0 || tail->bytes != sizeof(*tail) || tail->zero_length != 0 ||
			tail->type != EXT4_TYPE_CHECKSUM || tail->checksum != leaf_sum(fs, buffer))
			return EXT4_CORRUPT;
	}
	while (at < end) {
		const struct ext4_directory_entry *entry = (void *)(buffer->data + at);

		if (end - at < 8 || entry->bytes % 4 != 0 || entry->bytes > end - at ||
			entry->bytes < directory_entry_bytes(entry->name_length) ||
			entry->inode > fs->inode_count ||
			(entry->inode != 0 && entry->name_length == 0))
			return EXT4_CORRUPT;
		at += entry->bytes;
	}
	return 0;
}

static uint32_t index_offset(const struct ext4_buffer *buffer)
{
	return buffer->kind == BUFFER_INDEX_ROOT ? EXT4_INDEX_ROOT_OFFSET : EXT4_INDEX_NODE_OFFSET;
}

static struct ext4_index_tail *index_tail(const struct ext4_buffer *buffer)
{
	uint32_t offset = index_offset(buffer);
	const struct ext4_index_count *count = (void *)(buffer->data + offset);

	return (void *)(buffer->data + offset + count->limit * sizeof(struct ext4_index_entry));
}

static uint32_t index_sum(const struct ext4_buffer *buffer)
{
	uint32_t offset = index_offset(buffer);
	const struct ext4_index_count *count = (void *)(buffer->data + offset);
	uint32_t sum = crc32c(buffer->owner, buffer->data,
		offset + count->count * sizeof(struct ext4_index_entry));

	sum = crc32c(sum, index_tail(buffer), 4);
	return crc32c(sum, "\0\0\0", 4);
}

static int check_index(struct ext4 *fs, struct ext4_buffer *buffer)
{
	const struct ext4_index_count *count = (void *)(buffer->data + index_offset(buffer));
	const struct ext4_directory_entry *dot = (void *)buffer->data;
	bool root = buffer->kind == BUFFER_INDEX_ROOT;

	if (count->limit != (root ? index_root_limit(fs) : index_node_limit(fs)) ||
		count->count == 0 || count->count > count->limit)
		return EXT4_CORRUPT;
	if (root) {
		const struct ext4_directory_entry *parent = (void *)(buffer->data + 12);
		const struct ext4_index_info *info =
			(void *)(buffer->data + EXT4_INDEX_INFO_OFFSET);

		if (dot->bytes != 12 || dot->name_length != 1 || dot->name[0] != '.' ||
			parent->bytes != fs->block_bytes - 12 || parent->name_length != 2 ||
			parent->name[0] != '.' || parent->name[1] != '.' ||
			parent->inode > fs->inode_count || info->reserved != 0 ||
			info->info_bytes != 8 || info->levels > 1 ||
			info->hash_version > EXT4_HASH_TEA)
			return EXT4_CORRUPT;
	} else if (dot->inode != 0 || dot->bytes != fs->block_bytes) {
		return EXT4_CORRUPT;
	}
	return fs->has_checksums && index_tail(buffer)->checksum != index_sum(buffer) ? EXT4_CORRUPT
										      : 0;
}

/* ---- blocks of extended attributes ------------------------------------------------ */

static uint32_t xattrs_sum(struct ext4 *fs, const struct ext4_buffer *buffer)
{
	size_t at = offsetof(struct ext4_xattr_header, checksum);
	uint32_t sum = ext4_sum(fs, &buffer->block, 8);

	sum = crc32c(sum, buffer->data, at);
	sum = crc32c(sum, "\0\0\0", 4);
	return crc32c(sum, buffer->data + at + 4, fs->block_bytes - at - 4);
}

static int check_xattrs(struct ext4 *fs, struct ext4_buffer *buffer)
{
	const struct ext4_xattr_header *header = (void *)buffer->data;

	if (header->magic != EXT4_XATTR_MAGIC || header->blocks != 1 ||
		(fs->has_checksums && header->checksum != xattrs_sum(fs, buffer)))
		return EXT4_CORRUPT;
	return xattr_block_is_valid(fs, buffer->data) ? 0 : EXT4_CORRUPT;
}

/* ---- by kind -------------------------------------------------------------------------- */

static void seal_groups(struct ext4 *fs, struct ext4_buffer *buffer)
{
	uint32_t first = buffer->owner * fs->descriptors_per_block;
	uint32_t end = MIN(first + fs->descriptors_per_block, fs->group_count);

	for (uint32_t number = first; number < end; number++)
		group_seal(fs, number, group_descriptor(fs, number));
}

void buffer_seal(struct ext4 *fs, struct ext4_buffer *buffer)
{
	if (!fs->has_checksums)
		return;
	switch (buffer->kind) {
	case BUFFER_SUPER:
		fs->super->checksum = crc32c(~0u, fs->super, offsetof(struct ext4_super, checksum));
		break;
	case BUFFER_GROUPS:
		seal_groups(fs, buffer);
		break;
	case BUFFER_BLOCK_BITMAP:
	case BUFFER_INODE_BITMAP:
		seal_bitmap(fs, buffer);
		break;
	case BUFFER_EXTENTS:
		*extents_sum_of(buffer) = extents_sum(buffer);
		break;
	case BUFFER_LEAF:
		tail_of(fs, buffer)->checksum = leaf_sum(fs, buffer);
		break;
	case BUFFER_INDEX_ROOT:
	case BUFFER_INDEX_NODE:
		index_tail(buffer)->checksum = index_sum(buffer);
		break;
	case BUFFER_XATTRS:
		((struct ext4_xattr_header *)(void *)buffer->data)->checksum =
			xattrs_sum(fs, buffer);
		break;
	default:
		break;
	}
}

int buffer_check(struct ext4 *fs, struct ext4_buffer *buffer)
{
	switch (buffer->kind) {
	case BUFFER_BLOCK_BITMAP:
	case BUFFER_INODE_BITMAP:
		return !fs->has_checksums || bitmap_is_right(fs, buffer) ? 0 : EXT4_CORRUPT;
	case BUFFER_EXTENTS:
		return check_extents(fs, buffer);
	case BUFFER_LEAF:
		return check_leaf(fs, buffer);
	case BUFFER_INDEX_ROOT:
	case BUFFER_INDEX_NODE:
		return check_index(fs, buffer);
	case BUFFER_XATTRS:
		return check_xattrs(fs, buffer);
	default:
		return 0;
	}
}
