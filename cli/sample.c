/* Reads /proc for each VM: see cli/sample.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/sample.h"
#include "host/alloc.h"
#include "host/report.h"

static FILE *open_proc(int32_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fopen(path, "re");
}

/* Fields 14 and 15 of proc_pid_stat(5), behind the name in parentheses. */
static uint64_t read_cpu_ns(int32_t pid)
{
	FILE *file = open_proc(pid, "stat");
	unsigned long long user = 0, system = 0;
	char line[1024];
	char *at;

	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL && (at = strrchr(line, ')')) != NULL &&
		sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			&system) != 2)
		user = system = 0;
	fclose(file);
	return (user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void read_memory(int32_t pid, struct sample *sample)
{
	FILE *file = open_proc(pid, "status");
	unsigned long long kib;
	char line[256];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			sample->private_bytes += kib << 10;
		else if (sscanf(line, "RssFile: %llu", &kib) == 1 ||
			 sscanf(line, "RssShmem: %llu", &kib) == 1)
			sample->shared_bytes += kib << 10;
	}
	if (file != NULL)
		fclose(file);
}

static void visit(const struct machine_handle *machine, void *context)
{
	const struct machine_record *record = machine->record;
	struct sample_list *list = context;
	struct sample *sample;
	struct timespec now;

	if (!machine->is_running)
		return;
	if (list->count == list->capacity) {
		list->capacity = MAX(2 * list->capacity, (size_t)16);
		list->items = realloc(list->items, list->capacity * sizeof(*list->items));
		if (list->items == NULL)
			report_fail(STATUS_TOOL_FAILED, "out of memory");
	}
	sample = &list->items[list->count++];
	clock_gettime(CLOCK_MONOTONIC, &now);
	*sample = (struct sample){
		.time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
		.start_time_ns = record->start_time_ns,
		.memory_limit_bytes = record->memory_bytes,
		.cpus = record->cpus,
		.restarts = record->restarts,
		.counters = record->counters};
	memcpy(sample->name, record->name, sizeof(sample->name));
	sample->cpu_ns = read_cpu_ns(record->machine_pid);
	read_memory(record->machine_pid, sample);
}

void sample_all(struct sample_list *list)
{
	int error;

	list->count = 0;
	error = machines_visit(visit, list);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "cannot list the VMs: %s", strerror(-error));
}

double sample_cpu_share(const struct sample *before, const struct sample *now)
{
	struct timespec wall;
	uint64_t wall_ns;

	if (before != NULL)
		return now->time_ns > before->time_ns && now->cpu_ns >= before->cpu_ns
			       ? (double)(now->cpu_ns - before->cpu_ns) /
					 (double)(now->time_ns - before->time_ns)
			       : 0;
	clock_gettime(CLOCK_REALTIME, &wall);
	wall_ns = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
	return wall_ns > now->start_time_ns
		       ? (double)now->cpu_ns / (double)(wall_ns - now->start_time_ns)
		       : 0;
}

const struct sample *sample_find(const struct sample_list *list, const struct sample *like)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].name, like->name) == 0 &&
			list->items[i].start_time_ns == like->start_time_ns)
			return &list->items[i];
	}
	return NULL;
}
