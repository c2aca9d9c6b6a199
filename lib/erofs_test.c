/*
 * Images that mkfs.erofs makes, against the trees they were made of: every name, attribute and
 * byte, and each cut short. Passes without looking where mkfs.erofs is not installed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "abi/erofs.h"
#include "abi/linux/errno.h"
#include "lib/erofs.h"
#include "lib/test.h"

TEST_DEFINE_MAIN

static char work[] = "/tmp/burrow-erofs-XXXXXX";
static char tree[64], file[64];

static const uint8_t *image_data;
static uint64_t image_bytes;
static struct erofs_image image;
static unsigned names_seen;

static void run(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(1);
	}
}

static void put(const char *name, const void *data, size_t bytes)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

static void put_random(const char *name, size_t bytes)
{
	char *data = malloc(bytes + 1);

	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)random();
	put(name, data, bytes);
	free(data);
}

/* Attributes only where the file system of /tmp has them. */
static void put_xattrs(void)
{
	char path[512], name[64];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/x%d", tree, i);
		put_random(path + strlen(tree) + 1, (size_t)i * 3000);
		if (setxattr(path, "user.same", "shared by all", 13, 0) != 0)
			return;
		snprintf(name, sizeof(name), "user.own%d", i);
		setxattr(path, name, path, strlen(path), 0);
	}
	snprintf(path, sizeof(path), "%s/x3", tree);
	setxattr(path, "security.test", "s", 1, 0);
}

static void make_tree(void)
{
	static const size_t sizes[] = {
		0, 1, 4000, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 8193, 12289, 100000};
	char name[300];

	CHECK(mkdtemp(work) != NULL);
	snprintf(tree, sizeof(tree), "%s/tree", work);
	snprintf(file, sizeof(file), "%s/image", work);
	run("mkdir -p %s/a/b/c %s/many %s/empty", tree, tree, tree);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "size-%zu", sizes[i]);
		put_random(name, sizes[i]);
	}
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "many/%d-%0*d", i, 1 + i % 200, i);
		put(name, name, strlen(name));
	}
	memset(name, 'n', 250); /* longer ones mkfs.erofs 1.5 does not find */
	name[250] = 0;
	put(name, "long", 4);
	put_xattrs();
	run("cd %s && ln -s size-1 link && ln -s /somewhere/else a/b/link && ln size-4096 a/hard "
	    "&& "
	    "ln size-4096 a/b/hard && mkfifo fifo && truncate -s 1M sparse && "
	    "printf x >>sparse && chmod 4755 size-1 && chmod 700 a && touch -d @1234567890.5 a/b",
		tree);
	if (geteuid() == 0)
		run("cd %s && mknod character c 1 300 && mknod block b 259 1048575 && "
		    "chown 70000:80000 size-0 && chown 3:4 a/b/c",
			tree);
}

static void load_image(void)
{
	int fd = open(file, O_RDONLY);
	struct stat status;
	uint8_t *data;

	CHECK(fd >= 0);
	CHECK_EQUAL(fstat(fd, &status), 0);
	image_bytes = (uint64_t)status.st_size;
	data = malloc(image_bytes);
	CHECK_EQUAL(read(fd, data, image_bytes), status.st_size);
	close(fd);
	image_data = data;
	CHECK_EQUAL(erofs_open(&image, image_data, image_bytes), 0);
}

static void compare_contents(const char *path, const struct erofs_inode *inode)
{
	char *ours = malloc(inode->size + 1), *theirs = malloc(inode->size + 1);
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(read(fd, theirs, inode->size + 1), (ssize_t)inode->size);
	CHECK_EQUAL(erofs_read(&image, inode, 0, ours, inode->size + 1), (int64_t)inode->size);
	CHECK(memcmp(ours, theirs, inode->size) == 0);
	if (inode->size > 5000) {
		CHECK_EQUAL(erofs_read(&image, inode, 4090, ours, 20), 20);
		CHECK(memcmp(ours, theirs + 4090, 20) == 0);
	}
	close(fd);
	free(ours);
	free(theirs);
}

static void compare_xattrs(const char *path, const struct erofs_inode *inode)
{
	char names[4096], name[300], value[4096];
	ssize_t bytes = llistxattr(path, names, sizeof(names));
	struct erofs_xattr xattr;
	uint64_t position = 0;
	int count = 0;

	for (ssize_t at = 0; at < bytes; at += (ssize_t)strlen(names + at) + 1)
		count++;
	while (erofs_next_xattr(&image, inode, &position, &xattr) == 1) {
		snprintf(name, sizeof(name), "%s%.*s", xattr.prefix, (int)xattr.name_bytes,
			xattr.name);
		CHECK_EQUAL(
			lgetxattr(path, name, value, sizeof(value)), (ssize_t)xattr.value_bytes);
		CHECK(memcmp(value, xattr.value, xattr.value_bytes) == 0);
		count--;
	}
	CHECK_EQUAL(count, 0);
}

static void compare_status(const char *path, const struct erofs_inode *inode)
{
	char target[4096], ours[4096];
	struct stat status;

	CHECK_EQUAL(lstat(path, &status), 0);
	CHECK_EQUAL(inode->mode, status.st_mode);
	CHECK_EQUAL(inode->uid, status.st_uid);
	CHECK_EQUAL(inode->gid, status.st_gid);
	CHECK_EQUAL(inode->links, status.st_nlink);
	CHECK_EQUAL(inode->mtime_ns, status.st_mtim.tv_sec * 1000000000l + status.st_mtim.tv_nsec);
	compare_xattrs(path, inode);
	if (S_ISREG(status.st_mode)) {
		CHECK_EQUAL(inode->size, (uint64_t)status.st_size);
		compare_contents(path, inode);
	} else if (S_ISLNK(status.st_mode)) {
		ssize_t bytes = readlink(path, target, sizeof(target));

		CHECK_EQUAL(inode->size, (uint64_t)bytes);
		CHECK_EQUAL(erofs_read(&image, inode, 0, ours, sizeof(ours)), bytes);
		CHECK(memcmp(ours, target, (size_t)bytes) == 0);
	} else if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
		CHECK_EQUAL(inode->device & 0xff, minor(status.st_rdev) & 0xff);
		CHECK_EQUAL(inode->device >> 8 & 0xfff, major(status.st_rdev));
		CHECK_EQUAL(inode->device >> 20, minor(status.st_rdev) >> 8);
	}
}

static void compare_directory(const char *path, uint64_t nid)
{
	struct erofs_inode directory, inode;
	struct erofs_name name, found;
	char below[8192];
	uint64_t position = 0;
	int count = 0, status;
	DIR *stream = opendir(path);

	CHECK(stream != NULL);
	while (readdir(stream))
		count++;
	closedir(stream);
	CHECK_EQUAL(erofs_read_inode(&image, nid, &directory), 0);
	compare_status(path, &directory);
	while ((status = erofs_next_name(&image, &directory, &position, &name)) == 1) {
		snprintf(below, sizeof(below), "%s/%.*s", path, (int)name.length, name.text);
		CHECK_EQUAL(erofs_lookup(&image, &directory, name.text, name.length, &found), 0);
		CHECK_EQUAL(found.nid, name.nid);
		CHECK_EQUAL(erofs_read_inode(&image, name.nid, &inode), 0);
		if (S_ISDIR(inode.mode))
			compare_directory(below, name.nid);
		else
			compare_status(below, &inode);
		count--;
		names_seen++;
	}
	CHECK_EQUAL(status, 0);
	CHECK_EQUAL(count, 2);
	CHECK_EQUAL(erofs_lookup(&image, &directory, "!", 1, &found), -LINUX_ENOENT);
	CHECK_EQUAL(erofs_lookup(&image, &directory, "a~", 2, &found), -LINUX_ENOENT);
	CHECK_EQUAL(erofs_lookup(&image, &directory, "~~~", 3, &found), -LINUX_ENOENT);
}

/* Reads whatever is left of a damaged image; only the sanitizers look at it. */
static void walk(const struct erofs_image *damaged, uint64_t nid, int depth)
{
	struct erofs_inode inode;
	struct erofs_xattr xattr;
	struct erofs_name name;
	char buffer[5000];
	uint64_t position = 0;

	if (erofs_read_inode(damaged, nid, &inode) != 0)
		return;
	(void)erofs_read(damaged, &inode, 0, buffer, sizeof(buffer));
	while (erofs_next_xattr(damaged, &inode, &position, &xattr) == 1)
		;
	position = 0;
	while (S_ISDIR(inode.mode) && depth > 0 &&
		erofs_next_name(damaged, &inode, &position, &name) == 1)
		walk(damaged, name.nid, depth - 1);
}

static void damage(void)
{
	uint8_t *copy = malloc(image_bytes);
	struct erofs_image damaged;

	for (int round = 0; round < 400; round++) {
		uint64_t bytes =
			round % 2 ? image_bytes : 1200 + (uint64_t)random() % (image_bytes - 1200);

		copy = realloc(copy, bytes);
		memcpy(copy, image_data, bytes);
		for (int i = 0; i < 40 && round % 2; i++)
			copy[1024 + (uint64_t)random() % MIN(bytes - 1024, 40000)] =
				(uint8_t)random();
		if (erofs_open(&damaged, copy, bytes) == 0)
			walk(&damaged, damaged.root, 4);
	}
	free(copy);
}

static void check_options(const char *options)
{
	run("mkfs.erofs --quiet %s %s %s >/dev/null 2>&1", options, file, tree);
	load_image();
	names_seen = 0;
	compare_directory(tree, image.root);
	CHECK(names_seen > 600);
	damage();
	free((void *)(uintptr_t)image_data);
}

TEST(an_image_is_what_it_was_made_of)
{
	if (system("mkfs.erofs --help >/dev/null 2>&1") != 0) {
		printf("  (mkfs.erofs is not installed)\n");
		return;
	}
	make_tree();
	check_options("");
	check_options("-x1");
	check_options("-x9 -Eforce-inode-extended");
	check_options("--chunksize=4096");
	check_options("--chunksize=65536 -Eforce-chunk-indexes");
	run("rm -rf %s", work);
}

TEST(what_is_no_image_is_refused)
{
	static uint8_t zeroes[8192];
	struct erofs_super super = {.magic = EROFS_MAGIC, .block_shift = EROFS_BLOCK_SHIFT};
	struct erofs_image opened;

	CHECK_EQUAL(erofs_open(&opened, zeroes, 100), -LINUX_EINVAL);
	CHECK_EQUAL(erofs_open(&opened, zeroes, sizeof(zeroes)), -LINUX_EINVAL);
	super.blocks = 2;
	memcpy(zeroes + EROFS_SUPER_OFFSET, &super, sizeof(super));
	CHECK_EQUAL(erofs_open(&opened, zeroes, sizeof(zeroes)), 0);
	super.blocks = 3;
	memcpy(zeroes + EROFS_SUPER_OFFSET, &super, sizeof(super));
	CHECK_EQUAL(erofs_open(&opened, zeroes, sizeof(zeroes)), -LINUX_EUCLEAN);
	super.feature_incompat = 1;
	memcpy(zeroes + EROFS_SUPER_OFFSET, &super, sizeof(super));
	CHECK_EQUAL(erofs_open(&opened, zeroes, sizeof(zeroes)), -LINUX_EOPNOTSUPP);
}
