/*
 * The record of a running VM, a file that its launcher, its monitor and `burrow ps` share.
 *
 * One page, mapped shared. The launcher fills it in and holds a write lock (flock(2)) on the
 * descriptor, which the monitor inherits: the lock is gone when the last of them has ended.
 * The monitor adds to the counters without locks. Readers trust nothing in it.
 */
#ifndef ABI_MACHINE_RECORD_H
#define ABI_MACHINE_RECORD_H

#include <stdint.h>

#define MACHINE_RECORD_MAGIC   0x6863616d7272ull
#define MACHINE_RECORD_VERSION 1
#define MACHINE_RECORD_BYTES   4096

enum machine_state {
	MACHINE_STARTING = 0,
	MACHINE_RUNNING = 1,
	MACHINE_WAITING = 2, /* its supervisor starts it again after a pause */
	MACHINE_ENDED = 3,
};

/* What passed the VM's devices, in bytes and pieces; only the monitor writes. */
struct machine_counters {
	uint64_t net_received_bytes, net_received_packets; /* by the VM */
	uint64_t net_sent_bytes, net_sent_packets;
	uint64_t disk_read_bytes, disk_reads;
	uint64_t disk_written_bytes, disk_writes;
};

struct machine_record {
	uint64_t magic;
	uint32_t version;
	uint32_t state;         /* enum machine_state */
	int32_t control_pid;    /* gets the signals: the supervisor, or the VM's process */
	int32_t machine_pid;    /* the process that is the VM: the monitor, or QEMU */
	uint64_t start_time_ns; /* CLOCK_REALTIME of the last start */
	uint64_t end_time_ns;
	uint64_t memory_bytes;
	uint32_t cpus;
	uint32_t restarts;
	int32_t status; /* of the last end: the exit status, 128 + n for a signal */
	uint32_t is_detached;
	char name[64];
	char platform[16];
	char program[512]; /* with its arguments, separated by blanks; ends in NUL */
	char ports[512];   /* "8080:80 53:53/udp"; ends in NUL */
	struct machine_counters counters;
};

_Static_assert(sizeof(struct machine_record) <= MACHINE_RECORD_BYTES, "one page");

#endif
