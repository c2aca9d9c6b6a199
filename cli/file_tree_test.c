/*
 * Trees put together and written as images: what lib/erofs.h reads is what went in, and
 * fsck.erofs, where there is one, has no complaint.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/erofs_write.h"
#include "cli/file_tree.h"
#include "cli/tar.h"
#include "host/alloc.h"
#include "lib/erofs.h"
#include "lib/test.h"

TEST_DEFINE_MAIN

/* Trees are never freed: the command ends soon. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct erofs_image image;

/* The image stays mapped. */
static void write_image(struct file_tree *tree)
{
	char path[] = "/tmp/burrow-image-XXXXXX", command[128];
	int fd = mkstemp(path);
	uint64_t bytes = erofs_write(tree, fd, path);
	void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(data != MAP_FAILED);
	CHECK_EQUAL(erofs_open(&image, data, bytes), 0);
	snprintf(command, sizeof(command), "fsck.erofs %s >/dev/null 2>&1", path);
	if (access("/usr/bin/fsck.erofs", X_OK) == 0)
		CHECK_EQUAL(system(command), 0);
	close(fd);
	unlink(path);
}

static struct erofs_inode inode_at(const char *path)
{
	struct erofs_inode inode;
	uint64_t nid = image.root;

	CHECK_EQUAL(erofs_read_inode(&image, nid, &inode), 0);
	while (*path != 0) {
		size_t length;
		struct erofs_name name;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length == 0)
			break;
		CHECK_EQUAL(erofs_lookup(&image, &inode, path, length, &name), 0);
		CHECK_EQUAL(erofs_read_inode(&image, name.nid, &inode), 0);
		path += length;
	}
	return inode;
}

static void check_text(const char *path, const char *text)
{
	struct erofs_inode inode = inode_at(path);
	char found[200] = "";

	CHECK_EQUAL(inode.size, strlen(text));
	CHECK_EQUAL(erofs_read(&image, &inode, 0, found, 199), (int64_t)strlen(text));
	CHECK(strcmp(found, text) == 0);
}

TEST(what_goes_in_comes_out)
{
	static const size_t sizes[] = {1, 4031, 4032, 4033, 4096, 4097, 65536, 65537, 300000};
	static char data[300000];
	struct file_tree tree;
	char path[300];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)random();
	file_tree_init(&tree, UINT64_MAX, false);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct file_node *node;

		snprintf(path, sizeof(path), "/sizes/%zu", sizes[i]);
		node = file_tree_put(&tree, path, S_IFREG | 04751);
		node->data = data;
		node->bytes = sizes[i];
		node->uid = 70000 + (uint32_t)i;
		node->mtime_seconds = 1234567890;
		node->mtime_nanoseconds = 77;
	}
	file_tree_put(&tree, "/dev/null", S_IFCHR | 0666)->device = 0x103;
	file_tree_put(&tree, "/empty/directory/", S_IFDIR | 01777);
	write_image(&tree);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		static char found[300001];
		struct erofs_inode inode;

		snprintf(path, sizeof(path), "/sizes/%zu", sizes[i]);
		inode = inode_at(path);
		CHECK_EQUAL(erofs_read(&image, &inode, 0, found, sizeof(found)), (int64_t)sizes[i]);
		CHECK(memcmp(found, data, sizes[i]) == 0);
		CHECK_EQUAL(inode.mode, S_IFREG | 04751);
		CHECK_EQUAL(inode.uid, 70000 + i);
		CHECK_EQUAL(inode.links, 1);
		CHECK_EQUAL(inode.mtime_ns, 1234567890000000077);
	}
	CHECK_EQUAL(inode_at("/dev/null").device, 0x103);
	CHECK_EQUAL(inode_at("/empty/directory").mode, S_IFDIR | 01777);
	CHECK_EQUAL(inode_at("/").links, 5);
	CHECK_EQUAL(inode_at("/empty").links, 3);
}

TEST(directories_of_many_blocks)
{
	struct file_tree tree;
	struct erofs_inode inode;
	struct erofs_name name;
	uint64_t position = 0;
	char path[400];
	unsigned count = 0;

	file_tree_init(&tree, UINT64_MAX, false);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "/many/%u-%0*u", i * 7919 % 3000, 1 + i % 240, i);
		file_tree_put_text(&tree, path, "x");
	}
	memset(path + 6, '!', 255); /* before "." and ".." */
	path[261] = 0;
	file_tree_put_text(&tree, path, "long");
	write_image(&tree);
	inode = inode_at("/many");
	while (erofs_next_name(&image, &inode, &position, &name) == 1)
		count++;
	CHECK_EQUAL(count, 3001);
	check_text("/many/0-0", "x");
	check_text(path, "long");
}

TEST(later_names_replace_earlier_ones)
{
	struct file_tree tree;

	file_tree_init(&tree, UINT64_MAX, false);
	file_tree_put_text(&tree, "/a/file", "first");
	file_tree_put_text(&tree, "/a/file", "second");
	file_tree_put_text(&tree, "/a/sub/x", "x");
	file_tree_put(&tree, "/a", S_IFDIR | 0700);
	file_tree_put_link(&tree, "/link", "a/./../a/sub");
	file_tree_put_text(&tree, "/link/y", "through the link");
	file_tree_put_link(&tree, "/link", "replaced");
	write_image(&tree);
	check_text("/a/file", "second");
	check_text("/a/sub/y", "through the link");
	check_text("/link", "replaced");
	CHECK_EQUAL(inode_at("/a").mode, S_IFDIR | 0700);
}

static void run(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(1);
	}
}

TEST(trees_of_the_host)
{
	struct file_tree tree;

	run("rm -rf /tmp/burrow-ft && mkdir -p /tmp/burrow-ft/d && cd /tmp/burrow-ft && "
	    "printf hello >a && ln a d/b && ln -s ../a d/l && chmod 600 a && mkfifo p");
	file_tree_init(&tree, 1000, false);
	file_tree_add(&tree, "/tmp/burrow-ft", "/in", false);
	write_image(&tree);
	check_text("/in/a", "hello");
	CHECK_EQUAL(inode_at("/in/a").nid, inode_at("/in/d/b").nid);
	CHECK_EQUAL(inode_at("/in/a").links, 2);
	CHECK_EQUAL(inode_at("/in/a").mode, S_IFREG | 0600);
	check_text("/in/d/l", "../a");

	/* The node of the first name is gone; the file is not. */
	file_tree_init(&tree, 1000, false);
	file_tree_add(&tree, "/tmp/burrow-ft", "/in", false);
	file_tree_put_text(&tree, "/in/a", "another");
	write_image(&tree);
	check_text("/in/a", "another");
	check_text("/in/d/b", "hello");
	CHECK_EQUAL(inode_at("/in/d/b").links, 1);
	run("rm -rf /tmp/burrow-ft");
}

static uint8_t *read_whole(const char *path, uint64_t *bytes)
{
	int fd = open(path, O_RDONLY);
	uint8_t *data = malloc(1 << 20);

	CHECK(fd >= 0);
	*bytes = (uint64_t)read(fd, data, 1 << 20);
	close(fd);
	return data;
}

static void check_tar(const char *format)
{
	struct file_tree tree;
	char command[800], name[300];
	uint64_t bytes, at;
	uint8_t *data;

	memset(name, 'n', 200);
	name[200] = 0;
	snprintf(command, sizeof(command),
		"rm -rf /tmp/burrow-tar && mkdir -p /tmp/burrow-tar/t/d/e && cd /tmp/burrow-tar/t "
		"&& printf hello >a && ln a d/hard && ln -s a link && printf long >d/%s && "
		"head -c 9999 /dev/zero >d/e/zeroes && tar --format=%s --owner=:70 --group=:80 "
		"--mtime=@1000000000 -cf ../tar . ",
		name, format);
	run(command);
	data = read_whole("/tmp/burrow-tar/tar", &bytes);
	file_tree_init(&tree, UINT64_MAX, false);
	CHECK(tar_read(&tree, data, bytes, &at) == NULL);
	write_image(&tree);
	check_text("/a", "hello");
	CHECK_EQUAL(inode_at("/a").nid, inode_at("/d/hard").nid);
	CHECK_EQUAL(inode_at("/a").uid, 70);
	CHECK_EQUAL(inode_at("/a").gid, 80);
	CHECK_EQUAL(inode_at("/a").mtime_ns, 1000000000000000000);
	CHECK_EQUAL(inode_at("/d/e/zeroes").size, 9999);
	check_text("/link", "a");
	snprintf(command, sizeof(command), "/d/%s", name);
	check_text(command, "long");
	for (uint64_t cut = 600; cut < bytes; cut += 777) {
		uint8_t *copy = malloc(cut);

		memcpy(copy, data, cut);
		file_tree_init(&tree, UINT64_MAX, false);
		(void)tar_read(&tree, copy, cut, &at);
		free(copy);
	}
	free(data);
}

TEST(archives_of_container_trees)
{
	check_tar("gnu");
	check_tar("pax");
	run("rm -rf /tmp/burrow-tar");
}

static void check_refused(const char *options)
{
	struct file_tree tree;
	char command[300];
	uint64_t bytes, at;
	uint8_t *data;

	snprintf(command, sizeof(command),
		"mkdir -p /tmp/burrow-tar && cd /tmp/burrow-tar && printf x >x && "
		"tar -P -cf tar %s 2>/dev/null",
		options);
	run(command);
	data = read_whole("/tmp/burrow-tar/tar", &bytes);
	file_tree_init(&tree, UINT64_MAX, false);
	CHECK(tar_read(&tree, data, bytes, &at) != NULL);
	free(data);
}

TEST(names_that_lead_out_are_refused)
{
	struct file_tree tree;
	uint64_t at;

	check_refused("/tmp/burrow-tar/x");
	check_refused("../burrow-tar/x");
	check_refused("--transform=s,x,a/../../x, x");
	file_tree_init(&tree, UINT64_MAX, false);
	CHECK(tar_read(&tree, (const uint8_t *)"hello", 5, &at) != NULL);
	run("rm -rf /tmp/burrow-tar");
}
