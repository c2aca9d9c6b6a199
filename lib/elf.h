/*
 * Checks a static x86-64 Linux executable and says how to load it.
 *
 * Pure: no allocation, no libc, no globals; reads only [image, +bytes), whatever
 * the file says and however it is aligned. Used by the CLI and the monitor before
 * boot and again by the kernel, which trusts neither.
 *
 * After ELF_OK the caller may rely on this, for every segment:
 *   - [offset, +file_bytes) lies in the image, file_bytes <= memory_bytes, memory_bytes > 0;
 *   - offset and address are equal modulo 4096;
 *   - no two segments touch the same page; none is writable and executable;
 *   - all lie in [ELF_LOWEST_ADDRESS, ELF_HIGHEST_ADDRESS). A position-independent
 *     program's addresses are relative to the base the loader chooses (multiple of
 *     4096): highest - lowest fits in that range.
 *   - entry lies in the file part of an executable segment.
 */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include "lib/compiler.h"

#define ELF_MAX_SEGMENTS    16
#define ELF_LOWEST_ADDRESS  0x10000ull
#define ELF_HIGHEST_ADDRESS 0x7ffffffff000ull

enum elf_error {
	ELF_OK,
	ELF_TOO_SHORT,
	ELF_NOT_ELF,
	ELF_IS_WINDOWS,
	ELF_IS_MACOS,
	ELF_IS_SCRIPT,
	ELF_IS_WASM,
	ELF_IS_ARCHIVE,
	ELF_IS_32_BIT,
	ELF_IS_BIG_ENDIAN,
	ELF_BAD_VERSION,
	ELF_FOR_ARM64,
	ELF_FOR_RISCV,
	ELF_FOR_LOONGARCH,
	ELF_FOR_PPC64,
	ELF_FOR_S390,
	ELF_FOR_MIPS,
	ELF_FOR_OTHER_MACHINE,
	ELF_FOR_BSD,
	ELF_FOR_OTHER_SYSTEM,
	ELF_IS_OBJECT,
	ELF_IS_CORE,
	ELF_IS_SHARED_LIBRARY,
	ELF_OTHER_TYPE,
	ELF_BAD_PROGRAM_HEADERS,
	ELF_TRUNCATED,
	ELF_NO_SEGMENTS,
	ELF_TOO_MANY_SEGMENTS,
	ELF_SEGMENT_SIZE,
	ELF_SEGMENT_WRAPS,
	ELF_SEGMENT_ADDRESS,
	ELF_SEGMENT_OVERLAP,
	ELF_SEGMENT_MISALIGNED,
	ELF_WRITABLE_CODE,
	ELF_BAD_ENTRY,
	ELF_BAD_TLS,
	ELF_BAD_INTERPRETER,
	ELF_BAD_RELOCATION,
	ELF_NEEDS_INTERPRETER,
	ELF_ERROR_COUNT
};

struct elf_segment {
	uint64_t address;
	uint64_t memory_bytes;
	uint64_t offset; /* in the image */
	uint64_t file_bytes;
	int rights; /* PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 */
};

struct elf_program {
	bool is_relocatable; /* static PIE: add a base to every address below */
	uint64_t entry;
	uint64_t lowest;  /* page that holds the first byte of the lowest segment */
	uint64_t highest; /* end of the last page of the highest segment */

	uint64_t program_headers;         /* file offset */
	uint64_t program_headers_address; /* AT_PHDR; 0 when no segment holds them */
	uint32_t program_header_count;

	uint32_t segment_count;
	struct elf_segment segments[ELF_MAX_SEGMENTS];

	uint64_t tls_address; /* PT_TLS; tls_memory_bytes 0: none */
	uint64_t tls_memory_bytes;
	uint64_t tls_file_bytes;
	uint64_t tls_align;

	uint64_t dynamic_offset; /* PT_DYNAMIC in the file; dynamic_bytes 0: none */
	uint64_t dynamic_bytes;

	/* struct elf_rela[] in the file that the loader must apply, all of them
	 * R_X86_64_RELATIVE on 8 bytes inside a writable segment (a Go PIE expects it;
	 * C's static PIE relocates itself: 0). */
	uint64_t relocations_offset;
	uint64_t relocation_count;

	/* PT_INTERP's path, in the image, NUL-terminated; NULL: none. Set also with
	 * ELF_NEEDS_INTERPRETER, for the message. */
	const char *interpreter;
};

/* Fills *program. Returns ELF_OK or the first defect; *program is then undefined
 * but for `interpreter`. */
enum elf_error elf_check(const uint8_t *image, uint64_t bytes, struct elf_program *program);

/* What is wrong and what to do, without a final full stop; never NULL. */
const char *elf_error_text(enum elf_error error);

/* The segment whose file part holds [address, +bytes), or NULL. */
const struct elf_segment *elf_segment_at(
	const struct elf_program *program, uint64_t address, uint64_t bytes);

#endif
