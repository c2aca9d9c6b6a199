/* Checks a static x86-64 Linux executable: see lib/elf.h. */
#include "lib/elf.h"
#include "lib/string.h"
#include "abi/elf.h"

#define PAGE                4096ull
#define MAX_PROGRAM_HEADERS 256
#define MAX_INTERPRETER     4096

/* The file. Everything is copied out of it: it may be unaligned. */
struct image {
	const uint8_t *start;
	uint64_t bytes;
};

static bool image_holds(const struct image *image, uint64_t offset, uint64_t bytes)
{
	return offset <= image->bytes && bytes <= image->bytes - offset;
}

static bool image_read(const struct image *image, uint64_t offset, void *out, size_t bytes)
{
	if (!image_holds(image, offset, bytes))
		return false;
	memcpy(out, image->start + offset, bytes);
	return true;
}

static bool starts_with(const struct image *image, const char *magic, size_t bytes)
{
	return image->bytes >= bytes && memcmp(image->start, magic, bytes) == 0;
}

static enum elf_error check_magic(const struct image *image)
{
	if (starts_with(image, "\177ELF", 4))
		return image->bytes < sizeof(struct elf_header) ? ELF_TOO_SHORT : ELF_OK;
	if (starts_with(image, "MZ", 2))
		return ELF_IS_WINDOWS;
	if (starts_with(image, "\xcf\xfa\xed\xfe", 4) || starts_with(image, "\xca\xfe\xba\xbe", 4))
		return ELF_IS_MACOS;
	if (starts_with(image, "#!", 2))
		return ELF_IS_SCRIPT;
	if (starts_with(image, "\0asm", 4))
		return ELF_IS_WASM;
	if (starts_with(image, "!<arch>\n", 8))
		return ELF_IS_ARCHIVE;
	return image->bytes < sizeof(struct elf_header) ? ELF_TOO_SHORT : ELF_NOT_ELF;
}

static enum elf_error check_machine(uint16_t machine)
{
	switch (machine) {
	case ELF_MACHINE_X86_64:
		return ELF_OK;
	case ELF_MACHINE_AARCH64:
		return ELF_FOR_ARM64;
	case ELF_MACHINE_RISCV:
		return ELF_FOR_RISCV;
	case ELF_MACHINE_LOONGARCH:
		return ELF_FOR_LOONGARCH;
	case ELF_MACHINE_PPC64:
		return ELF_FOR_PPC64;
	case ELF_MACHINE_S390:
		return ELF_FOR_S390;
	case ELF_MACHINE_MIPS:
		return ELF_FOR_MIPS;
	default:
		return ELF_FOR_OTHER_MACHINE;
	}
}

static enum elf_error check_system(uint8_t system)
{
	switch (system) {
	case ELF_SYSTEM_NONE:
	case ELF_SYSTEM_LINUX:
		return ELF_OK;
	case ELF_SYSTEM_FREEBSD:
	case ELF_SYSTEM_NETBSD:
	case ELF_SYSTEM_OPENBSD:
		return ELF_FOR_BSD;
	default:
		return ELF_FOR_OTHER_SYSTEM;
	}
}

static enum elf_error check_type(uint16_t type)
{
	switch (type) {
	case ELF_TYPE_EXEC:
	case ELF_TYPE_DYN:
		return ELF_OK;
	case ELF_TYPE_REL:
		return ELF_IS_OBJECT;
	case ELF_TYPE_CORE:
		return ELF_IS_CORE;
	default:
		return ELF_OTHER_TYPE;
	}
}

/* Machine before class and byte order, so that "big-endian" is said of x86 only. */
static enum elf_error check_header(const struct elf_header *header)
{
	enum elf_error error = ELF_OK;
	bool is_big = header->ident[ELF_IDENT_DATA] == ELF_DATA_BIG;
	uint16_t machine = header->machine;

	if (is_big)
		machine = (uint16_t)(machine << 8 | machine >> 8);
	if (header->ident[ELF_IDENT_CLASS] != ELF_CLASS_64 &&
		header->ident[ELF_IDENT_CLASS] != ELF_CLASS_32)
		return ELF_BAD_VERSION;
	if (header->ident[ELF_IDENT_CLASS] == ELF_CLASS_64)
		error = check_machine(machine);
	else if (machine != ELF_MACHINE_X86_64 && machine != ELF_MACHINE_386)
		error = check_machine(machine);
	if (error != ELF_OK)
		return error;
	if (header->ident[ELF_IDENT_CLASS] == ELF_CLASS_32)
		return ELF_IS_32_BIT;
	if (is_big)
		return ELF_IS_BIG_ENDIAN;
	if (header->ident[ELF_IDENT_DATA] != ELF_DATA_LITTLE ||
		header->ident[ELF_IDENT_VERSION] != 1 || header->version != 1)
		return ELF_BAD_VERSION;
	error = check_system(header->ident[ELF_IDENT_SYSTEM]);
	return error != ELF_OK ? error : check_type(header->type);
}

static int rights_of(uint32_t flags)
{
	return (flags & ELF_PF_R ? 1 : 0) | (flags & ELF_PF_W ? 2 : 0) | (flags & ELF_PF_X ? 4 : 0);
}

/* The pages a segment occupies; its end does not wrap. */
static uint64_t first_page(const struct elf_segment *segment)
{
	return ALIGN_DOWN(segment->address, PAGE);
}

static uint64_t end_page(const struct elf_segment *segment)
{
	return ALIGN_UP(segment->address + segment->memory_bytes, PAGE);
}

static enum elf_error check_segment_address(
	const struct elf_program *program, const struct elf_segment *segment)
{
	uint64_t lowest = program->is_relocatable ? 0 : ELF_LOWEST_ADDRESS;
	uint64_t highest = ELF_HIGHEST_ADDRESS - (program->is_relocatable ? ELF_LOWEST_ADDRESS : 0);

	if (segment->memory_bytes > UINT64_MAX - segment->address)
		return ELF_SEGMENT_WRAPS;
	if (segment->address < lowest || segment->address + segment->memory_bytes > highest)
		return ELF_SEGMENT_ADDRESS;
	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *other = &program->segments[i];

		if (first_page(segment) < end_page(other) && first_page(other) < end_page(segment))
			return ELF_SEGMENT_OVERLAP;
	}
	return ELF_OK;
}

static enum elf_error add_segment(const struct image *image, struct elf_program *program,
	const struct elf_program_header *header)
{
	struct elf_segment segment = {
		.address = header->address,
		.memory_bytes = header->memory_bytes,
		.offset = header->offset,
		.file_bytes = header->file_bytes,
		.rights = rights_of(header->flags),
	};
	enum elf_error error;

	if (header->file_bytes > header->memory_bytes)
		return ELF_SEGMENT_SIZE;
	if (header->memory_bytes == 0)
		return ELF_OK;
	if (!image_holds(image, header->offset, header->file_bytes))
		return ELF_TRUNCATED;
	if (header->align & (header->align - 1) && header->align != 0)
		return ELF_SEGMENT_MISALIGNED;
	if ((header->address ^ header->offset) & (PAGE - 1))
		return ELF_SEGMENT_MISALIGNED;
	if ((header->flags & (ELF_PF_W | ELF_PF_X)) == (ELF_PF_W | ELF_PF_X))
		return ELF_WRITABLE_CODE;
	error = check_segment_address(program, &segment);
	if (error != ELF_OK)
		return error;
	if (program->segment_count == ELF_MAX_SEGMENTS)
		return ELF_TOO_MANY_SEGMENTS;
	program->segments[program->segment_count++] = segment;
	program->lowest = MIN(program->lowest, first_page(&segment));
	program->highest = MAX(program->highest, end_page(&segment));
	return ELF_OK;
}

static enum elf_error note_tls(const struct image *image, struct elf_program *program,
	const struct elf_program_header *header)
{
	if (header->file_bytes > header->memory_bytes ||
		header->memory_bytes >= ELF_HIGHEST_ADDRESS ||
		!image_holds(image, header->offset, header->file_bytes) ||
		(header->align & (header->align - 1) && header->align != 0))
		return ELF_BAD_TLS;
	program->tls_address = header->address;
	program->tls_memory_bytes = header->memory_bytes;
	program->tls_file_bytes = header->file_bytes;
	program->tls_align = header->align;
	return ELF_OK;
}

static enum elf_error note_interpreter(const struct image *image, struct elf_program *program,
	const struct elf_program_header *header)
{
	const uint8_t *text;

	if (header->file_bytes == 0 || header->file_bytes > MAX_INTERPRETER)
		return ELF_BAD_INTERPRETER;
	if (!image_holds(image, header->offset, header->file_bytes))
		return ELF_TRUNCATED;
	text = image->start + header->offset;
	if (text[header->file_bytes - 1] != 0)
		return ELF_BAD_INTERPRETER;
	program->interpreter = (const char *)text;
	return ELF_OK;
}

static enum elf_error note_dynamic(const struct image *image, struct elf_program *program,
	const struct elf_program_header *header)
{
	if (!image_holds(image, header->offset, header->file_bytes))
		return ELF_TRUNCATED;
	program->dynamic_offset = header->offset;
	program->dynamic_bytes = header->file_bytes;
	return ELF_OK;
}

static enum elf_error note_program_header(const struct image *image, struct elf_program *program,
	const struct elf_program_header *header)
{
	switch (header->type) {
	case ELF_PT_LOAD:
		return add_segment(image, program, header);
	case ELF_PT_TLS:
		return note_tls(image, program, header);
	case ELF_PT_INTERP:
		return note_interpreter(image, program, header);
	case ELF_PT_DYNAMIC:
		return note_dynamic(image, program, header);
	default:
		return ELF_OK;
	}
}

static enum elf_error read_program_headers(
	const struct image *image, const struct elf_header *file, struct elf_program *program)
{
	if (file->program_header_count == 0)
		return ELF_NO_SEGMENTS;
	if (file->program_header_bytes != sizeof(struct elf_program_header) ||
		file->program_header_count > MAX_PROGRAM_HEADERS)
		return ELF_BAD_PROGRAM_HEADERS;
	for (uint32_t i = 0; i < file->program_header_count; i++) {
		struct elf_program_header header;
		uint64_t skip = i * sizeof(header);
		enum elf_error error;

		if (file->program_headers > image->bytes ||
			!image_read(image, file->program_headers + skip, &header, sizeof(header)))
			return ELF_TRUNCATED;
		error = note_program_header(image, program, &header);
		if (error != ELF_OK)
			return error;
	}
	return program->segment_count == 0 ? ELF_NO_SEGMENTS : ELF_OK;
}

const struct elf_segment *elf_segment_at(
	const struct elf_program *program, uint64_t address, uint64_t bytes)
{
	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];

		if (address >= segment->address && bytes <= segment->file_bytes &&
			address - segment->address <= segment->file_bytes - bytes)
			return segment;
	}
	return NULL;
}

static void find_program_headers_address(struct elf_program *program)
{
	uint64_t bytes = program->program_header_count * sizeof(struct elf_program_header);

	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];
		uint64_t end = segment->offset + segment->file_bytes;

		if (program->program_headers >= segment->offset &&
			program->program_headers <= end &&
			bytes <= end - program->program_headers) {
			program->program_headers_address =
				segment->address + (program->program_headers - segment->offset);
			return;
		}
	}
}

/* What the dynamic section says, as far as loading without an interpreter goes. */
struct dynamic_facts {
	bool has_needed;
	bool has_soname;
	bool is_pie;
	bool has_other_relocations; /* REL, RELR or PLT tables */
	uint64_t rela_address;
	uint64_t rela_bytes;
	uint64_t rela_entry_bytes;
};

static void note_dynamic_entry(struct dynamic_facts *facts, const struct elf_dynamic *entry)
{
	switch (entry->tag) {
	case ELF_DT_NEEDED:
		facts->has_needed = true;
		break;
	case ELF_DT_SONAME:
		facts->has_soname = true;
		break;
	case ELF_DT_FLAGS_1:
		facts->is_pie = entry->value & ELF_DF_1_PIE;
		break;
	case ELF_DT_RELA:
		facts->rela_address = entry->value;
		break;
	case ELF_DT_RELASZ:
		facts->rela_bytes = entry->value;
		break;
	case ELF_DT_RELAENT:
		facts->rela_entry_bytes = entry->value;
		break;
	case ELF_DT_REL:
		facts->has_other_relocations = true;
		break;
	case ELF_DT_PLTRELSZ:
	case ELF_DT_RELRSZ:
		facts->has_other_relocations |= entry->value != 0;
		break;
	default:
		break;
	}
}

static void read_dynamic(
	const struct image *image, const struct elf_program *program, struct dynamic_facts *facts)
{
	struct elf_dynamic entry;

	for (uint64_t at = 0; program->dynamic_bytes - at >= sizeof(entry); at += sizeof(entry)) {
		if (!image_read(image, program->dynamic_offset + at, &entry, sizeof(entry)) ||
			entry.tag == ELF_DT_NULL)
			return;
		note_dynamic_entry(facts, &entry);
	}
}

static enum elf_error check_relocation(
	const struct elf_program *program, const struct elf_rela *relocation)
{
	if (relocation->info != ELF_R_X86_64_RELATIVE)
		return ELF_NEEDS_INTERPRETER;
	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];

		if (relocation->address >= segment->address && segment->memory_bytes >= 8 &&
			relocation->address - segment->address <= segment->memory_bytes - 8)
			return segment->rights & 2 ? ELF_OK : ELF_BAD_RELOCATION;
	}
	return ELF_BAD_RELOCATION;
}

/* With PT_INTERP the program expects somebody else to relocate it. */
static enum elf_error read_relocations(
	const struct image *image, struct elf_program *program, const struct dynamic_facts *facts)
{
	const struct elf_segment *segment;

	if (facts->has_needed || facts->has_other_relocations)
		return ELF_NEEDS_INTERPRETER;
	if (facts->rela_bytes == 0)
		return ELF_OK;
	segment = elf_segment_at(program, facts->rela_address, facts->rela_bytes);
	if (facts->rela_entry_bytes != sizeof(struct elf_rela) ||
		facts->rela_bytes % sizeof(struct elf_rela) != 0 || segment == NULL)
		return ELF_BAD_RELOCATION;
	program->relocations_offset = segment->offset + (facts->rela_address - segment->address);
	program->relocation_count = facts->rela_bytes / sizeof(struct elf_rela);
	for (uint64_t i = 0; i < program->relocation_count; i++) {
		struct elf_rela relocation;
		enum elf_error error;

		if (!image_read(image, program->relocations_offset + i * sizeof(relocation),
			    &relocation, sizeof(relocation)))
			return ELF_BAD_RELOCATION;
		error = check_relocation(program, &relocation);
		if (error != ELF_OK)
			return error;
	}
	return ELF_OK;
}

static enum elf_error check_linking(const struct image *image, struct elf_program *program)
{
	struct dynamic_facts facts = {0};

	read_dynamic(image, program, &facts);
	if (program->interpreter != NULL)
		return read_relocations(image, program, &facts);
	if (facts.has_needed)
		return program->is_relocatable ? ELF_IS_SHARED_LIBRARY : ELF_NEEDS_INTERPRETER;
	if (program->is_relocatable && !facts.is_pie && (facts.has_soname || program->entry == 0))
		return ELF_IS_SHARED_LIBRARY;
	return ELF_OK;
}

static enum elf_error check_entry(const struct elf_program *program)
{
	const struct elf_segment *segment = elf_segment_at(program, program->entry, 1);

	return segment != NULL && segment->rights & 4 ? ELF_OK : ELF_BAD_ENTRY;
}

enum elf_error elf_check(const uint8_t *start, uint64_t bytes, struct elf_program *program)
{
	const struct image image = {.start = start, .bytes = bytes};
	struct elf_header header;
	enum elf_error error;

	memset(program, 0, sizeof(*program));
	program->lowest = UINT64_MAX;
	error = check_magic(&image);
	if (error != ELF_OK)
		return error;
	if (!image_read(&image, 0, &header, sizeof(header)))
		return ELF_TOO_SHORT;
	error = check_header(&header);
	if (error != ELF_OK)
		return error;
	program->is_relocatable = header.type == ELF_TYPE_DYN;
	program->entry = header.entry;
	program->program_headers = header.program_headers;
	program->program_header_count = header.program_header_count;
	error = read_program_headers(&image, &header, program);
	if (error != ELF_OK)
		return error;
	find_program_headers_address(program);
	error = check_linking(&image, program);
	return error != ELF_OK ? error : check_entry(program);
}

#define BUILD_LINUX "build it with GOOS=linux GOARCH=amd64 CGO_ENABLED=0"

static const char *const error_texts[ELF_ERROR_COUNT] = {
	[ELF_OK] = "no error",
	[ELF_TOO_SHORT] = "too short to be an executable (an ELF header has 64 bytes)",
	[ELF_NOT_ELF] = "not an ELF executable; " BUILD_LINUX,
	[ELF_IS_WINDOWS] = "a Windows executable; " BUILD_LINUX,
	[ELF_IS_MACOS] = "a macOS executable; " BUILD_LINUX,
	[ELF_IS_SCRIPT] = "a script, not an executable: there is no interpreter in the VM",
	[ELF_IS_WASM] = "a WebAssembly module; " BUILD_LINUX,
	[ELF_IS_ARCHIVE] = "an archive (a Go package that is not `main`, or a C library), "
			   "not an executable",
	[ELF_IS_32_BIT] = "a 32-bit executable; only 64-bit x86 programs run: " BUILD_LINUX,
	[ELF_IS_BIG_ENDIAN] = "damaged: an x86-64 executable marked big-endian",
	[ELF_BAD_VERSION] = "damaged: unknown ELF class, byte order or version",
	[ELF_FOR_ARM64] = "built for arm64; " BUILD_LINUX,
	[ELF_FOR_RISCV] = "built for RISC-V; " BUILD_LINUX,
	[ELF_FOR_LOONGARCH] = "built for LoongArch; " BUILD_LINUX,
	[ELF_FOR_PPC64] = "built for PowerPC; " BUILD_LINUX,
	[ELF_FOR_S390] = "built for IBM Z (s390x); " BUILD_LINUX,
	[ELF_FOR_MIPS] = "built for MIPS; " BUILD_LINUX,
	[ELF_FOR_OTHER_MACHINE] = "built for another processor than x86-64; " BUILD_LINUX,
	[ELF_FOR_BSD] = "built for a BSD; " BUILD_LINUX,
	[ELF_FOR_OTHER_SYSTEM] = "built for another operating system; " BUILD_LINUX,
	[ELF_IS_OBJECT] = "an object file; link it into an executable first",
	[ELF_IS_CORE] = "a core dump, not an executable",
	[ELF_IS_SHARED_LIBRARY] = "a shared library, not an executable",
	[ELF_OTHER_TYPE] = "neither an executable nor any other known kind of ELF file",
	[ELF_BAD_PROGRAM_HEADERS] = "damaged: the program headers have a wrong size or number",
	[ELF_TRUNCATED] = "truncated: the file ends before a part that its headers name; "
			  "copy or build it again",
	[ELF_NO_SEGMENTS] = "damaged: no loadable segment",
	[ELF_TOO_MANY_SEGMENTS] = "more than 16 loadable segments",
	[ELF_SEGMENT_SIZE] = "damaged: a segment is larger in the file than in memory",
	[ELF_SEGMENT_WRAPS] = "damaged: a segment wraps around the address space",
	[ELF_SEGMENT_ADDRESS] = "a segment lies outside the addresses a program may use "
				"(0x10000 to 0x7ffffffff000)",
	[ELF_SEGMENT_OVERLAP] = "damaged: two segments overlap or share a page",
	[ELF_SEGMENT_MISALIGNED] = "damaged: a segment's address and file offset do not agree "
				   "within a page",
	[ELF_WRITABLE_CODE] = "a segment is writable and executable at once; link it without "
			      "-z execstack, -N or a packer such as UPX",
	[ELF_BAD_ENTRY] = "damaged: the entry point lies outside the executable segments",
	[ELF_BAD_TLS] = "damaged: the thread-local storage segment is malformed",
	[ELF_BAD_INTERPRETER] = "damaged: the interpreter's path is malformed",
	[ELF_BAD_RELOCATION] = "damaged: a relocation lies outside the writable segments",
	[ELF_NEEDS_INTERPRETER] = "dynamically linked: it needs an interpreter and shared "
				  "libraries; build it static with CGO_ENABLED=0 (C: -static)",
};

const char *elf_error_text(enum elf_error error)
{
	if ((unsigned)error >= ELF_ERROR_COUNT)
		return "unknown error";
	return error_texts[error];
}
