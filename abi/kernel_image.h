/*
 * How launchers place and enter the kernel image.
 *
 * build/kernel.elf is an ELF64 executable. Its PT_LOAD segments are linked at
 * KERNEL_VIRT_BASE + offset with page-aligned file offsets, so that a launcher
 * may map the file instead of copying it: the image occupies guest-physical
 * [kernel_base, kernel_base + image bytes) with p_paddr giving the layout. A PVH
 * note (Xen ELFNOTE 18, PHYS32_ENTRY) serves QEMU -kernel and its like; the note
 * "Burrow"/1 below serves our monitor.
 *
 * Our monitor starts vcpu N in ring 3 (CS 0x33, SS 0x2b) with
 *   RIP = note.entry, RSP = 0, RDI = physical address of struct boot_info,
 *   RSI = N, RFLAGS = 0x202, CR3 = the tables of abi/boot_layout.h,
 *   GDTR, IDTR and TR describing cpu_tables + N * cpu_tables_stride.
 */
#ifndef ABI_KERNEL_IMAGE_H
#define ABI_KERNEL_IMAGE_H

#define KERNEL_VIRT_BASE 0xffffffff80000000ull
#define KERNEL_PHYS_LINK 0x200000              /* where p_paddr starts */
#define LINEAR_BASE      0xffff900000000000ull /* all of guest-physical memory, offset by this */
#define DEVICE_VIRT_BASE 0xfffffffff0000000ull /* local APIC, I/O APIC and device registers */

#define KERNEL_NOTE_NAME "Burrow"
#define KERNEL_NOTE_TYPE 1

#define SELECTOR_KERNEL_CODE 0x10 /* ring 0: the nucleus */
#define SELECTOR_KERNEL_DATA 0x18
#define SELECTOR_USER_DATA   0x2b
#define SELECTOR_USER_CODE   0x33
#define SELECTOR_TSS         0x40

#ifndef __ASSEMBLER__

#include <stdint.h>

struct kernel_note {
	uint32_t version; /* 2 */
	uint32_t cpu_tables_stride;
	uint64_t entry;                 /* virtual, 64-bit, ring 3 */
	uint64_t cpu_tables;            /* virtual: struct cpu_tables of vcpu 0 */
	uint32_t gdt_offset, gdt_bytes; /* within struct cpu_tables */
	uint32_t idt_offset, idt_bytes;
	uint32_t tss_offset, tss_bytes;
	uint64_t syscall_entry; /* virtual: LSTAR value when `syscall` stays in ring 3 */
	uint64_t nucleus_start, nucleus_end; /* virtual: mapped supervisor-only */
	uint64_t dense_end; /* virtual: most pages up to here are touched at every boot */
};

_Static_assert(sizeof(struct kernel_note) == 80, "shared layout");

#endif
#endif
