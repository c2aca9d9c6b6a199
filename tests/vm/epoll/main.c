/* epoll level, edge, one-shot and exclusive; eventfd; timerfd; poll and select. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "check/check.h"

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	CHECK_EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

static int wait_events(int epoll, uint32_t *events)
{
	struct epoll_event event;
	int count = epoll_wait(epoll, &event, 1, 0);
	*events = count == 1 ? event.events : 0;
	return count;
}

static void level_and_edge(void)
{
	int level = epoll_create1(EPOLL_CLOEXEC), edge = epoll_create1(0), once = epoll_create1(0);
	int ends[2];
	uint32_t events;
	char buffer[16];
	CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0);
	add(level, ends[0], EPOLLIN);
	add(edge, ends[0], EPOLLIN | EPOLLET | EPOLLRDHUP);
	add(once, ends[0], EPOLLIN | EPOLLONESHOT);
	CHECK_EQUAL(wait_events(level, &events), 0);
	CHECK_EQUAL(wait_events(edge, &events), 0);
	CHECK_EQUAL(write(ends[1], "ab", 2), 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(wait_events(level, &events), 1);
		CHECK_EQUAL(events, EPOLLIN);
	}
	CHECK_EQUAL(wait_events(edge, &events), 1);
	CHECK_EQUAL(wait_events(edge, &events), 0);
	CHECK_EQUAL(wait_events(once, &events), 1);
	CHECK_EQUAL(read(ends[0], buffer, 1), 1);
	CHECK_EQUAL(wait_events(edge, &events), 0);
	CHECK_EQUAL(write(ends[1], "c", 1), 1); /* a new edge though data was left */
	CHECK_EQUAL(wait_events(edge, &events), 1);
	CHECK_EQUAL(wait_events(once, &events), 0);
	struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT};
	CHECK_EQUAL(epoll_ctl(once, EPOLL_CTL_MOD, ends[0], &again), 0);
	CHECK_EQUAL(wait_events(once, &events), 1);
	CHECK_EQUAL(read(ends[0], buffer, 16), 2);
	CHECK_EQUAL(wait_events(level, &events), 0);
	close(ends[1]);
	CHECK_EQUAL(wait_events(level, &events), 1);
	CHECK_EQUAL(events, EPOLLHUP);
	CHECK_EQUAL(wait_events(edge, &events), 1);
	CHECK_EQUAL(wait_events(edge, &events), 0);
	CHECK_EQUAL(epoll_ctl(level, EPOLL_CTL_DEL, ends[0], NULL), 0);
	CHECK_EQUAL(wait_events(level, &events), 0);
	close(ends[0]);
	close(level);
	close(edge);
	close(once);
}

static void writing(void)
{
	int epoll = epoll_create1(0), ends[2];
	uint32_t events;
	char piece[4096] = {0};
	CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0);
	add(epoll, ends[1], EPOLLOUT | EPOLLET);
	CHECK_EQUAL(wait_events(epoll, &events), 1);
	CHECK_EQUAL(events, EPOLLOUT);
	long total = 0, written;
	while ((written = write(ends[1], piece, sizeof(piece))) > 0)
		total += written;
	CHECK_EQUAL(errno, EAGAIN);
	CHECK_EQUAL(total, 65536);
	CHECK_EQUAL(wait_events(epoll, &events), 0);
	CHECK_EQUAL(read(ends[0], piece, sizeof(piece)), 4096);
	CHECK_EQUAL(wait_events(epoll, &events), 1);
	close(ends[0]);
	CHECK_EQUAL(wait_events(epoll, &events), 1);
	CHECK_EQUAL(events & EPOLLERR, EPOLLERR);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
	close(ends[1]);
	close(epoll);
}

static void errors(void)
{
	int epoll = epoll_create1(0), ends[2];
	struct epoll_event event = {.events = EPOLLIN};
	CHECK_EQUAL(pipe(ends), 0);
	CHECK_ERRNO(epoll_create1(12345), EINVAL);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, 999, &event), EBADF);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event), EINVAL);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_MOD, ends[0], &event), ENOENT);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], &event), ENOENT);
	CHECK_EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), 0);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
	CHECK_ERRNO(epoll_ctl(epoll, 99, ends[0], &event), EINVAL);
	CHECK_ERRNO(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event), EINVAL);
	CHECK_ERRNO(epoll_wait(epoll, &event, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(ends[0], &event, 1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(999, &event, 1, 0), EBADF);
	int file = open("regular", O_CREAT | O_RDWR, 0600);
	CHECK(file >= 0);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), EPERM);
	close(file);
	unlink("regular");
	int64_t before = now_ms();
	CHECK_EQUAL(epoll_wait(epoll, &event, 1, 30), 0);
	CHECK(now_ms() - before >= 29);
	close(ends[0]); /* leaves the set by itself */
	close(ends[1]);
	/* an epoll in an epoll */
	int outer = epoll_create1(0), counter = eventfd(1, 0);
	uint32_t events;
	add(outer, epoll, EPOLLIN);
	CHECK_EQUAL(wait_events(outer, &events), 0);
	add(epoll, counter, EPOLLIN);
	CHECK_EQUAL(wait_events(outer, &events), 1);
	CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, outer, &event), ELOOP);
	close(counter);
	close(outer);
	close(epoll);
}

static void event_counter(void)
{
	int fd = eventfd(3, EFD_NONBLOCK), semaphore = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
	uint64_t value = 0;
	CHECK_EQUAL(read(fd, &value, 8), 8);
	CHECK_EQUAL(value, 3);
	CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
	CHECK_ERRNO(read(fd, &value, 4), EINVAL);
	value = UINT64_MAX;
	CHECK_ERRNO(write(fd, &value, 8), EINVAL);
	value = UINT64_MAX - 1;
	CHECK_EQUAL(write(fd, &value, 8), 8);
	value = 1;
	CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
	struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};
	CHECK_EQUAL(poll(&poller, 1, 0), 1);
	CHECK_EQUAL(poller.revents, POLLIN);
	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(read(semaphore, &value, 8), 8);
		CHECK_EQUAL(value, 1);
	}
	CHECK_ERRNO(read(semaphore, &value, 8), EAGAIN);
	CHECK_ERRNO(eventfd(0, 12345), EINVAL);
	close(fd);
	close(semaphore);
}

static void timer_descriptor(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t count;
	CHECK(fd >= 0);
	CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
	struct itimerspec spec = {
		.it_value = {.tv_nsec = 20000000}, .it_interval = {.tv_nsec = 10000000}};
	struct itimerspec old;
	int64_t before = now_ms();
	CHECK_EQUAL(timerfd_settime(fd, 0, &spec, NULL), 0);
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	CHECK_EQUAL(poll(&poller, 1, 2000), 1);
	CHECK(now_ms() - before >= 19);
	CHECK_EQUAL(read(fd, &count, 8), 8);
	CHECK(count >= 1);
	usleep(55000);
	CHECK_EQUAL(read(fd, &count, 8), 8);
	CHECK(count >= 4);
	CHECK_EQUAL(timerfd_gettime(fd, &old), 0);
	CHECK_EQUAL(old.it_interval.tv_nsec, 10000000);
	memset(&spec, 0, sizeof(spec));
	CHECK_EQUAL(timerfd_settime(fd, 0, &spec, &old), 0);
	usleep(30000);
	CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
	spec.it_value.tv_nsec = 1; /* absolute and long past: at once */
	CHECK_EQUAL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL), 0);
	CHECK_EQUAL(poll(&poller, 1, 1000), 1);
	spec.it_value.tv_nsec = 1000000000;
	CHECK_ERRNO(timerfd_settime(fd, 0, &spec, NULL), EINVAL);
	CHECK_ERRNO(timerfd_create(77, 0), EINVAL);
	CHECK_ERRNO(timerfd_settime(0, 0, &old, NULL), EINVAL);
	close(fd);
}

static void *write_later(void *argument)
{
	usleep(50000);
	CHECK_EQUAL(write(*(int *)argument, "x", 1), 1);
	return NULL;
}

static void poll_and_select(void)
{
	int ends[2];
	pthread_t thread;
	CHECK_EQUAL(pipe(ends), 0);
	struct pollfd pollers[3] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1, .events = POLLIN},
		{.fd = 999, .events = POLLIN}};
	CHECK_EQUAL(poll(pollers, 3, 0), 1);
	CHECK_EQUAL(pollers[2].revents, POLLNVAL);
	CHECK_EQUAL(pollers[1].revents, 0);
	pthread_create(&thread, NULL, write_later, &ends[1]);
	CHECK_EQUAL(poll(pollers, 2, 5000), 1);
	CHECK_EQUAL(pollers[0].revents, POLLIN);
	pthread_join(thread, NULL);

	fd_set reads, writes;
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_SET(ends[0], &reads);
	FD_SET(ends[1], &writes);
	struct timeval time = {.tv_sec = 1};
	CHECK_EQUAL(select(ends[1] + 1, &reads, &writes, NULL, &time), 2);
	CHECK(FD_ISSET(ends[0], &reads) && FD_ISSET(ends[1], &writes));
	FD_SET(50, &reads);
	CHECK_ERRNO(select(51, &reads, NULL, NULL, &time), EBADF);
	FD_ZERO(&reads);
	time = (struct timeval){.tv_usec = 20000};
	int64_t before = now_ms();
	CHECK_EQUAL(select(0, NULL, NULL, NULL, &time), 0);
	CHECK(now_ms() - before >= 19);
	struct timespec none = {0};
	char byte;
	CHECK_EQUAL(read(ends[0], &byte, 1), 1);
	CHECK_EQUAL(ppoll(pollers, 1, &none, NULL), 0);
	close(ends[0]);
	close(ends[1]);
}

/* Several threads wait on one set: with EPOLLEXCLUSIVE an event wakes at least one. */
static int shared_epoll;

static void *shared_wait(void *argument)
{
	(void)argument;
	struct epoll_event event;
	return (void *)(intptr_t)epoll_wait(shared_epoll, &event, 1, 3000);
}

static void several_waiters(void)
{
	int counter = eventfd(0, EFD_NONBLOCK);
	pthread_t threads[3];
	uint64_t one = 1;
	shared_epoll = epoll_create1(0);
	add(shared_epoll, counter, EPOLLIN | EPOLLET);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, shared_wait, NULL);
	usleep(100000);
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(write(counter, &one, 8), 8);
		usleep(30000);
	}
	for (int i = 0; i < 3; i++) {
		void *count;
		pthread_join(threads[i], &count);
		CHECK_EQUAL((intptr_t)count, 1);
	}
	int exclusive = epoll_create1(0);
	add(exclusive, counter, EPOLLIN | EPOLLEXCLUSIVE);
	struct epoll_event event = {.events = EPOLLIN};
	CHECK_ERRNO(epoll_ctl(exclusive, EPOLL_CTL_MOD, counter, &event), EINVAL);
	close(exclusive);
	close(shared_epoll);
	close(counter);
}

int main(void)
{
	level_and_edge();
	writing();
	errors();
	event_counter();
	timer_descriptor();
	poll_and_select();
	several_waiters();
	return ok();
}
