/* Paths that tmpfs cannot be asked about: limits, openat2, listings, archives. */
#include "arch/host/fake_log.h"
#include "arch/host/fake_tree.h"
#include "kernel/fs/inotify.h"
#include "kernel/fs/memfs.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/heap.h"
#include "lib/test.h"

#include <string.h>

TEST_DEFINE_MAIN

#define CURRENT LINUX_AT_FDCWD

static int open_path(const char *path, uint32_t flags, uint64_t resolve)
{
	struct file *file;
	int error = vfs_open(CURRENT, path, flags, 0644, resolve, &file);

	if (!error)
		file_release(file);
	return error;
}

TEST(links_and_lengths)
{
	char name[300], link[8], target[8];

	fake_tree_start(64 << 20);
	memset(name, 'n', sizeof(name));
	name[255] = 0;
	CHECK_EQUAL(vfs_mkdir(CURRENT, name, 0755), 0);
	name[255] = 'n';
	name[256] = 0;
	CHECK_EQUAL(vfs_mkdir(CURRENT, name, 0755), -LINUX_ENAMETOOLONG);
	CHECK_EQUAL(open_path("/f", LINUX_O_CREAT | LINUX_O_RDWR, 0), 0);
	for (int i = 0; i < 42; i++) {
		snprintf(link, sizeof(link), "l%d", i);
		snprintf(target, sizeof(target), i ? "l%d" : "f", i - 1);
		CHECK_EQUAL(vfs_symlink(target, CURRENT, link), 0);
	}
	CHECK_EQUAL(open_path("l39", 0, 0), 0);
	CHECK_EQUAL(open_path("l40", 0, 0), -LINUX_ELOOP);
	CHECK_EQUAL(vfs_symlink("self", CURRENT, "self"), 0);
	CHECK_EQUAL(open_path("self", 0, 0), -LINUX_ELOOP);
	CHECK_EQUAL(open_path("self/x", LINUX_O_CREAT, 0), -LINUX_ELOOP);
	fake_tree_finish();
}

TEST(openat2_stays_where_told)
{
	fake_tree_start(64 << 20);
	CHECK_EQUAL(vfs_mkdir(CURRENT, "/jail", 0755), 0);
	CHECK_EQUAL(vfs_mkdir(CURRENT, "/jail/etc", 0755), 0);
	CHECK_EQUAL(open_path("/secret", LINUX_O_CREAT, 0), 0);
	CHECK_EQUAL(open_path("/jail/secret", LINUX_O_CREAT, 0), 0);
	CHECK_EQUAL(vfs_symlink("/secret", CURRENT, "/jail/absolute"), 0);
	CHECK_EQUAL(vfs_symlink("../secret", CURRENT, "/jail/up"), 0);
	CHECK_EQUAL(vfs_symlink("etc/../secret", CURRENT, "/jail/inside"), 0);
	CHECK_EQUAL(vfs_change_directory(CURRENT, "/jail"), 0);
	CHECK_EQUAL(open_path("../secret", 0, LINUX_RESOLVE_BENEATH), -LINUX_EXDEV);
	CHECK_EQUAL(open_path("etc/../../secret", 0, LINUX_RESOLVE_BENEATH), -LINUX_EXDEV);
	CHECK_EQUAL(open_path("/secret", 0, LINUX_RESOLVE_BENEATH), -LINUX_EXDEV);
	CHECK_EQUAL(open_path("absolute", 0, LINUX_RESOLVE_BENEATH), -LINUX_EXDEV);
	CHECK_EQUAL(open_path("up", 0, LINUX_RESOLVE_BENEATH), -LINUX_EXDEV);
	CHECK_EQUAL(open_path("inside", 0, LINUX_RESOLVE_BENEATH), 0);
	CHECK_EQUAL(open_path("inside", 0, LINUX_RESOLVE_NO_SYMLINKS), -LINUX_ELOOP);
	CHECK_EQUAL(open_path("/../../secret", 0, LINUX_RESOLVE_IN_ROOT), 0);
	CHECK_EQUAL(open_path("up", 0, LINUX_RESOLVE_IN_ROOT), 0);
	CHECK_EQUAL(vfs_unlink(CURRENT, "/jail/secret", false), 0);
	CHECK_EQUAL(open_path("/secret", 0, LINUX_RESOLVE_IN_ROOT), -LINUX_ENOENT);
	CHECK_EQUAL(open_path("absolute", 0, LINUX_RESOLVE_IN_ROOT), -LINUX_ENOENT);
	fake_tree_finish();
}

TEST(mounts_do_not_move)
{
	fake_tree_start(64 << 20);
	CHECK_EQUAL(tree_fill_mount("/proc", &memfs_proc, 0555), 0);
	CHECK_EQUAL(vfs_unlink(CURRENT, "/proc", true), -LINUX_EBUSY);
	CHECK_EQUAL(vfs_rename(CURRENT, "/proc", CURRENT, "/p", 0), -LINUX_EBUSY);
	CHECK_EQUAL(vfs_rename(CURRENT, "/", CURRENT, "/p", 0), -LINUX_EBUSY);
	CHECK_EQUAL(open_path("/proc/x", LINUX_O_CREAT, 0), -LINUX_ENOENT);
	CHECK_EQUAL(vfs_mkdir(CURRENT, "/proc/x", 0755), -LINUX_ENOENT);
	CHECK_EQUAL(open_path("proc", 0, LINUX_RESOLVE_NO_XDEV), -LINUX_EXDEV);
	CHECK_EQUAL(open_path("/f", LINUX_O_CREAT, 0), 0);
	CHECK_EQUAL(vfs_link(CURRENT, "/f", CURRENT, "/proc/f", 0), -LINUX_ENOENT);
	CHECK_EQUAL(vfs_rename(CURRENT, "/f", CURRENT, "/proc/f", 0), -LINUX_EXDEV);
	fake_tree_finish();
}

/* ---- listings --------------------------------------------------------------- */

static int read_some(struct file *directory, char *buffer, size_t bytes)
{
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	return (int)directory->ops->read_directory(directory, &uio, &directory->offset);
}

TEST(renaming_while_listing_ends)
{
	char buffer[128], from[16], to[16];
	struct file *directory;
	int seen = 0, bytes;

	fake_tree_start(64 << 20);
	for (int i = 0; i < 100; i++) {
		snprintf(from, sizeof(from), "/n%d", i);
		CHECK_EQUAL(open_path(from, LINUX_O_CREAT, 0), 0);
	}
	CHECK_EQUAL(vfs_open(CURRENT, "/", LINUX_O_DIRECTORY, 0, 0, &directory), 0);
	while ((bytes = read_some(directory, buffer, sizeof(buffer))) > 0) {
		for (int at = 0; at < bytes;) {
			struct linux_dirent64 *record = (void *)(buffer + at);

			at += record->bytes;
			if (record->name[0] == '.')
				continue;
			seen++;
			snprintf(from, sizeof(from), "/%s", record->name);
			snprintf(to, sizeof(to), "/m%d", seen);
			CHECK_EQUAL(vfs_rename(CURRENT, from, CURRENT, to, 0), 0);
		}
	}
	CHECK_EQUAL(bytes, 0);
	CHECK_EQUAL(seen, 100);
	CHECK_EQUAL(read_some(directory, buffer, 3), 0);
	directory->offset = 0;
	CHECK_EQUAL(read_some(directory, buffer, 3), -LINUX_EINVAL);
	file_release(directory);
	fake_tree_finish();
}

TEST(removing_while_listing_misses_nothing)
{
	char buffer[256], name[16];
	struct file *directory;
	int seen = 0, bytes;

	fake_tree_start(64 << 20);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "/n%d", i);
		CHECK_EQUAL(open_path(name, LINUX_O_CREAT, 0), 0);
	}
	CHECK_EQUAL(vfs_open(CURRENT, "/", LINUX_O_DIRECTORY, 0, 0, &directory), 0);
	while ((bytes = read_some(directory, buffer, sizeof(buffer))) > 0) {
		for (int at = 0; at < bytes;) {
			struct linux_dirent64 *record = (void *)(buffer + at);

			at += record->bytes;
			if (record->name[0] == '.')
				continue;
			snprintf(name, sizeof(name), "/%s", record->name);
			CHECK_EQUAL(vfs_unlink(CURRENT, name, false), 0);
			seen++;
		}
	}
	CHECK_EQUAL(seen, 1000);
	file_release(directory);
	fake_tree_finish();
}

/* ---- archives ------------------------------------------------------------------ */

static size_t add_member(char *archive, size_t at, const char *name, unsigned mode, unsigned inode,
	unsigned links, const char *data)
{
	size_t bytes = strlen(data), name_bytes = strlen(name) + 1;

	at += (size_t)sprintf(archive + at,
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode, mode, 0u, 0u,
		links, 1000u, (unsigned)bytes, 0u, 0u, 0u, 0u, (unsigned)name_bytes, 0u);
	memcpy(archive + at, name, name_bytes);
	at = (at + name_bytes + 3) & ~3ul;
	memcpy(archive + at, data, bytes);
	return (at + bytes + 3) & ~3ul;
}

TEST(unpacks_archives)
{
	static char archive[8192], text[64];
	struct linux_stat stat;
	struct file *file;
	struct uio_part part;
	struct uio uio;
	uint64_t offset = 0;
	size_t bytes = 0;

	fake_tree_start(64 << 20);
	bytes = add_member(archive, bytes, ".", 040755, 1, 2, "");
	bytes = add_member(archive, bytes, "etc", 040700, 2, 2, "");
	bytes = add_member(archive, bytes, "etc/hosts", 0100644, 3, 1, "127.0.0.1 here\n");
	bytes = add_member(archive, bytes, "etc/one", 0100600, 4, 2, "");
	bytes = add_member(archive, bytes, "etc/two", 0100600, 4, 2, "both");
	bytes = add_member(archive, bytes, "./deep/er/file", 0100755, 5, 1, "x");
	bytes = add_member(archive, bytes, "link", 0120777, 6, 1, "etc/hosts");
	bytes = add_member(archive, bytes, "etc/hosts", 0100644, 7, 1, "127.0.0.1 there\n");
	bytes = add_member(archive, bytes, "TRAILER!!!", 0, 0, 1, "");
	CHECK_EQUAL(vfs_unpack_cpio(archive, bytes), 0);
	CHECK_EQUAL(vfs_stat(CURRENT, "/etc/one", 0, &stat), 0);
	CHECK_EQUAL(stat.size, 4);
	CHECK_EQUAL(stat.nlink, 2);
	CHECK_EQUAL(stat.mtime.seconds, 1000);
	CHECK_EQUAL(vfs_stat(CURRENT, "/etc", 0, &stat), 0);
	CHECK_EQUAL(stat.mode, 040700);
	CHECK_EQUAL(stat.nlink, 2);
	CHECK_EQUAL(vfs_stat(CURRENT, "/deep/er/file", 0, &stat), 0);
	/* Writing leaves the archive as it was. */
	CHECK_EQUAL(vfs_open(CURRENT, "/link", LINUX_O_RDWR, 0, 0, &file), 0);
	uio_init_kernel(&uio, &part, "9", 1);
	CHECK_EQUAL(file->ops->write(file, &uio, &offset), 1);
	offset = 0;
	uio_init_kernel(&uio, &part, text, sizeof(text));
	CHECK_EQUAL(file->ops->read(file, &uio, &offset), 16);
	CHECK(memcmp(text, "927.0.0.1 there\n", 16) == 0);
	CHECK(memmem(archive, bytes, "127.0.0.1 there", 15) != NULL);
	file_release(file);
	/* Cut anywhere it is an error or ends early, never worse. */
	for (size_t cut = 0; cut < bytes; cut += 3)
		vfs_unpack_cpio(archive, cut);
	CHECK_EQUAL(vfs_unpack_cpio("hello", 5), -LINUX_EINVAL);
	CHECK(strstr(fake_log_line, "broken") != NULL);
	fake_tree_finish();
}

/* ---- inotify ------------------------------------------------------------------- */

TEST(watches_tell)
{
	struct {
		int32_t watch;
		uint32_t mask, cookie, bytes;
		char name[16];
	} event;
	struct resolved where;
	struct file *inotify;
	struct uio_part part;
	struct uio uio;

	fake_tree_start(64 << 20);
	CHECK_EQUAL(inotify_create_file(LINUX_O_NONBLOCK, &inotify), 0);
	CHECK_EQUAL(path_resolve(CURRENT, "/", 0, 0, &where), 0);
	CHECK_EQUAL(inotify_add_watch(inotify, where.entry->vnode, 0), -LINUX_EINVAL);
	CHECK_EQUAL(inotify_add_watch(inotify, where.entry->vnode,
			    INOTIFY_CREATE | INOTIFY_DELETE | INOTIFY_MOVED_TO),
		1);
	resolved_release(&where);
	CHECK_EQUAL(inotify->ops->read(inotify, &uio, NULL), -LINUX_EAGAIN);
	CHECK_EQUAL(vfs_mkdir(CURRENT, "/d", 0755), 0);
	CHECK_EQUAL(vfs_rename(CURRENT, "/d", CURRENT, "/e", 0), 0);
	uio_init_kernel(&uio, &part, &event, sizeof(event));
	CHECK_EQUAL(inotify->ops->read(inotify, &uio, NULL), (long)sizeof(event));
	CHECK_EQUAL(event.mask, INOTIFY_CREATE | INOTIFY_ISDIR);
	CHECK(strcmp(event.name, "d") == 0);
	uio_init_kernel(&uio, &part, &event, sizeof(event) - 1);
	CHECK_EQUAL(inotify->ops->read(inotify, &uio, NULL), -LINUX_EINVAL);
	uio_init_kernel(&uio, &part, &event, sizeof(event));
	CHECK_EQUAL(inotify->ops->read(inotify, &uio, NULL), (long)sizeof(event));
	CHECK_EQUAL(event.mask, INOTIFY_MOVED_TO | INOTIFY_ISDIR);
	CHECK_EQUAL(inotify_remove_watch(inotify, 2), -LINUX_EINVAL);
	CHECK_EQUAL(inotify_remove_watch(inotify, 1), 0);
	CHECK_EQUAL(vfs_unlink(CURRENT, "/e", true), 0);
	uio_init_kernel(&uio, &part, &event, sizeof(event));
	CHECK_EQUAL(inotify->ops->read(inotify, &uio, NULL), 16);
	CHECK_EQUAL(event.mask, INOTIFY_IGNORED);
	file_release(inotify);
	fake_tree_finish();
}

/* ---- without memory ---------------------------------------------------------------- */

static void random_name(char path[32])
{
	snprintf(path, 32, random() % 2 ? "/%c" : "/%c/%c", (char)('a' + random() % 4),
		(char)('a' + random() % 4));
}

static void random_step(void)
{
	struct linux_stat values = {.size = random() % 20000};
	char a[32], b[32], data[9000] = "";
	struct file *file;
	struct uio_part part;
	struct uio uio;
	uint64_t offset = (uint64_t)random() % 30000;

	random_name(a);
	random_name(b);
	switch (random() % 9) {
	case 0:
		(void)vfs_mkdir(CURRENT, a, 0755);
		break;
	case 1:
		(void)vfs_unlink(CURRENT, a, random() % 2);
		break;
	case 2:
		(void)vfs_rename(CURRENT, a, CURRENT, b, random() % 3 == 0 ? 2 : 0);
		break;
	case 3:
		(void)vfs_link(CURRENT, a, CURRENT, b, 0);
		break;
	case 4:
		(void)vfs_symlink(a, CURRENT, b);
		break;
	case 5:
		(void)vfs_set_attributes(CURRENT, a, 0, VNODE_SIZE, &values);
		break;
	case 6:
		(void)tree_fill_put(a, memfs_new_directory(&memfs_root, 0755));
		break;
	default:
		if (vfs_open(CURRENT, a, LINUX_O_CREAT | LINUX_O_RDWR, 0644, 0, &file) != 0)
			break;
		uio_init_kernel(&uio, &part, data, sizeof(data));
		if (file->ops->write)
			(void)file->ops->write(file, &uio, &offset);
		if (random() % 4 == 0 && file->ops->allocate)
			(void)file->ops->allocate(file, random() % 2 ? 3 : 0, offset / 3, 7000);
		file_release(file);
	}
}

TEST(without_memory_nothing_is_lost)
{
	srandom(3);
	for (uint32_t period = 2; period < 40; period++) {
		/* Few pages too: files fill what they may have. */
		fake_tree_start(2 << 20);
		heap_inject_failures(period);
		for (int i = 0; i < 4000; i++)
			random_step();
		heap_inject_failures(0);
		fake_tree_finish();
	}
}
