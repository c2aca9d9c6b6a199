/*
 * Epoll and poll with one thread: triggers, one-shot, nesting, forgetting; a model of
 * random operations; what sleeps is woken.
 */
#include "arch/host/fake_files.h"
#include "arch/host/fake_threads.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/eventfd.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/sched.h"
#include "abi/linux/fcntl.h"
#include "lib/test.h"

#include <string.h>

enum { ADD = 1, DELETE = 2, MODIFY = 3 };

#define EXCLUSIVE (1u << 28)
#define ONESHOT   (1u << 30)
#define EDGE      (1u << 31)

uint32_t sched_cpu_count(void)
{
	return 1;
}

/* ---- a file whose readiness the test sets ---------------------------------- */

struct lamp {
	uint32_t events;
	struct wait_queue queue;
	unsigned polls;
};

static uint32_t lamp_poll(struct file *file)
{
	struct lamp *lamp = file->data;

	lamp->polls++;
	return lamp->events;
}

static struct wait_queue *lamp_queue(struct file *file)
{
	struct lamp *lamp = file->data;

	return &lamp->queue;
}

static void lamp_release(struct file *file)
{
	struct lamp *lamp = file->data;

	CHECK(list_is_empty(&lamp->queue.waiters));
	heap_free(lamp);
}

static const struct file_ops lamp_ops = {
	.kind = "lamp", .poll = lamp_poll, .poll_queue = lamp_queue, .release = lamp_release};
static const struct file_ops dull_ops = {.kind = "dull"};

static struct file *lamp_create(void)
{
	struct lamp *lamp = heap_zalloc(sizeof(*lamp));

	wait_queue_init(&lamp->queue);
	return file_create(&lamp_ops, LINUX_O_RDWR, lamp);
}

static void lamp_set(struct file *file, uint32_t events)
{
	struct lamp *lamp = file->data;
	uint32_t fresh = events & ~lamp->events;

	lamp->events = events;
	if (fresh != 0)
		wait_wake_events(&lamp->queue, fresh, 1);
}

static void lamp_wake(struct file *file, uint32_t events)
{
	struct lamp *lamp = file->data;

	wait_wake_events(&lamp->queue, events, 1);
}

/* ---- helpers ------------------------------------------------------------------- */

static struct epoll_event got[64];

static int store(void *argument, int index, const struct epoll_event *event)
{
	const int *fail_at = argument;

	if (fail_at != NULL && index == *fail_at)
		return -LINUX_EFAULT;
	got[index] = *event;
	return 0;
}

static long collect(struct file *epoll, int capacity)
{
	memset(got, 0, sizeof(got));
	return epoll_collect(epoll, capacity, 0, store, NULL);
}

static int control(struct file *epoll, int operation, int fd, struct file *target, uint32_t events)
{
	struct epoll_event event = {events, (uint64_t)fd};

	return epoll_control(epoll, operation, fd, target, &event);
}

static struct file *epoll_new(void)
{
	struct file *file;

	CHECK_EQUAL(epoll_create_file(&file), 0);
	return file;
}

static void check_empty(void)
{
	CHECK_EQUAL(fake_files_live(), 0);
	CHECK_EQUAL(heap_live_count(), 0);
}

/* ---- triggers --------------------------------------------------------------------- */

TEST(level_edge_and_one_shot)
{
	struct file *epoll = epoll_new(), *level = lamp_create(), *edge = lamp_create(),
		    *once = lamp_create();

	fake_threads_reset();
	CHECK_EQUAL(control(epoll, ADD, 1, level, POLL_IN), 0);
	CHECK_EQUAL(control(epoll, ADD, 2, edge, POLL_IN | POLL_OUT | EDGE), 0);
	CHECK_EQUAL(control(epoll, ADD, 3, once, POLL_IN | ONESHOT), 0);
	CHECK_EQUAL(collect(epoll, 64), 0);
	lamp_set(level, POLL_IN | POLL_RDNORM);
	lamp_set(edge, POLL_IN);
	lamp_set(once, POLL_IN);
	CHECK_EQUAL(collect(epoll, 64), 3);
	CHECK_EQUAL(got[0].data, 1);
	CHECK_EQUAL(got[0].events, POLL_IN); /* exactly what was asked for */
	CHECK_EQUAL(got[1].data, 2);
	CHECK_EQUAL(got[2].data, 3);
	CHECK_EQUAL(collect(epoll, 64), 1);
	CHECK_EQUAL(got[0].data, 1);
	lamp_set(edge, POLL_IN | POLL_OUT); /* a new edge tells all that is ready */
	lamp_wake(once, POLL_IN);
	CHECK_EQUAL(collect(epoll, 64), 2);
	CHECK_EQUAL(got[1].data, 2);
	CHECK_EQUAL(got[1].events, POLL_IN | POLL_OUT);
	lamp_wake(edge, POLL_IN);
	CHECK_EQUAL(collect(epoll, 64), 2);
	CHECK_EQUAL(control(epoll, MODIFY, 3, once, POLL_IN | ONESHOT), 0);
	lamp_set(level, 0);
	CHECK_EQUAL(collect(epoll, 64), 1);
	CHECK_EQUAL(got[0].data, 3);
	CHECK_EQUAL(collect(epoll, 64), 0);
	file_release(level);
	file_release(edge);
	file_release(once);
	file_release(epoll);
	check_empty();
}

TEST(errors_and_hang_ups_are_told_unasked)
{
	struct file *epoll = epoll_new(), *lamp = lamp_create();

	fake_threads_reset();
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, 0), 0);
	lamp_set(lamp, POLL_IN);
	CHECK_EQUAL(collect(epoll, 64), 0);
	lamp_set(lamp, POLL_IN | POLL_HUP | POLL_ERR);
	CHECK_EQUAL(collect(epoll, 64), 1);
	CHECK_EQUAL(got[0].events, POLL_HUP | POLL_ERR);
	file_release(lamp);
	CHECK_EQUAL(collect(epoll, 64), 0);
	file_release(epoll);
	check_empty();
}

TEST(what_is_ready_when_added_is_told)
{
	struct file *epoll = epoll_new(), *lamp = lamp_create();

	fake_threads_reset();
	lamp_set(lamp, POLL_OUT);
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_IN | POLL_OUT | EDGE), 0);
	CHECK_EQUAL(collect(epoll, 64), 1);
	CHECK_EQUAL(got[0].events, POLL_OUT);
	CHECK_EQUAL(collect(epoll, 64), 0);
	CHECK_EQUAL(control(epoll, MODIFY, 1, lamp, POLL_OUT | EDGE), 0);
	CHECK_EQUAL(collect(epoll, 64), 1); /* MOD looks again */
	file_release(lamp);
	file_release(epoll);
	check_empty();
}

TEST(everybody_gets_a_turn)
{
	struct file *epoll = epoll_new(), *lamps[10];
	uint64_t seen = 0;

	fake_threads_reset();
	for (int i = 0; i < 10; i++) {
		lamps[i] = lamp_create();
		CHECK_EQUAL(control(epoll, ADD, i, lamps[i], POLL_IN), 0);
		lamp_set(lamps[i], POLL_IN);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_EQUAL(collect(epoll, 3), 3);
		for (int k = 0; k < 3; k++)
			seen |= 1ull << got[k].data;
	}
	CHECK_EQUAL(seen, 0x3ff);
	for (int i = 0; i < 10; i++)
		file_release(lamps[i]);
	file_release(epoll);
	check_empty();
}

TEST(a_fault_while_storing_loses_nothing)
{
	struct file *epoll = epoll_new(), *first = lamp_create(), *second = lamp_create();
	int fail_at = 0;

	fake_threads_reset();
	CHECK_EQUAL(control(epoll, ADD, 1, first, POLL_IN | EDGE), 0);
	CHECK_EQUAL(control(epoll, ADD, 2, second, POLL_IN | EDGE), 0);
	lamp_set(first, POLL_IN);
	lamp_set(second, POLL_IN);
	CHECK_EQUAL(epoll_collect(epoll, 64, 0, store, &fail_at), -LINUX_EFAULT);
	fail_at = 1;
	CHECK_EQUAL(epoll_collect(epoll, 64, 0, store, &fail_at), 1);
	CHECK_EQUAL(collect(epoll, 64), 1);
	CHECK_EQUAL(collect(epoll, 64), 0);
	file_release(first);
	file_release(second);
	file_release(epoll);
	check_empty();
}

/* ---- errors -------------------------------------------------------------------------- */

TEST(control_errors)
{
	struct file *epoll = epoll_new(), *inner = epoll_new(), *lamp = lamp_create(),
		    *dull = file_create(&dull_ops, 0, NULL);

	fake_threads_reset();
	CHECK_EQUAL(control(epoll, ADD, 1, dull, POLL_IN), -LINUX_EPERM);
	CHECK_EQUAL(control(lamp, ADD, 1, dull, POLL_IN), -LINUX_EPERM);
	CHECK_EQUAL(control(lamp, ADD, 1, lamp, POLL_IN), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, ADD, 1, epoll, POLL_IN), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, DELETE, 1, lamp, POLL_IN), -LINUX_ENOENT);
	CHECK_EQUAL(control(epoll, MODIFY, 1, lamp, POLL_IN), -LINUX_ENOENT);
	CHECK_EQUAL(control(epoll, 4, 1, lamp, POLL_IN), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_IN), 0);
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_IN), -LINUX_EEXIST);
	CHECK_EQUAL(control(epoll, ADD, 2, lamp, POLL_IN), 0); /* a duplicate descriptor */
	CHECK_EQUAL(control(epoll, MODIFY, 1, lamp, POLL_IN | EXCLUSIVE), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, DELETE, 1, lamp, 0), 0);
	CHECK_EQUAL(control(epoll, DELETE, 1, lamp, 0), -LINUX_ENOENT);
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_IN | EXCLUSIVE | ONESHOT), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_RDHUP | EXCLUSIVE), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, ADD, 1, inner, POLL_IN | EXCLUSIVE), -LINUX_EINVAL);
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_IN | EXCLUSIVE | EDGE), 0);
	CHECK_EQUAL(control(epoll, MODIFY, 1, lamp, POLL_IN), -LINUX_EINVAL);
	CHECK_EQUAL(epoll_collect(epoll, 0, 0, store, NULL), -LINUX_EINVAL);
	CHECK_EQUAL(epoll_collect(lamp, 1, 0, store, NULL), -LINUX_EINVAL);
	file_release(dull);
	file_release(lamp);
	file_release(inner);
	file_release(epoll);
	check_empty();
}

TEST(cycles_and_towers_are_refused)
{
	struct file *epolls[7];

	fake_threads_reset();
	for (int i = 0; i < 7; i++)
		epolls[i] = epoll_new();
	/* Five on a path are allowed, as measured on Linux; from either end. */
	for (int i = 1; i < 5; i++)
		CHECK_EQUAL(control(epolls[i], ADD, i, epolls[i - 1], POLL_IN), 0);
	CHECK_EQUAL(control(epolls[5], ADD, 5, epolls[4], POLL_IN), -LINUX_ELOOP);
	CHECK_EQUAL(control(epolls[0], ADD, 5, epolls[5], POLL_IN), -LINUX_ELOOP);
	for (int i = 1; i < 5; i++)
		CHECK_EQUAL(control(epolls[0], ADD, 9, epolls[i], POLL_IN), -LINUX_ELOOP);
	CHECK_EQUAL(control(epolls[4], DELETE, 4, epolls[3], 0), 0);
	CHECK_EQUAL(control(epolls[5], ADD, 5, epolls[4], POLL_IN), 0);
	CHECK_EQUAL(control(epolls[4], ADD, 9, epolls[6], POLL_IN), 0);
	CHECK_EQUAL(control(epolls[3], ADD, 9, epolls[6], POLL_IN), 0); /* shared, no cycle */
	for (int i = 0; i < 7; i++)
		file_release(epolls[i]);
	check_empty();
}

/* ---- nesting --------------------------------------------------------------------------- */

TEST(an_epoll_is_readable_when_it_has_something)
{
	struct file *outer = epoll_new(), *inner = epoll_new(), *lamp = lamp_create();

	fake_threads_reset();
	CHECK_EQUAL(control(outer, ADD, 1, inner, POLL_IN), 0);
	CHECK_EQUAL(control(inner, ADD, 2, lamp, POLL_IN | EDGE), 0);
	CHECK_EQUAL(inner->ops->poll(inner), 0);
	lamp_set(lamp, POLL_IN);
	CHECK_EQUAL(inner->ops->poll(inner), POLL_IN | POLL_RDNORM);
	CHECK_EQUAL(collect(outer, 64), 1);
	CHECK_EQUAL(got[0].data, 1);
	CHECK_EQUAL(collect(outer, 64), 1); /* asking did not take the edge */
	CHECK_EQUAL(collect(inner, 64), 1);
	CHECK_EQUAL(got[0].data, 2);
	CHECK_EQUAL(collect(outer, 64), 0);
	lamp_wake(lamp, POLL_IN);
	lamp_set(lamp, 0); /* gone before anybody looked */
	CHECK_EQUAL(inner->ops->poll(inner), 0);
	CHECK_EQUAL(collect(outer, 64), 0);
	file_release(inner);
	lamp_set(lamp, POLL_IN);
	file_release(lamp);
	file_release(outer);
	check_empty();
}

/* ---- sleeping --------------------------------------------------------------------------- */

static struct file *sleeping_lamp;
static unsigned sleeps;

static void light_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	sleeps++;
	lamp_set(sleeping_lamp, POLL_IN);
	CHECK(fake_threads[0].wakes != 0);
}

TEST(a_sleeper_is_woken)
{
	struct file *epoll = epoll_new(), *lamp = lamp_create();

	fake_threads_reset();
	sleeping_lamp = lamp;
	sleeps = 0;
	fake_sleep_hook = light_while_asleep;
	CHECK_EQUAL(control(epoll, ADD, 1, lamp, POLL_IN), 0);
	CHECK_EQUAL(epoll_collect(epoll, 64, WAIT_FOREVER, store, NULL), 1);
	CHECK_EQUAL(sleeps, 1);
	fake_sleep_hook = NULL;
	lamp_set(lamp, 0);
	CHECK_EQUAL(epoll_collect(epoll, 64, fake_now_ns + 1000, store, NULL), 0);
	CHECK_EQUAL(fake_now_ns, 1001);
	fake_threads[0].thread.signal.interrupted = true;
	CHECK_EQUAL(epoll_collect(epoll, 64, WAIT_FOREVER, store, NULL), -LINUX_ERESTARTSYS);
	lamp_set(lamp, POLL_IN); /* events come before signals */
	CHECK_EQUAL(epoll_collect(epoll, 64, WAIT_FOREVER, store, NULL), 1);
	file_release(lamp);
	file_release(epoll);
	check_empty();
}

TEST(poll_answers_and_waits)
{
	struct file *lamps[20], *dull = file_create(&dull_ops, LINUX_O_RDWR, NULL);
	struct poll_request requests[22];

	fake_threads_reset();
	for (int i = 0; i < 20; i++) {
		lamps[i] = lamp_create();
		fake_fd_set(i, lamps[i]);
		requests[i] = (struct poll_request){.fd = i, .events = POLL_IN};
	}
	fake_fd_set(20, dull);
	requests[20] = (struct poll_request){.fd = -5, .events = POLL_IN};
	requests[21] = (struct poll_request){.fd = 99, .events = POLL_IN};
	CHECK_EQUAL(poll_files(requests, 21, POLL_ERR | POLL_HUP, 0), 0);
	CHECK_EQUAL(poll_files(requests, 22, POLL_ERR | POLL_HUP, WAIT_FOREVER), 1);
	CHECK_EQUAL(requests[21].revents, POLL_NVAL);
	requests[21] = (struct poll_request){.fd = 20, .events = POLL_IN | POLL_OUT};
	CHECK_EQUAL(poll_files(requests, 22, POLL_ERR | POLL_HUP, WAIT_FOREVER), 1);
	CHECK_EQUAL(requests[21].revents, POLL_IN | POLL_OUT);
	sleeping_lamp = lamps[7];
	fake_sleep_hook = light_while_asleep;
	CHECK_EQUAL(poll_files(requests, 20, POLL_ERR | POLL_HUP, WAIT_FOREVER), 1);
	CHECK_EQUAL(requests[7].revents, POLL_IN);
	sleeping_lamp = lamps[3];
	CHECK_EQUAL(poll_files(requests, 7, POLL_ERR | POLL_HUP, WAIT_FOREVER), 1);
	CHECK_EQUAL(requests[3].revents, POLL_IN);
	fake_sleep_hook = NULL;
	CHECK_EQUAL(poll_files(requests, 3, POLL_ERR | POLL_HUP, fake_now_ns + 5), 0);
	fake_threads[0].thread.signal.interrupted = true;
	CHECK_EQUAL(
		poll_files(requests, 3, POLL_ERR | POLL_HUP, WAIT_FOREVER), -LINUX_ERESTARTNOHAND);
	heap_inject_failures(1);
	CHECK_EQUAL(poll_files(requests, 20, POLL_ERR | POLL_HUP, 0), -LINUX_ENOMEM);
	heap_inject_failures(0);
	for (int i = 0; i < 20; i++) {
		fake_fd_set(i, NULL);
		file_release(lamps[i]);
	}
	fake_fd_set(20, NULL);
	file_release(dull);
	check_empty();
}

/* ---- a model ---------------------------------------------------------------------------- */

#define MODEL_LAMPS  8
#define MODEL_EPOLLS 3

/* What one registration should do. */
struct registration {
	bool exists;
	uint32_t events;
	bool edge_pending; /* woken, or added, since last told */
	bool disarmed;
};

static struct registration model[MODEL_EPOLLS][MODEL_LAMPS];
static struct file *model_epolls[MODEL_EPOLLS], *model_lamps[MODEL_LAMPS];

static uint32_t expected_events(int e, int l)
{
	const struct registration *r = &model[e][l];
	const struct lamp *lamp = model_lamps[l]->data;
	uint32_t mask = (r->events & 0xffff) | POLL_ERR | POLL_HUP;

	if (!r->exists || r->disarmed)
		return 0;
	if ((r->events & EDGE) != 0 && !r->edge_pending)
		return 0;
	return lamp->events & mask;
}

static void model_wake(int l, uint32_t events)
{
	for (int e = 0; e < MODEL_EPOLLS; e++) {
		uint32_t mask = (model[e][l].events & 0xffff) | POLL_ERR | POLL_HUP;

		if (model[e][l].exists && !model[e][l].disarmed && (events & mask) != 0)
			model[e][l].edge_pending = true;
	}
}

static void model_collect(int e)
{
	uint32_t expected[MODEL_LAMPS];
	long count = collect(model_epolls[e], 64);
	long wanted = 0;

	for (int l = 0; l < MODEL_LAMPS; l++) {
		expected[l] = expected_events(e, l);
		wanted += expected[l] != 0;
	}
	CHECK_EQUAL(count, wanted);
	for (long i = 0; i < count; i++)
		CHECK_EQUAL(got[i].events, expected[got[i].data]);
	for (int l = 0; l < MODEL_LAMPS; l++) {
		/* Told, or found not to be ready: the edge is used up. */
		model[e][l].edge_pending = false;
		if (expected[l] != 0 && (model[e][l].events & ONESHOT) != 0)
			model[e][l].disarmed = true;
	}
}

static uint32_t random_events(void)
{
	static const uint32_t bits[] = {POLL_IN, POLL_OUT, POLL_PRI, EDGE, ONESHOT, POLL_RDHUP};
	uint32_t events = 0;

	for (int i = 0; i < 6; i++)
		events |= random() % 2 ? bits[i] : 0;
	return events;
}

static void model_control(int e, int l)
{
	struct registration *r = &model[e][l];
	uint32_t events = random_events();
	int operation = 1 + (int)(random() % 3);
	int result = control(model_epolls[e], operation, l, model_lamps[l], events);

	if (operation == ADD) {
		CHECK_EQUAL(result, r->exists ? -LINUX_EEXIST : 0);
	} else {
		CHECK_EQUAL(result, r->exists ? 0 : -LINUX_ENOENT);
	}
	if (result != 0)
		return;
	*r = (struct registration){
		.exists = operation != DELETE, .events = events, .edge_pending = true};
}

TEST(random_operations_follow_the_model)
{
	srandom(1);
	fake_threads_reset();
	memset(model, 0, sizeof(model));
	for (int e = 0; e < MODEL_EPOLLS; e++)
		model_epolls[e] = epoll_new();
	for (int l = 0; l < MODEL_LAMPS; l++)
		model_lamps[l] = lamp_create();
	for (int step = 0; step < 200000; step++) {
		int e = (int)(random() % MODEL_EPOLLS), l = (int)(random() % MODEL_LAMPS);
		struct lamp *lamp = model_lamps[l]->data;
		uint32_t events =
			(uint32_t)random() & (POLL_IN | POLL_OUT | POLL_PRI | POLL_ERR | POLL_HUP);

		switch (random() % 8) {
		case 0:
			model_control(e, l);
			break;
		case 1:
			model_wake(l, events & ~lamp->events);
			lamp_set(model_lamps[l], events);
			break;
		case 2:
			model_wake(l, lamp->events);
			lamp_wake(model_lamps[l], lamp->events != 0 ? lamp->events : 0x8000);
			break;
		case 3:
			if (random() % 20 != 0)
				break;
			file_release(model_lamps[l]);
			model_lamps[l] = lamp_create();
			for (int i = 0; i < MODEL_EPOLLS; i++)
				model[i][l].exists = false;
			break;
		case 4:
			if (random() % 100 != 0)
				break;
			file_release(model_epolls[e]);
			model_epolls[e] = epoll_new();
			memset(model[e], 0, sizeof(model[e]));
			break;
		default:
			model_collect(e);
		}
	}
	for (int e = 0; e < MODEL_EPOLLS; e++)
		file_release(model_epolls[e]);
	for (int l = 0; l < MODEL_LAMPS; l++)
		file_release(model_lamps[l]);
	check_empty();
}

TEST(many_files_cost_only_those_that_are_ready)
{
	static struct file *lamps[10000];
	struct file *epoll = epoll_new();
	unsigned polls = 0;

	fake_threads_reset();
	for (int i = 0; i < 10000; i++) {
		lamps[i] = lamp_create();
		CHECK_EQUAL(control(epoll, ADD, i, lamps[i], POLL_IN | EDGE), 0);
	}
	for (int i = 0; i < 10000; i++)
		((struct lamp *)lamps[i]->data)->polls = 0;
	for (int i = 0; i < 1000; i++) {
		lamp_set(lamps[i * 7], POLL_IN);
		CHECK_EQUAL(collect(epoll, 64), 1);
		CHECK_EQUAL(got[0].data, i * 7);
	}
	for (int i = 0; i < 10000; i++)
		polls += ((struct lamp *)lamps[i]->data)->polls;
	CHECK_EQUAL(polls, 1000);
	for (int i = 0; i < 10000; i++)
		file_release(lamps[i]);
	file_release(epoll);
	check_empty();
}

/* ---- eventfd ------------------------------------------------------------------------------ */

TEST(eventfd_counts)
{
	struct file *file;
	uint64_t value;

	fake_threads_reset();
	CHECK_EQUAL(eventfd_create(0, false, LINUX_O_NONBLOCK, &file), 0);
	CHECK_EQUAL(fake_file_read(file, &value, 8), -LINUX_EAGAIN);
	CHECK_EQUAL(fake_file_read(file, &value, 7), -LINUX_EINVAL);
	CHECK_EQUAL(fake_file_write(file, "1234567", 7), -LINUX_EINVAL);
	value = 5;
	CHECK_EQUAL(fake_file_write(file, &value, 8), 8);
	CHECK_EQUAL(fake_file_write(file, &value, 8), 8);
	CHECK_EQUAL(file->ops->poll(file), POLL_IN | POLL_OUT);
	CHECK_EQUAL(fake_file_read(file, &value, 8), 8);
	CHECK_EQUAL(value, 10);
	value = UINT64_MAX;
	CHECK_EQUAL(fake_file_write(file, &value, 8), -LINUX_EINVAL);
	value = UINT64_MAX - 1;
	CHECK_EQUAL(fake_file_write(file, &value, 8), 8);
	CHECK_EQUAL(file->ops->poll(file), POLL_IN);
	value = 1;
	CHECK_EQUAL(fake_file_write(file, &value, 8), -LINUX_EAGAIN);
	value = 0;
	CHECK_EQUAL(fake_file_write(file, &value, 8), 8);
	file_release(file);
	CHECK_EQUAL(eventfd_create(2, true, LINUX_O_NONBLOCK, &file), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(fake_file_read(file, &value, 8), 8);
		CHECK_EQUAL(value, 1);
	}
	CHECK_EQUAL(fake_file_read(file, &value, 8), -LINUX_EAGAIN);
	file_release(file);
	check_empty();
}

TEST_DEFINE_MAIN
