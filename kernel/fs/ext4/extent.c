/*
 * The tree of extents: which blocks of the volume hold which of a file.
 *
 * The root is in the inode (four entries), other nodes are blocks. An index entry's key is the
 * first key of its child, always. A change that needs room first splits or deepens the tree,
 * one node at a time, and starts again from the root; a node that has become empty is freed,
 * and a root with one small child takes it in.
 */
#include "kernel/fs/ext4/ext4.h"
#include "lib/string.h"

#define MOST_REVOKED 64

struct step {
	struct ext4_buffer *buffer; /* NULL: the root */
	struct ext4_extent_header *header;
	int at; /* the last entry that begins at or before what is looked for; -1: none */
};

struct path {
	struct step steps[EXT4_EXTENT_DEEPEST + 1];
	int depth; /* of the leaf */
};

static struct ext4_extent *extents_of(const struct step *step)
{
	return (struct ext4_extent *)(void *)(step->header + 1);
}

static struct ext4_extent_index *indexes_of(const struct step *step)
{
	return (struct ext4_extent_index *)(void *)(step->header + 1);
}

static struct step *leaf_of(struct path *path)
{
	return &path->steps[path->depth];
}

static uint64_t start_of(const struct ext4_extent *extent)
{
	return (uint64_t)extent->start_hi << 32 | extent->start_lo;
}

static bool is_unwritten(const struct ext4_extent *extent)
{
	return extent->length > EXT4_EXTENT_UNWRITTEN_BIT;
}

static uint32_t length_of(const struct ext4_extent *extent)
{
	return is_unwritten(extent) ? extent->length - EXT4_EXTENT_UNWRITTEN_BIT : extent->length;
}

static void set_extent(struct ext4_extent *extent, uint32_t logical, uint64_t block, uint32_t count,
	bool unwritten)
{
	extent->logical = logical;
	extent->start_hi = (uint16_t)(block >> 32);
	extent->start_lo = (uint32_t)block;
	extent->length = (uint16_t)(count + (unwritten ? EXT4_EXTENT_UNWRITTEN_BIT : 0));
}

static uint64_t child_of(const struct ext4_extent_index *index)
{
	return (uint64_t)index->child_hi << 32 | index->child_lo;
}

static void dirty(struct ext4_inode *inode, const struct step *step)
{
	if (step->buffer)
		buffer_dirty(inode->fs, step->buffer);
	/* The root is written with the inode, by the caller. */
}

static uint16_t node_capacity(const struct ext4 *fs)
{
	return (uint16_t)((fs->block_bytes - sizeof(struct ext4_extent_header)) /
			  sizeof(struct ext4_extent));
}

static uint16_t root_capacity(void)
{
	return (EXT4_MAP_BYTES - sizeof(struct ext4_extent_header)) / sizeof(struct ext4_extent);
}

void extents_init(struct ext4_inode *inode)
{
	memset(inode->map, 0, sizeof(inode->map));
	inode->root.magic = EXT4_EXTENT_MAGIC;
	inode->root.most = root_capacity();
	inode->flags |= EXT4_INODE_EXTENTS;
}

static bool root_entry_is_valid(
	const struct ext4_inode *inode, const struct ext4_extent *extent, uint64_t *next)
{
	uint32_t length = length_of(extent);

	if (extent->logical < *next)
		return false;
	*next = (uint64_t)extent->logical + (inode->root.depth > 0 ? 1 : length);
	if (inode->root.depth > 0)
		return true;
	return length > 0 && *next <= EXT4_LOGICAL_MOST &&
	       block_range_is_valid(inode->fs, start_of(extent), length);
}

bool extents_root_is_valid(const struct ext4_inode *inode)
{
	const struct ext4_extent_header *header = &inode->root;
	const struct ext4_extent *entries = (const struct ext4_extent *)(const void *)(header + 1);
	uint64_t next = 0;

	if (header->magic != EXT4_EXTENT_MAGIC || header->entries > header->most ||
		header->most != root_capacity() || header->depth > EXT4_EXTENT_DEEPEST ||
		(header->depth > 0 && header->entries == 0))
		return false;
	for (uint32_t i = 0; i < header->entries; i++)
		if (!root_entry_is_valid(inode, &entries[i], &next))
			return false;
	return true;
}

/* ---- looking ---------------------------------------------------------------- */

static void release(struct path *path)
{
	for (int level = 0; level <= path->depth; level++)
		buffer_release(path->steps[level].buffer);
}

static int last_not_after(const struct ext4_extent_header *header, uint32_t logical)
{
	const struct ext4_extent *entries = (const struct ext4_extent *)(const void *)(header + 1);
	int low = 0, high = header->entries;

	while (low < high) {
		int middle = (low + high) / 2;

		if (entries[middle].logical <= logical)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

static int walk(struct ext4_inode *inode, uint32_t logical, struct path *path)
{
	struct step *step = path->steps;

	if (!inode_has_extents(inode))
		return -LINUX_EOPNOTSUPP; /* the map of ext2 and ext3 */
	*step = (struct step){.header = &inode->root};
	for (path->depth = 0;; path->depth++, step++) {
		struct ext4_buffer *child;
		int error;

		step->at = last_not_after(step->header, logical);
		if (step->header->depth == 0)
			return 0;
		step->at = MAX(step->at, 0);
		error = buffer_read(inode->fs, child_of(&indexes_of(step)[step->at]),
			BUFFER_EXTENTS, inode->seed, &child);
		if (error) {
			release(path);
			return error;
		}
		step[1] = (struct step){.buffer = child,
			.header = (struct ext4_extent_header *)(void *)child->data};
		if (step[1].header->depth != step->header->depth - 1) {
			path->depth++;
			release(path);
			return EXT4_CORRUPT;
		}
	}
}

/* The key of what follows the path's entry. */
static uint32_t next_key(const struct path *path)
{
	for (int level = path->depth; level >= 0; level--) {
		const struct step *step = &path->steps[level];

		if (step->at + 1 < step->header->entries)
			return extents_of(step)[step->at + 1].logical;
	}
	return EXT4_LOGICAL_MOST;
}

int extent_map(struct ext4_inode *inode, uint32_t logical, struct ext4_map *map)
{
	const struct ext4_extent *extent;
	struct path path;
	int error = walk(inode, logical, &path);

	if (error)
		return error;
	*map = (struct ext4_map){.logical = logical};
	extent = leaf_of(&path)->at >= 0 ? &extents_of(leaf_of(&path))[leaf_of(&path)->at] : NULL;
	if (extent && logical - extent->logical < length_of(extent)) {
		map->block = start_of(extent) + (logical - extent->logical);
		map->count = length_of(extent) - (logical - extent->logical);
		map->state = is_unwritten(extent) ? EXT4_MAP_UNWRITTEN : EXT4_MAP_WRITTEN;
	} else {
		uint32_t next = next_key(&path);

		map->count = next - logical;
		if (next <= logical)
			error = logical == EXT4_LOGICAL_MOST ? -LINUX_EFBIG : EXT4_CORRUPT;
	}
	release(&path);
	return error;
}

static uint64_t first_goal(const struct ext4_inode *inode)
{
	struct ext4 *fs = inode->fs;
	uint32_t group = group_of_inode(fs, inode->number);

	/* Contents lie beside the groups whose inodes and names share a place. */
	if (fs->groups_per_flex >= 4) {
		group = group / fs->groups_per_flex * fs->groups_per_flex;
		if (!inode_is_directory(inode) && group + 1 < fs->group_count)
			group++;
	}
	return group_first_block(fs, group) + group_of(fs, group)->block_hint;
}

uint64_t extent_goal(struct ext4_inode *inode, uint32_t logical)
{
	uint64_t goal = first_goal(inode);
	struct path path;
	const struct step *leaf;

	if (walk(inode, logical, &path))
		return goal;
	leaf = leaf_of(&path);
	if (leaf->at >= 0) {
		const struct ext4_extent *before = &extents_of(leaf)[leaf->at];

		goal = start_of(before) + (logical - before->logical);
	}
	release(&path);
	return goal;
}

/* ---- room ----------------------------------------------------------------------- */

static int new_node(struct ext4_inode *inode, uint16_t depth, struct ext4_buffer **result)
{
	struct ext4 *fs = inode->fs;
	struct ext4_extent_header *header;
	uint64_t block;
	uint32_t got;
	int error = block_allocate(fs,
		group_first_block(fs, group_of_inode(fs, inode->number)) +
			group_of(fs, group_of_inode(fs, inode->number))->block_hint,
		1, &block, &got);

	if (error)
		return error;
	error = buffer_make(fs, block, BUFFER_EXTENTS, inode->seed, true, result);
	if (error)
		return error;
	inode->blocks_512 += fs->block_bytes / 512;
	header = (struct ext4_extent_header *)(void *)(*result)->data;
	header->magic = EXT4_EXTENT_MAGIC;
	header->most = node_capacity(fs);
	header->depth = depth;
	buffer_dirty(fs, *result);
	return 0;
}

static void set_child(struct ext4_extent_index *index, uint32_t logical, uint64_t block)
{
	*index = (struct ext4_extent_index){.logical = logical,
		.child_lo = (uint32_t)block,
		.child_hi = (uint16_t)(block >> 32)};
}

/* The root's entries move to a node below it. */
static int deepen(struct ext4_inode *inode)
{
	struct ext4_extent *entries = (struct ext4_extent *)(void *)(&inode->root + 1);
	struct ext4_extent_header *below;
	struct ext4_buffer *buffer;
	int error;

	if (inode->root.depth == EXT4_EXTENT_DEEPEST)
		return -LINUX_EFBIG;
	error = new_node(inode, inode->root.depth, &buffer);
	if (error)
		return error;
	below = (struct ext4_extent_header *)(void *)buffer->data;
	below->entries = inode->root.entries;
	memcpy(below + 1, entries, inode->root.entries * sizeof(*entries));
	inode->root.entries = 1;
	inode->root.depth++;
	set_child((struct ext4_extent_index *)(void *)entries, entries[0].logical, buffer->block);
	buffer_release(buffer);
	return 0;
}

/* The node at `level` is full, the one above is not. What is appended at the end of the file
 * leaves full nodes behind. */
static int split(struct ext4_inode *inode, struct path *path, int level, bool append)
{
	struct step *full = &path->steps[level], *above = full - 1;
	uint32_t total = full->header->entries, keep = append ? total - 1 : total / 2;
	struct ext4_extent *entries = extents_of(full), *moved;
	struct ext4_extent_index *indexes = indexes_of(above);
	struct ext4_extent_header *header;
	struct ext4_buffer *buffer;
	int error = new_node(inode, full->header->depth, &buffer);

	if (error)
		return error;
	header = (struct ext4_extent_header *)(void *)buffer->data;
	moved = (struct ext4_extent *)(void *)(header + 1);
	memcpy(moved, entries + keep, (total - keep) * sizeof(*entries));
	header->entries = (uint16_t)(total - keep);
	full->header->entries = (uint16_t)keep;
	memmove(indexes + above->at + 2, indexes + above->at + 1,
		(size_t)(above->header->entries - above->at - 1) * sizeof(*indexes));
	set_child(indexes + above->at + 1, moved[0].logical, buffer->block);
	above->header->entries++;
	dirty(inode, full);
	dirty(inode, above);
	buffer_release(buffer);
	return 0;
}

static int make_room(struct ext4_inode *inode, struct path *path)
{
	bool append = next_key(path) == EXT4_LOGICAL_MOST;
	int level = path->depth;

	while (level > 0 &&
		path->steps[level - 1].header->entries == path->steps[level - 1].header->most)
		level--;
	return level == 0 ? deepen(inode) : split(inode, path, level, append);
}

/* The first key of the leaf changed: so do those that repeat it. */
static void fix_keys(struct ext4_inode *inode, struct path *path)
{
	uint32_t key = extents_of(leaf_of(path))[0].logical;

	for (int level = path->depth - 1; level >= 0; level--) {
		struct step *step = &path->steps[level];

		indexes_of(step)[step->at].logical = key;
		dirty(inode, step);
		if (step->at != 0)
			break;
	}
}

/* ---- adding ------------------------------------------------------------------------ */

static bool can_join(const struct ext4_extent *left, const struct ext4_extent *right)
{
	uint32_t total = length_of(left) + length_of(right);

	return is_unwritten(left) == is_unwritten(right) &&
	       left->logical + length_of(left) == right->logical &&
	       start_of(left) + length_of(left) == start_of(right) &&
	       total <= (uint32_t)(EXT4_EXTENT_MOST_BLOCKS - is_unwritten(left));
}

static void remove_entry(struct step *leaf, int at)
{
	struct ext4_extent *entries = extents_of(leaf);

	memmove(entries + at, entries + at + 1,
		(size_t)(leaf->header->entries - at - 1) * sizeof(*entries));
	leaf->header->entries--;
}

/* Joins entries at and at + 1 if they continue each other. */
static bool join(struct step *leaf, int at)
{
	struct ext4_extent *entries = extents_of(leaf);

	if (at < 0 || at + 1 >= leaf->header->entries || !can_join(entries + at, entries + at + 1))
		return false;
	set_extent(entries + at, entries[at].logical, start_of(entries + at),
		length_of(entries + at) + length_of(entries + at + 1), is_unwritten(entries + at));
	remove_entry(leaf, at + 1);
	return true;
}

/* True if a neighbour took it in. */
static bool add_to_neighbour(
	struct ext4_inode *inode, struct path *path, const struct ext4_extent *added)
{
	struct step *leaf = leaf_of(path);
	struct ext4_extent *entries = extents_of(leaf);
	int at = leaf->at;

	if (at >= 0 && can_join(entries + at, added)) {
		set_extent(entries + at, entries[at].logical, start_of(entries + at),
			length_of(entries + at) + length_of(added), is_unwritten(added));
		(void)join(leaf, at);
	} else if (at + 1 < leaf->header->entries && can_join(added, entries + at + 1)) {
		set_extent(entries + at + 1, added->logical, start_of(added),
			length_of(entries + at + 1) + length_of(added), is_unwritten(added));
		if (at + 1 == 0)
			fix_keys(inode, path);
	} else {
		return false;
	}
	dirty(inode, leaf);
	return true;
}

static void put_entry(struct ext4_inode *inode, struct path *path, const struct ext4_extent *added)
{
	struct step *leaf = leaf_of(path);
	struct ext4_extent *entries = extents_of(leaf);
	int at = leaf->at + 1;

	memmove(entries + at + 1, entries + at,
		(size_t)(leaf->header->entries - at) * sizeof(*entries));
	entries[at] = *added;
	leaf->header->entries++;
	dirty(inode, leaf);
	if (at == 0)
		fix_keys(inode, path);
}

int extent_insert(
	struct ext4_inode *inode, uint32_t logical, uint64_t block, uint32_t count, bool unwritten)
{
	struct ext4_extent added;

	set_extent(&added, logical, block, count, unwritten);
	for (;;) {
		struct path path;
		int error = walk(inode, logical, &path);
		bool done = true;

		if (error)
			return error;
		if (!add_to_neighbour(inode, &path, &added)) {
			done = leaf_of(&path)->header->entries < leaf_of(&path)->header->most;
			if (done)
				put_entry(inode, &path, &added);
			else
				error = make_room(inode, &path);
		}
		release(&path);
		if (done || error)
			return error;
	}
}

/* ---- removing --------------------------------------------------------------------- */

static int free_node(struct ext4_inode *inode, uint64_t block)
{
	inode->blocks_512 -= MIN(inode->blocks_512, inode->fs->block_bytes / 512);
	return block_free(inode->fs, block, 1, true);
}

/* A root with a single child that would fit takes it in. */
static int flatten(struct ext4_inode *inode)
{
	while (inode->root.depth > 0 && inode->root.entries == 1) {
		struct ext4_extent_index *only =
			(struct ext4_extent_index *)(void *)(&inode->root + 1);
		uint64_t block = child_of(only);
		const struct ext4_extent_header *header;
		struct ext4_buffer *buffer;
		int error = buffer_read(inode->fs, block, BUFFER_EXTENTS, inode->seed, &buffer);
		bool fits;

		if (error)
			return error;
		header = (const struct ext4_extent_header *)(void *)buffer->data;
		fits = header->entries <= root_capacity() && header->depth < inode->root.depth;
		if (fits) {
			memcpy(only, header + 1, header->entries * sizeof(*only));
			inode->root.entries = header->entries;
			inode->root.depth = header->depth;
		}
		buffer_release(buffer);
		if (!fits)
			return 0;
		error = free_node(inode, block);
		if (error)
			return error;
	}
	return 0;
}

/* The leaf of the path has no entries left: it goes, and those above that become empty. Takes
 * the path's references. */
static int remove_leaf(struct ext4_inode *inode, struct path *path)
{
	uint64_t blocks[EXT4_EXTENT_DEEPEST + 1];
	uint32_t count = 0;
	int level = path->depth, error = 0;

	for (; level > 0 && path->steps[level].header->entries == 0; level--) {
		struct step *above = &path->steps[level - 1];

		blocks[count++] = path->steps[level].buffer->block;
		remove_entry(above, above->at);
		dirty(inode, above);
	}
	if (level == 0 && inode->root.entries == 0)
		inode->root.depth = 0;
	if (path->steps[level].header->entries > 0 && path->steps[level].at == 0 && level > 0) {
		path->depth = MAX(path->depth, level);
		for (int up = level - 1; up >= 0; up--) {
			struct step *step = &path->steps[up];

			indexes_of(step)[step->at].logical =
				extents_of(&path->steps[level])[0].logical;
			dirty(inode, step);
			if (step->at != 0)
				break;
		}
	}
	release(path);
	for (uint32_t i = 0; i < count && !error; i++)
		error = free_node(inode, blocks[i]);
	return error ? error : flatten(inode);
}

struct piece {
	uint32_t from, to; /* of the file, both included */
	uint64_t block;
};

/* Takes `piece` out of the path's extent. Takes the path's references. */
static int cut(struct ext4_inode *inode, struct path *path, const struct piece *piece)
{
	struct step *leaf = leaf_of(path);
	struct ext4_extent *extent = &extents_of(leaf)[leaf->at], old = *extent;
	uint32_t end = old.logical + length_of(&old) - 1;
	uint32_t right = end - piece->to;

	if (piece->from == old.logical && right == 0) {
		remove_entry(leaf, leaf->at);
		dirty(inode, leaf);
		if (leaf->header->entries == 0)
			return remove_leaf(inode, path);
		if (leaf->at == 0)
			fix_keys(inode, path);
		release(path);
		return path->depth == 1 ? flatten(inode) : 0;
	}
	if (piece->from == old.logical) {
		set_extent(extent, piece->to + 1, start_of(&old) + (piece->to + 1 - old.logical),
			right, is_unwritten(&old));
		if (leaf->at == 0)
			fix_keys(inode, path);
		right = 0;
	} else {
		set_extent(extent, old.logical, start_of(&old), piece->from - old.logical,
			is_unwritten(&old));
	}
	dirty(inode, leaf);
	release(path);
	if (right == 0)
		return 0;
	return extent_insert(inode, piece->to + 1, start_of(&old) + (piece->to + 1 - old.logical),
		right, is_unwritten(&old));
}

int extent_remove_last(struct ext4_inode *inode, uint32_t from, uint32_t to, bool *again)
{
	const struct ext4_extent *extent;
	struct piece piece;
	struct path path;
	bool is_metadata;
	int error = walk(inode, to, &path);

	*again = false;
	if (error)
		return error;
	extent = leaf_of(&path)->at >= 0 ? &extents_of(leaf_of(&path))[leaf_of(&path)->at] : NULL;
	if (!extent || extent->logical + length_of(extent) - 1 < from) {
		release(&path);
		return 0;
	}
	piece.from = MAX(from, extent->logical);
	piece.to = MIN(to, extent->logical + length_of(extent) - 1);
	/* Blocks that go through the journal are revoked one by one. */
	is_metadata = (inode->mode & LINUX_S_IFMT) != LINUX_S_IFREG;
	if (is_metadata && piece.to - piece.from >= MOST_REVOKED)
		piece.from = piece.to - MOST_REVOKED + 1;
	piece.block = start_of(extent) + (piece.from - extent->logical);
	error = cut(inode, &path, &piece);
	if (error)
		return error;
	*again = piece.from > from;
	inode->blocks_512 -= MIN(inode->blocks_512,
		(uint64_t)(piece.to - piece.from + 1) * (inode->fs->block_bytes / 512));
	return block_free(inode->fs, piece.block, piece.to - piece.from + 1, is_metadata);
}

/* ---- written or not ------------------------------------------------------------------ */

int extent_mark(struct ext4_inode *inode, uint32_t logical, uint32_t count, bool unwritten)
{
	struct ext4_extent *extent, old;
	uint32_t left, right;
	uint64_t block;
	struct step *leaf;
	struct path path;
	int error = walk(inode, logical, &path);

	if (error)
		return error;
	leaf = leaf_of(&path);
	extent = leaf->at >= 0 ? &extents_of(leaf)[leaf->at] : NULL;
	if (!extent || logical - extent->logical >= length_of(extent) ||
		count > length_of(extent) - (logical - extent->logical)) {
		release(&path);
		return EXT4_CORRUPT;
	}
	old = *extent;
	left = logical - old.logical;
	right = length_of(&old) - left - count;
	block = start_of(&old) + left;
	dirty(inode, leaf);
	if (left > 0) {
		set_extent(extent, old.logical, start_of(&old), left, is_unwritten(&old));
	} else if (right > 0) {
		set_extent(extent, logical + count, block + count, right, is_unwritten(&old));
		if (leaf->at == 0)
			fix_keys(inode, &path);
	} else {
		set_extent(extent, logical, block, count, unwritten);
		(void)join(leaf, leaf->at);
		(void)join(leaf, leaf->at - 1);
	}
	release(&path);
	if (left == 0 && right == 0)
		return 0;
	error = extent_insert(inode, logical, block, count, unwritten);
	if (!error && left > 0 && right > 0)
		error = extent_insert(
			inode, logical + count, block + count, right, is_unwritten(&old));
	return error;
}
