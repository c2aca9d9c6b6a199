/* See pci.h. */
#include "drivers/pci.h"
#include "kernel/platform.h"
#include "abi/linux/errno.h"

/* Configuration space, in words. */
#define REGISTER_IDENTITY     0x00 /* device << 16 | vendor */
#define REGISTER_COMMAND      0x04 /* status << 16 | command */
#define REGISTER_HEADER       0x0c /* header type << 16 */
#define REGISTER_BAR          0x10
#define REGISTER_BUSES        0x18 /* of a bridge: secondary bus << 8 */
#define REGISTER_SUBSYSTEM    0x2c /* subsystem << 16 | vendor */
#define REGISTER_CAPABILITIES 0x34

#define COMMAND_MEMORY        (1u << 1)
#define COMMAND_MASTER        (1u << 2)
#define COMMAND_NO_LINE       (1u << 10)
#define STATUS_CAPABILITIES   (1u << 20)
#define HEADER_TYPE(word)     ((word) >> 16 & 0x7f)
#define HEADER_IS_MULTI(word) (((word) >> 23 & 1) != 0)

#define BUSES         256u
#define DEVICES       32u
#define FUNCTIONS     8u
#define BARS          6u
#define ANYTHING_LAST 48u /* capabilities that fit: a longer list is a circle */

#define BAR_IS_PORTS(word) (((word)&1) != 0)
#define BAR_IS_WIDE(word)  (((word) >> 1 & 3) == 2)

/* MSI-X: message control << 16 in the first word, then where the table lies. */
#define MSIX_ENABLE      (1u << 31)
#define MSIX_MASK_ALL    (1u << 30)
#define MSIX_ENTRY_BYTES 16

/* Buses behind bridges that were seen; those numbers are higher than the bridge's own. */
struct scan {
	uint64_t buses[BUSES / 64];
	void (*found)(const struct pci_identity *identity, void *argument);
	void *argument;
};

/* False: there is nothing. */
static bool scan_function(struct scan *scan, uint32_t function, uint32_t header)
{
	uint32_t identity = platform_pci_read(function, REGISTER_IDENTITY);

	if (identity == UINT32_MAX)
		return false;
	if (HEADER_TYPE(header) == 1) {
		uint32_t bus = platform_pci_read(function, REGISTER_BUSES) >> 8 & 0xff;
		if (bus > function >> 8)
			scan->buses[bus / 64] |= 1ull << bus % 64;
	} else if (HEADER_TYPE(header) == 0) {
		struct pci_identity found = {
			.function = function,
			.vendor = (uint16_t)identity,
			.device = (uint16_t)(identity >> 16),
			.subsystem =
				(uint16_t)(platform_pci_read(function, REGISTER_SUBSYSTEM) >> 16),
		};
		scan->found(&found, scan->argument);
	}
	return true;
}

static void scan_device(struct scan *scan, uint32_t first)
{
	uint32_t header = platform_pci_read(first, REGISTER_HEADER);

	if (header == UINT32_MAX || !scan_function(scan, first, header))
		return;
	for (uint32_t i = 1; i < FUNCTIONS && HEADER_IS_MULTI(header); i++)
		scan_function(scan, first + i, platform_pci_read(first + i, REGISTER_HEADER));
}

void pci_scan(void (*found)(const struct pci_identity *identity, void *argument), void *argument)
{
	struct scan scan = {.buses = {1}, .found = found, .argument = argument};

	for (uint32_t bus = 0; bus < BUSES; bus++) {
		if ((scan.buses[bus / 64] >> bus % 64 & 1) == 0)
			continue;
		for (uint32_t device = 0; device < DEVICES; device++)
			scan_device(&scan, bus << 8 | device << 3);
	}
}

uint32_t pci_find_capability(uint32_t function, uint8_t id, uint32_t after)
{
	uint32_t at;

	if ((platform_pci_read(function, REGISTER_COMMAND) & STATUS_CAPABILITIES) == 0)
		return 0;
	at = after == 0 ? platform_pci_read(function, REGISTER_CAPABILITIES)
			: platform_pci_read(function, after) >> 8;
	for (uint32_t i = 0; i < ANYTHING_LAST; i++) {
		uint32_t word;

		at &= 0xfc;
		if (at == 0)
			break;
		word = platform_pci_read(function, at);
		if ((word & 0xff) == id)
			return at;
		at = word >> 8;
	}
	return 0;
}

/* Where a memory region lies; 0: nowhere. */
static uint64_t bar_address(uint32_t function, uint32_t bar)
{
	uint32_t low;
	uint64_t address;

	if (bar >= BARS)
		return 0;
	low = platform_pci_read(function, REGISTER_BAR + 4 * bar);
	if (BAR_IS_PORTS(low))
		return 0;
	address = low & ~0xfull;
	if (BAR_IS_WIDE(low) && bar + 1 < BARS)
		address |= (uint64_t)platform_pci_read(function, REGISTER_BAR + 4 * bar + 4) << 32;
	return address;
}

void *pci_map(uint32_t function, uint32_t bar, uint64_t offset, uint64_t bytes)
{
	uint64_t address = bar_address(function, bar);

	if (address == 0 || bytes == 0)
		return NULL;
	return platform_map_device((struct phys){address + offset}, bytes);
}

int pci_enable(uint32_t function)
{
	uint32_t msix = pci_find_capability(function, PCI_CAPABILITY_MSIX, 0);
	uint32_t command;

	if (msix == 0)
		return -LINUX_ENODEV;
	/* The status half is cleared by ones: zeroes leave it. */
	command = platform_pci_read(function, REGISTER_COMMAND) & 0xffff;
	platform_pci_write(function, REGISTER_COMMAND,
		command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_LINE);
	/* Entries are masked one by one after reset. */
	platform_pci_write(
		function, msix, (platform_pci_read(function, msix) | MSIX_ENABLE) & ~MSIX_MASK_ALL);
	return 0;
}

int pci_set_interrupt(uint32_t function, uint64_t address, uint32_t data)
{
	uint32_t msix = pci_find_capability(function, PCI_CAPABILITY_MSIX, 0);
	uint32_t place;
	volatile uint32_t *entry;

	if (msix == 0)
		return -LINUX_ENODEV;
	place = platform_pci_read(function, msix + 4);
	entry = pci_map(function, place & 7, place & ~7u, MSIX_ENTRY_BYTES);
	if (entry == NULL)
		return -LINUX_ENOMEM;
	entry[0] = (uint32_t)address;
	entry[1] = (uint32_t)(address >> 32);
	entry[2] = data;
	entry[3] = 0; /* not masked */
	return 0;
}
