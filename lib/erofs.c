/*
 * EROFS images in memory. See erofs.h, and abi/erofs.h for the format.
 */
#include "lib/erofs.h"
#include "abi/erofs.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define NAME_MOST    255u
#define MODE_MASK    0170000u
#define MODE_FILE    0100000u
#define MODE_DIR     0040000u
#define MODE_LINK    0120000u
#define MODE_CHAR    0020000u
#define MODE_BLOCK   0060000u
#define MODE_FIFO    0010000u
#define MODE_SOCKET  0140000u
#define NS_IN_SECOND 1000000000ull

/* [offset, +bytes) of the image, or NULL. */
static const void *at(const struct erofs_image *image, uint64_t offset, uint64_t bytes)
{
	if (offset > image->bytes || bytes > image->bytes - offset)
		return NULL;
	return image->data + offset;
}

static int64_t time_ns(uint64_t seconds, uint32_t nanoseconds)
{
	/* 2262 is where 64 bits of nanoseconds end. */
	if (seconds >= (uint64_t)INT64_MAX / NS_IN_SECOND)
		return INT64_MAX;
	return (int64_t)(seconds * NS_IN_SECOND + MIN(nanoseconds, NS_IN_SECOND - 1));
}

int erofs_open(struct erofs_image *image, const void *data, uint64_t bytes)
{
	struct erofs_super super;

	if (bytes < EROFS_SUPER_OFFSET + sizeof(super))
		return -LINUX_EINVAL;
	memcpy(&super, (const uint8_t *)data + EROFS_SUPER_OFFSET, sizeof(super));
	if (super.magic != EROFS_MAGIC)
		return -LINUX_EINVAL;
	if ((super.feature_incompat & ~EROFS_INCOMPAT_CHUNKED) ||
		super.block_shift != EROFS_BLOCK_SHIFT || super.directory_block_shift ||
		super.extra_devices)
		return -LINUX_EOPNOTSUPP;
	*image = (struct erofs_image){
		.data = data,
		.bytes = bytes,
		.meta = (uint64_t)super.meta_block << EROFS_BLOCK_SHIFT,
		.xattr = (uint64_t)super.xattr_block << EROFS_BLOCK_SHIFT,
		.root = super.root_nid,
		.inodes = super.inodes,
		.build_ns = time_ns(super.build_seconds, super.build_nanoseconds),
	};
	return (uint64_t)super.blocks << EROFS_BLOCK_SHIFT <= ALIGN_UP(bytes, EROFS_BLOCK_BYTES)
		       ? 0
		       : -LINUX_EUCLEAN;
}

/* ---- inodes --------------------------------------------------------------- */

struct raw_inode {
	uint16_t format, xattr_count;
	uint32_t place;
	uint64_t end; /* offset of what follows: attributes, then a last block or a table */
};

static int load_inode(const struct erofs_image *image, uint64_t nid, struct erofs_inode *inode,
	struct raw_inode *raw)
{
	struct erofs_inode_extended extended;
	struct erofs_inode_compact compact;
	const void *data;
	uint64_t offset;

	if (nid > image->bytes / EROFS_SLOT_BYTES)
		return -LINUX_EUCLEAN;
	offset = image->meta + nid * EROFS_SLOT_BYTES;
	data = at(image, offset, sizeof(compact));
	if (!data)
		return -LINUX_EUCLEAN;
	memcpy(&compact, data, sizeof(compact));
	*raw = (struct raw_inode){
		compact.format, compact.xattr_count, compact.place, offset + sizeof(compact)};
	if (!(compact.format & EROFS_EXTENDED)) {
		*inode = (struct erofs_inode){.nid = nid,
			.mode = compact.mode,
			.links = compact.links,
			.size = compact.bytes,
			.uid = compact.uid,
			.gid = compact.gid,
			.mtime_ns = image->build_ns};
		return 0;
	}
	data = at(image, offset, sizeof(extended));
	if (!data)
		return -LINUX_EUCLEAN;
	memcpy(&extended, data, sizeof(extended));
	raw->place = extended.place;
	raw->end = offset + sizeof(extended);
	*inode = (struct erofs_inode){.nid = nid,
		.mode = extended.mode,
		.links = extended.links,
		.size = extended.bytes,
		.uid = extended.uid,
		.gid = extended.gid,
		.mtime_ns = time_ns(extended.mtime_seconds, extended.mtime_nanoseconds)};
	return 0;
}

static int place_xattrs(
	const struct erofs_image *image, struct erofs_inode *inode, struct raw_inode *raw)
{
	if (raw->xattr_count == 0)
		return 0;
	inode->xattr = raw->end;
	inode->xattr_bytes =
		(uint32_t)sizeof(struct erofs_xattr_header) + 4u * (raw->xattr_count - 1u);
	raw->end += inode->xattr_bytes;
	return at(image, inode->xattr, inode->xattr_bytes) ? 0 : -LINUX_EUCLEAN;
}

static int place_chunks(
	const struct erofs_image *image, struct erofs_inode *inode, const struct raw_inode *raw)
{
	uint64_t entry_bytes, chunks;

	inode->chunk_shift = (uint8_t)(EROFS_BLOCK_SHIFT + (raw->place & EROFS_CHUNK_SHIFT_MASK));
	inode->has_indexes = raw->place & EROFS_CHUNK_INDEXES;
	entry_bytes = inode->has_indexes ? sizeof(struct erofs_chunk_index) : sizeof(uint32_t);
	inode->place = ALIGN_UP(raw->end, entry_bytes);
	if ((raw->place & 0xffff) & ~(EROFS_CHUNK_SHIFT_MASK | EROFS_CHUNK_INDEXES))
		return -LINUX_EUCLEAN;
	chunks = inode->size == 0 ? 0 : ((inode->size - 1) >> inode->chunk_shift) + 1;
	if (chunks > image->bytes / entry_bytes)
		return -LINUX_EUCLEAN;
	return at(image, inode->place, chunks * entry_bytes) ? 0 : -LINUX_EUCLEAN;
}

/* Contents of files, links and directories. */
static int place_data(
	const struct erofs_image *image, struct erofs_inode *inode, const struct raw_inode *raw)
{
	uint64_t in_blocks = inode->size;

	inode->layout = (raw->format >> EROFS_LAYOUT_SHIFT) & 7;
	if (inode->size > (uint64_t)INT64_MAX ||
		((inode->mode & MODE_MASK) == MODE_DIR && inode->size > image->bytes))
		return -LINUX_EUCLEAN;
	if (inode->layout == EROFS_CHUNKS)
		return place_chunks(image, inode, raw);
	if (inode->layout != EROFS_PLAIN && inode->layout != EROFS_INLINE)
		return -LINUX_EUCLEAN;
	inode->place = (uint64_t)raw->place << EROFS_BLOCK_SHIFT;
	if (inode->layout == EROFS_INLINE && inode->size > 0) {
		in_blocks = ALIGN_DOWN(inode->size - 1, EROFS_BLOCK_BYTES);
		inode->tail = raw->end;
		if (!at(image, inode->tail, inode->size - in_blocks))
			return -LINUX_EUCLEAN;
	}
	return in_blocks == 0 || at(image, inode->place, in_blocks) ? 0 : -LINUX_EUCLEAN;
}

int erofs_read_inode(const struct erofs_image *image, uint64_t nid, struct erofs_inode *inode)
{
	struct raw_inode raw;
	int error = load_inode(image, nid, inode, &raw);

	if (error)
		return error;
	error = place_xattrs(image, inode, &raw);
	if (error)
		return error;
	switch (inode->mode & MODE_MASK) {
	case MODE_FILE:
	case MODE_DIR:
	case MODE_LINK:
		return place_data(image, inode, &raw);
	case MODE_CHAR:
	case MODE_BLOCK:
		inode->device = raw.place;
		inode->size = 0;
		return 0;
	case MODE_FIFO:
	case MODE_SOCKET:
		inode->size = 0;
		return 0;
	default:
		return -LINUX_EUCLEAN;
	}
}

/* ---- contents --------------------------------------------------------------- */

static int find_chunk(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, const uint8_t **data, uint64_t *bytes)
{
	uint64_t number = offset >> inode->chunk_shift, start = number << inode->chunk_shift;
	uint64_t chunk_bytes = MIN(1ull << inode->chunk_shift, inode->size - start);
	struct erofs_chunk_index index = {0};
	const uint8_t *entry, *chunk;

	if (inode->has_indexes) {
		entry = at(image, inode->place + number * sizeof(index), sizeof(index));
		if (!entry)
			return -LINUX_EUCLEAN;
		memcpy(&index, entry, sizeof(index));
	} else {
		entry = at(image, inode->place + number * sizeof(uint32_t), sizeof(uint32_t));
		if (!entry)
			return -LINUX_EUCLEAN;
		memcpy(&index.block, entry, sizeof(uint32_t));
	}
	*bytes = chunk_bytes - (offset - start);
	*data = NULL;
	if (index.block == EROFS_HOLE)
		return 0;
	chunk = at(image, (uint64_t)index.block << EROFS_BLOCK_SHIFT, chunk_bytes);
	if (!chunk || index.device)
		return -LINUX_EUCLEAN;
	*data = chunk + (offset - start);
	return 0;
}

int erofs_find_data(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, const uint8_t **data, uint64_t *bytes)
{
	uint64_t tail_start;

	if (offset >= inode->size)
		return -LINUX_EINVAL;
	if (inode->layout == EROFS_CHUNKS)
		return find_chunk(image, inode, offset, data, bytes);
	tail_start = inode->layout == EROFS_INLINE ? ALIGN_DOWN(inode->size - 1, EROFS_BLOCK_BYTES)
						   : inode->size;
	if (offset < tail_start) {
		*data = image->data + inode->place + offset;
		*bytes = tail_start - offset;
	} else {
		*data = image->data + inode->tail + (offset - tail_start);
		*bytes = inode->size - offset;
	}
	return 0;
}

int64_t erofs_read(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, void *buffer, uint64_t bytes)
{
	uint64_t done = 0;

	while (done < bytes && offset < inode->size) {
		const uint8_t *data;
		uint64_t piece;
		int error = erofs_find_data(image, inode, offset, &data, &piece);

		if (error)
			return error;
		piece = MIN(piece, bytes - done);
		if (data)
			memcpy((uint8_t *)buffer + done, data, piece);
		else
			memset((uint8_t *)buffer + done, 0, piece);
		done += piece;
		offset += piece;
	}
	return (int64_t)done;
}

/* ---- directories -------------------------------------------------------------- */

struct block {
	const uint8_t *data;
	uint32_t bytes;
	uint32_t count; /* of names */
};

static int open_block(const struct erofs_image *image, const struct erofs_inode *directory,
	uint64_t number, struct block *block)
{
	struct erofs_dirent first;
	uint64_t bytes;
	int error = erofs_find_data(
		image, directory, number << EROFS_BLOCK_SHIFT, &block->data, &bytes);

	if (error)
		return error;
	block->bytes = (uint32_t)MIN(bytes, EROFS_BLOCK_BYTES);
	if (!block->data || block->bytes < sizeof(first))
		return -LINUX_EUCLEAN;
	memcpy(&first, block->data, sizeof(first));
	block->count = first.name_offset / (uint32_t)sizeof(first);
	if (block->count == 0 || first.name_offset % sizeof(first) ||
		first.name_offset > block->bytes)
		return -LINUX_EUCLEAN;
	return 0;
}

static int name_in_block(const struct block *block, uint32_t index, struct erofs_name *name)
{
	struct erofs_dirent entry, next;
	uint32_t end = block->bytes;

	memcpy(&entry, block->data + index * sizeof(entry), sizeof(entry));
	if (index + 1 < block->count) {
		memcpy(&next, block->data + (index + 1) * sizeof(next), sizeof(next));
		end = next.name_offset;
	}
	if (entry.name_offset < block->count * sizeof(entry) || end > block->bytes ||
		entry.name_offset >= end)
		return -LINUX_EUCLEAN;
	name->nid = entry.nid;
	name->type = entry.type;
	name->text = (const char *)block->data + entry.name_offset;
	name->length = strnlen(name->text, end - entry.name_offset);
	if (name->length == 0 || name->length > NAME_MOST || memchr(name->text, '/', name->length))
		return -LINUX_EUCLEAN;
	return 0;
}

static int compare(const char *a, size_t a_length, const struct erofs_name *b)
{
	int order = memcmp(a, b->text, MIN(a_length, b->length));

	return order ? order : (a_length > b->length) - (a_length < b->length);
}

static uint64_t block_count(const struct erofs_inode *directory)
{
	return (directory->size + EROFS_BLOCK_BYTES - 1) >> EROFS_BLOCK_SHIFT;
}

/* The last block whose first name is not after `name`. */
static int find_block(const struct erofs_image *image, const struct erofs_inode *directory,
	const char *name, size_t length, struct block *block)
{
	uint64_t low = 0, high = block_count(directory);
	struct erofs_name first;
	int error;

	if (high == 0)
		return -LINUX_ENOENT;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		error = open_block(image, directory, middle, block);
		if (!error)
			error = name_in_block(block, 0, &first);
		if (error)
			return error;
		if (compare(name, length, &first) < 0)
			high = middle;
		else
			low = middle;
	}
	return open_block(image, directory, low, block);
}

int erofs_lookup(const struct erofs_image *image, const struct erofs_inode *directory,
	const char *name, size_t length, struct erofs_name *found)
{
	uint32_t low = 0, high;
	struct block block;
	int error = find_block(image, directory, name, length, &block);

	if (error)
		return error;
	for (high = block.count; low < high;) {
		uint32_t middle = low + (high - low) / 2;
		int order;

		error = name_in_block(&block, middle, found);
		if (error)
			return error;
		order = compare(name, length, found);
		if (order == 0)
			return 0;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -LINUX_ENOENT;
}

static bool is_dot(const struct erofs_name *name)
{
	return name->text[0] == '.' &&
	       (name->length == 1 || (name->length == 2 && name->text[1] == '.'));
}

/* *position: number of the block, times a block's size, and of the name within. */
int erofs_next_name(const struct erofs_image *image, const struct erofs_inode *directory,
	uint64_t *position, struct erofs_name *name)
{
	while (*position >> EROFS_BLOCK_SHIFT < block_count(directory)) {
		uint64_t number = *position >> EROFS_BLOCK_SHIFT;
		struct block block;
		int error = open_block(image, directory, number, &block);

		if (error)
			return error;
		while (*position % EROFS_BLOCK_BYTES < block.count) {
			error = name_in_block(
				&block, (uint32_t)(*position % EROFS_BLOCK_BYTES), name);
			++*position;
			if (error)
				return error;
			if (!is_dot(name))
				return 1;
		}
		*position = (number + 1) << EROFS_BLOCK_SHIFT;
	}
	return 0;
}

/* ---- extended attributes -------------------------------------------------------- */

static const char *prefix_text(uint8_t prefix)
{
	switch (prefix) {
	case EROFS_XATTR_USER:
		return "user.";
	case EROFS_XATTR_ACL_ACCESS:
		return "system.posix_acl_access";
	case EROFS_XATTR_ACL_DEFAULT:
		return "system.posix_acl_default";
	case EROFS_XATTR_TRUSTED:
		return "trusted.";
	case EROFS_XATTR_SECURITY:
		return "security.";
	default:
		return NULL;
	}
}

/* `bytes` gets the aligned size of the entry. */
static int read_entry(const struct erofs_image *image, uint64_t offset, uint64_t limit,
	struct erofs_xattr *xattr, uint64_t *bytes)
{
	const uint8_t *data = at(image, offset, sizeof(struct erofs_xattr_entry));
	struct erofs_xattr_entry entry;

	if (!data)
		return -LINUX_EUCLEAN;
	memcpy(&entry, data, sizeof(entry));
	*bytes = sizeof(entry) + entry.name_bytes + entry.value_bytes;
	if (*bytes > limit || !at(image, offset, *bytes))
		return -LINUX_EUCLEAN;
	*bytes = ALIGN_UP(*bytes, 4);
	data += sizeof(entry);
	*xattr = (struct erofs_xattr){.prefix = prefix_text(entry.prefix),
		.name = (const char *)data,
		.name_bytes = entry.name_bytes,
		.value = data + entry.name_bytes,
		.value_bytes = entry.value_bytes};
	return 0;
}

/* *position: first counts the shared ones, then it is the offset behind the header. */
int erofs_next_xattr(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t *position, struct erofs_xattr *xattr)
{
	struct erofs_xattr_header header;
	uint64_t bytes, entries;
	uint32_t shared;
	int error;

	if (inode->xattr_bytes == 0)
		return 0;
	memcpy(&header, image->data + inode->xattr, sizeof(header));
	entries = sizeof(header) + 4ull * header.shared_count;
	if (entries > inode->xattr_bytes)
		return -LINUX_EUCLEAN;
	while (*position < header.shared_count) {
		memcpy(&shared, image->data + inode->xattr + sizeof(header) + 4 * *position,
			sizeof(shared));
		++*position;
		error = read_entry(image, image->xattr + 4ull * shared, UINT32_MAX, xattr, &bytes);
		if (error || xattr->prefix)
			return error ? error : 1;
	}
	*position = MAX(*position, entries);
	while (*position + sizeof(struct erofs_xattr_entry) <= inode->xattr_bytes) {
		error = read_entry(image, inode->xattr + *position, inode->xattr_bytes - *position,
			xattr, &bytes);
		if (error)
			return error;
		*position += bytes;
		if (xattr->prefix)
			return 1;
	}
	return 0;
}
