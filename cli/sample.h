/* What a VM uses of the host now: for `burrow stats`. */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include "host/machines.h"

struct sample {
	char name[64];
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t start_time_ns;
	uint64_t cpu_ns;        /* of all threads since the start */
	uint64_t private_bytes; /* the VM's memory and the monitor's own */
	uint64_t shared_bytes;  /* pages of files, which VMs of one file share */
	uint64_t memory_limit_bytes;
	uint32_t cpus, restarts;
	struct machine_counters counters;
};

struct sample_list {
	struct sample *items; /* in order of names */
	size_t count, capacity;
};

/* All VMs that run. Fails the command if they cannot be listed. */
void sample_all(struct sample_list *list);
/* CPUs in use between the two samples, from 0 on; since the start if `before` is NULL. */
double sample_cpu_share(const struct sample *before, const struct sample *now);
/* The sample of this VM's same start in `list`, or NULL. */
const struct sample *sample_find(const struct sample_list *list, const struct sample *like);

#endif
