/* Fuzzes lib/image.c: parts of an accepted header lie in the file. */
#include <stdlib.h>
#include <string.h>

#include "lib/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static _Alignas(8) uint8_t head[IMAGE_HEADER_OFFSET + sizeof(struct image_header)];
	struct image_header *header = (void *)(head + IMAGE_HEADER_OFFSET);
	uint64_t file_bytes;

	memset(head, 0, sizeof(head));
	header->magic = IMAGE_MAGIC;
	header->version = IMAGE_VERSION;
	memcpy(&header->part_count, data,
		bytes < sizeof(*header) - 12 ? bytes : sizeof(*header) - 12);
	file_bytes = header->file_bytes;
	if (image_check(head, file_bytes) != IMAGE_OK)
		return 0;
	for (uint32_t i = 0; i < header->part_count; i++) {
		const struct image_part *part = &header->parts[i];

		if (part->offset > file_bytes || part->bytes > file_bytes - part->offset)
			abort();
	}
	return 0;
}
