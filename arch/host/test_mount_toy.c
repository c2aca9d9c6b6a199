/* See test_mount.h. */
#include "arch/host/test_mount.h"

#include "arch/host/toy_storage.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"

#define BLOCKS 100000

const unsigned test_mount_modes = 07777;
const bool test_mount_is_whole = true;
const bool test_mount_counts_blocks = false;

void test_mount_start(const char *path)
{
	toy_storage_start(path, BLOCKS);
	toy_storage_attend_sleep();
}

void test_mount_finish(void)
{
	toy_storage_finish();
}

void test_mount_shake(unsigned random)
{
	toy_storage.defer = random & 1;
	switch (random >> 1 & 15) {
	case 0:
		toy_storage_forget_cached();
		break;
	case 1:
		vfs_sync(NULL, random & 64);
		break;
	case 2:
		write_back_old(UINT64_MAX);
		break;
	case 3:
		reclaim_pages(random % 50);
		break;
	case 4:
		tree_forget_names(random % 20);
		break;
	case 5:
		toy_storage_complete();
		break;
	default:
		break;
	}
}
