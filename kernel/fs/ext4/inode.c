/*
 * Inodes: from and to the tables on the medium, allocation, and the list of orphans.
 *
 * An inode without a name, or in the middle of being truncated, is on the orphan list: the
 * super block has the first, each has the next in place of its time of deletion. After a crash
 * the list tells what to finish. In memory the same list is kept by pointers, since all of it
 * is in use there.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/mm/heap.h"
#include "kernel/random.h"
#include "kernel/sched/clock.h"
#include "lib/string.h"

#define SECOND_NS      1000000000ll
#define INODE_PREFETCH 16

int64_t ext4_now_ns(void)
{
	return (int64_t)clock_realtime_ns();
}

void inode_touch(struct ext4_inode *inode)
{
	inode->mtime_ns = inode->ctime_ns = ext4_now_ns();
}

/* ---- times: 34 bits of seconds, 30 of nanoseconds --------------------------- */

static int64_t time_of(uint32_t seconds, uint32_t extra)
{
	int64_t wide = (int64_t)(int32_t)seconds + ((int64_t)(extra & 3) << 32);
	int64_t ns;

	if (__builtin_mul_overflow(wide, SECOND_NS, &ns) ||
		__builtin_add_overflow(ns, (int64_t)(extra >> 2) % SECOND_NS, &ns))
		return INT64_MAX;
	return ns;
}

static void set_time(int64_t ns, bool has_extra, uint32_t *seconds, uint32_t *extra)
{
	int64_t whole = ns / SECOND_NS, rest = ns % SECOND_NS;

	if (rest < 0) {
		rest += SECOND_NS;
		whole--;
	}
	*seconds = (uint32_t)whole;
	if (has_extra)
		*extra = ((uint32_t)((whole - (int32_t)whole) >> 32) & 3) | (uint32_t)rest << 2;
}

/* Does the inode on the medium have the field that ends there? */
static bool has_field(const struct ext4 *fs, const struct ext4_raw_inode *raw, size_t end)
{
	return fs->inode_bytes > EXT4_OLD_INODE_BYTES &&
	       (size_t)EXT4_OLD_INODE_BYTES + raw->extra_bytes >= end;
}
#define HAS(fs, raw, field)                                                                        \
	has_field(fs, raw, offsetof(struct ext4_raw_inode, field) + sizeof((raw)->field))

/* ---- reading ------------------------------------------------------------------- */

static uint64_t block_of(struct ext4 *fs, uint32_t number, uint32_t *offset)
{
	uint64_t at = (uint64_t)((number - 1) % fs->inodes_per_group) * fs->inode_bytes;

	*offset = (uint32_t)at & (fs->block_bytes - 1);
	return group_inode_table(fs, group_of_inode(fs, number)) + (at >> fs->block_shift);
}

static int read_block(struct ext4 *fs, uint32_t number, struct ext4_buffer **buffer, uint8_t **raw)
{
	uint32_t group, offset;
	uint64_t block, table;
	int error;

	if (number == 0 || number > fs->inode_count)
		return EXT4_CORRUPT;
	group = group_of_inode(fs, number);
	table = group_inode_table(fs, group);
	block = block_of(fs, number, &offset);
	if (!buffer_is_cached(fs, block)) {
		uint64_t blocks =
			((uint64_t)fs->inodes_per_group * fs->inode_bytes) >> fs->block_shift;
		uint64_t first = (block - table) / INODE_PREFETCH * INODE_PREFETCH;

		if (first < blocks)
			buffers_prefetch(fs, table + first,
				(uint32_t)MIN(INODE_PREFETCH, blocks - first), BUFFER_INODES,
				group);
	}
	error = buffer_read(fs, block, BUFFER_INODES, group, buffer);
	if (!error)
		*raw = (*buffer)->data + offset;
	return error;
}

static void decode_times(struct ext4_inode *inode, const struct ext4_raw_inode *raw)
{
	struct ext4 *fs = inode->fs;

	inode->ctime_ns = time_of(raw->ctime, HAS(fs, raw, ctime_extra) ? raw->ctime_extra : 0);
	inode->mtime_ns = time_of(raw->mtime, HAS(fs, raw, mtime_extra) ? raw->mtime_extra : 0);
	inode->atime_ns = time_of(raw->atime, HAS(fs, raw, atime_extra) ? raw->atime_extra : 0);
	inode->birth_ns = HAS(fs, raw, birth_time_extra)
				  ? time_of(raw->birth_time, raw->birth_time_extra)
				  : inode->ctime_ns;
}

static int decode(struct ext4_inode *inode, const struct ext4_raw_inode *raw)
{
	struct ext4 *fs = inode->fs;

	inode->mode = raw->mode;
	inode->uid = raw->uid_lo | (uint32_t)raw->uid_hi << 16;
	inode->gid = raw->gid_lo | (uint32_t)raw->gid_hi << 16;
	inode->links = raw->links;
	inode->flags = raw->flags;
	inode->generation = raw->generation;
	inode->size = raw->size_lo | (uint64_t)raw->size_hi << 32;
	inode->blocks_512 = raw->blocks_lo | (uint64_t)raw->blocks_hi << 32;
	if (raw->flags & EXT4_INODE_HUGE_FILE)
		inode->blocks_512 <<= fs->block_shift - 9;
	inode->xattr_block = raw->xattr_lo | (uint64_t)raw->xattr_hi << 32;
	inode->orphan_next = raw->dtime;
	memcpy(inode->map, raw->map, sizeof(inode->map));
	decode_times(inode, raw);
	inode->seed = inode_seed(fs, inode->number, inode->generation);
	if (inode->flags & (EXT4_INODE_ENCRYPTED | EXT4_INODE_INLINE_DATA | EXT4_INODE_CASEFOLD |
				   EXT4_INODE_VERITY | EXT4_INODE_EA_INODE))
		return EXT4_CORRUPT; /* the volume's features say that there are none */
	if (inode_has_extents(inode) && !extents_root_is_valid(inode))
		return EXT4_CORRUPT;
	if (inode->size > (uint64_t)EXT4_LOGICAL_MOST << fs->block_shift ||
		(inode_is_directory(inode) &&
			(inode->size & (fs->block_bytes - 1) || inode->size > INT32_MAX)))
		return EXT4_CORRUPT;
	if (inode->xattr_block != 0 && !block_range_is_valid(fs, inode->xattr_block, 1))
		return EXT4_CORRUPT;
	return 0;
}

/* What lies between the fixed fields and the end of the inode. */
static int load_xattrs(struct ext4_inode *inode, const uint8_t *raw)
{
	struct ext4 *fs = inode->fs;
	uint32_t start;

	inode->extra_bytes = ((const struct ext4_raw_inode *)raw)->extra_bytes;
	if (fs->inode_bytes <= EXT4_OLD_INODE_BYTES) {
		inode->extra_bytes = 0;
		return 0;
	}
	start = EXT4_OLD_INODE_BYTES + inode->extra_bytes;
	if (inode->extra_bytes % 4 != 0 || start > fs->inode_bytes)
		return EXT4_CORRUPT;
	inode->xattr_space = (uint16_t)(fs->inode_bytes - start);
	if (inode->xattr_space < 4 ||
		*(const uint32_t *)(const void *)(raw + start) != EXT4_XATTR_MAGIC)
		return 0;
	inode->xattrs = heap_alloc(inode->xattr_space);
	if (!inode->xattrs)
		return -LINUX_ENOMEM;
	memcpy(inode->xattrs, raw + start, inode->xattr_space);
	return 0;
}

int inode_load(struct ext4 *fs, uint32_t number, struct ext4_inode *inode)
{
	struct ext4_buffer *buffer;
	uint8_t *raw;
	int error = read_block(fs, number, &buffer, &raw);

	if (error)
		return error;
	memset(inode, 0, sizeof(*inode));
	inode->fs = fs;
	inode->number = number;
	if (!fs->recovering && !raw_inode_sum_is_right(fs, number, raw))
		error = EXT4_CORRUPT;
	if (!error)
		error = decode(inode, (const struct ext4_raw_inode *)raw);
	if (!error)
		error = load_xattrs(inode, raw);
	/* It may have been changed, and forgotten, in a transaction that is not durable. */
	if (buffer->joined || buffer->committing)
		inode->changed_in = inode->data_changed_in =
			fs->running->sequence - !buffer->joined;
	buffer_release(buffer);
	if (error == EXT4_CORRUPT)
		ext4_complain(fs, "inode %u is damaged", number);
	if (error)
		inode_unload(inode);
	return error;
}

void inode_unload(struct ext4_inode *inode)
{
	heap_free(inode->xattrs);
	inode->xattrs = NULL;
}

/* ---- writing ---------------------------------------------------------------------- */

static void encode_times(const struct ext4_inode *inode, struct ext4_raw_inode *raw)
{
	struct ext4 *fs = inode->fs;

	set_time(inode->ctime_ns, HAS(fs, raw, ctime_extra), &raw->ctime, &raw->ctime_extra);
	set_time(inode->mtime_ns, HAS(fs, raw, mtime_extra), &raw->mtime, &raw->mtime_extra);
	set_time(inode->atime_ns, HAS(fs, raw, atime_extra), &raw->atime, &raw->atime_extra);
	if (HAS(fs, raw, birth_time_extra))
		set_time(inode->birth_ns, true, &raw->birth_time, &raw->birth_time_extra);
}

static void encode_blocks(struct ext4_inode *inode, struct ext4_raw_inode *raw)
{
	uint64_t blocks = inode->blocks_512;

	inode->flags &= ~(uint32_t)EXT4_INODE_HUGE_FILE;
	if (blocks >> 48 != 0) {
		inode->flags |= EXT4_INODE_HUGE_FILE;
		blocks >>= inode->fs->block_shift - 9;
	}
	raw->blocks_lo = (uint32_t)blocks;
	raw->blocks_hi = (uint16_t)(blocks >> 32);
}

static void encode(struct ext4_inode *inode, struct ext4_raw_inode *raw)
{
	encode_blocks(inode, raw);
	raw->mode = inode->mode;
	raw->uid_lo = (uint16_t)inode->uid;
	raw->uid_hi = (uint16_t)(inode->uid >> 16);
	raw->gid_lo = (uint16_t)inode->gid;
	raw->gid_hi = (uint16_t)(inode->gid >> 16);
	raw->links = (uint16_t)(inode->links < EXT4_LINKS_MOST || !inode_is_directory(inode)
					? inode->links
					: 1);
	raw->flags = inode->flags;
	raw->generation = inode->generation;
	raw->size_lo = (uint32_t)inode->size;
	raw->size_hi = (uint32_t)(inode->size >> 32);
	raw->xattr_lo = (uint32_t)inode->xattr_block;
	raw->xattr_hi = (uint16_t)(inode->xattr_block >> 32);
	raw->dtime = inode->orphan_next;
	memcpy(raw->map, inode->map, sizeof(raw->map));
	encode_times(inode, raw);
}

int inode_store(struct ext4_inode *inode, bool times_only)
{
	struct ext4 *fs = inode->fs;
	struct ext4_buffer *buffer;
	uint8_t *raw;
	int error = read_block(fs, inode->number, &buffer, &raw);

	if (error)
		return error;
	encode(inode, (struct ext4_raw_inode *)raw);
	if (fs->inode_bytes > EXT4_OLD_INODE_BYTES) {
		uint8_t *space = raw + EXT4_OLD_INODE_BYTES + inode->extra_bytes;

		((struct ext4_raw_inode *)raw)->extra_bytes = inode->extra_bytes;
		if (inode->xattrs)
			memcpy(space, inode->xattrs, inode->xattr_space);
		else if (inode->xattr_space >= 4)
			memset(space, 0, 4);
	}
	raw_inode_seal(fs, inode->number, raw);
	buffer_dirty(fs, buffer);
	buffer_release(buffer);
	inode->changed_in = fs->running->sequence;
	if (!times_only)
		inode->data_changed_in = fs->running->sequence;
	return 0;
}

/* ---- a new one ----------------------------------------------------------------------- */

/* Its place on the medium: zeroes. What else is in the block is not read if it is of no use. */
static int clear_place(struct ext4_inode *inode)
{
	struct ext4 *fs = inode->fs;
	uint32_t offset, group = group_of_inode(fs, inode->number);
	uint64_t block = block_of(fs, inode->number, &offset);
	struct ext4_buffer *buffer;
	uint8_t *raw;
	int error;

	if (!buffer_is_cached(fs, block) && inode_block_is_unused(fs, inode->number)) {
		error = buffer_make(fs, block, BUFFER_INODES, group, false, &buffer);
		raw = error ? NULL : buffer->data + offset;
	} else {
		error = read_block(fs, inode->number, &buffer, &raw);
	}
	if (error)
		return error;
	memset(raw, 0, fs->inode_bytes);
	((struct ext4_raw_inode *)raw)->extra_bytes = inode->extra_bytes;
	buffer_dirty(fs, buffer);
	buffer_release(buffer);
	return 0;
}

int inode_allocate(struct ext4_inode *parent, uint16_t mode, struct ext4_inode *inode)
{
	struct ext4 *fs = parent->fs;
	uint32_t group, number = 0;
	bool directory = (mode & LINUX_S_IFMT) == LINUX_S_IFDIR;
	int error;

	do {
		error = group_choose(fs, parent->number, directory, &group);
		if (!error)
			error = inode_number_allocate(fs, group, directory, &number);
	} while (error == EXT4_CORRUPT); /* that group is not chosen again */
	if (error)
		return error;
	memset(inode, 0, sizeof(*inode));
	inode->fs = fs;
	inode->number = number;
	inode->mode = mode;
	inode->generation = (uint32_t)random_u64();
	inode->seed = inode_seed(fs, number, inode->generation);
	inode->atime_ns = inode->mtime_ns = inode->ctime_ns = inode->birth_ns = ext4_now_ns();
	if (fs->inode_bytes > EXT4_OLD_INODE_BYTES) {
		uint32_t most = fs->inode_bytes - EXT4_OLD_INODE_BYTES;

		inode->extra_bytes = (uint16_t)MIN(most, 32);
		inode->xattr_space = (uint16_t)(most - inode->extra_bytes);
	}
	if (directory || (mode & LINUX_S_IFMT) == LINUX_S_IFREG)
		extents_init(inode);
	return clear_place(inode);
}

int inode_free(struct ext4_inode *inode)
{
	inode->orphan_next = (uint32_t)(ext4_now_ns() / SECOND_NS); /* the time of deletion */
	inode->size = 0;
	inode->links = 0;
	if (inode_store(inode, false))
		return EXT4_CORRUPT;
	return inode_number_free(inode->fs, inode->number, inode_is_directory(inode));
}

/* ---- orphans --------------------------------------------------------------------------- */

int orphan_add(struct ext4_inode *inode)
{
	struct ext4 *fs = inode->fs;

	if (inode->is_orphan)
		return 0;
	inode->orphan_next = fs->super->last_orphan;
	fs->super->last_orphan = inode->number;
	inode->is_orphan = true;
	inode->orphan_link = fs->orphans;
	fs->orphans = inode;
	buffer_dirty(fs, fs->super_buffer);
	return inode_store(inode, false);
}

int orphan_remove(struct ext4_inode *inode)
{
	struct ext4 *fs = inode->fs;
	struct ext4_inode *before = fs->orphans;
	int error = 0;

	if (!inode->is_orphan)
		return 0;
	if (before == inode) {
		fs->orphans = inode->orphan_link;
		fs->super->last_orphan = inode->orphan_next;
		buffer_dirty(fs, fs->super_buffer);
	} else {
		while (before && before->orphan_link != inode)
			before = before->orphan_link;
		if (!before)
			return EXT4_CORRUPT;
		before->orphan_link = inode->orphan_link;
		before->orphan_next = inode->orphan_next;
		error = inode_store(before, true);
	}
	inode->is_orphan = false;
	inode->orphan_next = 0;
	return error ? error : inode_store(inode, false);
}

void orphan_forget(struct ext4_inode *inode)
{
	struct ext4_inode **link = &inode->fs->orphans;

	mutex_lock(&inode->fs->lock);
	while (*link && *link != inode)
		link = &(*link)->orphan_link;
	if (*link)
		*link = inode->orphan_link;
	mutex_unlock(&inode->fs->lock);
}

int inode_delete(struct ext4_inode *inode)
{
	struct ext4 *fs = inode->fs;
	bool again = inode_has_extents(inode);
	int error = ext4_begin(fs);

	if (error)
		return error;
	while (again && !error) {
		error = extent_remove_last(inode, 0, EXT4_LOGICAL_MOST, &again);
		if (!error && again && transaction_is_large(fs)) {
			error = inode_store(inode, false);
			if (!error) {
				error = ext4_pause(fs);
				if (error)
					return error;
			}
		}
	}
	if (!error)
		error = xattrs_release(inode);
	if (!error)
		error = orphan_remove(inode);
	if (!error)
		error = inode_free(inode);
	return ext4_end(fs, error);
}

static int clean_one(struct ext4 *fs, struct ext4_inode *inode)
{
	int error = 0;

	inode->is_orphan = true;
	inode->orphan_link = NULL;
	fs->orphans = inode;
	mutex_unlock(&fs->lock);
	if (inode->links == 0)
		error = inode_delete(inode);
	else
		error = space_truncate(inode, inode->size);
	mutex_lock(&fs->lock);
	fs->orphans = NULL;
	inode_unload(inode);
	return error;
}

int orphans_clean(struct ext4 *fs)
{
	uint32_t left = fs->inode_count;
	int error = 0;

	while (fs->super->last_orphan != 0 && left-- > 0 && !error) {
		uint32_t number = fs->super->last_orphan;
		struct ext4_inode inode;

		error = number < 11 ? EXT4_CORRUPT : inode_load(fs, number, &inode);
		if (!error)
			error = clean_one(fs, &inode);
		if (!error && fs->super->last_orphan == number)
			error = EXT4_CORRUPT;
	}
	return error;
}
