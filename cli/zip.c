/* Reads zip archives: see cli/zip.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/zip.h"
#include "host/alloc.h"
#include "host/report.h"

/* APPNOTE 4.3.12 and 4.3.16: offsets of the fields used. */
#define END_MAGIC     0x06054b50u
#define END_BYTES     22u
#define END_COUNT     10u
#define END_START     16u
#define CENTRAL_MAGIC 0x02014b50u
#define CENTRAL_BYTES 46u
#define LOCAL_BYTES   30u

static uint32_t load16(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t load32(const uint8_t *at)
{
	return load16(at) | load16(at + 2) << 16;
}

/* One entry of the central directory; returns where the next one is, or 0: damaged. */
static uint64_t add_member(
	struct file_tree *tree, const uint8_t *data, uint64_t bytes, uint64_t at, const char *guest)
{
	const uint8_t *entry = data + at;
	uint64_t name_bytes, size, local, start;
	struct file_node *node;
	char *path;

	if (at > bytes || bytes - at < CENTRAL_BYTES || load32(entry) != CENTRAL_MAGIC)
		return 0;
	name_bytes = load16(entry + 28);
	size = load32(entry + 24);
	local = load32(entry + 42);
	if (load16(entry + 10) != 0 || name_bytes == 0 || name_bytes > bytes - at - CENTRAL_BYTES ||
		local > bytes || bytes - local < LOCAL_BYTES)
		return 0;
	start = local + LOCAL_BYTES + load16(data + local + 26) + load16(data + local + 28);
	if (start > bytes || size > bytes - start)
		return 0;
	path = alloc_text("%s/%.*s", guest, (int)name_bytes, (const char *)entry + CENTRAL_BYTES);
	if (path[strlen(path) - 1] != '/') {
		node = file_tree_put(tree, path, S_IFREG | 0644);
		node->data = data + start;
		node->bytes = size;
		file_tree_count(tree, size, path);
	}
	free(path);
	return at + CENTRAL_BYTES + name_bytes + load16(entry + 30) + load16(entry + 32);
}

static bool add_members(
	struct file_tree *tree, const uint8_t *data, uint64_t bytes, const char *guest)
{
	const uint8_t *end = data + bytes - END_BYTES; /* no comment */
	uint64_t at;

	if (bytes < END_BYTES || load32(end) != END_MAGIC)
		return false;
	at = load32(end + END_START);
	for (uint32_t i = 0; i < load16(end + END_COUNT); i++) {
		at = add_member(tree, data, bytes, at, guest);
		if (at == 0)
			return false;
	}
	return true;
}

void zip_add(struct file_tree *tree, const char *path, const char *guest)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *data;

	if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", path, strerror(errno));
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED || !add_members(tree, data, (uint64_t)status.st_size, guest))
		report_fail(STATUS_TOOL_FAILED, "%s: not a zip archive as Go makes it", path);
}
