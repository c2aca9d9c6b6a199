/*
 * Layouts of ELF64 for x86-64: System V ABI, chapter 4 and 5, and its AMD64 supplement.
 *
 * Only what static executables need. Values are little-endian.
 */
#ifndef ABI_ELF_H
#define ABI_ELF_H

#include <stdint.h>

enum elf_ident {
	ELF_IDENT_CLASS = 4, /* byte offsets in ident[] */
	ELF_IDENT_DATA = 5,
	ELF_IDENT_VERSION = 6,
	ELF_IDENT_SYSTEM = 7,
	ELF_CLASS_32 = 1,
	ELF_CLASS_64 = 2,
	ELF_DATA_LITTLE = 1,
	ELF_DATA_BIG = 2,
	ELF_SYSTEM_NONE = 0,
	ELF_SYSTEM_NETBSD = 2,
	ELF_SYSTEM_LINUX = 3,
	ELF_SYSTEM_SOLARIS = 6,
	ELF_SYSTEM_FREEBSD = 9,
	ELF_SYSTEM_OPENBSD = 12,
};

enum elf_file_type { ELF_TYPE_REL = 1, ELF_TYPE_EXEC = 2, ELF_TYPE_DYN = 3, ELF_TYPE_CORE = 4 };

enum elf_machine {
	ELF_MACHINE_386 = 3,
	ELF_MACHINE_MIPS = 8,
	ELF_MACHINE_PPC64 = 21,
	ELF_MACHINE_S390 = 22,
	ELF_MACHINE_ARM = 40,
	ELF_MACHINE_X86_64 = 62,
	ELF_MACHINE_AARCH64 = 183,
	ELF_MACHINE_RISCV = 243,
	ELF_MACHINE_LOONGARCH = 258,
};

struct elf_header {
	uint8_t ident[16];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint64_t entry;
	uint64_t program_headers; /* file offset */
	uint64_t section_headers;
	uint32_t flags;
	uint16_t header_bytes;
	uint16_t program_header_bytes;
	uint16_t program_header_count;
	uint16_t section_header_bytes;
	uint16_t section_header_count;
	uint16_t section_names;
};

enum elf_program_header_type {
	ELF_PT_LOAD = 1,
	ELF_PT_DYNAMIC = 2,
	ELF_PT_INTERP = 3,
	ELF_PT_NOTE = 4,
	ELF_PT_PHDR = 6,
	ELF_PT_TLS = 7,
	ELF_PT_GNU_STACK = 0x6474e551,
};

enum elf_program_header_flags { ELF_PF_X = 1, ELF_PF_W = 2, ELF_PF_R = 4 };

struct elf_program_header {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t physical_address;
	uint64_t file_bytes;
	uint64_t memory_bytes;
	uint64_t align;
};

enum elf_dynamic_tag {
	ELF_DT_NULL = 0,
	ELF_DT_NEEDED = 1,
	ELF_DT_PLTRELSZ = 2,
	ELF_DT_RELA = 7,
	ELF_DT_RELASZ = 8,
	ELF_DT_RELAENT = 9,
	ELF_DT_SONAME = 14,
	ELF_DT_REL = 17,
	ELF_DT_RELRSZ = 35,
	ELF_DT_FLAGS_1 = 0x6ffffffb,
};
#define ELF_DF_1_PIE 0x08000000ull

struct elf_dynamic {
	uint64_t tag;
	uint64_t value;
};

struct elf_rela {
	uint64_t address;
	uint64_t info; /* symbol << 32 | type */
	int64_t addend;
};
#define ELF_R_X86_64_RELATIVE 8

struct elf_note {
	uint32_t name_bytes; /* terminating NUL included; both parts padded to 4 bytes */
	uint32_t value_bytes;
	uint32_t type;
};

struct elf_symbol {
	uint32_t name;
	uint8_t info;
	uint8_t other;
	uint16_t section;
	uint64_t value;
	uint64_t bytes;
};

struct elf_section_header {
	uint32_t name;
	uint32_t type;
	uint64_t flags;
	uint64_t address;
	uint64_t offset;
	uint64_t bytes;
	uint32_t link;
	uint32_t info;
	uint64_t align;
	uint64_t entry_bytes;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF layout");
_Static_assert(sizeof(struct elf_program_header) == 56, "ELF layout");
_Static_assert(sizeof(struct elf_dynamic) == 16, "ELF layout");
_Static_assert(sizeof(struct elf_rela) == 24, "ELF layout");
_Static_assert(sizeof(struct elf_note) == 12, "ELF layout");
_Static_assert(sizeof(struct elf_symbol) == 24, "ELF layout");
_Static_assert(sizeof(struct elf_section_header) == 64, "ELF layout");

#endif
