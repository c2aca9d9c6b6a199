/* Every futex operation, with and without timeouts, and robust lists. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "check/check.h"

/* as in linux/futex.h, which musl does not bring */
enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_WAIT_PRIVATE = 128,
	FUTEX_WAKE_PRIVATE,
	FUTEX_REQUEUE_PRIVATE = 128 + 3,
	FUTEX_CMP_REQUEUE_PRIVATE,
	FUTEX_WAKE_OP_PRIVATE,
	FUTEX_WAIT_BITSET_PRIVATE = 128 + 9,
	FUTEX_WAKE_BITSET_PRIVATE,
	FUTEX_CLOCK_REALTIME = 256,
};
enum { OP_SET = 0, OP_ADD = 1, OP_ANDN = 3, IF_EQUAL = 0 };
#define WAKE_OP(operation, argument, comparison, value)                                            \
	((operation) << 28 | (comparison) << 24 | (argument) << 12 | (value))

static atomic_uint word, other, woken;

static long futex(void *address, int operation, unsigned value, const void *timeout, void *second,
	unsigned third)
{
	return syscall(SYS_futex, address, operation, value, timeout, second, third);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static struct timespec at(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static void pause_ms(int ms)
{
	struct timespec time = at(ms * 1000000ll);
	nanosleep(&time, NULL);
}

static void *waiter(void *argument)
{
	uint32_t bitset = (uint32_t)(uintptr_t)argument;
	long result = bitset ? futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bitset)
			     : futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	CHECK_EQUAL(result, 0);
	atomic_fetch_add(&woken, 1);
	return NULL;
}

static void start(pthread_t *threads, int count, uint32_t bitset)
{
	for (int i = 0; i < count; i++)
		CHECK_EQUAL(
			pthread_create(&threads[i], NULL, waiter, (void *)(uintptr_t)bitset), 0);
	pause_ms(100); /* all wait now */
}

static void join(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void errors(void)
{
	struct timespec bad = {.tv_sec = 0, .tv_nsec = 1000000000}, negative = {.tv_sec = -1};
	word = 1;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &negative, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((char *)&word + 1, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((char *)&word + 2, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((void *)0x10, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 0), EAGAIN);
}

static void timeouts(void)
{
	struct timespec time = at(30000000);
	word = 0;
	int64_t before = now_ns(CLOCK_MONOTONIC);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 30000000);

	before = now_ns(CLOCK_MONOTONIC);
	time = at(before + 30000000);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &time, NULL, ~0u), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 30000000);

	before = now_ns(CLOCK_REALTIME);
	time = at(before + 30000000);
	CHECK_ERRNO(
		futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &time, NULL, ~0u),
		ETIMEDOUT);
	CHECK(now_ns(CLOCK_REALTIME) - before >= 30000000);

	time = at(1); /* long past */
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &time, NULL, ~0u), ETIMEDOUT);
	time = at(0);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0), ETIMEDOUT);
}

static void wakes(void)
{
	pthread_t threads[6];
	word = woken = 0;
	start(threads, 6, 0);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	pause_ms(50);
	CHECK_EQUAL(woken, 2);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 4);
	join(threads, 6);
	CHECK_EQUAL(woken, 6);

	woken = 0; /* bits choose */
	start(threads, 2, 1);
	start(threads + 2, 2, 2);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, NULL, NULL, 4), 0);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, NULL, NULL, 2), 2);
	join(threads + 2, 2);
	CHECK_EQUAL(woken, 2);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 2);
	join(threads, 2);
}

static void requeues(void)
{
	pthread_t threads[5];
	word = other = woken = 0;
	start(threads, 5, 0);
	/* one is woken, three move to the other word, one stays */
	CHECK_EQUAL(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &other, 0), 4);
	pause_ms(50);
	CHECK_EQUAL(woken, 1);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 1);
	CHECK_EQUAL(futex(&other, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 3);
	join(threads, 5);

	woken = 0;
	start(threads, 2, 0);
	CHECK_EQUAL(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)100, &other, 0), 2);
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 0);
	CHECK_EQUAL(futex(&other, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 2);
	join(threads, 2);
}

static void wake_op(void)
{
	pthread_t threads[3];
	word = 0;
	other = 5;
	woken = 0;
	start(threads, 3, 0);
	/* other += 2; wake one on word; wake on other if it was 5: nobody waits there */
	CHECK_EQUAL(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)10, &other,
			    WAKE_OP(OP_ADD, 2, IF_EQUAL, 5)),
		1);
	CHECK_EQUAL(other, 7);
	/* the same word twice */
	CHECK_EQUAL(futex(&other, FUTEX_WAKE_OP_PRIVATE, 1, (void *)10, &word,
			    WAKE_OP(OP_SET, 9, IF_EQUAL, 1)),
		0);
	CHECK_EQUAL(word, 9);
	CHECK_EQUAL(futex(&other, FUTEX_WAKE_OP_PRIVATE, 1, (void *)10, &word,
			    WAKE_OP(OP_ANDN, 8, IF_EQUAL, 9)),
		2);
	CHECK_EQUAL(word, 1);
	join(threads, 3);
}

/* A shared futex is known by its page, not by its address. */
static void *shared_waiter(void *address)
{
	CHECK_EQUAL(futex(address, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
	return NULL;
}

static void shared(void)
{
	int fd = (int)memfd_create("futex", 0);
	CHECK_EQUAL(ftruncate(fd, 4096), 0);
	void *one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	void *two = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(one != MAP_FAILED && two != MAP_FAILED && one != two);
	pthread_t thread;
	CHECK_EQUAL(pthread_create(&thread, NULL, shared_waiter, one), 0);
	pause_ms(100);
	CHECK_EQUAL(futex(two, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(thread, NULL);
}

/* A thread that ends with a robust mutex held hands it over as dead. */
static pthread_mutex_t robust;

static void *die_holding(void *argument)
{
	(void)argument;
	CHECK_EQUAL(pthread_mutex_lock(&robust), 0);
	return NULL;
}

static void robust_list(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attributes);
	pthread_t thread;
	CHECK_EQUAL(pthread_create(&thread, NULL, die_holding, NULL), 0);
	pause_ms(50);
	CHECK_EQUAL(pthread_mutex_lock(&robust), EOWNERDEAD);
	CHECK_EQUAL(pthread_mutex_consistent(&robust), 0);
	CHECK_EQUAL(pthread_mutex_unlock(&robust), 0);
	pthread_join(thread, NULL);
	void *head;
	size_t bytes;
	CHECK_EQUAL(syscall(SYS_get_robust_list, 0, &head, &bytes), 0);
	CHECK_EQUAL(bytes, 24);
	CHECK_ERRNO(syscall(SYS_set_robust_list, head, 23), EINVAL);
}

/* Mutexes, condition variables and barriers of the library, several threads. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter;
static int turn;

static void *count(void *argument)
{
	int me = (int)(uintptr_t)argument;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	pthread_barrier_wait(&barrier);
	CHECK_EQUAL(counter, 4 * 20000);
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 4 != me)
			pthread_cond_wait(&condition, &mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void library(void)
{
	pthread_t threads[4];
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, count, (void *)(uintptr_t)i), 0);
	join(threads, 4);
	CHECK_EQUAL(turn, 800);
}

int main(void)
{
	errors();
	timeouts();
	wakes();
	requeues();
	wake_op();
	shared();
	robust_list();
	library();
	return ok();
}
