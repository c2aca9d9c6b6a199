/* The devices that PVH loaders do not tell of. */
#ifndef PLATFORM_VM_DEVICES_H
#define PLATFORM_VM_DEVICES_H

#include "abi/boot_info.h"

/* Adds the virtio devices on the PCI buses, in their order. */
void devices_scan_pci(struct boot_info *info);
/* Gives the consoles their roles, in the order of the devices (abi/bundle.h). */
void devices_assign_roles(struct boot_info *info);

#endif
