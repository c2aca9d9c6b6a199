/* Every kind of descriptor with every operation. */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include "check/trace.h"

static char buffer[64];

struct kind {
	const char *name;
	int fd;
	int seekable;
};

static int pipe_end(int which, int flags)
{
	int ends[2];
	if (pipe2(ends, flags))
		abort();
	return ends[which]; /* the other end stays open too */
}

static int closed_pipe(int which)
{
	int ends[2];
	if (pipe2(ends, O_NONBLOCK))
		abort();
	close(ends[!which]);
	return ends[which];
}

static int file(int flags)
{
	int fd = open("file", O_CREAT | O_TRUNC | O_RDWR, 0644);
	if (write(fd, "0123456789", 10) != 10)
		abort();
	close(fd);
	return open("file", flags);
}

/* Blocks forever with a valid buffer on these: nothing to learn there. */
static int would_block(const char *name)
{
	return strstr(name, "blocking") != NULL;
}

static void operate(const struct kind *kind)
{
	char label[128];
	int fd = kind->fd;
	struct stat info;
	struct iovec pieces[2] = {{buffer, 3}, {buffer + 8, 2}};
	off_t offset = 0;
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};
	int available = -1;
	struct termios termios;
	struct winsize size;
#define ON(call)                                                                                   \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		int error_ = errno;                                                                \
		snprintf(label, sizeof(label), "%s: %s", kind->name, #call);                       \
		errno = error_;                                                                    \
		trace(label, result_);                                                             \
	} while (0)

	ON(syscall(SYS_fcntl, fd, F_GETFD));
	ON(syscall(SYS_fcntl, fd, F_GETFL) & ~0100000);
	if (syscall(SYS_fstat, fd, &info) == 0)
		printf("%s: type %o, size %ld\n", kind->name, info.st_mode & S_IFMT,
			S_ISREG(info.st_mode) ? (long)info.st_size : 0);
	if (!would_block(kind->name)) {
		ON(syscall(SYS_write, fd, "ab", 2));
		ON(syscall(SYS_writev, fd, pieces, 2));
		ON(syscall(SYS_read, fd, buffer, 5));
		ON(syscall(SYS_readv, fd, pieces, 2));
		ON(syscall(SYS_read, fd, (void *)8, 5));
		ON(syscall(SYS_write, fd, (void *)8, 5));
	}
	ON(syscall(SYS_read, fd, buffer, 0));
	ON(syscall(SYS_write, fd, buffer, 0));
	ON(syscall(SYS_pread64, fd, buffer, 5, 0));
	ON(syscall(SYS_pread64, fd, buffer, 5, -1));
	ON(syscall(SYS_pwrite64, fd, "xyz", 3, 2));
	ON(syscall(SYS_preadv, fd, pieces, 2, 0, 0));
	ON(syscall(SYS_pwritev, fd, pieces, 2, 0, 0));
	if (kind->seekable) { /* what has no position got other errors in newer Linux */
		ON(syscall(SYS_lseek, fd, 0, SEEK_CUR));
		ON(syscall(SYS_lseek, fd, 3, SEEK_SET));
		ON(syscall(SYS_lseek, fd, -100, SEEK_CUR));
		ON(syscall(SYS_lseek, fd, 0, 77));
		ON(syscall(SYS_fallocate, fd, 0, 0, 20));
		ON(syscall(SYS_fallocate, fd, 0, -1, 20));
		ON(syscall(SYS_fallocate, fd, 0, 0, 0));
		ON(syscall(SYS_fadvise64, fd, 0, 0, 0));
		ON(syscall(SYS_fadvise64, fd, 0, 0, 99));
	}
	ON(syscall(SYS_ftruncate, fd, 6));
	ON(syscall(SYS_ftruncate, fd, -1));
	ON(syscall(SYS_fsync, fd));
	ON(syscall(SYS_fdatasync, fd));
	ON(syscall(SYS_fchdir, fd) == 0 ? chdir("..") * 0 : -1);
	ON(syscall(SYS_getdents64, fd, buffer, 10));
	ON(syscall(SYS_flock, fd, 2));
	ON(syscall(SYS_flock, fd, 8));
	ON(syscall(SYS_flock, fd, 16));
	if (strcmp(kind->name, "epoll") != 0) {
		ON(syscall(SYS_ioctl, fd, TCGETS, &termios));
		ON(syscall(SYS_ioctl, fd, TIOCGWINSZ, &size));
		ON(syscall(SYS_ioctl, fd, FIONREAD, &available));
		ON(syscall(SYS_ioctl, fd, 0x12345678, 0));
	}
	ON(syscall(SYS_ioctl, fd, FIOCLEX, 0));
	ON(syscall(SYS_fcntl, fd, F_GETFD));
	ON(syscall(SYS_ioctl, fd, FIONCLEX, 0));
	ON(syscall(SYS_fcntl, fd, F_DUPFD, -1));
	ON(syscall(SYS_fcntl, fd, F_DUPFD, 100000000));
	ON(syscall(SYS_fcntl, fd, F_GETPIPE_SZ, 0));
	ON(syscall(SYS_fcntl, fd, F_GET_SEALS, 0));
	ON(syscall(SYS_fcntl, fd, 99999, 0));
	ON(syscall(SYS_dup3, fd, fd, 0));
	ON(syscall(SYS_dup3, fd, 77, 12345));
	ON(syscall(SYS_poll, &poller, 1, 0));
	printf("%s: revents %#x\n", kind->name, (unsigned)poller.revents);
	int epoll = epoll_create1(0);
	ON(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event));
	close(epoll);
	ON(syscall(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, 0, &event));
	ON(syscall(SYS_epoll_wait, fd, &event, 1, 0));
	long at = syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	snprintf(label, sizeof(label), "%s: mmap readable", kind->name);
	trace_success(label, at);
	if (at != -1)
		munmap((void *)at, 4096);
	at = syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	snprintf(label, sizeof(label), "%s: mmap writable", kind->name);
	trace_success(label, at);
	if (at != -1)
		munmap((void *)at, 4096);
	ON(syscall(SYS_sendfile, fd, fd, &offset, 0));
	ON(syscall(SYS_sendfile, 999, fd, NULL, 5));
	ON(syscall(SYS_splice, fd, NULL, 999, NULL, 5, 0));
	ON(syscall(SYS_tee, fd, fd, 5, 0));
	ON(syscall(SYS_timerfd_gettime, fd, buffer));
	ON(syscall(SYS_signalfd4, fd, buffer, 4, 0));
	ON(syscall(SYS_getsockname, fd, buffer, &available));
	ON(syscall(SYS_listen, fd, 5));
	ON(syscall(SYS_accept, fd, NULL, NULL));
	ON(syscall(SYS_shutdown, fd, 7));
	ON(syscall(SYS_fchmod, fd, 0600) && kind->fd < 0 ? -1 : 0);
	ON(syscall(SYS_openat, fd, "x", O_RDONLY));
	ON(syscall(SYS_faccessat, fd, "x", F_OK));
}

/* Who is in whose way among descriptors without a name. */
static void lock_nameless(void)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int first[2], second[2], events[2] = {eventfd(0, 0), eventfd(0, 0)};

	if (pipe(first) != 0 || pipe(second) != 0)
		return;
	trace("locks: flock(first[0], LOCK_EX | LOCK_NB)", flock(first[0], LOCK_EX | LOCK_NB));
	trace("locks: flock(first[1], LOCK_EX | LOCK_NB)", flock(first[1], LOCK_EX | LOCK_NB));
	trace("locks: flock(second[0], LOCK_EX | LOCK_NB)", flock(second[0], LOCK_EX | LOCK_NB));
	trace("locks: fcntl(first[1], F_OFD_SETLK, &all)", fcntl(first[1], F_OFD_SETLK, &all));
	trace("locks: fcntl(second[1], F_SETLK, &all)", fcntl(second[1], F_SETLK, &all));
	trace("locks: fcntl(second[1], F_OFD_SETLK, &all)", fcntl(second[1], F_OFD_SETLK, &all));
	close(first[0]);
	trace("locks: flock(first[1], LOCK_SH | LOCK_NB)", flock(first[1], LOCK_SH | LOCK_NB));
	trace("locks: flock(events[0], LOCK_EX | LOCK_NB)", flock(events[0], LOCK_EX | LOCK_NB));
	trace("locks: flock(events[1], LOCK_EX | LOCK_NB)", flock(events[1], LOCK_EX | LOCK_NB));
	close(events[0]);
	trace("locks: flock(events[1], LOCK_EX | LOCK_NB)", flock(events[1], LOCK_EX | LOCK_NB));
	close(events[1]);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

int main(void)
{
	sigset_t none;
	sigemptyset(&none);
	signal(SIGPIPE, SIG_IGN);
	mkdir("dir", 0755);
	struct kind kinds[] = {
		{"closed", 99, 1},
		{"negative", -1, 1},
		{"cwd", AT_FDCWD},
		{"file read-only", file(O_RDONLY), 1},
		{"file write-only", file(O_WRONLY), 1},
		{"file read-write", file(O_RDWR), 1},
		{"file append", file(O_RDWR | O_APPEND), 1},
		{"file path-only", file(O_PATH), 1},
		{"directory", open("dir", O_RDONLY | O_DIRECTORY)},
		{"pipe read", pipe_end(0, O_NONBLOCK)},
		{"pipe write", pipe_end(1, O_NONBLOCK)},
		{"blocking pipe", pipe_end(0, 0)},
		{"pipe without writer", closed_pipe(0)},
		{"pipe without reader", closed_pipe(1)},
		{"eventfd", eventfd(0, EFD_NONBLOCK)},
		{"epoll", epoll_create1(0)},
		{"timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)},
		{"signalfd", signalfd(-1, &none, SFD_NONBLOCK)},
		{"memfd", (int)memfd_create("m", 0), 1},
		{"null", open("/dev/null", O_RDWR)},
		{"zero", open("/dev/zero", O_RDWR)},
		{"full", open("/dev/full", O_RDWR)},
	};
	for (size_t i = 0; i < ROWS(kinds); i++)
		operate(&kinds[i]);
	lock_nameless();
	unlink("file");
	rmdir("dir");
	return 0;
}
