/*
 * ext4 against a model: random operations on images of mke2fs, compared with what a simple
 * model says, and checked by e2fsck. Also large directories, fragmented and sparse files,
 * images that mke2fs filled, and refusals.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/host/fake_log.h"
#include "arch/host/fake_memory.h"
#include "arch/host/fake_threads.h"
#include "arch/host/fake_volume.h"
#include "kernel/fs/xattr.h"
#include "kernel/mm/heap.h"
#include "lib/test.h"

#define MIB (1ull << 20)

static struct fake_volume volume;
static uint32_t random_state = 1;

static uint32_t below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

static void start(void)
{
	static bool is_started;

	if (!is_started) {
		fake_threads_reset();
		fake_memory_start(MIB, 256 * MIB, true);
		is_started = true;
	}
}

static void open_volume(uint64_t bytes, const char *options)
{
	uint8_t *image;

	start();
	image = fake_volume_make(bytes, options);
	if (!image) {
		printf("skipped: no mke2fs\n");
		exit(0);
	}
	CHECK_EQUAL(fake_volume_open(&volume, image, bytes), 0);
}

/* Unmounts, checks, mounts again. */
static void check_volume(void)
{
	uint64_t bytes = volume.block.device.bytes;
	int error;
	uint8_t *image = fake_volume_close(&volume, &error);

	CHECK_EQUAL(error, 0);
	CHECK(fake_volume_check(image, bytes));
	CHECK_EQUAL(fake_volume_open(&volume, image, bytes), 0);
}

static void close_volume(void)
{
	int error;
	uint64_t bytes = volume.block.device.bytes;
	uint8_t *image = fake_volume_close(&volume, &error);

	CHECK_EQUAL(error, 0);
	CHECK(fake_volume_check(image, bytes));
	free(image);
	CHECK_EQUAL(heap_live_count(), 0);
}

static struct ext4_inode *root(void)
{
	return fake_volume_inode(&volume, EXT4_ROOT_INODE);
}

static int create(
	struct ext4_inode *directory, const char *name, uint16_t mode, struct ext4_inode **result)
{
	struct ext4_new what = {.mode = mode, .uid = 70000, .gid = 5};
	struct ext4_inode *inode = malloc(sizeof(*inode));
	int error = ext4_create(directory, name, strlen(name), &what, inode);

	if (error) {
		free(inode);
		return error;
	}
	CHECK(!volume.inodes[inode->number]);
	volume.inodes[inode->number] = inode;
	*result = inode;
	return 0;
}

static int remove_name(struct ext4_inode *directory, const char *name)
{
	struct ext4_inode *target = fake_volume_lookup(&volume, directory, name);
	int error = target ? ext4_unlink(directory, name, strlen(name), target) : -LINUX_ENOENT;

	if (!error && target->links == 0)
		error = fake_volume_delete(&volume, target);
	return error;
}

/* ---- the model ----------------------------------------------------- */

#define MODEL_FILES 64
#define MODEL_NAMES 200
#define MOST_BYTES  (600 * 1024)

struct model_file {
	bool is_used;
	uint32_t inode, links;
	uint8_t *data;
	uint64_t size;
	char xattr[600];
	size_t xattr_bytes;
};

struct model_name {
	int file; /* -1: none */
	int directory;
	char name[256];
};

static struct model_file files[MODEL_FILES];
static struct model_name names[MODEL_NAMES];
static struct ext4_inode *directories[4];

static void model_reset(void)
{
	for (int i = 0; i < MODEL_FILES; i++) {
		free(files[i].data);
		memset(&files[i], 0, sizeof(files[i]));
	}
	for (int i = 0; i < MODEL_NAMES; i++)
		names[i].file = -1;
}

static struct ext4_inode *inode_of(int file)
{
	struct ext4_inode *inode = fake_volume_inode(&volume, files[file].inode);

	CHECK(inode != NULL);
	return inode;
}

static void find_directories(void)
{
	char name[16];

	directories[0] = root();
	for (int i = 1; i < 4; i++) {
		snprintf(name, sizeof(name), "dir%d", i);
		directories[i] = fake_volume_lookup(&volume, root(), name);
		if (!directories[i])
			CHECK_EQUAL(create(root(), name, LINUX_S_IFDIR | 0755, &directories[i]), 0);
	}
}

static int pick_name(bool used)
{
	for (int tries = 0; tries < 1000; tries++) {
		int i = (int)below(MODEL_NAMES);

		if ((names[i].file >= 0) == used)
			return i;
	}
	return -1;
}

static void new_name(struct model_name *name)
{
	uint32_t length = below(8) == 0 ? 200 + below(55) : 1 + below(30);
	size_t prefix;

	name->directory = (int)below(4);
	/* The index in the table makes it unique. */
	prefix = (size_t)snprintf(name->name, sizeof(name->name), "%d_", (int)(name - names));
	for (size_t i = prefix; i < prefix + length && i < 255; i++) {
		name->name[i] = (char)(below(4) == 0 ? 128 + below(120) : 'a' + below(26));
		name->name[i + 1] = 0;
	}
}

static void op_create(void)
{
	int i = pick_name(false), file = 0;
	struct ext4_inode *inode;

	while (file < MODEL_FILES && files[file].is_used)
		file++;
	if (i < 0 || file == MODEL_FILES)
		return;
	new_name(&names[i]);
	if (create(directories[names[i].directory], names[i].name, LINUX_S_IFREG | 0640, &inode))
		return;
	names[i].file = file;
	files[file].is_used = true;
	files[file].links = 1;
	files[file].inode = inode->number;
	files[file].data = calloc(1, MOST_BYTES);
}

static void drop(int file)
{
	if (--files[file].links > 0)
		return;
	free(files[file].data);
	memset(&files[file], 0, sizeof(files[file]));
}

static void op_unlink(void)
{
	int i = pick_name(true);

	if (i < 0)
		return;
	CHECK_EQUAL(remove_name(directories[names[i].directory], names[i].name), 0);
	drop(names[i].file);
	names[i].file = -1;
}

static void op_link(void)
{
	int from = pick_name(true), to = pick_name(false);

	if (from < 0 || to < 0)
		return;
	new_name(&names[to]);
	if (ext4_link(directories[names[to].directory], names[to].name, strlen(names[to].name),
		    inode_of(names[from].file)))
		return;
	names[to].file = names[from].file;
	files[names[to].file].links++;
}

static void op_rename(void)
{
	int from = pick_name(true), to = pick_name(below(2) == 0);
	struct ext4_renaming renaming;
	int replaced;

	if (from < 0 || to < 0 || from == to)
		return;
	replaced = names[to].file;
	if (replaced == names[from].file)
		return;
	if (replaced < 0)
		new_name(&names[to]);
	renaming = (struct ext4_renaming){
		.from_directory = directories[names[from].directory],
		.to_directory = directories[names[to].directory],
		.from = names[from].name,
		.from_length = strlen(names[from].name),
		.to = names[to].name,
		.to_length = strlen(names[to].name),
		.moved = inode_of(names[from].file),
		.replaced = replaced >= 0 ? inode_of(replaced) : NULL,
		.exchange = replaced >= 0 && below(2) == 0,
	};
	if (ext4_rename(&renaming))
		return;
	names[to].file = names[from].file;
	names[from].file = renaming.exchange ? replaced : -1;
	if (replaced >= 0 && !renaming.exchange) {
		if (renaming.replaced->links == 0)
			CHECK_EQUAL(fake_volume_delete(&volume, renaming.replaced), 0);
		drop(replaced);
	}
}

static int pick_file(void)
{
	int i = pick_name(true);

	return i < 0 ? -1 : names[i].file;
}

static void op_write(void)
{
	int file = pick_file();
	uint64_t offset;
	uint32_t bytes;

	if (file < 0)
		return;
	offset = below(3) == 0 ? files[file].size : below(MOST_BYTES - 1);
	bytes = 1 + below(below(4) == 0 ? 100000 : 5000);
	if (offset >= MOST_BYTES)
		return;
	bytes = MIN(bytes, MOST_BYTES - (uint32_t)offset);
	for (uint32_t i = 0; i < bytes; i++)
		files[file].data[offset + i] = (uint8_t)below(255);
	if (fake_volume_write(inode_of(file), offset, files[file].data + offset, bytes)) {
		/* No space: what was written is known from the file itself. */
		memset(files[file].data, 0, MOST_BYTES);
		files[file].size = inode_of(file)->size;
		CHECK_EQUAL(
			fake_volume_read(inode_of(file), 0, files[file].data, files[file].size), 0);
		return;
	}
	files[file].size = MAX(files[file].size, offset + bytes);
}

/* The VFS zeroes what of a page lies beyond the end. */
static void op_truncate(void)
{
	int file = pick_file();
	uint64_t size;

	if (file < 0)
		return;
	size = below(2) == 0 ? below((uint32_t)files[file].size + 1) : below(MOST_BYTES);
	if (size < files[file].size) {
		uint64_t end = MIN(ALIGN_UP(size, 4096), files[file].size);
		static const uint8_t zeroes[4096];

		memset(files[file].data + size, 0, files[file].size - size);
		if (end > size)
			(void)fake_volume_write(inode_of(file), size, zeroes, end - size);
	}
	CHECK_EQUAL(ext4_set_size(inode_of(file), size), 0);
	files[file].size = size;
}

static void op_punch(void)
{
	int file = pick_file();
	uint64_t from, to;

	if (file < 0)
		return;
	from = ALIGN_DOWN(below(MOST_BYTES), 4096);
	to = from + ALIGN_DOWN(below(200000) + 4096, 4096);
	to = MIN(to, ALIGN_DOWN(MOST_BYTES, 4096));
	if (to <= from)
		return;
	CHECK_EQUAL(ext4_punch(inode_of(file), from, to - from), 0);
	memset(files[file].data + from, 0, to - from);
}

static void op_allocate(void)
{
	int file = pick_file();
	uint64_t from, bytes;
	bool keep = below(2) == 0;

	if (file < 0)
		return;
	from = below(MOST_BYTES - 1);
	bytes = 1 + below(200000);
	bytes = MIN(bytes, MOST_BYTES - from);
	if (ext4_allocate(inode_of(file), from, bytes, keep)) {
		files[file].size = inode_of(file)->size;
		return;
	}
	if (!keep)
		files[file].size = MAX(files[file].size, from + bytes);
}

static void op_xattr(void)
{
	int file = pick_file();
	char value[600];
	size_t bytes = below(below(3) == 0 ? 600 : 40);

	if (file < 0)
		return;
	for (size_t i = 0; i < bytes; i++)
		value[i] = (char)below(256);
	if (below(4) == 0) {
		CHECK_EQUAL(ext4_remove_xattr(inode_of(file), "user.model"),
			files[file].xattr_bytes ? 0 : -LINUX_ENODATA);
		files[file].xattr_bytes = 0;
		return;
	}
	if (ext4_set_xattr(inode_of(file), "user.other", "x", 1, 0) == 0 && bytes > 0 &&
		ext4_set_xattr(inode_of(file), "user.model", value, bytes, 0) == 0) {
		memcpy(files[file].xattr, value, bytes);
		files[file].xattr_bytes = bytes;
	}
}

static void compare_file(int file)
{
	static uint8_t data[MOST_BYTES];
	struct ext4_inode *inode = inode_of(file);
	char value[600];

	CHECK_EQUAL(inode->links, files[file].links);
	CHECK_EQUAL(inode->size, files[file].size);
	CHECK_EQUAL(inode->uid, 70000);
	CHECK_EQUAL(fake_volume_read(inode, 0, data, files[file].size), 0);
	CHECK(memcmp(data, files[file].data, files[file].size) == 0);
	CHECK_EQUAL(ext4_get_xattr(inode, "user.model", value, sizeof(value)),
		files[file].xattr_bytes ? (long)files[file].xattr_bytes : -LINUX_ENODATA);
	CHECK(memcmp(value, files[file].xattr, files[file].xattr_bytes) == 0);
}

static void compare(void)
{
	for (int i = 0; i < MODEL_NAMES; i++) {
		uint32_t number;

		if (names[i].file < 0)
			continue;
		CHECK_EQUAL(ext4_lookup(directories[names[i].directory], names[i].name,
				    strlen(names[i].name), &number),
			0);
		CHECK_EQUAL(number, files[names[i].file].inode);
	}
	for (int file = 0; file < MODEL_FILES; file++)
		if (files[file].is_used)
			compare_file(file);
}

static void step(void)
{
	static void (*const ops[])(void) = {op_create, op_create, op_create, op_unlink, op_link,
		op_rename, op_rename, op_write, op_write, op_write, op_write, op_truncate, op_punch,
		op_allocate, op_xattr};

	ops[below(ARRAY_SIZE(ops))]();
	if (below(60) == 0)
		CHECK_EQUAL(ext4_sync(volume.fs), 0);
}

static void run_model(uint64_t bytes, const char *options, int rounds, int steps)
{
	open_volume(bytes, options);
	model_reset();
	for (int round = 0; round < rounds; round++) {
		find_directories();
		for (int i = 0; i < steps; i++)
			step();
		compare();
		check_volume();
		find_directories();
		compare();
	}
	model_reset();
	close_volume();
}

TEST(random_operations)
{
	random_state = 7;
	run_model(64 * MIB, "", 4, 1500);
}

TEST(random_operations_on_4k_blocks)
{
	random_state = 8;
	run_model(64 * MIB, "-b 4096", 4, 1500);
}

TEST(random_operations_when_space_is_short)
{
	random_state = 9;
	run_model(12 * MIB, "-b 1024 -J size=2", 4, 1500);
}

TEST(random_operations_without_checksums)
{
	random_state = 10;
	run_model(32 * MIB, "-b 4096 -O ^metadata_csum,^64bit", 2, 1000);
}

/* ---- large directories --------------------------------------------- */

static void many_names(uint32_t count, const char *options)
{
	struct ext4_inode *directory, *inode;
	uint32_t number;
	char name[64];

	open_volume(256 * MIB, options);
	CHECK_EQUAL(create(root(), "many", LINUX_S_IFDIR | 0755, &directory), 0);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "a file of many %u", i);
		CHECK_EQUAL(create(directory, name, LINUX_S_IFREG | 0600, &inode), 0);
	}
	for (uint32_t i = 0; i < count; i += 7) {
		snprintf(name, sizeof(name), "a file of many %u", i);
		CHECK_EQUAL(ext4_lookup(directory, name, strlen(name), &number), 0);
	}
	CHECK_EQUAL(ext4_lookup(directory, "a file", 6, &number), -LINUX_ENOENT);
	check_volume();
	directory = fake_volume_lookup(&volume, root(), "many");
	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "a file of many %u", i);
		CHECK_EQUAL(remove_name(directory, name), 0);
	}
	check_volume();
	CHECK_EQUAL(remove_name(root(), "many"), 0);
	close_volume();
}

TEST(many_names_of_4k_blocks)
{
	many_names(20000, "-b 4096 -N 60000");
}

TEST(many_names_of_1k_blocks)
{
	many_names(20000, "-b 1024 -N 60000");
}

/* Every name is listed once, from any position, also when others come meanwhile. */
TEST(listing)
{
	static uint8_t seen[3000];
	struct ext4_name_batch *batch = malloc(sizeof(*batch));
	struct ext4_inode *directory, *inode;
	uint64_t position = 2;
	char name[64];
	int more = 0;

	open_volume(64 * MIB, "-b 1024 -N 20000");
	CHECK_EQUAL(create(root(), "d", LINUX_S_IFDIR | 0755, &directory), 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		CHECK_EQUAL(create(directory, name, LINUX_S_IFREG | 0600, &inode), 0);
	}
	do {
		mutex_lock(&volume.fs->lock);
		CHECK_EQUAL(directory_read_batch(directory, position, batch), 0);
		mutex_unlock(&volume.fs->lock);
		/* Only some of it, so that positions within are tried. */
		for (uint32_t i = 0; i < MIN(batch->count, 5); i++) {
			const struct ext4_directory_entry *entry = batch->names[i].entry;

			snprintf(name, sizeof(name), "%.*s", entry->name_length, entry->name);
			position = batch->names[i].key + 3;
			if (name[0] != 'x')
				CHECK_EQUAL(seen[atoi(name)]++, 0);
		}
		if (batch->count <= 5) {
			if (batch->is_last)
				break;
			position = batch->next;
		}
		snprintf(name, sizeof(name), "x%d", more++);
		CHECK_EQUAL(create(directory, name, LINUX_S_IFREG | 0600, &inode), 0);
	} while (true);
	for (int i = 0; i < 3000; i++)
		CHECK_EQUAL(seen[i], 1);
	free(batch);
	close_volume();
}

/* ---- extents ------------------------------------------------------- */

/* Every other block: a deep tree; then it is filled, and cut down. */
TEST(fragmented_file)
{
	static uint8_t block[1024];
	struct ext4_inode *inode;

	open_volume(64 * MIB, "-b 1024");
	CHECK_EQUAL(create(root(), "f", LINUX_S_IFREG | 0600, &inode), 0);
	for (uint32_t i = 0; i < 8000; i++) {
		memset(block, (int)i & 255, sizeof(block));
		CHECK_EQUAL(
			fake_volume_write(inode, (uint64_t)(i * 7919 % 8000) * 2048, block, 1024),
			0);
	}
	CHECK(inode->root.depth >= 1);
	CHECK_EQUAL(ext4_seek(inode, inode->size, 0, false), 1024);
	CHECK_EQUAL(ext4_seek(inode, inode->size, 1024, true), 2048);
	check_volume();
	inode = fake_volume_lookup(&volume, root(), "f");
	for (uint32_t i = 0; i < 8000; i++) {
		CHECK_EQUAL(
			fake_volume_read(inode, (uint64_t)(i * 7919 % 8000) * 2048, block, 1024),
			0);
		CHECK_EQUAL(block[5], i & 255);
	}
	for (uint32_t i = 0; i < 4000; i++)
		CHECK_EQUAL(ext4_punch(inode, (uint64_t)(i * 31 % 4000) * 4096, 1024), 0);
	check_volume();
	inode = fake_volume_lookup(&volume, root(), "f");
	CHECK_EQUAL(ext4_set_size(inode, 5000), 0);
	CHECK_EQUAL(inode->root.depth, 0);
	check_volume();
	CHECK_EQUAL(remove_name(root(), "f"), 0);
	close_volume();
}

TEST(far_ends)
{
	struct ext4_inode *inode;

	open_volume(32 * MIB, "-b 4096");
	CHECK_EQUAL(create(root(), "f", LINUX_S_IFREG | 0600, &inode), 0);
	CHECK_EQUAL(fake_volume_write(inode, (0xfffffffeull << 12), "x", 1), 0);
	CHECK_EQUAL(ext4_set_size(inode, 0xffffffffull << 12), 0);
	CHECK_EQUAL(ext4_set_size(inode, (0xffffffffull << 12) + 1), -LINUX_EFBIG);
	CHECK_EQUAL(ext4_allocate(inode, 0xffffffffull << 12, 1, true), -LINUX_EFBIG);
	close_volume();
}

/* ---- nodes of all kinds -------------------------------------------- */

TEST(kinds)
{
	struct ext4_new device = {.mode = LINUX_S_IFCHR | 0600, .major = 5, .minor = 300};
	struct ext4_new link = {.mode = LINUX_S_IFLNK | 0777};
	struct ext4_inode *inode, *at;
	char target[400], text[500];
	uint32_t major, minor;

	open_volume(32 * MIB, "-b 4096");
	at = root();
	inode = malloc(sizeof(*inode));
	CHECK_EQUAL(ext4_create(at, "dev", 3, &device, inode), 0);
	ext4_get_device(inode, &major, &minor);
	CHECK_EQUAL(major, 5);
	CHECK_EQUAL(minor, 300);
	inode_unload(inode);
	memset(target, 't', sizeof(target));
	for (size_t length = 1; length < 400; length += 29) {
		char name[16];

		target[length] = 0;
		snprintf(name, sizeof(name), "link%zu", length);
		link.target = target;
		CHECK_EQUAL(ext4_create(at, name, strlen(name), &link, inode), 0);
		CHECK_EQUAL(ext4_read_link(inode, text, sizeof(text)), (long)length);
		CHECK(memcmp(text, target, length) == 0);
		inode_unload(inode);
		target[length] = 't';
		if (length % 2 == 0)
			CHECK_EQUAL(remove_name(at, name), 0);
	}
	free(inode);
	CHECK_EQUAL(create(at, "fifo", LINUX_S_IFIFO | 0600, &inode), 0);
	CHECK_EQUAL(create(at, "socket", LINUX_S_IFSOCK | 0600, &inode), 0);
	close_volume();
}

TEST(no_inode_is_left)
{
	struct ext4_new what = {.mode = LINUX_S_IFREG | 0600};
	struct ext4_inode inode;
	char name[16];
	int error = 0;

	open_volume(32 * MIB, "-b 4096 -N 128");
	for (int i = 0; error == 0; i++) {
		int length = snprintf(name, sizeof(name), "%d", i);

		CHECK(i < 1000);
		memset(&inode, 0xa5, sizeof(inode));
		error = ext4_create(root(), name, (size_t)length, &what, &inode);
		inode_unload(&inode); /* also after the error */
	}
	CHECK_EQUAL(error, -LINUX_ENOSPC);
	memset(&inode, 0xa5, sizeof(inode));
	CHECK_EQUAL(ext4_create_nameless(root(), &what, &inode), -LINUX_ENOSPC);
	inode_unload(&inode);
	close_volume();
}

TEST(directories_move)
{
	struct ext4_inode *a, *b, *c, *at;
	struct ext4_renaming renaming;

	open_volume(32 * MIB, "-b 4096");
	at = root();
	CHECK_EQUAL(create(at, "a", LINUX_S_IFDIR | 0755, &a), 0);
	CHECK_EQUAL(create(at, "b", LINUX_S_IFDIR | 0755, &b), 0);
	CHECK_EQUAL(create(a, "c", LINUX_S_IFDIR | 0755, &c), 0);
	CHECK_EQUAL(remove_name(at, "a"), -LINUX_ENOTEMPTY);
	renaming = (struct ext4_renaming){.from_directory = a,
		.to_directory = b,
		.from = "c",
		.from_length = 1,
		.to = "d",
		.to_length = 1,
		.moved = c};
	CHECK_EQUAL(ext4_rename(&renaming), 0);
	CHECK_EQUAL(a->links, 2);
	CHECK_EQUAL(b->links, 3);
	CHECK_EQUAL(remove_name(at, "a"), 0);
	check_volume();
	at = root();
	b = fake_volume_lookup(&volume, at, "b");
	CHECK(fake_volume_lookup(&volume, b, "d") != NULL);
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		CHECK_EQUAL(create(b, name, LINUX_S_IFDIR | 0755, &a), 0);
	}
	CHECK_EQUAL(b->links, 103);
	close_volume();
}

TEST(xattrs_of_all_sizes)
{
	static char value[4096], got[4096];
	struct ext4_inode *inode;
	char name[32], list[4096];

	open_volume(32 * MIB, "-b 4096");
	CHECK_EQUAL(create(root(), "f", LINUX_S_IFREG | 0600, &inode), 0);
	memset(value, 'v', sizeof(value));
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user.name%d", i);
		CHECK_EQUAL(ext4_set_xattr(inode, name, value, (size_t)i * 13, XATTR_CREATE), 0);
		CHECK_EQUAL(ext4_set_xattr(inode, name, value, 1, XATTR_CREATE), -LINUX_EEXIST);
	}
	CHECK_EQUAL(ext4_set_xattr(inode, "user.large", value, 4000, 0), -LINUX_ENOSPC);
	CHECK_EQUAL(ext4_set_xattr(inode, "user.no", value, 4, XATTR_REPLACE), -LINUX_ENODATA);
	CHECK_EQUAL(ext4_set_xattr(inode, "else.no", value, 4, 0), -LINUX_EOPNOTSUPP);
	CHECK(ext4_list_xattrs(inode, list, sizeof(list)) > 200);
	check_volume();
	inode = fake_volume_lookup(&volume, root(), "f");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "user.name%d", i);
		CHECK_EQUAL(ext4_get_xattr(inode, name, got, sizeof(got)), i * 13);
		CHECK(memcmp(got, value, (size_t)i * 13) == 0);
		CHECK_EQUAL(ext4_remove_xattr(inode, name), 0);
	}
	CHECK_EQUAL(ext4_list_xattrs(inode, list, sizeof(list)), 0);
	CHECK_EQUAL(inode->xattr_block, 0);
	close_volume();
}

/* ---- what others wrote --------------------------------------------- */

static void fill_tree(const char *tree)
{
	char command[512];

	snprintf(command, sizeof(command),
		"cd %s && mkdir d && ln -s d/file link && "
		"for i in $(seq 500); do echo contents $i >d/a-rather-long-name-$i; done",
		tree);
	CHECK_EQUAL(system(command), 0);
}

TEST(an_image_filled_by_mke2fs)
{
	struct ext4_inode *directory, *inode;
	char text[64], tree[] = "/tmp/burrow-ext4-XXXXXX", options[64];

	CHECK(mkdtemp(tree) != NULL);
	fill_tree(tree);
	snprintf(options, sizeof(options), "-d %s", tree);
	open_volume(32 * MIB, options);
	snprintf(text, sizeof(text), "rm -rf %s", tree);
	CHECK_EQUAL(system(text), 0);
	directory = fake_volume_lookup(&volume, root(), "d");
	CHECK(directory != NULL);
	inode = fake_volume_lookup(&volume, directory, "a-rather-long-name-377");
	CHECK(inode != NULL);
	CHECK_EQUAL(inode->size, 13);
	CHECK_EQUAL(fake_volume_read(inode, 0, text, 13), 0);
	CHECK(memcmp(text, "contents 377\n", 13) == 0);
	inode = fake_volume_lookup(&volume, root(), "link");
	CHECK_EQUAL(ext4_read_link(inode, text, sizeof(text)), 6);
	close_volume();
}

/*
 * A journal that debugfs wrote: blocks 20000 and 20001 are written by a transaction, which
 * revokes the second.
 */
static void replay(const char *options, const char *journal)
{
	char name[] = "/tmp/burrow-ext4-XXXXXX", command[1024];
	uint8_t *image = malloc(32 * MIB);
	int fd = mkstemp(name);

	close(fd);
	start();
	snprintf(command, sizeof(command),
		"PATH=$PATH:/sbin:/usr/sbin; rm -f %s && truncate -s 32M %s && "
		"mke2fs -q -t ext4 -b 1024 %s %s && yes new | head -c 2048 >%s.data && "
		"printf 'jo %s\\njw -b 20000,20001 %s.data\\njw -r 20001 /dev/null\\njc\\n' "
		">%s.commands && debugfs -w -f %s.commands %s >/dev/null 2>&1",
		name, name, options, name, name, journal, name, name, name, name);
	CHECK_EQUAL(system(command), 0);
	fd = open(name, O_RDONLY);
	CHECK_EQUAL(read(fd, image, 32 * MIB), 32 * MIB);
	close(fd);
	CHECK(image[20000 * 1024] != 'n');
	CHECK_EQUAL(fake_volume_open(&volume, image, 32 * MIB), 0);
	CHECK_EQUAL(memcmp(image + 20000 * 1024, "new\nnew\n", 8), 0);
	CHECK(image[20001 * 1024] != 'n');
	close_volume();
	snprintf(command, sizeof(command), "rm -f %s*", name);
	CHECK_EQUAL(system(command), 0);
}

TEST(journals_of_debugfs)
{
	if (system("PATH=$PATH:/sbin:/usr/sbin; command -v debugfs >/dev/null") != 0)
		return;
	replay("", "-c");
	replay("-O ^metadata_csum", "");
	replay("-O ^64bit", "-c");
}

/* ---- refusals
 * -------------------------------------------------------------------------------------- */

static int mount_of(const char *options, bool *read_only)
{
	uint8_t *image;
	int error;

	start();
	image = fake_volume_make(32 * MIB, options);
	if (!image)
		return 1;
	error = fake_volume_open(&volume, image, 32 * MIB);
	if (error) {
		fake_block_destroy(&volume.block);
		return error;
	}
	*read_only = volume.fs->read_only;
	free(fake_volume_close(&volume, &error));
	return error;
}

TEST(features_that_are_not_known)
{
	bool read_only = false;

	CHECK_EQUAL(mount_of("-O inline_data", &read_only), -LINUX_EINVAL);
	CHECK(strstr(fake_log_line, "inline_data") != NULL);
	CHECK_EQUAL(mount_of("-O encrypt", &read_only), -LINUX_EINVAL);
	CHECK_EQUAL(mount_of("-O ^extents,^64bit", &read_only), -LINUX_EINVAL);
	CHECK_EQUAL(mount_of("-O quota", &read_only), 0);
	CHECK(read_only);
	CHECK_EQUAL(mount_of("-O ^has_journal", &read_only), 0);
	CHECK(read_only);
	CHECK_EQUAL(mount_of("-O ^flex_bg", &read_only), 0);
	CHECK(!read_only);
	CHECK_EQUAL(mount_of("-O meta_bg,^resize_inode", &read_only), 0);
	CHECK(!read_only);
	CHECK_EQUAL(heap_live_count(), 0);
}

/* The medium fails: read-only, and what was there stays whole. */
TEST(errors_of_the_medium)
{
	for (uint32_t after = 0; after < 400; after += 23) {
		uint64_t bytes = 16 * MIB;
		struct ext4_inode *inode;
		uint8_t *image;
		char name[16];
		int error;

		open_volume(bytes, "-b 4096");
		CHECK(root() != NULL);
		volume.block.fail_after = after;
		for (int i = 0; i < 200; i++) {
			snprintf(name, sizeof(name), "%d", i);
			if (create(root(), name, LINUX_S_IFREG | 0600, &inode))
				break;
			if (i % 10 == 0 && ext4_sync(volume.fs))
				break;
		}
		volume.block.fail_after = UINT64_MAX;
		image = fake_volume_close(&volume, &error);
		CHECK_EQUAL(fake_volume_open(&volume, image, bytes), 0);
		close_volume();
	}
}

TEST_DEFINE_MAIN
