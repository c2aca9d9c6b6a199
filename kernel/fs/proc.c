/*
 * /proc: what it tells about the machine. What it tells about the program is in
 * proc_self.c.
 */
#include "kernel/arch.h"
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/mount.h"
#include "kernel/system_name.h"
#include "kernel/fs/text_node.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "kernel/random.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "lib/format.h"
#include "lib/string.h"

#define TICK_NS 10000000ull /* USER_HZ */

typedef unsigned long long ull;

static long fixed_text(char *buffer, size_t capacity, void *text)
{
	return (long)format_text(buffer, capacity, "%s", (const char *)text);
}

/* ---- processors --------------------------------------------------------------- */

struct processor {
	char vendor[13];
	char model_name[49];
	uint32_t family, model, stepping;
	uint32_t features_edx, features_ecx;
};

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
	__asm__("cpuid"
		: "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
		: "a"(leaf), "c"(0));
}

static void identify(struct processor *processor)
{
	uint32_t r[4], signature;

	memset(processor, 0, sizeof(*processor));
	cpuid(0, r);
	memcpy(processor->vendor, &r[1], 4);
	memcpy(processor->vendor + 4, &r[3], 4);
	memcpy(processor->vendor + 8, &r[2], 4);
	cpuid(1, r);
	signature = r[0];
	processor->features_ecx = r[2];
	processor->features_edx = r[3];
	processor->stepping = signature & 15;
	processor->family = (signature >> 8) & 15;
	processor->model = (signature >> 4) & 15;
	if (processor->family == 15 || processor->family == 6)
		processor->model |= (signature >> 12) & 0xf0;
	if (processor->family == 15)
		processor->family += (signature >> 20) & 0xff;
	cpuid(0x80000000, r);
	for (uint32_t i = 0; i < 3 && r[0] >= 0x80000004; i++) {
		uint32_t part[4];

		cpuid(0x80000002 + i, part);
		memcpy(processor->model_name + i * 16, part, 16);
	}
}

static const struct {
	uint8_t in_ecx, bit;
	const char *name;
} feature_names[] = {
	{0, 0, "fpu"},
	{0, 4, "tsc"},
	{0, 5, "msr"},
	{0, 6, "pae"},
	{0, 8, "cx8"},
	{0, 9, "apic"},
	{0, 15, "cmov"},
	{0, 16, "pat"},
	{0, 19, "clflush"},
	{0, 23, "mmx"},
	{0, 24, "fxsr"},
	{0, 25, "sse"},
	{0, 26, "sse2"},
	{0, 28, "ht"},
	{1, 0, "pni"},
	{1, 1, "pclmulqdq"},
	{1, 9, "ssse3"},
	{1, 12, "fma"},
	{1, 13, "cx16"},
	{1, 19, "sse4_1"},
	{1, 20, "sse4_2"},
	{1, 22, "movbe"},
	{1, 23, "popcnt"},
	{1, 25, "aes"},
	{1, 26, "xsave"},
	{1, 28, "avx"},
	{1, 29, "f16c"},
	{1, 30, "rdrand"},
	{1, 31, "hypervisor"},
};

static long cpuinfo(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct processor processor;
	ull khz = platform_ticks_hz() / 1000;

	(void)argument;
	identify(&processor);
	for (uint32_t cpu = 0; cpu < platform_cpu_count(); cpu++) {
		text_append(&text,
			"processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
			"model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %llu.%03llu\n"
			"physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
			"fpu\t\t: yes\nflags\t\t:",
			cpu, processor.vendor, processor.family, processor.model,
			processor.model_name, processor.stepping, khz / 1000, khz % 1000,
			platform_cpu_count(), cpu, platform_cpu_count());
		for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++) {
			uint32_t word = feature_names[i].in_ecx ? processor.features_ecx
								: processor.features_edx;

			if (word >> feature_names[i].bit & 1)
				text_append(&text, " %s", feature_names[i].name);
		}
		text_append(&text, "\n\n");
	}
	return (long)text.length;
}

/* ---- memory, time --------------------------------------------------------------- */

static long meminfo(char *buffer, size_t capacity, void *argument)
{
	struct page_counts counts;
	ull in_memory = page_cache_total_pages() * 4;
	ull stored = READ_ONCE(storage_page_counts.cached) * 4;
	ull dirty = READ_ONCE(storage_page_counts.dirty) * 4;
	ull writing = READ_ONCE(storage_page_counts.writing) * 4;
	ull kept = MIN(stored, dirty + writing);

	(void)argument;
	page_alloc_counts(&counts);
	return (long)format_text(buffer, capacity,
		"MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n"
		"Buffers:        %8u kB\nCached:         %8llu kB\nSwapCached:     %8u kB\n"
		"SwapTotal:      %8u kB\nSwapFree:       %8u kB\nDirty:          %8llu kB\n"
		"Writeback:      %8llu kB\nShmem:          %8llu kB\n"
		"HugePages_Total:    %4u\nHugePages_Free:     %4u\nHugepagesize:   %8u kB\n",
		(ull)counts.total_pages * 4, (ull)counts.free_pages * 4,
		(ull)counts.free_pages * 4 + stored - kept, 0, in_memory + stored, 0, 0, 0, dirty,
		writing, in_memory, 0, 0, 2048);
}

static long uptime(char *buffer, size_t capacity, void *argument)
{
	struct sched_counts counts;
	ull up = clock_monotonic_ns() / TICK_NS, idle;

	(void)argument;
	sched_counts(&counts);
	idle = counts.idle_ns / TICK_NS;
	return (long)format_text(buffer, capacity, "%llu.%02llu %llu.%02llu\n", up / 100, up % 100,
		idle / 100, idle % 100);
}

static long loadavg(char *buffer, size_t capacity, void *argument)
{
	struct sched_counts counts;

	(void)argument;
	sched_counts(&counts);
	return (long)format_text(buffer, capacity, "0.00 0.00 0.00 %u/%u %d\n",
		counts.running + counts.runnable, thread_count(), PROCESS_ID);
}

static long machine_stat(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct sched_counts counts;
	ull used = process_cpu_ns() / TICK_NS, idle;
	uint32_t cpus = platform_cpu_count();

	(void)argument;
	sched_counts(&counts);
	idle = counts.idle_ns / TICK_NS;
	text_append(&text, "cpu  %llu 0 0 %llu 0 0 0 0 0 0\n", used, idle);
	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		text_append(
			&text, "cpu%u %llu 0 0 %llu 0 0 0 0 0 0\n", cpu, used / cpus, idle / cpus);
	text_append(&text,
		"intr 0\nctxt %llu\nbtime %llu\nprocesses 1\nprocs_running %u\nprocs_blocked 0\n",
		(ull)counts.switches,
		(ull)((clock_realtime_ns() - clock_monotonic_ns()) / 1000000000),
		counts.running + counts.runnable);
	return (long)text.length;
}

/* ---- names and numbers ------------------------------------------------------------ */

static long hostname(char *buffer, size_t capacity, void *argument)
{
	char name[SYSTEM_NAME_BYTES];

	(void)argument;
	system_get_name(SYSTEM_NODE_NAME, name);
	return (long)format_text(buffer, capacity, "%s\n", name);
}

static int store_hostname(const char *buffer, size_t bytes, void *argument)
{
	(void)argument;
	while (bytes > 0 && buffer[bytes - 1] == '\n')
		bytes--;
	return system_set_node_name(buffer, bytes);
}

static long ostype(char *buffer, size_t capacity, void *argument)
{
	char name[SYSTEM_NAME_BYTES];

	(void)argument;
	system_get_name(SYSTEM_NAME, name);
	return (long)format_text(buffer, capacity, "%s\n", name);
}

static long osrelease(char *buffer, size_t capacity, void *argument)
{
	char name[SYSTEM_NAME_BYTES];

	(void)argument;
	system_get_name(SYSTEM_RELEASE, name);
	return (long)format_text(buffer, capacity, "%s\n", name);
}

static long osversion(char *buffer, size_t capacity, void *argument)
{
	char name[SYSTEM_NAME_BYTES];

	(void)argument;
	system_get_name(SYSTEM_VERSION, name);
	return (long)format_text(buffer, capacity, "%s\n", name);
}

static long version(char *buffer, size_t capacity, void *argument)
{
	char name[SYSTEM_NAME_BYTES], release[SYSTEM_NAME_BYTES], text[SYSTEM_NAME_BYTES];

	(void)argument;
	system_get_name(SYSTEM_NAME, name);
	system_get_name(SYSTEM_RELEASE, release);
	system_get_name(SYSTEM_VERSION, text);
	return (long)format_text(
		buffer, capacity, "%s version %s (burrow) %s\n", name, release, text);
}

/* RFC 9562, version 4. */
static long write_uuid(char *buffer, size_t capacity, const uint8_t id[16])
{
	struct text_buffer text = {buffer, capacity, 0};

	for (int i = 0; i < 16; i++) {
		uint8_t byte = id[i];

		if (i == 6)
			byte = (uint8_t)((byte & 0x0f) | 0x40);
		if (i == 8)
			byte = (uint8_t)((byte & 0x3f) | 0x80);
		text_append(&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", byte);
	}
	text_append(&text, "\n");
	return (long)text.length;
}

static long uuid(char *buffer, size_t capacity, void *argument)
{
	uint8_t id[16];

	(void)argument;
	random_bytes(id, sizeof(id));
	return write_uuid(buffer, capacity, id);
}

static long boot_id(char *buffer, size_t capacity, void *argument)
{
	static uint8_t id[16];
	static bool is_set;

	(void)argument;
	if (!is_set)
		random_bytes(id, sizeof(id));
	is_set = true;
	return write_uuid(buffer, capacity, id);
}

/* How long ago the launcher started this VM; under QEMU the TSC starts with it. */
static long burrow(char *buffer, size_t capacity, void *argument)
{
	const struct boot_info *boot = platform_boot_info();
	uint64_t ticks = arch_ticks() - boot->start_tsc;

	(void)argument;
	return (long)format_text(buffer, capacity, "platform %s\nsince_start_ns %llu\n",
		boot->flags & BOOT_DIRECT ? "kvm" : "qemu",
		(ull)((unsigned __int128)ticks * 1000000000 / platform_ticks_hz()));
}

static long mounts(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct mount_info info = {0};

	(void)argument;
	text_append(&text, "tmpfs / tmpfs rw,relatime 0 0\n"
			   "devtmpfs /dev devtmpfs rw,relatime 0 0\n"
			   "proc /proc proc rw,relatime 0 0\n"
			   "sysfs /sys sysfs ro,relatime 0 0\n");
	while (mount_next(&info))
		text_append(&text, "%s %s %s %s,relatime 0 0\n", info.source, info.path,
			info.fs->type, info.fs->read_only ? "ro" : "rw");
	return (long)text.length;
}

#define FIXED(text)                                                                                \
	{                                                                                          \
		fixed_text, (void *)(uintptr_t)(text), NULL                                        \
	}

static const struct {
	const char *path;
	struct text_node node;
} files[] = {
	{"/proc/cpuinfo", {cpuinfo, NULL, NULL}},
	{"/proc/meminfo", {meminfo, NULL, NULL}},
	{"/proc/burrow", {burrow, NULL, NULL}},
	{"/proc/uptime", {uptime, NULL, NULL}},
	{"/proc/loadavg", {loadavg, NULL, NULL}},
	{"/proc/stat", {machine_stat, NULL, NULL}},
	{"/proc/version", {version, NULL, NULL}},
	{"/proc/cmdline", FIXED("\n")},
	{"/proc/filesystems",
		FIXED("nodev\ttmpfs\nnodev\tdevtmpfs\nnodev\tproc\nnodev\tsysfs\n\text4\n")},
	{"/proc/1/mounts", {mounts, NULL, NULL}},
	{"/proc/sys/kernel/hostname", {hostname, NULL, store_hostname}},
	{"/proc/sys/kernel/ostype", {ostype, NULL, NULL}},
	{"/proc/sys/kernel/osrelease", {osrelease, NULL, NULL}},
	{"/proc/sys/kernel/version", {osversion, NULL, NULL}},
	{"/proc/sys/kernel/random/uuid", {uuid, NULL, NULL}},
	{"/proc/sys/kernel/random/boot_id", {boot_id, NULL, NULL}},
	{"/proc/sys/kernel/random/entropy_avail", FIXED("256\n")},
	{"/proc/sys/kernel/random/poolsize", FIXED("256\n")},
	{"/proc/sys/kernel/pid_max", FIXED("4194304\n")},
	{"/proc/sys/kernel/threads-max", FIXED("32768\n")},
	{"/proc/sys/kernel/ngroups_max", FIXED("65536\n")},
	{"/proc/sys/kernel/cap_last_cap", FIXED("40\n")},
	{"/proc/sys/vm/overcommit_memory", FIXED("1\n")},
	{"/proc/sys/vm/max_map_count", FIXED("65530\n")},
	{"/proc/sys/net/core/somaxconn", FIXED("4096\n")},
	{"/proc/sys/fs/pipe-max-size", FIXED("1048576\n")},
	{"/proc/sys/fs/file-max", FIXED("9223372036854775807\n")},
	{"/proc/sys/fs/nr_open", FIXED("1048576\n")},
	{"/proc/sys/fs/inotify/max_queued_events", FIXED("16384\n")},
	{"/proc/sys/fs/inotify/max_user_instances", FIXED("128\n")},
	{"/proc/sys/fs/inotify/max_user_watches", FIXED("65536\n")},
};

int proc_init(void)
{
	int error = tree_fill_mount("/proc", &memfs_proc, 0555);

	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++)
		error = text_node_add(files[i].path, &files[i].node);
	if (!error)
		error = tree_fill_put("/proc/self", memfs_new_link(&memfs_proc, "1"));
	if (!error)
		error = tree_fill_put("/proc/mounts", memfs_new_link(&memfs_proc, "self/mounts"));
	return error ? error : proc_self_init();
}
