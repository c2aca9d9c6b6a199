/* cpio "newc" archives: see cli/cpio.h. */
#include <errno.h>
#include <string.h>

#include "cli/cpio.h"

#define HEADER_BYTES   110
#define NAME_MAX_BYTES 4096
#define TRAILER        "TRAILER!!!"

static int read_field(const uint8_t *header, unsigned index, uint32_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < 8; i++) {
		uint8_t c = header[6 + 8 * index + i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return -EINVAL;
		*value = *value << 4 | digit;
	}
	return 0;
}

int64_t cpio_check(const uint8_t *data, uint64_t bytes)
{
	uint64_t at = 0;

	for (;;) {
		uint64_t data_start, next;
		uint32_t file_bytes, name_bytes;

		if (bytes - at < HEADER_BYTES ||
			(memcmp(data + at, "070701", 6) != 0 &&
				memcmp(data + at, "070702", 6) != 0) ||
			read_field(data + at, 6, &file_bytes) != 0 ||
			read_field(data + at, 11, &name_bytes) != 0)
			return -EINVAL;
		data_start = ALIGN_UP(at + HEADER_BYTES + name_bytes, 4);
		next = ALIGN_UP(data_start + file_bytes, 4);
		if (name_bytes == 0 || name_bytes > NAME_MAX_BYTES ||
			at + HEADER_BYTES + name_bytes > bytes ||
			data[at + HEADER_BYTES + name_bytes - 1] != 0)
			return -EINVAL;
		if (strcmp((const char *)data + at + HEADER_BYTES, TRAILER) == 0)
			return (int64_t)at;
		if (next > bytes)
			return -EINVAL;
		at = next;
	}
}
