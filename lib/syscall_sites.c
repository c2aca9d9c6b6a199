/*
 * Finds the rewritable `syscall` instructions of a Go program: see lib/syscall_sites.h.
 *
 * A text segment is searched for the bytes 0f 05, eight positions at a time; what
 * comes before them (and, for Syscall6, after) decides. The patterns were compared
 * with a disassembler over Go 1.21 to 1.27: 0f 05 also occurs inside other
 * instructions and in data, none of which matches.
 */
#include "lib/syscall_sites.h"
#include "lib/string.h"
#include "abi/elf.h"

/* Above the highest system call of Linux (471 in 6.18). */
#define NUMBER_LIMIT 1024

#define BYTES_0F   0x0f0f0f0f0f0f0f0full
#define BYTES_05   0x0505050505050505ull
#define BYTES_LOW  0x0101010101010101ull
#define BYTES_HIGH 0x8080808080808080ull

static uint64_t load_64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t load_32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Not 0 if 0f 05 starts at one of the eight bytes from `at` (reads nine); may
 * rarely be not 0 without. */
static uint64_t may_hold_syscall(const uint8_t *at)
{
	uint64_t differs = (load_64(at) ^ BYTES_0F) | (load_64(at + 1) ^ BYTES_05);

	return (differs - BYTES_LOW) & ~differs & BYTES_HIGH;
}

/* The next 0f 05 in [at, end), or `end`. */
static const uint8_t *find_syscall(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= 33) {
		uint64_t hit = may_hold_syscall(at) | may_hold_syscall(at + 8) |
			       may_hold_syscall(at + 16) | may_hold_syscall(at + 24);

		if (UNLIKELY(hit != 0)) {
			for (int i = 0; i < 32; i++) {
				if (at[i] == 0x0f && at[i + 1] == 0x05)
					return at + i;
			}
		}
		at += 32;
	}
	for (; end - at >= 2; at++) {
		if (at[0] == 0x0f && at[1] == 0x05)
			return at;
	}
	return end;
}

/* Text of a segment: what lies around a `syscall` at `at` may be read inside it only. */
struct text {
	const uint8_t *start;
	const uint8_t *end;
};

static bool comes_before(
	const struct text *text, const uint8_t *at, const char *pattern, size_t bytes)
{
	return (size_t)(at - text->start) >= bytes && memcmp(at - bytes, pattern, bytes) == 0;
}

static bool comes_at(const struct text *text, const uint8_t *at, const char *pattern, size_t bytes)
{
	return (size_t)(text->end - at) >= bytes && memcmp(at, pattern, bytes) == 0;
}

/* b8 imm32, or 48 c7 c0 imm32, just before `at`. A byte 41, 43 … 4f before b8 would
 * make it a move to r8d: left to the trap. */
static bool match_move(const struct text *text, const uint8_t *at, struct syscall_site *site)
{
	if (at - text->start >= 7 && comes_before(text, at - 4, "\x48\xc7\xc0", 3)) {
		site->kind = SITE_MOV_RAX;
		site->address = 7;
	} else if (at - text->start >= 6 && at[-5] == 0xb8 && (at[-6] & 0xf1) != 0x41) {
		site->kind = SITE_MOV_EAX;
		site->address = 5;
	} else {
		return false;
	}
	site->number = load_32(at - 4);
	return site->number < NUMBER_LIMIT;
}

/* Fills *site, with the distance from the first rewritten byte to `at` as address. */
static bool classify(const struct text *text, const uint8_t *at, struct syscall_site *site)
{
	*site = (struct syscall_site){0};
	if (match_move(text, at, site))
		return true;
	site->number = 0;
	if (comes_before(text, at, "\x49\x89\xf2\x48\x89\xfa\x48\x89\xce\x48\x89\xdf", 12) &&
		comes_at(text, at + 2, "\x48\x3d\x01\xf0\xff\xff\x76", 7)) {
		site->kind = SITE_SYSCALL6;
		site->address = 3;
		return true;
	}
	if (comes_before(text, at, "\x48\x8b\x44\x24\x08", 5)) {
		site->kind = SITE_NO_ERROR;
		site->address = 5;
		return true;
	}
	return false;
}

static size_t find_in_segment(const uint8_t *image, const struct elf_segment *segment,
	struct syscall_site *out, size_t capacity)
{
	const struct text text = {
		.start = image + segment->offset,
		.end = image + segment->offset + segment->file_bytes,
	};
	const uint8_t *at = find_syscall(text.start, text.end);
	size_t count = 0;

	while (at != text.end && count < capacity) {
		struct syscall_site site;

		if (classify(&text, at, &site)) {
			site.address =
				segment->address + (uint64_t)(at - text.start) - site.address;
			out[count++] = site;
		}
		at = find_syscall(at + 2, text.end);
	}
	return count;
}

/* Notes of one PT_NOTE segment: is one of them Go's build ID (name "Go", type 4)? */
static bool holds_go_note(const uint8_t *notes, uint64_t bytes)
{
	struct elf_note note;

	while (bytes >= sizeof(note)) {
		uint64_t whole;

		memcpy(&note, notes, sizeof(note));
		whole = sizeof(note) + ALIGN_UP((uint64_t)note.name_bytes, 4) +
			ALIGN_UP((uint64_t)note.value_bytes, 4);
		if (whole > bytes)
			return false;
		if (note.type == 4 && note.name_bytes == 4 &&
			memcmp(notes + sizeof(note), "Go\0", 4) == 0)
			return true;
		notes += whole;
		bytes -= whole;
	}
	return false;
}

static bool has_go_note(const uint8_t *image, uint64_t bytes, const struct elf_program *program)
{
	for (uint32_t i = 0; i < program->program_header_count; i++) {
		struct elf_program_header header;
		uint64_t at = program->program_headers + i * sizeof(header);

		if (at > bytes || sizeof(header) > bytes - at)
			return false;
		memcpy(&header, image + at, sizeof(header));
		if (header.type == ELF_PT_NOTE && header.offset <= bytes &&
			header.file_bytes <= bytes - header.offset &&
			holds_go_note(image + header.offset, header.file_bytes))
			return true;
	}
	return false;
}

/* .go.buildinfo starts with a magic at a multiple of 16 in a data segment. */
static bool has_go_build_info(const uint8_t *image, const struct elf_program *program)
{
	static const char magic[14] = "\xff Go buildinf:";

	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];
		uint64_t skip = (16 - segment->address % 16) % 16;

		if (segment->rights & 4)
			continue;
		for (; skip + 16 <= segment->file_bytes; skip += 16) {
			const uint8_t *at = image + segment->offset + skip;

			if (*at == 0xff && memcmp(at, magic, sizeof(magic)) == 0)
				return true;
		}
	}
	return false;
}

/*
 * Go's own linker enters at _rt0_amd64_linux, a jump to _rt0_amd64, which loads argc
 * and argv; an external linker enters at the C library's _start.
 */
static bool starts_as_go(const uint8_t *image, const struct elf_program *program)
{
	static const char start[10] = "\x48\x8b\x3c\x24\x48\x8d\x74\x24\x08\xe9";
	const struct elf_segment *segment = elf_segment_at(program, program->entry, 5);
	const uint8_t *at;
	uint64_t target;

	if (segment == NULL)
		return false;
	at = image + segment->offset + (program->entry - segment->address);
	if (*at != 0xe9)
		return false;
	target = program->entry + 5 + (uint64_t)(int64_t)(int32_t)load_32(at + 1);
	segment = elf_segment_at(program, target, sizeof(start));
	return segment != NULL && memcmp(image + segment->offset + (target - segment->address),
					  start, sizeof(start)) == 0;
}

bool syscall_sites_is_go(const uint8_t *image, uint64_t bytes, const struct elf_program *program)
{
	return starts_as_go(image, program) &&
	       (has_go_note(image, bytes, program) || has_go_build_info(image, program));
}

size_t syscall_sites_find(const uint8_t *image, uint64_t bytes, const struct elf_program *program,
	struct syscall_site *out, size_t capacity)
{
	size_t count = 0;

	if (!syscall_sites_is_go(image, bytes, program))
		return 0;
	for (uint32_t i = 0; i < program->segment_count; i++) {
		if (program->segments[i].rights & 4)
			count += find_in_segment(
				image, &program->segments[i], out + count, capacity - count);
	}
	return count;
}
