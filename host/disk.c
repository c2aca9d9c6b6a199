/* See host/disk.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/disk.h"
#include "host/report.h"

#define NAME_MOST 20 /* what a virtio block device can tell */

static void check_name(const struct disks *disks, const char *text, const char *name, size_t bytes)
{
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (bytes == 0 || bytes > NAME_MOST || strspn(name, good) < bytes)
		report_fail(STATUS_TOOL_FAILED,
			"--disk %s: write NAME=FILE, with a NAME of up to %d letters, digits, - "
			"and _",
			text, NAME_MOST);
	for (uint32_t i = 0; i < disks->count; i++) {
		const char *other = disks->disks[i].boot.name;

		if (strlen(other) == bytes && memcmp(other, name, bytes) == 0)
			report_fail(STATUS_TOOL_FAILED, "--disk %s: there is a disk %s already",
				text, other);
	}
}

/* Takes `suffix` off the end of `text`; true if it was there. */
static bool take_suffix(char *text, const char *suffix)
{
	size_t bytes = strlen(text), wanted = strlen(suffix);

	if (bytes <= wanted || strcmp(text + bytes - wanted, suffix) != 0)
		return false;
	text[bytes - wanted] = 0;
	return true;
}

/* Absolute, and the same however it is read. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || path[1] == 0)
		return false;
	for (const char *at = path; at != NULL && *at != 0; at = strchr(at + 1, '/')) {
		size_t bytes = strcspn(at + 1, "/");

		if (bytes == 0 || (at[1] == '.' && bytes == 1) ||
			(at[1] == '.' && at[2] == '.' && bytes == 2))
			return false;
	}
	return true;
}

static void take_mount_path(
	const struct disks *disks, const char *text, char *file, struct boot_disk *boot)
{
	char *colon = strrchr(file, ':');
	const char *path;

	if (colon == NULL || colon[1] != '/')
		return;
	*colon = 0;
	path = colon + 1;
	if (!is_plain_path(path) || strlen(path) >= sizeof(boot->mount_path))
		report_fail(STATUS_TOOL_FAILED,
			"--disk %s: cannot be mounted at %s; write a path such as /var/lib/data",
			text, path);
	for (uint32_t i = 0; i < disks->count; i++) {
		if (strcmp(disks->disks[i].boot.mount_path, path) == 0)
			report_fail(STATUS_TOOL_FAILED, "--disk %s: %s is mounted at %s already",
				text, disks->disks[i].boot.name, path);
	}
	strcpy(boot->mount_path, path);
}

static void understand(struct disks *disks, const char *text)
{
	struct disk *disk = &disks->disks[disks->count];
	const char *equals = strchr(text, '=');
	size_t name_bytes = equals != NULL ? (size_t)(equals - text) : 0;
	char *file;

	if (disks->count == BOOT_MAX_DISKS)
		report_fail(
			STATUS_TOOL_FAILED, "--disk %s: more than %d disks", text, BOOT_MAX_DISKS);
	check_name(disks, text, text, name_bytes);
	memcpy(disk->boot.name, text, name_bytes);
	file = alloc_text("%s", equals + 1);
	if (take_suffix(file, ":ro"))
		disk->boot.flags |= BOOT_DISK_READ_ONLY;
	take_mount_path(disks, text, file, &disk->boot);
	if (*file == 0)
		report_fail(STATUS_TOOL_FAILED, "--disk %s: no file given; write %s=FILE", text,
			disk->boot.name);
	disk->path = file;
	disks->count++;
}

void disks_understand(struct disks *disks)
{
	for (size_t i = 0; i < disks->text.count; i++)
		understand(disks, disks->text.items[i]);
}

static void lock(const struct disk *disk)
{
	bool is_read_only = (disk->boot.flags & BOOT_DISK_READ_ONLY) != 0;
	struct stat status;
	int fd = open(disk->path, (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "--disk %s: %s: %s%s", disk->boot.name, disk->path,
			strerror(errno),
			errno == ENOENT ? "; make it with burrow volume create" : "");
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		report_fail(STATUS_TOOL_FAILED,
			"--disk %s: %s: neither a regular file nor a block device", disk->boot.name,
			disk->path);
	if (S_ISREG(status.st_mode) && status.st_size < 512)
		report_fail(STATUS_TOOL_FAILED,
			"--disk %s: %s: smaller than a sector (512 bytes); make it larger, for "
			"instance with burrow volume create",
			disk->boot.name, disk->path);
	/* The descriptor stays open: the lock is its. */
	if (flock(fd, (is_read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		report_fail(STATUS_TOOL_FAILED,
			"--disk %s: %s is in use by another VM%s; stop that one, or give both :ro",
			disk->boot.name, disk->path, is_read_only ? ", which writes to it" : "");
}

void disks_lock(const struct disks *disks)
{
	for (uint32_t i = 0; i < disks->count; i++)
		lock(&disks->disks[i]);
}
