/*
 * The disks of a VM: opened, connected, started. What they do is in block.c and
 * block_threads.c; the I/O thread has no part in it. See io.h.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "monitor/block.h"
#include "monitor/io.h"
#include "monitor/message.h"
#include "monitor/sandbox.h"
#include "monitor/stream.h"

#define MSI_ADDRESS 0xfee00000u /* physical destination 0: vcpu 0 */

_Static_assert(BLOCK_MAX_QUEUES == LAYOUT_DISK_QUEUES, "the same rings");

static struct {
	struct block_device *disks;
	struct block_log log;
} state;

unsigned io_disk_queues(const struct machine *machine)
{
	return MIN(machine->options.cpus, (unsigned)LAYOUT_DISK_QUEUES);
}

uint64_t io_disk_features(unsigned number)
{
	return block_features(&state.disks[number]);
}

struct virtio_blk_config io_disk_config(const struct machine *machine, unsigned number)
{
	struct virtio_blk_config config = block_config(&state.disks[number]);

	config.num_queues = (uint16_t)io_disk_queues(machine);
	return config;
}

static void enter(void)
{
	sandbox_enter(&(struct sandbox_needs){.has_disk = true});
}

static void interrupt(struct block_device *disk)
{
	struct machine *machine = disk->context;
	unsigned device = DEVICE_COUNT + machine->options.interface_count + disk->number;
	struct kvm_msi message = {.address_lo = MSI_ADDRESS, .data = STREAM_FIRST_VECTOR + device};

	(void)ioctl(machine->vm_fd, KVM_SIGNAL_MSI, &message);
}

static void broken(struct block_device *disk, const char *why)
{
	message_fail(STATUS_VM_FAILED,
		"disk %s: broken ring: %s; this is a bug of the kernel in the VM", disk->name, why);
}

void io_open_disks(struct machine *machine)
{
	const struct options *options = &machine->options;

	if (options->disk_count == 0)
		return;
	state.disks = calloc(options->disk_count, sizeof(state.disks[0]));
	if (!state.disks)
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for the disks");
	if (options->disk_log)
		block_log_open(&state.log, options->disk_log);
	for (unsigned i = 0; i < options->disk_count; i++) {
		struct block_device *disk = &state.disks[i];

		block_open(disk, options->disks[i].name, options->disks[i].path,
			options->disks[i].read_only);
		disk->number = i;
		disk->log = options->disk_log ? &state.log : NULL;
		disk->enter = enter;
		disk->interrupt = interrupt;
		disk->broken = broken;
		disk->context = machine;
	}
}

static void connect_disk(struct machine *machine, struct block_device *disk)
{
	struct kvm_ioeventfd doorbell = {.addr = LAYOUT_DISK_DOORBELL(disk->number), .len = 4};

	disk->ring_count = io_disk_queues(machine);
	for (unsigned i = 0; i < disk->ring_count; i++) {
		struct boot_queue queue = layout_disk_queue(&machine->layout, disk->number, i);

		if (!ring_init(&disk->rings[i], &machine->memory, queue.descriptors,
			    queue.available, queue.used, (uint16_t)queue.size, false))
			message_fail(STATUS_MONITOR_FAILED, "memory: no room for the rings");
	}
	disk->ticks_per_us = MAX(machine->tsc_hz / 1000000, 1u);
	disk->doorbell_fd = eventfd(0, EFD_CLOEXEC);
	if (disk->doorbell_fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "eventfd: %s", strerror(errno));
	doorbell.fd = disk->doorbell_fd;
	/* Without it the vcpu threads come by io_disk_doorbell(), slower. */
	if (ioctl(machine->vm_fd, KVM_IOEVENTFD, &doorbell) < 0)
		message_print("doorbell: %s; disks will be slow", strerror(errno));
	block_start(disk);
}

void io_connect_disks(struct machine *machine)
{
	for (unsigned i = 0; i < machine->options.disk_count; i++)
		connect_disk(machine, &state.disks[i]);
}

void io_disk_doorbell(struct machine *machine, uint64_t address)
{
	uint64_t number = (address - LAYOUT_DISK_DOORBELL(0)) / 8, one = 1;

	if (number < machine->options.disk_count &&
		write(state.disks[number].doorbell_fd, &one, sizeof(one)) < 0)
		return; /* full: it rings already */
}

void io_finish_disks(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->options.disk_count; i++) {
		const struct block_device *disk = &state.disks[i];

		block_finish(&state.disks[i]);
		if (machine->options.verbose)
			message_print(
				"disk %s: %lu requests, %lu of them slow; %lu doorbells heard, "
				"%lu interrupts",
				disk->name, disk->requests, disk->slow_requests, disk->doorbells,
				disk->interrupts);
	}
}
