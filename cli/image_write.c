/* See image_write.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "abi/elf.h"
#include "abi/image.h"
#include "abi/kernel_image.h"
#include "abi/pvh.h"
#include "cli/image_write.h"
#include "host/alloc.h"

#define PAGE        4096u
#define HUGE        0x200000u
#define MAX_HEADERS 28 /* they and the notes lie before IMAGE_HEADER_OFFSET */

#define ELF_PT_GNU_RELRO 0x6474e552
#define SECTION_PROGBITS 1
#define SECTION_STRTAB   3
#define SECTION_WRITE    1u
#define SECTION_ALLOC    2u
#define BUILD_INFO       ".go.buildinfo"

static const char section_names[] = "\0.shstrtab\0" BUILD_INFO;
#define NAME_OF_NAMES      1
#define NAME_OF_BUILD_INFO 11

struct notes {
	struct elf_note pvh;
	char pvh_name[4];
	uint32_t pvh_entry;
	struct elf_note image;
	char image_name[8];
	uint32_t image_header[2]; /* low, high */
};
_Static_assert(sizeof(struct notes) == 20 + 28, "notes are padded to four bytes");

/* The first piece of the file. */
struct head {
	struct elf_header elf;
	struct elf_program_header headers[MAX_HEADERS];
	struct notes notes;
	uint8_t unused[IMAGE_HEADER_OFFSET - sizeof(struct elf_header) -
		       MAX_HEADERS * sizeof(struct elf_program_header) - sizeof(struct notes)];
	struct image_header image;
	char manifest[];
};
_Static_assert(offsetof(struct head, image) == IMAGE_HEADER_OFFSET, "abi/image.h");

struct writer {
	const struct image_sources *sources;
	struct head *head;
	int fd;
	int error; /* the first; later work is left out */
	uint64_t at;
	uint64_t kernel_bytes; /* in guest memory, of all its segments */
};

/* ---- the sources ------------------------------------------------------------------- */

/* The program headers of a whole ELF file, or NULL. */
static const struct elf_program_header *program_headers(
	const struct image_bytes *file, unsigned *count)
{
	const struct elf_header *elf = file->at;
	const struct elf_program_header *headers;

	if (file->bytes < sizeof(*elf) || memcmp(elf->ident, "\177ELF", 4) != 0 ||
		elf->type != ELF_TYPE_EXEC || elf->program_header_bytes != sizeof(*headers) ||
		elf->program_headers % 8 != 0 || elf->program_headers > file->bytes ||
		elf->program_header_count > (file->bytes - elf->program_headers) / sizeof(*headers))
		return NULL;
	headers = (const void *)((const uint8_t *)file->at + elf->program_headers);
	*count = elf->program_header_count;
	for (unsigned i = 0; i < *count; i++) {
		if (headers[i].offset > file->bytes ||
			headers[i].file_bytes > file->bytes - headers[i].offset)
			return NULL;
	}
	return headers;
}

/* The value of the kernel's note for PVH loaders. */
static bool find_pvh_entry(const struct image_bytes *kernel, uint32_t *entry)
{
	unsigned count = 0;
	const struct elf_program_header *headers = program_headers(kernel, &count);

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *at = (const uint8_t *)kernel->at + headers[i].offset;
		uint64_t left = headers[i].type == ELF_PT_NOTE ? headers[i].file_bytes : 0;
		struct elf_note note;

		while (left >= sizeof(note)) {
			uint64_t bytes;

			memcpy(&note, at, sizeof(note));
			bytes = sizeof(note) + ALIGN_UP((uint64_t)note.name_bytes, 4) +
				ALIGN_UP((uint64_t)note.value_bytes, 4);
			if (bytes > left)
				break;
			if (note.type == PVH_NOTE_PHYS32_ENTRY && note.name_bytes == 4) {
				memcpy(entry, at + sizeof(note) + 4, sizeof(*entry));
				return true;
			}
			at += bytes;
			left -= bytes;
		}
	}
	return false;
}

/* Where Go's build information is in the program; NULL: nowhere. */
static const struct elf_section_header *find_build_info(const struct image_bytes *program)
{
	const uint8_t *file = program->at;
	const struct elf_header *elf = program->at;
	const struct elf_section_header *sections = (const void *)(file + elf->section_headers);
	unsigned count = elf->section_header_count;
	const struct elf_section_header *names;

	if (elf->section_headers > program->bytes || elf->section_headers % 8 != 0 ||
		elf->section_header_bytes != sizeof(*sections) ||
		count > (program->bytes - elf->section_headers) / sizeof(*sections) ||
		elf->section_names >= count)
		return NULL;
	names = &sections[elf->section_names];
	if (names->offset > program->bytes || names->bytes > program->bytes - names->offset)
		return NULL;
	for (unsigned i = 0; i < count; i++) {
		const struct elf_section_header *section = &sections[i];

		if (section->name < names->bytes &&
			names->bytes - section->name >= sizeof(BUILD_INFO) &&
			memcmp(file + names->offset + section->name, BUILD_INFO,
				sizeof(BUILD_INFO)) == 0 &&
			section->offset <= program->bytes &&
			section->bytes <= program->bytes - section->offset)
			return section;
	}
	return NULL;
}

/* ---- writing ------------------------------------------------------------------------ */

static void write_at(struct writer *writer, const void *data, uint64_t bytes, uint64_t offset)
{
	const char *at = data;

	while (bytes != 0 && writer->error == 0) {
		ssize_t written = pwrite(writer->fd, at, MIN(bytes, 1u << 30), (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			writer->error = written < 0 ? -errno : -EIO;
			return;
		}
		at += written;
		bytes -= (uint64_t)written;
		offset += (uint64_t)written;
	}
}

static struct elf_program_header *add_header(struct writer *writer)
{
	struct elf_header *elf = &writer->head->elf;

	if (elf->program_header_count == MAX_HEADERS) {
		writer->error = -EINVAL;
		elf->program_header_count--;
	}
	return &writer->head->headers[elf->program_header_count++];
}

static void add_segment(struct writer *writer, uint32_t flags, uint64_t offset, uint64_t phys,
	uint64_t virt, uint64_t file_bytes, uint64_t memory_bytes)
{
	*add_header(writer) = (struct elf_program_header){
		.type = ELF_PT_LOAD,
		.flags = flags,
		.offset = offset,
		.address = virt,
		.physical_address = phys,
		.file_bytes = file_bytes,
		.memory_bytes = memory_bytes,
		.align = PAGE,
	};
}

/* Writes the bytes as the next part of the file. */
static struct image_part *add_part(struct writer *writer, enum image_part_type type,
	const struct image_bytes *source, uint64_t bytes, uint64_t phys)
{
	struct image_header *image = &writer->head->image;
	struct image_part *part = &image->parts[image->part_count++];

	*part = (struct image_part){
		.type = type, .offset = writer->at, .bytes = bytes, .phys = phys};
	write_at(writer, source->at, bytes, writer->at);
	writer->at = ALIGN_UP(writer->at + bytes, PAGE);
	return part;
}

/* ---- the pieces ------------------------------------------------------------------------ */

static void add_notes(struct writer *writer)
{
	struct notes *notes = &writer->head->notes;
	uint64_t at = offsetof(struct head, notes);

	notes->pvh = (struct elf_note){4, 4, PVH_NOTE_PHYS32_ENTRY};
	memcpy(notes->pvh_name, "Xen", 4);
	notes->image = (struct elf_note){sizeof(IMAGE_NOTE_NAME), 8, IMAGE_NOTE_TYPE};
	memcpy(notes->image_name, IMAGE_NOTE_NAME, sizeof(IMAGE_NOTE_NAME));
	notes->image_header[0] = IMAGE_HEADER_OFFSET;
	if (!find_pvh_entry(&writer->sources->kernel, &notes->pvh_entry))
		writer->error = -EINVAL;
	*add_header(writer) = (struct elf_program_header){
		.type = ELF_PT_NOTE,
		.flags = ELF_PF_R,
		.offset = at,
		.address = IMAGE_HEAD_END - writer->head->image.head_bytes + at,
		.physical_address = IMAGE_HEAD_PHYS + at,
		.file_bytes = sizeof(*notes),
		.memory_bytes = sizeof(*notes),
		.align = 4,
	};
}

static void add_head(struct writer *writer)
{
	uint64_t bytes = writer->head->image.head_bytes;

	add_segment(writer, ELF_PF_R, 0, IMAGE_HEAD_PHYS, IMAGE_HEAD_END - bytes, bytes, bytes);
	writer->head->image.parts[writer->head->image.part_count++] = (struct image_part){
		.type = IMAGE_PART_MANIFEST,
		.offset = offsetof(struct head, manifest),
		.bytes = writer->sources->manifest.bytes,
		.phys = IMAGE_HEAD_PHYS + offsetof(struct head, manifest),
	};
}

/* The monitor's headers but those of things that stay in its part of the file. */
static void add_monitor(struct writer *writer, uint64_t phys)
{
	const struct image_bytes *monitor = &writer->sources->monitor;
	unsigned count = 0;
	const struct elf_program_header *headers = program_headers(monitor, &count);
	uint64_t bytes = 0, base = writer->at;

	if (headers == NULL)
		writer->error = -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		struct elf_program_header header = headers[i];

		if (header.type != ELF_PT_LOAD && header.type != ELF_PT_TLS &&
			header.type != ELF_PT_GNU_RELRO)
			continue;
		if (header.type == ELF_PT_LOAD) {
			if (header.address < IMAGE_HEAD_END ||
				header.offset % PAGE != header.address % PAGE ||
				header.address + header.memory_bytes > IMAGE_GUEST_VIRT)
				writer->error = -EINVAL;
			bytes = MAX(bytes, header.offset + header.file_bytes);
			header.align = PAGE;
		}
		header.offset += base;
		if (header.memory_bytes != 0)
			header.physical_address = phys + header.address - IMAGE_HEAD_END;
		*add_header(writer) = header;
	}
	writer->head->elf.entry = ((const struct elf_header *)monitor->at)->entry;
	(void)add_part(writer, IMAGE_PART_MONITOR, monitor, bytes, phys);
}

static void add_kernel(struct writer *writer)
{
	const struct image_bytes *kernel = &writer->sources->kernel;
	unsigned count = 0;
	const struct elf_program_header *headers = program_headers(kernel, &count);

	for (unsigned i = 0; i < count; i++) {
		const struct elf_program_header *header = &headers[i];

		if (header->type != ELF_PT_LOAD)
			continue;
		if (header->physical_address < KERNEL_PHYS_LINK || header->offset % PAGE != 0 ||
			header->physical_address % PAGE != 0)
			writer->error = -EINVAL;
		add_segment(writer, header->flags & ~(uint32_t)ELF_PF_X,
			writer->at + header->offset, header->physical_address,
			IMAGE_GUEST_VIRT + header->physical_address, header->file_bytes,
			header->memory_bytes);
	}
	(void)add_part(writer, IMAGE_PART_KERNEL, kernel, kernel->bytes, KERNEL_PHYS_LINK);
}

/* How much guest memory the kernel takes; 0: it is none. */
static uint64_t kernel_bytes(const struct image_bytes *kernel)
{
	unsigned count = 0;
	const struct elf_program_header *headers = program_headers(kernel, &count);
	uint64_t end = KERNEL_PHYS_LINK;

	for (unsigned i = 0; i < count; i++) {
		if (headers[i].type == ELF_PT_LOAD)
			end = MAX(end, headers[i].physical_address + headers[i].memory_bytes);
	}
	return end - KERNEL_PHYS_LINK;
}

static uint64_t payload_bytes(const struct image_sources *sources)
{
	return ALIGN_UP(sources->program.bytes, PAGE) + ALIGN_UP(sources->sites.bytes, PAGE) +
	       ALIGN_UP(sources->files.bytes, PAGE) + ALIGN_UP(sources->tree.bytes, PAGE);
}

/* Program, sites and files are one segment. */
static void add_payload(struct writer *writer, uint64_t phys)
{
	const struct image_sources *sources = writer->sources;
	uint64_t start = writer->at;
	const struct {
		enum image_part_type type;
		const struct image_bytes *source;
	} parts[] = {
		{IMAGE_PART_PROGRAM, &sources->program},
		{IMAGE_PART_SITES, &sources->sites},
		{IMAGE_PART_FILES, &sources->files},
		{IMAGE_PART_TREE, &sources->tree},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].source->bytes != 0)
			(void)add_part(writer, parts[i].type, parts[i].source,
				parts[i].source->bytes, phys + writer->at - start);
	}
	add_segment(writer, ELF_PF_R, start, phys, IMAGE_GUEST_VIRT + phys, writer->at - start,
		writer->at - start);
}

/* Linux: no executable stack. Last, as debug/elf's readers take an empty header for one that
 * holds every address. */
static void add_stack(struct writer *writer)
{
	*add_header(writer) = (struct elf_program_header){
		.type = ELF_PT_GNU_STACK, .flags = ELF_PF_R | ELF_PF_W, .align = 16};
}

/* So that `go version -m` and its like read this file as they read the program. */
static void add_sections(struct writer *writer, uint64_t program_offset, uint64_t program_phys)
{
	const struct elf_section_header *info = find_build_info(&writer->sources->program);
	struct elf_section_header sections[3] = {0};
	struct elf_header *elf = &writer->head->elf;

	if (info == NULL)
		return;
	sections[1] = (struct elf_section_header){
		.name = NAME_OF_NAMES,
		.type = SECTION_STRTAB,
		.offset = writer->at + sizeof(sections),
		.bytes = sizeof(section_names),
		.align = 1,
	};
	sections[2] = (struct elf_section_header){
		.name = NAME_OF_BUILD_INFO,
		.type = SECTION_PROGBITS,
		.flags = SECTION_ALLOC | SECTION_WRITE,
		.address = IMAGE_GUEST_VIRT + program_phys + info->offset,
		.offset = program_offset + info->offset,
		.bytes = info->bytes,
		.align = 16,
	};
	elf->section_headers = writer->at;
	elf->section_header_bytes = sizeof(sections[0]);
	elf->section_header_count = ARRAY_SIZE(sections);
	elf->section_names = 1;
	write_at(writer, sections, sizeof(sections), writer->at);
	write_at(writer, section_names, sizeof(section_names), writer->at + sizeof(sections));
	writer->at += sizeof(sections) + sizeof(section_names);
}

static void start_head(struct writer *writer)
{
	struct elf_header *elf = &writer->head->elf;

	memcpy(elf->ident, "\177ELF", 4);
	elf->ident[ELF_IDENT_CLASS] = ELF_CLASS_64;
	elf->ident[ELF_IDENT_DATA] = ELF_DATA_LITTLE;
	elf->ident[ELF_IDENT_VERSION] = 1;
	elf->type = ELF_TYPE_EXEC;
	elf->machine = ELF_MACHINE_X86_64;
	elf->version = 1;
	elf->header_bytes = sizeof(*elf);
	elf->program_headers = offsetof(struct head, headers);
	elf->program_header_bytes = sizeof(struct elf_program_header);
	writer->head->image.magic = IMAGE_MAGIC;
	writer->head->image.version = IMAGE_VERSION;
	memcpy(writer->head->manifest, writer->sources->manifest.at,
		writer->sources->manifest.bytes);
}

int64_t image_write(const struct image_sources *sources, int fd)
{
	uint64_t head_bytes =
		ALIGN_UP(offsetof(struct head, manifest) + sources->manifest.bytes, PAGE);
	uint64_t payload_phys = KERNEL_PHYS_LINK + ALIGN_UP(kernel_bytes(&sources->kernel), HUGE) +
				IMAGE_TABLES_BYTES;
	struct writer writer = {.sources = sources, .fd = fd};
	uint64_t program_offset;

	if (head_bytes > IMAGE_HEAD_MAX)
		return -E2BIG;
	writer.head = alloc_zeroed(head_bytes);
	writer.head->image.head_bytes = head_bytes;
	writer.at = head_bytes;
	start_head(&writer);
	add_head(&writer);
	add_monitor(&writer, payload_phys + ALIGN_UP(payload_bytes(sources), HUGE));
	add_kernel(&writer);
	program_offset = writer.at;
	add_payload(&writer, payload_phys);
	add_notes(&writer);
	add_stack(&writer);
	add_sections(&writer, program_offset, payload_phys);
	writer.head->image.file_bytes = writer.at;
	write_at(&writer, writer.head, head_bytes, 0);
	if (writer.error == 0 && ftruncate(fd, (off_t)writer.at) != 0)
		writer.error = -errno;
	return writer.error != 0 ? writer.error : (int64_t)writer.at;
}
