/*
 * The on-disk format of the journal (jbd2): all numbers big-endian.
 */
#ifndef KERNEL_FS_EXT4_JOURNAL_FORMAT_H
#define KERNEL_FS_EXT4_JOURNAL_FORMAT_H

#include "lib/compiler.h"

#define JOURNAL_MAGIC 0xc03b3998u

enum journal_block_type {
	JOURNAL_DESCRIPTOR = 1,
	JOURNAL_COMMIT = 2,
	JOURNAL_SUPER_V1 = 3,
	JOURNAL_SUPER_V2 = 4,
	JOURNAL_REVOKE = 5,
};

enum journal_feature {
	JOURNAL_COMPAT_CHECKSUM = 1,
	JOURNAL_INCOMPAT_REVOKE = 1,
	JOURNAL_INCOMPAT_64BIT = 2,
	JOURNAL_INCOMPAT_ASYNC_COMMIT = 4,
	JOURNAL_INCOMPAT_CSUM_V2 = 8,
	JOURNAL_INCOMPAT_CSUM_V3 = 16,
};

/* Offsets of 32-bit fields. Every block of the journal's own begins with these three. */
enum journal_header_field {
	JOURNAL_AT_MAGIC = 0,
	JOURNAL_AT_TYPE = 4,
	JOURNAL_AT_SEQUENCE = 8,
	JOURNAL_HEADER_BYTES = 12,
};

enum journal_super_field {
	JOURNAL_SUPER_BLOCK_BYTES = 0x0c,
	JOURNAL_SUPER_BLOCK_COUNT = 0x10,
	JOURNAL_SUPER_FIRST = 0x14,    /* block of the log */
	JOURNAL_SUPER_SEQUENCE = 0x18, /* of the first transaction expected */
	JOURNAL_SUPER_START = 0x1c,    /* where it begins; 0: the log is empty */
	JOURNAL_SUPER_ERROR = 0x20,
	JOURNAL_SUPER_COMPATIBLE = 0x24,
	JOURNAL_SUPER_INCOMPATIBLE = 0x28,
	JOURNAL_SUPER_READ_ONLY = 0x2c,
	JOURNAL_SUPER_UUID = 0x30,          /* 16 bytes */
	JOURNAL_SUPER_CHECKSUM_TYPE = 0x50, /* a byte: 4 */
	JOURNAL_SUPER_FAST_BLOCKS = 0x54,
	JOURNAL_SUPER_CHECKSUM = 0xfc,
	JOURNAL_SUPER_BYTES = 1024,
};

enum journal_tag_flag {
	JOURNAL_TAG_ESCAPED = 1,   /* the block began with the magic number, zeroed here */
	JOURNAL_TAG_SAME_UUID = 2, /* else 16 bytes of UUID follow the tag */
	JOURNAL_TAG_LAST = 8,
};

enum journal_commit_field {
	JOURNAL_COMMIT_CHECKSUM = 0x10,
	JOURNAL_COMMIT_SECONDS = 0x30, /* 64 bits */
	JOURNAL_COMMIT_NANOSECONDS = 0x38,
};

#define JOURNAL_REVOKE_COUNT 12 /* bytes in use of a revoke block; block numbers follow */
#define JOURNAL_TAIL_BYTES   4  /* a checksum at the end of descriptor and revoke blocks */

#endif
