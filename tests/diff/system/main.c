/* Identity, limits, scheduling, futex arguments and other small calls. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "check/trace.h"

static void identity(void)
{
	TRY(syscall(SYS_getuid));
	TRY(syscall(SYS_geteuid));
	TRY(syscall(SYS_getgid));
	TRY(syscall(SYS_getegid));
	TRY(syscall(SYS_setuid, 0));
	TRY(syscall(SYS_setgid, 0));
	TRY(syscall(SYS_setuid, -1));
	TRY(syscall(SYS_setresuid, -1, -1, -1));
	TRY(syscall(SYS_setresgid, -1, -1, -1));
	TRY(syscall(SYS_getpgid, 99999999));
	TRY(syscall(SYS_getsid, 99999999));
	TRY(syscall(SYS_setpgid, 0, -1));
	TRY(syscall(SYS_getpgid, -1));
	TRY(syscall(SYS_gettid) == getpid());
	TRY(syscall(SYS_wait4, -1, NULL, 0, NULL));
	TRY(syscall(SYS_wait4, -1, NULL, WNOHANG, NULL));
	TRY(syscall(SYS_wait4, -1, NULL, 0x1000000, NULL));
	TRY(syscall(SYS_umask, 077));
	TRY(syscall(SYS_umask, 022));
	TRY(syscall(SYS_umask, 01777));
	TRY(syscall(SYS_umask, 022));
}

static void limits(void)
{
	char label[64];
	struct rlimit value;
	for (int which = -1; which < 18; which++) {
		snprintf(label, sizeof(label), "getrlimit(%d)", which);
		trace(label, syscall(SYS_getrlimit, which, &value));
		snprintf(label, sizeof(label), "prlimit64(0, %d)", which);
		trace(label, syscall(SYS_prlimit64, 0, which, NULL, &value));
	}
	value = (struct rlimit){.rlim_cur = 10, .rlim_max = 5};
	TRY(syscall(SYS_setrlimit, RLIMIT_NOFILE, &value));
	value = (struct rlimit){.rlim_cur = 20, .rlim_max = 200};
	TRY(syscall(SYS_setrlimit, RLIMIT_NOFILE, &value));
	value.rlim_cur = 0;
	TRY(syscall(SYS_getrlimit, RLIMIT_NOFILE, &value));
	TRY(value.rlim_cur);
	TRY(value.rlim_max);
	TRY(syscall(SYS_dup2, 1, 20));
	TRY(syscall(SYS_dup2, 1, 19));
	TRY(syscall(SYS_fcntl, 1, F_DUPFD, 20));
	int count = 0, fd;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		count++;
	trace("open until it fails", fd);
	printf("%d opened\n", count);
	for (fd = 3; fd < 20; fd++)
		close(fd);
	TRY(syscall(SYS_prlimit64, 99999999, RLIMIT_NOFILE, NULL, &value));
	TRY(syscall(SYS_getrusage, 1, &value) == 0 || errno == EFAULT);
	TRY(syscall(SYS_getrusage, 55, NULL));
}

static void scheduling(void)
{
	struct sched_param param = {0};
	struct timespec interval;
	uint64_t set[16] = {0};
	TRY(syscall(SYS_sched_yield));
	TRY(syscall(SYS_sched_getscheduler, 0));
	TRY(syscall(SYS_sched_getscheduler, -1));
	TRY(syscall(SYS_sched_getscheduler, 99999999));
	TRY(syscall(SYS_sched_getparam, 0, &param));
	TRY(param.sched_priority);
	TRY(syscall(SYS_sched_getparam, 0, NULL));
	TRY(syscall(SYS_sched_get_priority_max, SCHED_FIFO));
	TRY(syscall(SYS_sched_get_priority_min, SCHED_FIFO));
	TRY(syscall(SYS_sched_get_priority_max, SCHED_OTHER));
	TRY(syscall(SYS_sched_get_priority_max, 99));
	TRY(syscall(SYS_sched_rr_get_interval, -1, &interval));
	TRY(syscall(SYS_sched_setaffinity, 0, 8, set));
	TRY(syscall(SYS_sched_getaffinity, 0, 7, set));
	TRY(syscall(SYS_sched_getaffinity, 99999999, 128, set));
	set[0] = 1;
	TRY(syscall(SYS_sched_setaffinity, 0, 8, set));
	set[0] = 0;
	TRY_SUCCESS(syscall(SYS_sched_getaffinity, 0, 128, set));
	TRY(set[0]);
	TRY(syscall(SYS_getpriority, PRIO_PROCESS, 0));
	TRY(syscall(SYS_getpriority, 99, 0));
	TRY(syscall(SYS_getpriority, PRIO_PROCESS, 99999999));
}

static void named(void)
{
	char name[32] = {0};
	TRY(syscall(SYS_prctl, PR_SET_NAME, "0123456789abcdefgh"));
	TRY(syscall(SYS_prctl, PR_GET_NAME, name));
	printf("name is %s\n", name);
	TRY(syscall(SYS_prctl, PR_GET_DUMPABLE));
	TRY(syscall(SYS_prctl, PR_SET_DUMPABLE, 7));
	TRY(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY(syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY(syscall(SYS_prctl, PR_SET_PDEATHSIG, 99));
	TRY(syscall(SYS_prctl, 12345, 0, 0, 0, 0));
	TRY(syscall(SYS_arch_prctl, 0x9999, 0));
	TRY(syscall(SYS_arch_prctl, 0x1003, 8));
	TRY(syscall(SYS_arch_prctl, 0x1002, 0x8000000000000000));
	TRY(syscall(SYS_getcpu, NULL, NULL, NULL));
	TRY(syscall(SYS_getcpu, 8, NULL, NULL));
	TRY(syscall(SYS_set_robust_list, 0, 24));
	TRY(syscall(SYS_set_robust_list, 0, 25));
	TRY(syscall(SYS_get_robust_list, 99999999, name, name));
	TRY(syscall(SYS_personality, 0xffffffff));
	TRY(syscall(SYS_getrandom, name, 5, 0));
	TRY(syscall(SYS_getrandom, name, 5, 8));
	TRY(syscall(SYS_getrandom, name, 5, 6));
	TRY(syscall(SYS_sysinfo, NULL));
	TRY(syscall(SYS_memfd_create, "a", 0x100));
	TRY(syscall(SYS_memfd_create, NULL, 0));
	TRY(syscall(SYS_eventfd2, 0, 0x100));
	TRY(syscall(SYS_epoll_create, 0));
	TRY(syscall(SYS_epoll_create, -1));
	TRY(syscall(SYS_close_range, 50, 40, 0));
	TRY(syscall(SYS_close_range, 50, 60, 0));
	TRY(syscall(SYS_close_range, 50, 60, 99));
	TRY(syscall(SYS_membarrier, 99, 0, 0));
	TRY(syscall(4000));
	TRY(syscall(-5));
}

static void futexes(void)
{
	static uint32_t word = 7, second = 8;
	struct timespec none = {0}, bad = {.tv_nsec = -1};
	char label[64];
	for (int operation = 0; operation <= 10; operation++) {
		if (operation >= 6 && operation <= 8)
			continue; /* priority inheritance */
		int waits = operation == 0 || operation == 9;
		for (int private = 0; private < 2; private ++) {
			int code = operation | private << 7;
			void *fourth = waits ? (void *)&none : (void *)1;
			snprintf(label, sizeof(label), "futex(%d)", code);
			trace(label, syscall(SYS_futex, &word, code, 3, fourth, &second, 1));
			trace(label,
				syscall(SYS_futex, (char *)&word + 1, code, 3, fourth, &second, 1));
			trace(label, syscall(SYS_futex, 8, code, 3, fourth, &second, 1));
			trace(label, syscall(SYS_futex, NULL, code, 3, fourth, &second, 1));
			if (!waits) {
				trace(label, syscall(SYS_futex, &word, code, 3, fourth, 8, 1));
				trace(label, syscall(SYS_futex, &word, code, 3, fourth,
						     (char *)&second + 1, 1));
				continue;
			}
			trace(label, syscall(SYS_futex, &word, code, 7, &bad, &second, 1));
			trace(label, syscall(SYS_futex, &word, code, 7, &none, &second, 1));
			trace(label, syscall(SYS_futex, &word, code, 7, 8, &second, 1));
			trace(label, syscall(SYS_futex, &word, code, 7, &none, &second, 0));
		}
	}
	TRY(syscall(SYS_futex, &word, 77, 0, NULL, NULL, 0));
	TRY(syscall(SYS_futex, &word, 1, -1, NULL, NULL, 0));
	TRY(syscall(SYS_futex, &word, 4, 1, -1, &second, 7));
	TRY(syscall(SYS_futex, &word, 3, -1, 1, &second, 7));
}

int main(void)
{
	identity();
	scheduling();
	named();
	futexes();
	limits();
	return 0;
}
