/*
 * A built file: what `burrow build` makes. One ELF64 file with two lives.
 *
 *   offset        what                         Linux (vaddr)      PVH loader (paddr)
 *   0             ELF header, program headers, IMAGE_HEAD_END -   IMAGE_HEAD_PHYS
 *                 notes, struct image_header,  its bytes
 *                 manifest
 *   after it      the monitor, as it was       where it was       after the files, never used
 *                 linked                       linked
 *                 the kernel's ELF file        IMAGE_GUEST_VIRT   KERNEL_PHYS_LINK
 *                                              + paddr
 *                 program, sites, files        the same           after the kernel and the
 *                                                                 pages for its first tables
 *
 * Linux runs the monitor, which finds the header in its own memory, below the program headers
 * (AT_PHDR), and maps the parts from the file. A PVH loader enters the kernel by the note,
 * which finds the header at IMAGE_HEAD_PHYS and the parts at their physical addresses. Every
 * part starts on a page, in the file and in memory. The manifest is text (lib/manifest.h).
 */
#ifndef ABI_IMAGE_H
#define ABI_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC   0x656c69666e777562ull /* "buwnfile" */
#define IMAGE_VERSION 1

#define IMAGE_HEAD_PHYS     0x100000ull /* the kernel's image follows at 2 MiB */
#define IMAGE_HEAD_MAX      0x100000ull
#define IMAGE_HEADER_OFFSET 2048u     /* of struct image_header, in the file */
#define IMAGE_HEAD_END      0x400000u /* where the monitor's own addresses begin */
#define IMAGE_GUEST_VIRT    0x10000000ull
#define IMAGE_TABLES_BYTES  0x200000ull /* behind the kernel's image: its first page tables */
#define IMAGE_MAX_PARTS     8

/* A note that tools may look for; its value is IMAGE_HEADER_OFFSET, 64 bits. */
#define IMAGE_NOTE_NAME "Burrow"
#define IMAGE_NOTE_TYPE 2

enum image_part_type {
	IMAGE_PART_MANIFEST = 1, /* not on a page: behind the header */
	IMAGE_PART_MONITOR = 2,
	IMAGE_PART_KERNEL = 3,  /* a whole ELF file (abi/kernel_image.h) */
	IMAGE_PART_PROGRAM = 4, /* a whole ELF file */
	IMAGE_PART_SITES = 5,   /* struct syscall_site[] */
	IMAGE_PART_FILES = 6,   /* as BOOT_MODULE_FILES */
	IMAGE_PART_TREE = 7,    /* as BOOT_MODULE_IMAGE */
};

struct image_part {
	uint32_t type;
	uint32_t reserved;
	uint64_t offset; /* in the file */
	uint64_t bytes;
	uint64_t phys; /* where a PVH loader puts it; the kernel's: of its file's first page */
};

struct image_header {
	uint64_t magic;
	uint32_t version;
	uint32_t part_count;
	uint64_t head_bytes; /* of the file's first piece, whole pages */
	uint64_t file_bytes;
	struct image_part parts[IMAGE_MAX_PARTS]; /* each type once at most */
};

_Static_assert(sizeof(struct image_part) == 32, "shared layout");
_Static_assert(sizeof(struct image_header) == 32 + 8 * 32, "shared layout");

#endif
