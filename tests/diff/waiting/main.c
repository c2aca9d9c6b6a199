/* poll, select, epoll, timerfd and signalfd: odd arguments, masks, signals, time left. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include "check/trace.h"

static volatile int handled;

static void on_signal(int number)
{
	(void)number;
	handled++;
}

/* SIGALRM in a few milliseconds, which ends what waits. */
static void alarm_soon(int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	struct itimerval soon = {.it_value.tv_usec = 20000};
	handled = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void interruptions(void)
{
	int counter = eventfd(0, 0), epoll = epoll_create1(0), ends[2];
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd poller = {.fd = counter, .events = POLLIN};
	struct timespec second = {1, 0};
	struct timeval long_time = {1, 0};
	uint64_t value;
	char byte;
	fd_set set;
	if (pipe(ends) || epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event))
		abort();
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		alarm_soon(flags);
		TRY(syscall(SYS_poll, &poller, 1, 1000));
		TRY(handled);
		alarm_soon(flags);
		TRY(syscall(SYS_ppoll, &poller, 1, &second, NULL, 8));
		printf("time left is stored: %d\n", second.tv_sec == 0 && second.tv_nsec > 0);
		second = (struct timespec){1, 0};
		FD_ZERO(&set);
		FD_SET(counter, &set);
		alarm_soon(flags);
		TRY(syscall(SYS_select, counter + 1, &set, NULL, NULL, &long_time));
		printf("time left is stored: %d, set kept %d\n",
			long_time.tv_sec == 0 && long_time.tv_usec > 0,
			FD_ISSET(counter, &set) != 0);
		long_time = (struct timeval){1, 0};
		alarm_soon(flags);
		TRY(syscall(SYS_epoll_wait, epoll, &event, 1, 1000));
		TRY(handled);
	}
	alarm_soon(0);
	TRY(read(counter, &value, 8));
	alarm_soon(0);
	TRY(read(ends[0], &byte, 1));
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	alarm_soon(0);
	TRY(read(timer, &value, 8));
	close(timer);
	close(counter);
	close(epoll);
	close(ends[0]);
	close(ends[1]);
}

static void masks(void)
{
	uint64_t block = 1ull << (SIGUSR1 - 1), none = 0, old;
	struct timespec now = {0, 0}, bad = {0, 1000000000};
	struct pollfd poller = {.fd = -1};
	int epoll = epoll_create1(0);
	struct epoll_event event;
	struct {
		uint64_t *mask;
		size_t bytes;
	} pair = {&none, 8}, wrong = {&none, 4}, absent = {NULL, 3};
	signal(SIGUSR1, on_signal);
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &block, NULL, 8));
	handled = 0;
	raise(SIGUSR1);
	TRY(handled);
	TRY(syscall(SYS_ppoll, &poller, 1, &now, NULL, 8));
	TRY(handled);
	now = (struct timespec){1, 0};
	TRY(syscall(SYS_ppoll, &poller, 1, &now, &none, 8));
	TRY(handled);
	raise(SIGUSR1);
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){1, 0}, &pair));
	TRY(handled);
	raise(SIGUSR1);
	TRY(syscall(SYS_epoll_pwait, epoll, &event, 1, 1000, &none, 8));
	TRY(handled);
	raise(SIGUSR1);
	TRY(syscall(SYS_epoll_pwait2, epoll, &event, 1, &(struct timespec){1, 0}, &none, 8));
	TRY(handled);
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8));
	printf("blocked: %#lx\n", (unsigned long)old);
	TRY(syscall(SYS_ppoll, &poller, 1, &now, &none, 4));
	TRY(syscall(SYS_ppoll, &poller, 1, &now, (void *)8, 8));
	TRY(syscall(SYS_ppoll, &poller, 1, &bad, NULL, 8));
	TRY(syscall(SYS_ppoll, &poller, 1, &(struct timespec){-1, 0}, NULL, 8));
	TRY(syscall(SYS_ppoll, &poller, 1, (void *)8, NULL, 8));
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){0, 0}, &wrong));
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){0, 0}, &absent));
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){0, 0}, (void *)8));
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &bad, NULL));
	TRY(syscall(SYS_epoll_pwait, epoll, &event, 1, 0, &none, 4));
	TRY(syscall(SYS_epoll_pwait, epoll, &event, 1, 0, (void *)8, 8));
	TRY(syscall(SYS_epoll_pwait2, epoll, &event, 1, &bad, NULL, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &block, NULL, 8));
	close(epoll);
}

static void arguments(void)
{
	struct rlimit limit = {64, 64};
	struct pollfd pollers[65];
	int counter = eventfd(1, 0), epoll = epoll_create1(0), ends[2];
	struct epoll_event event = {.events = EPOLLIN}, events[4];
	fd_set set, none;
	if (pipe(ends))
		abort();
	TRY(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < 65; i++)
		pollers[i] = (struct pollfd){.fd = i, .events = POLLIN | POLLOUT};
	TRY(syscall(SYS_poll, pollers, 65, 0));
	TRY(syscall(SYS_poll, pollers + 3, 61, 0));
	for (int i = 3; i < 10; i++)
		printf("%d: %#x\n", i, (unsigned)pollers[i].revents);
	TRY(syscall(SYS_poll, (void *)8, 1, 0));
	TRY(syscall(SYS_poll, NULL, 0, 0));
	FD_ZERO(&set);
	FD_ZERO(&none);
	TRY(syscall(SYS_select, -1, &set, NULL, NULL, &(struct timeval){0, 0}));
	FD_SET(counter, &set);
	FD_SET(60, &set);
	TRY(syscall(SYS_select, 64, &set, NULL, NULL, &(struct timeval){0, 0}));
	TRY(syscall(SYS_select, 60, &set, NULL, NULL, &(struct timeval){0, 0}));
	TRY(FD_ISSET(60, &set) != 0);
	TRY(syscall(SYS_select, 1024, &none, &none, &none, &(struct timeval){0, 0}));
	TRY(syscall(SYS_select, 10, (void *)8, NULL, NULL, &(struct timeval){0, 0}));
	TRY(syscall(SYS_select, 0, NULL, NULL, NULL, &(struct timeval){0, 2000000}));
	TRY(syscall(SYS_select, 0, NULL, NULL, NULL, &(struct timeval){-1, 0}));
	TRY(syscall(SYS_select, 0, NULL, NULL, NULL, &(struct timeval){0, -1}));
	TRY(syscall(SYS_select, 0, NULL, NULL, NULL, (void *)8));
	TRY(syscall(SYS_epoll_create, 0));
	TRY(syscall(SYS_epoll_create, -1));
	TRY(syscall(SYS_epoll_create1, 1));
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, counter, (void *)8));
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, counter, &event));
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, counter, &event));
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, epoll, &event));
	TRY(syscall(SYS_epoll_ctl, counter, EPOLL_CTL_ADD, epoll, &event));
	TRY(syscall(SYS_epoll_ctl, epoll, 9, counter, &event));
	TRY(syscall(SYS_epoll_ctl, epoll, 9, counter, NULL));
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, ends[0], NULL));
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, ends[0], &event));
	TRY(syscall(SYS_epoll_wait, epoll, events, 0, 0));
	TRY(syscall(SYS_epoll_wait, epoll, events, -1, 0));
	TRY(syscall(SYS_epoll_wait, epoll, events, 0x7fffffff, 0));
	TRY(syscall(SYS_epoll_wait, epoll, (void *)8, 1, 0));
	TRY(syscall(SYS_epoll_wait, epoll, (void *)-4096L, 1, 0));
	TRY(syscall(SYS_epoll_wait, epoll, events, 4, 0));
	int copy = dup(counter);
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, copy, &event));
	TRY(syscall(SYS_epoll_wait, epoll, events, 4, 0));
	close(counter);
	TRY(syscall(SYS_epoll_wait, epoll, events, 4, 0)); /* the description lives on */
	TRY(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, counter, NULL));
	close(copy);
	TRY(syscall(SYS_epoll_wait, epoll, events, 4, 0));
	TRY(syscall(SYS_eventfd2, 0, 2));
	TRY(syscall(SYS_timerfd_create, 99, 0));
	TRY(syscall(SYS_timerfd_create, CLOCK_PROCESS_CPUTIME_ID, 0));
	TRY(syscall(SYS_timerfd_create, CLOCK_REALTIME, 1));
	TRY(syscall(SYS_signalfd4, -1, &event, 4, 0));
	TRY(syscall(SYS_signalfd4, -1, (void *)8, 8, 0));
	TRY(syscall(SYS_signalfd4, ends[0], &(uint64_t){0}, 8, 0));
	TRY(syscall(SYS_signalfd4, 50, &(uint64_t){0}, 8, 0));
	TRY(syscall(SYS_signalfd4, -1, &(uint64_t){0}, 8, 1));
	close(epoll);
	close(ends[0]);
	close(ends[1]);
}

static void timers(void)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec setting = {.it_value.tv_nsec = 1}, got;
	uint64_t count = 0;
	TRY(read(timer, &count, 8));
	TRY(read(timer, &count, 4));
	TRY(write(timer, &count, 8));
	TRY(syscall(SYS_timerfd_settime, timer, 0, &setting, NULL));
	usleep(2000);
	TRY(read(timer, &count, 8));
	TRY((long)count);
	setting = (struct itimerspec){{0, 1000000}, {0, 1}};
	TRY(syscall(SYS_timerfd_settime, timer, 0, &setting, &got));
	printf("was %d\n", got.it_value.tv_sec || got.it_value.tv_nsec);
	usleep(20000);
	TRY(read(timer, &count, 8));
	printf("many %d\n", count >= 20);
	TRY(syscall(SYS_timerfd_gettime, timer, &got));
	printf("interval %ld, left %d\n", got.it_interval.tv_nsec, got.it_value.tv_nsec <= 1000000);
	setting.it_value.tv_nsec = 1000000000;
	TRY(syscall(SYS_timerfd_settime, timer, 0, &setting, NULL));
	setting.it_value.tv_nsec = 0;
	setting.it_value.tv_sec = -1;
	TRY(syscall(SYS_timerfd_settime, timer, 0, &setting, NULL));
	setting.it_value.tv_sec = 1;
	setting.it_interval.tv_nsec = -1;
	TRY(syscall(SYS_timerfd_settime, timer, 0, &setting, NULL));
	setting.it_interval.tv_nsec = 0;
	TRY(syscall(SYS_timerfd_settime, timer, 8, &setting, NULL));
	TRY(syscall(SYS_timerfd_settime, timer, 0, NULL, NULL));
	TRY(syscall(SYS_timerfd_settime, 0x7fff, 0, &setting, NULL));
	setting.it_value.tv_sec = 0x7fffffffffffffff;
	TRY(syscall(SYS_timerfd_settime, timer, 0, &setting, NULL));
	TRY(syscall(SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, &setting, NULL));
	setting.it_value = (struct timespec){0, 1};
	TRY(syscall(SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, &setting, NULL));
	TRY(read(timer, &count, 8));
	close(timer);
}

static void signals(void)
{
	uint64_t set = 1ull << (SIGUSR2 - 1) | 1ull << (SIGTERM - 1);
	struct signalfd_siginfo records[4];
	sigset_t block;
	sigemptyset(&block);
	sigaddset(&block, SIGUSR2);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	int fd = (int)TRY(syscall(SYS_signalfd4, -1, &set, 8, O_NONBLOCK));
	TRY(read(fd, records, sizeof(records)));
	kill(getpid(), SIGTERM);
	sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	TRY(poll(&poller, 1, 0));
	TRY(read(fd, records, 100));
	TRY(read(fd, records, sizeof(records)));
	for (int i = 0; i < 2; i++)
		printf("%u code %d self %d value %d\n", records[i].ssi_signo, records[i].ssi_code,
			(pid_t)records[i].ssi_pid == getpid(), records[i].ssi_int);
	TRY(poll(&poller, 1, 0));
	set = 1ull << (SIGUSR2 - 1);
	TRY(syscall(SYS_signalfd4, fd, &set, 8, 0));
	kill(getpid(), SIGTERM);
	TRY(read(fd, records, sizeof(records)));
	TRY(write(fd, records, 128));
	close(fd);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	interruptions();
	masks();
	timers();
	signals();
	arguments();
	return 0;
}
