/*
 * The on-disk format of ext4, as Documentation/filesystems/ext4 of Linux describes it.
 * Little-endian, as this machine is; the journal, big-endian, is in journal_format.h.
 */
#ifndef KERNEL_FS_EXT4_FORMAT_H
#define KERNEL_FS_EXT4_FORMAT_H

#include "lib/compiler.h"

#define EXT4_SUPER_OFFSET 1024
#define EXT4_MAGIC        0xef53

enum ext4_special_inode {
	EXT4_ROOT_INODE = 2,
	EXT4_JOURNAL_INODE = 8,
};

enum ext4_state {
	EXT4_STATE_VALID = 1,
	EXT4_STATE_ERROR = 2,
};

enum ext4_compatible {
	EXT4_COMPAT_HAS_JOURNAL = 4,
	EXT4_COMPAT_DIR_INDEX = 0x20,
};

enum ext4_incompatible {
	EXT4_INCOMPAT_FILETYPE = 2,
	EXT4_INCOMPAT_RECOVER = 4,
	EXT4_INCOMPAT_META_BG = 0x10,
	EXT4_INCOMPAT_EXTENTS = 0x40,
	EXT4_INCOMPAT_64BIT = 0x80,
	EXT4_INCOMPAT_FLEX_BG = 0x200,
	EXT4_INCOMPAT_CSUM_SEED = 0x2000,
};

enum ext4_read_only_compatible {
	EXT4_RO_SPARSE_SUPER = 1,
	EXT4_RO_LARGE_FILE = 2,
	EXT4_RO_HUGE_FILE = 8,
	EXT4_RO_DIR_NLINK = 0x20,
	EXT4_RO_EXTRA_ISIZE = 0x40,
	EXT4_RO_METADATA_CSUM = 0x400,
};

enum ext4_super_flag {
	EXT4_SUPER_SIGNED_HASH = 1,
	EXT4_SUPER_UNSIGNED_HASH = 2,
};

struct ext4_super {
	uint32_t inode_count, block_count_lo, reserved_blocks_lo, free_blocks_lo;
	uint32_t free_inodes, first_data_block, log_block_size, log_cluster_size;
	uint32_t blocks_per_group, clusters_per_group, inodes_per_group, mount_time;
	uint32_t write_time;
	uint16_t mount_count, max_mount_count, magic, state, errors, minor_revision;
	uint32_t last_check, check_interval, creator_os, revision;
	uint16_t default_uid, default_gid;
	uint32_t first_inode;
	uint16_t inode_bytes, group_number;
	uint32_t compatible, incompatible, read_only_compatible;
	uint8_t uuid[16];
	char volume_name[16];
	char last_mounted[64];
	uint32_t algorithms;
	uint8_t prealloc_blocks, prealloc_directory_blocks;
	uint16_t reserved_table_blocks;
	uint8_t journal_uuid[16];
	uint32_t journal_inode, journal_device, last_orphan, hash_seed[4];
	uint8_t hash_version, journal_backup_type;
	uint16_t descriptor_bytes;
	uint32_t default_mount_options, first_meta_group, made_time, journal_backup[17];
	uint32_t block_count_hi, reserved_blocks_hi, free_blocks_hi;
	uint16_t min_extra_bytes, want_extra_bytes;
	uint32_t flags;
	uint16_t raid_stride, mmp_interval;
	uint64_t mmp_block;
	uint32_t raid_stripe_width;
	uint8_t log_groups_per_flex, checksum_type;
	uint16_t pad;
	uint64_t written_kib;
	uint8_t snapshots[20]; /* never used */
	uint32_t error_count, first_error_time, first_error_inode;
	uint64_t first_error_block;
	uint8_t first_error_function[32];
	uint32_t first_error_line, last_error_time, last_error_inode, last_error_line;
	uint64_t last_error_block;
	uint8_t last_error_function[32];
	uint8_t mount_options[64];
	uint32_t user_quota_inode, group_quota_inode, overhead_blocks, backup_groups[2];
	uint8_t encryption_algorithms[4], encryption_salt[16];
	uint32_t lost_found_inode, project_quota_inode, checksum_seed;
	uint8_t reserved[0x3fc - 0x274];
	uint32_t checksum;
};

_Static_assert(sizeof(struct ext4_super) == 1024, "super block");
_Static_assert(offsetof(struct ext4_super, hash_seed) == 0xec, "super block");
_Static_assert(offsetof(struct ext4_super, block_count_hi) == 0x150, "super block");
_Static_assert(offsetof(struct ext4_super, error_count) == 0x194, "super block");
_Static_assert(offsetof(struct ext4_super, checksum_seed) == 0x270, "super block");

enum ext4_group_flag {
	EXT4_GROUP_INODES_UNINIT = 1, /* the bitmap was never written, no inode used */
	EXT4_GROUP_BLOCKS_UNINIT = 2, /* the same of blocks */
	EXT4_GROUP_TABLE_ZEROED = 4,
};

/* The second half exists when descriptors have 64 bytes. */
struct ext4_group_descriptor {
	uint32_t block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
	uint16_t free_blocks_lo, free_inodes_lo, directories_lo, flags;
	uint32_t exclude_bitmap_lo;
	uint16_t block_bitmap_sum_lo, inode_bitmap_sum_lo, unused_inodes_lo, checksum;
	uint32_t block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
	uint16_t free_blocks_hi, free_inodes_hi, directories_hi, unused_inodes_hi;
	uint32_t exclude_bitmap_hi;
	uint16_t block_bitmap_sum_hi, inode_bitmap_sum_hi;
	uint32_t reserved;
};

_Static_assert(sizeof(struct ext4_group_descriptor) == 64, "group descriptor");
_Static_assert(offsetof(struct ext4_group_descriptor, checksum) == 0x1e, "group descriptor");
_Static_assert(offsetof(struct ext4_group_descriptor, block_bitmap_sum_hi) == 0x38, "");

enum ext4_inode_flag {
	EXT4_INODE_IMMUTABLE = 0x10,
	EXT4_INODE_APPEND = 0x20,
	EXT4_INODE_ENCRYPTED = 0x800,
	EXT4_INODE_INDEX = 0x1000, /* a directory with a hash tree */
	EXT4_INODE_HUGE_FILE = 0x40000,
	EXT4_INODE_EXTENTS = 0x80000,
	EXT4_INODE_VERITY = 0x100000,
	EXT4_INODE_EA_INODE = 0x200000,
	EXT4_INODE_INLINE_DATA = 0x10000000,
	EXT4_INODE_CASEFOLD = 0x40000000,
};

#define EXT4_OLD_INODE_BYTES 128
#define EXT4_MAP_BYTES       60

struct ext4_raw_inode {
	uint16_t mode, uid_lo;
	uint32_t size_lo, atime, ctime, mtime, dtime;
	uint16_t gid_lo, links;
	uint32_t blocks_lo, flags, version_lo;
	uint8_t map[EXT4_MAP_BYTES]; /* root of the extents, device number, or short link */
	uint32_t generation, xattr_lo, size_hi, fragment;
	uint16_t blocks_hi, xattr_hi, uid_hi, gid_hi, checksum_lo, reserved;
	/* Beyond 128 bytes: the first extra_bytes of what follows are there. */
	uint16_t extra_bytes, checksum_hi;
	uint32_t ctime_extra, mtime_extra, atime_extra, birth_time, birth_time_extra;
	uint32_t version_hi, project;
};

_Static_assert(sizeof(struct ext4_raw_inode) == 160, "inode");
_Static_assert(offsetof(struct ext4_raw_inode, checksum_lo) == 0x7c, "inode");

/* ---- extents ------------------------------------------------------------- */

#define EXT4_EXTENT_MAGIC         0xf30a
#define EXT4_EXTENT_MOST_BLOCKS   32768 /* written; 32767 unwritten */
#define EXT4_EXTENT_DEEPEST       5
#define EXT4_EXTENT_UNWRITTEN_BIT 32768 /* lengths above it: unwritten, minus it */

struct ext4_extent_header {
	uint16_t magic, entries, most, depth;
	uint32_t generation;
};

struct ext4_extent {
	uint32_t logical;
	uint16_t length, start_hi;
	uint32_t start_lo;
};

struct ext4_extent_index {
	uint32_t logical, child_lo;
	uint16_t child_hi, unused;
};

_Static_assert(sizeof(struct ext4_extent_header) == 12, "extent header");
_Static_assert(sizeof(struct ext4_extent) == 12, "extent");
_Static_assert(sizeof(struct ext4_extent_index) == 12, "extent index");

/* ---- directories ---------------------------------------------------------- */

enum ext4_file_type {
	EXT4_TYPE_UNKNOWN,
	EXT4_TYPE_REGULAR,
	EXT4_TYPE_DIRECTORY,
	EXT4_TYPE_CHARACTER,
	EXT4_TYPE_BLOCK,
	EXT4_TYPE_FIFO,
	EXT4_TYPE_SOCKET,
	EXT4_TYPE_LINK,
	EXT4_TYPE_CHECKSUM = 0xde, /* of the entry that holds a block's checksum */
};

#define EXT4_NAME_MOST  255
#define EXT4_LINKS_MOST 65000

struct ext4_directory_entry {
	uint32_t inode; /* 0: free */
	uint16_t bytes;
	uint8_t name_length, type;
	char name[];
};

/* The last entry of a block when there are checksums. */
struct ext4_directory_tail {
	uint32_t zero;
	uint16_t bytes;
	uint8_t zero_length, type;
	uint32_t checksum;
};

_Static_assert(sizeof(struct ext4_directory_entry) == 8, "directory entry");
_Static_assert(sizeof(struct ext4_directory_tail) == 12, "directory tail");

enum ext4_hash_version {
	EXT4_HASH_LEGACY,
	EXT4_HASH_HALF_MD4,
	EXT4_HASH_TEA,
	EXT4_HASH_LEGACY_UNSIGNED,
	EXT4_HASH_HALF_MD4_UNSIGNED,
	EXT4_HASH_TEA_UNSIGNED,
};

/* The hash tree's root begins with the entries "." and ".."; then: */
#define EXT4_INDEX_INFO_OFFSET 24
#define EXT4_INDEX_ROOT_OFFSET 32 /* of its entries */
#define EXT4_INDEX_NODE_OFFSET 8  /* of other nodes' entries, after one free entry */

struct ext4_index_info {
	uint32_t reserved;
	uint8_t hash_version, info_bytes, levels, flags;
};

/* The first entry has a count and limit in place of the hash. */
struct ext4_index_entry {
	uint32_t hash, block;
};

struct ext4_index_count {
	uint16_t limit, count;
	uint32_t block;
};

struct ext4_index_tail {
	uint32_t reserved, checksum;
};

/* ---- extended attributes --------------------------------------------------- */

#define EXT4_XATTR_MAGIC 0xea020000u

struct ext4_xattr_header {
	uint32_t magic, references, blocks, hash, checksum, reserved[3];
};

struct ext4_xattr_entry {
	uint8_t name_length, name_index;
	uint16_t value_offset;
	uint32_t value_inode, value_bytes, hash;
	char name[];
};

_Static_assert(sizeof(struct ext4_xattr_header) == 32, "xattr header");
_Static_assert(sizeof(struct ext4_xattr_entry) == 16, "xattr entry");

#endif
