/* Tests of lib/go_binary.c on hand-made segments. */
#include <string.h>

#include "lib/go_binary.h"
#include "lib/test.h"

#define IMAGE_BYTES 1024
#define BUILD_AT    64
#define LINES_AT    512

#define FRAME "0123456789abcdef"

static const char modules[] = FRAME "path\texample.com/x\nmod\texample.com/x\tv1.2.3\th1:abc=\n"
				    "build\tCGO_ENABLED=0\nbuild\tCGO_ENABLEDX=1\n" FRAME;
static const char names[] = "\0main.main\0os.StartProcess\0runtime.goexit";

static uint8_t image[IMAGE_BYTES];
static struct elf_program program;
static struct go_binary binary;

static void put_word(size_t at, uint64_t value)
{
	memcpy(image + at, &value, sizeof(value));
}

/* A line table whose header has `words` before the offsets of its tables. */
static void put_line_table(uint32_t magic, size_t words)
{
	memset(image + LINES_AT, 0, IMAGE_BYTES - LINES_AT);
	memcpy(image + LINES_AT, &magic, sizeof(magic));
	image[LINES_AT + 6] = 1;
	image[LINES_AT + 7] = 8;
	put_word(LINES_AT + 8 + words * 8, 96);
	put_word(LINES_AT + 16 + words * 8, 96 + sizeof(names));
	memcpy(image + LINES_AT + 96, names, sizeof(names));
}

static void make_good(void)
{
	uint8_t *at = image + BUILD_AT;

	memset(image, 0, sizeof(image));
	memcpy(at, "\xff Go buildinf:", 14);
	at[14] = 8;
	at[15] = 2;
	at[32] = 6;
	memcpy(at + 33, "go1.26", 6);
	at[39] = (uint8_t)((sizeof(modules) - 1) | 0x80);
	at[40] = (sizeof(modules) - 1) >> 7;
	memcpy(at + 41, modules, sizeof(modules) - 1);
	put_line_table(0xfffffff1, 3);
	program = (struct elf_program){.segment_count = 1,
		.segments = {{.address = 0x400000,
			.file_bytes = IMAGE_BYTES,
			.memory_bytes = IMAGE_BYTES,
			.rights = 3}}};
}

static bool read_image(void)
{
	uint8_t *copy = malloc(IMAGE_BYTES); /* a read beyond it is seen */
	bool found;

	memcpy(copy, image, IMAGE_BYTES);
	found = go_binary_read(copy, IMAGE_BYTES, &program, &binary);
	if (!found)
		free(copy);
	return found; /* the texts lie in the copy, which is left to the end of the test */
}

TEST(version_modules_and_names_are_found)
{
	size_t position = 0;
	struct go_text name;

	make_good();
	CHECK(read_image());
	CHECK(go_text_is(binary.version, "go1.26"));
	CHECK(go_text_starts_with(binary.modules, "path\texample.com/x\n"));
	CHECK(go_text_is(go_binary_setting(&binary, "CGO_ENABLED"), "0"));
	CHECK(go_binary_setting(&binary, "GOOS").at == NULL);
	CHECK(go_text_next(binary.functions, 0, &position, &name) && name.bytes == 0);
	CHECK(go_text_next(binary.functions, 0, &position, &name));
	CHECK(go_text_is(name, "main.main"));
	CHECK(go_text_next(binary.functions, 0, &position, &name));
	CHECK(go_text_is(name, "os.StartProcess"));
	CHECK(go_text_next(binary.functions, 0, &position, &name));
	CHECK(!go_text_next(binary.functions, 0, &position, &name));
	free((void *)(uintptr_t)(binary.version.at - BUILD_AT - 33));
}

TEST(older_line_tables_are_read)
{
	static const struct {
		uint32_t magic;
		size_t words;
	} tables[] = {{0xfffffff0, 3}, {0xfffffffa, 2}};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		make_good();
		put_line_table(tables[i].magic, tables[i].words);
		CHECK(read_image());
		CHECK_EQUAL(binary.functions.bytes, sizeof(names));
		free((void *)(uintptr_t)(binary.version.at - BUILD_AT - 33));
	}
}

TEST(what_is_damaged_is_not_found)
{
	make_good();
	image[BUILD_AT + 3] ^= 1;
	CHECK(!read_image());
	make_good();
	image[BUILD_AT + 15] = 0; /* pointers instead of strings: Go before 1.18 */
	CHECK(!read_image());
	make_good();
	image[BUILD_AT + 40] = 0x7f; /* longer than the segment */
	CHECK(!read_image());
	make_good();
	program.segments[0].file_bytes = BUILD_AT + 20;
	CHECK(!read_image());
}

TEST(a_damaged_line_table_leaves_the_rest)
{
	make_good();
	put_word(LINES_AT + 8 + 24, 4096);
	CHECK(read_image());
	CHECK(binary.functions.at == NULL && binary.version.bytes == 6);
	free((void *)(uintptr_t)(binary.version.at - BUILD_AT - 33));
}

TEST_DEFINE_MAIN
