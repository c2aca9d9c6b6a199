/* Packs host files into an archive: see cli/pack.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/pack.h"
#include "host/report.h"

#define COPY_BYTES 65536

void pack_open(struct pack *pack, uint64_t limit_bytes, bool verbose)
{
	FILE *stream;

	*pack = (struct pack){.limit_bytes = limit_bytes, .verbose = verbose};
	pack->fd = memfd_create("burrow-files", 0);
	stream = pack->fd < 0 ? NULL : fdopen(pack->fd, "w+");
	if (stream == NULL)
		report_fail(
			STATUS_TOOL_FAILED, "cannot make a file in memory: %s", strerror(errno));
	cpio_open(&pack->writer, stream);
}

static void check_error(int error, const char *path)
{
	if (error == -EFBIG)
		report_fail(STATUS_TOOL_FAILED, "%s: larger than 4 GiB, too large to pack", path);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "%s: cannot pack it: %s", path, strerror(-error));
}

static void check_limit(const struct pack *pack, uint64_t more_bytes, const char *path)
{
	if (pack->writer.bytes + more_bytes > pack->limit_bytes)
		report_fail(STATUS_TOOL_FAILED,
			"%s: the files for the VM exceed %ju MiB; raise --files-limit, or leave "
			"files out (exec: --no-cwd-files)",
			path, (uintmax_t)(pack->limit_bytes >> 20));
}

void pack_archive(struct pack *pack, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *data;
	int error;

	if (fd < 0 || fstat(fd, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "--files %s: %s", path, strerror(errno));
	data = status.st_size == 0
		       ? MAP_FAILED
		       : mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	error = data == MAP_FAILED ? -EINVAL
				   : cpio_join(&pack->writer, data, (uint64_t)status.st_size);
	if (error == -EINVAL)
		report_fail(STATUS_TOOL_FAILED,
			"--files %s: not a complete cpio archive of the newc format; "
			"make one with: find . | cpio -o -H newc",
			path);
	check_error(error, path);
	munmap(data, (size_t)status.st_size);
	close(fd);
}

/* Returns false if the directory is in the archive already. */
static bool is_new_directory(struct pack *pack, const char *guest)
{
	for (size_t i = 0; i < pack->directories.count; i++) {
		if (strcmp(pack->directories.items[i], guest) == 0)
			return false;
	}
	text_list_add(&pack->directories, alloc_text("%s", guest));
	return true;
}

/* The directories above `guest`, outermost first. */
static void add_parents(struct pack *pack, const char *guest)
{
	for (const char *slash = strchr(guest + 1, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		char *parent = alloc_text("%.*s", (int)(slash - guest), guest);
		const struct cpio_entry entry = {.name = parent + 1,
			.mode = S_IFDIR | (strcmp(parent, "/tmp") == 0 ? 01777 : 0755)};

		if (parent[strlen(parent) - 1] != '/' && is_new_directory(pack, parent))
			check_error(cpio_add(&pack->writer, &entry), parent);
		free(parent);
	}
}

void pack_directory(struct pack *pack, const char *guest)
{
	char *below = alloc_text("%s/", guest);

	add_parents(pack, below);
	free(below);
}

static void copy_data(struct pack *pack, int fd, uint64_t bytes, const char *path)
{
	char *buffer = alloc_zeroed(COPY_BYTES);

	while (bytes != 0) {
		ssize_t got = read(fd, buffer, MIN(bytes, COPY_BYTES));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			check_error(-errno, path);
		if (got == 0) { /* it shrank: the rest reads as zeroes */
			memset(buffer, 0, COPY_BYTES);
			got = (ssize_t)MIN(bytes, COPY_BYTES);
		}
		check_error(cpio_write_data(&pack->writer, buffer, (size_t)got), path);
		bytes -= (uint64_t)got;
	}
	free(buffer);
}

static void add_file(struct pack *pack, const char *host, const char *guest)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct cpio_entry entry;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) != 0)
		check_error(-errno, host);
	entry = (struct cpio_entry){.name = guest + 1,
		.mode = status.st_mode,
		.mtime = (uint64_t)status.st_mtime,
		.bytes = (uint64_t)status.st_size};
	check_limit(pack, entry.bytes, host);
	check_error(cpio_add(&pack->writer, &entry), host);
	copy_data(pack, fd, entry.bytes, host);
	check_error(cpio_end_data(&pack->writer), host);
	close(fd);
}

static void add_link(struct pack *pack, const char *host, const char *guest)
{
	char *target = alloc_zeroed(PATH_MAX);
	ssize_t bytes = readlink(host, target, PATH_MAX - 1);
	struct cpio_entry entry = {.name = guest + 1, .mode = S_IFLNK | 0777};

	if (bytes < 0)
		check_error(-errno, host);
	entry.bytes = (uint64_t)bytes;
	check_error(cpio_add(&pack->writer, &entry), host);
	check_error(cpio_write_data(&pack->writer, target, (size_t)bytes), host);
	check_error(cpio_end_data(&pack->writer), host);
	free(target);
}

static void add_node(struct pack *pack, const char *host, const char *guest, bool follow);

static int is_named(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* `status` is that of the directory. Sorted, so that the archive is reproducible. */
static void add_tree(
	struct pack *pack, const char *host, const char *guest, const struct stat *status)
{
	const struct cpio_entry entry = {.name = guest + 1,
		.mode = S_IFDIR | (status->st_mode & 07777),
		.mtime = (uint64_t)status->st_mtime};
	struct dirent **entries;
	int count = scandir(host, &entries, is_named, alphasort);

	if (count < 0)
		check_error(-errno, host);
	check_limit(pack, 0, host);
	if (guest[1] != 0 && is_new_directory(pack, guest))
		check_error(cpio_add(&pack->writer, &entry), host);
	for (int i = 0; i < count; i++) {
		char *below = alloc_text("%s/%s", host, entries[i]->d_name);
		char *guest_below =
			alloc_text("%s/%s", guest[1] == 0 ? "" : guest, entries[i]->d_name);

		add_node(pack, below, guest_below, false);
		free(below);
		free(guest_below);
		free(entries[i]);
	}
	free(entries);
}

static void add_node(struct pack *pack, const char *host, const char *guest, bool follow)
{
	struct stat status;

	if ((follow ? stat(host, &status) : lstat(host, &status)) != 0)
		check_error(-errno, host);
	if (S_ISREG(status.st_mode))
		add_file(pack, host, guest);
	else if (S_ISDIR(status.st_mode))
		add_tree(pack, host, guest, &status);
	else if (S_ISLNK(status.st_mode))
		add_link(pack, host, guest);
	else if (pack->verbose)
		report_note("%s: neither a file, a directory nor a link: left out", host);
}

/* Without doubled and trailing slashes and without dot components. */
static char *clean_path(const char *path)
{
	char *clean = alloc_zeroed(strlen(path) + 2);
	char *end = clean;

	while (*path != 0) {
		size_t length = strcspn(path, "/");

		if (length == 2 && memcmp(path, "..", 2) == 0) {
			while (end > clean && *--end != '/')
				;
		} else if (length != 0 && !(length == 1 && *path == '.')) {
			*end++ = '/';
			memcpy(end, path, length);
			end += length;
		}
		path += length + (path[length] == '/');
	}
	if (end == clean)
		*end++ = '/';
	*end = 0;
	return clean;
}

void pack_tree(struct pack *pack, const char *host, const char *guest)
{
	char *clean = clean_path(guest);

	add_parents(pack, clean);
	add_node(pack, host, clean, true);
	free(clean);
}

void pack_argument(struct pack *pack, const char *argument)
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
	pack_tree(pack, host, guest);
	free(host);
	free(guest);
}

int pack_close(struct pack *pack)
{
	check_error(cpio_close(&pack->writer), "files for the VM");
	return pack->fd;
}
