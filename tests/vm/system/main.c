/* What a program asks about its machine and itself. */
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "check/check.h"

static void identity(void)
{
	struct utsname name;
	CHECK_EQUAL(uname(&name), 0);
	CHECK_EQUAL(strcmp(name.sysname, "Linux"), 0);
	CHECK_EQUAL(strcmp(name.machine, "x86_64"), 0);
	CHECK(name.release[0] >= '4' && name.release[0] <= '9');
	CHECK_ERRNO(uname((void *)8), EFAULT);
	CHECK(getpid() > 0);
	CHECK_EQUAL(syscall(SYS_gettid), getpid());
	CHECK(getppid() >= 0);
	CHECK_EQUAL(getuid(), geteuid());
	CHECK_EQUAL(getgid(), getegid());
	CHECK(getpgid(0) >= 0);
	uid_t real, effective, saved;
	CHECK_EQUAL(getresuid(&real, &effective, &saved), 0);
	CHECK_EQUAL(real, getuid());
	CHECK(getgroups(0, NULL) >= 0);
	char comm[16];
	CHECK_EQUAL(prctl(PR_SET_NAME, "a-longer-name-than-fits"), 0);
	CHECK_EQUAL(prctl(PR_GET_NAME, comm), 0);
	CHECK_EQUAL(strcmp(comm, "a-longer-name-t"), 0);
	CHECK_ERRNO(prctl(9999, 0, 0, 0, 0), EINVAL);
}

static void randomness(void)
{
	unsigned char one[64] = {0}, two[64] = {0}, zero[64] = {0};
	CHECK_EQUAL(getrandom(one, 64, 0), 64);
	CHECK_EQUAL(getrandom(two, 64, GRND_NONBLOCK), 64);
	CHECK(memcmp(one, two, 64) && memcmp(one, zero, 64) && memcmp(two, zero, 64));
	CHECK_EQUAL(getrandom(one, 0, 0), 0);
	CHECK_ERRNO(syscall(SYS_getrandom, one, 64, 0x100), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrandom, (void *)8, 64, 0), EFAULT);
	/* bits of a longer piece are about half ones */
	static unsigned char many[1 << 16];
	CHECK_EQUAL(getrandom(many, sizeof(many), 0), sizeof(many));
	long ones = 0;
	for (size_t i = 0; i < sizeof(many); i++)
		ones += __builtin_popcount(many[i]);
	CHECK(ones > (1 << 18) - 4000 && ones < (1 << 18) + 4000);
}

static void usage(void)
{
	struct rusage before, after;
	struct rlimit limit;
	CHECK_EQUAL(getrusage(RUSAGE_SELF, &before), 0);
	for (volatile long i = 0; i < 60000000; i++)
		;
	CHECK_EQUAL(getrusage(RUSAGE_SELF, &after), 0);
	long spent = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
		     after.ru_utime.tv_usec - before.ru_utime.tv_usec +
		     (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
		     after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	CHECK(spent > 1000);
	CHECK_EQUAL(getrusage(RUSAGE_THREAD, &after), 0);
	CHECK_EQUAL(getrusage(RUSAGE_CHILDREN, &after), 0);
	CHECK_ERRNO(getrusage(99, &after), EINVAL);
	struct timespec process, thread;
	CHECK_EQUAL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process), 0);
	CHECK_EQUAL(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread), 0);
	CHECK(process.tv_sec * 1000000000 + process.tv_nsec > 1000000);
	CHECK(thread.tv_sec * 1000000000 + thread.tv_nsec > 1000000);
	struct tms times_;
	CHECK(times(&times_) != (clock_t)-1);
	CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK(limit.rlim_cur >= 256 && limit.rlim_cur <= limit.rlim_max);
	limit.rlim_cur = 300;
	CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_ERRNO(dup2(1, 300), EBADF);
	CHECK_EQUAL(dup2(1, 299), 299);
	CHECK_EQUAL(getrlimit(RLIMIT_STACK, &limit), 0);
	CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
	struct sysinfo info;
	CHECK_EQUAL(sysinfo(&info), 0);
	CHECK((uint64_t)info.totalram * info.mem_unit >= 16 << 20);
	CHECK(info.freeram <= info.totalram);
	cpu_set_t set;
	CHECK_EQUAL(sched_getaffinity(0, sizeof(set), &set), 0);
	CHECK(CPU_COUNT(&set) >= 1);
	CHECK(sched_getcpu() >= 0);
	CHECK_EQUAL(sched_yield(), 0);
}

static int64_t ns(clockid_t clock)
{
	struct timespec now;
	CHECK_EQUAL(clock_gettime(clock, &now), 0);
	CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void clocks(void)
{
	clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
		CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int64_t last = ns(all[i]);
		for (int j = 0; j < 10000; j++) {
			int64_t now = ns(all[i]);
			CHECK(now >= last);
			last = now;
		}
		struct timespec resolution;
		CHECK_EQUAL(clock_getres(all[i], &resolution), 0);
		CHECK(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
	}
	/* the clocks run at one speed: 100 ms on one are 100 ms on the other */
	int64_t real = ns(CLOCK_REALTIME), steady = ns(CLOCK_MONOTONIC);
	struct timespec pause = {.tv_nsec = 100000000};
	CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL), 0);
	int64_t real_spent = ns(CLOCK_REALTIME) - real, steady_spent = ns(CLOCK_MONOTONIC) - steady;
	CHECK(steady_spent >= 100000000 && steady_spent < 2000000000);
	CHECK(llabs(real_spent - steady_spent) < 10000000);
	struct timeval tv;
	CHECK_EQUAL(gettimeofday(&tv, NULL), 0);
	CHECK(llabs(tv.tv_sec - ns(CLOCK_REALTIME) / 1000000000) <= 1);
	CHECK(llabs(time(NULL) - tv.tv_sec) <= 1);
	CHECK_ERRNO(clock_gettime(99, &pause), EINVAL);
	CHECK_EQUAL(clock_nanosleep(99, 0, &pause, NULL), EINVAL);
	pause.tv_nsec = 1000000000;
	CHECK_ERRNO(nanosleep(&pause, NULL), EINVAL);
	pause = (struct timespec){.tv_sec = 1};
	CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &pause, NULL), 0);
}

static void unknown_calls(void)
{
	CHECK_ERRNO(syscall(5000), ENOSYS);
	CHECK_ERRNO(syscall(-1), ENOSYS);
	CHECK_ERRNO(syscall(0x7fffffff), ENOSYS);
}

int main(void)
{
	identity();
	randomness();
	clocks();
	usage();
	unknown_calls();
	return ok();
}
