/* See test_mount.h. */
#include "arch/host/test_mount.h"

#include <stdlib.h>

#include "kernel/fs/vfs.h"
#include "abi/linux/fcntl.h"

const unsigned test_mount_modes = 07777;
const bool test_mount_is_whole = true;
const bool test_mount_counts_blocks = true;

void test_mount_start(const char *path)
{
	if (vfs_mkdir(LINUX_AT_FDCWD, path, 0755) != 0)
		abort();
}

void test_mount_finish(void)
{
}

void test_mount_shake(unsigned random)
{
	(void)random;
}
