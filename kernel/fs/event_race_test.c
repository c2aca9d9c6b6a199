/*
 * Pipes, eventfds, timerfds, epoll and poll on a machine of several vcpus
 * (arch/host/fake_machine.h): nothing is lost when wake-ups race with sleeps,
 * registrations with closes, and readers with readers.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_files.h"
#include "arch/host/fake_machine.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/eventfd.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/poll.h"
#include "kernel/fs/splice.h"
#include "kernel/fs/timerfd.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "abi/linux/fcntl.h"
#include "lib/test.h"

enum { ADD = 1, DELETE = 2, MODIFY = 3 };

#define EXCLUSIVE (1u << 28)
#define ONESHOT   (1u << 30)
#define EDGE      (1u << 31)

#define S 1000000000ull
/* Far beyond what a loaded machine needs: whoever waits so long has lost a wake-up. */
#define LOST_NS (20 * S)

#define MAX_THREADS 16

static void run(void (*fn)(void *), void *argument)
{
	static bool is_started;
	size_t live;

	if (!is_started)
		fake_machine_start(3);
	is_started = true;
	live = heap_live_count();
	fake_machine_run(fn, argument);
	CHECK_EQUAL(heap_live_count(), live);
	CHECK_EQUAL(fake_files_live(), 0);
}

struct crew {
	struct thread *threads[MAX_THREADS];
	unsigned count;
};

static void crew_add(struct crew *crew, void (*fn)(void *), void *argument)
{
	CHECK(crew->count < MAX_THREADS);
	crew->threads[crew->count++] = fake_machine_spawn(fn, argument);
}

static void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		fake_machine_join(crew->threads[i]);
	crew->count = 0;
}

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 16;
}

static int control(struct file *epoll, int operation, int fd, struct file *target, uint32_t events)
{
	struct epoll_event event = {events, (uint64_t)fd};

	return epoll_control(epoll, operation, fd, target, &event);
}

static int store(void *argument, int index, const struct epoll_event *event)
{
	struct epoll_event *events = argument;

	events[index] = *event;
	return 0;
}

/* ---- epoll over eventfds ---------------------------------------------------------- */

#define EVENTFDS 4

static struct {
	struct file *epoll, *outer, *files[EVENTFDS];
	uint32_t events; /* of the registrations */
	uint64_t per_producer;
	unsigned producers_left;
	uint64_t counted, total;
	bool by_poll;
	bool in_step; /* the producer waits until its last event was seen: none may be lost */
} race;

static void wait_for_count(uint64_t count)
{
	uint64_t lost_ns = clock_monotonic_ns() + LOST_NS;

	while (__atomic_load_n(&race.counted, __ATOMIC_SEQ_CST) < count) {
		CHECK(clock_monotonic_ns() < lost_ns);
		fake_machine_return();
	}
}

static void produce(void *argument)
{
	unsigned state = (unsigned)(uintptr_t)argument;
	uint64_t one = 1;

	for (uint64_t i = 0; i < race.per_producer; i++) {
		CHECK_EQUAL(
			fake_file_write(race.files[next_random(&state) % EVENTFDS], &one, 8), 8);
		if (race.in_step)
			wait_for_count(i + 1);
		else if (next_random(&state) % 4 == 0)
			fake_machine_return();
		if (next_random(&state) % 64 == 0)
			thread_sleep(clock_monotonic_ns() + 20000);
	}
	__atomic_sub_fetch(&race.producers_left, 1, __ATOMIC_SEQ_CST);
}

static void drain(int fd)
{
	uint64_t value;
	long result;

	while ((result = fake_file_read(race.files[fd], &value, 8)) == 8)
		__atomic_add_fetch(&race.counted, value, __ATOMIC_SEQ_CST);
	CHECK_EQUAL(result, -LINUX_EAGAIN);
	if ((race.events & ONESHOT) != 0)
		CHECK_EQUAL(control(race.epoll, MODIFY, fd, race.files[fd], race.events), 0);
}

static long wait_once(struct epoll_event *events)
{
	struct poll_request requests[EVENTFDS];
	uint64_t deadline_ns = clock_monotonic_ns() + LOST_NS;
	long count;

	if (!race.by_poll) {
		if (race.outer != NULL)
			CHECK(epoll_collect(race.outer, 1, deadline_ns, store, events) == 1);
		return epoll_collect(
			race.epoll, 2, race.outer != NULL ? 0 : deadline_ns, store, events);
	}
	for (int i = 0; i < EVENTFDS; i++)
		requests[i] = (struct poll_request){.fd = i, .events = POLL_IN};
	count = poll_files(requests, EVENTFDS, POLL_ERR | POLL_HUP, deadline_ns);
	CHECK(count > 0);
	count = 0;
	for (int i = 0; i < EVENTFDS && count < 2; i++) {
		if (requests[i].revents != 0)
			events[count++].data = (uint64_t)i;
	}
	return count;
}

static void consume(void *unused)
{
	(void)unused;
	while (__atomic_load_n(&race.counted, __ATOMIC_SEQ_CST) < race.total) {
		struct epoll_event events[2];
		long count = wait_once(events);

		if (count == 0 && race.outer == NULL)
			CHECK(__atomic_load_n(&race.counted, __ATOMIC_SEQ_CST) >= race.total);
		for (long i = 0; i < count; i++)
			drain((int)events[i].data);
		fake_machine_return();
	}
	/* The others may wait for events that nobody sends any more. */
	uint64_t one = 1;
	for (int i = 0; i < EVENTFDS; i++)
		CHECK_EQUAL(fake_file_write(race.files[i], &one, 8), 8);
}

struct race_setting {
	uint32_t events;
	unsigned consumers, producers;
	bool by_poll, is_nested, in_step;
};

static void run_race(void *argument)
{
	const struct race_setting *setting = argument;
	struct crew crew = {.count = 0};

	memset(&race, 0, sizeof(race));
	race.events = setting->events;
	race.by_poll = setting->by_poll;
	race.in_step = setting->in_step;
	race.per_producer = setting->in_step ? 400 : 3000;
	race.producers_left = setting->producers;
	race.total = race.per_producer * setting->producers;
	CHECK_EQUAL(epoll_create_file(&race.epoll), 0);
	if (setting->is_nested) {
		CHECK_EQUAL(epoll_create_file(&race.outer), 0);
		CHECK_EQUAL(control(race.outer, ADD, 9, race.epoll, POLL_IN), 0);
	}
	for (int i = 0; i < EVENTFDS; i++) {
		CHECK_EQUAL(eventfd_create(0, false, LINUX_O_NONBLOCK, &race.files[i]), 0);
		CHECK_EQUAL(control(race.epoll, ADD, i, race.files[i], setting->events), 0);
		fake_fd_set(i, race.files[i]);
	}
	for (unsigned i = 0; i < setting->consumers; i++)
		crew_add(&crew, consume, NULL);
	for (unsigned i = 0; i < setting->producers; i++)
		crew_add(&crew, produce, (void *)(uintptr_t)(i + 1));
	crew_join(&crew);
	CHECK(race.counted >= race.total);
	for (int i = 0; i < EVENTFDS; i++) {
		fake_fd_set(i, NULL);
		file_release(race.files[i]);
	}
	file_release(race.epoll);
	if (race.outer != NULL)
		file_release(race.outer);
}

TEST(level_triggered_events_are_not_lost)
{
	run(run_race, &(struct race_setting){.events = POLL_IN, .consumers = 1, .producers = 2});
	run(run_race, &(struct race_setting){.events = POLL_IN, .consumers = 3, .producers = 2});
}

TEST(edge_triggered_events_are_not_lost)
{
	run(run_race,
		&(struct race_setting){.events = POLL_IN | EDGE, .consumers = 1, .producers = 2});
	run(run_race,
		&(struct race_setting){.events = POLL_IN | EDGE, .consumers = 2, .producers = 3});
}

TEST(one_shot_events_are_not_lost)
{
	run(run_race, &(struct race_setting){
			      .events = POLL_IN | ONESHOT, .consumers = 3, .producers = 2});
	run(run_race, &(struct race_setting){
			      .events = POLL_IN | EDGE | ONESHOT, .consumers = 2, .producers = 2});
}

TEST(exclusive_events_are_not_lost)
{
	run(run_race, &(struct race_setting){
			      .events = POLL_IN | EXCLUSIVE, .consumers = 3, .producers = 2});
}

TEST(events_of_nested_epolls_are_not_lost)
{
	run(run_race,
		&(struct race_setting){
			.events = POLL_IN, .consumers = 2, .producers = 2, .is_nested = true});
	run(run_race, &(struct race_setting){.events = POLL_IN | EDGE,
			      .consumers = 1,
			      .producers = 2,
			      .is_nested = true});
}

TEST(poll_loses_nothing)
{
	run(run_race, &(struct race_setting){
			      .events = POLL_IN, .consumers = 1, .producers = 2, .by_poll = true});
	run(run_race, &(struct race_setting){
			      .events = POLL_IN, .consumers = 3, .producers = 2, .by_poll = true});
}

TEST(no_single_event_is_lost)
{
	run(run_race, &(struct race_setting){
			      .events = POLL_IN, .consumers = 1, .producers = 1, .in_step = true});
	run(run_race,
		&(struct race_setting){
			.events = POLL_IN | EDGE, .consumers = 1, .producers = 1, .in_step = true});
	run(run_race, &(struct race_setting){.events = POLL_IN | ONESHOT,
			      .consumers = 1,
			      .producers = 1,
			      .in_step = true});
	run(run_race, &(struct race_setting){
			      .events = POLL_IN, .consumers = 2, .producers = 1, .in_step = true});
	run(run_race, &(struct race_setting){.events = POLL_IN | EDGE,
			      .consumers = 1,
			      .producers = 1,
			      .is_nested = true,
			      .in_step = true});
	run(run_race, &(struct race_setting){.events = POLL_IN,
			      .consumers = 1,
			      .producers = 1,
			      .by_poll = true,
			      .in_step = true});
}

/* ---- registrations that race with everything ------------------------------------------- */

#define CHURN_SLOTS 3

static struct {
	struct file *epolls[2];
	struct file *slots[CHURN_SLOTS]; /* guarded by lock */
	struct spinlock lock;
	bool is_over;
} churn;

static struct file *get_slot(unsigned slot)
{
	struct file *file;

	spin_lock(&churn.lock);
	file = churn.slots[slot];
	if (file != NULL)
		file_acquire(file);
	spin_unlock(&churn.lock);
	return file;
}

/* Puts another file in the slot; the old one may go while it is being watched. */
static void replace_slot(unsigned slot, struct file *file)
{
	struct file *old;

	spin_lock(&churn.lock);
	old = churn.slots[slot];
	churn.slots[slot] = file;
	spin_unlock(&churn.lock);
	if (old != NULL)
		file_release(old);
}

static void churn_step(unsigned *state)
{
	unsigned slot = next_random(state) % CHURN_SLOTS;
	struct file *epoll = churn.epolls[next_random(state) % 2];
	uint32_t events = POLL_IN | (next_random(state) % 2 ? EDGE : 0);
	struct file *file;
	uint64_t one = 1;

	if (next_random(state) % 8 == 0) {
		CHECK_EQUAL(eventfd_create(0, false, LINUX_O_NONBLOCK, &file), 0);
		replace_slot(slot, file);
		return;
	}
	file = get_slot(slot);
	if (file == NULL)
		return;
	if (next_random(state) % 2)
		CHECK_EQUAL(fake_file_write(file, &one, 8), 8);
	else
		control(epoll, 1 + (int)(next_random(state) % 3), (int)slot, file, events);
	file_release(file);
}

static void churn_files(void *argument)
{
	unsigned state = (unsigned)(uintptr_t)argument;

	for (int i = 0; i < 20000; i++) {
		churn_step(&state);
		if (i % 16 == 0)
			fake_machine_return();
	}
}

static void churn_wait(void *argument)
{
	struct file *epoll = churn.epolls[(uintptr_t)argument % 2];
	struct epoll_event events[4];

	while (!READ_ONCE(churn.is_over)) {
		epoll_collect(epoll, 4, clock_monotonic_ns() + 100000, store, events);
		fake_machine_return();
	}
}

static void run_churn(void *unused)
{
	struct crew waiters = {.count = 0}, churners = {.count = 0};

	(void)unused;
	memset(&churn, 0, sizeof(churn));
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(epoll_create_file(&churn.epolls[i]), 0);
	CHECK_EQUAL(control(churn.epolls[0], ADD, 50, churn.epolls[1], POLL_IN), 0);
	for (uintptr_t i = 0; i < 3; i++)
		crew_add(&waiters, churn_wait, (void *)i);
	for (uintptr_t i = 0; i < 3; i++)
		crew_add(&churners, churn_files, (void *)(i + 1));
	crew_join(&churners);
	WRITE_ONCE(churn.is_over, true);
	crew_join(&waiters);
	for (unsigned i = 0; i < CHURN_SLOTS; i++)
		replace_slot(i, NULL);
	file_release(churn.epolls[1]);
	file_release(churn.epolls[0]);
}

TEST(files_may_come_and_go_while_they_are_watched)
{
	run(run_churn, NULL);
}

/* Epoll and watched file end at the same time, from both sides. */
static struct {
	struct file *epoll, *file;
	unsigned arrived;
} ending;

static void release_epoll(void *unused)
{
	(void)unused;
	__atomic_add_fetch(&ending.arrived, 1, __ATOMIC_SEQ_CST);
	while (READ_ONCE(ending.arrived) < 2)
		arch_relax();
	file_release(ending.epoll);
}

static void release_file(void *unused)
{
	(void)unused;
	__atomic_add_fetch(&ending.arrived, 1, __ATOMIC_SEQ_CST);
	while (READ_ONCE(ending.arrived) < 2)
		arch_relax();
	file_release(ending.file);
}

static void run_endings(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		struct crew crew = {.count = 0};

		ending.arrived = 0;
		CHECK_EQUAL(epoll_create_file(&ending.epoll), 0);
		CHECK_EQUAL(eventfd_create(1, false, LINUX_O_NONBLOCK, &ending.file), 0);
		CHECK_EQUAL(control(ending.epoll, ADD, 1, ending.file, POLL_IN), 0);
		crew_add(&crew, release_epoll, NULL);
		crew_add(&crew, release_file, NULL);
		crew_join(&crew);
	}
}

TEST(both_sides_of_a_registration_may_end_at_once)
{
	run(run_endings, NULL);
}

/* ---- pipes ------------------------------------------------------------------------------ */

#define PIPE_TOTAL (1u << 20)

static struct {
	struct file *reader, *writer, *second_reader, *second_writer;
	uint64_t read_sum, written_sum, read_count;
	bool has_splice;
} flow;

static void flow_write(void *argument)
{
	unsigned state = (unsigned)(uintptr_t)argument;
	uint8_t *bytes = malloc(100000);
	uint64_t sum = 0;

	for (size_t left = PIPE_TOTAL; left != 0;) {
		size_t count = 1 + next_random(&state) % (next_random(&state) % 4 ? 300 : 60000);

		count = MIN(count, left);
		for (size_t i = 0; i < count; i++)
			sum += bytes[i] = (uint8_t)next_random(&state);
		CHECK_EQUAL(fake_file_write(flow.writer, bytes, count), count);
		left -= count;
		fake_machine_return();
	}
	__atomic_add_fetch(&flow.written_sum, sum, __ATOMIC_SEQ_CST);
	free(bytes);
}

static void flow_read(void *argument)
{
	struct file *from = flow.has_splice ? flow.second_reader : flow.reader;
	unsigned state = (unsigned)(uintptr_t)argument;
	uint8_t *bytes = malloc(100000);
	uint64_t sum = 0, total = 0;
	long count;

	while ((count = fake_file_read(from, bytes, 1 + next_random(&state) % 70000)) > 0) {
		for (long i = 0; i < count; i++)
			sum += bytes[i];
		total += (uint64_t)count;
		fake_machine_return();
	}
	CHECK_EQUAL(count, 0);
	__atomic_add_fetch(&flow.read_sum, sum, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&flow.read_count, total, __ATOMIC_SEQ_CST);
	free(bytes);
}

static void flow_splice(void *argument)
{
	unsigned state = (unsigned)(uintptr_t)argument;
	long count;

	while ((count = splice_files(flow.reader, NULL, flow.second_writer, NULL,
			1 + next_random(&state) % 70000, 0)) > 0)
		fake_machine_return();
	CHECK_EQUAL(count, 0);
}

static void run_flow(void *with_splice)
{
	struct crew writers = {.count = 0}, splicers = {.count = 0}, readers = {.count = 0};

	memset(&flow, 0, sizeof(flow));
	flow.has_splice = with_splice != NULL;
	CHECK_EQUAL(pipe_create(0, &flow.reader, &flow.writer), 0);
	CHECK_EQUAL(pipe_create(0, &flow.second_reader, &flow.second_writer), 0);
	for (uintptr_t i = 0; i < 3; i++) {
		crew_add(&writers, flow_write, (void *)(i + 1));
		crew_add(&readers, flow_read, (void *)(i + 11));
		if (flow.has_splice)
			crew_add(&splicers, flow_splice, (void *)(i + 21));
	}
	crew_join(&writers);
	file_release(flow.writer);
	crew_join(&splicers);
	file_release(flow.second_writer);
	crew_join(&readers);
	CHECK_EQUAL(flow.read_count, 3 * PIPE_TOTAL);
	CHECK_EQUAL(flow.read_sum, flow.written_sum);
	file_release(flow.reader);
	file_release(flow.second_reader);
}

TEST(blocking_pipes_lose_nothing)
{
	run(run_flow, NULL);
}

TEST(splices_between_pipes_lose_nothing)
{
	run(run_flow, &flow);
}

/* Writes up to PIPE_BUF are whole, whoever else writes. */
static void write_records(void *argument)
{
	uint8_t record[512];

	memset(record, (int)(uintptr_t)argument, sizeof(record));
	for (int i = 0; i < 2000; i++)
		CHECK_EQUAL(fake_file_write(flow.writer, record, sizeof(record)), sizeof(record));
}

static void read_records(void *unused)
{
	uint8_t record[512];

	(void)unused;
	for (int i = 0; i < 6000; i++) {
		for (size_t have = 0; have < sizeof(record);) {
			long count =
				fake_file_read(flow.reader, record + have, sizeof(record) - have);

			CHECK(count > 0);
			have += (size_t)count;
		}
		for (size_t k = 1; k < sizeof(record); k++)
			CHECK(record[k] == record[0]);
	}
}

static void run_records(void *unused)
{
	struct crew crew = {.count = 0};

	(void)unused;
	CHECK_EQUAL(pipe_create(0, &flow.reader, &flow.writer), 0);
	CHECK_EQUAL(pipe_set_capacity(flow.writer, 4096), 4096);
	for (uintptr_t i = 1; i <= 3; i++)
		crew_add(&crew, write_records, (void *)i);
	crew_add(&crew, read_records, NULL);
	crew_join(&crew);
	file_release(flow.reader);
	file_release(flow.writer);
}

TEST(small_writes_are_whole)
{
	run(run_records, NULL);
}

/* ---- timerfd in real time ------------------------------------------------------------------ */

static void run_timers(void *unused)
{
	struct timerfd_setting setting = {.interval_ns = 2000000, .value_ns = 5000000};
	uint64_t start_ns, ticks, total = 0;
	struct file *file;

	(void)unused;
	CHECK_EQUAL(timerfd_create(1, 0, &file), 0);
	start_ns = clock_monotonic_ns();
	CHECK_EQUAL(timerfd_set(file, 0, &setting, NULL), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQUAL(fake_file_read(file, &ticks, 8), 8);
		total += ticks;
		/* Never early, and counts every period. */
		CHECK(clock_monotonic_ns() >= start_ns + 5000000 + (total - 1) * 2000000);
	}
	CHECK(total >= 10);
	file_release(file); /* armed */
	CHECK_EQUAL(timerfd_create(0, 0, &file), 0);
	file_release(file);
}

TEST(timers_are_never_early)
{
	run(run_timers, NULL);
}

TEST_DEFINE_MAIN
