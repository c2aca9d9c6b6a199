/*
 * The contents of files, as blocks: where they are, and making and unmaking room for them.
 *
 * Ordered mode: blocks that a transaction maps to a file may hold somebody's old data until
 * write-back has written them, so the transaction counts the transfers that its commit must
 * wait for (data_pending).
 */
#include "kernel/fs/ext4/volume.h"

static uint32_t block_of(const struct ext4 *fs, uint64_t byte)
{
	return (uint32_t)(byte >> fs->block_shift);
}

int ext4_map_blocks(struct ext4_inode *inode, uint32_t logical, struct ext4_map *map)
{
	int error;

	mutex_lock(&inode->fs->lock);
	error = extent_map(inode, logical, map);
	mutex_unlock(&inode->fs->lock);
	return error;
}

/* ---- writing --------------------------------------------------------------------- */

static int fill_hole(struct ext4_inode *inode, uint32_t logical, uint32_t count, bool unwritten,
	struct ext4_map *map)
{
	struct ext4 *fs = inode->fs;
	uint64_t block;
	uint32_t got;
	int error = block_allocate(fs, extent_goal(inode, logical), count, &block, &got);

	if (error)
		return error;
	error = extent_insert(inode, logical, block, got, unwritten);
	if (error) {
		int undone = block_free(fs, block, got, false);

		return undone ? undone : error;
	}
	inode->blocks_512 += (uint64_t)got * (fs->block_bytes / 512);
	*map = (struct ext4_map){
		logical, got, block, unwritten ? EXT4_MAP_UNWRITTEN : EXT4_MAP_WRITTEN};
	return 0;
}

static int map_for_write(struct ext4_inode *inode, uint32_t logical, uint32_t count,
	struct ext4_map *map, bool *changed)
{
	int error = extent_map(inode, logical, map);

	if (error)
		return error;
	map->count = MIN(map->count, count);
	if (map->state == EXT4_MAP_WRITTEN)
		return 0;
	*changed = true;
	if (map->state == EXT4_MAP_UNWRITTEN) {
		map->state = EXT4_MAP_WRITTEN;
		return extent_mark(inode, logical, map->count, false);
	}
	return fill_hole(inode, logical, map->count, false, map);
}

int ext4_map_for_write(struct ext4_inode *inode, uint32_t logical, uint32_t count, uint64_t size,
	struct ext4_map *map, struct ext4_transaction **transaction)
{
	struct ext4 *fs = inode->fs;
	bool changed = false;
	int error;

	*transaction = NULL;
	/* Overwriting needs no transaction. */
	mutex_lock(&fs->lock);
	error = fs->aborted || fs->read_only ? -LINUX_EROFS : extent_map(inode, logical, map);
	if (!error && map->state == EXT4_MAP_WRITTEN && size <= inode->size) {
		map->count = MIN(map->count, count);
		mutex_unlock(&fs->lock);
		return 0;
	}
	mutex_unlock(&fs->lock);
	if (!error)
		error = ext4_begin(fs);
	if (error)
		return error;
	error = map_for_write(inode, logical, count, map, &changed);
	if (!error && size > inode->size) {
		uint64_t end = ((uint64_t)logical + map->count) << fs->block_shift;

		inode->size = MAX(inode->size, MIN(size, end));
		changed = true;
	}
	if (changed) {
		int stored = inode_store(inode, false);

		error = error ? error : stored;
	}
	if (!error && changed) {
		*transaction = fs->running;
		__atomic_add_fetch(&fs->running->data_pending, 1, __ATOMIC_ACQ_REL);
	}
	return ext4_end(fs, error);
}

void ext4_data_done(struct ext4 *fs, struct ext4_transaction *transaction, int error)
{
	if (!transaction)
		return;
	if (error)
		WRITE_ONCE(transaction->data_failed, true);
	if (__atomic_sub_fetch(&transaction->data_pending, 1, __ATOMIC_ACQ_REL) == 0)
		wait_wake_all(&fs->data_done);
}

/* ---- making holes ----------------------------------------------------------------------- */

int space_release(struct ext4_inode *inode, uint32_t from, uint32_t to)
{
	struct ext4 *fs = inode->fs;
	bool again = true;
	int error = ext4_begin(fs);

	if (error)
		return error;
	while (again && !error) {
		error = extent_remove_last(inode, from, to, &again);
		if (!error && again && transaction_is_large(fs)) {
			error = inode_store(inode, false);
			if (error)
				break;
			error = ext4_pause(fs);
			if (error)
				return error;
		}
	}
	if (!error)
		error = inode_store(inode, false);
	return ext4_end(fs, error);
}

static int set_size_and_orphan(struct ext4_inode *inode, uint64_t bytes)
{
	int error = ext4_begin(inode->fs);

	if (error)
		return error;
	inode->size = bytes;
	inode_touch(inode);
	error = orphan_add(inode);
	if (!error)
		error = inode_store(inode, false);
	return ext4_end(inode->fs, error);
}

static bool is_small(struct ext4_inode *inode)
{
	return inode->root.depth == 0;
}

/* A file with few extents is cut in one operation. */
static int truncate_small(struct ext4_inode *inode, uint64_t bytes, uint32_t from)
{
	struct ext4 *fs = inode->fs;
	bool again = from < EXT4_LOGICAL_MOST;
	int error = ext4_begin(fs);

	if (error)
		return error;
	inode->size = bytes;
	inode_touch(inode);
	while (again && !error)
		error = extent_remove_last(inode, from, EXT4_LOGICAL_MOST, &again);
	if (!error)
		error = orphan_remove(inode); /* when a crash cut an earlier one short */
	if (!error)
		error = inode_store(inode, false);
	return ext4_end(fs, error);
}

int space_truncate(struct ext4_inode *inode, uint64_t bytes)
{
	struct ext4 *fs = inode->fs;
	uint32_t from = block_of(fs, bytes + fs->block_bytes - 1);
	int error;

	if (!inode_has_extents(inode))
		return -LINUX_EOPNOTSUPP;
	if (is_small(inode))
		return truncate_small(inode, bytes, from);
	/* Unless it has no name any more, and is an orphan for that. */
	error = set_size_and_orphan(inode, bytes);
	if (!error)
		error = space_release(inode, from, EXT4_LOGICAL_MOST);
	if (error || inode->links == 0)
		return error;
	error = ext4_begin(fs);
	if (error)
		return error;
	return ext4_end(fs, orphan_remove(inode));
}

int ext4_set_size(struct ext4_inode *inode, uint64_t bytes)
{
	struct ext4 *fs = inode->fs;
	int error;

	if (bytes > (uint64_t)EXT4_LOGICAL_MOST << fs->block_shift)
		return -LINUX_EFBIG;
	if (bytes <= inode->size)
		return space_truncate(inode, bytes);
	error = ext4_begin(fs);
	if (error)
		return error;
	inode->size = bytes;
	inode_touch(inode);
	return ext4_end(fs, inode_store(inode, false));
}

int ext4_punch(struct ext4_inode *inode, uint64_t offset, uint64_t bytes)
{
	struct ext4 *fs = inode->fs;
	uint64_t most = (uint64_t)EXT4_LOGICAL_MOST << fs->block_shift, end;
	uint32_t first, after;

	if (__builtin_add_overflow(offset, bytes, &end) || end > most)
		end = most;
	if (offset >= end)
		return 0;
	first = block_of(fs, offset + fs->block_bytes - 1);
	/* The last block of the file may go, too, if nothing of it is left. */
	after = block_of(fs, end);
	return first < after ? space_release(inode, first, after - 1) : 0;
}

/* ---- fallocate ------------------------------------------------------------------------------ */

static int allocate_some(struct ext4_inode *inode, uint32_t *logical, uint32_t end, uint64_t size)
{
	struct ext4 *fs = inode->fs;
	struct ext4_map map;
	int error = extent_map(inode, *logical, &map);

	if (error)
		return error;
	map.count = MIN(map.count, end - *logical);
	if (map.state == EXT4_MAP_HOLE) {
		/* What is set aside for dirty pages stays. */
		uint64_t room = blocks_available(fs);

		if (room == 0)
			return -LINUX_ENOSPC;
		error = fill_hole(inode, *logical,
			(uint32_t)MIN(MIN(map.count, EXT4_EXTENT_MOST_BLOCKS - 1), room), true,
			&map);
	}
	if (error)
		return error;
	*logical += map.count;
	if (size > inode->size)
		inode->size = MIN(size, MAX(inode->size, (uint64_t)*logical << fs->block_shift));
	return 0;
}

int ext4_allocate(struct ext4_inode *inode, uint64_t offset, uint64_t bytes, bool keep_size)
{
	struct ext4 *fs = inode->fs;
	uint64_t end;
	uint32_t logical = block_of(fs, offset), after;
	int error;

	if (__builtin_add_overflow(offset, bytes, &end) || end > (uint64_t)EXT4_LOGICAL_MOST
									   << fs->block_shift)
		return -LINUX_EFBIG;
	after = block_of(fs, end + fs->block_bytes - 1);
	error = ext4_begin(fs);
	if (error)
		return error;
	while (logical < after && !error) {
		error = allocate_some(inode, &logical, after, keep_size ? 0 : end);
		if (!error && logical < after && transaction_is_large(fs)) {
			error = inode_store(inode, false);
			if (error)
				break;
			error = ext4_pause(fs);
			if (error)
				return error;
		}
	}
	if (!error || error == -LINUX_ENOSPC) {
		int stored;

		inode->ctime_ns = ext4_now_ns();
		stored = inode_store(inode, false);
		error = error ? error : stored;
	}
	return ext4_end(fs, error);
}

/* ---- holes ------------------------------------------------------------------------------------
 */

int64_t ext4_seek(struct ext4_inode *inode, uint64_t size, uint64_t offset, bool data)
{
	struct ext4 *fs = inode->fs;

	if (offset >= size)
		return -LINUX_ENXIO;
	while (offset < size) {
		struct ext4_map map;
		int error = ext4_map_blocks(inode, block_of(fs, offset), &map);

		if (error)
			return error;
		if ((map.state == EXT4_MAP_WRITTEN) == data)
			return (int64_t)offset;
		offset = ((uint64_t)map.logical + map.count) << fs->block_shift;
	}
	return data ? -LINUX_ENXIO : (int64_t)size;
}
