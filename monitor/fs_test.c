/*
 * The FUSE server against a temporary directory: what a good guest does, what a bad one tries,
 * and a host that changes things meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/test.h"
#include "monitor/fs_server.h"

#define REPLY_BYTES 65536

struct rig {
	char path[64];
	struct fs_server server;
	int fd; /* of the directory, for the test itself */
	size_t reply_bytes;
	union {
		uint64_t align;
		uint8_t bytes[REPLY_BYTES];
	} reply; /* behind the header */
};

static void start(struct rig *rig, bool read_only, unsigned descriptors)
{
	strcpy(rig->path, "/tmp/burrow-fs-test-XXXXXX");
	CHECK(mkdtemp(rig->path) != NULL);
	rig->fd = open(rig->path, O_RDONLY | O_DIRECTORY);
	CHECK(rig->fd >= 0);
	CHECK(fs_server_init(
		&rig->server, open(rig->path, O_RDONLY | O_DIRECTORY), read_only, descriptors));
}

static void stop(struct rig *rig)
{
	char command[96];

	fs_server_destroy(&rig->server);
	close(rig->fd);
	snprintf(command, sizeof(command), "rm -rf %s", rig->path);
	CHECK_EQUAL(system(command), 0);
}

/* Sends a structure, then bytes (names with their NULs, data); returns 0 or -E. */
static int call(struct rig *rig, uint32_t operation, uint64_t node, const void *structure,
	size_t structure_bytes, const void *rest, size_t rest_bytes)
{
	static struct ring_request request;
	static struct fuse_reply reply;
	size_t bytes = sizeof(struct fuse_request) + structure_bytes + rest_bytes;
	struct fuse_request header = {
		.bytes = (uint32_t)bytes, .operation = operation, .unique = 7, .node = node};
	uint8_t *in = malloc(bytes);
	uint32_t given;

	CHECK(in != NULL);
	memcpy(in, &header, sizeof(header));
	if (structure_bytes)
		memcpy(in + sizeof(header), structure, structure_bytes);
	if (rest_bytes)
		memcpy(in + sizeof(header) + structure_bytes, rest, rest_bytes);
	/* In odd pieces, as a guest may. */
	request = (struct ring_request){.read_bytes = bytes,
		.read_count = 2,
		.write_count = 3,
		.write_bytes = sizeof(reply) + REPLY_BYTES};
	request.parts[0] = (struct iovec){in, 33};
	request.parts[1] = (struct iovec){in + 33, bytes - 33};
	request.parts[2] = (struct iovec){&reply, 9};
	request.parts[3] = (struct iovec){(uint8_t *)&reply + 9, sizeof(reply) - 9};
	request.parts[4] = (struct iovec){rig->reply.bytes, REPLY_BYTES};
	given = fs_serve(&rig->server, &request, false);
	if (given == FS_WOULD_BLOCK)
		given = fs_serve(&rig->server, &request, true);
	free(in);
	if (given == 0)
		return 0;
	CHECK_EQUAL(reply.unique, 7);
	CHECK_EQUAL(reply.bytes, given);
	rig->reply_bytes = given - sizeof(reply);
	return reply.error;
}

static int call_name(struct rig *rig, uint32_t operation, uint64_t node, const char *name)
{
	return call(rig, operation, node, NULL, 0, name, strlen(name) + 1);
}

static struct fuse_entry_reply *entry(struct rig *rig)
{
	return (void *)rig->reply.bytes;
}

/* The node of a name, or -E. */
static int64_t lookup(struct rig *rig, uint64_t node, const char *name)
{
	int error = call_name(rig, FUSE_LOOKUP, node, name);

	return error ? error : (int64_t)entry(rig)->node;
}

static int64_t open_node(struct rig *rig, uint64_t node, uint32_t flags)
{
	struct fuse_open request = {.flags = flags};
	int error = call(rig, FUSE_OPEN, node, &request, sizeof(request), NULL, 0);

	return error ? error
		     : (int64_t)((struct fuse_open_reply *)(void *)rig->reply.bytes)->handle;
}

static int64_t create(
	struct rig *rig, uint64_t node, const char *name, uint32_t flags, uint64_t *made)
{
	struct fuse_create request = {.flags = flags, .mode = S_IFREG | 04755};
	int error = call(rig, FUSE_CREATE, node, &request, sizeof(request), name, strlen(name) + 1);
	struct fuse_open_reply open;

	if (error)
		return error;
	memcpy(&open, rig->reply.bytes + sizeof(struct fuse_entry_reply), sizeof(open));
	if (made)
		*made = entry(rig)->node;
	return (int64_t)open.handle;
}

static int make_directory(struct rig *rig, uint64_t node, const char *name)
{
	struct fuse_mkdir request = {.mode = 0755};

	return call(rig, FUSE_MKDIR, node, &request, sizeof(request), name, strlen(name) + 1);
}

static int release(struct rig *rig, int64_t handle)
{
	struct fuse_release request = {.handle = (uint64_t)handle};

	return call(rig, FUSE_RELEASE, FUSE_ROOT, &request, sizeof(request), NULL, 0);
}

static int write_text(struct rig *rig, int64_t handle, const char *text, uint64_t offset)
{
	struct fuse_transfer request = {
		.handle = (uint64_t)handle, .offset = offset, .bytes = (uint32_t)strlen(text)};

	return call(rig, FUSE_WRITE, FUSE_ROOT, &request, sizeof(request), text, strlen(text));
}

static int read_some(struct rig *rig, int64_t handle, uint32_t bytes, uint64_t offset)
{
	struct fuse_transfer request = {
		.handle = (uint64_t)handle, .offset = offset, .bytes = bytes};
	int error = call(rig, FUSE_READ, FUSE_ROOT, &request, sizeof(request), NULL, 0);

	return error ? error : (int)rig->reply_bytes;
}

static int rename_name(struct rig *rig, uint64_t from, const char *old, uint64_t to,
	const char *new, uint32_t flags)
{
	struct fuse_rename2 request = {.new_directory = to, .flags = flags};
	char names[512];
	size_t bytes = strlen(old) + 1;

	memcpy(names, old, bytes);
	memcpy(names + bytes, new, strlen(new) + 1);
	return call(
		rig, FUSE_RENAME2, from, &request, sizeof(request), names, bytes + strlen(new) + 1);
}

/* ---- a good guest ------------------------------------------------------------------------ */

TEST(create_write_read_and_remove)
{
	static struct rig rig;
	uint64_t node;
	int64_t handle;
	struct stat status;

	start(&rig, false, 100);
	handle = create(&rig, FUSE_ROOT, "file", O_CREAT | O_WRONLY, &node);
	CHECK(handle >= 0);
	CHECK_EQUAL(write_text(&rig, handle, "hello", 3), 0);
	CHECK_EQUAL(read_some(&rig, handle, 100, 0), 8);
	CHECK(memcmp(rig.reply.bytes, "\0\0\0hello", 8) == 0);
	CHECK_EQUAL(release(&rig, handle), 0);
	CHECK_EQUAL(write_text(&rig, handle, "hello", 3), -EBADF);
	CHECK_EQUAL(fstatat(rig.fd, "file", &status, 0), 0);
	CHECK_EQUAL(status.st_mode & 07777, 0755 & ~022); /* of the test's umask; not set-uid */
	CHECK_EQUAL(lookup(&rig, FUSE_ROOT, "file"), node);
	CHECK_EQUAL(entry(&rig)->attributes.size, 8);
	CHECK_EQUAL(entry(&rig)->attributes.uid, 0);
	CHECK_EQUAL(call_name(&rig, FUSE_UNLINK, FUSE_ROOT, "file"), 0);
	CHECK_EQUAL(lookup(&rig, FUSE_ROOT, "file"), -ENOENT);
	stop(&rig);
}

TEST(file_is_found_again_after_its_descriptor_was_closed)
{
	static struct rig rig;
	int64_t nodes[20];
	char name[16];

	start(&rig, false, 2);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		CHECK_EQUAL(make_directory(&rig, i ? (uint64_t)nodes[i - 1] : FUSE_ROOT, name), 0);
		nodes[i] = (int64_t)entry(&rig)->node;
	}
	/* Deep first: all on the way have been closed. */
	CHECK_EQUAL(call(&rig, FUSE_GETATTR, (uint64_t)nodes[19], &(struct fuse_getattr){0},
			    sizeof(struct fuse_getattr), NULL, 0),
		0);
	CHECK(rig.server.nodes.open_count <= 22);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		CHECK_EQUAL(make_directory(&rig, FUSE_ROOT, name), 0);
		CHECK_EQUAL(make_directory(&rig, entry(&rig)->node, "y"), 0);
	}
	CHECK(rig.server.nodes.open_count <= 3);
	/* The host renames one above: it cannot be found from its place any more. */
	CHECK_EQUAL(renameat(rig.fd, "d0", rig.fd, "moved"), 0);
	CHECK_EQUAL(call(&rig, FUSE_GETATTR, (uint64_t)nodes[19], &(struct fuse_getattr){0},
			    sizeof(struct fuse_getattr), NULL, 0),
		-ESTALE);
	/* Looked up again, it is the same node and all below are found. */
	CHECK_EQUAL(lookup(&rig, FUSE_ROOT, "moved"), nodes[0]);
	CHECK_EQUAL(call(&rig, FUSE_GETATTR, (uint64_t)nodes[19], &(struct fuse_getattr){0},
			    sizeof(struct fuse_getattr), NULL, 0),
		0);
	stop(&rig);
}

TEST(nodes_follow_the_guests_renames)
{
	static struct rig rig;
	uint64_t file, directory;

	start(&rig, false, 0);
	CHECK_EQUAL(make_directory(&rig, FUSE_ROOT, "d"), 0);
	directory = entry(&rig)->node;
	CHECK_EQUAL(release(&rig, create(&rig, FUSE_ROOT, "a", O_CREAT | O_RDWR, &file)), 0);
	CHECK_EQUAL(release(&rig, create(&rig, directory, "b", O_CREAT | O_RDWR, NULL)), 0);
	CHECK_EQUAL(rename_name(&rig, FUSE_ROOT, "a", directory, "c", 0), 0);
	CHECK(open_node(&rig, file, O_RDONLY) >= 0);
	CHECK_EQUAL(rename_name(&rig, directory, "c", directory, "b", RENAME_EXCHANGE), 0);
	CHECK(open_node(&rig, file, O_RDONLY) >= 0);
	CHECK_EQUAL(rename_name(&rig, directory, "c", directory, "b", RENAME_NOREPLACE), -EEXIST);
	CHECK_EQUAL(rename_name(&rig, directory, "c", directory, "b", RENAME_WHITEOUT), -EINVAL);
	CHECK_EQUAL(rename_name(&rig, FUSE_ROOT, "d", directory, "e", 0), -EINVAL);
	stop(&rig);
}

TEST(forgotten_nodes_are_gone)
{
	static struct rig rig;
	struct {
		struct fuse_batch_forget header;
		struct fuse_forget_one one[3];
	} forget = {{.count = 1000}, {{FUSE_ROOT, 5}, {0, 1}, {99999, 1}}};
	int64_t node;

	start(&rig, false, 100);
	CHECK_EQUAL(make_directory(&rig, FUSE_ROOT, "d"), 0);
	node = lookup(&rig, FUSE_ROOT, "d");
	CHECK_EQUAL(call(&rig, FUSE_FORGET, (uint64_t)node, &(struct fuse_forget){1},
			    sizeof(struct fuse_forget), NULL, 0),
		0);
	CHECK_EQUAL(make_directory(&rig, (uint64_t)node, "x"), 0); /* one lookup is left */
	CHECK_EQUAL(call(&rig, FUSE_FORGET, entry(&rig)->node, &(struct fuse_forget){1},
			    sizeof(struct fuse_forget), NULL, 0),
		0);
	forget.one[1] = (struct fuse_forget_one){(uint64_t)node, UINT64_MAX};
	CHECK_EQUAL(call(&rig, FUSE_BATCH_FORGET, 0, &forget, sizeof(forget), NULL, 0), 0);
	CHECK_EQUAL(make_directory(&rig, (uint64_t)node, "y"), -ENOENT);
	CHECK_EQUAL(rig.server.nodes.live_count, 1);
	stop(&rig);
}

static int count_entries(struct rig *rig, int64_t handle, uint32_t operation, uint32_t bytes)
{
	struct fuse_transfer request = {.handle = (uint64_t)handle, .bytes = bytes};
	bool plus = operation == FUSE_READDIRPLUS;
	int count = 0;

	while (call(rig, operation, FUSE_ROOT, &request, sizeof(request), NULL, 0) == 0 &&
		rig->reply_bytes > 0) {
		for (size_t at = 0; at < rig->reply_bytes; count++) {
			const uint8_t *record = rig->reply.bytes + at;
			const struct fuse_dirent *dirent;

			if (plus)
				record += sizeof(struct fuse_entry_reply);
			dirent = (const void *)record;
			request.offset = dirent->next;
			at += ALIGN_UP(sizeof(*dirent) + dirent->name_bytes, 8) +
			      (plus ? sizeof(struct fuse_entry_reply) : 0);
		}
	}
	return count;
}

TEST(directories_are_listed_in_pieces)
{
	static struct rig rig;
	struct fuse_open_reply open;
	char name[16];

	start(&rig, false, 100);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		CHECK_EQUAL(mknodat(rig.fd, name, S_IFREG | 0644, 0), 0);
	}
	CHECK_EQUAL(call(&rig, FUSE_OPENDIR, FUSE_ROOT, &(struct fuse_open){0},
			    sizeof(struct fuse_open), NULL, 0),
		0);
	memcpy(&open, rig.reply.bytes, sizeof(open));
	CHECK_EQUAL(count_entries(&rig, (int64_t)open.handle, FUSE_READDIR, 4096), 302);
	CHECK_EQUAL(count_entries(&rig, (int64_t)open.handle, FUSE_READDIRPLUS, 1000), 302);
	CHECK_EQUAL(rig.server.nodes.live_count, 301);
	CHECK_EQUAL(read_some(&rig, (int64_t)open.handle, 10, 0), -EBADF);
	stop(&rig);
}

TEST(attributes_are_set)
{
	static struct rig rig;
	struct fuse_setattr set = {.valid = FUSE_SET_SIZE | FUSE_SET_MODE | FUSE_SET_MTIME,
		.size = 1000,
		.mode = 06640,
		.mtime = 1000000000,
		.mtime_ns = 5};
	struct stat status;
	uint64_t node;

	start(&rig, false, 100);
	CHECK_EQUAL(release(&rig, create(&rig, FUSE_ROOT, "a", O_CREAT | O_RDWR, &node)), 0);
	CHECK_EQUAL(call(&rig, FUSE_SETATTR, node, &set, sizeof(set), NULL, 0), 0);
	CHECK_EQUAL(fstatat(rig.fd, "a", &status, 0), 0);
	CHECK_EQUAL(status.st_size, 1000);
	CHECK_EQUAL(status.st_mode & 07777, 0640);
	CHECK_EQUAL(status.st_mtim.tv_sec, 1000000000);
	CHECK_EQUAL(status.st_mtim.tv_nsec, 5);
	set.size = UINT64_MAX;
	CHECK_EQUAL(call(&rig, FUSE_SETATTR, node, &set, sizeof(set), NULL, 0), -EINVAL);
	stop(&rig);
}

/* ---- a bad guest ---------------------------------------------------------------------------- */

TEST(nothing_outside_is_reached)
{
	static const char *const names[] = {"..", ".", "a/b", "/etc", "/", "d/..", "../x"};
	static struct rig rig;
	int64_t link;

	start(&rig, false, 100);
	CHECK_EQUAL(symlinkat("/etc", rig.fd, "etc"), 0);
	CHECK_EQUAL(symlinkat("../../etc/passwd", rig.fd, "passwd"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_EQUAL(lookup(&rig, FUSE_ROOT, names[i]), -EINVAL);
		CHECK_EQUAL(call_name(&rig, FUSE_UNLINK, FUSE_ROOT, names[i]), -EINVAL);
		CHECK_EQUAL(make_directory(&rig, FUSE_ROOT, names[i]), -EINVAL);
		CHECK_EQUAL(create(&rig, FUSE_ROOT, names[i], O_CREAT, NULL), -EINVAL);
		CHECK_EQUAL(rename_name(&rig, FUSE_ROOT, "etc", FUSE_ROOT, names[i], 0), -EINVAL);
	}
	/* Links are links, whatever they lead to. */
	link = lookup(&rig, FUSE_ROOT, "etc");
	CHECK(S_ISLNK(entry(&rig)->attributes.mode));
	CHECK_EQUAL(lookup(&rig, (uint64_t)link, "passwd"), -ENOTDIR);
	CHECK_EQUAL(create(&rig, (uint64_t)link, "x", O_CREAT | O_RDWR, NULL), -ENOTDIR);
	CHECK_EQUAL(open_node(&rig, (uint64_t)link, O_RDONLY), -EACCES);
	CHECK_EQUAL(create(&rig, FUSE_ROOT, "passwd", O_CREAT | O_RDONLY, NULL), -EACCES);
	link = lookup(&rig, FUSE_ROOT, "passwd");
	CHECK_EQUAL(open_node(&rig, (uint64_t)link, O_RDONLY), -EACCES);
	CHECK_EQUAL(lookup(&rig, FUSE_ROOT, ""), -ENOENT);
	stop(&rig);
}

TEST(file_replaced_by_a_link_is_not_followed)
{
	static struct rig rig;
	int64_t node, directory;

	start(&rig, false, 0); /* nothing stays open */
	CHECK_EQUAL(mknodat(rig.fd, "f", S_IFREG | 0644, 0), 0);
	CHECK_EQUAL(mkdirat(rig.fd, "d", 0755), 0);
	node = lookup(&rig, FUSE_ROOT, "f");
	directory = lookup(&rig, FUSE_ROOT, "d");
	CHECK_EQUAL(unlinkat(rig.fd, "f", 0), 0);
	CHECK_EQUAL(unlinkat(rig.fd, "d", AT_REMOVEDIR), 0);
	CHECK_EQUAL(symlinkat("/etc/passwd", rig.fd, "f"), 0);
	CHECK_EQUAL(symlinkat("/etc", rig.fd, "d"), 0);
	CHECK_EQUAL(open_node(&rig, (uint64_t)node, O_RDONLY), -ESTALE);
	CHECK_EQUAL(lookup(&rig, (uint64_t)directory, "passwd"), -ESTALE);
	stop(&rig);
}

TEST(devices_are_neither_made_nor_opened)
{
	static struct rig rig;
	struct fuse_mknod request = {.mode = S_IFCHR | 0666, .rdev = 0x103};
	int64_t node;

	start(&rig, false, 100);
	CHECK_EQUAL(
		call(&rig, FUSE_MKNOD, FUSE_ROOT, &request, sizeof(request), "null", 5), -EPERM);
	request.mode = S_IFBLK | 0666;
	CHECK_EQUAL(
		call(&rig, FUSE_MKNOD, FUSE_ROOT, &request, sizeof(request), "disk", 5), -EPERM);
	request.mode = S_IFIFO | 0666;
	CHECK_EQUAL(call(&rig, FUSE_MKNOD, FUSE_ROOT, &request, sizeof(request), "pipe", 5), 0);
	CHECK_EQUAL(open_node(&rig, entry(&rig)->node, O_WRONLY), -EACCES);
	CHECK_EQUAL(create(&rig, FUSE_ROOT, "pipe", O_CREAT | O_WRONLY, NULL), -EACCES);
	if (mknodat(rig.fd, "null", S_IFCHR | 0666, makedev(1, 3)) == 0) { /* as root only */
		node = lookup(&rig, FUSE_ROOT, "null");
		CHECK(node > 0);
		CHECK_EQUAL(entry(&rig)->attributes.rdev, 0x103);
		CHECK_EQUAL(open_node(&rig, (uint64_t)node, O_RDWR), -EACCES);
	}
	stop(&rig);
}

TEST(read_only_directories_do_not_change)
{
	static struct rig rig;
	struct fuse_setattr set = {.valid = FUSE_SET_MODE};
	struct fuse_fallocate allocate = {.bytes = 10};
	struct fuse_link link = {0};
	int64_t node, handle;

	start(&rig, true, 100);
	CHECK_EQUAL(mknodat(rig.fd, "f", S_IFREG | 0644, 0), 0);
	node = lookup(&rig, FUSE_ROOT, "f");
	CHECK_EQUAL(create(&rig, FUSE_ROOT, "f", O_CREAT | O_RDONLY, NULL), -EROFS);
	CHECK_EQUAL(make_directory(&rig, FUSE_ROOT, "d"), -EROFS);
	CHECK_EQUAL(call_name(&rig, FUSE_UNLINK, FUSE_ROOT, "f"), -EROFS);
	CHECK_EQUAL(rename_name(&rig, FUSE_ROOT, "f", FUSE_ROOT, "g", 0), -EROFS);
	CHECK_EQUAL(call(&rig, FUSE_SETATTR, (uint64_t)node, &set, sizeof(set), NULL, 0), -EROFS);
	link.target = (uint64_t)node;
	CHECK_EQUAL(call(&rig, FUSE_LINK, FUSE_ROOT, &link, sizeof(link), "g", 2), -EROFS);
	CHECK_EQUAL(open_node(&rig, (uint64_t)node, O_RDWR), -EROFS);
	CHECK_EQUAL(open_node(&rig, (uint64_t)node, O_RDONLY | O_TRUNC), -EROFS);
	handle = open_node(&rig, (uint64_t)node, O_RDONLY);
	CHECK(handle >= 0);
	CHECK_EQUAL(write_text(&rig, handle, "x", 0), -EROFS);
	allocate.handle = (uint64_t)handle;
	CHECK_EQUAL(call(&rig, FUSE_FALLOCATE, FUSE_ROOT, &allocate, sizeof(allocate), NULL, 0),
		-EROFS);
	stop(&rig);
}

TEST(nonsense_is_refused)
{
	static struct rig rig;
	static struct ring_request request;
	struct fuse_transfer transfer = {.handle = 0, .bytes = 100};
	struct fuse_request header = {.bytes = 1000, .operation = FUSE_LOOKUP, .node = 1};
	struct fuse_reply reply = {0};
	char long_name[300];

	start(&rig, false, 100);
	memset(long_name, 'a', sizeof(long_name));
	CHECK_EQUAL(call(&rig, FUSE_LOOKUP, FUSE_ROOT, NULL, 0, long_name, 300), -ENAMETOOLONG);
	CHECK_EQUAL(call(&rig, FUSE_LOOKUP, FUSE_ROOT, NULL, 0, "abc", 3), -EINVAL); /* no NUL */
	CHECK_EQUAL(lookup(&rig, 0, "x"), -ENOENT);
	CHECK_EQUAL(lookup(&rig, UINT64_MAX, "x"), -ENOENT);
	CHECK_EQUAL(lookup(&rig, 2, "x"), -ENOENT);
	CHECK_EQUAL(call(&rig, 9999, FUSE_ROOT, NULL, 0, "x", 2), -ENOSYS);
	CHECK_EQUAL(call(&rig, FUSE_READ, FUSE_ROOT, &transfer, 8, NULL, 0), -EINVAL);
	CHECK_EQUAL(call(&rig, FUSE_READ, FUSE_ROOT, &transfer, sizeof(transfer), NULL, 0), -EBADF);
	transfer.handle = (uint64_t)create(&rig, FUSE_ROOT, "f", O_CREAT | O_RDWR, NULL);
	transfer.offset = UINT64_MAX;
	CHECK_EQUAL(
		call(&rig, FUSE_READ, FUSE_ROOT, &transfer, sizeof(transfer), NULL, 0), -EINVAL);
	transfer.offset = 0; /* says 100 bytes and brings 5 */
	CHECK_EQUAL(call(&rig, FUSE_WRITE, FUSE_ROOT, &transfer, sizeof(transfer), "hello", 5),
		-EINVAL);
	/* Says that it is longer than it is. */
	request = (struct ring_request){.read_count = 1,
		.read_bytes = sizeof(header),
		.write_count = 1,
		.write_bytes = sizeof(reply)};
	request.parts[0] = (struct iovec){&header, sizeof(header)};
	request.parts[1] = (struct iovec){&reply, sizeof(reply)};
	CHECK_EQUAL(fs_serve(&rig.server, &request, true), sizeof(reply));
	CHECK_EQUAL(reply.error, -EINVAL);
	/* No room for an answer, or for a header of its own. */
	request.write_bytes = request.write_count = 0;
	CHECK_EQUAL(fs_serve(&rig.server, &request, true), 0);
	request.read_bytes = request.parts[0].iov_len = 10;
	CHECK_EQUAL(fs_serve(&rig.server, &request, true), 0);
	stop(&rig);
}

TEST(attributes_of_the_hosts_kernel_are_kept_away)
{
	static struct rig rig;
	struct fuse_setxattr set = {.bytes = 1};
	uint64_t node;

	start(&rig, false, 100);
	CHECK_EQUAL(release(&rig, create(&rig, FUSE_ROOT, "a", O_CREAT | O_RDWR, &node)), 0);
	CHECK_EQUAL(
		call(&rig, FUSE_SETXATTR, node, &set, sizeof(set), "security.capability\0x", 21),
		-EOPNOTSUPP);
	CHECK_EQUAL(call(&rig, FUSE_SETXATTR, node, &set, sizeof(set), "trusted.x\0x", 11),
		-EOPNOTSUPP);
	set.bytes = 1000;
	CHECK_EQUAL(call(&rig, FUSE_SETXATTR, node, &set, sizeof(set), "user.x\0x", 8), -E2BIG);
	stop(&rig);
}

TEST_DEFINE_MAIN
