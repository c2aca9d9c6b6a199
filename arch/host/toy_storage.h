/*
 * A file system on storage for host unit tests: inodes, names and blocks in the test's memory,
 * apart from what the VFS caches. What was not written back is not there. Transfers can be
 * held back until somebody sleeps, space is limited, faults are injected.
 */
#ifndef ARCH_HOST_TOY_STORAGE_H
#define ARCH_HOST_TOY_STORAGE_H

#include "kernel/fs/storage.h"

struct toy_storage {
	struct file_system fs;
	uint64_t total_blocks, used_blocks, reserved_blocks;
	bool defer;                  /* transfers complete when somebody sleeps */
	int read_error, write_error; /* of the next transfers */
	uint32_t failing_reads, failing_writes;
	uint64_t reads, writes, read_pages, written_pages, syncs, attribute_writes, lookups;
	bool is_clean; /* unmounted */
};

extern struct toy_storage toy_storage;

/* Empties it and mounts it at `path`. */
void toy_storage_start(const char *path, uint64_t blocks);
/* With fake_threads: who sleeps lets transfers complete, time pass, and caches shrink
 * (toy_sleep.c). */
void toy_storage_attend_sleep(void);
/* Unmounts and drops it; aborts if space is still set aside. */
void toy_storage_finish(void);
/* Completes what was held back; how many transfers. */
unsigned toy_storage_complete(void);
/* Forgets everything that the VFS caches and can forget, after writing it. */
void toy_storage_forget_cached(void);

#endif
