/*
 * Builds what the guest finds in its memory; see image.h and abi/boot_info.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "abi/nucleus.h"
#include "abi/virtio.h"
#include "lib/boot_tables.h"
#include "lib/elf.h"
#include "lib/syscall_sites.h"
#include "monitor/image.h"
#include "monitor/io.h"
#include "monitor/message.h"
#include "monitor/stream.h"
#include "monitor/timeline.h"

#define PAGE_BYTES       4096ull
#define LAPIC_HZ         1000000000ull /* KVM's timer counts nanoseconds */
#define MACHINE_MIN_FREE (8ull << 20)
#define TEXT_COPY_BYTES  (1ull << 20) /* Go's runtime comes first */
#define DATA_COPY_BYTES  (1ull << 20) /* the whole of most programs */
#define TABLES_AT_START  32           /* page tables that a small program makes before its main */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* ---- strings --------------------------------------------------------------- */

/* Appends with its NUL; counts only while `to` is NULL. */
static void append(char *to, uint64_t *at, const char *text)
{
	uint64_t bytes = strlen(text) + 1;

	if (to)
		memcpy(to + *at, text, bytes);
	*at += bytes;
}

static uint32_t append_environment(const struct machine *machine, char *to, uint64_t *at)
{
	const struct options *options = &machine->options;
	uint32_t count = 0;

	for (char **entry = environ; options->host_environment && *entry; entry++, count++)
		append(to, at, *entry);
	for (unsigned i = 0; i < options->environment_count; i++, count++)
		append(to, at, options->environment[i]);
	return count;
}

/* The order is that of boot_info.strings. Returns bytes. */
static uint64_t write_strings(const struct machine *machine, char *to, struct boot_info *info)
{
	const struct options *options = &machine->options;
	uint64_t at = 0;

	append(to, &at, options->name ? options->name : machine->program_path);
	append(to, &at, options->name ? options->name : options->arguments[0]);
	for (unsigned i = 1; i < options->argument_count; i++)
		append(to, &at, options->arguments[i]);
	info->argument_count = options->argument_count;
	info->environment_count = append_environment(machine, to, &at);
	append(to, &at, options->directory ? options->directory : "");
	return at;
}

uint64_t image_strings_bytes(const struct machine *machine)
{
	static struct boot_info unused;

	return write_strings(machine, NULL, &unused);
}

/* ---- modules --------------------------------------------------------------- */

static void add_memory(struct machine *machine, uint64_t base, uint64_t bytes, bool writable)
{
	if (!guest_memory_add(
		    &machine->memory, base, bytes, layout_host(&machine->layout, base), writable))
		message_fail(STATUS_MONITOR_FAILED, "memory: too many ranges");
}

static void map_file(struct machine *machine, const struct machine_file *file,
	const struct layout_module *module, bool writable)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);

	if (!file->path || file->bytes == 0)
		return;
	if (mmap(layout_host(&machine->layout, module->base), file->bytes, protection,
		    MAP_PRIVATE | MAP_FIXED, file->fd, (off_t)file->offset) == MAP_FAILED)
		message_fail(
			STATUS_MONITOR_FAILED, "%s: cannot map: %s", file->path, strerror(errno));
	add_memory(machine, module->base, ALIGN_UP(file->bytes, PAGE_BYTES), writable);
}

static void add_module(struct boot_info *info, enum boot_module_type type, uint64_t base,
	uint64_t bytes, bool writable)
{
	if (bytes)
		info->modules[info->module_count++] =
			(struct boot_module){base, bytes, type, writable};
}

/*
 * Copies the start of each segment: a KVM that shadows page tables fills in the neighbours of a
 * page that faults, up to eight pages in all, but only where the host's page is present and
 * *writable*, whatever the guest may do there. Pages of a file and pages that were never touched
 * cost an exit each (docs/decisions/0002-cold-start.md). Failure (before Linux 5.14) costs
 * speed only.
 */
static void copy_segments(uint8_t *file, const struct elf_program *program)
{
	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];
		uint64_t start = ALIGN_DOWN(segment->offset, PAGE_BYTES);
		uint64_t most = segment->rights & PROT_EXEC ? TEXT_COPY_BYTES : DATA_COPY_BYTES;
		uint64_t end = segment->offset + MIN(segment->file_bytes, most);

		(void)madvise(file + start, end - start, MADV_POPULATE_WRITE);
	}
}

/* Checks the program and finds its system-call sites unless a file of them was given. */
static void prepare_program(struct machine *machine, struct boot_info *info)
{
	const struct layout *layout = &machine->layout;
	uint8_t *file = layout_host(layout, layout->program.base);
	uint64_t bytes = machine->program.bytes, sites_bytes = machine->sites.bytes;
	struct elf_program program;
	enum elf_error error = elf_check(file, bytes, &program);

	if (error != ELF_OK)
		message_fail(STATUS_NOT_EXECUTABLE, "%s: %s", machine->program.path,
			elf_error_text(error));
	if (!machine->is_virtualized)
		copy_segments(file, &program);
	if (!machine->sites.path) {
		void *sites = layout_host(layout, layout->sites.base);

		sites_bytes = sizeof(struct syscall_site) *
			      syscall_sites_find(file, bytes, &program, sites, SYSCALL_SITES_MAX);
		add_memory(machine, layout->sites.base, ALIGN_UP(sites_bytes, PAGE_BYTES), true);
	}
	add_module(info, BOOT_MODULE_PROGRAM, layout->program.base, bytes, true);
	add_module(info, BOOT_MODULE_FILES, layout->files.base, machine->files.bytes, true);
	for (unsigned i = 0; i < machine->options.image_count; i++)
		add_module(info, BOOT_MODULE_IMAGE, layout->images[i].base,
			machine->images[i].bytes, false);
	add_module(info, BOOT_MODULE_SITES, layout->sites.base, sites_bytes, true);
}

static void map_kernel(struct machine *machine)
{
	const struct kernel_file *kernel = &machine->kernel;
	const struct layout *layout = &machine->layout;

	kernel_file_map(kernel, layout_host(layout, layout->kernel_base), !machine->is_virtualized);
	for (unsigned i = 0; i < kernel->segment_count; i++)
		add_memory(machine, layout->kernel_base + kernel->segments[i].offset,
			kernel->segments[i].bytes, kernel->segments[i].writable);
}

/* ---- page tables ------------------------------------------------------------- */

static void *table_at(void *context, uint64_t phys)
{
	return layout_host(context, phys);
}

static bool map_linear(struct boot_tables *tables, uint64_t base, uint64_t bytes)
{
	return boot_tables_map(tables, LINEAR_BASE + base, base,
		ALIGN_UP(bytes, BOOT_TABLES_LARGE_BYTES), BOOT_TABLES_WRITE | BOOT_TABLES_USER,
		true);
}

/* What the kernel's own addresses cannot change, those of the linear map cannot either, though
 * the host's pages may be writable. */
static bool map_linear_kernel(const struct machine *machine, struct boot_tables *tables)
{
	const struct kernel_file *kernel = &machine->kernel;
	uint64_t base = machine->layout.kernel_base, at = 0;
	uint64_t end = ALIGN_UP(kernel->image_bytes, BOOT_TABLES_LARGE_BYTES);

	for (unsigned i = 0; i < kernel->segment_count; i++) {
		const struct kernel_segment *segment = &kernel->segments[i];

		if (segment->writable)
			continue;
		if (!boot_tables_map(tables, LINEAR_BASE + base + segment->offset,
			    base + segment->offset, segment->bytes, BOOT_TABLES_USER, false))
			return false;
		at = segment->offset + segment->bytes;
	}
	return boot_tables_map(tables, LINEAR_BASE + base + at, base + at, end - at,
		BOOT_TABLES_WRITE | BOOT_TABLES_USER, false);
}

/* Maps the slot but for the kernel's image, whose pages have rights of their own. */
static bool map_slot(
	const struct machine *machine, struct boot_tables *tables, const struct layout_slot *slot)
{
	uint64_t kernel = machine->layout.kernel_base, end = slot->base + slot->bytes;
	uint64_t kernel_end =
		kernel + ALIGN_UP(machine->kernel.image_bytes, BOOT_TABLES_LARGE_BYTES);

	if (kernel < slot->base || kernel >= end)
		return map_linear(tables, slot->base, slot->bytes);
	return map_linear(tables, slot->base, kernel - slot->base) &&
	       map_linear_kernel(machine, tables) &&
	       map_linear(tables, kernel_end, end - MIN(kernel_end, end));
}

static bool map_everything(const struct machine *machine, struct boot_tables *tables)
{
	const struct kernel_file *kernel = &machine->kernel;
	const struct layout *layout = &machine->layout;

	for (unsigned i = 0; i < layout->slot_count; i++) {
		if (!map_slot(machine, tables, &layout->slots[i]))
			return false;
	}
	for (unsigned i = 0; i < kernel->segment_count; i++) {
		const struct kernel_segment *segment = &kernel->segments[i];
		unsigned rights = (segment->writable ? BOOT_TABLES_WRITE : 0u) |
				  (segment->executable ? BOOT_TABLES_EXECUTE : 0u);

		if (!boot_tables_map_kernel(tables, KERNEL_VIRT_BASE + segment->offset,
			    layout->kernel_base + segment->offset, segment->bytes, rights,
			    kernel->note.nucleus_start, kernel->note.nucleus_end))
			return false;
	}
	return boot_tables_map(tables, DEVICE_VIRT_BASE, LAYOUT_LOCAL_APIC, PAGE_BYTES,
		BOOT_TABLES_WRITE | BOOT_TABLES_USER | BOOT_TABLES_UNCACHED, false);
}

static void build_tables(struct machine *machine, struct boot_info *info)
{
	const struct layout *layout = &machine->layout;
	union {
		const struct layout *in;
		void *out;
	} context = {.in = layout};
	struct boot_tables tables = {
		.page_at = table_at,
		.context = context.out,
		.next = layout->tables,
		.end = layout->tables_end,
		.pool_is_zero = true,
	};

	if (!boot_tables_init(&tables) || !map_everything(machine, &tables))
		message_fail(STATUS_MONITOR_FAILED, "memory: not enough room for page tables");
	if (!machine->is_virtualized)
		(void)madvise(layout_host(layout, 0),
			MIN(tables.next + TABLES_AT_START * PAGE_BYTES, layout->tables_end),
			MADV_POPULATE_WRITE);
	machine->page_tables = tables.root;
	info->page_tables = tables.root;
	info->tables_next = tables.next;
	info->tables_end = tables.end;
}

/* ---- boot info ----------------------------------------------------------------- */

static void add_region(struct boot_info *info, uint64_t base, uint64_t end, uint32_t type)
{
	if (base < end)
		info->regions[info->region_count++] = (struct boot_region){
			base, end - base, type, .is_zero = type == BOOT_REGION_RAM};
}

/* The next device, with an interrupt of its own. */
static struct boot_device *claim_device(struct boot_info *info)
{
	struct boot_device *device = &info->devices[info->device_count];

	if (info->device_count == MIN(VECTOR_DEVICES, BOOT_MAX_DEVICES))
		message_fail(STATUS_MONITOR_FAILED,
			"more network interfaces and disks than a VM has interrupts for: %d "
			"together",
			MIN(VECTOR_DEVICES, BOOT_MAX_DEVICES) - DEVICE_COUNT);
	device->interrupt = STREAM_FIRST_VECTOR + info->device_count++;
	return device;
}

static struct boot_device *add_device(
	const struct layout *layout, struct boot_info *info, uint32_t virtio_id, uint64_t features)
{
	unsigned number = info->device_count;
	struct boot_device *device = claim_device(info);

	device->transport = BOOT_TRANSPORT_STATIC;
	device->virtio_id = virtio_id;
	device->features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | features;
	device->queue_count = QUEUE_COUNT;
	for (unsigned queue = 0; queue < QUEUE_COUNT; queue++)
		device->queues[queue] = layout_queue(layout, number, queue);
	return device;
}

static void add_interfaces(const struct machine *machine, struct boot_info *info)
{
	const struct layout *layout = &machine->layout;
	const struct options *options = &machine->options;
	struct boot_interface *interfaces = (void *)layout_host(layout, layout->interfaces);
	struct virtio_net_config *configs = (void *)layout_host(layout, layout->net_configs);

	info->interfaces = layout->interfaces;
	info->interface_count = options->interface_count;
	for (unsigned i = 0; i < options->interface_count; i++) {
		const struct options_interface *interface = &options->interfaces[i];

		memcpy(interfaces[i].name, interface->name, sizeof(interfaces[i].name));
		memcpy(interfaces[i].mac, interface->mac, sizeof(interfaces[i].mac));
		strncpy(interfaces[i].settings, interface->settings,
			sizeof(interfaces[i].settings) - 1);
		configs[i].status = VIRTIO_NET_STATUS_LINK_UP;
		configs[i].mtu = (uint16_t)interface->mtu;
		memcpy(configs[i].mac, interface->mac, sizeof(configs[i].mac));
		add_device(layout, info, VIRTIO_ID_NET, io_net_features(i))->base =
			layout->net_configs + i * sizeof(configs[0]);
	}
}

static void add_disk(
	const struct machine *machine, struct boot_info *info, unsigned number, uint64_t config)
{
	unsigned queues = io_disk_queues(machine);
	struct boot_device *device = claim_device(info);

	device->transport = BOOT_TRANSPORT_STATIC;
	device->virtio_id = VIRTIO_ID_BLOCK;
	device->features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | io_disk_features(number);
	device->base = config;
	device->queue_count = queues;
	for (unsigned queue = 0; queue < queues; queue++)
		device->queues[queue] = layout_disk_queue(&machine->layout, number, queue);
}

static void add_disks(const struct machine *machine, struct boot_info *info)
{
	const struct layout *layout = &machine->layout;
	const struct options *options = &machine->options;
	struct boot_disk *disks = (void *)layout_host(layout, layout->disks);
	struct virtio_blk_config *configs = (void *)layout_host(layout, layout->disk_configs);

	info->disks = layout->disks;
	info->disk_count = options->disk_count;
	for (unsigned i = 0; i < options->disk_count; i++) {
		const struct options_disk *disk = &options->disks[i];

		memcpy(disks[i].name, disk->name, sizeof(disks[i].name));
		strncpy(disks[i].mount_path, disk->mount_path, sizeof(disks[i].mount_path) - 1);
		disks[i].flags = disk->read_only ? BOOT_DISK_READ_ONLY : 0;
		configs[i] = io_disk_config(machine, i);
		add_disk(machine, info, i, layout->disk_configs + i * sizeof(configs[0]));
	}
}

static void add_shares(const struct machine *machine, struct boot_info *info)
{
	const struct layout *layout = &machine->layout;
	const struct options *options = &machine->options;
	struct boot_share *shares = (void *)layout_host(layout, layout->shares);

	for (unsigned i = 0; i < options->share_count; i++) {
		struct boot_device *device = claim_device(info);

		snprintf(shares[i].tag, sizeof(shares[i].tag), "share%u", i);
		shares[i].request_queues = 1;
		shares[i].flags = options->shares[i].read_only ? BOOT_DISK_READ_ONLY : 0;
		strncpy(shares[i].mount_path, options->shares[i].mount_path,
			sizeof(shares[i].mount_path) - 1);
		device->transport = BOOT_TRANSPORT_STATIC;
		device->virtio_id = VIRTIO_ID_FS;
		device->features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX;
		device->base = layout->shares + i * sizeof(shares[0]);
		device->queue_count = LAYOUT_SHARE_QUEUES;
		for (unsigned queue = 0; queue < LAYOUT_SHARE_QUEUES; queue++)
			device->queues[queue] = layout_share_queue(layout, i, queue);
	}
}

static void add_devices(const struct layout *layout, struct boot_info *info)
{
	static const uint32_t roles[DEVICE_COUNT] = {
		[DEVICE_STDIO] = BOOT_ROLE_STDIO,
		[DEVICE_STDERR] = BOOT_ROLE_STDERR,
		[DEVICE_CONTROL] = BOOT_ROLE_CONTROL,
	};

	for (unsigned i = 0; i < DEVICE_COUNT; i++)
		add_device(layout, info, VIRTIO_ID_CONSOLE, 0)->role = roles[i];
}

static void describe_streams(struct boot_info *info)
{
	struct winsize window = {0};

	for (int fd = 0; fd < 3; fd++)
		info->streams[fd] = (uint8_t)stream_kind(fd);
	if (stream_window_size(&window)) {
		info->tty_rows = window.ws_row;
		info->tty_columns = window.ws_col;
	}
}

static void describe_memory(const struct machine *machine, struct boot_info *info)
{
	const struct layout *layout = &machine->layout;

	add_region(info, 0, layout->reserved_end, BOOT_REGION_RESERVED);
	add_region(info, layout->reserved_end, layout->low_bytes, BOOT_REGION_RAM);
	add_region(info, LAYOUT_HOLE_END, LAYOUT_HOLE_END + layout->high_bytes, BOOT_REGION_RAM);
	info->kernel_base = layout->kernel_base;
}

void image_build(struct machine *machine)
{
	const struct layout *layout = &machine->layout;
	const struct options *options = &machine->options;
	struct boot_info *info = (void *)layout_host(layout, LAYOUT_BOOT_INFO);

	if (layout->reserved_end + MACHINE_MIN_FREE > layout->low_bytes)
		message_fail(STATUS_MONITOR_FAILED,
			"--mem: too little memory for these arguments; give more");
	add_memory(machine, 0, layout->low_bytes, true);
	if (layout->high_bytes)
		add_memory(machine, LAYOUT_HOLE_END, layout->high_bytes, true);
	map_kernel(machine);
	map_file(machine, &machine->program, &layout->program, true);
	map_file(machine, &machine->files, &layout->files, true);
	for (unsigned i = 0; i < machine->options.image_count; i++)
		map_file(machine, &machine->images[i], &layout->images[i], false);
	map_file(machine, &machine->sites, &layout->sites, true);

	info->magic = BOOT_INFO_MAGIC;
	info->version = BOOT_INFO_VERSION;
	info->flags = BOOT_DIRECT | (options->verbose ? BOOT_VERBOSE : 0u) |
		      (options->trace_syscalls ? BOOT_TRACE_SYSCALLS : 0u);
	info->cpu_count = options->cpus;
	info->lapic_hz = LAPIC_HZ;
	info->files_mib = (uint32_t)(options->fs_bytes >> 20);
	info->start_tsc = timeline_at(MARK_START);
	info->strings = layout->strings;
	info->strings_bytes =
		write_strings(machine, (char *)layout_host(layout, layout->strings), info);
	describe_memory(machine, info);
	describe_streams(info);
	add_devices(layout, info);
	if (options->interface_count)
		add_interfaces(machine, info);
	if (options->disk_count)
		add_disks(machine, info);
	if (options->share_count)
		add_shares(machine, info);
	if (options->hostname)
		strncpy(info->hostname, options->hostname, sizeof(info->hostname) - 1);
	build_tables(machine, info);
	prepare_program(machine, info);
	if (getrandom(info->seed, sizeof(info->seed), 0) != sizeof(info->seed))
		message_fail(STATUS_MONITOR_FAILED, "getrandom: %s", strerror(errno));
}

void image_set_clock(struct machine *machine)
{
	struct boot_info *info = (void *)layout_host(&machine->layout, LAYOUT_BOOT_INFO);
	struct timespec now;
	uint64_t before = timeline_ticks();

	clock_gettime(CLOCK_REALTIME, &now);
	info->wall_tsc = before + (timeline_ticks() - before) / 2;
	info->wall_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	info->tsc_hz = machine->tsc_hz;
}
