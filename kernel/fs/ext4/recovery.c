/*
 * Replaying the log of a volume that was not closed.
 *
 * Three passes: where the last whole transaction ends (a block of the expected sequence with a
 * right commit block), which blocks were revoked by which transaction, then the blocks go home:
 * those that no later or same transaction revoked.
 */
#include "kernel/fs/ext4/ext4.h"
#include "kernel/fs/ext4/journal_format.h"
#include "kernel/mm/heap.h"
#include "lib/crc32c.h"
#include "lib/endian.h"
#include "lib/string.h"
#include "lib/tree.h"

enum pass {
	PASS_SCAN,
	PASS_REVOKE,
	PASS_REPLAY,
};

struct revoked {
	struct tree_node node; /* by block */
	uint64_t block;
	uint32_t sequence; /* the last that revoked it */
};

struct recovery {
	struct ext4 *fs;
	enum pass pass;
	uint32_t at;       /* in the log */
	uint32_t left;     /* blocks of the log not yet seen in this pass */
	uint32_t sequence; /* expected */
	uint32_t end;      /* the first sequence that is not whole; after PASS_SCAN */
	uint8_t *block, *data;
	struct tree revoked;
	uint32_t replayed;
};

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static int read_log(struct recovery *recovery, uint32_t at, uint8_t *memory)
{
	struct ext4 *fs = recovery->fs;

	return block_read(fs->device, journal_block(&fs->journal, at) << fs->block_shift, memory,
		fs->block_bytes);
}

/* The position of the next block; false when all of the log was seen. */
static bool take(struct recovery *recovery, uint32_t *at)
{
	const struct ext4_journal *journal = &recovery->fs->journal;

	if (recovery->left == 0)
		return false;
	recovery->left--;
	*at = recovery->at++;
	if (recovery->at >= journal->block_count)
		recovery->at = journal->first;
	return true;
}

/* ---- revoked blocks -------------------------------------------------------------- */

static struct tree_node **find(struct recovery *recovery, uint64_t block, struct tree_node **parent)
{
	struct tree_node **link = &recovery->revoked.root;

	*parent = NULL;
	while (*link) {
		uint64_t here = TREE_ENTRY(*link, struct revoked, node)->block;

		if (here == block)
			break;
		*parent = *link;
		link = block < here ? &(*link)->left : &(*link)->right;
	}
	return link;
}

static int revoke(struct recovery *recovery, uint64_t block)
{
	struct tree_node *parent, **link = find(recovery, block, &parent);
	struct revoked *revoked;

	if (*link) {
		TREE_ENTRY(*link, struct revoked, node)->sequence = recovery->sequence;
		return 0;
	}
	revoked = heap_alloc(sizeof(*revoked));
	if (!revoked)
		return -LINUX_ENOMEM;
	revoked->block = block;
	revoked->sequence = recovery->sequence;
	tree_insert(&recovery->revoked, parent, link, &revoked->node);
	return 0;
}

static bool is_revoked(struct recovery *recovery, uint64_t block)
{
	struct tree_node *parent, **link = find(recovery, block, &parent);

	return *link &&
	       !is_after(recovery->sequence, TREE_ENTRY(*link, struct revoked, node)->sequence);
}

static int read_revokes(struct recovery *recovery)
{
	struct ext4 *fs = recovery->fs;
	uint32_t size = fs->journal.features & JOURNAL_INCOMPAT_64BIT ? 8 : 4;
	uint32_t used = load_be32(recovery->block + JOURNAL_REVOKE_COUNT);
	int error = 0;

	if (used > fs->block_bytes)
		return EXT4_CORRUPT;
	for (uint32_t at = JOURNAL_REVOKE_COUNT + 4; at + size <= used && !error; at += size) {
		const uint8_t *from = recovery->block + at;
		uint64_t block = load_be32(from);

		if (size == 8)
			block = block << 32 | load_be32(from + 4);
		error = revoke(recovery, block);
	}
	return error;
}

/* ---- sums ---------------------------------------------------------------------------- */

/* With the 4 bytes at `offset` taken as zeroes. */
static bool sum_is_right(struct recovery *recovery, uint32_t offset)
{
	struct ext4 *fs = recovery->fs;
	uint32_t stored = load_be32(recovery->block + offset), sum;

	if (!journal_has_sums(&fs->journal))
		return true;
	sum = crc32c(fs->journal.seed, recovery->block, offset);
	sum = crc32c(sum, "\0\0\0", 4);
	sum = crc32c(sum, recovery->block + offset + 4, fs->block_bytes - offset - 4);
	return sum == stored;
}

static bool data_is_right(struct recovery *recovery, uint32_t stored)
{
	struct ext4 *fs = recovery->fs;
	uint8_t sequence[4];
	uint32_t sum;

	if (!journal_has_sums(&fs->journal))
		return true;
	store_be32(sequence, recovery->sequence);
	sum = crc32c(crc32c(fs->journal.seed, sequence, 4), recovery->data, fs->block_bytes);
	return fs->journal.features & JOURNAL_INCOMPAT_CSUM_V3 ? sum == stored
							       : (uint16_t)sum == stored;
}

/* ---- descriptors ------------------------------------------------------------------------ */

struct tag {
	uint64_t block;
	uint32_t flags, sum;
};

static struct tag read_tag(const struct ext4_journal *journal, const uint8_t *from)
{
	struct tag tag = {.block = load_be32(from)};

	if (journal->features & JOURNAL_INCOMPAT_CSUM_V3) {
		tag.flags = load_be32(from + 4);
		tag.sum = load_be32(from + 12);
	} else {
		tag.sum = load_be16(from + 4);
		tag.flags = load_be16(from + 6);
	}
	if (journal->features & JOURNAL_INCOMPAT_64BIT)
		tag.block |= (uint64_t)load_be32(from + 8) << 32;
	return tag;
}

static int replay(struct recovery *recovery, const struct tag *tag, uint32_t at)
{
	struct ext4 *fs = recovery->fs;
	int error;

	if (is_revoked(recovery, tag->block))
		return 0;
	if (tag->block >= fs->block_count)
		return EXT4_CORRUPT;
	error = read_log(recovery, at, recovery->data);
	if (error)
		return error;
	if (!data_is_right(recovery, tag->sum))
		return EXT4_CORRUPT;
	if (tag->flags & JOURNAL_TAG_ESCAPED)
		store_be32(recovery->data, JOURNAL_MAGIC);
	recovery->replayed++;
	return block_write(
		fs->device, tag->block << fs->block_shift, recovery->data, fs->block_bytes);
}

/* False: the log ends here. */
static bool read_descriptor(struct recovery *recovery, int *error)
{
	struct ext4 *fs = recovery->fs;
	uint32_t bytes = journal_tag_bytes(&fs->journal), at = JOURNAL_HEADER_BYTES, place;
	uint32_t end = fs->block_bytes - (journal_has_sums(&fs->journal) ? JOURNAL_TAIL_BYTES : 0);
	struct tag tag;

	if (!sum_is_right(recovery, fs->block_bytes - JOURNAL_TAIL_BYTES))
		return false;
	do {
		if (at + bytes > end || !take(recovery, &place))
			return false;
		tag = read_tag(&fs->journal, recovery->block + at);
		at += bytes + (tag.flags & JOURNAL_TAG_SAME_UUID ? 0 : 16);
		if (recovery->pass == PASS_REPLAY)
			*error = replay(recovery, &tag, place);
	} while (!(tag.flags & JOURNAL_TAG_LAST) && !*error);
	return true;
}

/* One block of the journal's own. False: the log ends here. */
static bool read_block(struct recovery *recovery, int *error)
{
	uint32_t at;

	if (!take(recovery, &at))
		return false;
	*error = read_log(recovery, at, recovery->block);
	if (*error || load_be32(recovery->block) != JOURNAL_MAGIC ||
		load_be32(recovery->block + JOURNAL_AT_SEQUENCE) != recovery->sequence)
		return false;
	switch (load_be32(recovery->block + JOURNAL_AT_TYPE)) {
	case JOURNAL_DESCRIPTOR:
		return read_descriptor(recovery, error) && !*error;
	case JOURNAL_REVOKE:
		if (!sum_is_right(recovery, recovery->fs->block_bytes - JOURNAL_TAIL_BYTES))
			return false;
		if (recovery->pass == PASS_REVOKE)
			*error = read_revokes(recovery);
		return !*error;
	case JOURNAL_COMMIT:
		if (!sum_is_right(recovery, JOURNAL_COMMIT_CHECKSUM))
			return false;
		recovery->sequence++;
		return true;
	default:
		return false;
	}
}

static int run_pass(struct recovery *recovery, enum pass pass)
{
	const struct ext4_journal *journal = &recovery->fs->journal;
	int error = 0;

	recovery->pass = pass;
	recovery->at = journal->tail;
	recovery->left = journal->block_count - journal->first;
	recovery->sequence = journal->tail_sequence;
	while ((pass == PASS_SCAN || recovery->sequence != recovery->end) &&
		read_block(recovery, &error))
		continue;
	if (pass == PASS_SCAN)
		recovery->end = recovery->sequence;
	return error;
}

static void forget_revoked(struct recovery *recovery)
{
	struct tree_node *node;

	while ((node = recovery->revoked.root) != NULL) {
		tree_remove(&recovery->revoked, node);
		heap_free(TREE_ENTRY(node, struct revoked, node));
	}
}

int journal_recover(struct ext4 *fs)
{
	struct recovery recovery = {.fs = fs};
	struct ext4_journal *journal = &fs->journal;
	int error;

	recovery.block = block_memory_alloc(fs);
	recovery.data = block_memory_alloc(fs);
	error = recovery.block && recovery.data ? 0 : -LINUX_ENOMEM;
	for (int pass = PASS_SCAN; pass <= PASS_REPLAY && !error; pass++)
		error = run_pass(&recovery, (enum pass)pass);
	forget_revoked(&recovery);
	block_memory_free(fs, recovery.block);
	block_memory_free(fs, recovery.data);
	if (!error)
		error = blocks_flush(fs);
	if (error)
		return error;
	/* One more than was begun, so that nothing of the old log is taken for the new. */
	journal->tail_sequence = recovery.end + 1;
	journal->is_empty = true;
	ext4_complain(fs, "replayed %u blocks of the journal", recovery.replayed);
	return journal_store_super(fs);
}
