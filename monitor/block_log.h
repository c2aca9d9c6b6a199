/*
 * A record of everything that reaches the disks, for crash tests: --disk-log FILE.
 *
 * Records are in the order in which the guest could know of them: a write before its request
 * is completed, a flush when it was taken and again before it is completed. So at any cut, the
 * writes before the last BLOCK_LOG_FLUSH_TAKEN whose BLOCK_LOG_FLUSH_DONE is in the record are
 * stable, and of the others any may be on the disk or not. tests/crash replays it.
 */
#ifndef MONITOR_BLOCK_LOG_H
#define MONITOR_BLOCK_LOG_H

#include <pthread.h>
#include <sys/uio.h>

#include "lib/compiler.h"

#define BLOCK_LOG_MAGIC 0x676f4c42u /* "BLog" */

enum block_log_kind {
	BLOCK_LOG_WRITE = 1,       /* `bytes` of data follow */
	BLOCK_LOG_ZEROES = 2,      /* reads as zeroes now */
	BLOCK_LOG_DISCARD = 3,     /* reads as anything now */
	BLOCK_LOG_FLUSH_TAKEN = 4, /* `offset`: a number for the two to be matched */
	BLOCK_LOG_FLUSH_DONE = 5,
};

struct block_log_record {
	uint32_t magic;
	uint8_t kind;
	uint8_t disk;
	uint16_t reserved;
	uint64_t offset;
	uint64_t bytes;
};

_Static_assert(sizeof(struct block_log_record) == 24, "shared with tests/crash");

struct block_log {
	pthread_mutex_t lock;
	int fd;
	uint64_t flushes;
};

/* Ends the monitor with a message if it cannot be made. */
void block_log_open(struct block_log *log, const char *path);
/* `parts` of WRITE hold the data. Ends the monitor if it cannot be recorded. */
void block_log_add(struct block_log *log, enum block_log_kind kind, unsigned disk, uint64_t offset,
	uint64_t bytes, const struct iovec *parts, unsigned part_count);
/* A number for the two records of a flush. */
uint64_t block_log_flush_number(struct block_log *log);

#endif
