/*
 * The table of descriptors.
 *
 * Slots live in chunks that are never moved or freed, so a lookup takes no lock: it
 * reads the slot, raises the count of the file unless it is zero, and reads the slot
 * again. The memory of files is only reused for files (file.c), so that the count
 * may be touched even when the file was closed in between.
 */
#include "kernel/fs/file.h"
#include "kernel/fs/file_lock.h"
#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "kernel/rlimit.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"

#define CHUNK_SLOTS 256
#define CHUNK_COUNT (FD_LIMIT_DEFAULT / CHUNK_SLOTS)
#define WORD_COUNT  (FD_LIMIT_DEFAULT / 64)

/* A slot is the address of a file, plus CLOSE_ON_EXEC. 0: free. */
#define CLOSE_ON_EXEC 1ul

struct chunk {
	uintptr_t slots[CHUNK_SLOTS];
};

/* `lock` (rank 10) guards everything; slots and chunks are also read without it. */
static struct {
	struct spinlock lock;
	uint32_t count;
	uint32_t lowest_word; /* every word before it is full */
	uint32_t word_limit;  /* no word at or after it was ever used */
	struct chunk *chunks[CHUNK_COUNT];
	uint64_t used[WORD_COUNT]; /* one bit a descriptor */
} table LARGE_TABLE;

static struct file *slot_file(uintptr_t slot)
{
	return (struct file *)(slot & ~CLOSE_ON_EXEC);
}

void fd_table_clear(void)
{
	fd_close_range(0, UINT32_MAX, false);
	for (uint32_t i = 0; i < CHUNK_COUNT; i++) {
		heap_free(table.chunks[i]);
		table.chunks[i] = NULL;
	}
	table.lowest_word = 0;
}

static uintptr_t *slot_of(int fd)
{
	struct chunk *chunk;

	if ((unsigned)fd >= FD_LIMIT_DEFAULT)
		return NULL;
	chunk = __atomic_load_n(&table.chunks[(unsigned)fd / CHUNK_SLOTS], __ATOMIC_ACQUIRE);
	return chunk ? &chunk->slots[(unsigned)fd % CHUNK_SLOTS] : NULL;
}

struct file *fd_get(int fd)
{
	const uintptr_t *slot = slot_of(fd);

	if (!slot)
		return NULL;
	for (;;) {
		struct file *file = slot_file(__atomic_load_n(slot, __ATOMIC_ACQUIRE));

		if (!file)
			return NULL;
		if (!file_acquire_unless_dead(file))
			continue;
		if (LIKELY(slot_file(__atomic_load_n(slot, __ATOMIC_ACQUIRE)) == file))
			return file;
		file_release(file);
	}
}

/* The slot of `fd`, made if need be. NULL: no memory. */
static uintptr_t *make_slot_locked(int fd)
{
	struct chunk **chunk = &table.chunks[(unsigned)fd / CHUNK_SLOTS];

	if (!*chunk) {
		struct chunk *fresh = heap_zalloc(sizeof(*fresh));

		if (!fresh)
			return NULL;
		__atomic_store_n(chunk, fresh, __ATOMIC_RELEASE);
	}
	return &(*chunk)->slots[(unsigned)fd % CHUNK_SLOTS];
}

static int lowest_free_locked(unsigned least)
{
	unsigned word = least / 64;

	if (word <= table.lowest_word) {
		if (word < table.lowest_word)
			least = table.lowest_word * 64;
		word = table.lowest_word;
	}
	for (uint64_t mask = ~0ull << (least % 64); word < WORD_COUNT; word++, mask = ~0ull) {
		uint64_t available = ~table.used[word] & mask;

		if (available)
			return (int)(word * 64 + (unsigned)__builtin_ctzll(available));
		if (word == table.lowest_word && table.used[word] == ~0ull)
			table.lowest_word++;
	}
	return -LINUX_EMFILE;
}

static void fill_slot_locked(uintptr_t *slot, int fd, struct file *file, bool close_on_exec)
{
	if (!*slot) {
		table.used[fd / 64] |= 1ull << (fd % 64);
		table.word_limit = MAX(table.word_limit, (uint32_t)fd / 64 + 1);
		table.count++;
	}
	__atomic_store_n(
		slot, (uintptr_t)file | (close_on_exec ? CLOSE_ON_EXEC : 0), __ATOMIC_RELEASE);
}

/* Takes the file out; the caller drops the reference after unlocking. */
static struct file *clear_slot_locked(uintptr_t *slot, int fd)
{
	struct file *file = slot_file(*slot);

	if (!file)
		return NULL;
	__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
	table.used[fd / 64] &= ~(1ull << (fd % 64));
	table.count--;
	if ((unsigned)fd / 64 < table.lowest_word)
		table.lowest_word = (unsigned)fd / 64;
	return file;
}

static uint64_t limit(void)
{
	return MIN(rlimit_nofile(), FD_LIMIT_DEFAULT);
}

int fd_install(struct file *file, int least, bool close_on_exec)
{
	uint64_t fd_limit = limit();
	uintptr_t *slot;
	int fd;

	if (least < 0 || (uint64_t)least >= fd_limit)
		return -LINUX_EMFILE;
	spin_lock(&table.lock);
	fd = lowest_free_locked((unsigned)least);
	if (fd >= 0 && (uint64_t)fd >= fd_limit)
		fd = -LINUX_EMFILE;
	if (fd >= 0) {
		slot = make_slot_locked(fd);
		if (slot)
			fill_slot_locked(slot, fd, file, close_on_exec);
		else
			fd = -LINUX_ENOMEM;
	}
	spin_unlock(&table.lock);
	return fd;
}

static void close_file(struct file *file)
{
	if (file->ops->close_descriptor)
		file->ops->close_descriptor(file);
	file_lock_close_descriptor(file);
	file_release(file);
}

int fd_install_at(struct file *file, int fd, bool close_on_exec)
{
	struct file *old = NULL;
	uintptr_t *slot;

	if (fd < 0 || (uint64_t)fd >= limit())
		return -LINUX_EBADF;
	spin_lock(&table.lock);
	slot = make_slot_locked(fd);
	if (slot) {
		old = slot_file(*slot);
		fill_slot_locked(slot, fd, file, close_on_exec);
	}
	spin_unlock(&table.lock);
	if (old)
		close_file(old);
	return slot ? fd : -LINUX_ENOMEM;
}

int fd_close(int fd)
{
	uintptr_t *slot = slot_of(fd);
	struct file *file;

	if (!slot)
		return -LINUX_EBADF;
	spin_lock(&table.lock);
	file = clear_slot_locked(slot, fd);
	spin_unlock(&table.lock);
	if (!file)
		return -LINUX_EBADF;
	close_file(file);
	return 0;
}

int fd_close_range(unsigned first, unsigned last, bool only_mark)
{
	if (first > last)
		return -LINUX_EINVAL;
	if (first >= FD_LIMIT_DEFAULT)
		return 0;
	for (int fd = fd_next_open((int)first); fd >= 0 && (unsigned)fd <= last;
		fd = fd_next_open(fd + 1)) {
		if (only_mark)
			fd_set_flags(fd, LINUX_FD_CLOEXEC);
		else
			fd_close(fd);
	}
	return 0;
}

int fd_get_flags(int fd)
{
	const uintptr_t *slot = slot_of(fd);
	uintptr_t value = slot ? READ_ONCE(*slot) : 0;

	if (!value)
		return -LINUX_EBADF;
	return value & CLOSE_ON_EXEC ? LINUX_FD_CLOEXEC : 0;
}

int fd_set_flags(int fd, int flags)
{
	uintptr_t *slot = slot_of(fd);
	int error = -LINUX_EBADF;

	if (!slot)
		return error;
	spin_lock(&table.lock);
	if (*slot) {
		uintptr_t mark = flags & LINUX_FD_CLOEXEC ? CLOSE_ON_EXEC : 0;

		__atomic_store_n(slot, (*slot & ~CLOSE_ON_EXEC) | mark, __ATOMIC_RELEASE);
		error = 0;
	}
	spin_unlock(&table.lock);
	return error;
}

int fd_next_open(int fd)
{
	unsigned from = fd < 0 ? 0 : (unsigned)fd;
	uint64_t mask = ~0ull << (from % 64);

	for (unsigned word = from / 64; word < READ_ONCE(table.word_limit); word++, mask = ~0ull) {
		uint64_t used = READ_ONCE(table.used[word]) & mask;

		if (used)
			return (int)(word * 64 + (unsigned)__builtin_ctzll(used));
	}
	return -1;
}

uint32_t fd_count(void)
{
	return READ_ONCE(table.count);
}
