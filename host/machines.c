/* Records of VMs: see host/machines.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/alloc.h"
#include "host/machines.h"

#define NAME_BYTES      (sizeof(((struct machine_record *)NULL)->name))
#define NAMES_TRIED_MAX 10000

/* ---- the directory ----------------------------------------------------------- */

static char *directory_path(void)
{
	const char *state = getenv("BURROW_STATE"), *runtime = getenv("XDG_RUNTIME_DIR");

	if (state != NULL && *state == '/')
		return alloc_text("%s", state);
	if (runtime != NULL && *runtime == '/')
		return alloc_text("%s/burrow", runtime);
	if (geteuid() == 0)
		return alloc_text("/run/burrow");
	return alloc_text("/tmp/burrow-%ju", (uintmax_t)geteuid());
}

/* Opens the directory, which must be ours alone: others could put records into it. */
static int open_directory(bool create)
{
	char *path = directory_path();
	struct stat status;
	int fd;

	if (create && mkdir(path, 0700) != 0 && errno != EEXIST) {
		fd = -errno;
		free(path);
		return fd;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	free(path);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0 || status.st_uid != geteuid() || (status.st_mode & 022) != 0) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

bool machines_is_name(const char *name)
{
	size_t length =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return length > 0 && length < NAME_BYTES && name[length] == 0 && *name != '.' &&
	       *name != '-';
}

static char *record_name(const char *name)
{
	return alloc_text("%s.vm", name);
}

/* ---- one record --------------------------------------------------------------- */

static struct machine_record *map_record(int fd, int protection)
{
	void *at = mmap(NULL, MACHINE_RECORD_BYTES, protection, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Locks the file of this name, made if there is none; -EWOULDBLOCK: its VM runs. */
static int lock_record(int directory, const char *file)
{
	for (;;) {
		int fd = openat(directory, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat mine, present;
		int error;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			error = -errno;
			close(fd);
			return error;
		}
		/* Whoever removed the file in between held the lock then. */
		if (fstat(fd, &mine) == 0 &&
			fstatat(directory, file, &present, AT_SYMLINK_NOFOLLOW) == 0 &&
			mine.st_ino == present.st_ino)
			return fd;
		close(fd);
	}
}

static int fill_record(int fd, const char *name, struct machine_handle *machine)
{
	if (ftruncate(fd, 0) != 0 || ftruncate(fd, MACHINE_RECORD_BYTES) != 0)
		return -errno;
	machine->record = map_record(fd, PROT_READ | PROT_WRITE);
	if (machine->record == NULL)
		return -errno;
	machine->fd = fd;
	machine->is_running = true;
	*machine->record = (struct machine_record){
		.magic = MACHINE_RECORD_MAGIC, .version = MACHINE_RECORD_VERSION};
	memcpy(machine->record->name, name, strlen(name));
	return fcntl(fd, F_SETFD, 0) == 0 ? 0 : -errno;
}

static int register_name(int directory, const char *name, struct machine_handle *machine)
{
	char *file = record_name(name);
	int fd = lock_record(directory, file);
	int error;

	free(file);
	if (fd < 0)
		return fd == -EWOULDBLOCK ? -EEXIST : fd;
	error = fill_record(fd, name, machine);
	if (error != 0)
		close(fd);
	return error;
}

/* The last part of the path, made a name: what is not allowed becomes '-'. */
static char *name_of_program(const char *program)
{
	const char *slash = strrchr(program, '/');
	char *name = alloc_text("%.40s", slash != NULL ? slash + 1 : program);

	for (char *at = name; *at != 0; at++) {
		char one[2] = {*at, 0};

		if (!machines_is_name(one))
			*at = at == name ? 'v' : '-';
	}
	return *name != 0 ? name : alloc_text("vm");
}

int machines_register(const char *wish, const char *program, struct machine_handle *machine)
{
	char *base = wish != NULL ? alloc_text("%s", wish) : name_of_program(program);
	int directory = open_directory(true);
	int error = directory < 0 ? directory : register_name(directory, base, machine);

	for (int i = 2; wish == NULL && error == -EEXIST && i < NAMES_TRIED_MAX; i++) {
		char *name = alloc_text("%s-%d", base, i);

		error = register_name(directory, name, machine);
		free(name);
	}
	if (directory >= 0)
		close(directory);
	free(base);
	return error;
}

void machines_close(struct machine_handle *machine)
{
	munmap(machine->record, MACHINE_RECORD_BYTES);
	if (machine->fd >= 0)
		close(machine->fd);
	machine->record = NULL;
	machine->fd = -1;
}

void machines_unregister(struct machine_handle *machine, bool keep)
{
	int directory = keep ? -1 : open_directory(false);

	if (directory >= 0) {
		char *file = record_name(machine->record->name);

		unlinkat(directory, file, 0);
		free(file);
		close(directory);
	}
	machines_close(machine);
}

/* ---- those of others ------------------------------------------------------------ */

/* Nothing in the file is trusted: texts are made to end, the name is the file's. */
static bool is_good_record(const struct machine_record *record, const char *name)
{
	return record->magic == MACHINE_RECORD_MAGIC && record->version == MACHINE_RECORD_VERSION &&
	       strncmp(record->name, name, NAME_BYTES) == 0 &&
	       memchr(record->program, 0, sizeof(record->program)) != NULL &&
	       memchr(record->ports, 0, sizeof(record->ports)) != NULL &&
	       memchr(record->platform, 0, sizeof(record->platform)) != NULL;
}

static int open_in(int directory, const char *name, struct machine_handle *machine)
{
	char *file = record_name(name);
	int fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	free(file);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0 || status.st_size < MACHINE_RECORD_BYTES) {
		close(fd);
		return -ENOENT; /* being made */
	}
	machine->record = map_record(fd, PROT_READ);
	machine->is_running = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	machine->fd = -1;
	if (machine->record == NULL)
		return -ENOMEM;
	if (!is_good_record(machine->record, name)) {
		machines_close(machine);
		return -ENOENT;
	}
	return 0;
}

/* A VM that ended without a supervisor leaves a record that nobody needs. */
static bool is_left_over(const struct machine_handle *machine)
{
	return !machine->is_running && machine->record->state != MACHINE_ENDED;
}

static void remove_in(int directory, const char *name)
{
	char *file = record_name(name), *log = alloc_text("%s.log", name),
	     *old_log = alloc_text("%s.log.1", name);
	int fd = lock_record(directory, file);

	if (fd >= 0) {
		unlinkat(directory, log, 0);
		unlinkat(directory, old_log, 0);
		unlinkat(directory, file, 0);
		close(fd);
	}
	free(file);
	free(log);
	free(old_log);
}

int machines_open(const char *name, struct machine_handle *machine)
{
	int directory, error;

	if (!machines_is_name(name))
		return -ENOENT;
	directory = open_directory(false);
	if (directory < 0)
		return directory;
	error = open_in(directory, name, machine);
	if (error == 0 && is_left_over(machine)) {
		machines_close(machine);
		remove_in(directory, name);
		error = -ENOENT;
	}
	close(directory);
	return error;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_names(int directory, struct text_list *names)
{
	int copy = dup(directory);
	DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		size_t length = strlen(entry->d_name);
		char *name;

		if (length <= 3 || strcmp(entry->d_name + length - 3, ".vm") != 0)
			continue;
		name = alloc_text("%.*s", (int)length - 3, entry->d_name);
		if (machines_is_name(name))
			text_list_add(names, name);
		else
			free(name);
	}
	if (stream != NULL)
		closedir(stream);
	if (names->count != 0)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
}

int machines_visit(
	void (*visit)(const struct machine_handle *machine, void *context), void *context)
{
	int directory = open_directory(false);
	struct text_list names = {0};

	if (directory < 0)
		return directory == -ENOENT ? 0 : directory;
	list_names(directory, &names);
	for (size_t i = 0; i < names.count; i++) {
		struct machine_handle machine;

		if (open_in(directory, names.items[i], &machine) == 0) {
			if (is_left_over(&machine))
				remove_in(directory, names.items[i]);
			else
				visit(&machine, context);
			machines_close(&machine);
		}
		free(names.items[i]);
	}
	free(names.items);
	close(directory);
	return 0;
}

int machines_remove(const char *name)
{
	struct machine_handle machine;
	int error = machines_open(name, &machine);
	int directory;

	if (error != 0)
		return error;
	if (machine.is_running) {
		machines_close(&machine);
		return -EBUSY;
	}
	machines_close(&machine);
	directory = open_directory(false);
	if (directory < 0)
		return directory;
	remove_in(directory, name);
	close(directory);
	return 0;
}

char *machines_log_path(const char *name)
{
	char *directory = directory_path(), *path = alloc_text("%s/%s.log", directory, name);

	free(directory);
	return path;
}
