/*
 * Checks the header of a built file (abi/image.h). Pure, for kernel and host alike.
 */
#ifndef LIB_IMAGE_H
#define LIB_IMAGE_H

#include "abi/image.h"
#include "lib/compiler.h"

enum image_error {
	IMAGE_OK,
	IMAGE_IS_NONE,          /* no built file at all */
	IMAGE_OF_OTHER_VERSION, /* of a newer or older Burrow */
	IMAGE_IS_DAMAGED,       /* cut short, or overwritten */
};

/*
 * `head` is the start of the file, at least IMAGE_HEADER_OFFSET + sizeof(struct image_header)
 * bytes; `file_bytes` is the size of the file. After IMAGE_OK every part lies in the file,
 * the manifest in its head; manifest, monitor, kernel and program are there; every part but
 * the manifest starts on a page.
 */
enum image_error image_check(const uint8_t *head, uint64_t file_bytes);

const struct image_header *image_header(const uint8_t *head);

/* NULL: there is none. */
const struct image_part *image_part(const struct image_header *header, enum image_part_type type);

#endif
