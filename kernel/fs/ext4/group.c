/*
 * Groups: their descriptors, their bitmaps, and finding free blocks and inodes in them.
 *
 * Counts of every group are kept in memory, so that full groups are passed over without a
 * look at their bitmaps; `longest` says the same of fragmented ones. A search starts where the
 * last one in the group ended.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

/* ---- descriptors ------------------------------------------------------------ */

static struct ext4_group_block *block_of(struct ext4 *fs, uint32_t number)
{
	return fs->group_blocks[number / fs->descriptors_per_block];
}

struct ext4_group *group_of(struct ext4 *fs, uint32_t number)
{
	return &block_of(fs, number)->groups[number % fs->descriptors_per_block];
}

struct ext4_group_descriptor *group_descriptor(struct ext4 *fs, uint32_t number)
{
	return (void *)(block_of(fs, number)->buffer->data +
			(size_t)(number % fs->descriptors_per_block) * fs->descriptor_bytes);
}

uint64_t group_inode_table(struct ext4 *fs, uint32_t number)
{
	const struct ext4_group_descriptor *from = group_descriptor(fs, number);

	return from->inode_table_lo | (fs->wide ? (uint64_t)from->inode_table_hi << 32 : 0);
}

uint64_t group_block_bitmap(struct ext4 *fs, uint32_t number)
{
	const struct ext4_group_descriptor *from = group_descriptor(fs, number);

	return from->block_bitmap_lo | (fs->wide ? (uint64_t)from->block_bitmap_hi << 32 : 0);
}

uint64_t group_inode_bitmap(struct ext4 *fs, uint32_t number)
{
	const struct ext4_group_descriptor *from = group_descriptor(fs, number);

	return from->inode_bitmap_lo | (fs->wide ? (uint64_t)from->inode_bitmap_hi << 32 : 0);
}

static uint32_t table_blocks(const struct ext4 *fs)
{
	return (uint32_t)(((uint64_t)fs->inodes_per_group * fs->inode_bytes + fs->block_bytes -
				  1) >>
			  fs->block_shift);
}

uint32_t group_block_count(const struct ext4 *fs, uint32_t number)
{
	uint64_t first = group_first_block(fs, number);

	return (uint32_t)MIN(fs->blocks_per_group, fs->block_count - first);
}

/* Counts into the descriptor, which joins the transaction. */
void group_dirty(struct ext4 *fs, uint32_t number)
{
	struct ext4_group_descriptor *to = group_descriptor(fs, number);
	const struct ext4_group *group = group_of(fs, number);

	to->free_blocks_lo = (uint16_t)group->free_blocks;
	to->free_inodes_lo = (uint16_t)group->free_inodes;
	to->directories_lo = (uint16_t)group->directories;
	if (fs->wide) {
		to->free_blocks_hi = (uint16_t)(group->free_blocks >> 16);
		to->free_inodes_hi = (uint16_t)(group->free_inodes >> 16);
		to->directories_hi = (uint16_t)(group->directories >> 16);
	}
	buffer_dirty(fs, block_of(fs, number)->buffer);
}

static bool is_power_of(uint32_t number, uint32_t base)
{
	while (number > 1 && number % base == 0)
		number /= base;
	return number == 1;
}

bool group_has_super(const struct ext4 *fs, uint32_t number)
{
	return number <= 1 || !(fs->read_only_compatible & EXT4_RO_SPARSE_SUPER) ||
	       is_power_of(number, 3) || is_power_of(number, 5) || is_power_of(number, 7);
}

/* Where block `index` of the descriptors is. */
static uint64_t descriptor_block(const struct ext4 *fs, uint32_t index)
{
	uint32_t group = index * fs->descriptors_per_block;

	if (!(fs->incompatible & EXT4_INCOMPAT_META_BG) || index < fs->super->first_meta_group)
		return fs->first_data_block + 1 + (uint64_t)index;
	return group_first_block(fs, group) + group_has_super(fs, group);
}

static int load_group(struct ext4 *fs, uint32_t number)
{
	const struct ext4_group_descriptor *from = group_descriptor(fs, number);
	struct ext4_group *group = group_of(fs, number);

	if (!fs->recovering && !group_sum_is_right(fs, number, from))
		return EXT4_CORRUPT;
	if (!block_range_is_valid(fs, group_inode_table(fs, number), table_blocks(fs)) ||
		!block_range_is_valid(fs, group_block_bitmap(fs, number), 1) ||
		!block_range_is_valid(fs, group_inode_bitmap(fs, number), 1))
		return EXT4_CORRUPT;
	group->free_blocks =
		from->free_blocks_lo | (fs->wide ? (uint32_t)from->free_blocks_hi << 16 : 0);
	group->free_inodes =
		from->free_inodes_lo | (fs->wide ? (uint32_t)from->free_inodes_hi << 16 : 0);
	group->directories =
		from->directories_lo | (fs->wide ? (uint32_t)from->directories_hi << 16 : 0);
	if (!fs->recovering && (group->free_blocks > group_block_count(fs, number) ||
				       group->free_inodes > fs->inodes_per_group ||
				       group->directories > fs->inodes_per_group))
		return EXT4_CORRUPT;
	fs->free_blocks += group->free_blocks;
	fs->free_inodes += group->free_inodes;
	return 0;
}

static int load_group_block(struct ext4 *fs, uint32_t index)
{
	uint32_t first = index * fs->descriptors_per_block;
	struct ext4_group_block *block =
		heap_zalloc(sizeof(*block) + fs->descriptors_per_block * sizeof(struct ext4_group));
	int error;

	if (!block)
		return -LINUX_ENOMEM;
	error = buffer_read(fs, descriptor_block(fs, index), BUFFER_GROUPS, index, &block->buffer);
	if (error) {
		heap_free(block);
		return error;
	}
	fs->group_blocks[index] = block;
	for (uint32_t i = 0; i < fs->descriptors_per_block; i++) {
		if (first + i >= fs->group_count)
			break;
		error = load_group(fs, first + i);
		if (error) {
			ext4_complain(fs, "the descriptor of group %u is damaged", first + i);
			return error;
		}
	}
	return 0;
}

static uint32_t group_block_total(const struct ext4 *fs)
{
	return (fs->group_count + fs->descriptors_per_block - 1) / fs->descriptors_per_block;
}

int groups_load(struct ext4 *fs)
{
	uint32_t total = group_block_total(fs);
	int error = 0;

	fs->free_blocks = fs->busy_blocks = 0;
	fs->free_inodes = 0;
	fs->group_blocks = heap_zalloc(total * sizeof(fs->group_blocks[0]));
	if (!fs->group_blocks)
		return -LINUX_ENOMEM;
	for (uint32_t index = 0; index < total && !error; index++) {
		if (index % 32 == 0 && !(fs->incompatible & EXT4_INCOMPAT_META_BG))
			for (uint32_t i = index; i < MIN(index + 32, total); i++)
				buffers_prefetch(fs, descriptor_block(fs, i), 1, BUFFER_GROUPS, i);
		error = load_group_block(fs, index);
	}
	return error;
}

void groups_unload(struct ext4 *fs)
{
	if (!fs->group_blocks)
		return;
	for (uint32_t index = 0; index < group_block_total(fs); index++) {
		struct ext4_group_block *block = fs->group_blocks[index];

		if (!block)
			continue;
		for (uint32_t i = 0; i < fs->descriptors_per_block; i++)
			heap_free(block->groups[i].busy);
		buffer_release(block->buffer);
		heap_free(block);
	}
	heap_free(fs->group_blocks);
	fs->group_blocks = NULL;
}

/* ---- bits --------------------------------------------------------------------- */

static uint64_t word_at(const uint64_t *bits, const uint64_t *more, uint32_t word)
{
	return bits[word] | (more ? more[word] : 0);
}

/* The first bit of [from, to) that is `set` in either; `to` if there is none. */
static uint32_t find_bit(
	const uint64_t *bits, const uint64_t *more, uint32_t from, uint32_t to, bool set)
{
	while (from < to) {
		uint64_t word = word_at(bits, more, from / EXT4_WORD_BITS);

		word = (set ? word : ~word) & (~0ull << from % EXT4_WORD_BITS);
		if (word != 0)
			return MIN(to, (uint32_t)(from / EXT4_WORD_BITS * EXT4_WORD_BITS) +
					       (uint32_t)__builtin_ctzll(word));
		from = (from / EXT4_WORD_BITS + 1) * EXT4_WORD_BITS;
	}
	return to;
}

static bool bit_is_set(const uint64_t *bits, uint32_t bit)
{
	return (bits[bit / EXT4_WORD_BITS] >> bit % EXT4_WORD_BITS & 1) != 0;
}

static void change_bits(uint64_t *bits, uint32_t first, uint32_t count, bool set)
{
	for (uint32_t end = first + count; first < end;) {
		uint32_t within = first % EXT4_WORD_BITS;
		uint32_t here = MIN(end - first, EXT4_WORD_BITS - within);
		uint64_t mask = (here == EXT4_WORD_BITS ? ~0ull : (1ull << here) - 1) << within;

		if (set)
			bits[first / EXT4_WORD_BITS] |= mask;
		else
			bits[first / EXT4_WORD_BITS] &= ~mask;
		first += here;
	}
}

/* ---- block bitmaps -------------------------------------------------------------- */

static void mark_if_within(
	struct ext4 *fs, uint32_t number, uint64_t *bits, uint64_t block, uint64_t count)
{
	uint64_t first = group_first_block(fs, number), end = first + fs->blocks_per_group;

	for (; count > 0; block++, count--)
		if (block >= first && block < end)
			change_bits(bits, (uint32_t)(block - first), 1, true);
}

/* What a bitmap that was never written would hold: the group's own metadata. */
static void fill_block_bitmap(struct ext4 *fs, uint32_t number, uint64_t *bits)
{
	uint32_t blocks = group_block_count(fs, number);
	uint32_t meta = fs->incompatible & EXT4_INCOMPAT_META_BG;

	if (group_has_super(fs, number))
		change_bits(bits, 0,
			MIN(blocks, 1 + (meta ? 0 : group_block_total(fs)) +
					    fs->super->reserved_table_blocks),
			true);
	if (meta)
		for (uint32_t i = 0; i < group_block_total(fs); i++)
			mark_if_within(fs, number, bits, descriptor_block(fs, i), 1);
	mark_if_within(fs, number, bits, group_block_bitmap(fs, number), 1);
	mark_if_within(fs, number, bits, group_inode_bitmap(fs, number), 1);
	mark_if_within(fs, number, bits, group_inode_table(fs, number), table_blocks(fs));
	change_bits(bits, blocks, fs->block_bytes * 8 - blocks, true);
}

static int read_block_bitmap(struct ext4 *fs, uint32_t number, struct ext4_buffer **buffer)
{
	struct ext4_group_descriptor *descriptor = group_descriptor(fs, number);
	uint64_t block = group_block_bitmap(fs, number);
	int error;

	if (!(descriptor->flags & EXT4_GROUP_BLOCKS_UNINIT))
		return buffer_read(fs, block, BUFFER_BLOCK_BITMAP, number, buffer);
	error = buffer_make(fs, block, BUFFER_BLOCK_BITMAP, number, false, buffer);
	if (error)
		return error;
	fill_block_bitmap(fs, number, (uint64_t *)(void *)(*buffer)->data);
	descriptor->flags &= (uint16_t)~EXT4_GROUP_BLOCKS_UNINIT;
	buffer_dirty(fs, *buffer);
	group_dirty(fs, number);
	return 0;
}

static int damaged(struct ext4 *fs, uint32_t number, const char *what)
{
	group_of(fs, number)->damaged = true;
	ext4_complain(fs, "group %u: %s", number, what);
	return EXT4_CORRUPT;
}

/* ---- finding blocks ----------------------------------------------------------------- */

struct run_search {
	const uint64_t *bits, *busy;
	uint32_t want, best, best_length;
};

static void search(struct run_search *search, uint32_t from, uint32_t to)
{
	while (search->best_length < search->want) {
		uint32_t start = find_bit(search->bits, search->busy, from, to, false);
		uint32_t most = MIN(to, start + search->want), end;

		if (start >= to)
			return;
		end = find_bit(search->bits, search->busy, start, most, true);
		if (end - start > search->best_length) {
			search->best = start;
			search->best_length = end - start;
		}
		from = end;
	}
}

static void take(struct ext4 *fs, uint32_t number, struct ext4_buffer *bitmap, uint32_t first,
	uint32_t count)
{
	struct ext4_group *group = group_of(fs, number);

	change_bits((uint64_t *)(void *)bitmap->data, first, count, true);
	group->free_blocks -= MIN(count, group->free_blocks);
	group->block_hint = first + count;
	fs->free_blocks -= MIN(count, fs->free_blocks);
	buffer_dirty(fs, bitmap);
	group_dirty(fs, number);
	fs->group_cursor = number;
}

/* In one group; *got stays 0 if there is no run that will do. `from` is where to begin; exactly
 * there if `exact`. */
static int allocate_in(struct ext4 *fs, uint32_t number, uint32_t from, bool exact, bool any,
	uint32_t want, uint64_t *block, uint32_t *got)
{
	struct ext4_group *group = group_of(fs, number);
	uint32_t blocks = group_block_count(fs, number);
	struct run_search found = {.want = want, .busy = group->busy};
	struct ext4_buffer *bitmap;
	int error = read_block_bitmap(fs, number, &bitmap);

	if (error)
		return error == EXT4_CORRUPT ? damaged(fs, number, "bad block bitmap") : error;
	found.bits = (uint64_t *)(void *)bitmap->data;
	from = from < blocks ? from : 0;
	if (exact && !bit_is_set(found.bits, from) &&
		!(found.busy && bit_is_set(found.busy, from))) {
		found.best = from;
		found.best_length =
			find_bit(found.bits, found.busy, from, MIN(blocks, from + want), true) -
			from;
	} else {
		search(&found, from, blocks);
		search(&found, 0, MIN(blocks, from + want));
		if (found.best_length < want)
			group->longest = found.best_length;
		if (found.best_length == 0 && group->free_blocks > group->busy_count)
			(void)damaged(fs, number, "free blocks are not where they should be");
		if (found.best_length < want && !any)
			found.best_length = 0;
	}
	if (found.best_length > 0) {
		take(fs, number, bitmap, found.best, found.best_length);
		*block = group_first_block(fs, number) + found.best;
		*got = found.best_length;
	}
	buffer_release(bitmap);
	return 0;
}

/* May a group hold a run of `want`? */
static bool is_promising(const struct ext4_group *group, uint32_t want)
{
	uint32_t usable = group->free_blocks - MIN(group->busy_count, group->free_blocks);

	return !group->damaged && usable >= want && (group->longest == 0 || group->longest >= want);
}

int block_allocate(struct ext4 *fs, uint64_t goal, uint32_t want, uint64_t *block, uint32_t *got)
{
	uint32_t first, from;
	int error = 0;

	if (goal <= fs->first_data_block || goal >= fs->block_count)
		goal = fs->first_data_block + 1;
	first = (uint32_t)((goal - fs->first_data_block) / fs->blocks_per_group);
	from = (uint32_t)((goal - fs->first_data_block) % fs->blocks_per_group);
	want = MIN(want, fs->blocks_per_group / 2);
	*got = 0;
	if (is_promising(group_of(fs, first), 1))
		error = allocate_in(fs, first, from, true, false, want, block, got);
	if (error && error != EXT4_CORRUPT)
		return error;
	/* A whole run in some group; then anything. */
	for (int pass = 0; pass < 2 && *got == 0; pass++) {
		uint32_t start = pass == 0 ? first : fs->group_cursor;

		for (uint32_t i = 0; i < fs->group_count && *got == 0; i++) {
			uint32_t number = (start + i) % fs->group_count;

			if (!is_promising(group_of(fs, number), pass == 0 ? want : 1))
				continue;
			error = allocate_in(fs, number, group_of(fs, number)->block_hint, false,
				pass == 1, want, block, got);
			if (error && error != EXT4_CORRUPT)
				return error;
		}
	}
	return *got > 0 ? 0 : -LINUX_ENOSPC;
}

/* ---- giving blocks back -------------------------------------------------------------- */

static int make_busy(struct ext4 *fs, struct ext4_group *group, uint32_t first, uint32_t count)
{
	if (!group->busy)
		group->busy = heap_zalloc(fs->block_bytes);
	if (!group->busy)
		return -LINUX_ENOMEM;
	change_bits(group->busy, first, count, true);
	group->busy_count += count;
	fs->busy_blocks += count;
	return 0;
}

static int free_in(struct ext4 *fs, uint32_t number, uint32_t first, uint32_t count, bool metadata)
{
	struct ext4_group *group = group_of(fs, number);
	struct ext4_buffer *bitmap;
	uint64_t *bits;
	int error = read_block_bitmap(fs, number, &bitmap);

	if (error)
		return error;
	bits = (uint64_t *)(void *)bitmap->data;
	if (find_bit(bits, NULL, first, first + count, false) != first + count)
		error = damaged(fs, number, "a block is freed that is free");
	if (!error)
		error = make_busy(fs, group, first, count);
	if (!error)
		error = transaction_freed(
			fs, group_first_block(fs, number) + first, count, metadata);
	if (!error) {
		change_bits(bits, first, count, false);
		group->free_blocks += count;
		group->longest = 0;
		fs->free_blocks += count;
		buffer_dirty(fs, bitmap);
		group_dirty(fs, number);
	}
	buffer_release(bitmap);
	return error;
}

int block_free(struct ext4 *fs, uint64_t block, uint32_t count, bool metadata)
{
	if (!block_range_is_valid(fs, block, count))
		return EXT4_CORRUPT;
	while (count > 0) {
		uint32_t number = (uint32_t)((block - fs->first_data_block) / fs->blocks_per_group);
		uint32_t first = (uint32_t)((block - fs->first_data_block) % fs->blocks_per_group);
		uint32_t here = MIN(count, fs->blocks_per_group - first);
		int error = free_in(fs, number, first, here, metadata);

		if (error)
			return error;
		block += here;
		count -= here;
	}
	return 0;
}

void blocks_unbusy(struct ext4 *fs, struct ext4_run_chunk *freed)
{
	for (; freed; freed = freed->next)
		for (uint32_t i = 0; i < freed->count; i++) {
			const struct ext4_run *run = &freed->runs[i];
			uint64_t at = run->block - fs->first_data_block;
			uint32_t number = (uint32_t)(at / fs->blocks_per_group);
			struct ext4_group *group = group_of(fs, number);

			change_bits(group->busy, (uint32_t)(at % fs->blocks_per_group), run->count,
				false);
			group->busy_count -= run->count;
			group->longest = 0;
			fs->busy_blocks -= run->count;
			if (group->busy_count == 0) {
				heap_free(group->busy);
				group->busy = NULL;
			}
		}
}

uint64_t blocks_available(const struct ext4 *fs)
{
	/* The map of what is set aside takes blocks of its own. */
	uint64_t taken = fs->busy_blocks + fs->set_aside + fs->set_aside / 64 + 64;

	return fs->free_blocks > taken ? fs->free_blocks - taken : 0;
}

/* ---- inodes ------------------------------------------------------------------------------ */

static int read_inode_bitmap(struct ext4 *fs, uint32_t number, struct ext4_buffer **buffer)
{
	struct ext4_group_descriptor *descriptor = group_descriptor(fs, number);
	uint64_t block = group_inode_bitmap(fs, number);
	struct ext4_buffer *blocks;
	int error;

	if (!(descriptor->flags & EXT4_GROUP_INODES_UNINIT))
		return buffer_read(fs, block, BUFFER_INODE_BITMAP, number, buffer);
	/* A group with inodes has a bitmap of blocks, too. */
	error = read_block_bitmap(fs, number, &blocks);
	if (error)
		return error;
	buffer_release(blocks);
	error = buffer_make(fs, block, BUFFER_INODE_BITMAP, number, false, buffer);
	if (error)
		return error;
	change_bits((uint64_t *)(void *)(*buffer)->data, fs->inodes_per_group,
		fs->block_bytes * 8 - fs->inodes_per_group, true);
	descriptor->flags &= (uint16_t)~EXT4_GROUP_INODES_UNINIT;
	buffer_dirty(fs, *buffer);
	group_dirty(fs, number);
	return 0;
}

static uint32_t unused_inodes(struct ext4 *fs, uint32_t number)
{
	const struct ext4_group_descriptor *from = group_descriptor(fs, number);

	return from->unused_inodes_lo | (fs->wide ? (uint32_t)from->unused_inodes_hi << 16 : 0);
}

/* Inodes from `used` on were never used: checkers need not look at them. */
static void note_used(struct ext4 *fs, uint32_t number, uint32_t used)
{
	struct ext4_group_descriptor *to = group_descriptor(fs, number);
	uint32_t unused = fs->inodes_per_group - used;

	if (unused >= unused_inodes(fs, number))
		return;
	to->unused_inodes_lo = (uint16_t)unused;
	if (fs->wide)
		to->unused_inodes_hi = (uint16_t)(unused >> 16);
}

int inode_number_allocate(struct ext4 *fs, uint32_t number, bool directory, uint32_t *inode)
{
	struct ext4_group *group = group_of(fs, number);
	uint32_t first = number == 0 ? MAX(fs->super->first_inode, 11) - 1 : 0, bit;
	struct ext4_buffer *bitmap;
	uint64_t *bits;
	int error = read_inode_bitmap(fs, number, &bitmap);

	if (error)
		return error == EXT4_CORRUPT ? damaged(fs, number, "bad inode bitmap") : error;
	bits = (uint64_t *)(void *)bitmap->data;
	bit = find_bit(bits, NULL, MAX(first, group->inode_hint), fs->inodes_per_group, false);
	if (bit == fs->inodes_per_group)
		bit = find_bit(bits, NULL, first, fs->inodes_per_group, false);
	if (bit == fs->inodes_per_group) {
		buffer_release(bitmap);
		return damaged(fs, number, "free inodes are not where they should be");
	}
	change_bits(bits, bit, 1, true);
	group->inode_hint = bit + 1;
	group->free_inodes--;
	group->directories += directory;
	fs->free_inodes--;
	note_used(fs, number, bit + 1);
	buffer_dirty(fs, bitmap);
	group_dirty(fs, number);
	buffer_release(bitmap);
	*inode = number * fs->inodes_per_group + bit + 1;
	return 0;
}

int inode_number_free(struct ext4 *fs, uint32_t inode, bool directory)
{
	uint32_t number = group_of_inode(fs, inode), bit = (inode - 1) % fs->inodes_per_group;
	struct ext4_group *group = group_of(fs, number);
	struct ext4_buffer *bitmap;
	int error = read_inode_bitmap(fs, number, &bitmap);

	if (error)
		return error;
	if (!bit_is_set((uint64_t *)(void *)bitmap->data, bit)) {
		error = damaged(fs, number, "an inode is freed that is free");
	} else {
		change_bits((uint64_t *)(void *)bitmap->data, bit, 1, false);
		group->free_inodes++;
		group->directories -= directory && group->directories > 0;
		group->inode_hint = MIN(group->inode_hint, bit);
		fs->free_inodes++;
		buffer_dirty(fs, bitmap);
		group_dirty(fs, number);
	}
	buffer_release(bitmap);
	return error;
}

bool inode_block_is_unused(struct ext4 *fs, uint32_t inode)
{
	uint32_t number = group_of_inode(fs, inode), bit = (inode - 1) % fs->inodes_per_group;
	uint32_t per_block = fs->block_bytes / fs->inode_bytes;
	uint32_t first = bit / per_block * per_block,
		 end = MIN(first + per_block, fs->inodes_per_group);
	struct ext4_buffer *bitmap;
	const uint64_t *bits;
	bool unused;

	if (read_inode_bitmap(fs, number, &bitmap))
		return false;
	bits = (const uint64_t *)(void *)bitmap->data;
	unused = find_bit(bits, NULL, first, bit, true) == bit &&
		 find_bit(bits, NULL, bit + 1, end, true) == end;
	buffer_release(bitmap);
	return unused;
}

static bool has_room(const struct ext4 *fs, const struct ext4_group *group, bool directory)
{
	if (group->free_inodes == 0 || group->damaged)
		return false;
	/* Directories leave some for the files that will be in them. */
	return !directory || (group->free_inodes > fs->inodes_per_group / 16 &&
				     group->free_blocks > fs->blocks_per_group / 32);
}

int group_choose(struct ext4 *fs, uint32_t parent, bool directory, uint32_t *result)
{
	uint32_t start = group_of_inode(fs, parent);

	/* Trees below the root are spread. */
	if (directory && parent == EXT4_ROOT_INODE) {
		start = fs->flex_cursor * fs->groups_per_flex % fs->group_count;
		fs->flex_cursor++;
	}
	for (int pass = directory ? 0 : 1; pass < 2; pass++)
		for (uint32_t i = 0; i < fs->group_count; i++) {
			uint32_t number = (start + i) % fs->group_count;

			if (!has_room(fs, group_of(fs, number), pass == 0))
				continue;
			*result = number;
			return 0;
		}
	return -LINUX_ENOSPC;
}
