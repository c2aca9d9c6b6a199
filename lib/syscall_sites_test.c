/* Tests of lib/syscall_sites.c: patterns at every place of a text, and what is no site. */
#include <string.h>

#include "lib/syscall_sites.h"
#include "lib/test.h"

#define TEXT_OFFSET  0x1000
#define TEXT_ADDRESS 0x401000
#define TEXT_BYTES   512
#define DATA_OFFSET  0x2000
#define IMAGE_BYTES  0x2400

static uint8_t image[IMAGE_BYTES];
static struct elf_program program;
static struct syscall_site sites[8];

static const char entry_code[] = "\xe9\x03\x00\x00\x00\x90\x90\x90"
				 "\x48\x8b\x3c\x24\x48\x8d\x74\x24\x08\xe9";

/* A Go program by its build info; its text is nothing but nops. */
static void make(void)
{
	memset(image, 0, sizeof(image));
	memset(image + TEXT_OFFSET, 0x90, TEXT_BYTES);
	memcpy(image + TEXT_OFFSET, entry_code, sizeof(entry_code) - 1);
	memcpy(image + DATA_OFFSET + 32, "\xff Go buildinf:", 14);
	memset(&program, 0, sizeof(program));
	program.entry = TEXT_ADDRESS;
	program.segment_count = 2;
	program.segments[0] = (struct elf_segment){.address = TEXT_ADDRESS,
		.memory_bytes = TEXT_BYTES,
		.offset = TEXT_OFFSET,
		.file_bytes = TEXT_BYTES,
		.rights = 5};
	program.segments[1] = (struct elf_segment){.address = 0x402000,
		.memory_bytes = 0x400,
		.offset = DATA_OFFSET,
		.file_bytes = 0x400,
		.rights = 3};
}

static size_t find(void)
{
	return syscall_sites_find(image, sizeof(image), &program, sites, ARRAY_SIZE(sites));
}

static void put(size_t at, const char *bytes, size_t count)
{
	memcpy(image + TEXT_OFFSET + at, bytes, count);
}

#define PUT(at, bytes) put(at, bytes, sizeof(bytes) - 1)

static void check_one(size_t at, enum syscall_site_kind kind, uint32_t number)
{
	CHECK_EQUAL(find(), 1);
	CHECK_EQUAL(sites[0].address, TEXT_ADDRESS + at);
	CHECK_EQUAL(sites[0].kind, kind);
	CHECK_EQUAL(sites[0].number, number);
}

TEST(each_pattern_is_found_at_every_offset)
{
	for (size_t at = 32; at < 100; at++) {
		make();
		PUT(at, "\xb8\xca\x00\x00\x00\x0f\x05");
		check_one(at, SITE_MOV_EAX, 202);
		make();
		PUT(at, "\x48\xc7\xc0\x2e\x01\x00\x00\x0f\x05");
		check_one(at, SITE_MOV_RAX, 302);
		make();
		PUT(at, "\x49\x89\xf2\x48\x89\xfa\x48\x89\xce\x48\x89\xdf\x0f\x05"
			"\x48\x3d\x01\xf0\xff\xff\x76\x15");
		check_one(at + 9, SITE_SYSCALL6, 0);
		make();
		PUT(at, "\x48\x8b\x44\x24\x08\x0f\x05");
		check_one(at, SITE_NO_ERROR, 0);
	}
}

TEST(site_at_the_very_end_is_found)
{
	make();
	PUT(TEXT_BYTES - 7, "\xb8\x01\x00\x00\x00\x0f\x05");
	check_one(TEXT_BYTES - 7, SITE_MOV_EAX, 1);
}

TEST(what_looks_similar_is_no_site)
{
	make();
	PUT(32, "\x0f\x05");                                     /* nothing before it */
	PUT(48, "\x48\x8b\x44\x24\x08\x41\x5c\x0f\x05\x41\x54"); /* rawVforkSyscall */
	PUT(64, "\xb8\x00\x00\x01\x00\x0f\x05");                 /* number too high */
	PUT(80, "\x41\xb8\x01\x00\x00\x00\x0f\x05");             /* mov r8d */
	PUT(96, "\x49\x89\xf2\x48\x89\xfa\x48\x89\xce\x48\x89\xdf\x0f\x05\x90");
	PUT(120, "\x0f\x0f\x05\x05");
	CHECK_EQUAL(find(), 0);
}

TEST(start_of_the_text_is_not_read_beyond)
{
	make();
	program.entry = TEXT_ADDRESS + 64;
	memmove(image + TEXT_OFFSET + 64, image + TEXT_OFFSET, 32);
	for (size_t at = 0; at < 12; at++) {
		memset(image + TEXT_OFFSET, 0x90, 20);
		PUT(at, "\x0f\x05");
		CHECK_EQUAL(find(), 0);
	}
}

TEST(capacity_is_kept)
{
	make();
	for (size_t at = 32; at < 32 + 10 * 16; at += 16)
		PUT(at, "\xb8\x01\x00\x00\x00\x0f\x05");
	CHECK_EQUAL(find(), ARRAY_SIZE(sites));
	CHECK_EQUAL(syscall_sites_find(image, sizeof(image), &program, sites, 0), 0);
}

TEST(only_go_programs_have_sites)
{
	make();
	PUT(32, "\xb8\x01\x00\x00\x00\x0f\x05");
	CHECK_EQUAL(find(), 1);
	image[DATA_OFFSET + 33] = 'x';
	CHECK_EQUAL(find(), 0);
	make();
	PUT(32, "\xb8\x01\x00\x00\x00\x0f\x05");
	image[TEXT_OFFSET] = 0x31; /* entry code of a C library */
	CHECK_EQUAL(find(), 0);
	make();
	program.entry = 0x999999;
	CHECK_EQUAL(find(), 0);
}

TEST(data_is_not_searched)
{
	make();
	memcpy(image + DATA_OFFSET + 64, "\xb8\x01\x00\x00\x00\x0f\x05", 7);
	CHECK_EQUAL(find(), 0);
}

TEST_DEFINE_MAIN
