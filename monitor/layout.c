/*
 * Plans guest-physical memory; see the drawing in layout.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/virtio.h"
#include "lib/boot_tables.h"
#include "monitor/layout.h"
#include "monitor/message.h"
#include "monitor/ring.h"

#define PAGE_BYTES 4096ull

static const uint16_t queue_sizes[DEVICE_COUNT][QUEUE_COUNT] = {
	[DEVICE_STDIO] = {64, 256},
	[DEVICE_STDERR] = {8, 64},
	[DEVICE_CONTROL] = {16, 16},
};

#define NET_QUEUE_SIZE  RING_MAX_SIZE
#define DISK_QUEUE_SIZE RING_MAX_SIZE

static const uint16_t share_queue_sizes[LAYOUT_SHARE_QUEUES] = {64, 512};

uint16_t layout_queue_size(unsigned device, unsigned queue)
{
	return device < DEVICE_COUNT ? queue_sizes[device][queue] : NET_QUEUE_SIZE;
}

static uint64_t queue_bytes(uint16_t size)
{
	return ALIGN_UP(ring_descriptor_bytes(size) + ring_available_bytes(size), 4) +
	       ring_used_bytes(size);
}

static struct boot_queue queue_at(uint64_t base, uint16_t size, uint64_t doorbell)
{
	uint64_t available = base + ring_descriptor_bytes(size);

	return (struct boot_queue){
		.descriptors = base,
		.available = available,
		.used = ALIGN_UP(available + ring_available_bytes(size), 4),
		.doorbell = doorbell,
		.size = size,
	};
}

struct boot_queue layout_queue(const struct layout *layout, unsigned device, unsigned queue)
{
	return queue_at(
		layout->queues[device][queue], layout_queue_size(device, queue), LAYOUT_DOORBELL);
}

struct boot_queue layout_disk_queue(const struct layout *layout, unsigned disk, unsigned queue)
{
	return queue_at(
		layout->disk_queues[disk][queue], DISK_QUEUE_SIZE, LAYOUT_DISK_DOORBELL(disk));
}

struct boot_queue layout_share_queue(const struct layout *layout, unsigned share, unsigned queue)
{
	return queue_at(layout->share_queues[share][queue], share_queue_sizes[queue],
		LAYOUT_SHARE_DOORBELL(share));
}

static uint64_t plan_queues(struct layout *layout, uint64_t at, unsigned devices)
{
	for (unsigned device = 0; device < devices; device++) {
		for (unsigned queue = 0; queue < QUEUE_COUNT; queue++) {
			layout->queues[device][queue] = at;
			at = ALIGN_UP(
				at + queue_bytes(layout_queue_size(device, queue)), PAGE_BYTES);
		}
	}
	return at;
}

static uint64_t plan_interfaces(struct layout *layout, uint64_t at, unsigned count)
{
	layout->interfaces = at;
	at += count * sizeof(struct boot_interface);
	layout->net_configs = at;
	return ALIGN_UP(at + count * sizeof(struct virtio_net_config), PAGE_BYTES);
}

static uint64_t plan_disks(struct layout *layout, uint64_t at, const struct layout_sizes *sizes)
{
	for (unsigned disk = 0; disk < sizes->disks; disk++) {
		for (unsigned queue = 0; queue < sizes->disk_queues; queue++) {
			layout->disk_queues[disk][queue] = at;
			at = ALIGN_UP(at + queue_bytes(DISK_QUEUE_SIZE), PAGE_BYTES);
		}
	}
	layout->disks = at;
	at += sizes->disks * sizeof(struct boot_disk);
	layout->disk_configs = at;
	return ALIGN_UP(at + sizes->disks * sizeof(struct virtio_blk_config), PAGE_BYTES);
}

static uint64_t plan_shares(struct layout *layout, uint64_t at, unsigned shares)
{
	for (unsigned share = 0; share < shares; share++) {
		for (unsigned queue = 0; queue < LAYOUT_SHARE_QUEUES; queue++) {
			layout->share_queues[share][queue] = at;
			at = ALIGN_UP(at + queue_bytes(share_queue_sizes[queue]), PAGE_BYTES);
		}
	}
	layout->shares = at;
	return ALIGN_UP(at + shares * sizeof(struct boot_share), PAGE_BYTES);
}

/* Pages of boot tables: everything in the linear map, the kernel, the local APIC. */
static uint64_t table_pages(const struct layout *layout, uint64_t top)
{
	uint64_t image = layout->program.base - layout->kernel_base;

	return 1 + boot_tables_pages_needed(LINEAR_BASE, top, true) +
	       boot_tables_pages_needed(LINEAR_BASE + layout->kernel_base, image, false) +
	       boot_tables_pages_needed(KERNEL_VIRT_BASE, image, false) +
	       boot_tables_pages_needed(DEVICE_VIRT_BASE, PAGE_BYTES, false) + LAYOUT_SPARE_TABLES;
}

static uint64_t plan_module(struct layout_module *module, uint64_t at, uint64_t bytes)
{
	*module = (struct layout_module){.base = at, .bytes = bytes};
	return ALIGN_UP(at + bytes, HUGE_BYTES);
}

static uint64_t plan_modules(struct layout *layout, const struct layout_sizes *sizes, uint64_t at)
{
	layout->kernel_base = at;
	at = ALIGN_UP(at + sizes->kernel, HUGE_BYTES);
	at = plan_module(&layout->program, at, sizes->program);
	at = plan_module(&layout->files, at, sizes->files);
	for (unsigned i = 0; i < BOOT_MAX_IMAGES; i++)
		at = plan_module(&layout->images[i], at, sizes->images[i]);
	return plan_module(&layout->sites, at, sizes->sites);
}

static void plan_slots(struct layout *layout)
{
	if (layout->modules_end <= LAYOUT_HOLE_START) {
		layout->slots[0].bytes = layout->modules_end;
		layout->slot_count = 1;
		return;
	}
	layout->slots[0].bytes = layout->low_bytes;
	layout->slots[1].base = LAYOUT_HOLE_END;
	layout->slots[1].bytes = layout->modules_end - LAYOUT_HOLE_END;
	layout->slot_count = 2;
}

void layout_plan(struct layout *layout, const struct layout_sizes *sizes)
{
	uint64_t at;

	*layout = (struct layout){0};
	layout->low_bytes = MIN(sizes->mem, LAYOUT_HOLE_START);
	layout->high_bytes = sizes->mem - layout->low_bytes;
	layout->modules_end = plan_modules(layout, sizes, layout->low_bytes);
	if (layout->modules_end > LAYOUT_HOLE_START)
		layout->modules_end =
			plan_modules(layout, sizes, LAYOUT_HOLE_END + layout->high_bytes);

	at = plan_queues(layout, LAYOUT_QUEUES, DEVICE_COUNT + sizes->interfaces);
	at = plan_interfaces(layout, at, sizes->interfaces);
	at = plan_disks(layout, at, sizes);
	layout->strings = plan_shares(layout, at, sizes->shares);
	at = ALIGN_UP(layout->strings + sizes->strings, PAGE_BYTES);
	layout->tables = at;
	at += table_pages(layout, layout->modules_end) * PAGE_BYTES;
	layout->reserved_end = ALIGN_UP(at, HUGE_BYTES);
	layout->tables_end = layout->reserved_end;
	plan_slots(layout);
}

void layout_reserve(struct layout *layout)
{
	uint64_t bytes = 0;
	uint8_t *host;

	for (unsigned i = 0; i < layout->slot_count; i++)
		bytes += layout->slots[i].bytes;
	host = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		message_fail(STATUS_MONITOR_FAILED,
			"memory: cannot reserve %lu MiB: %s; give a smaller --mem or raise ulimit "
			"-v",
			bytes >> 20, strerror(errno));
	host += -(uintptr_t)host % HUGE_BYTES;
	layout->host = host;
	for (unsigned i = 0; i < layout->slot_count; i++) {
		layout->slots[i].host = host;
		host += layout->slots[i].bytes;
	}
	/* What the monitor lays out itself is a few scattered pages. Failure costs speed only. */
	(void)madvise(layout->host, layout->reserved_end, MADV_NOHUGEPAGE);
	(void)madvise(layout->host + layout->reserved_end, layout->low_bytes - layout->reserved_end,
		MADV_HUGEPAGE);
	if (layout->high_bytes)
		(void)madvise(layout->slots[1].host, layout->high_bytes, MADV_HUGEPAGE);
}

uint8_t *layout_host(const struct layout *layout, uint64_t phys)
{
	for (unsigned i = 0; i < layout->slot_count; i++) {
		const struct layout_slot *slot = &layout->slots[i];

		if (phys >= slot->base && phys - slot->base < slot->bytes)
			return slot->host + (phys - slot->base);
	}
	return NULL;
}
