/*
 * Reads an uncompressed EROFS image that lies in memory.
 *
 * The image is not trusted: whatever it holds, no function reads outside it and none runs
 * longer than the image is large. What is broken is -EUCLEAN. Nothing is copied or kept but
 * the struct erofs_image, which may be shared by threads.
 */
#ifndef LIB_EROFS_H
#define LIB_EROFS_H

#include "lib/compiler.h"

struct erofs_image {
	const uint8_t *data;
	uint64_t bytes;
	uint64_t meta;  /* offset of inode 0 */
	uint64_t xattr; /* offset of the shared attributes */
	uint64_t root;  /* inode number */
	uint64_t inodes;
	int64_t build_ns;
};

struct erofs_inode {
	uint64_t nid;
	uint64_t size;
	uint64_t place; /* offset of its blocks or of its table of chunks */
	uint64_t tail;  /* EROFS_INLINE: offset of the last block */
	uint64_t xattr;
	uint32_t xattr_bytes; /* 0: none */
	uint32_t mode, links, uid, gid;
	uint32_t device; /* packed as Linux does for user space */
	int64_t mtime_ns;
	uint8_t layout; /* enum erofs_layout */
	uint8_t chunk_shift;
	bool has_indexes; /* of 8 bytes */
};

struct erofs_name {
	uint64_t nid;
	const char *text; /* in the image; 1 to 255 bytes, no NUL, no slash */
	size_t length;
	uint8_t type; /* enum erofs_file_type: a hint */
};

struct erofs_xattr {
	const char *prefix; /* "user.", with the dot */
	const char *name;   /* the rest, in the image */
	size_t name_bytes;
	const void *value;
	size_t value_bytes;
};

/* -EINVAL: not EROFS; -EOPNOTSUPP: with features that are not read (compression, other block
 * sizes, other devices); -EUCLEAN. `data` stays where it is. */
int erofs_open(struct erofs_image *image, const void *data, uint64_t bytes);
/* Fills in and checks all but the table of chunks. */
int erofs_read_inode(const struct erofs_image *image, uint64_t nid, struct erofs_inode *inode);

/* What is at `offset` (below the size), as far as it lies in one piece within a block or more:
 * *data NULL is a hole. */
int erofs_find_data(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, const uint8_t **data, uint64_t *bytes);
/* Copies; holes as zeroes. Returns how many bytes there were, or an error. */
int64_t erofs_read(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t offset, void *buffer, uint64_t bytes);

/* -ENOENT, -EUCLEAN. The inode is a directory. */
int erofs_lookup(const struct erofs_image *image, const struct erofs_inode *directory,
	const char *name, size_t length, struct erofs_name *found);
/* The next name after *position (begin with 0), without "." and "..". 1, 0 at the end, or an
 * error. */
int erofs_next_name(const struct erofs_image *image, const struct erofs_inode *directory,
	uint64_t *position, struct erofs_name *name);

/* The same for attributes; those with unknown prefixes are left out. */
int erofs_next_xattr(const struct erofs_image *image, const struct erofs_inode *inode,
	uint64_t *position, struct erofs_xattr *xattr);

#endif
