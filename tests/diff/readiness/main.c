/* What poll, select and epoll say about pipes, counters and timers in every state. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include "check/trace.h"

static void state(const char *name, int fd)
{
	struct pollfd poller = {
		.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | 0x2000 | 0x40 | 0x100};
	int count = poll(&poller, 1, 0);
	printf("%s: poll %d %#x", name, count, (unsigned)poller.revents);
	fd_set reads, writes, others;
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_ZERO(&others);
	FD_SET(fd, &reads);
	FD_SET(fd, &writes);
	FD_SET(fd, &others);
	struct timeval none = {0};
	count = select(fd + 1, &reads, &writes, &others, &none);
	printf(", select %d %d%d%d", count, FD_ISSET(fd, &reads) != 0, FD_ISSET(fd, &writes) != 0,
		FD_ISSET(fd, &others) != 0);
	int epoll = epoll_create1(0);
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
		printf(", epoll %s\n", error_name(errno));
	} else {
		count = epoll_wait(epoll, &event, 1, 0);
		printf(", epoll %d %#x\n", count, count == 1 ? event.events : 0);
	}
	close(epoll);
}

static void pipes(void)
{
	int ends[2];
	char page[4096] = {0};
	if (pipe2(ends, O_NONBLOCK))
		abort();
	state("empty pipe, read end", ends[0]);
	state("empty pipe, write end", ends[1]);
	TRY(write(ends[1], "x", 1));
	state("pipe with a byte, read end", ends[0]);
	state("pipe with a byte, write end", ends[1]);
	TRY(read(ends[0], page, 1));
	for (int i = 0; i < 17; i++)
		TRY(write(ends[1], page, sizeof(page)));
	state("full pipe, write end", ends[1]);
	TRY(read(ends[0], page, 1));
	TRY(read(ends[0], page, sizeof(page)));
	state("pipe with a page of room, write end", ends[1]);
	TRY(write(ends[1], page, sizeof(page)));
	state("pipe without room again, write end", ends[1]);
	int copy = dup(ends[1]);
	close(ends[1]);
	state("pipe with a second writer", ends[0]);
	close(copy);
	state("pipe whose writer left, with data", ends[0]);
	while (read(ends[0], page, sizeof(page)) > 0)
		;
	state("pipe whose writer left, empty", ends[0]);
	TRY(read(ends[0], page, 1));
	close(ends[0]);
	if (pipe2(ends, O_NONBLOCK))
		abort();
	close(ends[0]);
	state("pipe whose reader left", ends[1]);
	TRY(write(ends[1], "x", 1));
	close(ends[1]);
}

static void sizes(void)
{
	int ends[2];
	if (pipe2(ends, O_NONBLOCK))
		abort();
	long all[] = {0, 1, 4096, 4097, 65536, 100000, 1 << 20, 1l << 31, -1};
	char label[64];
	for (size_t i = 0; i < ROWS(all); i++) {
		snprintf(label, sizeof(label), "F_SETPIPE_SZ %ld", all[i]);
		trace(label, syscall(SYS_fcntl, ends[1], F_SETPIPE_SZ, all[i]));
		TRY(syscall(SYS_fcntl, ends[0], F_GETPIPE_SZ));
	}
	static char big[300000];
	TRY(write(ends[1], big, sizeof(big)));
	TRY(syscall(SYS_fcntl, ends[1], F_SETPIPE_SZ, 4096));
	TRY(read(ends[0], big, sizeof(big)));
	close(ends[0]), close(ends[1]);
}

static void counters(void)
{
	uint64_t value = 0xfffffffffffffffe;
	int fd = eventfd(0, EFD_NONBLOCK);
	state("eventfd 0", fd);
	TRY(write(fd, &value, 8));
	state("eventfd at its limit", fd);
	TRY(read(fd, &value, 16));
	value = 5;
	TRY(write(fd, &value, 8));
	state("eventfd 5", fd);
	close(fd);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	state("timerfd not set", fd);
	struct itimerspec spec = {.it_value = {.tv_nsec = 1}};
	TRY(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000);
	state("timerfd expired", fd);
	TRY(read(fd, &value, 8));
	TRY((long)value);
	state("timerfd read", fd);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	state("/dev/null", fd);
	close(fd);
	fd = open("file", O_CREAT | O_RDWR, 0600);
	state("file", fd);
	close(fd);
	unlink("file");
	fd = open(".", O_RDONLY);
	state("directory", fd);
	close(fd);
}

/* The events of one set, in the order in which they are reported. */
static void several(void)
{
	int fds[4], epoll = epoll_create1(0);
	for (int i = 0; i < 4; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK);
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	}
	uint64_t one = 1;
	int order[] = {2, 0, 3, 1};
	for (int i = 0; i < 4; i++)
		TRY(write(fds[order[i]], &one, 8));
	struct epoll_event events[8];
	for (int round = 0; round < 3; round++) {
		int count = epoll_wait(epoll, events, 2, 0);
		printf("round %d: %d:", round, count);
		for (int i = 0; i < count; i++)
			printf(" %u", events[i].data.u32);
		printf("\n");
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	TRY(epoll_wait(epoll, events, 8, 0));
	close(epoll);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	pipes();
	sizes();
	counters();
	several();
	return 0;
}
