/*
 * Fuzzes lib/erofs.c: a whole image, or (first byte odd) what follows a good superblock, which
 * gets the fuzzer to inodes and directories at once. Everything that the image names is read.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/erofs.h"
#include "lib/erofs.h"

#define BODY_OFFSET (EROFS_SUPER_OFFSET + sizeof(struct erofs_super))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static volatile uint64_t sum;
static unsigned budget;

static void read_bytes(const void *data, uint64_t bytes)
{
	const uint8_t *at = data;

	while (bytes-- != 0)
		sum += *at++;
}

static void read_contents(const struct erofs_image *image, const struct erofs_inode *inode)
{
	uint64_t offset = 0, piece;
	const uint8_t *data;

	while (offset < inode->size && budget-- > 0 &&
		erofs_find_data(image, inode, offset, &data, &piece) == 0) {
		if (piece == 0 || piece > inode->size - offset)
			abort();
		if (data)
			read_bytes(data, piece);
		offset += piece;
	}
}

static void read_xattrs(const struct erofs_image *image, const struct erofs_inode *inode)
{
	struct erofs_xattr xattr;
	uint64_t position = 0;

	while (budget-- > 0 && erofs_next_xattr(image, inode, &position, &xattr) == 1) {
		read_bytes(xattr.name, xattr.name_bytes);
		read_bytes(xattr.value, xattr.value_bytes);
		read_bytes(xattr.prefix, strlen(xattr.prefix));
	}
}

static void read_inode(const struct erofs_image *image, uint64_t nid, int depth)
{
	struct erofs_name name, found;
	struct erofs_inode inode;
	uint64_t position = 0;

	if (erofs_read_inode(image, nid, &inode) != 0)
		return;
	read_xattrs(image, &inode);
	read_contents(image, &inode);
	if ((inode.mode & 0170000) != 0040000)
		return;
	(void)erofs_lookup(image, &inode, "some-name", 9, &found);
	while (budget-- > 0 && erofs_next_name(image, &inode, &position, &name) == 1) {
		if (name.length < 1 || name.length > 255)
			abort();
		read_bytes(name.text, name.length);
		(void)erofs_lookup(image, &inode, name.text, name.length, &found);
		if (depth > 0)
			read_inode(image, name.nid, depth - 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct erofs_super super = {.magic = EROFS_MAGIC,
		.block_shift = EROFS_BLOCK_SHIFT,
		.root_nid = BODY_OFFSET / EROFS_SLOT_BYTES,
		.feature_incompat = EROFS_INCOMPAT_CHUNKED};
	bool has_super = bytes > 0 && (data[0] & 1);
	size_t start = has_super ? BODY_OFFSET : 0;
	struct erofs_image image;
	uint8_t *copy;

	if (bytes == 0)
		return 0;
	data++, bytes--;
	copy = malloc(start + bytes); /* of its own, so that reading beyond it is seen */
	if (!copy)
		return 0;
	memset(copy, 0, start);
	if (has_super)
		memcpy(copy + EROFS_SUPER_OFFSET, &super, sizeof(super));
	memcpy(copy + start, data, bytes);
	budget = 2000;
	if (erofs_open(&image, copy, start + bytes) == 0)
		read_inode(&image, image.root, 3);
	free(copy);
	return 0;
}
