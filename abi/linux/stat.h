/* struct stat of Linux on x86-64 (stat(2), arch/x86/include/uapi/asm/stat.h). */
#ifndef ABI_LINUX_STAT_H
#define ABI_LINUX_STAT_H

#include <stdint.h>

struct linux_timespec {
	int64_t seconds;
	int64_t nanoseconds;
};

struct linux_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t size, block_bytes, blocks; /* blocks of 512 bytes */
	struct linux_timespec atime, mtime, ctime;
	int64_t reserved[3];
};

enum linux_mode {
	LINUX_S_IFMT = 0170000,
	LINUX_S_IFSOCK = 0140000,
	LINUX_S_IFLNK = 0120000,
	LINUX_S_IFREG = 0100000,
	LINUX_S_IFBLK = 0060000,
	LINUX_S_IFDIR = 0040000,
	LINUX_S_IFCHR = 0020000,
	LINUX_S_IFIFO = 0010000,
	LINUX_S_ISUID = 04000,
	LINUX_S_ISGID = 02000,
	LINUX_S_ISVTX = 01000,
};

_Static_assert(sizeof(struct linux_stat) == 144, "Linux layout");

#endif
