/* See fake_volume.h. */
#include "arch/host/fake_volume.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/mm/heap.h"

#define IMAGE_NAME_BYTES 64

/* No threads in tests: commits come from whoever needs them. */
int journal_start_thread(struct ext4 *fs)
{
	(void)fs;
	return 0;
}

void journal_stop_thread(struct ext4 *fs)
{
	(void)fs;
}

void journal_wake_thread(struct ext4 *fs)
{
	(void)fs;
}

static void temporary(char name[IMAGE_NAME_BYTES])
{
	const char *directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	int fd;

	snprintf(name, IMAGE_NAME_BYTES, "%s/burrow-ext4-XXXXXX", directory);
	fd = mkstemp(name);
	if (fd < 0)
		abort();
	close(fd);
}

static bool transfer(const char *name, uint8_t *image, uint64_t bytes, bool is_write)
{
	int fd = open(name, is_write ? O_WRONLY | O_TRUNC : O_RDONLY);
	ssize_t moved = -1;

	if (fd < 0)
		return false;
	for (uint64_t at = 0; at < bytes; at += (uint64_t)moved) {
		moved = is_write ? write(fd, image + at, bytes - at)
				 : read(fd, image + at, bytes - at);
		if (moved <= 0)
			break;
	}
	close(fd);
	return moved > 0;
}

uint8_t *fake_volume_make(uint64_t bytes, const char *options)
{
	char name[IMAGE_NAME_BYTES], command[512];
	uint8_t *image = NULL;

	temporary(name);
	snprintf(command, sizeof(command),
		"PATH=$PATH:/sbin:/usr/sbin; truncate -s %llu %s && mke2fs -q -F -t ext4 %s %s "
		">/dev/null 2>&1",
		(unsigned long long)bytes, name, options, name);
	if (system(command) == 0) {
		image = malloc(bytes);
		if (!transfer(name, image, bytes, false))
			abort();
	}
	unlink(name);
	return image;
}

/* Runs e2fsck with `options`; true if its status is one of `good` (bits). */
static bool run_e2fsck(uint8_t *image, uint64_t bytes, const char *options, int good, bool back)
{
	char name[IMAGE_NAME_BYTES], command[512];
	int status;

	temporary(name);
	if (!transfer(name, image, bytes, true))
		abort();
	snprintf(command, sizeof(command),
		"PATH=$PATH:/sbin:/usr/sbin; e2fsck %s %s >%s.log 2>&1; status=$?; "
		"[ $((status & ~%d)) = 0 ] || { cat %s.log >&2; exit 1; }",
		options, name, name, good, name);
	status = system(command);
	if (back && !transfer(name, image, bytes, false))
		abort();
	if (status != 0 && getenv("KEEP_IMAGE"))
		fprintf(stderr, "kept: %s\n", name);
	else
		unlink(name);
	strcat(name, ".log");
	unlink(name);
	return status == 0;
}

bool fake_volume_check(const uint8_t *image, uint64_t bytes)
{
	return run_e2fsck((uint8_t *)(uintptr_t)image, bytes, "-fn", 0, false);
}

bool fake_volume_repair(uint8_t *image, uint64_t bytes)
{
	/* 1: something was changed, if only by the journal. */
	return run_e2fsck(image, bytes, "-fy", 1, true);
}

/* ---- mounting ------------------------------------------------------------------ */

int fake_volume_open(struct fake_volume *volume, uint8_t *image, uint64_t bytes)
{
	memset(volume, 0, sizeof(*volume));
	fake_block_init(&volume->block, image, bytes);
	return ext4_mount(&volume->block.device, false, &volume->fs);
}

static void drop_inodes(struct fake_volume *volume)
{
	for (size_t i = 0; i < ARRAY_SIZE(volume->inodes); i++)
		if (volume->inodes[i]) {
			inode_unload(volume->inodes[i]);
			free(volume->inodes[i]);
			volume->inodes[i] = NULL;
		}
}

uint8_t *fake_volume_close(struct fake_volume *volume, int *error)
{
	drop_inodes(volume);
	*error = ext4_unmount(volume->fs);
	fake_block_forget(&volume->block);
	return volume->block.image;
}

void fake_volume_stop(struct fake_volume *volume)
{
	drop_inodes(volume);
	ext4_forget(volume->fs);
	fake_block_destroy(&volume->block);
}

/* ---- inodes ---------------------------------------------------------------------- */

struct ext4_inode *fake_volume_inode(struct fake_volume *volume, uint32_t number)
{
	struct ext4_inode *inode;

	if (number >= ARRAY_SIZE(volume->inodes))
		return NULL;
	if (volume->inodes[number])
		return volume->inodes[number];
	inode = malloc(sizeof(*inode));
	if (ext4_inode_open(volume->fs, number, inode)) {
		free(inode);
		return NULL;
	}
	volume->inodes[number] = inode;
	return inode;
}

int fake_volume_delete(struct fake_volume *volume, struct ext4_inode *inode)
{
	int error = inode_delete(inode);

	volume->inodes[inode->number] = NULL;
	inode_unload(inode);
	free(inode);
	return error;
}

struct ext4_inode *fake_volume_lookup(
	struct fake_volume *volume, struct ext4_inode *directory, const char *name)
{
	uint32_t number;

	if (ext4_lookup(directory, name, strlen(name), &number))
		return NULL;
	return fake_volume_inode(volume, number);
}

/* ---- contents ----------------------------------------------------------------------- */

int fake_volume_read(struct ext4_inode *inode, uint64_t offset, void *data, size_t bytes)
{
	struct ext4 *fs = inode->fs;
	uint8_t block[4096], *to = data;

	while (bytes > 0) {
		size_t within = offset & (fs->block_bytes - 1);
		size_t here = MIN(bytes, fs->block_bytes - within);
		struct ext4_map map;
		int error = ext4_map_blocks(inode, (uint32_t)(offset >> fs->block_shift), &map);

		if (error)
			return error;
		memset(block, 0, sizeof(block));
		if (map.state == EXT4_MAP_WRITTEN)
			error = block_read(
				fs->device, map.block << fs->block_shift, block, fs->block_bytes);
		if (error)
			return error;
		memcpy(to, block + within, here);
		to += here;
		offset += here;
		bytes -= here;
	}
	return 0;
}

static int write_blocks(struct ext4_inode *inode, uint32_t first, uint32_t count,
	const uint8_t *data, uint64_t size)
{
	struct ext4 *fs = inode->fs;

	while (count > 0) {
		struct ext4_transaction *transaction;
		struct ext4_map map;
		int error = ext4_map_for_write(inode, first, count, size, &map, &transaction);

		if (error)
			return error;
		error = block_write(fs->device, map.block << fs->block_shift, data,
			(uint64_t)map.count << fs->block_shift);
		ext4_data_done(fs, transaction, error);
		if (error)
			return error;
		first += map.count;
		count -= map.count;
		data += (uint64_t)map.count << fs->block_shift;
	}
	return 0;
}

int fake_volume_write(struct ext4_inode *inode, uint64_t offset, const void *data, size_t bytes)
{
	struct ext4 *fs = inode->fs;
	uint64_t start = ALIGN_DOWN(offset, fs->block_bytes);
	uint64_t end = ALIGN_UP(offset + bytes, fs->block_bytes);
	uint8_t *whole = malloc(end - start);
	int error = fake_volume_read(inode, start, whole, end - start);

	/* What lies beyond the old end is zero, whatever the medium says. */
	if (!error && inode->size < end) {
		uint64_t from = MAX(inode->size, start);

		memset(whole + (from - start), 0, end - from);
	}
	memcpy(whole + (offset - start), data, bytes);
	if (!error)
		error = write_blocks(inode, (uint32_t)(start >> fs->block_shift),
			(uint32_t)((end - start) >> fs->block_shift), whole, offset + bytes);
	free(whole);
	return error;
}
