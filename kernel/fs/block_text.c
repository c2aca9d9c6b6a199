/*
 * What /proc and /sys tell of block devices. See block_node.h.
 */
#include "kernel/fs/block_node.h"
#include "kernel/block/block.h"
#include "kernel/fs/text_node.h"
#include "kernel/fs/tree_fill.h"
#include "lib/format.h"

typedef unsigned long long ull;

#define MS(ns) ((ull)((ns) / 1000000))

/* The columns of Documentation/admin-guide/iostats.rst from "reads completed" on. */
static void append_counters(struct text_buffer *text, const struct block_device *device)
{
	ull busy = MS(device->read_ns + device->write_ns + device->discard_ns + device->flush_ns);

	text_append(text,
		"%llu 0 %llu %llu %llu 0 %llu %llu %u %llu %llu %llu 0 %llu %llu %llu %llu",
		(ull)device->reads, (ull)device->read_bytes / 512, MS(device->read_ns),
		(ull)device->writes, (ull)device->written_bytes / 512, MS(device->write_ns),
		device->in_flight, busy, busy, (ull)device->discards,
		(ull)device->discarded_bytes / 512, MS(device->discard_ns), (ull)device->flushes,
		MS(device->flush_ns));
}

static long diskstats(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct block_device *device = NULL;

	(void)argument;
	while ((device = block_next(device)) != NULL) {
		text_append(&text, "%4u %7u %s ", BLOCK_MAJOR, 16 * device->number, device->name);
		append_counters(&text, device);
		text_append(&text, "\n");
	}
	return (long)text.length;
}

static long partitions(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct block_device *device = NULL;

	(void)argument;
	text_append(&text, "major minor  #blocks  name\n\n");
	while ((device = block_next(device)) != NULL)
		text_append(&text, "%4u  %7u %10llu %s\n", BLOCK_MAJOR, 16 * device->number,
			(ull)device->bytes / 1024, device->name);
	return (long)text.length;
}

static long stat(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};

	append_counters(&text, argument);
	text_append(&text, "\n");
	return (long)text.length;
}

static long number(char *buffer, size_t capacity, uint64_t value)
{
	return (long)format_text(buffer, capacity, "%llu\n", (ull)value);
}

#define NUMBER(name, value)                                                                        \
	static long name(char *buffer, size_t capacity, void *argument)                            \
	{                                                                                          \
		const struct block_device *device = argument;                                      \
                                                                                                   \
		(void)device;                                                                      \
		return number(buffer, capacity, value);                                            \
	}

NUMBER(size, device->bytes / 512)
NUMBER(read_only, device->read_only)
NUMBER(sector_bytes, device->sector_bytes)
NUMBER(discard_bytes, device->max_discard_bytes)
NUMBER(zeroes_bytes, device->max_zeroes_bytes)
NUMBER(request_kib, device->max_request_bytes / 1024)
NUMBER(segments, device->max_segments)
NUMBER(nothing, 0)
NUMBER(requests, 128)

static long device_id(char *buffer, size_t capacity, void *argument)
{
	const struct block_device *device = argument;

	return (long)format_text(buffer, capacity, "%u:%u\n", BLOCK_MAJOR, 16 * device->number);
}

static long write_cache(char *buffer, size_t capacity, void *argument)
{
	const struct block_device *device = argument;

	return (long)format_text(
		buffer, capacity, "%s\n", device->volatile_cache ? "write back" : "write through");
}

static long scheduler(char *buffer, size_t capacity, void *argument)
{
	(void)argument;
	return (long)format_text(buffer, capacity, "[none]\n");
}

static const struct {
	const char *name;
	text_generator generate;
} files[] = {
	{"size", size},
	{"ro", read_only},
	{"dev", device_id},
	{"stat", stat},
	{"removable", nothing},
	{"alignment_offset", nothing},
	{"queue/logical_block_size", sector_bytes},
	{"queue/physical_block_size", sector_bytes},
	{"queue/hw_sector_size", sector_bytes},
	{"queue/minimum_io_size", sector_bytes},
	{"queue/optimal_io_size", nothing},
	{"queue/max_sectors_kb", request_kib},
	{"queue/max_hw_sectors_kb", request_kib},
	{"queue/max_segments", segments},
	{"queue/nr_requests", requests},
	{"queue/rotational", nothing},
	{"queue/read_ahead_kb", nothing},
	{"queue/discard_granularity", sector_bytes},
	{"queue/discard_max_bytes", discard_bytes},
	{"queue/discard_zeroes_data", nothing},
	{"queue/write_zeroes_max_bytes", zeroes_bytes},
	{"queue/write_cache", write_cache},
	{"queue/scheduler", scheduler},
};

static int add_link(const char *path, const char *target)
{
	return tree_fill_put(path, memfs_new_link(&memfs_sys, target));
}

static int add_device(struct block_device *device)
{
	char path[128], target[64];
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && error == 0; i++) {
		format_text(path, sizeof(path), "/sys/block/%s/%s", device->name, files[i].name);
		error = vfs_add_text(path, files[i].generate, device);
	}
	format_text(target, sizeof(target), "../../block/%s", device->name);
	format_text(path, sizeof(path), "/sys/class/block/%s", device->name);
	if (error == 0)
		error = add_link(path, target);
	format_text(path, sizeof(path), "/sys/dev/block/%u:%u", BLOCK_MAJOR, 16 * device->number);
	return error != 0 ? error : add_link(path, target);
}

int block_text_init(void)
{
	struct block_device *device = NULL;
	int error = vfs_add_text("/proc/diskstats", diskstats, NULL);

	if (error == 0)
		error = vfs_add_text("/proc/partitions", partitions, NULL);
	if (error == 0)
		error = tree_fill_mount("/sys/block", &memfs_sys, 0555);
	while (error == 0 && (device = block_next(device)) != NULL)
		error = add_device(device);
	return error;
}
