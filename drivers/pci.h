/*
 * PCI functions (PCI Local Bus 3.0): finding them, their capabilities, their memory, and
 * interrupts by MSI-X. Buses, bridges and memory regions are as the firmware left them.
 *
 * A function is named by bus << 8 | device << 3 | function (platform_pci_read()).
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "lib/compiler.h"

#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX   0x11

struct pci_identity {
	uint32_t function;
	uint16_t vendor, device, subsystem;
};

/* Calls found(identity, argument) for each function, in ascending order of the number;
 * nothing is called where there is no PCI. Needs no memory. */
void pci_scan(void (*found)(const struct pci_identity *identity, void *argument), void *argument);

/* The next capability of a kind behind the one at `after` (0: the first); 0: none. */
uint32_t pci_find_capability(uint32_t function, uint8_t id, uint32_t after);

/* Makes `bytes` at `offset` into a memory region addressable, for good; NULL: the region has
 * no place, or there is no room. */
void *pci_map(uint32_t function, uint32_t bar, uint64_t offset, uint64_t bytes);

/* Lets the function answer to memory accesses, reach memory, and interrupt by MSI-X only.
 * -ENODEV: it has no MSI-X. */
int pci_enable(uint32_t function);

/* Entry 0 of the function's MSI-X table: what it writes, and where, to interrupt. */
int pci_set_interrupt(uint32_t function, uint64_t address, uint32_t data);

#endif
