/* What POSIX and Linux promise about files, directories and links, in memory. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "check/check.h"

enum { IF_NEW = 1, EXCHANGE = 2 }; /* flags of renameat2, which musl lacks */

static int rename_with(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static int make_file(const char *name, const char *content)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);
	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, content, strlen(content)), strlen(content));
	return fd;
}

static void reading_and_writing(void)
{
	char buffer[64] = {0};
	struct stat info;
	int fd = make_file("one", "hello world");
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 11);
	CHECK_EQUAL(pread(fd, buffer, 5, 6), 5);
	CHECK_EQUAL(memcmp(buffer, "world", 5), 0);
	CHECK_EQUAL(lseek(fd, -5, SEEK_END), 6);
	CHECK_EQUAL(read(fd, buffer, 64), 5);
	CHECK_EQUAL(read(fd, buffer, 64), 0);
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	CHECK_ERRNO(pread(fd, buffer, 1, -1), EINVAL);
	/* a hole reads as zeroes */
	CHECK_EQUAL(pwrite(fd, "x", 1, 100000), 1);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_size, 100001);
	CHECK_EQUAL(pread(fd, buffer, 10, 50000), 10);
	for (int i = 0; i < 10; i++)
		CHECK_EQUAL(buffer[i], 0);
	CHECK_EQUAL(ftruncate(fd, 3), 0);
	CHECK_EQUAL(ftruncate(fd, 6), 0);
	CHECK_EQUAL(pread(fd, buffer, 10, 0), 6);
	CHECK_EQUAL(memcmp(buffer, "hel\0\0\0", 6), 0);
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	CHECK_EQUAL(close(fd), 0);
	CHECK_ERRNO(close(fd), EBADF);
	CHECK_ERRNO(read(fd, buffer, 1), EBADF);
	/* append goes to the end whatever the position says */
	fd = open("one", O_WRONLY | O_APPEND);
	CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQUAL(write(fd, "END", 3), 3);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 9);
	CHECK_ERRNO(read(fd, buffer, 1), EBADF);
	close(fd);
	fd = open("one", O_RDONLY);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	struct iovec pieces[2] = {{buffer, 4}, {buffer + 10, 5}};
	CHECK_EQUAL(readv(fd, pieces, 2), 9);
	CHECK_EQUAL(memcmp(buffer + 10, "\0\0END", 5), 0);
	CHECK_ERRNO(readv(fd, pieces, -1), EINVAL);
	CHECK_ERRNO(readv(fd, pieces, 2000), EINVAL);
	close(fd);
}

static void opening(void)
{
	CHECK_ERRNO(open("absent", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("one", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_ERRNO(open("one", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open("one/below", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
	CHECK_ERRNO(open((char *)8, O_RDONLY), EFAULT);
	char longest[300];
	memset(longest, 'a', 299);
	longest[299] = 0;
	CHECK_ERRNO(open(longest, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	longest[255] = 0;
	int fd = open(longest, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQUAL(unlink(longest), 0);
	char path[5000];
	memset(path, '/', sizeof(path));
	path[4999] = 0;
	CHECK_ERRNO(open(path, O_RDONLY), ENAMETOOLONG);
	/* the lowest free descriptor is taken */
	int first = open("one", O_RDONLY), second = open("one", O_RDONLY);
	CHECK_EQUAL(second, first + 1);
	close(first);
	CHECK_EQUAL(open("one", O_RDONLY), first);
	close(first);
	close(second);
	/* removed but open: still there for those who have it open */
	fd = make_file("gone", "content");
	CHECK_EQUAL(unlink("gone"), 0);
	CHECK_ERRNO(open("gone", O_RDONLY), ENOENT);
	char buffer[8];
	CHECK_EQUAL(pread(fd, buffer, 8, 0), 7);
	struct stat info;
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_nlink, 0);
	close(fd);
	int directory = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(directory >= 0);
	CHECK_ERRNO(read(directory, buffer, 8), EISDIR);
	fd = openat(directory, "one", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERRNO(openat(fd, "x", O_RDONLY), ENOTDIR);
	close(fd);
	close(directory);
	CHECK_ERRNO(openat(directory, "one", O_RDONLY), EBADF);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK(fd >= 0 || errno == EOPNOTSUPP || errno == EISDIR);
	if (fd >= 0)
		close(fd);
}

static void directories(void)
{
	CHECK_EQUAL(mkdir("d", 0755), 0);
	CHECK_ERRNO(mkdir("d", 0755), EEXIST);
	CHECK_ERRNO(mkdir("no/d", 0755), ENOENT);
	CHECK_EQUAL(mkdir("d/e", 0755), 0);
	struct stat info;
	CHECK_EQUAL(stat("d", &info), 0);
	CHECK(S_ISDIR(info.st_mode));
	CHECK_EQUAL(info.st_nlink, 3);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(rmdir("one"), ENOTDIR);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/e/.."), ENOTEMPTY);
	CHECK_ERRNO(rename("d", "d/e/f"), EINVAL);
	for (int i = 0; i < 300; i++) {
		char name[32];
		snprintf(name, sizeof(name), "d/entry-%d", i);
		close(make_file(name, ""));
	}
	DIR *stream = opendir("d");
	CHECK(stream != NULL);
	int count = 0, dots = 0;
	char seen[300] = {0};
	for (struct dirent *entry; (entry = readdir(stream)); count++) {
		int number;
		if (sscanf(entry->d_name, "entry-%d", &number) == 1) {
			CHECK(number >= 0 && number < 300 && !seen[number]);
			seen[number] = 1;
			CHECK_EQUAL(entry->d_type, DT_REG);
		} else if (entry->d_name[0] == '.') {
			dots++;
		} else {
			CHECK_EQUAL(entry->d_type, DT_DIR);
		}
	}
	CHECK_EQUAL(count, 303);
	CHECK_EQUAL(dots, 2);
	rewinddir(stream);
	/* removing while reading: every entry is met once all the same */
	for (struct dirent *entry; (entry = readdir(stream));)
		if (entry->d_type == DT_REG)
			CHECK_EQUAL(unlinkat(dirfd(stream), entry->d_name, 0), 0);
	closedir(stream);
	CHECK_EQUAL(rmdir("d/e"), 0);
	char where[256], back[256];
	CHECK(getcwd(where, sizeof(where)) != NULL);
	CHECK_EQUAL(chdir("d"), 0);
	CHECK(getcwd(back, sizeof(back)) != NULL);
	CHECK_EQUAL(strncmp(back, where, strlen(where)), 0);
	CHECK_EQUAL(strcmp(back + strlen(where), "/d"), 0);
	CHECK_ERRNO((long)getcwd(back, 2) ? 0 : -1, ERANGE);
	CHECK_EQUAL(chdir(".."), 0);
	CHECK_ERRNO(chdir("one"), ENOTDIR);
	CHECK_EQUAL(rmdir("d"), 0);
}

static void names(void)
{
	struct stat one, two;
	char target[64];
	close(make_file("a", "aaa"));
	CHECK_EQUAL(link("a", "b"), 0);
	CHECK_EQUAL(stat("a", &one), 0);
	CHECK_EQUAL(stat("b", &two), 0);
	CHECK_EQUAL(one.st_ino, two.st_ino);
	CHECK_EQUAL(one.st_nlink, 2);
	CHECK_ERRNO(link("a", "b"), EEXIST);
	CHECK_ERRNO(link(".", "dot"), EPERM);
	CHECK_EQUAL(rename("a", "b"), 0); /* the same file: nothing happens */
	CHECK_EQUAL(access("a", F_OK), 0);
	CHECK_EQUAL(unlink("b"), 0);
	close(make_file("c", "ccc"));
	CHECK_EQUAL(rename("a", "c"), 0);
	CHECK_ERRNO(access("a", F_OK), ENOENT);
	CHECK_EQUAL(stat("c", &two), 0);
	CHECK_EQUAL(one.st_ino, two.st_ino);
	CHECK_EQUAL(mkdir("dir", 0700), 0);
	CHECK_ERRNO(rename("c", "dir"), EISDIR);
	CHECK_ERRNO(rename("dir", "c"), ENOTDIR);
	CHECK_ERRNO(rename("absent", "x"), ENOENT);
	close(make_file("x", "xxx"));
	CHECK_ERRNO(rename_with("c", "x", IF_NEW), EEXIST);
	CHECK_EQUAL(rename_with("c", "x", EXCHANGE), 0);
	CHECK_EQUAL(stat("x", &two), 0);
	CHECK_EQUAL(one.st_ino, two.st_ino);

	CHECK_EQUAL(symlink("x", "link"), 0);
	CHECK_EQUAL(readlink("link", target, sizeof(target)), 1);
	CHECK_EQUAL(target[0], 'x');
	CHECK_EQUAL(readlink("link", target, 1), 1);
	CHECK_ERRNO(readlink("x", target, 9), EINVAL);
	CHECK_EQUAL(lstat("link", &two), 0);
	CHECK(S_ISLNK(two.st_mode));
	CHECK_EQUAL(two.st_size, 1);
	CHECK_EQUAL(stat("link", &two), 0);
	CHECK(S_ISREG(two.st_mode));
	CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERRNO(open("link", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_EQUAL(symlink("loop", "loop"), 0);
	CHECK_ERRNO(open("loop", O_RDONLY), ELOOP);
	CHECK_EQUAL(symlink("nowhere", "dangling"), 0);
	CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
	int fd = open("dangling", O_CREAT | O_RDWR, 0600); /* makes the target */
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQUAL(unlink("nowhere"), 0);
	CHECK_ERRNO(symlink("", "empty"), ENOENT);
	CHECK_EQUAL(
		unlink("link") | unlink("loop") | unlink("dangling") | unlink("c") | unlink("x"),
		0);
	CHECK_EQUAL(rmdir("dir"), 0);
}

static void attributes(void)
{
	struct stat info;
	umask(027);
	int fd = open("mode", O_CREAT | O_RDWR, 0666);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_mode, S_IFREG | 0640);
	CHECK_EQUAL(umask(022), 027);
	CHECK_EQUAL(fchmod(fd, 04755), 0);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_mode, S_IFREG | 04755);
	CHECK_EQUAL(fchown(fd, 12, 34), 0);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_uid, 12);
	CHECK_EQUAL(info.st_gid, 34);
	struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000, .tv_nsec = 7}};
	CHECK_EQUAL(futimens(fd, times), 0);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_atim.tv_sec, 1000);
	CHECK_EQUAL(info.st_mtim.tv_sec, 2000);
	CHECK_EQUAL(info.st_mtim.tv_nsec, 7);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK_EQUAL(utimensat(AT_FDCWD, "mode", times, 0), 0);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_atim.tv_sec, 1000);
	CHECK(info.st_mtim.tv_sec > 1000000000);
	/* writing moves mtime */
	times[0] = times[1] = (struct timespec){.tv_sec = 5};
	CHECK_EQUAL(futimens(fd, times), 0);
	CHECK_EQUAL(write(fd, "x", 1), 1);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK(info.st_mtim.tv_sec > 1000000000);
	close(fd);
	CHECK_EQUAL(unlink("mode"), 0);
	struct statfs fs;
	CHECK_EQUAL(statfs(".", &fs), 0);
	CHECK(fs.f_bsize > 0 && fs.f_namelen == 255);
}

static void descriptors(void)
{
	int fd = make_file("dup", "0123456789");
	int copy = dup(fd);
	CHECK_EQUAL(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQUAL(lseek(copy, 0, SEEK_CUR), 2); /* one position */
	CHECK_EQUAL(dup2(fd, 100), 100);
	CHECK_EQUAL(dup2(fd, fd), fd);
	CHECK_ERRNO(dup2(999, 5), EBADF);
	CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
	CHECK_ERRNO(dup2(fd, -1), EBADF);
	CHECK_ERRNO(dup(-1), EBADF);
	CHECK_EQUAL(dup3(fd, 101, O_CLOEXEC), 101);
	CHECK_EQUAL(fcntl(101, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(fcntl(100, F_GETFD), 0);
	CHECK_EQUAL(fcntl(fd, F_DUPFD, 200), 200);
	CHECK_EQUAL(fcntl(fd, F_DUPFD_CLOEXEC, 200), 201);
	CHECK_EQUAL(fcntl(201, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(fcntl(201, F_SETFD, 0), 0);
	CHECK_EQUAL(fcntl(201, F_GETFD), 0);
	CHECK_EQUAL(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND), 0);
	CHECK_EQUAL(fcntl(copy, F_GETFL) & (O_NONBLOCK | O_APPEND), O_NONBLOCK | O_APPEND);
	CHECK_ERRNO(fcntl(fd, 9999), EINVAL);
	CHECK_ERRNO(fcntl(999, F_GETFD), EBADF);
	/* record locks of one process never conflict; flock goes by open file */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 5};
	CHECK_EQUAL(fcntl(fd, F_SETLK, &lock), 0);
	CHECK_EQUAL(fcntl(fd, F_GETLK, &lock), 0);
	CHECK_EQUAL(lock.l_type, F_UNLCK);
	int second = open("dup", O_RDWR);
	CHECK_EQUAL(flock(fd, LOCK_EX), 0);
	CHECK_ERRNO(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_EQUAL(flock(copy, LOCK_UN), 0);
	CHECK_EQUAL(flock(second, LOCK_EX | LOCK_NB), 0);
	for (int i = 0; i < 2; i++)
		close(200 + i), close(100 + i);
	close(fd), close(copy), close(second);
	CHECK_EQUAL(unlink("dup"), 0);
}

/* A mapping of a file and the file itself are one. */
static void mappings(void)
{
	char buffer[16] = {0};
	int fd = make_file("map", "0123456789");
	CHECK_EQUAL(ftruncate(fd, 8192), 0);
	char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	CHECK_EQUAL(memcmp(shared, "0123456789", 10), 0);
	shared[0] = 'A';
	CHECK_EQUAL(pread(fd, buffer, 1, 0), 1);
	CHECK_EQUAL(buffer[0], 'A');
	CHECK_EQUAL(pwrite(fd, "B", 1, 5000), 1);
	CHECK_EQUAL(shared[5000], 'B');
	private[1] = 'C';
	CHECK_EQUAL(shared[1], '1');
	CHECK_EQUAL(msync(shared, 8192, MS_SYNC), 0);
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 100), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, 999, 0), EBADF);
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ, 0, fd, 0), EINVAL);
	int readable = open("map", O_RDONLY);
	CHECK_ERRNO(
		(long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, readable, 0), EACCES);
	close(readable);
	close(fd); /* the mapping keeps the file */
	CHECK_EQUAL(unlink("map"), 0);
	CHECK_EQUAL(shared[0], 'A');
	CHECK_EQUAL(munmap(shared, 8192), 0);
	CHECK_EQUAL(munmap(private, 8192), 0);

	fd = (int)memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, "sealed", 6), 6);
	CHECK_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
	CHECK_ERRNO(write(fd, "x", 1), EPERM);
	CHECK_EQUAL(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_GROW);
	close(fd);
}

int main(void)
{
	reading_and_writing();
	opening();
	directories();
	names();
	attributes();
	descriptors();
	mappings();
	CHECK_EQUAL(unlink("one"), 0);
	return ok();
}
