/*
 * Fuzzes lib/elf.c: any bytes. What elf_check() accepts must keep the promises of
 * lib/elf.h, and its parts must be readable.
 */
#include <stdlib.h>

#include "abi/elf.h"
#include "lib/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t sum_bytes(const uint8_t *at, uint64_t bytes)
{
	uint64_t sum = 0;

	while (bytes-- != 0)
		sum += *at++;
	return sum;
}

static void check_segments(const struct elf_program *program, const uint8_t *data, uint64_t bytes)
{
	volatile uint64_t sum = 0;

	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];
		uint64_t end = segment->address + segment->memory_bytes;

		require(segment->memory_bytes > 0 && segment->file_bytes <= segment->memory_bytes);
		require(end > segment->address && end <= ELF_HIGHEST_ADDRESS);
		require(program->is_relocatable || segment->address >= ELF_LOWEST_ADDRESS);
		require((segment->rights & 6) != 6);
		require(segment->offset <= bytes && segment->file_bytes <= bytes - segment->offset);
		require(program->lowest <= segment->address && program->highest >= end);
		sum += sum_bytes(data + segment->offset, segment->file_bytes);
	}
	require(program->highest - program->lowest <= ELF_HIGHEST_ADDRESS - ELF_LOWEST_ADDRESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct elf_program program;
	enum elf_error error = elf_check(data, bytes, &program);
	const struct elf_segment *entry;
	volatile uint64_t sum;

	require(elf_error_text(error) != NULL);
	if (error != ELF_OK)
		return 0;
	check_segments(&program, data, bytes);
	entry = elf_segment_at(&program, program.entry, 1);
	require(entry != NULL && entry->rights & 4);
	sum = sum_bytes(data + program.relocations_offset,
		program.relocation_count * sizeof(struct elf_rela));
	for (const char *at = program.interpreter; at != NULL && *at != 0; at++)
		sum += (uint64_t)*at;
	(void)sum;
	return 0;
}
