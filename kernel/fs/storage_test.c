/*
 * The VFS on a toy file system on storage: what reaches storage and when, errors, space,
 * mappings, reclaim.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "arch/host/fake_threads.h"
#include "arch/host/fake_tree.h"
#include "arch/host/toy_storage.h"
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"
#include "kernel/syscall/prototypes.h"
#include "lib/test.h"

TEST_DEFINE_MAIN

#define BLOCKS 4096

static uint8_t buffer[1 << 20] __attribute__((aligned(4096)));

static uint64_t word(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static uint64_t text(const char *string)
{
	static char copies[4][4096];
	static unsigned next;

	next = (next + 1) % ARRAY_SIZE(copies);
	return word(strcpy(copies[next], string));
}

static void start(uint64_t memory_bytes)
{
	fake_tree_start(memory_bytes);
	toy_storage_start("/data", BLOCKS);
	toy_storage_attend_sleep();
}

static void finish(void)
{
	fd_close_range(0, UINT32_MAX, false);
	toy_storage_finish();
	fake_tree_finish();
}

static uint64_t open_file(const char *path, int flags)
{
	long fd = sys_open(text(path), (uint64_t)flags, 0644);

	CHECK(fd >= 0);
	return (uint64_t)fd;
}

static void fill(uint64_t seed, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buffer[i] = (uint8_t)(seed + i / 3 + i / 4096);
}

static void check_filled(uint64_t seed, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(buffer[i] == (uint8_t)(seed + i / 3 + i / 4096));
}

TEST(nothing_is_written_before_it_is_old)
{
	uint64_t fd, written;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	fill(1, 10000);
	CHECK_EQUAL(sys_write(fd, word(buffer), 10000), 10000);
	CHECK_EQUAL(toy_storage.writes, 0);
	CHECK_EQUAL(storage_page_counts.dirty, 3);
	write_back_old(fake_now_ns); /* what was dirty before now */
	CHECK_EQUAL(toy_storage.writes, 0);
	fake_now_ns += 10000000000;
	write_back_old(fake_now_ns);
	CHECK_EQUAL(toy_storage.writes, 1); /* one transfer of three pages */
	CHECK_EQUAL(toy_storage.written_pages, 3);
	CHECK_EQUAL(storage_page_counts.dirty, 0);
	written = toy_storage.attribute_writes;
	CHECK(written > 0);
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK_EQUAL(toy_storage.written_pages, 3);
	CHECK_EQUAL(toy_storage.attribute_writes, written);
	finish();
}

TEST(fdatasync_leaves_times_alone)
{
	uint64_t fd, before;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	CHECK_EQUAL(sys_write(fd, word(buffer), 4096), 4096);
	CHECK_EQUAL(sys_fsync(fd), 0);
	before = toy_storage.attribute_writes;
	usleep(5000); /* times move in ticks of 4 ms */
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 100, 0), 100);
	CHECK_EQUAL(sys_fdatasync(fd), 0);
	CHECK_EQUAL(toy_storage.attribute_writes, before);
	CHECK_EQUAL(toy_storage.written_pages, 2);
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK_EQUAL(toy_storage.attribute_writes, before + 1);
	finish();
}

TEST(writes_with_o_dsync_are_on_storage)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT | O_DSYNC);
	CHECK_EQUAL(sys_write(fd, word(buffer), 5000), 5000);
	CHECK_EQUAL(toy_storage.written_pages, 2);
	CHECK(toy_storage.syncs > 0);
	finish();
}

TEST(each_open_file_is_told_of_an_error_once)
{
	uint64_t a, b, later;

	start(64 << 20);
	a = open_file("/data/a", O_RDWR | O_CREAT);
	b = open_file("/data/a", O_RDWR);
	CHECK_EQUAL(sys_write(a, word(buffer), 4096), 4096);
	toy_storage.write_error = -EIO;
	toy_storage.failing_writes = 1;
	fake_now_ns += 10000000000;
	write_back_old(fake_now_ns);
	later = open_file("/data/a", O_RDWR);
	CHECK_EQUAL(sys_fsync(a), -EIO);
	CHECK_EQUAL(sys_fsync(a), 0);
	CHECK_EQUAL(sys_fsync(b), -EIO);
	CHECK_EQUAL(sys_fsync(b), 0);
	CHECK_EQUAL(sys_fsync(later), 0);
	/* One that happens during fsync, too. */
	CHECK_EQUAL(sys_pwrite64(a, word(buffer), 4096, 0), 4096);
	toy_storage.failing_writes = 1;
	CHECK_EQUAL(sys_fsync(a), -EIO);
	CHECK_EQUAL(sys_fsync(a), 0);
	CHECK_EQUAL(sys_fsync(b), -EIO);
	finish();
}

TEST(writes_short_of_memory_are_tried_again)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	fill(9, 8192);
	CHECK_EQUAL(sys_write(fd, word(buffer), 8192), 8192);
	toy_storage.write_error = -ENOMEM;
	toy_storage.failing_writes = 1;
	fake_now_ns += 10000000000;
	write_back_old(fake_now_ns);
	CHECK_EQUAL(storage_page_counts.dirty, 2);
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK_EQUAL(storage_page_counts.dirty, 0);
	toy_storage_forget_cached();
	CHECK_EQUAL(sys_pread64(fd, word(buffer), 8192, 0), 8192);
	check_filled(9, 8192);
	finish();
}

TEST(read_errors_reach_the_reader)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	fill(3, 8192);
	CHECK_EQUAL(sys_write(fd, word(buffer), 8192), 8192);
	toy_storage_forget_cached();
	CHECK_EQUAL(storage_page_counts.cached, 0);
	toy_storage.read_error = -EIO;
	toy_storage.failing_reads = 1;
	CHECK_EQUAL(sys_pread64(fd, word(buffer), 8192, 0), -EIO);
	CHECK_EQUAL(sys_pread64(fd, word(buffer), 8192, 0), 8192);
	check_filled(3, 8192);
	finish();
}

TEST(a_full_volume_refuses_at_write)
{
	uint64_t fd;
	long total = 0, result;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	while ((result = sys_write(fd, word(buffer), 100000)) > 0)
		total += result;
	CHECK_EQUAL(result, -ENOSPC);
	CHECK_EQUAL(total, BLOCKS * 4096);
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 4096, 0), 4096); /* it has its block */
	CHECK_EQUAL(sys_ftruncate(fd, 4096), 0);
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 4096, 8192), 4096);
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK_EQUAL(toy_storage.used_blocks, 2);
	finish();
}

TEST(unlinked_files_are_not_written)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	CHECK_EQUAL(sys_write(fd, word(buffer), 100000), 100000);
	CHECK_EQUAL(sys_unlink(text("/data/a")), 0);
	CHECK_EQUAL(sys_close(fd), 0);
	CHECK_EQUAL(storage_page_counts.cached, 0);
	CHECK_EQUAL(toy_storage.reserved_blocks, 0);
	fd = open_file("/data", O_RDWR | O_TMPFILE);
	CHECK_EQUAL(sys_write(fd, word(buffer), 4096), 4096);
	CHECK_EQUAL(sys_close(fd), 0);
	CHECK_EQUAL(sys_sync(), 0);
	CHECK_EQUAL(toy_storage.writes, 0);
	finish();
}

TEST(sequential_reading_takes_few_transfers)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	for (int i = 0; i < 8; i++) {
		fill((uint64_t)i, sizeof(buffer));
		CHECK_EQUAL(sys_write(fd, word(buffer), sizeof(buffer)), sizeof(buffer));
	}
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK(toy_storage.writes <= 8);
	toy_storage_forget_cached();
	CHECK_EQUAL(sys_lseek(fd, 0, SEEK_SET), 0);
	toy_storage.defer = true;
	for (int i = 0; i < 2048; i++)
		CHECK_EQUAL(sys_read(fd, word(buffer), 4096), 4096);
	CHECK_EQUAL(toy_storage.read_pages, 2048);
	CHECK(toy_storage.reads < 40);
	/* Here and there: no more than is asked for. */
	toy_storage_complete();
	toy_storage_forget_cached();
	toy_storage.reads = toy_storage.read_pages = 0;
	for (int i = 0; i < 10; i++)
		CHECK_EQUAL(sys_pread64(fd, word(buffer), 4096, (uint64_t)(i * 397 % 1000) * 8192),
			4096);
	CHECK(toy_storage.read_pages <= 20 + 64);
	finish();
}

TEST(files_larger_than_memory)
{
	uint64_t fd;

	start(6 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	for (int i = 0; i < 12; i++) {
		fill((uint64_t)i, sizeof(buffer));
		CHECK_EQUAL(sys_write(fd, word(buffer), sizeof(buffer)), sizeof(buffer));
	}
	for (int i = 0; i < 12; i++) {
		CHECK_EQUAL(sys_pread64(fd, word(buffer), sizeof(buffer), (uint64_t)i << 20),
			sizeof(buffer));
		check_filled((uint64_t)i, sizeof(buffer));
	}
	finish();
}

TEST(direct_io_passes_the_cache)
{
	uint64_t fd, plain;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT | O_DIRECT);
	plain = open_file("/data/a", O_RDWR);
	fill(5, 65536);
	CHECK_EQUAL(sys_write(fd, word(buffer), 65536), 65536);
	CHECK_EQUAL(storage_page_counts.cached, 0);
	CHECK_EQUAL(toy_storage.written_pages, 16);
	memset(buffer, 0, 65536);
	CHECK_EQUAL(sys_pread64(fd, word(buffer), 65536, 0), 65536);
	check_filled(5, 65536);
	CHECK_EQUAL(storage_page_counts.cached, 0);
	/* It sees what is dirty in the cache, and the cache sees what it wrote. */
	memset(buffer, 0xaa, 4096);
	CHECK_EQUAL(sys_pwrite64(plain, word(buffer), 4096, 4096), 4096);
	CHECK_EQUAL(sys_pread64(fd, word(buffer + 4096), 4096, 4096), 4096);
	CHECK(memcmp(buffer, buffer + 4096, 4096) == 0);
	memset(buffer, 0xbb, 4096);
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 4096, 4096), 4096);
	CHECK_EQUAL(sys_pread64(plain, word(buffer + 4096), 4096, 4096), 4096);
	CHECK(memcmp(buffer, buffer + 4096, 4096) == 0);
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 512, 512), 512);
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 512, 100), -EINVAL);
	CHECK_EQUAL(sys_pwrite64(fd, word(buffer), 100, 512), -EINVAL);
	CHECK_EQUAL(sys_pread64(fd, word(buffer + 1), 512, 0), 512);
	finish();
}

TEST(mappings_are_written_back)
{
	struct storage_node *node;
	struct page_source *source;
	struct file *file;
	struct phys page;
	bool read_only;
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	CHECK_EQUAL(sys_ftruncate(fd, 10000), 0);
	file = fd_get((int)fd);
	node = storage_node_of(file->vnode);
	source = file->ops->page_source(file);
	CHECK_EQUAL(source->ops->get_page(source, 4096, false, &page, &read_only), 0);
	CHECK_EQUAL(node->dirty, 0);
	CHECK_EQUAL(source->ops->get_page(source, 4096, true, &page, &read_only), 0);
	source->ops->mark_dirty(source, 4096);
	memset(platform_phys_to_virt(page), 0x77, 4096);
	CHECK_EQUAL(node->dirty, 1);
	CHECK_EQUAL(source->ops->sync(source, 4096, 4096), 0);
	CHECK_EQUAL(toy_storage.written_pages, 1);
	CHECK_EQUAL(source->ops->get_page(source, 12288, true, &page, &read_only), -EFAULT);
	/* What is left beyond the end does not come back. */
	CHECK_EQUAL(source->ops->get_page(source, 8192, true, &page, &read_only), 0);
	memset(platform_phys_to_virt(page), 0x77, 4096);
	CHECK_EQUAL(sys_fsync(fd), 0);
	toy_storage_forget_cached();
	CHECK_EQUAL(sys_ftruncate(fd, 12288), 0);
	CHECK_EQUAL(sys_pread64(fd, word(buffer), 4096, 8192), 4096);
	CHECK(buffer[0] == 0x77 && buffer[10000 - 8192 - 1] == 0x77);
	CHECK(buffer[10000 - 8192] == 0 && buffer[4095] == 0);
	file_release(file);
	finish();
}

TEST(mounts_stay_where_they_are)
{
	char name[64];

	start(64 << 20);
	CHECK_EQUAL(sys_mkdir(text("/data/d"), 0755), 0);
	CHECK_EQUAL(sys_mkdir(text("/other"), 0755), 0);
	CHECK_EQUAL(sys_rmdir(text("/data")), -EBUSY);
	CHECK_EQUAL(sys_rename(text("/data"), text("/elsewhere")), -EBUSY);
	CHECK_EQUAL(sys_rename(text("/data/d"), text("/other/d")), -EXDEV);
	CHECK_EQUAL(sys_link(text("/data/d"), text("/other/d")), -EXDEV);
	CHECK_EQUAL(sys_chdir(text("/data/d")), 0);
	CHECK_EQUAL(sys_getcwd(word(name), sizeof(name)), 8);
	CHECK(strcmp(name, "/data/d") == 0);
	CHECK_EQUAL(sys_chdir(text("../..")), 0);
	CHECK_EQUAL(sys_getcwd(word(name), sizeof(name)), 2);
	CHECK_EQUAL(sys_rmdir(text("/data/d")), 0);
	finish();
}

TEST(read_only_file_systems_refuse_changes)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	CHECK_EQUAL(sys_mkdir(text("/data/d"), 0755), 0);
	CHECK_EQUAL(sys_close(fd), 0);
	CHECK_EQUAL(sys_sync(), 0);
	toy_storage.fs.read_only = true;
	CHECK_EQUAL(sys_open(text("/data/a"), O_RDWR, 0), -EROFS);
	CHECK_EQUAL(sys_open(text("/data/b"), O_RDWR | O_CREAT, 0644), -EROFS);
	CHECK_EQUAL(sys_open(text("/data/a"), O_RDONLY | O_TRUNC, 0), -EROFS);
	CHECK_EQUAL(sys_mkdir(text("/data/a"), 0755), -EEXIST);
	CHECK_EQUAL(sys_mkdir(text("/data/b"), 0755), -EROFS);
	CHECK_EQUAL(sys_rmdir(text("/data/d")), -EROFS);
	CHECK_EQUAL(sys_unlink(text("/data/a")), -EROFS);
	CHECK_EQUAL(sys_rename(text("/data/a"), text("/data/b")), -EROFS);
	CHECK_EQUAL(sys_link(text("/data/a"), text("/data/b")), -EROFS);
	CHECK_EQUAL(sys_chmod(text("/data/a"), 0600), -EROFS);
	CHECK_EQUAL(sys_truncate(text("/data/a"), 0), -EROFS);
	CHECK_EQUAL(sys_access(text("/data/a"), 2), -EROFS);
	toy_storage.fs.read_only = false;
	finish();
}

TEST(names_are_asked_again_when_they_may_have_changed)
{
	struct vnode *directory;
	struct resolved where;
	uint64_t lookups;

	start(64 << 20);
	CHECK_EQUAL(sys_mkdir(text("/data/d"), 0755), 0);
	CHECK_EQUAL(path_resolve(LINUX_AT_FDCWD, "/data", 0, 0, &where), 0);
	directory = where.entry->vnode;
	lookups = toy_storage.lookups;
	CHECK_EQUAL(sys_access(text("/data/d"), 0), 0);
	CHECK_EQUAL(sys_access(text("/data/none"), 0), -ENOENT);
	CHECK_EQUAL(sys_access(text("/data/none"), 0), -ENOENT);
	CHECK_EQUAL(toy_storage.lookups, lookups + 1); /* the second is known to be missing */
	storage_forget_name(directory, "d", 1);
	CHECK_EQUAL(sys_access(text("/data/d"), 0), 0);
	CHECK_EQUAL(toy_storage.lookups, lookups + 2);
	toy_storage.fs.entry_timeout_ns = 1000;
	toy_storage.fs.negative_timeout_ns = 0;
	storage_forget_name(directory, "d", 1);
	CHECK_EQUAL(sys_access(text("/data/d"), 0), 0);
	CHECK_EQUAL(sys_access(text("/data/d"), 0), 0);
	CHECK_EQUAL(toy_storage.lookups, lookups + 3);
	fake_now_ns += 2000;
	CHECK_EQUAL(sys_access(text("/data/d"), 0), 0);
	CHECK_EQUAL(toy_storage.lookups, lookups + 4);
	resolved_release(&where);
	finish();
}

TEST(dont_need_forgets_and_will_need_reads)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	CHECK_EQUAL(sys_write(fd, word(buffer), 65536), 65536);
	CHECK_EQUAL(sys_fadvise64(fd, 0, 0, 4), 0);
	CHECK_EQUAL(storage_page_counts.cached, 0);
	CHECK_EQUAL(toy_storage.written_pages, 16);
	CHECK_EQUAL(sys_fadvise64(fd, 0, 32768, 3), 0);
	CHECK(storage_page_counts.cached >= 8);
	CHECK_EQUAL(sys_readahead(fd, 0, 65536), 0);
	CHECK_EQUAL(storage_page_counts.cached, 16);
	CHECK_EQUAL(sys_sync_file_range(fd, 0, 0, 7), 0);
	finish();
}

TEST(tail_beyond_the_end_is_zero_after_growing)
{
	uint64_t fd;

	start(64 << 20);
	fd = open_file("/data/a", O_RDWR | O_CREAT);
	memset(buffer, 0xff, 8192);
	CHECK_EQUAL(sys_write(fd, word(buffer), 8000), 8000);
	CHECK_EQUAL(sys_fsync(fd), 0);
	CHECK_EQUAL(sys_ftruncate(fd, 5000), 0);
	CHECK_EQUAL(sys_ftruncate(fd, 8000), 0);
	toy_storage_forget_cached();
	CHECK_EQUAL(sys_pread64(fd, word(buffer), 8192, 0), 8000);
	CHECK(buffer[4999] == 0xff && buffer[5000] == 0 && buffer[7999] == 0);
	finish();
}
