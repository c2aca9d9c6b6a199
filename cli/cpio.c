/* cpio "newc" archives: see cli/cpio.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cpio.h"

#define HEADER_BYTES   110
#define NAME_MAX_BYTES 4096
#define TRAILER        "TRAILER!!!"

void cpio_open(struct cpio_writer *writer, FILE *stream)
{
	*writer = (struct cpio_writer){.stream = stream, .next_inode = 1};
}

int cpio_write_data(struct cpio_writer *writer, const void *data, size_t bytes)
{
	if (bytes != 0 && fwrite(data, 1, bytes, writer->stream) != bytes)
		return -EIO;
	writer->bytes += bytes;
	return 0;
}

int cpio_end_data(struct cpio_writer *writer)
{
	return cpio_write_data(writer, "\0\0\0", -writer->bytes % 4);
}

int cpio_add(struct cpio_writer *writer, const struct cpio_entry *entry)
{
	size_t name_bytes = strlen(entry->name) + 1;
	char header[HEADER_BYTES + 1];
	int error;

	if (entry->bytes > UINT32_MAX)
		return -EFBIG;
	if (name_bytes > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	snprintf(header, sizeof(header),
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", writer->next_inode++,
		entry->mode, 0u, 0u, S_ISDIR(entry->mode) ? 2u : 1u,
		(uint32_t)MIN(entry->mtime, UINT32_MAX), (uint32_t)entry->bytes, 0u, 0u, 0u, 0u,
		(uint32_t)name_bytes, 0u);
	error = cpio_write_data(writer, header, HEADER_BYTES);
	if (error == 0)
		error = cpio_write_data(writer, entry->name, name_bytes);
	return error != 0 ? error : cpio_end_data(writer);
}

int cpio_close(struct cpio_writer *writer)
{
	const struct cpio_entry trailer = {.name = TRAILER};
	int error = cpio_add(writer, &trailer);

	return error == 0 && fflush(writer->stream) != 0 ? -EIO : error;
}

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

int cpio_join(struct cpio_writer *writer, const uint8_t *data, uint64_t bytes)
{
	int64_t entries = cpio_check(data, bytes);

	if (entries < 0)
		return (int)entries;
	return cpio_write_data(writer, data, (size_t)entries);
}
