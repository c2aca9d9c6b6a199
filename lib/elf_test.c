/* Tests of lib/elf.c: a good executable is made by hand, then each defect is put in. */
#include <string.h>

#include "abi/elf.h"
#include "lib/elf.h"
#include "lib/test.h"

#define IMAGE_BYTES 0x3000
#define TEXT        0 /* index of program headers */
#define DATA        1
#define SPARE       2

static uint8_t image[IMAGE_BYTES];
static struct elf_header header;
static struct elf_program_header headers[4];
static struct elf_program program;

/* Text at 0x400000, data at 0x402000 with 0x1800 bytes of zeroes behind, a spare header. */
static void make_good(void)
{
	static const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', ELF_CLASS_64, ELF_DATA_LITTLE, 1};

	memset(image, 0, sizeof(image));
	header = (struct elf_header){.type = ELF_TYPE_EXEC,
		.machine = ELF_MACHINE_X86_64,
		.version = 1,
		.entry = 0x401000,
		.program_headers = 64,
		.header_bytes = 64,
		.program_header_bytes = 56,
		.program_header_count = 3};
	memcpy(header.ident, ident, sizeof(ident));
	headers[TEXT] = (struct elf_program_header){.type = ELF_PT_LOAD,
		.flags = ELF_PF_R | ELF_PF_X,
		.address = 0x400000,
		.file_bytes = 0x1800,
		.memory_bytes = 0x1800,
		.align = 0x1000};
	headers[DATA] = (struct elf_program_header){.type = ELF_PT_LOAD,
		.flags = ELF_PF_R | ELF_PF_W,
		.offset = 0x2000,
		.address = 0x402000,
		.file_bytes = 0x800,
		.memory_bytes = 0x2000,
		.align = 0x1000};
	headers[SPARE] = (struct elf_program_header){.type = ELF_PT_GNU_STACK};
}

/* Checks an exact copy on the heap, so that a read beyond it is seen. */
static enum elf_error check_bytes(size_t bytes)
{
	uint8_t *copy = malloc(bytes + 1);
	enum elf_error error;

	memcpy(image, &header, sizeof(header));
	memcpy(image + 64, headers, sizeof(headers));
	memcpy(copy + 1, image, bytes); /* unaligned as well */
	error = elf_check(copy + 1, bytes, &program);
	if (error != ELF_OK)
		program.interpreter = NULL;
	free(copy);
	return error;
}

static enum elf_error check(void)
{
	return check_bytes(sizeof(image));
}

TEST(good_executable_is_described)
{
	make_good();
	CHECK_EQUAL(check(), ELF_OK);
	CHECK(!program.is_relocatable);
	CHECK_EQUAL(program.entry, 0x401000);
	CHECK_EQUAL(program.segment_count, 2);
	CHECK_EQUAL(program.segments[0].rights, 5);
	CHECK_EQUAL(program.segments[1].rights, 3);
	CHECK_EQUAL(program.segments[1].memory_bytes, 0x2000);
	CHECK_EQUAL(program.lowest, 0x400000);
	CHECK_EQUAL(program.highest, 0x404000);
	CHECK_EQUAL(program.program_headers_address, 0x400040);
	CHECK_EQUAL(program.relocation_count, 0);
	CHECK(program.interpreter == NULL);
}

TEST(segment_is_found_by_address)
{
	make_good();
	CHECK_EQUAL(check(), ELF_OK);
	CHECK(elf_segment_at(&program, 0x402000, 0x800) == &program.segments[1]);
	CHECK(elf_segment_at(&program, 0x402000, 0x801) == NULL);
	CHECK(elf_segment_at(&program, 0x403000, 1) == NULL); /* memory, not file */
	CHECK(elf_segment_at(&program, UINT64_MAX, 1) == NULL);
}

TEST(every_truncation_is_refused)
{
	make_good();
	for (size_t bytes = 0; bytes < 0x2800; bytes++)
		CHECK(check_bytes(bytes) != ELF_OK);
	CHECK_EQUAL(check_bytes(0x2800), ELF_OK);
	CHECK_EQUAL(check_bytes(0), ELF_TOO_SHORT);
	CHECK_EQUAL(check_bytes(63), ELF_TOO_SHORT);
	CHECK_EQUAL(check_bytes(100), ELF_TRUNCATED);
	CHECK_EQUAL(check_bytes(0x27ff), ELF_TRUNCATED);
}

#define REFUSED(name, change, error)                                                               \
	TEST(name)                                                                                 \
	{                                                                                          \
		make_good();                                                                       \
		change;                                                                            \
		CHECK_EQUAL(check(), error);                                                       \
	}

REFUSED(magic, header.ident[1] = 'F', ELF_NOT_ELF)
REFUSED(windows, memcpy(header.ident, "MZ", 2), ELF_IS_WINDOWS)
REFUSED(macos, memcpy(header.ident, "\xcf\xfa\xed\xfe", 4), ELF_IS_MACOS)
REFUSED(script, memcpy(header.ident, "#!/b", 4), ELF_IS_SCRIPT)
REFUSED(wasm, memcpy(header.ident, "\0asm", 4), ELF_IS_WASM)
REFUSED(archive, memcpy(header.ident, "!<arch>\n", 8), ELF_IS_ARCHIVE)
REFUSED(bits_32, header.ident[ELF_IDENT_CLASS] = ELF_CLASS_32, ELF_IS_32_BIT)
REFUSED(big_endian, (header.ident[ELF_IDENT_DATA] = ELF_DATA_BIG, header.machine = 62 << 8),
	ELF_IS_BIG_ENDIAN)
REFUSED(bad_class, header.ident[ELF_IDENT_CLASS] = 3, ELF_BAD_VERSION)
REFUSED(bad_version, header.version = 2, ELF_BAD_VERSION)
REFUSED(arm64, header.machine = ELF_MACHINE_AARCH64, ELF_FOR_ARM64)
REFUSED(riscv, header.machine = ELF_MACHINE_RISCV, ELF_FOR_RISCV)
REFUSED(loongarch, header.machine = ELF_MACHINE_LOONGARCH, ELF_FOR_LOONGARCH)
REFUSED(ppc64, header.machine = ELF_MACHINE_PPC64, ELF_FOR_PPC64)
REFUSED(s390x,
	(header.ident[ELF_IDENT_DATA] = ELF_DATA_BIG, header.machine = ELF_MACHINE_S390 << 8),
	ELF_FOR_S390)
REFUSED(mips, header.machine = ELF_MACHINE_MIPS, ELF_FOR_MIPS)
REFUSED(other_machine, header.machine = 9999, ELF_FOR_OTHER_MACHINE)
REFUSED(freebsd, header.ident[ELF_IDENT_SYSTEM] = ELF_SYSTEM_FREEBSD, ELF_FOR_BSD)
REFUSED(solaris, header.ident[ELF_IDENT_SYSTEM] = ELF_SYSTEM_SOLARIS, ELF_FOR_OTHER_SYSTEM)
REFUSED(object, header.type = ELF_TYPE_REL, ELF_IS_OBJECT)
REFUSED(core, header.type = ELF_TYPE_CORE, ELF_IS_CORE)
REFUSED(other_type, header.type = 77, ELF_OTHER_TYPE)
REFUSED(shared_library, (header.type = ELF_TYPE_DYN, header.entry = 0), ELF_IS_SHARED_LIBRARY)
REFUSED(header_size, header.program_header_bytes = 55, ELF_BAD_PROGRAM_HEADERS)
REFUSED(header_count, header.program_header_count = 65535, ELF_BAD_PROGRAM_HEADERS)
REFUSED(headers_outside, header.program_headers = UINT64_MAX - 20, ELF_TRUNCATED)
REFUSED(no_headers, header.program_header_count = 0, ELF_NO_SEGMENTS)
REFUSED(no_loads, headers[TEXT].type = headers[DATA].type = 0, ELF_NO_SEGMENTS)
REFUSED(file_larger_than_memory, headers[DATA].memory_bytes = 0x7ff, ELF_SEGMENT_SIZE)
REFUSED(segment_outside_file, headers[DATA].offset = 0x7000, ELF_TRUNCATED)
REFUSED(offset_wraps, headers[DATA].offset = UINT64_MAX - 0xfff, ELF_TRUNCATED)
REFUSED(address_wraps, headers[DATA].memory_bytes = UINT64_MAX, ELF_SEGMENT_WRAPS)
REFUSED(below_lowest, headers[TEXT].address = 0xf000, ELF_SEGMENT_ADDRESS)
REFUSED(above_highest, headers[DATA].address = ELF_HIGHEST_ADDRESS - 0x1000, ELF_SEGMENT_ADDRESS)
REFUSED(kernel_address, headers[DATA].address = 0xffffffff80000000, ELF_SEGMENT_ADDRESS)
REFUSED(overlap, headers[DATA].address = 0x400000, ELF_SEGMENT_OVERLAP)
REFUSED(shared_page, (headers[DATA].address = 0x401800, headers[DATA].offset = 0x1800),
	ELF_SEGMENT_OVERLAP)
REFUSED(misaligned, headers[DATA].address = 0x402800, ELF_SEGMENT_MISALIGNED)
REFUSED(align_no_power, headers[DATA].align = 0x1001, ELF_SEGMENT_MISALIGNED)
REFUSED(writable_code, headers[TEXT].flags = 7, ELF_WRITABLE_CODE)
REFUSED(entry_in_data, header.entry = 0x402000, ELF_BAD_ENTRY)
REFUSED(entry_nowhere, header.entry = 0x500000, ELF_BAD_ENTRY)
REFUSED(entry_at_end, header.entry = 0x401800, ELF_BAD_ENTRY)
REFUSED(tls_outside,
	(headers[SPARE] = headers[DATA], headers[SPARE].type = ELF_PT_TLS,
		headers[SPARE].offset = 0x2f00),
	ELF_BAD_TLS)

TEST(too_many_segments)
{
	struct elf_program_header *many = (void *)(image + 64);

	make_good();
	header.program_header_count = 17;
	memcpy(image, &header, sizeof(header));
	for (uint64_t i = 0; i < 17; i++)
		many[i] = (struct elf_program_header){.type = ELF_PT_LOAD,
			.flags = ELF_PF_R,
			.address = 0x400000 + i * 0x1000,
			.memory_bytes = 1};
	CHECK_EQUAL(elf_check(image, sizeof(image), &program), ELF_TOO_MANY_SEGMENTS);
}

/* Fills the spare header and another with an interpreter and a dynamic section. */
static void make_dynamic(const struct elf_dynamic *entries, size_t count)
{
	make_good();
	header.type = ELF_TYPE_DYN;
	header.program_header_count = 4;
	memcpy(image + 0x1000, "/lib/ld.so", 11);
	memcpy(image + 0x1100, entries, count * sizeof(*entries));
	headers[SPARE] = (struct elf_program_header){
		.type = ELF_PT_INTERP, .offset = 0x1000, .file_bytes = 11};
	headers[SPARE + 1] = (struct elf_program_header){
		.type = ELF_PT_DYNAMIC, .offset = 0x1100, .file_bytes = count * sizeof(*entries)};
}

static const struct elf_dynamic go_pie[] = {{ELF_DT_RELA, 0x401200}, {ELF_DT_RELASZ, 48},
	{ELF_DT_RELAENT, 24}, {ELF_DT_NULL, 0}, {ELF_DT_NEEDED, 1}};

static void put_relocation(size_t index, struct elf_rela relocation)
{
	memcpy(image + 0x1200 + index * sizeof(relocation), &relocation, sizeof(relocation));
}

TEST(go_pie_has_relocations_to_apply)
{
	make_dynamic(go_pie, ARRAY_SIZE(go_pie));
	put_relocation(0, (struct elf_rela){0x402000, ELF_R_X86_64_RELATIVE, 5});
	put_relocation(1, (struct elf_rela){0x403ff8, ELF_R_X86_64_RELATIVE, 5});
	CHECK_EQUAL(check(), ELF_OK);
	CHECK(program.is_relocatable);
	CHECK_EQUAL(program.relocation_count, 2);
	CHECK_EQUAL(program.relocations_offset, 0x1200);
	CHECK(program.interpreter != NULL);
}

TEST(relocations_are_checked)
{
	make_dynamic(go_pie, ARRAY_SIZE(go_pie));
	put_relocation(0, (struct elf_rela){0x402000, ELF_R_X86_64_RELATIVE, 5});
	put_relocation(1, (struct elf_rela){0x403ff9, ELF_R_X86_64_RELATIVE, 5});
	CHECK_EQUAL(check(), ELF_BAD_RELOCATION); /* ends beyond the segment */
	put_relocation(1, (struct elf_rela){0x401300, ELF_R_X86_64_RELATIVE, 5});
	CHECK_EQUAL(check(), ELF_BAD_RELOCATION); /* in text */
	put_relocation(1, (struct elf_rela){0x402000, 6, 5});
	CHECK_EQUAL(check(), ELF_NEEDS_INTERPRETER); /* GLOB_DAT */
}

TEST(libraries_need_an_interpreter)
{
	static const struct elf_dynamic needed[] = {{ELF_DT_NEEDED, 1}, {ELF_DT_NULL, 0}};
	static const struct elf_dynamic plt[] = {{ELF_DT_PLTRELSZ, 24}};

	make_dynamic(needed, 2);
	CHECK_EQUAL(check(), ELF_NEEDS_INTERPRETER);
	headers[SPARE].type = 0;
	CHECK_EQUAL(check(), ELF_IS_SHARED_LIBRARY);
	header.type = ELF_TYPE_EXEC;
	CHECK_EQUAL(check(), ELF_NEEDS_INTERPRETER);
	make_dynamic(plt, 1);
	CHECK_EQUAL(check(), ELF_NEEDS_INTERPRETER);
}

TEST(malformed_dynamic_parts)
{
	static const struct elf_dynamic far_table[] = {
		{ELF_DT_RELA, 0x401700}, {ELF_DT_RELASZ, 0x120}, {ELF_DT_RELAENT, 24}};
	static const struct elf_dynamic odd_entry[] = {
		{ELF_DT_RELA, 0x401200}, {ELF_DT_RELASZ, 48}, {ELF_DT_RELAENT, 16}};

	make_dynamic(far_table, 3);
	CHECK_EQUAL(check(), ELF_BAD_RELOCATION);
	make_dynamic(odd_entry, 3);
	CHECK_EQUAL(check(), ELF_BAD_RELOCATION);
	make_dynamic(go_pie, ARRAY_SIZE(go_pie));
	headers[SPARE + 1].offset = IMAGE_BYTES - 8;
	CHECK_EQUAL(check(), ELF_TRUNCATED);
	make_dynamic(go_pie, ARRAY_SIZE(go_pie));
	headers[SPARE].offset = IMAGE_BYTES - 8;
	CHECK_EQUAL(check(), ELF_TRUNCATED);
	make_dynamic(go_pie, ARRAY_SIZE(go_pie));
	headers[SPARE].file_bytes = 10; /* its NUL is cut off */
	CHECK_EQUAL(check(), ELF_BAD_INTERPRETER);
}

TEST(static_pie_of_c_relocates_itself)
{
	static const struct elf_dynamic pie[] = {{ELF_DT_RELA, 0x401200}, {ELF_DT_RELASZ, 24},
		{ELF_DT_RELAENT, 24}, {ELF_DT_FLAGS_1, ELF_DF_1_PIE}};

	make_dynamic(pie, 4);
	headers[SPARE].type = 0;
	CHECK_EQUAL(check(), ELF_OK);
	CHECK(program.is_relocatable);
	CHECK_EQUAL(program.relocation_count, 0);
}

TEST(texts_are_distinct)
{
	for (int i = 0; i < ELF_ERROR_COUNT; i++) {
		CHECK(elf_error_text(i) != NULL);
		for (int j = 0; j < i; j++)
			CHECK(strcmp(elf_error_text(i), elf_error_text(j)) != 0);
	}
	CHECK(elf_error_text((enum elf_error)9999) != NULL);
}

TEST_DEFINE_MAIN
