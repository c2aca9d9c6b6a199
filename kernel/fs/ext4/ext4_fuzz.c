/*
 * Damaged volumes: a small image of mke2fs with bytes changed where the input says, checksums
 * off so that changes get through, then mounted and used in all ways. Must neither crash nor
 * hang. The input: fours of a place (3 bytes, in blocks that are in use) and a byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_memory.h"
#include "arch/host/fake_threads.h"
#include "arch/host/fake_volume.h"
#include "kernel/mm/heap.h"

#define IMAGE_BYTES (4ull << 20)
#define MOST_OPS    200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct fake_volume volume;
static uint8_t *pristine;
static uint32_t used[4096]; /* blocks of 1 KiB that are not zero */
static uint32_t used_count;

/* What mke2fs does not make: a hash tree, a deep tree of extents, attributes. */
static void add_own(void)
{
	struct ext4_new what = {.mode = LINUX_S_IFDIR | 0700};
	struct ext4_inode directory, inode, *root;
	char name[32], value[400] = {1};
	int error;

	if (fake_volume_open(&volume, pristine, IMAGE_BYTES))
		abort();
	root = fake_volume_inode(&volume, EXT4_ROOT_INODE);
	if (ext4_create(root, "index", 5, &what, &directory))
		abort();
	what.mode = LINUX_S_IFREG | 0600;
	for (int i = 0; i < 60; i++) {
		int length = snprintf(name, sizeof(name), "a-name-in-an-index-%d", i);

		if (ext4_create(&directory, name, (size_t)length, &what, &inode))
			abort();
		if (i == 0)
			for (uint64_t at = 0; at < 40; at++)
				if (fake_volume_write(&inode, at * 4096, "x", 1))
					abort();
		if (i == 1 && ext4_set_xattr(&inode, "user.large", value, sizeof(value), 0))
			abort();
		inode_unload(&inode);
	}
	inode_unload(&directory);
	pristine = fake_volume_close(&volume, &error);
	if (error)
		abort();
}

static void prepare(void)
{
	static const uint8_t zeroes[1024];
	char tree[] = "/tmp/burrow-ext4-XXXXXX", command[512];

	snprintf(command, sizeof(command),
		"cd %s && mkdir -p d/e && for i in $(seq 100); do echo $i >d/name-$i; done && "
		"ln -s d link && ln d/name-1 hard && truncate -s 300K sparse && "
		"for i in 1 3 5 7 9 11 13; do "
		"echo x | dd of=sparse bs=8K seek=$i conv=notrunc 2>/dev/null; done",
		mkdtemp(tree));
	if (system(command) != 0)
		abort();
	snprintf(command, sizeof(command),
		"-b 1024 -O ^metadata_csum,^resize_inode -J size=1 -N 256 -d %s", tree);
	pristine = fake_volume_make(IMAGE_BYTES, command);
	if (!pristine)
		abort();
	snprintf(command, sizeof(command), "rm -rf %s", tree);
	if (system(command) != 0)
		abort();
	fake_threads_reset();
	fake_memory_start(1 << 20, 64 << 20, true);
	add_own();
	for (uint32_t block = 0; block < IMAGE_BYTES / 1024; block++)
		if (memcmp(pristine + block * 1024ul, zeroes, 1024) != 0)
			used[used_count++] = block;
}

static void damage(uint8_t *image, const uint8_t *data, size_t bytes)
{
	for (; bytes >= 4; data += 4, bytes -= 4) {
		uint32_t block = used[(data[0] | (uint32_t)(data[1] & 15) << 8) % used_count];

		image[block * 1024ul + (data[2] | (uint32_t)(data[1] >> 6) << 8)] = data[3];
	}
}

static void use_file(struct ext4_inode *inode)
{
	static uint8_t contents[8192];
	char value[256];

	for (uint64_t at = 0; at < 64; at++)
		(void)fake_volume_read(inode, at * 8192, contents, 16);
	(void)fake_volume_write(inode, 5000, "some new contents", 17);
	(void)ext4_seek(inode, inode->size, 0, false);
	(void)ext4_list_xattrs(inode, value, sizeof(value));
	(void)ext4_set_xattr(inode, "user.a", "value", 5, 0);
	(void)ext4_allocate(inode, 20000, 30000, true);
	(void)ext4_punch(inode, 8192, 16384);
	(void)ext4_set_size(inode, 3000);
}

static void use_directory(struct ext4_inode *directory, int depth, int *ops);

static void use_name(
	struct ext4_inode *directory, const char *name, size_t length, int depth, int *ops)
{
	struct ext4_inode *inode;
	char text[1024];
	uint32_t number;

	if (++*ops > MOST_OPS || ext4_lookup(directory, name, length, &number))
		return;
	inode = number < 11 ? NULL : fake_volume_inode(&volume, number);
	if (!inode || inode == directory)
		return;
	switch (inode->mode & LINUX_S_IFMT) {
	case LINUX_S_IFDIR:
		if (depth < 3)
			use_directory(inode, depth + 1, ops);
		break;
	case LINUX_S_IFLNK:
		(void)ext4_read_link(inode, text, sizeof(text));
		break;
	case LINUX_S_IFREG:
		use_file(inode);
		break;
	default:
		break;
	}
	if (*ops % 3 == 0 && ext4_unlink(directory, name, length, inode) == 0 && inode->links == 0)
		if (fake_volume_delete(&volume, inode))
			volume.fs->orphans = NULL;
}

static void use_directory(struct ext4_inode *directory, int depth, int *ops)
{
	struct ext4_name_batch *batch = malloc(sizeof(*batch));
	struct ext4_new what = {.mode = LINUX_S_IFREG | 0600};
	struct ext4_inode created;
	uint64_t position = 2;
	char name[16];

	memset(batch, 0, sizeof(*batch));
	for (int i = 0; i < 30; i++) {
		mutex_lock(&volume.fs->lock);
		int error = directory_read_batch(directory, position, batch);
		mutex_unlock(&volume.fs->lock);
		if (error)
			break;
		for (uint32_t j = 0; j < batch->count; j++)
			use_name(directory, batch->names[j].entry->name,
				batch->names[j].entry->name_length, depth, ops);
		position = batch->next;
		if (batch->is_last)
			break;
	}
	free(batch);
	for (int i = 0; i < 8; i++) {
		int length = snprintf(name, sizeof(name), "new%d", i);

		if (ext4_create(directory, name, (size_t)length, &what, &created) == 0)
			inode_unload(&created);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct ext4_inode *root;
	uint8_t *image;
	int ops = 0, error;

	if (!pristine)
		prepare();
	image = malloc(IMAGE_BYTES);
	memcpy(image, pristine, IMAGE_BYTES);
	damage(image, data, bytes);
	if (fake_volume_open(&volume, image, IMAGE_BYTES)) {
		fake_block_destroy(&volume.block);
	} else {
		root = fake_volume_inode(&volume, EXT4_ROOT_INODE);
		if (root && inode_is_directory(root))
			use_directory(root, 0, &ops);
		(void)ext4_sync(volume.fs);
		free(fake_volume_close(&volume, &error));
	}
	if (heap_live_count() != 0)
		abort();
	return 0;
}
