/*
 * ext4, read and write, with its journal: what the files of this directory share.
 *
 * One mutex, ext4.lock, guards all of a volume's metadata in memory: buffers, group counts,
 * inodes, the running transaction. It is held while metadata is read from the device, never
 * while file contents are transferred, a transaction is committed or a flush is waited for.
 * An operation that changes something runs between ext4_begin() and ext4_end(), which take and
 * leave the lock: so a transaction is closed only between whole operations. It changes buffers
 * in place and calls buffer_dirty(). One that fails half-way ends the volume's use for writing
 * (ext4_end() is told the error): what is on the medium stays consistent, for nothing of an
 * aborted transaction is written.
 *
 *   volume.c     mount, super block, unmount        journal.c   transactions, commit, checkpoint
 *   buffer.c     cache of metadata blocks           recovery.c  replay of the log at mount
 *   group.c      groups, bitmaps, allocation        checksum.c  sums of all that has one
 *   inode.c      inodes, orphans                    extent.c    the map from file to volume
 *   directory.c  names; index.c: their hash tree    name.c      create, link, rename ...
 *   space.c      contents: map, truncate, punch     xattr.c     extended attributes
 *   held.c       small writes, joined                thread.c    commits in time
 *   node.c, pages.c   the operations that the VFS calls
 *
 * All functions here but those named in volume.h are called with ext4.lock held. The rank:
 * after vnode.lock and tree.lock; ext4.commit_lock comes before ext4.lock.
 */
#ifndef KERNEL_FS_EXT4_EXT4_H
#define KERNEL_FS_EXT4_EXT4_H

#include "abi/linux/errno.h"
#include "abi/linux/stat.h"
#include "lib/list.h"
#include "kernel/block/block.h"
#include "kernel/fs/ext4/buffer.h"
#include "kernel/fs/ext4/format.h"
#include "kernel/sched/mutex.h"

/* Errors that say "the volume is damaged". */
#define EXT4_CORRUPT (-LINUX_EUCLEAN)

#define EXT4_WORD_BITS 64

struct ext4_group {
	uint32_t free_blocks; /* as in the descriptor: busy ones are among them */
	uint32_t free_inodes;
	uint32_t directories;
	uint32_t block_hint; /* where to look for free blocks */
	uint32_t inode_hint;
	uint32_t longest; /* no run of free blocks is longer, if not 0 */
	uint32_t busy_count;
	/* Blocks freed by a transaction that is not committed: not to be used again before,
	 * for a crash would give them back to the file they were in. NULL: none. */
	uint64_t *busy;
	bool damaged; /* its bitmaps are wrong: not used */
};

/* The groups whose descriptors share a block. */
struct ext4_group_block {
	struct ext4_buffer *buffer; /* with a reference */
	struct ext4_group groups[];
};

#define EXT4_CHUNK_RUNS 254

/* Runs of blocks, in chunks of a page. */
struct ext4_run {
	uint64_t block;
	uint32_t count;
	uint32_t metadata; /* needs a revoke record */
};
struct ext4_run_chunk {
	struct ext4_run_chunk *next;
	uint32_t count;
	struct ext4_run runs[EXT4_CHUNK_RUNS];
};

_Static_assert(sizeof(struct ext4_run_chunk) <= 4096, "one page");

struct ext4_transaction {
	uint32_t sequence;
	uint32_t buffer_count;
	uint32_t revoke_count, chunk_count;
	struct list buffers;          /* joined; buffer.transaction_link */
	struct ext4_run_chunk *freed; /* free for use when this has been committed */
	/* Transfers of file contents that must be done before the commit; atomic. */
	uint32_t data_pending;
	bool data_failed;
};

struct ext4_journal {
	struct ext4_journal_piece *pieces; /* where its blocks are; heap */
	uint32_t piece_count;
	uint32_t block_count; /* of the whole journal */
	uint32_t first;       /* block of the log */
	uint32_t head;        /* where the next transaction goes */
	/* The oldest transaction that recovery must see, as the medium says. */
	uint32_t tail, tail_sequence;
	uint32_t features;    /* incompatible */
	uint32_t seed;        /* of checksums */
	uint8_t *super;       /* a block */
	bool is_empty;        /* the super block says that there is no log */
	uint32_t most_blocks; /* of one transaction */
};

struct ext4_journal_piece {
	uint32_t logical, count;
	uint64_t block;
};

/* A write of file contents that may wait for others beside it: held.c. */
struct ext4_held {
	struct ext4_held *next;
	struct block_request request;
};

struct ext4 {
	struct block_device *device;
	/* Constant after mount. */
	uint32_t block_bytes, block_shift, inode_bytes, descriptor_bytes;
	uint32_t blocks_per_group, inodes_per_group, group_count, inode_count;
	uint32_t first_data_block, descriptors_per_block, groups_per_flex;
	uint64_t block_count, reserved_blocks;
	uint32_t incompatible, read_only_compatible;
	uint32_t seed;                       /* of all checksums */
	bool has_checksums, has_index, wide; /* wide: 64-byte descriptors */
	uint8_t hash_version;                /* of new directories; enum ext4_hash_version */
	bool hash_is_unsigned;
	uint32_t hash_seed[4];
	char name[32]; /* in messages */

	struct spinlock held_lock; /* rank 54; guards held_*, a chain of adjacent writes */
	struct ext4_held *held_first, *held_last;
	uint32_t held_segments;
	uint64_t held_bytes;

	struct mutex commit_lock; /* one commit or checkpoint at a time; before `lock` */

	struct mutex lock; /* guards all below */
	bool read_only;    /* no writes, not even recovery */
	bool aborted;      /* -EROFS from now on */
	bool recovering;   /* the log was not replayed yet: sums may be wrong */
	bool changed;      /* this operation called buffer_dirty() */
	struct ext4_buffer *super_buffer;
	struct ext4_super *super; /* in it */
	struct ext4_group_block **group_blocks;
	uint64_t free_blocks; /* of all groups, busy ones among them */
	uint64_t busy_blocks;
	uint64_t set_aside; /* for dirty pages: delayed allocation; atomic */
	uint32_t free_inodes;
	uint32_t group_cursor; /* where allocation succeeded last */
	uint32_t flex_cursor;
	uint32_t complaints;
	uint32_t committed; /* sequence of the last transaction that is durable */

	struct ext4_buffer_cache cache;
	struct ext4_journal journal;
	struct ext4_transaction transactions[2];
	struct ext4_transaction *running;
	struct ext4_run_chunk *spare_chunks;
	uint32_t spare_count;
	struct list checkpoint;      /* buffers committed but not at home, by sequence */
	struct wait_queue data_done; /* a transaction's data_pending became 0 */
	struct wait_queue transfer_done;
	struct wait_queue thread_queue;
	bool commit_wanted, thread_runs, thread_must_end;
	uint64_t oldest_change_ns;  /* of the running transaction; 0: none */
	struct ext4_inode *orphans; /* in memory and on the orphan list */
};

/* ---- inode.c ------------------------------------------------------------------ */

struct ext4_inode {
	struct ext4 *fs;
	uint32_t number;
	uint32_t seed; /* of its checksums */
	uint16_t mode;
	uint32_t uid, gid, links, flags, generation;
	uint64_t size; /* on disk: what write-back has reached */
	uint64_t blocks_512;
	uint64_t xattr_block;
	int64_t atime_ns, mtime_ns, ctime_ns, birth_ns;
	uint32_t orphan_next; /* on disk: dtime of an inode on the orphan list */
	bool is_orphan;
	struct ext4_inode *orphan_link; /* those in memory, newest first */
	uint32_t changed_in;            /* sequence of the last transaction that changed it */
	uint32_t data_changed_in;       /* the same, but for changes that fdatasync may leave */
	uint32_t index_hint;
	uint32_t insert_hint; /* block of a directory without index that may have room */
	/* The map from extents, the device number or the text of a short link; aligned. */
	union {
		uint8_t map[EXT4_MAP_BYTES];
		struct ext4_extent_header root;
		uint32_t map_words[EXT4_MAP_BYTES / 4];
	};
	uint16_t extra_bytes;
	uint16_t xattr_space; /* bytes of `xattrs` */
	uint8_t *xattrs;      /* what follows the extra fields in the inode; heap or NULL */
};

int inode_load(struct ext4 *fs, uint32_t number, struct ext4_inode *inode);
/* Gives its memory back, not the struct. */
void inode_unload(struct ext4_inode *inode);
/* Into its block, in the running transaction. `times_only`: fdatasync need not care. */
int inode_store(struct ext4_inode *inode, bool times_only);
/* A new one near `parent`, not stored yet: nlink 0, times now. */
int inode_allocate(struct ext4_inode *parent, uint16_t mode, struct ext4_inode *inode);
/* Frees the number; contents and attributes are gone. */
int inode_free(struct ext4_inode *inode);
int orphan_add(struct ext4_inode *inode);
int orphan_remove(struct ext4_inode *inode);
/* Its memory goes, though it could not be taken off the list on the medium. Takes the lock. */
void orphan_forget(struct ext4_inode *inode);
/* Frees or truncates what a crash left: at mount, before anybody uses the volume. */
int orphans_clean(struct ext4 *fs);
/* All of an inode that has no name and no user: contents, attributes, number. Takes and leaves
 * the lock itself, as it may need several transactions. */
int inode_delete(struct ext4_inode *inode);
static inline bool inode_is_directory(const struct ext4_inode *inode)
{
	return (inode->mode & LINUX_S_IFMT) == LINUX_S_IFDIR;
}
static inline bool inode_has_extents(const struct ext4_inode *inode)
{
	return (inode->flags & EXT4_INODE_EXTENTS) != 0;
}
int64_t ext4_now_ns(void);
void inode_touch(struct ext4_inode *inode); /* mtime and ctime: now */

/* ---- group.c ------------------------------------------------------------------- */

int groups_load(struct ext4 *fs);
void groups_unload(struct ext4 *fs);
struct ext4_group *group_of(struct ext4 *fs, uint32_t number);
struct ext4_group_descriptor *group_descriptor(struct ext4 *fs, uint32_t number);
void group_dirty(struct ext4 *fs, uint32_t number);
uint64_t group_inode_table(struct ext4 *fs, uint32_t number);
uint64_t group_block_bitmap(struct ext4 *fs, uint32_t number);
uint64_t group_inode_bitmap(struct ext4 *fs, uint32_t number);
uint32_t group_block_count(const struct ext4 *fs, uint32_t number); /* the last is shorter */
static inline uint64_t group_first_block(const struct ext4 *fs, uint32_t number)
{
	return fs->first_data_block + (uint64_t)number * fs->blocks_per_group;
}
static inline uint32_t group_of_inode(const struct ext4 *fs, uint32_t inode)
{
	return (inode - 1) / fs->inodes_per_group;
}
bool group_has_super(const struct ext4 *fs, uint32_t number);
/* A run of 1 to `want` free blocks, at `goal` or after if it can be. -ENOSPC. */
int block_allocate(struct ext4 *fs, uint64_t goal, uint32_t want, uint64_t *block, uint32_t *got);
int block_free(struct ext4 *fs, uint64_t block, uint32_t count, bool metadata);
/* Busy blocks of a committed transaction can be used from now on. */
void blocks_unbusy(struct ext4 *fs, struct ext4_run_chunk *freed);
int inode_number_allocate(struct ext4 *fs, uint32_t group, bool directory, uint32_t *number);
int inode_number_free(struct ext4 *fs, uint32_t number, bool directory);
/* The group for a new inode. -ENOSPC. */
int group_choose(struct ext4 *fs, uint32_t parent, bool directory, uint32_t *group);
/* True if no inode in the block of the table that holds `number` is in use, but it. */
bool inode_block_is_unused(struct ext4 *fs, uint32_t number);
/* Blocks that can still be set aside. */
uint64_t blocks_available(const struct ext4 *fs);
static inline bool block_range_is_valid(const struct ext4 *fs, uint64_t block, uint64_t count)
{
	return block > fs->first_data_block && block < fs->block_count &&
	       count <= fs->block_count - block;
}

/* ---- checksum.c ------------------------------------------------------------------ */

uint32_t ext4_sum(const struct ext4 *fs, const void *data, size_t bytes); /* from fs->seed */
uint32_t inode_seed(const struct ext4 *fs, uint32_t number, uint32_t generation);
bool super_sum_is_right(const struct ext4_super *super);
void group_seal(struct ext4 *fs, uint32_t number, struct ext4_group_descriptor *descriptor);
bool group_sum_is_right(
	struct ext4 *fs, uint32_t number, const struct ext4_group_descriptor *descriptor);
/* Computes the sum of an inode's bytes on disk and puts it there (seal), or compares. */
void raw_inode_seal(struct ext4 *fs, uint32_t number, uint8_t *raw);
bool raw_inode_sum_is_right(struct ext4 *fs, uint32_t number, const uint8_t *raw);
/* By the buffer's kind: before it is written, and after it was read (contents too, so that
 * who walks them later need not check again). */
void buffer_seal(struct ext4 *fs, struct ext4_buffer *buffer);
int buffer_check(struct ext4 *fs, struct ext4_buffer *buffer);

/* ---- extent.c --------------------------------------------------------------------- */

enum ext4_map_state {
	EXT4_MAP_HOLE,
	EXT4_MAP_WRITTEN,
	EXT4_MAP_UNWRITTEN,
};

struct ext4_map {
	uint32_t logical;
	uint32_t count; /* 1 or more; of holes: up to the next extent */
	uint64_t block;
	enum ext4_map_state state;
};

/* A file's blocks are numbered 0 to 2^32 - 2. */
#define EXT4_LOGICAL_MOST UINT32_MAX

void extents_init(struct ext4_inode *inode);
/* Checks the root in an inode from the medium. */
bool extents_root_is_valid(const struct ext4_inode *inode);
/* What is known from `logical` on; map->logical is `logical`. */
int extent_map(struct ext4_inode *inode, uint32_t logical, struct ext4_map *map);
/* Adds [logical, +count), a hole before. The caller stores the inode. */
int extent_insert(
	struct ext4_inode *inode, uint32_t logical, uint64_t block, uint32_t count, bool unwritten);
/* Removes the last piece of [from, to] that has blocks, at most one extent, and frees them.
 * *again: there may be more. */
int extent_remove_last(struct ext4_inode *inode, uint32_t from, uint32_t to, bool *again);
/* Unwritten blocks of [logical, +count), which lie in one extent, become written (or the
 * other way round). */
int extent_mark(struct ext4_inode *inode, uint32_t logical, uint32_t count, bool unwritten);
/* Where blocks for `logical` should lie. */
uint64_t extent_goal(struct ext4_inode *inode, uint32_t logical);

/* ---- directory.c, index.c --------------------------------------------------------- */

struct ext4_found {
	struct ext4_buffer *buffer; /* with a reference */
	struct ext4_directory_entry *entry;
	struct ext4_directory_entry *previous; /* in the same block, or NULL */
};

/* -ENOENT. */
int directory_find(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_found *found);
int directory_add(struct ext4_inode *directory, const char *name, size_t length, uint32_t inode,
	uint16_t mode);
void directory_remove(struct ext4_inode *directory, struct ext4_found *found);
void directory_set(
	struct ext4_inode *directory, struct ext4_found *found, uint32_t inode, uint16_t mode);
/* The first block of a new directory, with "." and "..". */
int directory_make(struct ext4_inode *directory, uint32_t parent);
int directory_find_parent(struct ext4_inode *directory, struct ext4_found *found);
uint8_t directory_type_of(uint16_t mode);

/*
 * Listing: names in the order of their hashes (or of blocks, where there is no index), with
 * positions as in storage.h. A batch is copied with the lock held and told about without it,
 * since telling may fault on a mapping of this volume.
 */
#define EXT4_BATCH_BLOCKS 4
#define EXT4_BATCH_NAMES  (EXT4_BATCH_BLOCKS * 340)

struct index_cursor {
	uint32_t hash, steps;
	uint32_t leaf;      /* its block in the directory */
	uint32_t next_hash; /* that the leaf after it begins with; 0: this is the last */
};

struct ext4_listed {
	uint64_t key; /* the position after the name, minus 3 */
	const struct ext4_directory_entry *entry;
};

struct ext4_name_batch {
	uint32_t count, block_count;
	bool is_last;
	uint64_t next; /* position to go on from */
	struct index_cursor cursor;
	struct ext4_listed names[EXT4_BATCH_NAMES];
	uint8_t blocks[EXT4_BATCH_BLOCKS * 4096]; /* copies: entries point there */
};

int directory_read_batch(
	struct ext4_inode *directory, uint64_t position, struct ext4_name_batch *batch);
/* 0, -ENOTEMPTY, or an error. */
int directory_is_empty(struct ext4_inode *directory, struct ext4_name_batch *batch);
int index_seek(struct ext4_inode *directory, uint32_t hash, struct index_cursor *cursor);
int index_advance(struct ext4_inode *directory, struct index_cursor *cursor);

/* Shared by the two. */
int directory_block(struct ext4_inode *directory, uint32_t logical, enum ext4_buffer_kind kind,
	struct ext4_buffer **buffer);
int directory_grow(struct ext4_inode *directory, enum ext4_buffer_kind kind, uint32_t *logical,
	struct ext4_buffer **buffer);
int directory_find_in(struct ext4_inode *directory, struct ext4_buffer *buffer, const char *name,
	size_t length, struct ext4_found *found);
/* Puts a name into a leaf; -ENOSPC if it has no room. */
int directory_put(struct ext4_inode *directory, struct ext4_buffer *buffer, const char *name,
	size_t length, uint32_t inode, uint16_t mode);
/* Bytes of a leaf for entries; the tail is beyond. */
uint32_t directory_leaf_bytes(const struct ext4 *fs);
void directory_leaf_init(struct ext4 *fs, struct ext4_buffer *buffer);
static inline uint32_t directory_entry_bytes(size_t length)
{
	return (uint32_t)(8 + length + 3) & ~3u;
}

struct ext4_hash {
	uint32_t major, minor;
};
struct ext4_hash directory_hash(
	const struct ext4 *fs, uint8_t version, const char *name, size_t length);
int index_find(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_found *found);
int index_add(struct ext4_inode *directory, const char *name, size_t length, uint32_t inode,
	uint16_t mode);
/* Turns the full first block of a directory into a hash tree. */
int index_make(struct ext4_inode *directory);
uint8_t index_hash_version(struct ext4_inode *directory, int *error);
/* Most entries of the root and of other nodes. */
uint32_t index_root_limit(const struct ext4 *fs);
uint32_t index_node_limit(const struct ext4 *fs);

/* ---- space.c ------------------------------------------------------------------------- */

/* Frees the blocks of [from, to]; takes and leaves the lock itself. */
int space_release(struct ext4_inode *inode, uint32_t from, uint32_t to);
int space_truncate(struct ext4_inode *inode, uint64_t bytes);

/* ---- held.c: without the lock ------------------------------------------------------------- */

/* Begins the write, now or when ext4_submit_held() is called. */
void ext4_hold(struct ext4 *fs, struct ext4_held *held);
void ext4_submit_held(struct ext4 *fs);

/* ---- xattr.c ---------------------------------------------------------------------------- */

int xattrs_release(struct ext4_inode *inode); /* the block of attributes, when it is deleted */
bool xattr_block_is_valid(const struct ext4 *fs, const uint8_t *data);

/* ---- journal.c ------------------------------------------------------------------------ */

/* Takes the lock for an operation that changes something. -EROFS, -EIO. */
int ext4_begin(struct ext4 *fs);
/* `error`: what the operation came to. Returns it. After -EIO, -EUCLEAN, -ENOMEM with changes
 * made, the volume is read-only. */
int ext4_end(struct ext4 *fs, int error);
/* Between parts of a long operation, each consistent: lets others in, may commit. Like end
 * and begin; on errors the lock is not held. */
int ext4_pause(struct ext4 *fs);
void ext4_abort(struct ext4 *fs, const char *why, int error);
void ext4_complain(struct ext4 *fs, const char *format, ...) PRINTF_LIKE(2, 3);

/* The running transaction should end soon: long operations pause. */
bool transaction_is_large(const struct ext4 *fs);
/* Remembers blocks freed in the running transaction. */
int transaction_freed(struct ext4 *fs, uint64_t block, uint32_t count, bool metadata);

/* Finds the journal and reads its super block. */
int journal_load(struct ext4 *fs);
void journal_unload(struct ext4 *fs);
uint64_t journal_block(const struct ext4_journal *journal, uint32_t logical);
int journal_store_super(struct ext4 *fs);
/* Replays the log (recovery.c); afterwards it is empty. */
int journal_recover(struct ext4 *fs);
/* Ready for the first transaction; the log is empty. */
int journal_open(struct ext4 *fs);
bool journal_is_wanted(const struct ext4 *fs); /* by the thread: a commit is due */
bool journal_wants_checkpoint(const struct ext4 *fs);
int journal_checkpoint(struct ext4 *fs); /* without the lock */
uint32_t journal_tag_bytes(const struct ext4_journal *journal);
bool journal_has_sums(const struct ext4_journal *journal);
/* Without the lock: makes transactions up to `sequence` durable. */
int journal_commit(struct ext4 *fs, uint32_t sequence);
/* Without the lock: commits all, brings all home, empties the log. */
int journal_flush(struct ext4 *fs);
/* thread.c: commits in time, and keeps room in the log. */
int journal_start_thread(struct ext4 *fs);
void journal_stop_thread(struct ext4 *fs);
void journal_wake_thread(struct ext4 *fs);

#endif
