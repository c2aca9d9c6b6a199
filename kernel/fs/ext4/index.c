/*
 * Hash trees of directories: an index of one or two levels over leaves of ordinary entries.
 *
 * The first entry of an index node covers all hashes below the second's. An entry whose hash
 * is odd goes on with the hash (less 1) that the leaf before ended with.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define LEVELS_MOST 2

struct node {
	struct ext4_buffer *buffer;
	struct ext4_index_entry *entries; /* the first is a struct ext4_index_count */
	uint32_t at;
};

struct path {
	struct node nodes[LEVELS_MOST];
	uint32_t levels; /* of index nodes: 1 or 2 */
	uint8_t hash_version;
};

uint32_t index_root_limit(const struct ext4 *fs)
{
	return (fs->block_bytes - EXT4_INDEX_ROOT_OFFSET -
		       (fs->has_checksums ? (uint32_t)sizeof(struct ext4_index_tail) : 0)) /
	       (uint32_t)sizeof(struct ext4_index_entry);
}

uint32_t index_node_limit(const struct ext4 *fs)
{
	return (fs->block_bytes - EXT4_INDEX_NODE_OFFSET -
		       (fs->has_checksums ? (uint32_t)sizeof(struct ext4_index_tail) : 0)) /
	       (uint32_t)sizeof(struct ext4_index_entry);
}

static struct ext4_index_count *count_of(const struct node *node)
{
	return (struct ext4_index_count *)(void *)node->entries;
}

static struct ext4_index_info *info_of(const struct ext4_buffer *root)
{
	return (struct ext4_index_info *)(void *)(root->data + EXT4_INDEX_INFO_OFFSET);
}

static struct node *bottom_of(struct path *path)
{
	return &path->nodes[path->levels - 1];
}

static void release(struct path *path)
{
	for (uint32_t level = 0; level < path->levels; level++)
		buffer_release(path->nodes[level].buffer);
}

static int open_node(struct ext4_inode *directory, uint32_t logical, struct node *node)
{
	bool root = logical == 0;
	int error = directory_block(
		directory, logical, root ? BUFFER_INDEX_ROOT : BUFFER_INDEX_NODE, &node->buffer);

	if (error)
		return error;
	node->entries = (void *)(node->buffer->data +
				 (root ? EXT4_INDEX_ROOT_OFFSET : EXT4_INDEX_NODE_OFFSET));
	node->at = 0;
	return 0;
}

static void seek_in(struct node *node, uint32_t hash)
{
	uint32_t low = 1, high = count_of(node)->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (node->entries[middle].hash <= hash)
			low = middle + 1;
		else
			high = middle;
	}
	node->at = low - 1;
}

static uint8_t version_of(const struct ext4 *fs, const struct ext4_buffer *root)
{
	return (uint8_t)(info_of(root)->hash_version + (fs->hash_is_unsigned ? 3 : 0));
}

static int open_root(struct ext4_inode *directory, struct path *path)
{
	int error = open_node(directory, 0, &path->nodes[0]);

	if (error)
		return error;
	path->levels = 1;
	path->hash_version = version_of(directory->fs, path->nodes[0].buffer);
	return 0;
}

/* Goes down to the index node that knows the leaf of `hash`. */
static int walk(struct ext4_inode *directory, uint32_t hash, struct path *path)
{
	int error;

	seek_in(&path->nodes[0], hash);
	if (info_of(path->nodes[0].buffer)->levels == 0)
		return 0;
	error = open_node(
		directory, path->nodes[0].entries[path->nodes[0].at].block, &path->nodes[1]);
	if (error || path->nodes[1].buffer == path->nodes[0].buffer) {
		release(path);
		return error ? error : EXT4_CORRUPT;
	}
	path->levels = 2;
	seek_in(&path->nodes[1], hash);
	return 0;
}

uint8_t index_hash_version(struct ext4_inode *directory, int *error)
{
	struct path path;

	*error = open_root(directory, &path);
	if (*error)
		return 0;
	release(&path);
	return path.hash_version;
}

static uint32_t leaf_of(struct path *path)
{
	return bottom_of(path)->entries[bottom_of(path)->at].block;
}

/* The hash that the leaf after the path's begins with; 0 if there is none. */
static uint32_t next_hash(struct path *path)
{
	for (uint32_t level = path->levels; level-- > 0;) {
		struct node *node = &path->nodes[level];

		if (node->at + 1 < count_of(node)->count)
			return node->entries[node->at + 1].hash;
	}
	return 0;
}

/* To the next leaf; there is one. On errors the path is released. */
static int advance(struct ext4_inode *directory, struct path *path)
{
	struct node *bottom = bottom_of(path);
	int error;

	if (bottom->at + 1 < count_of(bottom)->count) {
		bottom->at++;
		return 0;
	}
	path->nodes[0].at++;
	buffer_release(bottom->buffer);
	path->levels = 1;
	error = open_node(
		directory, path->nodes[0].entries[path->nodes[0].at].block, &path->nodes[1]);
	if (error) {
		release(path);
		return error;
	}
	path->levels = 2;
	return 0;
}

/* ---- cursors, for listing ------------------------------------------------------- */

int index_seek(struct ext4_inode *directory, uint32_t hash, struct index_cursor *cursor)
{
	struct path path;
	int error = open_root(directory, &path);

	if (!error)
		error = walk(directory, hash, &path);
	if (error)
		return error;
	cursor->hash = hash;
	cursor->steps = 0;
	cursor->leaf = leaf_of(&path);
	cursor->next_hash = next_hash(&path);
	release(&path);
	return 0;
}

int index_advance(struct ext4_inode *directory, struct index_cursor *cursor)
{
	struct path path;
	int error = open_root(directory, &path);

	if (!error)
		error = walk(directory, cursor->hash, &path);
	if (error)
		return error;
	cursor->steps++;
	for (uint32_t i = 0; i < cursor->steps; i++) {
		error = next_hash(&path) == 0 ? EXT4_CORRUPT : advance(directory, &path);
		if (error)
			return error;
	}
	cursor->leaf = leaf_of(&path);
	cursor->next_hash = next_hash(&path);
	release(&path);
	return 0;
}

/* ---- finding ----------------------------------------------------------------------- */

int index_find(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_found *found)
{
	struct ext4_hash hash;
	struct path path;
	int error = open_root(directory, &path);

	if (error)
		return error;
	hash = directory_hash(directory->fs, path.hash_version, name, length);
	error = walk(directory, hash.major, &path);
	if (error)
		return error;
	for (;;) {
		struct ext4_buffer *leaf;
		uint32_t next;

		error = directory_block(directory, leaf_of(&path), BUFFER_LEAF, &leaf);
		if (error)
			break;
		error = directory_find_in(directory, leaf, name, length, found);
		if (error == 0)
			break;
		buffer_release(leaf);
		next = next_hash(&path);
		if (next != (hash.major | 1))
			break;
		error = advance(directory, &path);
		if (error)
			return error;
	}
	release(&path);
	return error;
}

/* ---- splitting ---------------------------------------------------------------------- */

static void insert_after(struct ext4 *fs, struct node *node, uint32_t hash, uint32_t block)
{
	struct ext4_index_entry *place = node->entries + node->at + 1;

	memmove(place + 1, place,
		(count_of(node)->count - node->at - 1) * sizeof(struct ext4_index_entry));
	*place = (struct ext4_index_entry){hash, block};
	count_of(node)->count++;
	buffer_dirty(fs, node->buffer);
}

static int new_node(struct ext4_inode *directory, uint32_t *logical, struct node *node)
{
	struct ext4 *fs = directory->fs;
	int error = directory_grow(directory, BUFFER_INDEX_NODE, logical, &node->buffer);

	if (error)
		return error;
	((struct ext4_directory_entry *)(void *)node->buffer->data)->bytes =
		(uint16_t)fs->block_bytes;
	node->entries = (void *)(node->buffer->data + EXT4_INDEX_NODE_OFFSET);
	count_of(node)->limit = (uint16_t)index_node_limit(fs);
	return 0;
}

/* All entries of the root move to a node below it. */
static int deepen(struct ext4_inode *directory, struct path *path)
{
	struct node *root = &path->nodes[0], below;
	uint32_t logical, count = count_of(root)->count;
	int error = new_node(directory, &logical, &below);

	if (error)
		return error;
	memcpy(below.entries + 1, root->entries + 1, (count - 1) * sizeof(root->entries[0]));
	count_of(&below)->block = count_of(root)->block;
	count_of(&below)->count = (uint16_t)count;
	count_of(root)->count = 1;
	count_of(root)->block = logical;
	info_of(root->buffer)->levels = 1;
	buffer_dirty(directory->fs, root->buffer);
	buffer_release(below.buffer);
	return 0;
}

/* The upper half of a full node moves to a new one; its parent has room. */
static int split_node(struct ext4_inode *directory, struct path *path)
{
	struct node *full = &path->nodes[1], upper;
	uint32_t count = count_of(full)->count, keep = count / 2, logical;
	uint32_t hash = full->entries[keep].hash;
	int error = new_node(directory, &logical, &upper);

	if (error)
		return error;
	memcpy(upper.entries + 1, full->entries + keep + 1,
		(count - keep - 1) * sizeof(full->entries[0]));
	count_of(&upper)->block = full->entries[keep].block;
	count_of(&upper)->count = (uint16_t)(count - keep);
	count_of(full)->count = (uint16_t)keep;
	buffer_dirty(directory->fs, full->buffer);
	insert_after(directory->fs, &path->nodes[0], hash, logical);
	buffer_release(upper.buffer);
	return 0;
}

static int make_index_room(struct ext4_inode *directory, struct path *path)
{
	struct node *root = &path->nodes[0];

	if (path->levels == 1)
		return deepen(directory, path);
	if (count_of(root)->count == count_of(root)->limit)
		return -LINUX_ENOSPC; /* some ten million names */
	return split_node(directory, path);
}

struct sorted {
	uint32_t hash;
	uint16_t offset, bytes;
};

static uint32_t sort_leaf(struct ext4_inode *directory, const struct ext4_buffer *leaf,
	uint8_t version, struct sorted *sorted)
{
	uint32_t end = directory_leaf_bytes(directory->fs), count = 0;

	for (uint32_t offset = 0; offset < end;) {
		const struct ext4_directory_entry *entry = (void *)(leaf->data + offset);

		if (entry->inode != 0) {
			struct sorted one = {.offset = (uint16_t)offset,
				.bytes = (uint16_t)directory_entry_bytes(entry->name_length),
				.hash = directory_hash(
					directory->fs, version, entry->name, entry->name_length)
						.major};
			uint32_t at = count++;

			for (; at > 0 && sorted[at - 1].hash > one.hash; at--)
				sorted[at] = sorted[at - 1];
			sorted[at] = one;
		}
		offset += entry->bytes;
	}
	return count;
}

/* Puts the entries of `from` (a copy of a leaf) into an empty leaf, one after the other. */
static void pack(struct ext4 *fs, struct ext4_buffer *leaf, const uint8_t *from,
	const struct sorted *sorted, uint32_t count)
{
	uint32_t offset = 0;

	directory_leaf_init(fs, leaf);
	for (uint32_t i = 0; i < count; i++) {
		struct ext4_directory_entry *entry = (void *)(leaf->data + offset);

		memcpy(entry, from + sorted[i].offset, sorted[i].bytes);
		entry->bytes = sorted[i].bytes;
		if (i + 1 == count)
			entry->bytes = (uint16_t)(directory_leaf_bytes(fs) - offset);
		offset += entry->bytes;
	}
	buffer_dirty(fs, leaf);
}

/* Where the upper half, by bytes, begins. */
static uint32_t middle_of(const struct sorted *sorted, uint32_t count, uint32_t block_bytes)
{
	uint32_t bytes = 0, at = count;

	while (at > 1 && bytes + sorted[at - 1].bytes / 2 <= block_bytes / 2)
		bytes += sorted[--at].bytes;
	return MAX(at, 1);
}

struct split {
	struct sorted sorted[4096 / 12];
	uint8_t copy[4096];
};

/* Moves the upper half of the path's leaf to a new one. */
static int split_leaf(struct ext4_inode *directory, struct path *path, struct ext4_buffer *leaf,
	struct split *split)
{
	struct ext4 *fs = directory->fs;
	uint32_t count = sort_leaf(directory, leaf, path->hash_version, split->sorted);
	uint32_t middle = middle_of(split->sorted, count, fs->block_bytes), logical, hash;
	struct ext4_buffer *upper;
	int error;

	if (count < 2)
		return EXT4_CORRUPT; /* a full leaf has more */
	middle = MIN(middle, count - 1);
	error = directory_grow(directory, BUFFER_LEAF, &logical, &upper);
	if (error)
		return error;
	hash = split->sorted[middle].hash;
	hash |= hash == split->sorted[middle - 1].hash;
	memcpy(split->copy, leaf->data, fs->block_bytes);
	pack(fs, upper, split->copy, split->sorted + middle, count - middle);
	pack(fs, leaf, split->copy, split->sorted, middle);
	insert_after(fs, bottom_of(path), hash, logical);
	buffer_release(upper);
	return 0;
}

/* One try: -EAGAIN when something was split. */
static int try_add(struct ext4_inode *directory, struct path *path, const char *name, size_t length,
	uint32_t inode, uint16_t mode)
{
	struct ext4_buffer *leaf;
	struct split *split;
	int error = directory_block(directory, leaf_of(path), BUFFER_LEAF, &leaf);

	if (error)
		return error;
	error = directory_put(directory, leaf, name, length, inode, mode);
	if (error == -LINUX_ENOSPC) {
		if (count_of(bottom_of(path))->count == count_of(bottom_of(path))->limit) {
			error = make_index_room(directory, path);
		} else {
			split = heap_alloc(sizeof(*split));
			error = split ? split_leaf(directory, path, leaf, split) : -LINUX_ENOMEM;
			heap_free(split);
		}
		if (!error)
			error = -LINUX_EAGAIN;
	}
	buffer_release(leaf);
	return error;
}

int index_add(struct ext4_inode *directory, const char *name, size_t length, uint32_t inode,
	uint16_t mode)
{
	int error;

	do {
		struct ext4_hash hash;
		struct path path;

		error = open_root(directory, &path);
		if (error)
			return error;
		hash = directory_hash(directory->fs, path.hash_version, name, length);
		error = walk(directory, hash.major, &path);
		if (error)
			return error;
		error = try_add(directory, &path, name, length, inode, mode);
		release(&path);
	} while (error == -LINUX_EAGAIN);
	return error;
}

/* ---- the first block becomes the root ------------------------------------------------- */

static void make_root(struct ext4_inode *directory, struct ext4_buffer *buffer, uint32_t leaf)
{
	struct ext4 *fs = directory->fs;
	struct ext4_directory_entry *dots = (void *)(buffer->data + 12);
	struct node node = {.entries = (void *)(buffer->data + EXT4_INDEX_ROOT_OFFSET)};

	dots->bytes = (uint16_t)(fs->block_bytes - 12);
	memset(buffer->data + EXT4_INDEX_INFO_OFFSET, 0, fs->block_bytes - EXT4_INDEX_INFO_OFFSET);
	info_of(buffer)->hash_version = (uint8_t)(fs->hash_version % EXT4_HASH_LEGACY_UNSIGNED);
	info_of(buffer)->info_bytes = sizeof(struct ext4_index_info);
	count_of(&node)->limit = (uint16_t)index_root_limit(fs);
	count_of(&node)->count = 1;
	count_of(&node)->block = leaf;
	buffer->kind = BUFFER_INDEX_ROOT;
	buffer_dirty(fs, buffer);
}

int index_make(struct ext4_inode *directory)
{
	struct ext4 *fs = directory->fs;
	struct ext4_found parent = {0};
	struct ext4_buffer *leaf = NULL;
	struct split *split;
	uint32_t logical = 0, count;
	int error = directory_find_parent(directory, &parent);

	if (error)
		return error;
	split = heap_alloc(sizeof(*split));
	error = split ? directory_grow(directory, BUFFER_LEAF, &logical, &leaf) : -LINUX_ENOMEM;
	if (error) {
		heap_free(split);
		buffer_release(parent.buffer);
		return error;
	}
	/* Without "." and "..", by making them free entries of the copy. */
	count = sort_leaf(directory, parent.buffer, fs->hash_version, split->sorted);
	memcpy(split->copy, parent.buffer->data, fs->block_bytes);
	for (uint32_t i = 0; i < count;)
		if (split->sorted[i].offset <= 12) {
			memmove(split->sorted + i, split->sorted + i + 1,
				(count - i - 1) * sizeof(split->sorted[0]));
			count--;
		} else {
			i++;
		}
	pack(fs, leaf, split->copy, split->sorted, count);
	make_root(directory, parent.buffer, logical);
	directory->flags |= EXT4_INODE_INDEX;
	buffer_release(leaf);
	buffer_release(parent.buffer);
	heap_free(split);
	return 0;
}
