/* See virtio_pci.h. */
#include "drivers/virtio_pci.h"
#include "drivers/pci.h"
#include "kernel/arch.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define RESET_TRIES  1000000u
#define NOTIFY_BYTES (64u << 10) /* of the doorbells, what is mapped at most */
#define CONFIG_BYTES 4096u

/* ---- finding the registers -------------------------------------------------- */

static struct virtio_pci_capability read_capability(uint32_t function, uint32_t at)
{
	struct virtio_pci_capability capability;
	uint32_t words[sizeof(capability) / 4];

	for (uint32_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = at + 4 * i < 256 ? platform_pci_read(function, at + 4 * i) : 0;
	memcpy(&capability, words, sizeof(capability));
	return capability;
}

/* Takes note of a region unless an earlier capability described it: the first is preferred
 * by the device (section 4.1.4.1). */
static void take_region(
	struct virtio_pci *pci, uint32_t function, const struct virtio_pci_capability *capability)
{
	uint32_t bytes = capability->length;

	if (capability->region == VIRTIO_PCI_COMMON && pci->common == NULL &&
		bytes >= sizeof(*pci->common)) {
		pci->common = pci_map(
			function, capability->bar, capability->offset, sizeof(*pci->common));
	} else if (capability->region == VIRTIO_PCI_NOTIFY && pci->notify == NULL) {
		pci->notify_bytes = MIN(bytes, NOTIFY_BYTES);
		pci->notify_multiplier = capability->notify_multiplier;
		pci->notify =
			pci_map(function, capability->bar, capability->offset, pci->notify_bytes);
	} else if (capability->region == VIRTIO_PCI_DEVICE && pci->config == NULL) {
		pci->config = pci_map(
			function, capability->bar, capability->offset, MIN(bytes, CONFIG_BYTES));
	}
}

static void find_regions(struct virtio_pci *pci, uint32_t function)
{
	uint32_t at = 0;

	*pci = (struct virtio_pci){.common = NULL};
	while ((at = pci_find_capability(function, PCI_CAPABILITY_VENDOR, at)) != 0) {
		struct virtio_pci_capability capability = read_capability(function, at);

		take_region(pci, function, &capability);
	}
}

/* ---- negotiation -------------------------------------------------------------- */

/* The device has forgotten everything once it shows status 0 (section 4.1.4.3.2). */
static bool reset(volatile struct virtio_pci_common *common)
{
	common->status = 0;
	for (uint32_t i = 0; i < RESET_TRIES; i++) {
		if (common->status == 0)
			return true;
		arch_relax();
	}
	return false;
}

static uint64_t load_features(volatile struct virtio_pci_common *common)
{
	uint64_t low;

	common->device_features_select = 0;
	low = common->device_features;
	common->device_features_select = 1;
	return low | (uint64_t)common->device_features << 32;
}

static void store_features(volatile struct virtio_pci_common *common, uint64_t features)
{
	common->driver_features_select = 0;
	common->driver_features = (uint32_t)features;
	common->driver_features_select = 1;
	common->driver_features = (uint32_t)(features >> 32);
}

static int negotiate(volatile struct virtio_pci_common *common, uint64_t wanted, uint64_t *features)
{
	uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	common->status = status;
	*features = load_features(common) & (wanted | VIRTIO_F_VERSION_1);
	if ((*features & VIRTIO_F_VERSION_1) == 0)
		return -LINUX_EINVAL;
	store_features(common, *features);
	status |= VIRTIO_STATUS_FEATURES_OK;
	common->status = status;
	return common->status == status ? 0 : -LINUX_EINVAL;
}

int virtio_pci_start(struct virtio_pci *pci, uint32_t function, uint64_t wanted, uint64_t *features)
{
	int error = pci_enable(function);

	if (error != 0)
		return error;
	find_regions(pci, function);
	if (pci->common == NULL || pci->notify == NULL)
		return -LINUX_ENODEV;
	error = reset(pci->common) ? negotiate(pci->common, wanted, features) : -LINUX_EINVAL;
	if (error != 0)
		pci->common->status = VIRTIO_STATUS_FAILED;
	else
		pci->common->config_vector = VIRTIO_PCI_NO_VECTOR;
	return error;
}

/* ---- queues --------------------------------------------------------------------- */

uint32_t virtio_pci_queue_size(struct virtio_pci *pci, uint32_t queue)
{
	if (queue >= pci->common->queue_count)
		return 0;
	pci->common->queue_select = (uint16_t)queue;
	return pci->common->queue_size;
}

static void store_address(volatile uint32_t *halves, struct phys address)
{
	halves[0] = (uint32_t)address.raw;
	halves[1] = (uint32_t)(address.raw >> 32);
}

volatile uint16_t *virtio_pci_set_queue(struct virtio_pci *pci, uint32_t queue, uint32_t size,
	struct phys descriptors, struct phys available, struct phys used)
{
	volatile struct virtio_pci_common *common = pci->common;
	uint64_t offset;

	common->queue_select = (uint16_t)queue;
	offset = (uint64_t)common->queue_notify_offset * pci->notify_multiplier;
	if ((offset & 1) != 0 || offset + sizeof(uint16_t) > pci->notify_bytes)
		return NULL;
	common->queue_vector = 0;
	if (common->queue_vector != 0)
		return NULL;
	common->queue_size = (uint16_t)size;
	store_address(common->queue_descriptors, descriptors);
	store_address(common->queue_available, available);
	store_address(common->queue_used, used);
	common->queue_enable = 1;
	return (volatile uint16_t *)(volatile void *)(pci->notify + offset);
}

uint32_t virtio_pci_config_generation(struct virtio_pci *pci)
{
	return pci->common->config_generation;
}

void virtio_pci_set_ready(struct virtio_pci *pci)
{
	pci->common->status = (uint8_t)(pci->common->status | VIRTIO_STATUS_DRIVER_OK);
}
