/* Reads tar archives: see cli/tar.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/tar.h"
#include "host/alloc.h"
#include "host/child.h"
#include "host/report.h"

#define RECORD    512ull
#define MOST_TEXT (1u << 20) /* of a long name or pax header */

struct header { /* ustar */
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8];
	char prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == RECORD, "layout");

/* One member; what pax headers and long names said about it before. */
struct member {
	char *name, *link;
	uint64_t bytes, uid, gid, mtime;
	bool has_bytes, has_uid, has_gid, has_mtime;
	struct file_xattr *xattrs;
};

/* Octal text, or GNU's binary (first bit set). */
static bool read_number(const char *text, size_t length, uint64_t *value)
{
	*value = 0;
	if ((uint8_t)text[0] & 0x80) {
		for (size_t i = 0; i < length; i++) {
			uint8_t byte = (uint8_t)text[i] & (i == 0 ? 0x7f : 0xff);

			if (*value >> 56)
				return false;
			*value = *value << 8 | byte;
		}
		return true;
	}
	while (length > 0 && *text == ' ')
		text++, length--;
	for (; length > 0 && *text != 0 && *text != ' '; text++, length--) {
		if (*text < '0' || *text > '7' || *value >> 60)
			return false;
		*value = *value << 3 | (uint64_t)(*text - '0');
	}
	return true;
}

static bool is_checksum_good(const struct header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	uint64_t sum = 0, wanted;

	for (size_t i = 0; i < RECORD; i++) {
		bool in_field =
			i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);

		sum += in_field ? ' ' : bytes[i];
	}
	return read_number(header->checksum, sizeof(header->checksum), &wanted) && sum == wanted;
}

static void add_xattr(struct member *member, const char *name, const char *value, size_t bytes)
{
	struct file_xattr *xattr;

	if (strlen(name) > 255 || bytes > 4000 || strncmp(name, "security.selinux", 16) == 0)
		return;
	xattr = alloc_zeroed(sizeof(*xattr));
	xattr->name = alloc_text("%s", name);
	xattr->value = alloc_zeroed(bytes + 1);
	memcpy(xattr->value, value, bytes);
	xattr->bytes = bytes;
	xattr->next = member->xattrs;
	member->xattrs = xattr;
}

static void take_pax(struct member *member, const char *key, const char *value, size_t bytes)
{
	if (strcmp(key, "path") == 0) {
		member->name = alloc_text("%.*s", (int)bytes, value);
	} else if (strcmp(key, "linkpath") == 0) {
		member->link = alloc_text("%.*s", (int)bytes, value);
	} else if (strcmp(key, "size") == 0) {
		member->bytes = strtoull(value, NULL, 10);
		member->has_bytes = true;
	} else if (strcmp(key, "uid") == 0) {
		member->uid = strtoull(value, NULL, 10);
		member->has_uid = true;
	} else if (strcmp(key, "gid") == 0) {
		member->gid = strtoull(value, NULL, 10);
		member->has_gid = true;
	} else if (strcmp(key, "mtime") == 0) {
		member->mtime = strtoull(value, NULL, 10);
		member->has_mtime = true;
	} else if (strncmp(key, "SCHILY.xattr.", 13) == 0) {
		add_xattr(member, key + 13, value, bytes);
	}
}

/* Lines "LENGTH KEY=VALUE\n"; `text` ends in NUL. False: damaged. */
static bool read_pax(struct member *member, char *text, uint64_t bytes)
{
	uint64_t at = 0;

	while (at < bytes) {
		char *space, *equals, *line = text + at;
		uint64_t length = strtoull(line, &space, 10);

		if (*space != ' ' || length < 5 || length > bytes - at || line[length - 1] != '\n')
			return false;
		equals = memchr(space, '=', length - (size_t)(space - line));
		if (equals == NULL)
			return false;
		*equals = 0;
		line[length - 1] = 0;
		take_pax(member, space + 1, equals + 1, length - 2 - (size_t)(equals - line));
		at += length;
	}
	return true;
}

static bool is_name_good(const char *name)
{
	if (*name == '/' || *name == 0 || strlen(name) >= PATH_MAX)
		return false;
	for (const char *at = name; *at != 0;) {
		size_t length = strcspn(at, "/");

		if ((length == 2 && memcmp(at, "..", 2) == 0) || length > 255)
			return false;
		at += length + strspn(at + length, "/");
	}
	return true;
}

static void fill_node(struct file_node *node, const struct member *member, uint64_t mode)
{
	node->mode = (node->mode & S_IFMT) | (mode_t)(mode & 07777);
	node->uid = (uint32_t)member->uid;
	node->gid = (uint32_t)member->gid;
	node->mtime_seconds = (int64_t)MIN(member->mtime, (uint64_t)INT64_MAX);
	node->xattrs = member->xattrs;
}

static const char *put_hard_link(
	struct file_tree *tree, const struct member *member, const char *guest)
{
	struct file_node *target, *node;

	if (!is_name_good(member->link))
		return "a hard link leads out of the archive";
	target = file_tree_find(tree, member->link, false);
	if (target == NULL || S_ISDIR(target->mode))
		return "a hard link to what is not there";
	if (target->same_file != NULL)
		target = target->same_file;
	node = file_tree_put(tree, guest, target->mode);
	if (node != target)
		node->same_file = target;
	return NULL;
}

static const char *put_device(struct file_tree *tree, const struct header *header,
	const struct member *member, const char *guest, uint64_t mode)
{
	mode_t type = header->type == '3' ? S_IFCHR : header->type == '4' ? S_IFBLK : S_IFIFO;
	struct file_node *node = file_tree_put(tree, guest, type);
	uint64_t major_number, minor_number;

	if (!read_number(header->major, sizeof(header->major), &major_number) ||
		!read_number(header->minor, sizeof(header->minor), &minor_number))
		return "not the number of a device";
	fill_node(node, member, mode);
	if (type != S_IFIFO)
		node->device = (uint32_t)((minor_number & 0xff) | (major_number & 0xfff) << 8 |
					  (minor_number & 0xfff00) << 12);
	return NULL;
}

static const char *put_member(struct file_tree *tree, const struct header *header,
	const struct member *member, const uint8_t *data)
{
	char *guest = alloc_text("/%s", member->name);
	const char *problem = NULL;
	struct file_node *node;
	uint64_t mode;

	if (!read_number(header->mode, sizeof(header->mode), &mode))
		return "not a mode";
	switch (header->type) {
	case 0:
	case '0':
	case '7':
		node = file_tree_put(tree, guest, S_IFREG);
		fill_node(node, member, mode);
		node->data = data;
		node->bytes = member->bytes;
		file_tree_count(tree, member->bytes, guest);
		break;
	case '1':
		problem = put_hard_link(tree, member, guest);
		break;
	case '2':
		if (*member->link == 0 || strlen(member->link) >= PATH_MAX)
			return "a symbolic link without a text, or with too long a one";
		file_tree_put_link(tree, guest, member->link);
		fill_node(file_tree_find(tree, guest, false), member, 0777);
		break;
	case '3':
	case '4':
	case '6':
		problem = put_device(tree, header, member, guest, mode);
		break;
	case '5':
		fill_node(file_tree_put(tree, guest, S_IFDIR), member, mode);
		break;
	default:
		if (tree->verbose)
			report_note("%s: of a kind that is not known (%c): left out", member->name,
				header->type);
	}
	free(guest);
	return problem;
}

/* What the header itself says, where nothing before it said otherwise. */
static const char *read_header(const struct header *header, struct member *member)
{
	bool has_prefix = memcmp(header->magic, "ustar\0", 6) == 0 && header->prefix[0] != 0;
	uint64_t bytes, uid, gid, mtime;

	if (!read_number(header->size, sizeof(header->size), &bytes) ||
		!read_number(header->uid, sizeof(header->uid), &uid) ||
		!read_number(header->gid, sizeof(header->gid), &gid) ||
		!read_number(header->mtime, sizeof(header->mtime), &mtime))
		return "not a number where one should be";
	if (member->name == NULL)
		member->name = has_prefix
				       ? alloc_text("%.155s/%.100s", header->prefix, header->name)
				       : alloc_text("%.100s", header->name);
	if (member->link == NULL)
		member->link = alloc_text("%.100s", header->link);
	member->bytes = member->has_bytes ? member->bytes : bytes;
	member->uid = member->has_uid ? member->uid : uid;
	member->gid = member->has_gid ? member->gid : gid;
	member->mtime = member->has_mtime ? member->mtime : mtime;
	return NULL;
}

static char *copy_text(const uint8_t *data, uint64_t bytes)
{
	char *text = alloc_zeroed(bytes + 1);

	memcpy(text, data, bytes);
	return text;
}

/* A member that says something about the next one. */
static const char *read_extension(
	struct member *next, char type, const uint8_t *data, uint64_t bytes)
{
	char *text;

	if (bytes > MOST_TEXT)
		return "a header too long";
	text = copy_text(data, bytes);
	if (type == 'L')
		next->name = text;
	else if (type == 'K')
		next->link = text;
	else if (type == 'x' && !read_pax(next, text, bytes))
		return "a damaged pax header";
	return NULL;
}

static bool is_end(const uint8_t *record)
{
	for (size_t i = 0; i < RECORD; i++) {
		if (record[i] != 0)
			return false;
	}
	return true;
}

const char *tar_read(struct file_tree *tree, const uint8_t *data, uint64_t bytes, uint64_t *at)
{
	struct member member = {0};

	for (*at = 0; bytes - *at >= RECORD && !is_end(data + *at);) {
		struct header header;
		const char *problem;
		uint64_t size;

		memcpy(&header, data + *at, sizeof(header));
		if (!is_checksum_good(&header))
			return "not a tar archive, or a damaged one";
		if (strchr("LKxg", header.type) != NULL && header.type != 0) {
			if (!read_number(header.size, sizeof(header.size), &size) ||
				size > bytes - *at - RECORD)
				return "cut short";
			problem = read_extension(&member, header.type, data + *at + RECORD, size);
		} else {
			problem = read_header(&header, &member);
			size = strchr("123456", header.type) != NULL && header.type != 0
				       ? 0
				       : member.bytes;
			if (problem == NULL && size > bytes - *at - RECORD)
				return "cut short";
			if (problem == NULL && !is_name_good(member.name))
				return "a name that is absolute, empty, too long or leads out by "
				       "..";
			if (problem == NULL)
				problem = put_member(tree, &header, &member, data + *at + RECORD);
			member = (struct member){0};
		}
		if (problem != NULL)
			return problem;
		*at = MIN(*at + RECORD + ALIGN_UP(size, RECORD), bytes);
	}
	return *at == 0 ? "not a tar archive" : NULL;
}

/* ---- compressed ones ---------------------------------------------------------- */

static const struct {
	const char *program;
	uint8_t magic[4];
	size_t length;
} compressors[] = {{"gzip", {0x1f, 0x8b}, 2}, {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4},
	{"xz", {0xfd, '7', 'z', 'X'}, 4}, {"bzip2", {'B', 'Z', 'h'}, 3}};

/* A descriptor of the unpacked archive. */
static int unpack(const char *path, int fd, const char *name)
{
	char *program = child_find(name);
	int unpacked = memfd_create("burrow-rootfs", MFD_CLOEXEC), status;
	pid_t pid;

	if (program == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"--rootfs %s: %s is not installed, which unpacks it", path, name);
	pid = unpacked < 0 ? -1 : fork();
	if (pid < 0)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: %s", path, strerror(errno));
	if (pid == 0) {
		dup2(fd, 0);
		dup2(unpacked, 1);
		execl(program, name, "-dc", (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: %s cannot unpack it", path, name);
	close(fd);
	return unpacked;
}

void tar_add(struct file_tree *tree, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t magic[4] = {0};
	struct stat status;
	const char *problem;
	uint64_t at;
	void *data;

	if (fd < 0 || pread(fd, magic, sizeof(magic), 0) < 0)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: %s", path, strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(compressors); i++) {
		if (memcmp(magic, compressors[i].magic, compressors[i].length) == 0)
			fd = unpack(path, fd, compressors[i].program);
	}
	if (fstat(fd, &status) != 0 || status.st_size == 0)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: empty", path);
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: %s", path, strerror(errno));
	problem = tar_read(tree, data, (uint64_t)status.st_size, &at);
	if (problem != NULL)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: at byte %ju: %s", path, (uintmax_t)at,
			problem);
	if (file_tree_find(tree, "/manifest.json", false) != NULL &&
		file_tree_find(tree, "/bin", false) == NULL &&
		file_tree_find(tree, "/usr", false) == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"--rootfs %s: an image of layers (docker save); give a file tree, as "
			"docker export writes it",
			path);
}
