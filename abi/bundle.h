/*
 * The bundle: what `burrow run --platform qemu` hands to a PVH loader as its
 * initial ramdisk. A header, then modules at page-aligned offsets. The kernel
 * checks every offset and length against the size of the ramdisk.
 *
 * Devices are found through the kernel command line, to which QEMU's microvm adds
 * one ` virtio_mmio.device=512@0xfeb00000:5` (bytes@base:interrupt line of the I/O
 * APIC) for each virtio-mmio transport in use, in no fixed order. Without any such word
 * they are the virtio devices on the PCI buses, with modern registers and MSI-X, and
 * memory regions that firmware has placed (QEMU's q35). Roles go by address, or by bus,
 * device and function number: the first of the virtio consoles (id 3) is
 * BOOT_ROLE_STDIO, the second BOOT_ROLE_STDERR, the third BOOT_ROLE_CONTROL. Each
 * is multiport (VIRTIO_CONSOLE_F_MULTIPORT) and carries its stream on port 1, a
 * generic port: queue 4 receives, queue 5 transmits. (QEMU drops output of a console
 * port whose reader is slow.) An entropy device (id 4) follows. A serial port at 0x3f8 takes
 * emergency output; isa-debug-exit at port 0xf4 ends the machine.
 */
#ifndef ABI_BUNDLE_H
#define ABI_BUNDLE_H

#include "abi/boot_info.h"

#define BUNDLE_MAGIC   0x656c646e7562ull
#define BUNDLE_VERSION 3

struct bundle_header {
	uint64_t magic;
	uint32_t version;
	uint32_t flags;   /* enum boot_flags */
	uint64_t wall_ns; /* CLOCK_REALTIME when the launcher started the loader */
	uint8_t seed[64];
	uint64_t strings; /* as in struct boot_info; offset from the header */
	uint64_t strings_bytes;
	uint32_t argument_count;
	uint32_t environment_count;
	uint8_t streams[4];
	uint16_t tty_rows;
	uint16_t tty_columns;
	uint32_t module_count;
	uint32_t interface_count;
	uint64_t interfaces; /* struct boot_interface[]; offset from the header */
	char hostname[BOOT_HOSTNAME_BYTES];
	uint64_t disks; /* struct boot_disk[]; offset from the header */
	uint32_t disk_count;
	uint32_t files_mib;                           /* as in struct boot_info */
	struct boot_module modules[BOOT_MAX_MODULES]; /* base: offset from the header */
};

_Static_assert(sizeof(struct bundle_header) == 216 + 8 * 24, "shared layout");

#endif
