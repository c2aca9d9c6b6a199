/*
 * ext4 volumes for host unit tests: made by mke2fs and checked by e2fsck in a temporary file,
 * used in memory by kernel/fs/ext4/; a small layer for files as the page cache would be.
 */
#ifndef ARCH_HOST_FAKE_VOLUME_H
#define ARCH_HOST_FAKE_VOLUME_H

#include "arch/host/fake_block.h"
#include "kernel/fs/ext4/volume.h"

struct fake_volume {
	struct fake_block block;
	struct ext4 *fs;
	struct ext4_inode *inodes[65536]; /* in use, by number */
};

/* An image of `bytes`, malloc'ed; `options` are mke2fs's. NULL: there is no mke2fs. */
uint8_t *fake_volume_make(uint64_t bytes, const char *options);
/* e2fsck -fn; its output goes to stderr if it finds something. */
bool fake_volume_check(const uint8_t *image, uint64_t bytes);

/* e2fsck -fy: replays the journal. False if there was more to repair than that. */
bool fake_volume_repair(uint8_t *image, uint64_t bytes);

/* Mounts; the image is taken. */
int fake_volume_open(struct fake_volume *volume, uint8_t *image, uint64_t bytes);
/* Unmounts and gives the image back. */
uint8_t *fake_volume_close(struct fake_volume *volume, int *error);
/* As if the machine had stopped. */
void fake_volume_stop(struct fake_volume *volume);

/* The inode, loaded once; NULL on errors. */
struct ext4_inode *fake_volume_inode(struct fake_volume *volume, uint32_t number);
/* It lost its last link: frees it. */
int fake_volume_delete(struct fake_volume *volume, struct ext4_inode *inode);
struct ext4_inode *fake_volume_lookup(
	struct fake_volume *volume, struct ext4_inode *directory, const char *name);
/* Writes as write-back does, block by block or more at once. */
int fake_volume_write(struct ext4_inode *inode, uint64_t offset, const void *data, size_t bytes);
int fake_volume_read(struct ext4_inode *inode, uint64_t offset, void *data, size_t bytes);

#endif
