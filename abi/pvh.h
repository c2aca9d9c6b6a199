/*
 * The PVH boot protocol: Xen's docs/misc/pvh.markdown and
 * xen/include/public/arch-x86/hvm/start_info.h. 32-bit protected mode, paging off,
 * ebx holds the physical address of struct hvm_start_info.
 */
#ifndef ABI_PVH_H
#define ABI_PVH_H

#define PVH_NOTE_PHYS32_ENTRY 18
#define PVH_START_MAGIC       0x336ec578

#ifndef __ASSEMBLER__

#include <stdint.h>

struct hvm_start_info {
	uint32_t magic;
	uint32_t version; /* 1 and later have the memory map */
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules; /* struct hvm_module[] */
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map; /* struct hvm_memory[] */
	uint32_t memory_map_count;
	uint32_t reserved;
};

struct hvm_module {
	uint64_t address;
	uint64_t bytes;
	uint64_t command_line;
	uint64_t reserved;
};

enum hvm_memory_type { HVM_MEMORY_RAM = 1 };

struct hvm_memory {
	uint64_t address;
	uint64_t bytes;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct hvm_start_info) == 56, "Xen layout");
_Static_assert(sizeof(struct hvm_module) == 32, "Xen layout");
_Static_assert(sizeof(struct hvm_memory) == 24, "Xen layout");

#endif
#endif
