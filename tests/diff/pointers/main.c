/* Bad pointers and lengths: an error, never an end of the program. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include "check/trace.h"

struct pointer {
	const char *name;
	void *at;
};

static char buffer[8192];

#define WITH(call)                                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		int error_ = errno;                                                                \
		snprintf(label, sizeof(label), "%s: %s", name, #call);                             \
		errno = error_;                                                                    \
		trace(label, result_);                                                             \
	} while (0)

static int file, ends[2], epoll;

static void try_pointer(const char *name, void *at)
{
	char label[200];
	static sigset_t old;
	WITH(syscall(SYS_pread64, file, at, 16, 0));
	WITH(syscall(SYS_pread64, file, at, 0, 0));
	WITH(syscall(SYS_pwrite64, file, at, 16, 0));
	WITH(syscall(SYS_pread64, file, at, -1L, 0));
	WITH(syscall(SYS_pwrite64, file, at, 1L << 62, 0));
	WITH(syscall(SYS_read, ends[0], at, 16));
	WITH(syscall(SYS_write, ends[1], at, 16));
	WITH(syscall(SYS_read, ends[0], at, 64));
	WITH(syscall(SYS_readv, file, at, 1));
	WITH(syscall(SYS_readv, file, at, 0));
	WITH(syscall(SYS_writev, file, at, 1025));
	WITH(syscall(SYS_openat, AT_FDCWD, at, O_RDONLY));
	WITH(syscall(SYS_newfstatat, AT_FDCWD, "file", at, 0));
	WITH(syscall(SYS_fstat, file, at));
	WITH(syscall(SYS_fstat, 999, at));
	WITH(syscall(SYS_mkdir, at, 0));
	WITH(syscall(SYS_rename, at, "x"));
	WITH(syscall(SYS_rename, "file", at));
	WITH(syscall(SYS_readlink, "link", at, 10));
	WITH(syscall(SYS_readlink, at, buffer, 10));
	WITH(syscall(SYS_getcwd, at, 1));
	WITH(syscall(SYS_pipe2, at, 0) == -1 ? -1 : 1);
	WITH(syscall(SYS_poll, at, 1, 0) == -1 ? -1 : 1);
	WITH(syscall(SYS_poll, at, 1 << 30, 0));
	WITH(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, ends[0], at));
	WITH(syscall(SYS_epoll_wait, epoll, at, 1, 0));
	WITH(syscall(SYS_epoll_wait, epoll, at, 1 << 30, 0));
	WITH(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, at));
	WITH(syscall(SYS_clock_getres, CLOCK_MONOTONIC, at));
	WITH(syscall(SYS_gettimeofday, at, NULL));
	WITH(syscall(SYS_getrlimit, 7, at));
	WITH(syscall(SYS_getrusage, 0, at));
	WITH(syscall(SYS_sysinfo, at));
	WITH(syscall(SYS_uname, at));
	WITH(syscall(SYS_times, at) == -1 ? -1 : 1);
	WITH(syscall(SYS_getrandom, at, 16, 0));
	WITH(syscall(SYS_sched_getaffinity, 0, 128, at) == -1 ? -1 : 1);
	WITH(syscall(SYS_sched_getaffinity, 0, 3, at));
	WITH(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, at, 8));
	WITH(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &old, 7));
	WITH(syscall(SYS_rt_sigpending, at, 8));
	WITH(syscall(SYS_rt_sigaction, SIGUSR1, NULL, at, 8));
	WITH(syscall(SYS_rt_sigaction, SIGUSR1, NULL, at, 16));
	WITH(syscall(SYS_futex, at, 129, 1, NULL, NULL, 0));
	WITH(syscall(SYS_getitimer, 0, at));
	WITH(syscall(SYS_timerfd_settime, 999, 0, at, NULL));
	WITH(syscall(SYS_statfs, "/", at));
	WITH(syscall(SYS_statfs, at, buffer));
	WITH(syscall(SYS_getdents64, 999, at, 100));
	WITH(syscall(SYS_prctl, 16, at));
	WITH(syscall(SYS_getresuid, at, at, at));
	WITH(syscall(SYS_mincore, buffer, 4096, at) == -1 && errno == EINVAL ? 0 : 1);
	WITH(syscall(SYS_capget, at, at));
	WITH(syscall(SYS_set_robust_list, at, 24));
}

int main(void)
{
	char *pages =
		mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(pages + 4096, 4096, PROT_NONE);
	char *text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pointer all[] = {
		{"null", NULL},
		{"eight", (void *)8},
		{"minus one", (void *)-1L},
		{"kernel", (void *)0xffffffff81000000},
		{"not canonical", (void *)0x8000000000000000},
		{"no access", pages + 4096},
		{"runs into no access", pages + 4090},
		{"read-only", text},
	};
	file = open("file", O_CREAT | O_TRUNC | O_RDWR, 0644);
	if (write(file, buffer, 100) != 100 || pipe2(ends, O_NONBLOCK) || symlink("target", "link"))
		return 1;
	epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLOUT};
	epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &event);
	event.events = EPOLLIN;
	epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
	for (size_t i = 0; i < ROWS(all); i++)
		try_pointer(all[i].name, all[i].at);
	unlink("file");
	unlink("link");
	return 0;
}
