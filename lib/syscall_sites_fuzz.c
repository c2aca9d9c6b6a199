/*
 * Fuzzes lib/syscall_sites.c: the input is the text of a Go program (and, whole, its
 * data). Each site found must hold `0f 05` where its kind says.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/syscall_sites.h"

#define HEAD_BYTES 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_site(const struct syscall_site *site, const uint8_t *text, size_t bytes)
{
	static const unsigned distances[] = {
		[SITE_MOV_EAX] = 5, [SITE_MOV_RAX] = 7, [SITE_SYSCALL6] = 3, [SITE_NO_ERROR] = 5};
	uint64_t at = site->address - 0x401000;

	if (site->kind < SITE_MOV_EAX || site->kind > SITE_NO_ERROR)
		abort();
	at += distances[site->kind];
	if (at + 2 > bytes || text[at] != 0x0f || text[at + 1] != 0x05)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char head[HEAD_BYTES] = "\xe9\x03\x00\x00\x00\x90\x90\x90"
					     "\x48\x8b\x3c\x24\x48\x8d\x74\x24\x08\xe9";
	size_t text_bytes = HEAD_BYTES + bytes;
	uint8_t *image = malloc(2 * text_bytes);
	struct syscall_site sites[16];
	struct elf_program program = {.entry = 0x401000, .segment_count = 2};
	size_t count;

	memcpy(image, "\xff Go buildinf:\0\0\0\0", 16);
	memcpy(image + 16, head, 16);
	memcpy(image + text_bytes, head, HEAD_BYTES);
	memcpy(image + text_bytes + HEAD_BYTES, data, bytes);
	program.segments[0] = (struct elf_segment){
		.address = 0x500000, .file_bytes = text_bytes, .memory_bytes = text_bytes};
	program.segments[1] = (struct elf_segment){.address = 0x401000,
		.offset = text_bytes,
		.file_bytes = text_bytes,
		.memory_bytes = text_bytes,
		.rights = 5};
	memcpy(image + HEAD_BYTES, data, bytes);
	count = syscall_sites_find(image, 2 * text_bytes, &program, sites, ARRAY_SIZE(sites));
	if (count > ARRAY_SIZE(sites))
		abort();
	for (size_t i = 0; i < count; i++)
		check_site(&sites[i], image + text_bytes, text_bytes);
	free(image);
	return 0;
}
