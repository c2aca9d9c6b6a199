/* See devices.h. Configuration mechanism #1 of PCI (PCI Local Bus 3.0, 3.2.2.3). */
#include "platform/vm/devices.h"

#include "abi/virtio.h"
#include "drivers/pci.h"
#include "kernel/lock.h"
#include "kernel/platform.h"
#include "lib/compiler.h"
#include "platform/vm/ports.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       0x80000000u

/* Guards the address port: two vcpus would read each other's words. */
static struct spinlock lock = SPINLOCK_INIT;

static uint32_t address(uint32_t function, uint32_t offset)
{
	return ENABLE | function << 8 | (offset & 0xfc);
}

uint32_t platform_pci_read(uint32_t function, uint32_t offset)
{
	uint32_t value;

	spin_lock(&lock);
	port_write32(PORT_ADDRESS, address(function, offset));
	value = port_read32(PORT_DATA);
	spin_unlock(&lock);
	return value;
}

void platform_pci_write(uint32_t function, uint32_t offset, uint32_t value)
{
	spin_lock(&lock);
	port_write32(PORT_ADDRESS, address(function, offset));
	port_write32(PORT_DATA, value);
	spin_unlock(&lock);
}

static void add_device(const struct pci_identity *identity, void *argument)
{
	struct boot_info *info = argument;
	uint32_t virtio_id = identity->device >= VIRTIO_PCI_MODERN
				     ? identity->device - VIRTIO_PCI_MODERN
				     : identity->subsystem;

	if (identity->vendor != VIRTIO_PCI_VENDOR || identity->device < VIRTIO_PCI_TRANSITIONAL ||
		identity->device >= VIRTIO_PCI_END || info->device_count == BOOT_MAX_DEVICES)
		return;
	struct boot_device *device = &info->devices[info->device_count++];
	device->transport = BOOT_TRANSPORT_PCI;
	device->virtio_id = virtio_id;
	device->base = identity->function;
}

void devices_scan_pci(struct boot_info *info)
{
	port_write32(PORT_ADDRESS, ENABLE);
	if (port_read32(PORT_ADDRESS) == ENABLE) /* else there is no PCI */
		pci_scan(add_device, info);
}

void devices_assign_roles(struct boot_info *info)
{
	static const uint32_t roles[] = {BOOT_ROLE_STDIO, BOOT_ROLE_STDERR, BOOT_ROLE_CONTROL};
	size_t next = 0;

	for (uint32_t i = 0; i < info->device_count && next < ARRAY_SIZE(roles); i++) {
		if (info->devices[i].virtio_id == VIRTIO_ID_CONSOLE)
			info->devices[i].role = roles[next++];
	}
}
