/*
 * PCI and virtio-pci against functions played here: order of the scan, odd configuration
 * spaces, and a device that is set up as the specification says.
 */
#include "drivers/pci.h"
#include "drivers/virtio_pci.h"
#include "kernel/arch.h"
#include "lib/test.h"
#include "abi/linux/errno.h"

#include <string.h>

#define FUNCTIONS 8

static struct {
	uint32_t number;
	uint32_t words[64];
} functions[FUNCTIONS];
static unsigned function_count;

/* ---- the platform -------------------------------------------------------------- */

static uint32_t *word_at(uint32_t function, uint32_t offset)
{
	CHECK(offset % 4 == 0 && offset < 256);
	for (unsigned i = 0; i < function_count; i++) {
		if (functions[i].number == function)
			return &functions[i].words[offset / 4];
	}
	return NULL;
}

uint32_t platform_pci_read(uint32_t function, uint32_t offset)
{
	const uint32_t *word = word_at(function, offset);

	return word != NULL ? *word : UINT32_MAX;
}

void platform_pci_write(uint32_t function, uint32_t offset, uint32_t value)
{
	uint32_t *word = word_at(function, offset);

	CHECK(word != NULL);
	if (word != NULL)
		*word = offset == 4 ? (*word & 0xffff0000) | (value & 0xffff) : value;
}

static _Alignas(4096) uint8_t bar_memory[16384];
#define BAR_PHYS 0x3800000000ull

void *platform_map_device(struct phys base, uint64_t bytes)
{
	CHECK(base.raw >= BAR_PHYS && base.raw - BAR_PHYS + bytes <= sizeof(bar_memory));
	return bar_memory + (base.raw - BAR_PHYS);
}

void arch_relax(void)
{
}

/* ---- functions --------------------------------------------------------------------- */

static uint32_t *add_function(uint32_t bus, uint32_t device, uint32_t function, uint32_t identity)
{
	uint32_t *words = functions[function_count].words;

	memset(words, 0, sizeof(functions[0].words));
	functions[function_count++].number = bus << 8 | device << 3 | function;
	words[0] = identity;
	return words;
}

static uint32_t found[16];
static unsigned found_count;

static void note_found(const struct pci_identity *identity, void *argument)
{
	CHECK(argument == found);
	CHECK_EQUAL(identity->vendor, 0x1af4);
	found[found_count++] = identity->function;
}

TEST(functions_are_found_in_order_and_behind_bridges)
{
	function_count = found_count = 0;
	add_function(0, 31, 0, 0x10411af4)[3] = 0x800000; /* several functions */
	add_function(0, 31, 2, 0x10421af4);
	uint32_t *bridge = add_function(0, 1, 0, 0x000c1b36);
	bridge[3] = 0x10000;
	bridge[6] = 0x00050500; /* bus 5 */
	add_function(5, 0, 0, 0x10441af4);
	add_function(0, 4, 0, 0x10001af4);
	add_function(0, 4, 1, 0x10001af4); /* not looked for: function 0 is the only one */
	uint32_t *circle = add_function(5, 9, 0, 0x000c1b36);
	circle[3] = 0x10000;
	circle[6] = 0x00000100; /* a bridge to below */
	pci_scan(note_found, found);
	CHECK_EQUAL(found_count, 4);
	CHECK_EQUAL(found[0], 4 << 3);
	CHECK_EQUAL(found[1], 31 << 3);
	CHECK_EQUAL(found[2], 31 << 3 | 2);
	CHECK_EQUAL(found[3], 5 << 8);
}

TEST(capabilities_in_a_circle_end)
{
	function_count = 0;
	uint32_t *words = add_function(0, 1, 0, 0x10411af4);
	CHECK_EQUAL(pci_find_capability(1 << 3, PCI_CAPABILITY_MSIX, 0), 0);
	words[1] = 1u << 20;
	words[13] = 0x41; /* low bits are reserved */
	words[0x40 / 4] = 0x5009;
	words[0x50 / 4] = 0x4009;
	CHECK_EQUAL(pci_find_capability(1 << 3, PCI_CAPABILITY_VENDOR, 0), 0x40);
	CHECK_EQUAL(pci_find_capability(1 << 3, PCI_CAPABILITY_VENDOR, 0x40), 0x50);
	CHECK_EQUAL(pci_find_capability(1 << 3, PCI_CAPABILITY_MSIX, 0), 0);
	CHECK_EQUAL(pci_find_capability(9 << 3, PCI_CAPABILITY_MSIX, 0), 0);
}

/* MSI-X at 0x40 with its table at 0x3000 of region 2 (64 bits wide); common registers at
 * 0, doorbells at 0x1000, four bytes apart. */
static uint32_t *add_device(void)
{
	static const struct virtio_pci_capability capabilities[] = {
		{PCI_CAPABILITY_VENDOR, 0x70, 16, VIRTIO_PCI_COMMON, 2, {0}, 0, 0x38, 0},
		{PCI_CAPABILITY_VENDOR, 0x90, 20, VIRTIO_PCI_NOTIFY, 2, {0}, 0x1000, 0x10, 4},
		{PCI_CAPABILITY_VENDOR, 0xb0, 16, VIRTIO_PCI_DEVICE, 2, {0}, 0x2000, 8, 0},
		/* a second offer of the same, of no worth */
		{PCI_CAPABILITY_VENDOR, 0, 16, VIRTIO_PCI_COMMON, 5, {0}, 0, 0x38, 0},
	};
	uint32_t *words;

	function_count = 0;
	memset(bar_memory, 0, sizeof(bar_memory));
	words = add_function(0, 3, 0, 0x10411af4);
	words[1] = 1u << 20;
	words[6] = (uint32_t)BAR_PHYS | 0xc;
	words[7] = BAR_PHYS >> 32;
	words[13] = 0x40;
	words[0x40 / 4] = 0x5011;
	words[0x44 / 4] = 0x3002;
	for (unsigned i = 0; i < 4; i++)
		memcpy(&words[(0x50 + 0x20 * i) / 4], &capabilities[i], 20);
	return words;
}

TEST(a_device_is_set_up)
{
	struct virtio_pci pci;
	uint64_t features = 0;
	uint32_t *words = add_device();
	struct virtio_pci_common *common = (void *)bar_memory;
	const uint32_t *entry = (void *)(bar_memory + 0x3000);
	volatile uint16_t *doorbell;

	common->status = 0x0f;
	common->device_features = 0xff; /* for either half: VERSION_1 is bit 0 of the second */
	CHECK_EQUAL(virtio_pci_start(&pci, 3 << 3, 0xf0, &features), 0);
	CHECK_EQUAL(features, 1ull << 32 | 0xf0);
	CHECK_EQUAL(words[1] & 0xffff, 0x406);
	CHECK_EQUAL(words[0x40 / 4] >> 16, 0x8000);
	CHECK_EQUAL(common->status, 11);
	CHECK_EQUAL(common->config_vector, VIRTIO_PCI_NO_VECTOR);
	CHECK(pci.config == bar_memory + 0x2000);

	common->queue_count = 5;
	common->queue_size = 256;
	CHECK_EQUAL(virtio_pci_queue_size(&pci, 5), 0);
	CHECK_EQUAL(virtio_pci_queue_size(&pci, 2), 256);
	common->queue_notify_offset = 2;
	doorbell = virtio_pci_set_queue(&pci, 2, 64, (struct phys){0x123456000},
		(struct phys){0x123457000}, (struct phys){0x123458000});
	CHECK((volatile uint8_t *)doorbell == bar_memory + 0x1008);
	CHECK_EQUAL(common->queue_size, 64);
	CHECK_EQUAL(common->queue_used[0], 0x23458000);
	CHECK_EQUAL(common->queue_used[1], 1);
	CHECK_EQUAL(common->queue_enable, 1);
	common->queue_notify_offset = 4; /* beyond what the capability says */
	CHECK(virtio_pci_set_queue(
		      &pci, 3, 64, (struct phys){0}, (struct phys){0}, (struct phys){0}) == NULL);

	CHECK_EQUAL(pci_set_interrupt(3 << 3, 0xfee00000, 0x53), 0);
	CHECK_EQUAL(entry[0], 0xfee00000);
	CHECK_EQUAL(entry[1], 0);
	CHECK_EQUAL(entry[2], 0x53);
	CHECK_EQUAL(entry[3], 0);
}

TEST(devices_that_cannot_be_used)
{
	struct virtio_pci pci;
	uint64_t features = 0;
	uint32_t *words = add_device();

	CHECK_EQUAL(virtio_pci_start(&pci, 3 << 3, 0, &features), -LINUX_EINVAL); /* legacy */
	CHECK_EQUAL(((struct virtio_pci_common *)(void *)bar_memory)->status, 128);
	words[6] = words[7] = 0; /* no place */
	CHECK_EQUAL(virtio_pci_start(&pci, 3 << 3, 0, &features), -LINUX_ENODEV);
	CHECK_EQUAL(pci_set_interrupt(3 << 3, 0xfee00000, 0x53), -LINUX_ENOMEM);
	words = add_device();
	words[6] = 0xc001; /* ports */
	CHECK_EQUAL(virtio_pci_start(&pci, 3 << 3, 0, &features), -LINUX_ENODEV);
	words = add_device();
	words[0x40 / 4] = 0x5005; /* no MSI-X */
	CHECK_EQUAL(virtio_pci_start(&pci, 3 << 3, 0, &features), -LINUX_ENODEV);
}

TEST_DEFINE_MAIN
