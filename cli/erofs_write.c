/* Writes EROFS images: see cli/erofs_write.h, and abi/erofs.h for the format. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/erofs.h"
#include "cli/erofs_write.h"
#include "host/alloc.h"
#include "host/report.h"

#define INODE_BYTES       sizeof(struct erofs_inode_extended)
#define LARGEST_WITH_TAIL (64u << 10)

struct writing {
	struct file_tree *tree;
	struct file_node **nodes; /* inodes, in their order; [0] is the root */
	struct file_node **parents;
	size_t count, capacity;
	uint64_t meta_end, blocks;
	uint8_t *image;
	const char *name;
};

static uint64_t blocks_of(uint64_t bytes)
{
	return (bytes + EROFS_BLOCK_BYTES - 1) >> EROFS_BLOCK_SHIFT;
}

/* ---- directories: names in their order ---------------------------------------- */

struct entry {
	const char *name;
	const struct file_node *node;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Of the node that stands for the file. */
static const struct file_node *inode_of(const struct file_node *node)
{
	return node->same_file != NULL ? node->same_file : node;
}

static struct entry *list_entries(const struct file_node *directory, const struct file_node *parent)
{
	struct entry *entries = alloc_zeroed((directory->child_count + 2) * sizeof(*entries));

	entries[0] = (struct entry){".", directory};
	entries[1] = (struct entry){"..", parent};
	for (size_t i = 0; i < directory->child_count; i++)
		entries[i + 2] = (struct entry){
			directory->children[i]->name, inode_of(directory->children[i])};
	qsort(entries, directory->child_count + 2, sizeof(*entries), by_name);
	return entries;
}

static uint8_t type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EROFS_TYPE_FILE;
	case S_IFDIR:
		return EROFS_TYPE_DIRECTORY;
	case S_IFCHR:
		return EROFS_TYPE_CHARACTER;
	case S_IFBLK:
		return EROFS_TYPE_BLOCK;
	case S_IFIFO:
		return EROFS_TYPE_FIFO;
	case S_IFSOCK:
		return EROFS_TYPE_SOCKET;
	case S_IFLNK:
		return EROFS_TYPE_LINK;
	default:
		return EROFS_TYPE_UNKNOWN;
	}
}

/* How many of the entries fill the next block; *bytes of it. */
static size_t fit_block(const struct entry *entries, size_t count, uint64_t *bytes)
{
	size_t fitting = 0;

	for (*bytes = 0; fitting < count; fitting++) {
		uint64_t more = sizeof(struct erofs_dirent) + strlen(entries[fitting].name);

		if (*bytes + more > EROFS_BLOCK_BYTES)
			break;
		*bytes += more;
	}
	return fitting;
}

static void write_block(uint8_t *block, const struct entry *entries, size_t count)
{
	uint64_t name_at = count * sizeof(struct erofs_dirent);

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(entries[i].name);
		struct erofs_dirent entry = {.nid = entries[i].node->offset / EROFS_SLOT_BYTES,
			.name_offset = (uint16_t)name_at,
			.type = type_of(entries[i].node->mode)};

		memcpy(block + i * sizeof(entry), &entry, sizeof(entry));
		memcpy(block + name_at, entries[i].name, length);
		name_at += length;
	}
}

static uint64_t directory_bytes(struct file_node *directory, const struct file_node *parent)
{
	struct entry *entries = list_entries(directory, parent);
	size_t count = directory->child_count + 2, done = 0;
	uint64_t bytes = 0, last = 0;

	while (done < count) {
		bytes = ALIGN_UP(bytes, EROFS_BLOCK_BYTES);
		done += fit_block(entries + done, count - done, &last);
		bytes += last;
	}
	free(entries);
	return bytes;
}

/* ---- attributes ------------------------------------------------------------------- */

static const struct {
	const char *text;
	uint8_t prefix;
} prefixes[] = {{"user.", EROFS_XATTR_USER}, {"trusted.", EROFS_XATTR_TRUSTED},
	{"security.", EROFS_XATTR_SECURITY}};

/* The name after its prefix; NULL: one that EROFS does not know. */
static const char *split_name(const char *name, uint8_t *prefix)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t length = strlen(prefixes[i].text);

		*prefix = prefixes[i].prefix;
		if (strncmp(name, prefixes[i].text, length) == 0)
			return name + length;
	}
	return NULL;
}

/* Writes them if `to` is not NULL. Returns bytes; 0: none. */
static uint32_t xattrs(const struct file_node *node, uint8_t *to)
{
	uint32_t at = sizeof(struct erofs_xattr_header);

	for (const struct file_xattr *xattr = node->xattrs; xattr != NULL; xattr = xattr->next) {
		struct erofs_xattr_entry entry;
		const char *name = split_name(xattr->name, &entry.prefix);

		if (name == NULL)
			continue;
		entry.name_bytes = (uint8_t)strlen(name);
		entry.value_bytes = (uint16_t)xattr->bytes;
		if (to != NULL) {
			memcpy(to + at, &entry, sizeof(entry));
			memcpy(to + at + sizeof(entry), name, entry.name_bytes);
			memcpy(to + at + sizeof(entry) + entry.name_bytes, xattr->value,
				xattr->bytes);
		}
		at += (uint32_t)ALIGN_UP(sizeof(entry) + entry.name_bytes + entry.value_bytes, 4);
	}
	return at > sizeof(struct erofs_xattr_header) ? at : 0;
}

/* ---- where everything goes ---------------------------------------------------------- */

static void append(struct writing *writing, struct file_node *node, struct file_node *parent)
{
	if (writing->count == writing->capacity) {
		writing->capacity = MAX(1024, 2 * writing->capacity);
		writing->nodes =
			realloc(writing->nodes, writing->capacity * sizeof(writing->nodes[0]));
		writing->parents =
			realloc(writing->parents, writing->capacity * sizeof(writing->parents[0]));
		if (writing->nodes == NULL || writing->parents == NULL)
			report_fail(STATUS_TOOL_FAILED, "out of memory");
	}
	writing->nodes[writing->count] = node;
	writing->parents[writing->count++] = parent;
}

/* Level by level. */
static void list_nodes(struct writing *writing)
{
	append(writing, &writing->tree->root, &writing->tree->root);
	for (size_t i = 0; i < writing->count; i++) {
		struct file_node *directory = writing->nodes[i];

		directory->directories = 0;
		for (size_t j = 0; j < directory->child_count; j++) {
			struct file_node *child = directory->children[j];

			child->links = 0;
			if (child->same_file == NULL)
				append(writing, child, directory);
			directory->directories += S_ISDIR(child->mode) ? 1 : 0;
		}
	}
	for (size_t i = 0; i < writing->count; i++) {
		for (size_t j = 0; j < writing->nodes[i]->child_count; j++) {
			struct file_node *child = writing->nodes[i]->children[j];

			(child->same_file != NULL ? child->same_file : child)->links++;
		}
	}
}

/* A file whose node was replaced after another name was added: that name takes its place. */
static void adopt_lost_files(struct writing *writing)
{
	for (size_t i = 0; i < writing->count; i++) {
		for (size_t j = 0; j < writing->nodes[i]->child_count; j++) {
			struct file_node *child = writing->nodes[i]->children[j];

			if (child->same_file != NULL && child->same_file->offset == 0) {
				child->same_file->offset = 1; /* listed */
				append(writing, child->same_file, writing->nodes[i]);
			}
		}
	}
}

static uint64_t place_inode(struct file_node *node, uint64_t at)
{
	uint64_t head, tail, bytes;

	node->xattr_bytes = xattrs(node, NULL);
	head = INODE_BYTES + node->xattr_bytes;
	tail = node->bytes > 0 ? (node->bytes - 1) % EROFS_BLOCK_BYTES + 1 : 0;
	node->is_inline = tail > 0 && head + tail <= EROFS_BLOCK_BYTES &&
			  (node->bytes <= LARGEST_WITH_TAIL || !S_ISREG(node->mode));
	bytes = node->is_inline ? head + tail : INODE_BYTES;
	if (at % EROFS_BLOCK_BYTES + bytes > EROFS_BLOCK_BYTES)
		at = ALIGN_UP(at, EROFS_BLOCK_BYTES);
	node->offset = at;
	return ALIGN_UP(at + (node->is_inline ? head + tail : head), EROFS_SLOT_BYTES);
}

static void plan(struct writing *writing)
{
	uint64_t at = EROFS_BLOCK_BYTES; /* the first block is the superblock's */

	list_nodes(writing);
	for (size_t i = 0; i < writing->count; i++)
		writing->nodes[i]->offset = 1;
	adopt_lost_files(writing);
	for (size_t i = 0; i < writing->count; i++) {
		struct file_node *node = writing->nodes[i];

		if (S_ISDIR(node->mode))
			node->bytes = directory_bytes(node, writing->parents[i]);
		at = place_inode(node, at);
	}
	writing->blocks = writing->meta_end = blocks_of(at);
	for (size_t i = 0; i < writing->count; i++) {
		struct file_node *node = writing->nodes[i];

		node->block = writing->blocks;
		writing->blocks += blocks_of(node->bytes) - (node->is_inline ? 1 : 0);
	}
	if (writing->blocks > UINT32_MAX)
		report_fail(STATUS_TOOL_FAILED, "%s: the image would be too large", writing->name);
}

/* ---- writing --------------------------------------------------------------------------- */

/* Where byte `offset` of the contents goes, and how many follow it there. */
static uint8_t *place_of(const struct writing *writing, const struct file_node *node,
	uint64_t offset, uint64_t *bytes)
{
	uint64_t tail_start =
		node->is_inline ? ALIGN_DOWN(node->bytes - 1, EROFS_BLOCK_BYTES) : node->bytes;

	if (offset < tail_start) {
		*bytes = tail_start - offset;
		return writing->image + (node->block << EROFS_BLOCK_SHIFT) + offset;
	}
	*bytes = node->bytes - offset;
	return writing->image + node->offset + INODE_BYTES + node->xattr_bytes +
	       (offset - tail_start);
}

/* A file that shrinks meanwhile ends in zeroes; what it grows by is not taken. */
static void copy_host_file(const struct writing *writing, const struct file_node *node)
{
	int fd = open(node->host, O_RDONLY | O_CLOEXEC);
	uint64_t offset = 0;

	if (fd < 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", node->host, strerror(errno));
	while (offset < node->bytes) {
		uint64_t bytes;
		uint8_t *to = place_of(writing, node, offset, &bytes);
		ssize_t got = read(fd, to, MIN(bytes, 1u << 30));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			report_fail(STATUS_TOOL_FAILED, "%s: %s", node->host, strerror(errno));
		if (got == 0)
			break;
		offset += (uint64_t)got;
	}
	close(fd);
}

static void write_contents(const struct writing *writing, const struct file_node *node)
{
	uint64_t offset = 0, bytes;

	if (node->host != NULL) {
		copy_host_file(writing, node);
		return;
	}
	for (; node->data != NULL && offset < node->bytes; offset += bytes) {
		uint8_t *to = place_of(writing, node, offset, &bytes);

		memcpy(to, (const uint8_t *)node->data + offset, bytes);
	}
}

static void write_directory(const struct writing *writing, const struct file_node *directory,
	const struct file_node *parent)
{
	struct entry *entries = list_entries(directory, parent);
	size_t count = directory->child_count + 2, done = 0;
	uint64_t offset = 0, bytes;

	while (done < count) {
		size_t fitting = fit_block(entries + done, count - done, &bytes);

		write_block(place_of(writing, directory, offset, &bytes), entries + done, fitting);
		offset += EROFS_BLOCK_BYTES;
		done += fitting;
	}
	free(entries);
}

static void write_inode(const struct writing *writing, size_t index)
{
	const struct file_node *node = writing->nodes[index];
	uint8_t *to = writing->image + node->offset;
	enum erofs_layout layout = node->is_inline ? EROFS_INLINE : EROFS_PLAIN;
	struct erofs_inode_extended inode = {
		.format = (uint16_t)(EROFS_EXTENDED | layout << EROFS_LAYOUT_SHIFT),
		.mode = (uint16_t)node->mode,
		.bytes = node->bytes,
		.place = (uint32_t)node->block,
		.inode = (uint32_t)index + 1,
		.uid = node->uid,
		.gid = node->gid,
		.mtime_seconds = (uint64_t)MAX(node->mtime_seconds, 0),
		.mtime_nanoseconds = node->mtime_nanoseconds,
		.links = S_ISDIR(node->mode) ? 2 + node->directories : node->links,
	};

	if (writing->tree->is_timeless)
		inode.mtime_seconds = inode.mtime_nanoseconds = 0;
	if (S_ISCHR(node->mode) || S_ISBLK(node->mode))
		inode.place = node->device;
	if (node->xattr_bytes > 0)
		inode.xattr_count =
			(uint16_t)((node->xattr_bytes - sizeof(struct erofs_xattr_header)) / 4 + 1);
	memcpy(to, &inode, sizeof(inode));
	if (node->xattr_bytes > 0)
		(void)xattrs(node, to + sizeof(inode));
	if (S_ISDIR(node->mode))
		write_directory(writing, node, writing->parents[index]);
	else
		write_contents(writing, node);
}

static void write_super(const struct writing *writing)
{
	struct erofs_super super = {.magic = EROFS_MAGIC,
		.feature_compat = EROFS_COMPAT_MTIME,
		.block_shift = EROFS_BLOCK_SHIFT,
		.root_nid = (uint16_t)(writing->nodes[0]->offset / EROFS_SLOT_BYTES),
		.inodes = writing->count,
		.blocks = (uint32_t)writing->blocks};

	memcpy(writing->image + EROFS_SUPER_OFFSET, &super, sizeof(super));
}

uint64_t erofs_write(struct file_tree *tree, int fd, const char *name)
{
	struct writing writing = {.tree = tree, .name = name};
	uint64_t bytes;
	int error;

	plan(&writing);
	bytes = writing.blocks << EROFS_BLOCK_SHIFT;
	/* All of it now: without space a write to the mapping would be a signal. */
	error = posix_fallocate(fd, 0, (off_t)bytes);
	if (error == EOPNOTSUPP && ftruncate(fd, (off_t)bytes) == 0)
		error = 0;
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", name, strerror(error));
	writing.image = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (writing.image == MAP_FAILED)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", name, strerror(errno));
	for (size_t i = 0; i < writing.count; i++)
		write_inode(&writing, i);
	write_super(&writing);
	munmap(writing.image, bytes);
	free(writing.nodes);
	free(writing.parents);
	return bytes;
}
