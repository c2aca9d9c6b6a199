/* Finds, builds and checks PROGRAM: see cli/program.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/child.h"
#include "cli/built_file.h"
#include "cli/program.h"
#include "host/report.h"

/* ---- a Go package ------------------------------------------------------- */

static char *make_build_directory(void)
{
	const char *parent = getenv("TMPDIR");
	char *path;

	if (parent == NULL || *parent == 0)
		parent = "/tmp";
	path = alloc_text("%s/burrow-XXXXXX", parent);
	if (mkdtemp(path) == NULL)
		report_fail(STATUS_TOOL_FAILED, "cannot make a directory in %s to build in: %s",
			parent, strerror(errno));
	return path;
}

/* Removes the directory and the files in it; go puts no directories there. */
static void remove_build_directory(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
	rmdir(path);
}

/* The name of the one file that the build made; NULL for none, *count says how many. */
static char *built_file(const char *path, size_t *count)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char *name = NULL;

	*count = 0;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		*count += 1;
		free(name);
		name = alloc_text("%s", entry->d_name);
	}
	if (directory != NULL)
		closedir(directory);
	return name;
}

static _Noreturn void fail_build(const char *directory, int status, const char *message)
{
	remove_build_directory(directory);
	report_fail(status, "%s", message);
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A directory is built from inside, so that it may belong to another module. */
static void run_go(char *go, char *package, const char *directory, bool trims_paths)
{
	bool is_place = is_directory(package);
	bool is_versioned = strchr(package, '@') != NULL;
	const char *verb = is_versioned ? "install" : "build";
	char *environment[] = {alloc_text("CGO_ENABLED=0"), alloc_text("GOOS=linux"),
		alloc_text("GOARCH=amd64"), is_versioned ? alloc_text("GOBIN=%s", directory) : NULL,
		NULL};
	struct text_list words = {0};
	int status;

	text_list_add(&words, go);
	text_list_add(&words, alloc_text("%s", verb));
	if (trims_paths)
		text_list_add(&words, alloc_text("-trimpath"));
	if (!is_versioned) {
		text_list_add(&words, alloc_text("-o"));
		text_list_add(&words, alloc_text("%s/", directory));
	}
	text_list_add(&words, is_place ? alloc_text(".") : package);
	status = child_run(words.items, environment, is_place ? package : NULL, NULL);
	if (status < 0)
		fail_build(directory, STATUS_TOOL_FAILED,
			alloc_text("cannot start %s: %s", go, strerror(-status)));
	if (status != 0)
		fail_build(directory, STATUS_TOOL_FAILED,
			alloc_text("%s: `go %s` failed with status %d; its messages are above",
				package, verb, status));
}

static void build_package(struct program *program, const char *word)
{
	char *go = child_find("go");
	char *directory, *name, *path;
	size_t count;

	if (go == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"%s: a Go package, but there is no `go` in PATH; "
			"install Go (https://go.dev/dl) or give an executable",
			word);
	directory = make_build_directory();
	run_go(go, alloc_text("%s", word), directory, program->trims_paths);
	name = built_file(directory, &count);
	if (count == 0)
		fail_build(directory, STATUS_NOT_RUNNABLE,
			alloc_text("%s: not a main package, so there is nothing to run", word));
	if (count > 1)
		fail_build(directory, STATUS_NOT_RUNNABLE,
			alloc_text("%s: %zu main packages; name one of them", word, count));
	path = alloc_text("%s/%s", directory, name);
	program->fd = open(path, O_RDONLY);
	if (program->fd < 0)
		fail_build(
			directory, STATUS_TOOL_FAILED, alloc_text("%s: %s", path, strerror(errno)));
	remove_build_directory(directory);
	program->name = path;
	program->argument = path;
	program->open_path = alloc_text("/proc/self/fd/%d", program->fd);
	program->is_built = true;
}

/* ---- a file ------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool looks_like_file(const char *word)
{
	return word[0] == '/' || strncmp(word, "./", 2) == 0 || strncmp(word, "../", 3) == 0;
}

/* Of a built file, the program that it was built from. */
static void open_built_file(struct program *program, const char *word)
{
	struct built_file built;
	int fd;

	built_file_open(&built, word);
	fd = built_file_part(&built, IMAGE_PART_PROGRAM, "program");
	if (fd < 0)
		return;
	close(program->fd);
	program->fd = fd;
	program->open_path = alloc_text("/proc/self/fd/%d", fd);
	program->is_built = true;
}

static void open_file(struct program *program, const char *word)
{
	struct stat status;

	program->fd = open(word, O_RDONLY | O_CLOEXEC);
	if (program->fd < 0 || fstat(program->fd, &status) != 0)
		report_fail(STATUS_NOT_RUNNABLE, "%s: %s", word, strerror(errno));
	if (!S_ISREG(status.st_mode))
		report_fail(STATUS_NOT_RUNNABLE, "%s: not a regular file", word);
	program->name = realpath(word, NULL);
	if (program->name == NULL)
		program->name = alloc_text("%s", word);
	program->argument = alloc_text("%s", word);
	program->open_path = program->argument;
	open_built_file(program, word);
}

static void find_program(struct program *program, const char *word)
{
	struct stat status;

	if (*word == 0 || *word == '-')
		report_fail(STATUS_NOT_FOUND, "`%s` cannot be the name of a PROGRAM", word);
	if (stat(word, &status) == 0 && !S_ISDIR(status.st_mode) && !ends_with(word, ".go"))
		open_file(program, word);
	else if (stat(word, &status) == 0 && S_ISDIR(status.st_mode) && !looks_like_file(word) &&
		 strcmp(word, ".") != 0 && strcmp(word, "..") != 0)
		report_fail(STATUS_NOT_RUNNABLE,
			"%s: a directory; to run the Go package in it write ./%s", word, word);
	else if (looks_like_file(word) && stat(word, &status) != 0 && !ends_with(word, "..."))
		report_fail(STATUS_NOT_FOUND, "%s: %s", word, strerror(errno));
	else if (strpbrk(word, "/@.") != NULL)
		build_package(program, word);
	else
		report_fail(STATUS_NOT_FOUND,
			"%s: no such file; a Go package is written ./%s, "
			"or with its whole import path",
			word, word);
}

/* ---- both ---------------------------------------------------------------- */

static void map_image(struct program *program, const char *word)
{
	struct stat status;
	void *image;

	if (fstat(program->fd, &status) != 0)
		report_fail(STATUS_NOT_RUNNABLE, "%s: %s", word, strerror(errno));
	if (status.st_size == 0)
		report_fail(STATUS_NOT_RUNNABLE, "%s: the file is empty", word);
	image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, program->fd, 0);
	if (image == MAP_FAILED)
		report_fail(STATUS_NOT_RUNNABLE, "%s: cannot map it: %s", word, strerror(errno));
	program->image = image;
	program->bytes = (uint64_t)status.st_size;
}

void program_open(struct program *program, const char *word)
{
	enum elf_error error;

	find_program(program, word);
	map_image(program, word);
	error = elf_check(program->image, program->bytes, &program->elf);
	if (error == ELF_NEEDS_INTERPRETER && program->elf.interpreter != NULL)
		report_fail(STATUS_NOT_RUNNABLE, "%s: %s (its interpreter is %s)", word,
			elf_error_text(error), program->elf.interpreter);
	if (error != ELF_OK)
		report_fail(STATUS_NOT_RUNNABLE, "%s: %s", word, elf_error_text(error));
}
