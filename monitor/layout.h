/*
 * Where everything lies in guest-physical memory and in the monitor's own.
 *
 *   guest-physical                         what
 *   0            page 0                    nothing, never used
 *   0x1000       struct boot_info
 *   ...          virtqueues of the static devices
 *   ...          network interfaces, if any: their settings, device configurations
 *   ...          disks, if any: virtqueues, names, device configurations
 *   ...          directories of the host, if any: virtqueues, device configurations
 *   ...          strings (arguments, environment)
 *   ...          page tables, then free pages for more of them
 *   reserved_end, 2 MiB-aligned            free RAM up to 3 GiB; the rest from 4 GiB
 *   kernel_base, after RAM, 2 MiB-aligned  kernel image, program, files, images, sites
 *   0xd0000000                             doorbell
 *   0xfee00000                             local APIC
 *
 * The host addresses of RAM and modules follow each other in one reservation, so
 * that a memory slot can cover both.
 */
#ifndef MONITOR_LAYOUT_H
#define MONITOR_LAYOUT_H

#include "abi/boot_info.h"
#include "monitor/kernel_file.h"
#include "monitor/options.h"

#define HUGE_BYTES 0x200000ull /* of the processor */

#define LAYOUT_BOOT_INFO  0x1000ull
#define LAYOUT_QUEUES     ALIGN_UP(LAYOUT_BOOT_INFO + sizeof(struct boot_info), 4096)
#define LAYOUT_DOORBELL   0xd0000000ull
#define LAYOUT_LOCAL_APIC 0xfee00000ull
#define LAYOUT_HOLE_START (3ull << 30)
#define LAYOUT_HOLE_END   (4ull << 30)

#define LAYOUT_SPARE_TABLES 64 /* at least, for the kernel */
#define LAYOUT_MAX_SLOTS    2

enum layout_device { DEVICE_STDIO, DEVICE_STDERR, DEVICE_CONTROL, DEVICE_COUNT };
/* Network interface n is device DEVICE_COUNT + n. */
#define LAYOUT_MAX_DEVICES (DEVICE_COUNT + BOOT_MAX_INTERFACES)
enum layout_queue { QUEUE_TO_GUEST, QUEUE_FROM_GUEST, QUEUE_COUNT };

enum layout_share_queue { SHARE_QUEUE_FORGET, SHARE_QUEUE_REQUESTS, LAYOUT_SHARE_QUEUES };
/* Of shared directory n: as for disks. */
#define LAYOUT_SHARE_DOORBELL(n) (LAYOUT_DOORBELL + 0x200 + 8 * (n))

#define LAYOUT_DISK_QUEUES 8 /* at most */
/* Of disk n: doorbells of their own, as threads of their own serve the disks. */
#define LAYOUT_DISK_DOORBELL(n) (LAYOUT_DOORBELL + 0x100 + 8 * (n))

struct layout_module {
	uint64_t base;
	uint64_t bytes; /* not aligned */
};

struct layout_slot {
	uint64_t base;
	uint64_t bytes;
	uint8_t *host;
};

struct layout {
	uint64_t low_bytes, high_bytes; /* RAM from 0, RAM from 4 GiB */
	uint64_t queues[LAYOUT_MAX_DEVICES][QUEUE_COUNT];
	uint64_t disk_queues[BOOT_MAX_DISKS][LAYOUT_DISK_QUEUES];
	uint64_t share_queues[BOOT_MAX_SHARES][LAYOUT_SHARE_QUEUES];
	uint64_t shares;       /* struct boot_share[] */
	uint64_t disks;        /* struct boot_disk[] */
	uint64_t disk_configs; /* struct virtio_blk_config[] */
	uint64_t interfaces;   /* struct boot_interface[] */
	uint64_t net_configs;  /* struct virtio_net_config[] */
	uint64_t strings;
	uint64_t tables, tables_end;
	uint64_t reserved_end;
	uint64_t kernel_base;
	struct layout_module program, files, sites, images[BOOT_MAX_IMAGES];
	uint64_t modules_end; /* 2 MiB-aligned */
	struct layout_slot slots[LAYOUT_MAX_SLOTS];
	unsigned slot_count;
	uint8_t *host; /* of guest-physical 0 */
};

/* Entries of each queue. */
uint16_t layout_queue_size(unsigned device, unsigned queue);
/* Guest-physical parts of a queue. */
struct boot_queue layout_queue(const struct layout *layout, unsigned device, unsigned queue);

struct boot_queue layout_disk_queue(const struct layout *layout, unsigned disk, unsigned queue);
struct boot_queue layout_share_queue(const struct layout *layout, unsigned share, unsigned queue);

/* Sizes of what is to be placed; `program`, `files` and `sites` are 0 when absent. */
struct layout_sizes {
	uint64_t mem, kernel, program, files, sites, strings, images[BOOT_MAX_IMAGES];
	unsigned interfaces;
	unsigned disks, disk_queues; /* each disk has as many */
	unsigned shares;
};

/* Pure: fills all but the host addresses. */
void layout_plan(struct layout *layout, const struct layout_sizes *sizes);

/* Reserves host memory for the plan; ends the monitor with a message on failure. */
void layout_reserve(struct layout *layout);

/* Host address of a place in RAM or a module; the caller knows that it exists. */
uint8_t *layout_host(const struct layout *layout, uint64_t phys);

#endif
