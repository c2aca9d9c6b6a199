/* See virtio_device.h. */
#include "drivers/virtio_device.h"
#include "drivers/virtio_mmio.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define QUEUE_SIZE_MAXIMUM 32768u
#define CONFIG_TRIES       100

static volatile uint32_t *map_registers(uint64_t base, uint64_t bytes)
{
	return platform_map_device((struct phys){base}, bytes);
}

/* Devices share the page of their doorbells: it is mapped once. */
static volatile uint32_t *map_doorbell(uint64_t doorbell)
{
	static volatile uint8_t *page;
	static uint64_t page_base;
	uint64_t base = doorbell & ~(PAGE_BYTES - 1);

	if (doorbell == 0 || (doorbell & 3) != 0)
		return NULL;
	if (page == NULL || page_base != base) {
		page = (volatile uint8_t *)map_registers(base, PAGE_BYTES);
		page_base = base;
	}
	if (page == NULL)
		return NULL;
	return (volatile uint32_t *)(volatile void *)(page + (doorbell - base));
}

static int start_mmio(struct virtio_device *device, uint64_t wanted_features)
{
	device->registers = map_registers(device->boot->base, VIRTIO_MMIO_BYTES);
	if (device->registers == NULL)
		return -LINUX_ENOMEM;
	device->config = (const volatile uint8_t *)device->registers + VIRTIO_MMIO_CONFIG;
	return virtio_mmio_start(
		device->registers, device->boot->virtio_id, wanted_features, &device->features);
}

static int start_pci(struct virtio_device *device, uint64_t wanted_features)
{
	int error = virtio_pci_start(
		&device->pci, (uint32_t)device->boot->base, wanted_features, &device->features);

	device->config = device->pci.config;
	return error;
}

int virtio_device_start(
	struct virtio_device *device, const struct boot_device *boot, uint64_t wanted_features)
{
	*device = (struct virtio_device){.boot = boot};
	switch (boot->transport) {
	case BOOT_TRANSPORT_STATIC:
		device->features = boot->features & wanted_features;
		if (boot->base != 0)
			device->config = platform_phys_to_virt((struct phys){boot->base});
		return 0;
	case BOOT_TRANSPORT_MMIO:
		return start_mmio(device, wanted_features);
	case BOOT_TRANSPORT_PCI:
		return start_pci(device, wanted_features);
	default:
		return -LINUX_ENODEV;
	}
}

static bool is_ring_size(uint32_t size)
{
	return size != 0 && size <= QUEUE_SIZE_MAXIMUM && (size & (size - 1)) == 0;
}

static int add_static_queue(struct virtio_device *device, uint32_t queue, uint16_t limit,
	struct virtio_slot *slots, struct virtio_ring *ring)
{
	const struct boot_queue *boot;

	if (queue >= MIN(device->boot->queue_count, BOOT_MAX_QUEUES))
		return -LINUX_EINVAL;
	boot = &device->boot->queues[queue];
	if (!is_ring_size(boot->size))
		return -LINUX_EINVAL;
	device->doorbells[queue] = map_doorbell(boot->doorbell);
	if (device->doorbells[queue] == NULL)
		return -LINUX_EINVAL;
	virtio_ring_init(ring, platform_phys_to_virt((struct phys){boot->descriptors}),
		platform_phys_to_virt((struct phys){boot->available}),
		platform_phys_to_virt((struct phys){boot->used}), (uint16_t)boot->size, slots,
		(uint16_t)MIN(limit, boot->size), (device->features & VIRTIO_F_EVENT_IDX) != 0);
	return 0;
}

/* The largest power of two that neither the device nor the driver exceeds. */
static uint16_t choose_size(uint32_t device_maximum, uint16_t limit)
{
	uint32_t size = 1;

	while (size * 2 <= limit && size * 2 <= MIN(device_maximum, QUEUE_SIZE_MAXIMUM))
		size *= 2;
	return (uint16_t)size;
}

static bool is_pci(const struct virtio_device *device)
{
	return device->boot->transport == BOOT_TRANSPORT_PCI;
}

/* Tells the device where a queue lies. NULL: it refuses; else its doorbell. */
static volatile void *set_queue(struct virtio_device *device, uint32_t queue, uint16_t size,
	struct phys descriptors, struct phys available, struct phys used)
{
	if (is_pci(device))
		return virtio_pci_set_queue(
			&device->pci, queue, size, descriptors, available, used);
	virtio_mmio_set_queue(device->registers, queue, size, descriptors, available, used);
	return virtio_mmio_doorbell(device->registers);
}

/* In memory of ours, for a device with registers. */
static int add_queue(struct virtio_device *device, uint32_t queue, uint16_t limit,
	struct virtio_slot *slots, struct virtio_ring *ring)
{
	uint32_t maximum = is_pci(device) ? virtio_pci_queue_size(&device->pci, queue)
					  : virtio_mmio_queue_size(device->registers, queue);
	uint16_t size = choose_size(maximum, limit);
	uint64_t available = VIRTIO_DESCRIPTOR_BYTES(size);
	uint64_t used = ALIGN_UP(available + VIRTIO_AVAILABLE_BYTES(size), 4);
	uint64_t bytes = ALIGN_UP(used + VIRTIO_USED_BYTES(size), PAGE_BYTES);
	struct phys base;
	uint8_t *memory;

	if (maximum == 0 || queue >= BOOT_MAX_QUEUES)
		return -LINUX_EINVAL;
	if (!page_alloc(
		    (uint32_t)(bytes / PAGE_BYTES), PAGE_ALLOC_ZERO | PAGE_ALLOC_RESERVE, &base))
		return -LINUX_ENOMEM;
	memory = platform_phys_to_virt(base);
	virtio_ring_init(ring, memory, memory + available, memory + used, size, slots, size,
		(device->features & VIRTIO_F_EVENT_IDX) != 0);
	device->doorbells[queue] = set_queue(device, queue, size, base,
		(struct phys){base.raw + available}, (struct phys){base.raw + used});
	if (device->doorbells[queue] != NULL)
		return 0;
	page_free(base, (uint32_t)(bytes / PAGE_BYTES));
	return -LINUX_EINVAL;
}

int virtio_device_add_queue(
	struct virtio_device *device, uint32_t queue, uint16_t limit, struct virtio_ring *ring)
{
	struct virtio_slot *slots = heap_alloc(limit * sizeof(*slots));
	int error;

	if (slots == NULL)
		return -LINUX_ENOMEM;
	if (device->boot->transport == BOOT_TRANSPORT_STATIC)
		error = add_static_queue(device, queue, limit, slots, ring);
	else
		error = add_queue(device, queue, limit, slots, ring);
	if (error != 0)
		heap_free(slots);
	return error;
}

static uint32_t config_generation(struct virtio_device *device)
{
	if (is_pci(device))
		return virtio_pci_config_generation(&device->pci);
	return device->registers != NULL ? virtio_mmio_config_generation(device->registers) : 0;
}

/* In accesses as wide as the field, those of 8 bytes in two halves (sections 4.1.3.1 and
 * 4.2.2.2): some devices take no others. */
static void read_field(const volatile uint8_t *from, uint8_t *field, uint32_t bytes)
{
	if (bytes == 8) {
		read_field(from, field, 4);
		read_field(from + 4, field + 4, 4);
	} else if (bytes == 4) {
		uint32_t value = *(const volatile uint32_t *)(const volatile void *)from;
		memcpy(field, &value, bytes);
	} else if (bytes == 2) {
		uint16_t value = *(const volatile uint16_t *)(const volatile void *)from;
		memcpy(field, &value, bytes);
	} else {
		for (uint32_t i = 0; i < bytes; i++)
			field[i] = from[i];
	}
}

void virtio_device_read_config(
	struct virtio_device *device, uint32_t offset, void *field, uint32_t bytes)
{
	uint32_t generation;

	memset(field, 0, bytes);
	if (device->config == NULL)
		return;
	/* A field in parts may change between them. A device that changes it all the time gets
	 * what it deserves. */
	for (int tries = 0; tries < CONFIG_TRIES; tries++) {
		generation = config_generation(device);
		read_field(device->config + offset, field, bytes);
		if (config_generation(device) == generation)
			break;
	}
}

void virtio_device_set_ready(struct virtio_device *device)
{
	if (is_pci(device))
		virtio_pci_set_ready(&device->pci);
	else if (device->registers != NULL)
		virtio_mmio_set_ready(device->registers);
}

void virtio_device_notify(struct virtio_device *device, uint32_t queue)
{
	if (is_pci(device))
		*(volatile uint16_t *)device->doorbells[queue] = (uint16_t)queue;
	else
		*(volatile uint32_t *)device->doorbells[queue] = queue;
}

void virtio_device_acknowledge(struct virtio_device *device)
{
	if (device->registers != NULL) /* others send a message for each interrupt */
		virtio_mmio_acknowledge(device->registers);
}

const struct boot_device *virtio_device_find(uint32_t virtio_id, uint32_t role)
{
	const struct boot_info *info = platform_boot_info();

	for (uint32_t i = 0; i < MIN(info->device_count, BOOT_MAX_DEVICES); i++) {
		if (info->devices[i].virtio_id == virtio_id && info->devices[i].role == role)
			return &info->devices[i];
	}
	return NULL;
}
