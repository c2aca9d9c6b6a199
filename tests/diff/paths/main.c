/* Every kind of path with every call that takes one. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include "check/trace.h"

static int home; /* an empty directory of our own */
static char longest[256], too_long[257], deep[5000];

static void make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);
	if (fd < 0 || write(fd, "abc", 3) != 3)
		abort();
	close(fd);
}

/* Empties a directory: every call starts from the same tree. */
static void empty(const char *path)
{
	DIR *stream = opendir(path);
	char inner[4096];

	if (stream == NULL)
		abort();
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (unlink(inner)) {
			empty(inner);
			rmdir(inner);
		}
	}
	closedir(stream);
}

static void build_tree(void)
{
	if (fchdir(home))
		abort();
	empty(".");
	if (mkdir("dir", 0755) || mkdir("empty", 0755) || symlink("file", "link") ||
		symlink("nowhere", "dangling") || symlink("loop", "loop") ||
		symlink("dir", "to-dir") || mkfifo("fifo", 0644))
		abort();
	make_file("file");
	make_file("dir/inner");
}

static const char *paths[] = {"file", "file/", "file/.", "file/x", "dir", "dir/", "dir/.", "dir/..",
	"dir/inner", "dir//inner", "dir/../file", "empty", "empty/", "link", "link/", "dangling",
	"dangling/", "loop", "loop/x", "to-dir", "to-dir/", "to-dir/inner", "new", "new/", "new/x",
	"none/new", "", ".", "..", "/", "//", "fifo", longest, too_long, deep};

static const char *shown(const char *path)
{
	if (path == longest)
		return "(255 bytes)";
	if (path == too_long)
		return "(256 bytes)";
	return path == deep ? "(5000 bytes)" : path;
}

#define AT(call)                                                                                   \
	do {                                                                                       \
		build_tree();                                                                      \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		int error_ = errno;                                                                \
		snprintf(label, sizeof(label), "%s: %s", shown(path), #call);                      \
		errno = error_;                                                                    \
		trace(label, result_);                                                             \
	} while (0)

/* open, with what it opened closed again; the number itself does not matter. */
static long opened(const char *path, int flags, int mode)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, flags | O_NONBLOCK, mode);
	if (fd < 0)
		return -1;
	int saved = errno;
	close((int)fd);
	errno = saved;
	return 1;
}

static long mode_of(const char *path, int flags)
{
	struct stat info;
	if (syscall(SYS_newfstatat, AT_FDCWD, path, &info, flags))
		return -1;
	return info.st_mode & S_IFMT;
}

static void change_path(const char *path)
{
	char label[400], buffer[64];
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	AT(syscall(SYS_mkdir, path, 0700));
	AT(syscall(SYS_rmdir, path));
	AT(syscall(SYS_unlink, path));
	AT(syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
	AT(syscall(SYS_unlinkat, AT_FDCWD, path, 1));
	AT(syscall(SYS_rename, path, "file2"));
	AT(syscall(SYS_rename, path, "file"));
	AT(syscall(SYS_rename, path, "empty"));
	AT(syscall(SYS_rename, path, "dir"));
	AT(syscall(SYS_rename, path, "dir/empty2"));
	AT(syscall(SYS_rename, "file", path));
	AT(syscall(SYS_rename, "empty", path));
	AT(syscall(SYS_rename, "dir", path));
	AT(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, path, 1));
	AT(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, path, 2));
	AT(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, path, 3));
	AT(syscall(SYS_link, path, "new"));
	AT(syscall(SYS_link, "file", path));
	AT(syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "new", AT_SYMLINK_FOLLOW));
	AT(syscall(SYS_symlink, "target", path));
	AT(syscall(SYS_readlink, path, buffer, 64));
	AT(syscall(SYS_readlink, path, buffer, 0));
	AT(syscall(SYS_chmod, path, 0640));
	AT(syscall(SYS_chown, path, 1, 2));
	AT(syscall(SYS_lchown, path, 1, 2));
	AT(syscall(SYS_truncate, path, 1));
	AT(syscall(SYS_truncate, path, -1));
	AT(syscall(SYS_utimensat, AT_FDCWD, path, times, 0));
	AT(syscall(SYS_utimensat, AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
	AT(syscall(SYS_mknod, path, S_IFREG | 0600, 0));
	AT(syscall(SYS_mknod, path, S_IFIFO | 0600, 0));
	AT(syscall(SYS_mknod, path, S_IFDIR | 0600, 0));
}

static void try_path(const char *path)
{
	char label[400], buffer[64];
	struct statfs fs;

	AT(opened(path, O_RDONLY, 0));
	AT(opened(path, O_WRONLY, 0));
	AT(opened(path, O_RDWR | O_TRUNC, 0));
	AT(opened(path, O_RDWR | O_CREAT, 0600));
	AT(opened(path, O_RDWR | O_CREAT | O_EXCL, 0600));
	AT(opened(path, O_RDONLY | O_CREAT, 0600));
	AT(opened(path, O_RDONLY | O_DIRECTORY, 0));
	AT(opened(path, O_RDONLY | O_NOFOLLOW, 0));
	AT(opened(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
	AT(opened(path, O_PATH, 0));
	AT(opened(path, O_PATH | O_NOFOLLOW, 0));
	AT(opened(path, O_RDONLY | O_CREAT | O_DIRECTORY, 0600) == -1 && errno == EINVAL);
	AT(mode_of(path, 0));
	AT(mode_of(path, AT_SYMLINK_NOFOLLOW));
	AT(mode_of(path, AT_EMPTY_PATH));
	AT(mode_of(path, 0x8000000));
	AT(syscall(SYS_access, path, F_OK));
	AT(syscall(SYS_access, path, W_OK | R_OK));
	AT(syscall(SYS_access, path, 99));
	AT(syscall(SYS_faccessat2, AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW));
	AT(syscall(SYS_statfs, path, &fs));
	AT(syscall(SYS_getxattr, path, "user.none", buffer, 10));
	AT(syscall(SYS_chdir, path) == 0 ? fchdir(home) : -1);
	if (strcmp(path, "..") != 0 && path[0] != '/')
		change_path(path); /* what lies outside is not ours to change */
}

int main(void)
{
	if (mkdir("paths", 0700) || chdir("paths"))
		return 1;
	home = open(".", O_RDONLY | O_DIRECTORY);
	umask(022);
	memset(longest, 'n', 255);
	memset(too_long, 'n', 256);
	for (int i = 0; i < 4998; i += 2)
		memcpy(deep + i, "./", 2);
	for (size_t i = 0; i < ROWS(paths); i++)
		try_path(paths[i]);
	empty(".");
	return 0;
}
