/* The files a VM begins with: see cli/file_images.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/erofs.h"
#include "cli/archive.h"
#include "cli/built_file.h"
#include "cli/erofs_write.h"
#include "cli/file_images.h"
#include "host/alloc.h"
#include "host/report.h"

#define DEFAULTS_VERSION 1 /* raised when default_files.c or the format changes */

static int make_memory_file(void)
{
	int fd = memfd_create("burrow-files", 0);

	if (fd < 0)
		report_fail(
			STATUS_TOOL_FAILED, "cannot make a file in memory: %s", strerror(errno));
	return fd;
}

/* ---- the default files ------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x100000001b3ull;
}

/* Changes with what the image is made of. Packages replace files and so change directories. */
static uint64_t defaults_key(void)
{
	static const char *const sources[] = {"/usr/share/zoneinfo",
		"/usr/share/zoneinfo/tzdata.zi", "/usr/share/zoneinfo/Europe",
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", "/etc/mime.types", "/etc/services",
		"/etc/protocols"};
	uint64_t hash = mix(0xcbf29ce484222325ull, DEFAULTS_VERSION);

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		struct stat status = {0};

		(void)stat(sources[i], &status);
		hash = mix(hash, (uint64_t)status.st_mtim.tv_sec);
		hash = mix(hash, (uint64_t)status.st_mtim.tv_nsec);
		hash = mix(hash, (uint64_t)status.st_size);
		hash = mix(hash, (uint64_t)status.st_ino);
	}
	return hash;
}

/* Where images are kept; NULL: nowhere. */
static char *cache_directory(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *above, *directory;

	if (cache != NULL && *cache == '/')
		above = alloc_text("%s", cache);
	else if (home != NULL && *home == '/')
		above = alloc_text("%s/.cache", home);
	else
		return NULL;
	directory = alloc_text("%s/burrow", above);
	(void)mkdir(above, 0700);
	if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
		free(directory);
		directory = NULL;
	}
	free(above);
	return directory;
}

static void write_defaults(int fd, const char *name)
{
	struct file_tree tree;

	file_tree_init(&tree, UINT64_MAX, false);
	file_tree_add_defaults(&tree, DEFAULT_ALL);
	(void)erofs_write(&tree, fd, name);
}

/* Complete before it has its name, so that nobody sees a part. */
static bool make_cached(const char *path)
{
	char *unfinished = alloc_text("%s.XXXXXX", path);
	int fd = mkstemp(unfinished);
	bool done = false;

	if (fd >= 0) {
		write_defaults(fd, unfinished);
		done = fchmod(fd, 0644) == 0 && rename(unfinished, path) == 0;
		close(fd);
	}
	free(unfinished);
	return done;
}

static int open_defaults(void)
{
	char *directory = cache_directory(), *path;
	int fd = -1;

	if (directory != NULL) {
		path = alloc_text(
			"%s/default-files-%016jx.erofs", directory, (uintmax_t)defaults_key());
		fd = open(path, O_RDONLY);
		if (fd < 0 && make_cached(path))
			fd = open(path, O_RDONLY);
		free(path);
		free(directory);
	}
	if (fd < 0) {
		fd = make_memory_file();
		write_defaults(fd, "the default files");
	}
	return fd;
}

/* ---- all of them -------------------------------------------------------------------- */

/* A descriptor of the image, or -1: it is something else. */
static int open_if_image(const char *path)
{
	uint32_t magic = 0;
	int fd = open(path, O_RDONLY);

	if (fd >= 0 && pread(fd, &magic, sizeof(magic), EROFS_SUPER_OFFSET) == sizeof(magic) &&
		magic == EROFS_MAGIC)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void append(struct file_images *files, int fd)
{
	files->images[files->image_count++] = fd;
}

/* What a built file has with it stands for the default files. */
static int open_own_tree(const struct options *options)
{
	struct built_file built;
	int fd;

	built_file_open(&built, options->program);
	fd = built_file_part(&built, IMAGE_PART_TREE, "burrow-files");
	return fd >= 0 ? fd : open_defaults();
}

void file_images_open(struct file_images *files, const struct options *options)
{
	int fd;

	*files = (struct file_images){.archive_fd = -1};
	append(files, open_own_tree(options));
	if (options->rootfs != NULL && (fd = open_if_image(options->rootfs)) >= 0)
		append(files, fd);
	if (options->files != NULL)
		files->archive_fd = archive_open(options->files, options->files_limit_bytes);
}

void file_images_fill(struct file_tree *tree, const struct options *options)
{
	int fd = options->rootfs != NULL ? open_if_image(options->rootfs) : -1;

	if (options->rootfs != NULL && fd < 0)
		file_tree_add_rootfs(tree, options->rootfs);
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < options->add.count; i++)
		file_tree_add_argument(tree, options->add.items[i]);
}

void file_images_add(struct file_images *files, struct file_tree *tree)
{
	int fd;

	if (tree->root.child_count == 0)
		return;
	fd = make_memory_file();
	(void)erofs_write(tree, fd, "the files for the VM");
	append(files, fd);
}

int file_images_make(const struct options *options, unsigned wanted, uint64_t *bytes)
{
	struct file_tree tree;
	int fd;

	if (options->rootfs != NULL && (fd = open_if_image(options->rootfs)) >= 0)
		report_fail(STATUS_TOOL_FAILED,
			"--rootfs %s: an image; give the tree it was made of (a directory or a "
			"tar archive)",
			options->rootfs);
	fd = make_memory_file();
	file_tree_init(&tree, options->files_limit_bytes, options->verbose);
	tree.is_timeless = true;
	file_images_fill(&tree, options);
	file_tree_add_defaults(&tree, wanted);
	*bytes = erofs_write(&tree, fd, "the files for the VM");
	return fd;
}
