/* See virtio_mmio.h. */
#include "drivers/virtio_mmio.h"
#include "abi/linux/errno.h"
#include "abi/virtio.h"

static uint32_t load(volatile uint32_t *registers, enum virtio_mmio_register offset)
{
	return registers[(uint32_t)offset / 4];
}

static void store(volatile uint32_t *registers, enum virtio_mmio_register offset, uint32_t value)
{
	registers[(uint32_t)offset / 4] = value;
}

static uint64_t load_features(volatile uint32_t *registers)
{
	uint64_t low;

	store(registers, VIRTIO_MMIO_DEVICE_FEATURES_SELECT, 0);
	low = load(registers, VIRTIO_MMIO_DEVICE_FEATURES);
	store(registers, VIRTIO_MMIO_DEVICE_FEATURES_SELECT, 1);
	return low | (uint64_t)load(registers, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static void store_features(volatile uint32_t *registers, uint64_t features)
{
	store(registers, VIRTIO_MMIO_DRIVER_FEATURES_SELECT, 0);
	store(registers, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	store(registers, VIRTIO_MMIO_DRIVER_FEATURES_SELECT, 1);
	store(registers, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static int negotiate(volatile uint32_t *registers, uint64_t wanted, uint64_t *features)
{
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	store(registers, VIRTIO_MMIO_STATUS, status);
	*features = load_features(registers) & (wanted | VIRTIO_F_VERSION_1);
	if ((*features & VIRTIO_F_VERSION_1) == 0)
		return -LINUX_EINVAL;
	store_features(registers, *features);
	status |= VIRTIO_STATUS_FEATURES_OK;
	store(registers, VIRTIO_MMIO_STATUS, status);
	return load(registers, VIRTIO_MMIO_STATUS) == status ? 0 : -LINUX_EINVAL;
}

int virtio_mmio_start(
	volatile uint32_t *registers, uint32_t virtio_id, uint64_t wanted, uint64_t *features)
{
	int error;

	if (load(registers, VIRTIO_MMIO_MAGIC) != VIRTIO_MMIO_MAGIC_VALUE ||
		load(registers, VIRTIO_MMIO_DEVICE_ID) != virtio_id)
		return -LINUX_ENODEV;
	if (load(registers, VIRTIO_MMIO_VERSION) != VIRTIO_MMIO_VERSION_VALUE)
		return -LINUX_EINVAL;
	store(registers, VIRTIO_MMIO_STATUS, 0);
	error = negotiate(registers, wanted, features);
	if (error != 0)
		store(registers, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FAILED);
	return error;
}

uint32_t virtio_mmio_queue_size(volatile uint32_t *registers, uint32_t queue)
{
	store(registers, VIRTIO_MMIO_QUEUE_SELECT, queue);
	return load(registers, VIRTIO_MMIO_QUEUE_SIZE_MAX);
}

void virtio_mmio_set_queue(volatile uint32_t *registers, uint32_t queue, uint32_t size,
	struct phys descriptors, struct phys available, struct phys used)
{
	store(registers, VIRTIO_MMIO_QUEUE_SELECT, queue);
	store(registers, VIRTIO_MMIO_QUEUE_SIZE, size);
	store(registers, VIRTIO_MMIO_QUEUE_DESCRIPTORS_LOW, (uint32_t)descriptors.raw);
	store(registers, VIRTIO_MMIO_QUEUE_DESCRIPTORS_HIGH, (uint32_t)(descriptors.raw >> 32));
	store(registers, VIRTIO_MMIO_QUEUE_AVAILABLE_LOW, (uint32_t)available.raw);
	store(registers, VIRTIO_MMIO_QUEUE_AVAILABLE_HIGH, (uint32_t)(available.raw >> 32));
	store(registers, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)used.raw);
	store(registers, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(used.raw >> 32));
	store(registers, VIRTIO_MMIO_QUEUE_READY, 1);
}

uint32_t virtio_mmio_config_generation(volatile uint32_t *registers)
{
	return load(registers, VIRTIO_MMIO_CONFIG_GENERATION);
}

void virtio_mmio_set_ready(volatile uint32_t *registers)
{
	uint32_t status = load(registers, VIRTIO_MMIO_STATUS);

	store(registers, VIRTIO_MMIO_STATUS, status | VIRTIO_STATUS_DRIVER_OK);
}

volatile uint32_t *virtio_mmio_doorbell(volatile uint32_t *registers)
{
	return &registers[VIRTIO_MMIO_QUEUE_NOTIFY / 4];
}

void virtio_mmio_acknowledge(volatile uint32_t *registers)
{
	store(registers, VIRTIO_MMIO_INTERRUPT_ACKNOWLEDGE,
		load(registers, VIRTIO_MMIO_INTERRUPT_STATUS));
}
