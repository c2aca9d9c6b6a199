/*
 * Transactions: operations join the running one, a commit makes it durable, a checkpoint
 * brings it home.
 *
 * A commit closes the running transaction under ext4.lock, copies its blocks, and leaves the
 * lock before it writes: operations go on in the next transaction meanwhile. Then, in order:
 * contents of files that the transaction points to are waited for (ordered mode); the log gets
 * descriptors, copies and revoke records; a flush; the commit block; a flush. Several callers
 * of fsync wait for commit_lock, and the first of them commits for all.
 *
 * Committed buffers are on the checkpoint list, in the order of their last commit. Writing them
 * home from the front lets the log's tail advance. A buffer that the running transaction has
 * changed again cannot be written home, since that would be ahead of the log: so what is too
 * old is brought home when a transaction is closed, before the next one can touch it, if more
 * than 5/8 of the log would be in use. A transaction takes at most a third, so there is room
 * for it even where its own buffers keep the tail from advancing.
 */
#include <stdarg.h>

#include "kernel/fs/ext4/volume.h"
#include "kernel/fs/ext4/journal_format.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/sched/clock.h"
#include "lib/crc32c.h"
#include "lib/endian.h"
#include "lib/format.h"
#include "lib/string.h"

#define MOST_COMPLAINTS  10
#define COMMIT_AFTER_NS  5000000000ull
#define CHECKPOINT_BATCH 256
#define FEW_BLOCKS       1024u /* free ones: busy ones are worth a commit */
#define LARGE_CHUNKS     32
#define HELD_LOOK_NS     2000000

void ext4_complain(struct ext4 *fs, const char *format, ...)
{
	char text[160];
	va_list args;

	if (fs->complaints++ >= MOST_COMPLAINTS)
		return;
	va_start(args, format);
	(void)format_text_args(text, sizeof(text), format, args);
	va_end(args);
	log_notice("ext4 %s: %s", fs->name, text);
}

void ext4_abort(struct ext4 *fs, const char *why, int error)
{
	if (fs->aborted)
		return;
	fs->aborted = true;
	log_notice("ext4 %s: %s (error %d); nothing more is written to it", fs->name, why, -error);
	wait_wake_all(&fs->data_done);
}

/* ---- operations ------------------------------------------------------------------- */

static bool is_empty(const struct ext4_transaction *transaction)
{
	return transaction->buffer_count == 0 && !transaction->freed;
}

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

bool transaction_is_large(const struct ext4 *fs)
{
	const struct ext4_transaction *running = fs->running;

	return running->buffer_count + running->revoke_count / 256 >
		       fs->journal.most_blocks / 8 * 7 ||
	       running->chunk_count > LARGE_CHUNKS;
}

/* Blocks are short, and some could be used again after a commit. */
static bool wants_blocks_back(const struct ext4 *fs)
{
	return fs->busy_blocks > 0 &&
	       fs->free_blocks - fs->busy_blocks < MIN(FEW_BLOCKS, fs->block_count / 64);
}

static int fill_spares(struct ext4 *fs)
{
	while (fs->spare_count < 2) {
		struct ext4_run_chunk *chunk = heap_alloc(sizeof(*chunk));

		if (!chunk)
			return -LINUX_ENOMEM;
		chunk->next = fs->spare_chunks;
		fs->spare_chunks = chunk;
		fs->spare_count++;
	}
	return 0;
}

int ext4_begin(struct ext4 *fs)
{
	int error;

	for (;;) {
		uint32_t sequence;

		mutex_lock(&fs->lock);
		error = fs->aborted || fs->read_only ? -LINUX_EROFS : fill_spares(fs);
		if (error || (!transaction_is_large(fs) && !wants_blocks_back(fs)))
			break;
		sequence = fs->running->sequence;
		mutex_unlock(&fs->lock);
		error = journal_commit(fs, sequence);
		if (error)
			return error;
	}
	fs->changed = false;
	if (error)
		mutex_unlock(&fs->lock);
	return error;
}

int ext4_end(struct ext4 *fs, int error)
{
	if (fs->changed) {
		if (error == -LINUX_EIO || error == EXT4_CORRUPT || error == -LINUX_ENOMEM)
			ext4_abort(fs, "a change could not be completed", error);
		if (fs->oldest_change_ns == 0) {
			WRITE_ONCE(fs->oldest_change_ns, clock_monotonic_ns());
			wait_wake_all(&fs->thread_queue);
		}
		if (fs->running->buffer_count > fs->journal.most_blocks / 2 && !fs->commit_wanted)
			journal_wake_thread(fs);
	}
	mutex_unlock(&fs->lock);
	return error;
}

int ext4_pause(struct ext4 *fs)
{
	(void)ext4_end(fs, 0);
	return ext4_begin(fs);
}

static int add_run(struct ext4_transaction *running, struct ext4 *fs, struct ext4_run run)
{
	struct ext4_run_chunk *chunk = running->freed;

	if (!chunk || chunk->count == EXT4_CHUNK_RUNS) {
		chunk = fs->spare_chunks;
		if (chunk) {
			fs->spare_chunks = chunk->next;
			fs->spare_count--;
		} else {
			chunk = heap_alloc(sizeof(*chunk));
		}
		if (!chunk)
			return -LINUX_ENOMEM;
		chunk->count = 0;
		chunk->next = running->freed;
		running->freed = chunk;
		running->chunk_count++;
	}
	chunk->runs[chunk->count++] = run;
	running->revoke_count += run.metadata;
	return 0;
}

int transaction_freed(struct ext4 *fs, uint64_t block, uint32_t count, bool metadata)
{
	int error = 0;

	if (!metadata)
		return add_run(fs->running, fs, (struct ext4_run){block, count, false});
	for (; count > 0 && !error; block++, count--)
		error = add_run(
			fs->running, fs, (struct ext4_run){block, 1, buffer_forget(fs, block)});
	return error;
}

/* ---- the log on the medium ------------------------------------------------------------ */

uint64_t journal_block(const struct ext4_journal *journal, uint32_t logical)
{
	uint32_t low = 0, high = journal->piece_count;

	while (low + 1 < high) {
		uint32_t middle = (low + high) / 2;

		if (journal->pieces[middle].logical <= logical)
			low = middle;
		else
			high = middle;
	}
	return journal->pieces[low].block + (logical - journal->pieces[low].logical);
}

bool journal_has_sums(const struct ext4_journal *journal)
{
	return (journal->features & (JOURNAL_INCOMPAT_CSUM_V2 | JOURNAL_INCOMPAT_CSUM_V3)) != 0;
}

uint32_t journal_tag_bytes(const struct ext4_journal *journal)
{
	if (journal->features & JOURNAL_INCOMPAT_CSUM_V3)
		return 16;
	return 8 + (journal->features & JOURNAL_INCOMPAT_CSUM_V2 ? 2 : 0) +
	       (journal->features & JOURNAL_INCOMPAT_64BIT ? 4 : 0);
}

int journal_store_super(struct ext4 *fs)
{
	struct ext4_journal *journal = &fs->journal;
	uint8_t *super = journal->super;

	store_be32(super + JOURNAL_SUPER_START, journal->is_empty ? 0 : journal->tail);
	store_be32(super + JOURNAL_SUPER_SEQUENCE, journal->tail_sequence);
	store_be32(super + JOURNAL_SUPER_INCOMPATIBLE, journal->features);
	if (journal_has_sums(journal)) {
		super[JOURNAL_SUPER_CHECKSUM_TYPE] = 4;
		store_be32(super + JOURNAL_SUPER_CHECKSUM, 0);
		store_be32(super + JOURNAL_SUPER_CHECKSUM, crc32c(~0u, super, JOURNAL_SUPER_BYTES));
	}
	return block_store(fs, journal_block(journal, 0), super, true);
}

static uint32_t log_size(const struct ext4_journal *journal)
{
	return journal->block_count - journal->first;
}

static uint32_t log_used(const struct ext4_journal *journal)
{
	if (journal->is_empty)
		return 0;
	return (journal->head + log_size(journal) - journal->tail) % log_size(journal);
}

static uint32_t log_advance(struct ext4_journal *journal)
{
	uint32_t at = journal->head;

	journal->head = at + 1 == journal->block_count ? journal->first : at + 1;
	return at;
}

/* ---- commit ------------------------------------------------------------------------------- */

struct logged {
	struct ext4_buffer *buffer;
	uint8_t *memory; /* what goes into the log: a copy, or the buffer's own */
	bool escaped;
};

struct commit {
	struct ext4 *fs;
	struct ext4_transaction *transaction;
	struct logged *logged;
	uint32_t count;
	uint32_t start; /* in the log */
	bool is_locked; /* no memory for copies: ext4.lock is held all the time */
	uint8_t *block; /* for descriptors, revoke records and the commit block */
	struct ext4_transfer *transfers;
};

static void update_super(struct ext4 *fs)
{
	struct ext4_super *super = fs->super;

	super->free_blocks_lo = (uint32_t)fs->free_blocks;
	if (fs->incompatible & EXT4_INCOMPAT_64BIT)
		super->free_blocks_hi = (uint32_t)(fs->free_blocks >> 32);
	super->free_inodes = fs->free_inodes;
	super->write_time = (uint32_t)(ext4_now_ns() / 1000000000);
}

/* Sums of bitmaps are in the descriptors of groups, which may join by that. */
static void seal_all(struct ext4 *fs)
{
	struct list *buffers = &fs->running->buffers;

	LIST_FOR_EACH (link, buffers) {
		struct ext4_buffer *buffer = LIST_ENTRY(link, struct ext4_buffer, transaction_link);

		if (buffer->kind == BUFFER_BLOCK_BITMAP || buffer->kind == BUFFER_INODE_BITMAP)
			buffer_seal(fs, buffer);
	}
	LIST_FOR_EACH (link, buffers) {
		struct ext4_buffer *buffer = LIST_ENTRY(link, struct ext4_buffer, transaction_link);

		if (buffer->kind == BUFFER_SUPER)
			update_super(fs);
		if (buffer->kind != BUFFER_BLOCK_BITMAP && buffer->kind != BUFFER_INODE_BITMAP)
			buffer_seal(fs, buffer);
	}
}

static void take_buffers(struct commit *commit)
{
	struct list *buffers = &commit->transaction->buffers;
	struct list *first;

	commit->count = 0;
	while ((first = list_first(buffers)) != NULL) {
		struct ext4_buffer *buffer =
			LIST_ENTRY(first, struct ext4_buffer, transaction_link);

		list_remove(first);
		buffer->joined = false;
		buffer->fresh = false;
		buffer->committing = true;
		buffer->references++;
		commit->logged[commit->count++] =
			(struct logged){.buffer = buffer, .memory = buffer->data};
	}
	commit->transaction->buffer_count = 0;
}

static void free_copies(struct commit *commit)
{
	for (uint32_t i = 0; i < commit->count; i++) {
		struct logged *logged = &commit->logged[i];

		if (logged->memory != logged->buffer->data)
			block_memory_free(commit->fs, logged->memory);
		logged->memory = logged->buffer->data;
	}
}

static void copy_buffers(struct commit *commit)
{
	for (uint32_t i = 0; i < commit->count; i++) {
		uint8_t *copy = block_memory_alloc(commit->fs);

		if (!copy) {
			free_copies(commit);
			commit->is_locked = true;
			return;
		}
		memcpy(copy, commit->logged[i].buffer->data, commit->fs->block_bytes);
		commit->logged[i].memory = copy;
	}
}

/* A block that begins like one of the journal's own is stored without that. */
static void escape(struct commit *commit, bool back)
{
	for (uint32_t i = 0; i < commit->count; i++) {
		struct logged *logged = &commit->logged[i];

		if (back ? logged->escaped : load_be32(logged->memory) == JOURNAL_MAGIC) {
			store_be32(logged->memory, back ? JOURNAL_MAGIC : 0);
			logged->escaped = !back;
		}
	}
}

static void open_transaction(struct ext4 *fs)
{
	struct ext4_transaction *last = fs->running;
	struct ext4_transaction *next = &fs->transactions[last == &fs->transactions[0]];

	next->sequence = last->sequence + 1;
	next->buffer_count = next->revoke_count = next->chunk_count = 0;
	next->freed = NULL;
	next->data_failed = false;
	list_init(&next->buffers);
	fs->running = next;
	fs->oldest_change_ns = 0;
	fs->commit_wanted = false;
}

static void wait_for_data(struct ext4 *fs, struct ext4_transaction *transaction)
{
	struct waiter waiter;

	if (__atomic_load_n(&transaction->data_pending, __ATOMIC_ACQUIRE) == 0)
		return;
	waiter_init(&waiter);
	wait_add(&fs->data_done, &waiter);
	while (__atomic_load_n(&transaction->data_pending, __ATOMIC_ACQUIRE) != 0) {
		/* Write-back may hold some only now, and then wait for this commit. */
		ext4_submit_held(fs);
		thread_sleep(clock_monotonic_ns() + HELD_LOOK_NS);
	}
	wait_remove(&fs->data_done, &waiter);
}

static void begin_block(struct commit *commit, enum journal_block_type type)
{
	memset(commit->block, 0, commit->fs->block_bytes);
	store_be32(commit->block + JOURNAL_AT_MAGIC, JOURNAL_MAGIC);
	store_be32(commit->block + JOURNAL_AT_TYPE, type);
	store_be32(commit->block + JOURNAL_AT_SEQUENCE, commit->transaction->sequence);
}

/* The sum at the end of descriptors and revoke records. */
static void seal_block(struct commit *commit)
{
	struct ext4 *fs = commit->fs;
	uint8_t *tail = commit->block + fs->block_bytes - JOURNAL_TAIL_BYTES;

	if (journal_has_sums(&fs->journal))
		store_be32(tail, crc32c(fs->journal.seed, commit->block, fs->block_bytes));
}

static void store_tag(
	struct commit *commit, uint8_t *tag, const struct logged *logged, uint32_t flags)
{
	const struct ext4_journal *journal = &commit->fs->journal;
	uint8_t sequence[4];
	uint32_t sum = 0;

	flags |= JOURNAL_TAG_SAME_UUID | (logged->escaped ? JOURNAL_TAG_ESCAPED : 0);
	if (journal_has_sums(journal)) {
		store_be32(sequence, commit->transaction->sequence);
		sum = crc32c(crc32c(journal->seed, sequence, 4), logged->memory,
			commit->fs->block_bytes);
	}
	store_be32(tag, (uint32_t)logged->buffer->block);
	if (journal->features & JOURNAL_INCOMPAT_CSUM_V3) {
		store_be32(tag + 4, flags);
		store_be32(tag + 8, (uint32_t)(logged->buffer->block >> 32));
		store_be32(tag + 12, sum);
		return;
	}
	store_be16(tag + 4, (uint16_t)sum);
	store_be16(tag + 6, (uint16_t)flags);
	if (journal->features & JOURNAL_INCOMPAT_64BIT)
		store_be32(tag + 8, (uint32_t)(logged->buffer->block >> 32));
}

static uint32_t tags_per_block(const struct ext4 *fs)
{
	return (fs->block_bytes - JOURNAL_HEADER_BYTES - 16 - JOURNAL_TAIL_BYTES) /
	       journal_tag_bytes(&fs->journal);
}

/* A descriptor and the blocks it tells of, from `from` on. Returns how many. */
static int write_part(struct commit *commit, uint32_t from, uint32_t *written)
{
	struct ext4 *fs = commit->fs;
	uint32_t count = MIN(commit->count - from, tags_per_block(fs));
	uint8_t *at = commit->block + JOURNAL_HEADER_BYTES;

	begin_block(commit, JOURNAL_DESCRIPTOR);
	commit->transfers[0] = (struct ext4_transfer){
		journal_block(&fs->journal, log_advance(&fs->journal)), commit->block};
	for (uint32_t i = 0; i < count; i++) {
		const struct logged *logged = &commit->logged[from + i];

		store_tag(commit, at, logged, i + 1 == count ? JOURNAL_TAG_LAST : 0);
		at += journal_tag_bytes(&fs->journal);
		if (i == 0) {
			/* The first tag has the UUID after it; byte 7 ends the flags. */
			commit->block[JOURNAL_HEADER_BYTES + 7] &= (uint8_t)~JOURNAL_TAG_SAME_UUID;
			memcpy(at, fs->journal.super + JOURNAL_SUPER_UUID, 16);
			at += 16;
		}
		commit->transfers[i + 1] = (struct ext4_transfer){
			journal_block(&fs->journal, log_advance(&fs->journal)), logged->memory};
	}
	seal_block(commit);
	*written = count;
	return blocks_transfer(fs, commit->transfers, count + 1, true);
}

static int write_blocks(struct commit *commit)
{
	uint32_t written = 0;
	int error = 0;

	for (uint32_t at = 0; at < commit->count && !error; at += written)
		error = write_part(commit, at, &written);
	return error;
}

static int store_revokes(struct commit *commit, uint32_t used)
{
	struct ext4 *fs = commit->fs;

	store_be32(commit->block + JOURNAL_REVOKE_COUNT, used);
	seal_block(commit);
	return block_store(
		fs, journal_block(&fs->journal, log_advance(&fs->journal)), commit->block, false);
}

static int write_revokes(struct commit *commit)
{
	struct ext4 *fs = commit->fs;
	uint32_t size = fs->journal.features & JOURNAL_INCOMPAT_64BIT ? 8 : 4;
	uint32_t used = 0, most = fs->block_bytes - JOURNAL_TAIL_BYTES;
	int error = 0;

	for (struct ext4_run_chunk *chunk = commit->transaction->freed; chunk; chunk = chunk->next)
		for (uint32_t i = 0; i < chunk->count && !error; i++) {
			uint64_t block = chunk->runs[i].block;

			if (!chunk->runs[i].metadata)
				continue;
			if (used != 0 && used + size > most) {
				error = store_revokes(commit, used);
				used = 0;
			}
			if (used == 0) {
				begin_block(commit, JOURNAL_REVOKE);
				used = JOURNAL_REVOKE_COUNT + 4;
			}
			if (size == 8)
				store_be32(commit->block + used, (uint32_t)(block >> 32));
			store_be32(commit->block + used + size - 4, (uint32_t)block);
			used += size;
		}
	return used != 0 && !error ? store_revokes(commit, used) : error;
}

static int write_commit_block(struct commit *commit)
{
	struct ext4 *fs = commit->fs;
	uint64_t now = (uint64_t)ext4_now_ns(), seconds = now / 1000000000;
	int error = blocks_flush(fs);

	if (error)
		return error;
	begin_block(commit, JOURNAL_COMMIT);
	store_be32(commit->block + JOURNAL_COMMIT_SECONDS, (uint32_t)(seconds >> 32));
	store_be32(commit->block + JOURNAL_COMMIT_SECONDS + 4, (uint32_t)seconds);
	store_be32(commit->block + JOURNAL_COMMIT_NANOSECONDS, (uint32_t)(now % 1000000000));
	if (journal_has_sums(&fs->journal))
		store_be32(commit->block + JOURNAL_COMMIT_CHECKSUM,
			crc32c(fs->journal.seed, commit->block, fs->block_bytes));
	return block_store(
		fs, journal_block(&fs->journal, log_advance(&fs->journal)), commit->block, true);
}

/* The log is no longer empty: recovery will look for this transaction. */
static int announce(struct commit *commit)
{
	struct ext4_journal *journal = &commit->fs->journal;

	if (!journal->is_empty)
		return 0;
	journal->is_empty = false;
	journal->tail = journal->head;
	journal->tail_sequence = commit->transaction->sequence;
	return journal_store_super(commit->fs);
}

static int write_log(struct commit *commit)
{
	int error = announce(commit);

	commit->start = commit->fs->journal.head;
	if (!error)
		error = write_revokes(commit);
	if (!error)
		error = write_blocks(commit);
	return error ? error : write_commit_block(commit);
}

static void free_chunks(struct ext4_transaction *transaction)
{
	while (transaction->freed) {
		struct ext4_run_chunk *chunk = transaction->freed;

		transaction->freed = chunk->next;
		heap_free(chunk);
	}
}

/* With the lock: the transaction is durable, or never will be. */
static void finish(struct commit *commit, int error)
{
	struct ext4 *fs = commit->fs;
	struct ext4_transaction *transaction = commit->transaction;

	for (uint32_t i = 0; i < commit->count; i++) {
		struct ext4_buffer *buffer = commit->logged[i].buffer;

		buffer->committing = false;
		buffer->references--;
		list_remove(&buffer->checkpoint_link);
		list_add_last(&fs->checkpoint, &buffer->checkpoint_link);
		buffer->logged = transaction->sequence;
		buffer->logged_at = commit->start;
	}
	if (error) {
		ext4_abort(fs, "the journal cannot be written", error);
		return;
	}
	fs->committed = transaction->sequence;
	blocks_unbusy(fs, transaction->freed);
	for (struct ext4_run_chunk *chunk = transaction->freed; chunk; chunk = chunk->next)
		for (uint32_t i = 0; i < chunk->count; i++)
			if (chunk->runs[i].metadata)
				buffer_bury(fs, chunk->runs[i].block);
	free_chunks(transaction);
}

static uint32_t log_need(
	const struct ext4 *fs, const struct ext4_transaction *transaction, uint32_t buffers)
{
	return buffers + buffers / tags_per_block(fs) + 1 +
	       transaction->revoke_count / ((fs->block_bytes - 20) / 8) + 1 + 2;
}

static int checkpoint(struct ext4 *fs, bool is_locked);

static int prepare(struct commit *commit)
{
	struct ext4 *fs = commit->fs;
	uint32_t count = fs->running->buffer_count;

	commit->logged = heap_alloc((count + 1) * sizeof(commit->logged[0]));
	commit->transfers =
		heap_alloc((MIN(count, tags_per_block(fs)) + 1) * sizeof(commit->transfers[0]));
	commit->block = block_memory_alloc(fs);
	return commit->logged && commit->transfers && commit->block ? 0 : -LINUX_ENOMEM;
}

static void clean_up(struct commit *commit)
{
	if (commit->logged)
		free_copies(commit);
	heap_free(commit->logged);
	heap_free(commit->transfers);
	block_memory_free(commit->fs, commit->block);
}

/* With both locks; leaves ext4.lock. */
static int commit_running(struct ext4 *fs)
{
	struct commit commit = {.fs = fs, .transaction = fs->running};
	uint32_t need;
	int error;

	seal_all(fs);
	error = prepare(&commit);
	if (error) {
		clean_up(&commit);
		mutex_unlock(&fs->lock);
		return error; /* the transaction goes on */
	}
	take_buffers(&commit);
	need = log_need(fs, commit.transaction, commit.count);
	if (log_used(&fs->journal) + need > log_size(&fs->journal) / 8 * 5)
		error = checkpoint(fs, true);
	if (!error && log_used(&fs->journal) + need >= log_size(&fs->journal))
		error = -LINUX_EIO; /* cannot be: see the top */
	open_transaction(fs);
	copy_buffers(&commit);
	escape(&commit, false);
	if (!commit.is_locked)
		mutex_unlock(&fs->lock);
	wait_for_data(fs, commit.transaction);
	if (!error)
		error = write_log(&commit);
	if (!commit.is_locked)
		mutex_lock(&fs->lock);
	else
		escape(&commit, true);
	free_copies(&commit);
	finish(&commit, error);
	mutex_unlock(&fs->lock);
	clean_up(&commit);
	return error ? -LINUX_EIO : 0;
}

int journal_commit(struct ext4 *fs, uint32_t sequence)
{
	int error = 0;

	ext4_submit_held(fs);
	mutex_lock(&fs->commit_lock);
	mutex_lock(&fs->lock);
	if (!is_after(sequence, fs->committed) ||
		(sequence == fs->running->sequence && is_empty(fs->running)))
		mutex_unlock(&fs->lock); /* another did it */
	else if (fs->aborted) {
		error = -LINUX_EIO;
		mutex_unlock(&fs->lock);
	} else {
		error = commit_running(fs);
	}
	mutex_unlock(&fs->commit_lock);
	return error;
}

/* ---- checkpoint ---------------------------------------------------------------------------- */

struct checkpoint {
	struct ext4 *fs;
	bool is_locked;
	uint32_t count;
	struct ext4_buffer *buffers[CHECKPOINT_BATCH];
	struct ext4_transfer transfers[CHECKPOINT_BATCH];
	uint8_t *copies[CHECKPOINT_BATCH];
};

/* With the lock, which it leaves meanwhile if it may and could copy. */
static int write_home(struct checkpoint *batch)
{
	struct ext4 *fs = batch->fs;
	bool copied = !batch->is_locked;
	int error;

	for (uint32_t i = 0; i < batch->count; i++) {
		struct ext4_buffer *buffer = batch->buffers[i];

		batch->copies[i] = copied ? block_memory_alloc(fs) : NULL;
		copied = copied && batch->copies[i];
		if (batch->copies[i])
			memcpy(batch->copies[i], buffer->data, fs->block_bytes);
		batch->transfers[i] = (struct ext4_transfer){
			buffer->block, batch->copies[i] ? batch->copies[i] : buffer->data};
	}
	if (copied)
		mutex_unlock(&fs->lock);
	error = blocks_transfer(fs, batch->transfers, batch->count, true);
	if (copied)
		mutex_lock(&fs->lock);
	for (uint32_t i = 0; i < batch->count; i++) {
		block_memory_free(fs, batch->copies[i]);
		if (!error)
			list_remove(&batch->buffers[i]->checkpoint_link);
	}
	batch->count = 0;
	return error;
}

static int publish_tail(struct ext4 *fs, bool is_locked)
{
	struct ext4_journal *journal = &fs->journal;
	struct list *first = list_first(&fs->checkpoint);
	uint32_t tail = journal->head, sequence = fs->committed + 1;
	int error;

	if (first) {
		const struct ext4_buffer *oldest =
			LIST_ENTRY(first, struct ext4_buffer, checkpoint_link);

		tail = oldest->logged_at;
		sequence = oldest->logged;
	}
	if (journal->is_empty || (tail == journal->tail && first))
		return 0;
	if (!is_locked)
		mutex_unlock(&fs->lock);
	error = blocks_flush(fs); /* home before the log forgets */
	if (!error) {
		journal->tail = tail;
		journal->tail_sequence = sequence;
		journal->is_empty = !first;
		error = journal_store_super(fs);
	}
	if (!is_locked)
		mutex_lock(&fs->lock);
	return error;
}

/* With both locks; `is_locked`: ext4.lock may not be left meanwhile. */
static int checkpoint(struct ext4 *fs, bool is_locked)
{
	struct checkpoint *batch = heap_alloc(sizeof(*batch));
	int error = 0;

	if (!batch)
		return -LINUX_ENOMEM;
	batch->fs = fs;
	batch->is_locked = is_locked;
	batch->count = 0;
	/* Only commits change the list's order, and commit_lock keeps them out. */
	LIST_FOR_EACH_SAFE (link, after, &fs->checkpoint) {
		struct ext4_buffer *buffer = LIST_ENTRY(link, struct ext4_buffer, checkpoint_link);

		if (error || fs->aborted)
			break;
		/* A dead one was perhaps changed before it was freed, by the same transaction. */
		if (buffer->joined || buffer->committing || buffer->dead)
			continue;
		batch->buffers[batch->count++] = buffer;
		if (batch->count == CHECKPOINT_BATCH)
			error = write_home(batch);
	}
	if (!error && batch->count > 0 && !fs->aborted)
		error = write_home(batch);
	heap_free(batch);
	if (!error && !fs->aborted)
		error = publish_tail(fs, is_locked);
	if (error)
		ext4_abort(fs, "metadata cannot be written", error);
	return error;
}

int journal_checkpoint(struct ext4 *fs)
{
	int error = 0;

	mutex_lock(&fs->commit_lock);
	mutex_lock(&fs->lock);
	if (!fs->aborted && !fs->read_only)
		error = checkpoint(fs, false);
	mutex_unlock(&fs->lock);
	mutex_unlock(&fs->commit_lock);
	return error;
}

int journal_flush(struct ext4 *fs)
{
	int error = journal_commit(fs, fs->running->sequence);

	return error ? error : journal_checkpoint(fs);
}

bool journal_is_wanted(const struct ext4 *fs)
{
	return READ_ONCE(fs->commit_wanted) ||
	       (fs->oldest_change_ns != 0 &&
		       clock_monotonic_ns() - fs->oldest_change_ns >= COMMIT_AFTER_NS);
}

bool journal_wants_checkpoint(const struct ext4 *fs)
{
	return log_used(&fs->journal) > log_size(&fs->journal) / 2;
}

/* ---- fsync ---------------------------------------------------------------------------------- */

int ext4_sync(struct ext4 *fs)
{
	uint32_t sequence;
	bool is_idle;
	int error;

	if (fs->read_only)
		return 0;
	mutex_lock(&fs->lock);
	sequence = fs->running->sequence;
	is_idle = is_empty(fs->running);
	error = fs->aborted ? -LINUX_EIO : 0;
	mutex_unlock(&fs->lock);
	if (error)
		return error;
	if (!is_idle)
		return journal_commit(fs, sequence);
	/* One may be under way. */
	mutex_lock(&fs->commit_lock);
	mutex_unlock(&fs->commit_lock);
	return blocks_flush(fs);
}

int ext4_sync_inode(struct ext4_inode *inode, bool data_only)
{
	struct ext4 *fs = inode->fs;
	uint32_t sequence;
	bool is_due;
	int error;

	if (fs->read_only)
		return 0;
	mutex_lock(&fs->lock);
	sequence = data_only ? inode->data_changed_in : inode->changed_in;
	is_due = sequence != 0 && is_after(sequence, fs->committed);
	error = fs->aborted ? -LINUX_EIO : 0;
	mutex_unlock(&fs->lock);
	if (error)
		return error;
	return is_due ? journal_commit(fs, sequence) : blocks_flush(fs);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

/* Where the blocks of the journal are, so that commits need no look at its inode. */
static int find_pieces(struct ext4 *fs, struct ext4_inode *inode)
{
	struct ext4_journal *journal = &fs->journal;
	uint32_t total = (uint32_t)(inode->size >> fs->block_shift), capacity = 64, logical = 0;

	journal->pieces = heap_alloc(capacity * sizeof(journal->pieces[0]));
	while (journal->pieces && logical < total) {
		struct ext4_map map;
		int error = extent_map(inode, logical, &map);

		if (error || map.state != EXT4_MAP_WRITTEN)
			return error ? error : EXT4_CORRUPT;
		if (journal->piece_count == capacity) {
			void *larger =
				heap_resize(journal->pieces, capacity * sizeof(journal->pieces[0]),
					capacity * 2 * sizeof(journal->pieces[0]));

			if (!larger)
				return -LINUX_ENOMEM;
			journal->pieces = larger;
			capacity *= 2;
		}
		journal->pieces[journal->piece_count++] =
			(struct ext4_journal_piece){logical, map.count, map.block};
		logical += map.count;
	}
	journal->block_count = total;
	return journal->pieces ? 0 : -LINUX_ENOMEM;
}

static int check_super(struct ext4 *fs)
{
	struct ext4_journal *journal = &fs->journal;
	uint8_t *super = journal->super;
	uint32_t known = JOURNAL_INCOMPAT_REVOKE | JOURNAL_INCOMPAT_64BIT |
			 JOURNAL_INCOMPAT_CSUM_V2 | JOURNAL_INCOMPAT_CSUM_V3 |
			 JOURNAL_INCOMPAT_ASYNC_COMMIT;
	uint32_t blocks = load_be32(super + JOURNAL_SUPER_BLOCK_COUNT);
	uint32_t sum = load_be32(super + JOURNAL_SUPER_CHECKSUM);

	if (load_be32(super) != JOURNAL_MAGIC ||
		load_be32(super + JOURNAL_AT_TYPE) != JOURNAL_SUPER_V2 ||
		load_be32(super + JOURNAL_SUPER_BLOCK_BYTES) != fs->block_bytes)
		return EXT4_CORRUPT;
	journal->features = load_be32(super + JOURNAL_SUPER_INCOMPATIBLE);
	if (journal->features & ~known) {
		ext4_complain(fs, "the journal has features unknown here (%x): run e2fsck first",
			journal->features & ~known);
		return -LINUX_EINVAL;
	}
	if (journal_has_sums(journal)) {
		store_be32(super + JOURNAL_SUPER_CHECKSUM, 0);
		if (crc32c(~0u, super, JOURNAL_SUPER_BYTES) != sum)
			return EXT4_CORRUPT;
	}
	journal->seed = crc32c(~0u, super + JOURNAL_SUPER_UUID, 16);
	journal->first = load_be32(super + JOURNAL_SUPER_FIRST);
	journal->tail = load_be32(super + JOURNAL_SUPER_START);
	journal->tail_sequence = load_be32(super + JOURNAL_SUPER_SEQUENCE);
	journal->is_empty = journal->tail == 0;
	if (blocks > journal->block_count || blocks < 64 || journal->first == 0 ||
		journal->first >= blocks - 32 || journal->tail >= blocks ||
		(!journal->is_empty && journal->tail < journal->first))
		return EXT4_CORRUPT;
	journal->block_count = blocks;
	return 0;
}

int journal_load(struct ext4 *fs)
{
	struct ext4_inode inode;
	int error = inode_load(fs, EXT4_JOURNAL_INODE, &inode);

	if (error)
		return error;
	if (inode.size >> fs->block_shift > UINT32_MAX / 2 || inode.size < fs->block_bytes)
		error = EXT4_CORRUPT;
	if (!error)
		error = find_pieces(fs, &inode);
	inode_unload(&inode);
	if (error)
		return error;
	fs->journal.super = block_memory_alloc(fs);
	if (!fs->journal.super)
		return -LINUX_ENOMEM;
	error = block_read(fs->device, journal_block(&fs->journal, 0) << fs->block_shift,
		fs->journal.super, fs->block_bytes);
	return error ? error : check_super(fs);
}

int journal_open(struct ext4 *fs)
{
	struct ext4_journal *journal = &fs->journal;
	struct page_counts counts;
	uint32_t third = log_size(journal) / 3;

	page_alloc_counts(&counts);
	/* Copies of a whole transaction must have room in memory. */
	journal->most_blocks = (uint32_t)MIN(third, MAX(counts.total_pages / 16, 64));
	journal->most_blocks = MIN(journal->most_blocks, 8192);
	journal->head = journal->first;
	journal->features |= JOURNAL_INCOMPAT_REVOKE;
	if (fs->incompatible & EXT4_INCOMPAT_64BIT)
		journal->features |= JOURNAL_INCOMPAT_64BIT;
	journal->features &= ~(uint32_t)(JOURNAL_INCOMPAT_CSUM_V2 | JOURNAL_INCOMPAT_ASYNC_COMMIT);
	if (fs->has_checksums) {
		journal->features |= JOURNAL_INCOMPAT_CSUM_V3;
		store_be32(journal->super + JOURNAL_SUPER_COMPATIBLE,
			load_be32(journal->super + JOURNAL_SUPER_COMPATIBLE) &
				~(uint32_t)JOURNAL_COMPAT_CHECKSUM);
	}
	fs->running = &fs->transactions[0];
	fs->running->sequence = journal->tail_sequence != 0 ? journal->tail_sequence : 1;
	fs->committed = fs->running->sequence - 1;
	list_init(&fs->running->buffers);
	list_init(&fs->checkpoint);
	return 0;
}

void journal_unload(struct ext4 *fs)
{
	for (int i = 0; i < 2; i++)
		free_chunks(&fs->transactions[i]);
	while (fs->spare_chunks) {
		struct ext4_run_chunk *chunk = fs->spare_chunks;

		fs->spare_chunks = chunk->next;
		heap_free(chunk);
	}
	fs->spare_count = 0;
	heap_free(fs->journal.pieces);
	block_memory_free(fs, fs->journal.super);
	fs->journal.pieces = NULL;
	fs->journal.super = NULL;
	fs->journal.piece_count = 0;
}
