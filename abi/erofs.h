/*
 * EROFS on disk, as far as uncompressed images use it: Linux's Documentation/filesystems/
 * erofs.rst. Little-endian. Blocks have 4096 bytes; an inode's number counts slots of 32 bytes
 * from the start of the metadata.
 */
#ifndef ABI_EROFS_H
#define ABI_EROFS_H

#include <stdint.h>

#define EROFS_MAGIC        0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024
#define EROFS_BLOCK_SHIFT  12
#define EROFS_BLOCK_BYTES  4096ull
#define EROFS_SLOT_BYTES   32ull

/* feature_compat */
#define EROFS_COMPAT_CHECKSUM 1u
#define EROFS_COMPAT_MTIME    2u /* times are those of contents, not of attributes */
/* feature_incompat */
#define EROFS_INCOMPAT_CHUNKED 4u

struct erofs_super {
	uint32_t magic;
	uint32_t checksum;
	uint32_t feature_compat;
	uint8_t block_shift;
	uint8_t extension_slots;
	uint16_t root_nid;
	uint64_t inodes;
	uint64_t build_seconds;
	uint32_t build_nanoseconds;
	uint32_t blocks;
	uint32_t meta_block;
	uint32_t xattr_block;
	uint8_t uuid[16];
	char volume_name[16];
	uint32_t feature_incompat;
	uint16_t compression;
	uint16_t extra_devices;
	uint16_t device_slots;
	uint8_t directory_block_shift;
	uint8_t reserved[37];
};

/* Low bit of format: EROFS_EXTENDED; then three bits of layout. */
#define EROFS_EXTENDED     1u
#define EROFS_LAYOUT_SHIFT 1

enum erofs_layout {
	EROFS_PLAIN = 0,  /* blocks that follow each other */
	EROFS_INLINE = 2, /* the same, but the last one lies behind the inode */
	EROFS_CHUNKS = 4, /* a table behind the inode says where each chunk lies */
};

struct erofs_inode_compact {
	uint16_t format;
	uint16_t xattr_count; /* 0: none; else 12 bytes and 4 for each above 1 */
	uint16_t mode;
	uint16_t links;
	uint32_t bytes;
	uint32_t reserved;
	uint32_t place; /* first block, device number, or EROFS_CHUNK_ bits */
	uint32_t inode; /* for stat(2) */
	uint16_t uid, gid;
	uint32_t reserved2;
};

struct erofs_inode_extended {
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t reserved;
	uint64_t bytes;
	uint32_t place;
	uint32_t inode;
	uint32_t uid, gid;
	uint64_t mtime_seconds;
	uint32_t mtime_nanoseconds;
	uint32_t links;
	uint8_t reserved2[16];
};

#define EROFS_CHUNK_SHIFT_MASK 0x1fu /* added to the block's shift */
#define EROFS_CHUNK_INDEXES    0x20u /* entries of 8 bytes, else of 4 */
#define EROFS_HOLE             0xffffffffu

struct erofs_chunk_index {
	uint16_t reserved;
	uint16_t device;
	uint32_t block;
};

/* A block of a directory: these in the order of their names, then the names. A name ends where
 * the next begins, the last one at a NUL or where the block ends. */
struct erofs_dirent {
	uint64_t nid;
	uint16_t name_offset;
	uint8_t type; /* enum erofs_file_type */
	uint8_t reserved;
} __attribute__((packed));

enum erofs_file_type {
	EROFS_TYPE_UNKNOWN,
	EROFS_TYPE_FILE,
	EROFS_TYPE_DIRECTORY,
	EROFS_TYPE_CHARACTER,
	EROFS_TYPE_BLOCK,
	EROFS_TYPE_FIFO,
	EROFS_TYPE_SOCKET,
	EROFS_TYPE_LINK,
};

/* Behind the inode: this, shared_count numbers (times 4: offset from the xattr block), then
 * entries, each aligned to 4. */
struct erofs_xattr_header {
	uint32_t reserved;
	uint8_t shared_count;
	uint8_t reserved2[7];
};

struct erofs_xattr_entry {
	uint8_t name_bytes;
	uint8_t prefix; /* enum erofs_xattr_prefix */
	uint16_t value_bytes;
};

enum erofs_xattr_prefix {
	EROFS_XATTR_USER = 1,
	EROFS_XATTR_ACL_ACCESS = 2,
	EROFS_XATTR_ACL_DEFAULT = 3,
	EROFS_XATTR_TRUSTED = 4,
	EROFS_XATTR_SECURITY = 6,
};

_Static_assert(sizeof(struct erofs_super) == 128, "on-disk layout");
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "on-disk layout");
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "on-disk layout");
_Static_assert(sizeof(struct erofs_chunk_index) == 8, "on-disk layout");
_Static_assert(sizeof(struct erofs_dirent) == 12, "on-disk layout");
_Static_assert(sizeof(struct erofs_xattr_header) == 12, "on-disk layout");
_Static_assert(sizeof(struct erofs_xattr_entry) == 4, "on-disk layout");

#endif
