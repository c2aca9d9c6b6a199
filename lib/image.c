/* See image.h. */
#include "lib/image.h"

#define PAGE 4096u

const struct image_header *image_header(const uint8_t *head)
{
	return (const void *)(head + IMAGE_HEADER_OFFSET);
}

const struct image_part *image_part(const struct image_header *header, enum image_part_type type)
{
	for (uint32_t i = 0; i < header->part_count; i++) {
		if (header->parts[i].type == type)
			return &header->parts[i];
	}
	return NULL;
}

static bool is_part_good(const struct image_header *header, const struct image_part *part)
{
	uint64_t limit =
		part->type == IMAGE_PART_MANIFEST ? header->head_bytes : header->file_bytes;
	bool is_on_page = part->offset % PAGE == 0 && part->phys % PAGE == 0;

	return part->offset <= limit && part->bytes <= limit - part->offset &&
	       part->phys <= UINT64_MAX - part->bytes &&
	       (is_on_page || part->type == IMAGE_PART_MANIFEST) &&
	       image_part(header, (enum image_part_type)part->type) == part;
}

enum image_error image_check(const uint8_t *head, uint64_t file_bytes)
{
	static const enum image_part_type needed[] = {
		IMAGE_PART_MANIFEST, IMAGE_PART_MONITOR, IMAGE_PART_KERNEL, IMAGE_PART_PROGRAM};
	const struct image_header *header = image_header(head);

	if (header->magic != IMAGE_MAGIC)
		return IMAGE_IS_NONE;
	if (header->version != IMAGE_VERSION)
		return IMAGE_OF_OTHER_VERSION;
	if (header->part_count > IMAGE_MAX_PARTS || header->file_bytes != file_bytes ||
		header->head_bytes > file_bytes || header->head_bytes > IMAGE_HEAD_MAX ||
		header->head_bytes % PAGE != 0 ||
		header->head_bytes < IMAGE_HEADER_OFFSET + sizeof(*header))
		return IMAGE_IS_DAMAGED;
	for (uint32_t i = 0; i < header->part_count; i++) {
		if (!is_part_good(header, &header->parts[i]))
			return IMAGE_IS_DAMAGED;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (image_part(header, needed[i]) == NULL)
			return IMAGE_IS_DAMAGED;
	}
	return IMAGE_OK;
}
