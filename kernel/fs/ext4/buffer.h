/*
 * The cache of metadata blocks of a volume.
 *
 * A buffer holds one block. buffer_read() and buffer_make() give a reference; contents may be
 * read and changed while ext4.lock is held, and buffer_dirty() says that they were, which
 * makes it part of the running transaction. Buffers that are not in a transaction, not waiting
 * to be written home and not referred to are forgotten when there are many.
 */
#ifndef KERNEL_FS_EXT4_BUFFER_H
#define KERNEL_FS_EXT4_BUFFER_H

#include "lib/compiler.h"
#include "lib/list.h"

struct ext4;

/* What checksum.c must know. */
enum ext4_buffer_kind {
	BUFFER_PLAIN,
	BUFFER_SUPER,
	BUFFER_GROUPS,
	BUFFER_BLOCK_BITMAP, /* owner: the group */
	BUFFER_INODE_BITMAP,
	BUFFER_INODES,  /* sums are the inodes' */
	BUFFER_EXTENTS, /* owner: the seed of the inode; so below */
	BUFFER_LEAF,
	BUFFER_INDEX_ROOT,
	BUFFER_INDEX_NODE,
	BUFFER_XATTRS,
};

struct ext4_buffer {
	struct ext4_buffer *hash_next;
	uint64_t block;
	uint8_t *data;
	uint32_t references;
	uint32_t owner;
	uint8_t kind;
	bool joined;     /* in the running transaction */
	bool committing; /* in the one that is being committed; one reference is for that */
	bool fresh;      /* allocated by the running transaction: in no log yet */
	bool dead;       /* its block was freed: not written home, goes when that is committed */
	/* The last commit, while on the checkpoint list: its sequence and place in the log. */
	uint32_t logged, logged_at;
	struct list lru;
	struct list transaction_link;
	struct list checkpoint_link;
};

struct ext4_buffer_cache {
	struct ext4_buffer **table;
	uint32_t mask;
	uint32_t count, most;
	struct list lru; /* all, the oldest first */
};

int buffers_init(struct ext4 *fs);
void buffers_destroy(struct ext4 *fs); /* nothing is referred to */

/* Of the medium, checked (buffer_check()) when it is read. -EIO, -EUCLEAN, -ENOMEM. */
int buffer_read(struct ext4 *fs, uint64_t block, enum ext4_buffer_kind kind, uint32_t owner,
	struct ext4_buffer **buffer);
/* Zeroes, for a block whose contents do not matter; `fresh` if it was just allocated. */
int buffer_make(struct ext4 *fs, uint64_t block, enum ext4_buffer_kind kind, uint32_t owner,
	bool fresh, struct ext4_buffer **buffer);
bool buffer_is_cached(struct ext4 *fs, uint64_t block);
void buffer_release(struct ext4_buffer *buffer); /* NULL is allowed */
void buffer_dirty(struct ext4 *fs, struct ext4_buffer *buffer);
/* The block was freed: leaves the running transaction. True if the log may have it, so that
 * a revoke record is due. */
bool buffer_forget(struct ext4 *fs, uint64_t block);
/* The transaction that freed the block is committed. */
void buffer_bury(struct ext4 *fs, uint64_t block);
/* Reads blocks [block, +count) that are not here, at once; errors are told by buffer_read. */
void buffers_prefetch(struct ext4 *fs, uint64_t block, uint32_t count, enum ext4_buffer_kind kind,
	uint32_t owner);

/* ---- transfers, without the cache (transfer.c) ------------------------------ */

/* Memory for one block, that a device can reach. */
uint8_t *block_memory_alloc(struct ext4 *fs);
void block_memory_free(struct ext4 *fs, uint8_t *memory);

struct ext4_transfer {
	uint64_t block;
	uint8_t *memory;
};
/* Reads or writes `count` single blocks, adjacent ones together; sleeps until done. Sorts. */
int blocks_transfer(struct ext4 *fs, struct ext4_transfer *transfers, uint32_t count, bool write);
int blocks_flush(struct ext4 *fs);
/* One block, durable when it returns if `durable`. */
int block_store(struct ext4 *fs, uint64_t block, const uint8_t *memory, bool durable);

#endif
