/* Build information and names of functions of a Go program: see lib/go_binary.h. */
#include <string.h>

#include "lib/go_binary.h"

/* ---- build information ---------------------------------------------------- */

/* Go's `internal/buildinfo`: magic, size of a pointer, flags; both strings follow at 32, each
 * with its length as a varint before it. */
static const char build_magic[14] = "\xff Go buildinf:";

#define BUILD_ALIGN         16u
#define BUILD_HEADER_BYTES  32u
#define BUILD_FLAGS_INLINE  2u
#define MODULES_FRAME_BYTES 16u /* random bytes on both sides of the list of modules */

static bool read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value, size_t *bytes)
{
	*value = 0;
	for (size_t i = 0; i < 10 && at + i < end; i++) {
		*value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
		if ((at[i] & 0x80) == 0) {
			*bytes = i + 1;
			return true;
		}
	}
	return false;
}

static bool read_string(const uint8_t **at, const uint8_t *end, struct go_text *text)
{
	uint64_t length;
	size_t bytes;

	if (!read_varint(*at, end, &length, &bytes))
		return false;
	*at += bytes;
	if (length > (uint64_t)(end - *at))
		return false;
	*text = (struct go_text){(const char *)*at, (size_t)length};
	*at += length;
	return true;
}

static bool read_build_information(const uint8_t *at, const uint8_t *end, struct go_binary *out)
{
	if (end - at < (ptrdiff_t)BUILD_HEADER_BYTES ||
		memcmp(at, build_magic, sizeof(build_magic)) != 0 ||
		(at[15] & BUILD_FLAGS_INLINE) == 0)
		return false;
	at += BUILD_HEADER_BYTES;
	if (!read_string(&at, end, &out->version) || !read_string(&at, end, &out->modules) ||
		out->version.bytes == 0)
		return false;
	if (out->modules.bytes >= 2 * MODULES_FRAME_BYTES) {
		out->modules.at += MODULES_FRAME_BYTES;
		out->modules.bytes -= 2 * MODULES_FRAME_BYTES;
	} else {
		out->modules = (struct go_text){0};
	}
	return true;
}

/* ---- the line table --------------------------------------------------------- */

#define LINE_TABLE_ALIGN 8u /* 32 before Go 1.26 */

enum line_table_magic {
	LINE_TABLE_1_16 = 0xfffffffa,
	LINE_TABLE_1_18 = 0xfffffff0,
	LINE_TABLE_1_20 = 0xfffffff1,
};

/* After the magic: two zeroes, the unit of code addresses (1), the size of a pointer (8); then
 * words: functions, files, (from 1.18 on) start of the text, and the offsets of the tables, of
 * which the first is that of names and the second its end. */
static bool read_line_table(const uint8_t *at, const uint8_t *end, struct go_binary *out)
{
	static const uint8_t rest[4] = {0, 0, 1, 8};
	uint64_t names, names_end, bytes = (uint64_t)(end - at);
	uint32_t magic;
	size_t words;

	if (bytes < 8 + 5 * sizeof(uint64_t))
		return false;
	memcpy(&magic, at, sizeof(magic));
	if (magic == LINE_TABLE_1_18 || magic == LINE_TABLE_1_20)
		words = 3;
	else if (magic == LINE_TABLE_1_16)
		words = 2;
	else
		return false;
	memcpy(&names, at + 8 + words * 8, sizeof(names));
	memcpy(&names_end, at + 8 + words * 8 + 8, sizeof(names_end));
	if (memcmp(at + 4, rest, sizeof(rest)) != 0 || names >= names_end || names_end > bytes ||
		at[names_end - 1] != 0)
		return false;
	out->functions = (struct go_text){(const char *)at + names, (size_t)(names_end - names)};
	return true;
}

/* ---- both ------------------------------------------------------------------- */

typedef bool (*reader)(const uint8_t *at, const uint8_t *end, struct go_binary *out);

/* Tries `read` at each multiple of `align` of each segment's memory. */
static bool search(const uint8_t *image, const struct elf_program *program, uint64_t align,
	reader read, struct go_binary *out)
{
	for (uint32_t i = 0; i < program->segment_count; i++) {
		const struct elf_segment *segment = &program->segments[i];
		const uint8_t *start = image + segment->offset;
		const uint8_t *end = start + segment->file_bytes;
		uint64_t skip = (align - segment->address % align) % align;

		for (; skip < segment->file_bytes; skip += align) {
			if (read(start + skip, end, out))
				return true;
		}
	}
	return false;
}

bool go_binary_read(const uint8_t *image, uint64_t bytes, const struct elf_program *program,
	struct go_binary *out)
{
	(void)bytes; /* elf_check() has seen that the segments lie in the image */
	memset(out, 0, sizeof(*out));
	if (!search(image, program, BUILD_ALIGN, read_build_information, out)) {
		memset(out, 0, sizeof(*out));
		return false;
	}
	search(image, program, LINE_TABLE_ALIGN, read_line_table, out);
	return true;
}

bool go_text_next(struct go_text text, char separator, size_t *position, struct go_text *item)
{
	const char *end;

	if (*position >= text.bytes)
		return false;
	item->at = text.at + *position;
	end = memchr(item->at, separator, text.bytes - *position);
	item->bytes = end != NULL ? (size_t)(end - item->at) : text.bytes - *position;
	*position += item->bytes + 1;
	return true;
}

bool go_text_starts_with(struct go_text text, const char *start)
{
	size_t length = strlen(start);

	return text.bytes >= length && memcmp(text.at, start, length) == 0;
}

bool go_text_is(struct go_text text, const char *wanted)
{
	return text.bytes == strlen(wanted) && go_text_starts_with(text, wanted);
}

struct go_text go_binary_setting(const struct go_binary *binary, const char *key)
{
	size_t position = 0, length = strlen(key);
	struct go_text line;

	while (go_text_next(binary->modules, '\n', &position, &line)) {
		if (!go_text_starts_with(line, "build\t"))
			continue;
		line.at += 6;
		line.bytes -= 6;
		if (go_text_starts_with(line, key) && line.bytes > length && line.at[length] == '=')
			return (struct go_text){line.at + length + 1, line.bytes - length - 1};
	}
	return (struct go_text){0};
}
