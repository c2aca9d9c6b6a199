/* Clocks, timers and sleeps with good and bad arguments. */
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include "check/trace.h"

static const int clocks[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 99, -1, -2, -6, 0x7fffffff};

static void each_clock(void)
{
	char label[96];
	struct timespec time, short_time = {.tv_nsec = 1000};
	for (size_t i = 0; i < ROWS(clocks); i++) {
		int clock = clocks[i];
#define OF(call)                                                                                   \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		snprintf(label, sizeof(label), "clock %d: %s", clock, #call);                      \
		trace(label, result_);                                                             \
	} while (0)
		if (clock == 8 || clock == 9)
			continue; /* alarm clocks: need a hardware clock */
		OF(syscall(SYS_clock_gettime, clock, &time));
		OF(syscall(SYS_clock_getres, clock, NULL));
		OF(syscall(SYS_clock_gettime, clock, 8));
		if (clock != 2 && clock != 3 && clock != -2 && clock != -6)
			OF(syscall(SYS_clock_nanosleep, clock, 0, &short_time, NULL));
		int fd = (int)syscall(SYS_timerfd_create, clock, 0);
		OF(fd == -1 ? -1 : 0);
		if (fd >= 0)
			close(fd);
		int timer = 0;
		struct sigevent event = {.sigev_notify = SIGEV_NONE};
		long made = syscall(SYS_timer_create, clock, &event, &timer);
		OF(made);
		if (made == 0)
			syscall(SYS_timer_delete, timer);
	}
}

static void sleeps(void)
{
	struct timespec bad[] = {{0, 1000000000}, {0, -1}, {-1, 0}, {0, 0}, {0, 1}};
	char label[64];
	for (size_t i = 0; i < ROWS(bad); i++) {
		snprintf(label, sizeof(label), "nanosleep(%ld, %ld)", (long)bad[i].tv_sec,
			bad[i].tv_nsec);
		trace(label, syscall(SYS_nanosleep, &bad[i], NULL));
		snprintf(label, sizeof(label), "absolute (%ld, %ld)", (long)bad[i].tv_sec,
			bad[i].tv_nsec);
		trace(label, syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &bad[i],
				     NULL));
		trace(label, syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 77, &bad[i], NULL));
	}
	TRY(syscall(SYS_nanosleep, NULL, NULL));
	TRY(syscall(SYS_nanosleep, 8, NULL));
}

static void interval_timers(void)
{
	struct itimerval value = {.it_value = {.tv_sec = 1000}}, old,
			 bad = {.it_value = {.tv_usec = 1000000}};
	for (int which = -1; which < 4; which++) {
		printf("timer %d\n", which);
		TRY(syscall(SYS_setitimer, which, &bad, NULL));
		TRY(syscall(SYS_setitimer, which, &value, &old));
		TRY(syscall(SYS_getitimer, which, &old));
		value.it_value.tv_sec = 0;
		TRY(syscall(SYS_setitimer, which, &value, &old));
		printf("was set: %d\n", old.it_value.tv_sec > 900 && old.it_value.tv_sec <= 1000);
		value.it_value.tv_sec = 1000;
		TRY(syscall(SYS_setitimer, which, NULL, &old));
		TRY(syscall(SYS_setitimer, which, 8, NULL));
	}
	TRY(syscall(SYS_alarm, 500));
	TRY(syscall(SYS_alarm, 0));
	TRY(syscall(SYS_alarm, 0));
}

static void posix_timers(void)
{
	int timer = 0, number[] = {0, 1, 2, 3, 4, 5, 99};
	char label[64];
	struct itimerspec spec = {.it_value = {.tv_sec = 100}}, old;
	for (size_t i = 0; i < ROWS(number); i++) {
		struct sigevent event = {.sigev_notify = number[i], .sigev_signo = 99};
		snprintf(label, sizeof(label), "timer_create with notify %d, signal 99", number[i]);
		if (trace(label, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer)) == 0)
			syscall(SYS_timer_delete, timer);
		event.sigev_signo = SIGUSR1;
		snprintf(label, sizeof(label), "timer_create with notify %d, SIGUSR1", number[i]);
		if (trace(label, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer)) == 0)
			syscall(SYS_timer_delete, timer);
	}
	TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer));
	TRY(syscall(SYS_timer_settime, timer, 0, &spec, &old));
	TRY(old.it_value.tv_sec);
	TRY(syscall(SYS_timer_gettime, timer, &old));
	TRY(old.it_value.tv_sec >= 99);
	TRY(syscall(SYS_timer_getoverrun, timer));
	spec.it_value.tv_nsec = -1;
	TRY(syscall(SYS_timer_settime, timer, 0, &spec, NULL));
	TRY(syscall(SYS_timer_settime, timer, 0, NULL, NULL));
	TRY(syscall(SYS_timer_delete, timer));
	TRY(syscall(SYS_timer_delete, timer));
	TRY(syscall(SYS_timer_gettime, timer, &old));
	TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8));
}

static void timer_descriptors(void)
{
	struct itimerspec spec = {.it_value = {.tv_sec = 100}}, old;
	uint64_t count;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	TRY(syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 77));
	TRY(syscall(SYS_timerfd_settime, fd, 0, &spec, &old));
	TRY(syscall(SYS_timerfd_settime, fd, 77, &spec, &old));
	TRY(syscall(SYS_timerfd_settime, 999, 0, &spec, &old));
	TRY(syscall(SYS_timerfd_settime, 1, 0, &spec, &old));
	TRY(syscall(SYS_timerfd_settime, fd, 0, NULL, &old));
	TRY(syscall(SYS_read, fd, &count, 7));
	TRY(syscall(SYS_read, fd, &count, 8));
	TRY(syscall(SYS_write, fd, &count, 8));
	spec.it_interval.tv_nsec = 2000000000;
	TRY(syscall(SYS_timerfd_settime, fd, 0, &spec, &old));
	TRY(syscall(SYS_timerfd_gettime, fd, &old));
	TRY(old.it_value.tv_sec >= 99);
	close(fd);
}

int main(void)
{
	each_clock();
	sleeps();
	interval_timers();
	posix_timers();
	timer_descriptors();
	return 0;
}
