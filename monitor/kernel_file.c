/*
 * Reads the kernel's ELF file; see kernel_file.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/elf.h"
#include "monitor/kernel_file.h"
#include "monitor/message.h"

#define PAGE_BYTES       4096ull
#define IMAGE_MAX_BYTES  (64ull << 20)
#define NOTE_VERSION     2
#define SYMBOL_TYPE_FUNC 2
#define SYMBOL_TYPE_NONE 0
#define SYMBOL_TYPE_FILE 4
#define SECTION_SYMTAB   2

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; not in every libc */
#endif

static _Noreturn void fail_bad(const struct kernel_file *kernel, const char *why)
{
	message_fail(STATUS_MONITOR_FAILED,
		"kernel %s: %s; use the kernel.elf that was built with this monitor", kernel->path,
		why);
}

/* Checked access to the mapped file; NULL when the range is not in it. */
static const void *file_at(const struct kernel_file *kernel, uint64_t offset, uint64_t bytes)
{
	if (offset > kernel->file_bytes || bytes > kernel->file_bytes - offset)
		return NULL;
	return kernel->file + offset;
}

static void add_segment(struct kernel_file *kernel, const struct elf_program_header *header)
{
	struct kernel_segment *segment = &kernel->segments[kernel->segment_count];
	uint64_t offset = header->address - KERNEL_VIRT_BASE;

	if (header->memory_bytes == 0)
		return;
	if (kernel->segment_count == KERNEL_FILE_MAX_SEGMENTS)
		fail_bad(kernel, "too many segments");
	if (header->address < KERNEL_VIRT_BASE ||
		header->physical_address - KERNEL_PHYS_LINK != offset)
		fail_bad(kernel, "not a Burrow kernel");
	if ((header->address | header->offset) % PAGE_BYTES)
		fail_bad(kernel, "a segment is not page-aligned");
	if (offset >= IMAGE_MAX_BYTES || header->memory_bytes > IMAGE_MAX_BYTES ||
		header->file_bytes > header->memory_bytes ||
		!file_at(kernel, header->offset, header->file_bytes))
		fail_bad(kernel, "truncated");
	if (offset < kernel->image_bytes)
		fail_bad(kernel, "segments overlap or are not in order");
	*segment = (struct kernel_segment){
		.offset = offset,
		.bytes = ALIGN_UP(header->memory_bytes, PAGE_BYTES),
		.file_offset = header->offset,
		.file_bytes = header->file_bytes,
		.writable = header->flags & ELF_PF_W,
		.executable = header->flags & ELF_PF_X,
	};
	if (!segment->writable && header->file_bytes != header->memory_bytes)
		fail_bad(kernel, "a read-only segment has zero-filled memory");
	kernel->image_bytes = segment->offset + segment->bytes;
	kernel->segment_count++;
}

static bool read_note(struct kernel_file *kernel, const struct elf_program_header *header)
{
	uint64_t align = header->align == 8 ? 8 : 4, at = 0;
	const uint8_t *notes = file_at(kernel, header->offset, header->file_bytes);
	struct elf_note note;

	if (!notes)
		return false;
	while (header->file_bytes - at >= sizeof(note)) {
		uint64_t name, value, end;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		value = ALIGN_UP(name + note.name_bytes, align);
		end = value + note.value_bytes;
		if (end > header->file_bytes)
			return false;
		if (note.type == KERNEL_NOTE_TYPE && note.name_bytes == sizeof(KERNEL_NOTE_NAME) &&
			memcmp(notes + name, KERNEL_NOTE_NAME, sizeof(KERNEL_NOTE_NAME)) == 0 &&
			note.value_bytes >= sizeof(kernel->note)) {
			memcpy(&kernel->note, notes + value, sizeof(kernel->note));
			return true;
		}
		at = MIN(ALIGN_UP(end, align), header->file_bytes);
	}
	return false;
}

static bool in_image(const struct kernel_file *kernel, uint64_t address)
{
	return address >= KERNEL_VIRT_BASE && address - KERNEL_VIRT_BASE < kernel->image_bytes;
}

static void check_note(const struct kernel_file *kernel)
{
	const struct kernel_note *note = &kernel->note;

	if (note->version != NOTE_VERSION)
		fail_bad(kernel, "made for another version of the monitor");
	if (!in_image(kernel, note->entry) || !in_image(kernel, note->cpu_tables) ||
		!in_image(kernel, note->syscall_entry) || !in_image(kernel, note->dense_end))
		fail_bad(kernel, "its note points outside of the image");
	if (!note->gdt_bytes || note->gdt_bytes > 65536 || !note->idt_bytes ||
		note->idt_bytes > 65536 || !note->tss_bytes || note->tss_bytes > 65536)
		fail_bad(kernel, "its note gives no sizes for the processor's tables");
}

static void read_headers(struct kernel_file *kernel)
{
	const struct elf_header *elf = file_at(kernel, 0, sizeof(*elf));
	const struct elf_program_header *headers;
	bool found_note = false;

	if (!elf || memcmp(elf->ident, "\177ELF", 4) != 0)
		fail_bad(kernel, "not an ELF file");
	if (elf->ident[ELF_IDENT_CLASS] != ELF_CLASS_64 || elf->machine != ELF_MACHINE_X86_64 ||
		elf->type != ELF_TYPE_EXEC || elf->program_header_bytes != sizeof(*headers) ||
		elf->program_headers % 8 != 0)
		fail_bad(kernel, "not an x86-64 ELF executable");
	headers = file_at(kernel, elf->program_headers,
		(uint64_t)elf->program_header_count * sizeof(*headers));
	if (!headers)
		fail_bad(kernel, "truncated");
	for (unsigned i = 0; i < elf->program_header_count; i++) {
		if (headers[i].type == ELF_PT_LOAD)
			add_segment(kernel, &headers[i]);
		else if (headers[i].type == ELF_PT_NOTE && !found_note)
			found_note = read_note(kernel, &headers[i]);
	}
	if (!found_note || !kernel->segment_count)
		fail_bad(kernel, "not a Burrow kernel");
	check_note(kernel);
}

void kernel_file_open_part(
	struct kernel_file *kernel, const char *path, int fd, uint64_t offset, uint64_t bytes)
{
	void *file = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)offset);

	*kernel = (struct kernel_file){
		.path = path, .fd = fd, .offset = offset, .file = file, .file_bytes = bytes};
	if (file == MAP_FAILED)
		message_fail(STATUS_MONITOR_FAILED, "kernel %s: %s", path, strerror(errno));
	read_headers(kernel);
}

void kernel_file_open(struct kernel_file *kernel, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	*kernel = (struct kernel_file){.path = path};
	if (fd < 0 || fstat(fd, &status) < 0)
		message_fail(STATUS_MONITOR_FAILED, "kernel %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(struct elf_header))
		fail_bad(kernel, "not an ELF file");
	kernel_file_open_part(kernel, path, fd, 0, (uint64_t)status.st_size);
}

/* Failure (before Linux 5.14) costs speed only. */
static void make_present(const struct kernel_file *kernel, uint8_t *host)
{
	(void)madvise(host, kernel->note.dense_end - KERNEL_VIRT_BASE, MADV_POPULATE_WRITE);
}

void kernel_file_map(const struct kernel_file *kernel, uint8_t *host, bool copy)
{
	for (unsigned i = 0; i < kernel->segment_count; i++) {
		const struct kernel_segment *segment = &kernel->segments[i];
		int protection = PROT_READ | (segment->writable || copy ? PROT_WRITE : 0);
		uint8_t *to = host + segment->offset;
		uint64_t tail = segment->file_bytes % PAGE_BYTES;

		if (segment->file_bytes == 0)
			continue;
		if (mmap(to, segment->file_bytes, protection, MAP_PRIVATE | MAP_FIXED, kernel->fd,
			    (off_t)(kernel->offset + segment->file_offset)) == MAP_FAILED)
			message_fail(STATUS_MONITOR_FAILED, "kernel %s: cannot map: %s",
				kernel->path, strerror(errno));
		if (tail && segment->writable)
			memset(to + segment->file_bytes, 0, PAGE_BYTES - tail);
	}
	if (copy)
		make_present(kernel, host);
}

/* ---- symbols -------------------------------------------------------------- */

struct symbols {
	const struct elf_symbol *table;
	uint64_t count;
	const char *names;
	uint64_t names_bytes;
};

static bool find_symbols(const struct kernel_file *kernel, struct symbols *symbols)
{
	const struct elf_header *elf = (const void *)kernel->file;
	const struct elf_section_header *sections = file_at(kernel, elf->section_headers,
		(uint64_t)elf->section_header_count * sizeof(*sections));

	if (!sections || elf->section_headers % 8 || elf->section_header_bytes != sizeof(*sections))
		return false;
	for (unsigned i = 0; i < elf->section_header_count; i++) {
		const struct elf_section_header *names;

		if (sections[i].type != SECTION_SYMTAB ||
			sections[i].link >= elf->section_header_count || sections[i].offset % 8)
			continue;
		names = &sections[sections[i].link];
		symbols->table = file_at(kernel, sections[i].offset, sections[i].bytes);
		symbols->count = sections[i].bytes / sizeof(*symbols->table);
		symbols->names = file_at(kernel, names->offset, names->bytes);
		symbols->names_bytes = names->bytes;
		return symbols->table && symbols->names && symbols->names_bytes &&
		       symbols->names[symbols->names_bytes - 1] == '\0';
	}
	return false;
}

const char *kernel_file_symbol(
	const struct kernel_file *kernel, uint64_t address, uint64_t *offset, const char **source)
{
	const char *name = NULL, *file = "";
	struct symbols symbols;
	uint64_t best = 0;

	*source = "";
	if (!in_image(kernel, address) || !find_symbols(kernel, &symbols))
		return NULL;
	for (uint64_t i = 0; i < symbols.count; i++) {
		const struct elf_symbol *symbol = &symbols.table[i];
		unsigned type = symbol->info & 15, is_local = symbol->info >> 4 == 0;

		if (symbol->name == 0 || symbol->name >= symbols.names_bytes)
			continue;
		if (type == SYMBOL_TYPE_FILE)
			file = symbols.names + symbol->name;
		if ((type != SYMBOL_TYPE_FUNC && type != SYMBOL_TYPE_NONE) ||
			!in_image(kernel, symbol->value) || symbol->value > address ||
			symbol->value < best || (symbol->value == best && name))
			continue;
		best = symbol->value;
		name = symbols.names + symbol->name;
		*source = is_local ? file : "";
	}
	*offset = address - best;
	return name;
}
