/* Files of the host into a tree for the VM: see cli/file_tree.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/file_tree.h"
#include "cli/tar.h"
#include "host/alloc.h"
#include "host/report.h"

#define LINK_BUCKETS 1024

/* Files with several names, of one call. */
struct known_file {
	struct known_file *next;
	dev_t device;
	ino_t inode;
	struct file_node *node;
};

struct adding {
	struct file_tree *tree;
	bool keep_owner;
	struct known_file *known[LINK_BUCKETS];
};

static _Noreturn void fail_host(const char *host)
{
	report_fail(
		STATUS_TOOL_FAILED, "%s: cannot take it into the VM: %s", host, strerror(errno));
}

static void set_status(
	const struct adding *adding, struct file_node *node, const struct stat *status)
{
	node->mode = status->st_mode;
	node->mtime_seconds = status->st_mtim.tv_sec;
	node->mtime_nanoseconds = (uint32_t)status->st_mtim.tv_nsec;
	if (adding->keep_owner) {
		node->uid = status->st_uid;
		node->gid = status->st_gid;
	}
}

/* Attributes of programs, and capabilities; not those of the host's security modules. */
static bool is_wanted(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

static void take_xattrs(struct file_node *node, const char *host)
{
	char names[4096];
	ssize_t bytes = llistxattr(host, names, sizeof(names));

	for (ssize_t at = 0; at < bytes; at += (ssize_t)strlen(names + at) + 1) {
		char value[4096];
		ssize_t length = is_wanted(names + at)
					 ? lgetxattr(host, names + at, value, sizeof(value))
					 : -1;
		struct file_xattr *xattr;

		if (length < 0)
			continue;
		xattr = alloc_zeroed(sizeof(*xattr));
		xattr->name = alloc_text("%s", names + at);
		xattr->value = alloc_zeroed((size_t)length + 1);
		memcpy(xattr->value, value, (size_t)length);
		xattr->bytes = (size_t)length;
		xattr->next = node->xattrs;
		node->xattrs = xattr;
	}
}

/* The node of an earlier name of the same file, or NULL. */
static struct file_node *find_known(
	struct adding *adding, const struct stat *status, struct file_node *node)
{
	struct known_file **bucket = &adding->known[status->st_ino % LINK_BUCKETS], *known;

	for (known = *bucket; known != NULL; known = known->next) {
		if (known->inode == status->st_ino && known->device == status->st_dev)
			return known->node;
	}
	known = alloc_zeroed(sizeof(*known));
	*known = (struct known_file){*bucket, status->st_dev, status->st_ino, node};
	*bucket = known;
	return NULL;
}

static void add_file(
	struct adding *adding, const char *host, const char *guest, const struct stat *status)
{
	struct file_node *node = file_tree_put(adding->tree, guest, status->st_mode);

	set_status(adding, node, status);
	if (status->st_nlink > 1)
		node->same_file = find_known(adding, status, node);
	if (node->same_file != NULL)
		return;
	if (access(host, R_OK) != 0)
		fail_host(host);
	file_tree_count(adding->tree, (uint64_t)status->st_size, host);
	node->host = alloc_text("%s", host);
	node->bytes = (uint64_t)status->st_size;
	take_xattrs(node, host);
}

static void add_link(
	struct adding *adding, const char *host, const char *guest, const struct stat *status)
{
	char target[PATH_MAX];
	ssize_t bytes = readlink(host, target, sizeof(target) - 1);

	if (bytes <= 0)
		fail_host(host);
	target[bytes] = 0;
	file_tree_put_link(adding->tree, guest, target);
	set_status(adding, file_tree_find(adding->tree, guest, false), status);
}

static void add_node(struct adding *adding, const char *host, const char *guest, bool follow);

static int is_named(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void add_directory(
	struct adding *adding, const char *host, const char *guest, const struct stat *status)
{
	struct file_node *node = file_tree_put(adding->tree, guest, status->st_mode);
	struct dirent **entries;
	int count = scandir(host, &entries, is_named, alphasort);

	if (count < 0)
		fail_host(host);
	set_status(adding, node, status);
	take_xattrs(node, host);
	for (int i = 0; i < count; i++) {
		char *below = alloc_text("%s/%s", host, entries[i]->d_name);
		char *guest_below = alloc_text("%s/%s", guest, entries[i]->d_name);

		add_node(adding, below, guest_below, false);
		free(below);
		free(guest_below);
		free(entries[i]);
	}
	free(entries);
}

static void add_special(
	struct adding *adding, const char *host, const char *guest, const struct stat *status)
{
	struct file_node *node;
	uint32_t major_number = major(status->st_rdev), minor_number = minor(status->st_rdev);

	if (!adding->keep_owner || S_ISSOCK(status->st_mode)) {
		if (adding->tree->verbose)
			report_note("%s: neither a file, a directory nor a link: left out", host);
		return;
	}
	node = file_tree_put(adding->tree, guest, status->st_mode);
	set_status(adding, node, status);
	node->device = (minor_number & 0xff) | major_number << 8 | (minor_number & ~0xffu) << 12;
}

static void add_node(struct adding *adding, const char *host, const char *guest, bool follow)
{
	struct stat status;

	if ((follow ? stat(host, &status) : lstat(host, &status)) != 0)
		fail_host(host);
	if (S_ISREG(status.st_mode))
		add_file(adding, host, guest, &status);
	else if (S_ISDIR(status.st_mode))
		add_directory(adding, host, guest, &status);
	else if (S_ISLNK(status.st_mode))
		add_link(adding, host, guest, &status);
	else
		add_special(adding, host, guest, &status);
}

void file_tree_add(struct file_tree *tree, const char *host, const char *guest, bool keep_owner)
{
	struct adding *adding = alloc_zeroed(sizeof(*adding));

	adding->tree = tree;
	adding->keep_owner = keep_owner;
	add_node(adding, host, guest, true);
	for (size_t i = 0; i < LINK_BUCKETS; i++) {
		while (adding->known[i] != NULL) {
			struct known_file *next = adding->known[i]->next;

			free(adding->known[i]);
			adding->known[i] = next;
		}
	}
	free(adding);
}

void file_tree_add_argument(struct file_tree *tree, const char *argument)
{
	const char *colon = strchr(argument, ':');
	char *host = colon != NULL ? alloc_text("%.*s", (int)(colon - argument), argument)
				   : alloc_text("%s", argument);
	char *guest = colon != NULL ? alloc_text("%s", colon + 1) : realpath(host, NULL);

	if (access(host, F_OK) != 0)
		report_fail(
			STATUS_TOOL_FAILED, "--add %s: %s: %s", argument, host, strerror(errno));
	if (guest == NULL || *guest != '/')
		report_fail(STATUS_TOOL_FAILED,
			"--add %s: the path inside the VM is not absolute; write HOST:/PATH",
			argument);
	file_tree_add(tree, host, guest, false);
	free(host);
	free(guest);
}

static void drop_if_empty(struct file_tree *tree, const char *path)
{
	const struct file_node *node = file_tree_find(tree, path, false);

	if (node != NULL && S_ISREG(node->mode) && node->bytes == 0 && node->same_file == NULL)
		file_tree_remove(tree, path);
}

void file_tree_add_rootfs(struct file_tree *tree, const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "--rootfs %s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		file_tree_add(tree, path, "/", true);
	else
		tar_add(tree, path);
	/* The VM has its own, as a container would. */
	file_tree_remove(tree, "/etc/resolv.conf");
	drop_if_empty(tree, "/etc/hosts");
	drop_if_empty(tree, "/etc/hostname");
}
