/*
 * Unpacking a cpio archive ("newc", cpio(5)) over the root.
 *
 * Nothing is copied: files refer to their bytes in the archive, and names of plain
 * files to its text, for the archive lies in memory for ever. The archive is not
 * trusted: every length is checked against what is left.
 */
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define HEADER_BYTES 110
#define FIELD_COUNT  13
#define LINK_BUCKETS 64

enum field {
	FIELD_INODE,
	FIELD_MODE,
	FIELD_UID,
	FIELD_GID,
	FIELD_LINKS,
	FIELD_MTIME,
	FIELD_BYTES,
	FIELD_MAJOR,
	FIELD_MINOR,
	FIELD_RMAJOR,
	FIELD_RMINOR,
	FIELD_NAME_BYTES,
	FIELD_CHECK,
};

struct member {
	uint32_t fields[FIELD_COUNT];
	const char *name; /* ends in NUL */
	const uint8_t *data;
	size_t next; /* offset of the next header */
};

/* Files with several names, by inode: the names before the last carry no data. */
struct hard_link {
	struct hard_link *next;
	uint32_t inode, major, minor;
	struct vnode *vnode; /* with a reference */
};

struct unpacking {
	const uint8_t *archive;
	size_t bytes;
	struct path_entry *parent; /* of the last member, with a reference */
	const char *parent_path;
	size_t parent_bytes;
	struct hard_link *links[LINK_BUCKETS];
};

static bool parse_field(const uint8_t *text, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 8; i++) {
		uint32_t c = text[i], digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (c | 32) - 'a' + 10;
		else
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

static int parse_member(const struct unpacking *unpacking, size_t at, struct member *member)
{
	const uint8_t *header = unpacking->archive + at;
	size_t left = unpacking->bytes - at, name_end, data_start;
	uint32_t name_bytes;

	if (left < HEADER_BYTES ||
		(memcmp(header, "070701", 6) != 0 && memcmp(header, "070702", 6) != 0))
		return -LINUX_EINVAL;
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (!parse_field(header + 6 + 8 * i, &member->fields[i]))
			return -LINUX_EINVAL;
	}
	name_bytes = member->fields[FIELD_NAME_BYTES];
	if (name_bytes < 1 || name_bytes > LINUX_PATH_MAX || name_bytes > left - HEADER_BYTES)
		return -LINUX_EINVAL;
	member->name = (const char *)header + HEADER_BYTES;
	if (strnlen(member->name, name_bytes) != name_bytes - 1)
		return -LINUX_EINVAL;
	name_end = at + HEADER_BYTES + name_bytes;
	data_start = MIN(ALIGN_UP(name_end, 4), unpacking->bytes);
	if (member->fields[FIELD_BYTES] > unpacking->bytes - data_start)
		return -LINUX_EINVAL;
	member->data = unpacking->archive + data_start;
	member->next = MIN(ALIGN_UP(data_start + member->fields[FIELD_BYTES], 4), unpacking->bytes);
	return 0;
}

static struct vnode *make_link(const struct member *member)
{
	uint32_t bytes = member->fields[FIELD_BYTES];
	char *text = heap_alloc((size_t)bytes + 1);
	struct vnode *vnode;

	if (!text)
		return NULL;
	memcpy(text, member->data, bytes);
	text[bytes] = 0;
	vnode = memfs_new_link(&memfs_root, text);
	heap_free(text);
	return vnode;
}

static struct vnode *make_file(const struct member *member)
{
	struct vnode *vnode = memfs_new_file(&memfs_root, member->fields[FIELD_MODE] & 07777);

	if (vnode) {
		vnode->size = member->fields[FIELD_BYTES];
		memory_file_of(vnode)->cache.base = member->data;
		memory_file_of(vnode)->cache.base_bytes = vnode->size;
	}
	return vnode;
}

/* -EINVAL: what no archive should hold. */
static int make_node(const struct member *member, struct vnode **vnode)
{
	uint32_t mode = member->fields[FIELD_MODE];

	switch (mode & LINUX_S_IFMT) {
	case LINUX_S_IFREG:
		*vnode = make_file(member);
		break;
	case LINUX_S_IFDIR:
		*vnode = memfs_new_directory(&memfs_root, mode & 07777);
		break;
	case LINUX_S_IFLNK:
		if (member->fields[FIELD_BYTES] == 0 ||
			member->fields[FIELD_BYTES] >= LINUX_PATH_MAX ||
			memchr(member->data, 0, member->fields[FIELD_BYTES]))
			return -LINUX_EINVAL;
		*vnode = make_link(member);
		break;
	case LINUX_S_IFCHR:
	case LINUX_S_IFBLK:
	case LINUX_S_IFIFO:
	case LINUX_S_IFSOCK:
		*vnode = memfs_new_special(
			&memfs_root, mode & (LINUX_S_IFMT | 07777), NULL, NULL, NULL);
		if (*vnode)
			(*vnode)->rdev = device_number(
				member->fields[FIELD_RMAJOR], member->fields[FIELD_RMINOR]);
		break;
	default:
		return -LINUX_EINVAL;
	}
	if (!*vnode)
		return -LINUX_ENOMEM;
	(*vnode)->uid = member->fields[FIELD_UID];
	(*vnode)->gid = member->fields[FIELD_GID];
	(*vnode)->mtime_ns = (*vnode)->atime_ns = member->fields[FIELD_MTIME] * 1000000000ll;
	return 0;
}

/* The node of this name: a new one, or the one an earlier name of the file made. */
static int find_node(struct unpacking *unpacking, const struct member *member, struct vnode **vnode)
{
	const uint32_t *fields = member->fields;
	struct hard_link **bucket = &unpacking->links[fields[FIELD_INODE] % LINK_BUCKETS], *link;
	int error;

	if (fields[FIELD_LINKS] < 2 || !LINUX_S_ISTYPE(fields[FIELD_MODE], LINUX_S_IFREG))
		return make_node(member, vnode);
	for (link = *bucket; link; link = link->next) {
		if (link->inode != fields[FIELD_INODE] || link->major != fields[FIELD_MAJOR] ||
			link->minor != fields[FIELD_MINOR])
			continue;
		if (fields[FIELD_BYTES] > 0) {
			link->vnode->size = fields[FIELD_BYTES];
			memory_file_of(link->vnode)->cache.base = member->data;
			memory_file_of(link->vnode)->cache.base_bytes = fields[FIELD_BYTES];
		}
		link->vnode->nlink++;
		*vnode = vnode_acquire(link->vnode);
		return 0;
	}
	error = make_node(member, vnode);
	link = error ? NULL : heap_alloc(sizeof(*link));
	if (link) {
		*link = (struct hard_link){*bucket, fields[FIELD_INODE], fields[FIELD_MAJOR],
			fields[FIELD_MINOR], vnode_acquire(*vnode)};
		*bucket = link;
	}
	return error;
}

/* Members of one directory follow each other: its entry is kept. */
static int find_parent(struct unpacking *unpacking, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t bytes = slash ? (size_t)(slash - path) + 1 : 0;
	int error;

	if (unpacking->parent && bytes == unpacking->parent_bytes &&
		memcmp(path, unpacking->parent_path, bytes) == 0 && path[bytes]) {
		*name = path + bytes;
		return 0;
	}
	if (unpacking->parent)
		path_entry_release(unpacking->parent);
	unpacking->parent = NULL;
	unpacking->parent_path = path;
	unpacking->parent_bytes = bytes;
	error = tree_fill_parent(path, &unpacking->parent, name);
	if (error)
		unpacking->parent = NULL;
	return error;
}

static int unpack_member(struct unpacking *unpacking, const struct member *member)
{
	struct vnode *vnode;
	const char *name;
	size_t length;
	int error;

	if (strcmp(member->name, ".") == 0 || strcmp(member->name, "/") == 0)
		return 0;
	error = find_parent(unpacking, member->name, &name);
	if (error)
		return error;
	length = strlen(name);
	if (length > LINUX_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -LINUX_EINVAL;
	error = find_node(unpacking, member, &vnode);
	if (error)
		return error;
	return tree_fill_put_at(unpacking->parent, name, length, vnode, true);
}

static void forget(struct unpacking *unpacking)
{
	if (unpacking->parent)
		path_entry_release(unpacking->parent);
	for (int i = 0; i < LINK_BUCKETS; i++) {
		while (unpacking->links[i]) {
			struct hard_link *link = unpacking->links[i];

			unpacking->links[i] = link->next;
			vnode_release(link->vnode);
			heap_free(link);
		}
	}
}

int vfs_unpack_cpio(const void *archive, size_t bytes)
{
	struct unpacking unpacking = {.archive = archive, .bytes = bytes};
	struct member member;
	size_t at = 0;
	int error = 0;

	mutex_lock(&tree.lock);
	while (!error && at < bytes) {
		error = parse_member(&unpacking, at, &member);
		if (!error && strcmp(member.name, "TRAILER!!!") == 0)
			break;
		if (!error)
			error = unpack_member(&unpacking, &member);
		if (error)
			log_notice("the archive of files is broken at byte %llu",
				(unsigned long long)at);
		else
			at = member.next;
	}
	mutex_unlock(&tree.lock);
	forget(&unpacking);
	return error;
}
