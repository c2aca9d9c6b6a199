/*
 * Waiting for many files at once, for poll(2) and select(2). See poll.h.
 *
 * A file's poll operation may sleep (on a lock), so a wake-up of this thread does not
 * say that one of the files woke it: the waiters leave a note in the table.
 */
#include "kernel/fs/poll.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/wait.h"
#include "abi/linux/fcntl.h"

#define ENTRIES_ON_STACK 8

struct poll_entry {
	struct waiter waiter;
	struct poll_table *table;
	struct file *file;        /* with a reference; NULL: no such descriptor */
	struct wait_queue *queue; /* waiter is on it; NULL: it is not */
};

struct poll_table {
	struct poll_request *requests;
	struct poll_entry *entries;
	uint32_t count;
	uint32_t always;
	bool triggered;
};

static bool on_wake(struct waiter *waiter, uint32_t events)
{
	struct poll_entry *entry = CONTAINER_OF(waiter, struct poll_entry, waiter);
	const struct poll_request *request = &entry->table->requests[entry - entry->table->entries];

	if (events != 0 && (events & (request->events | entry->table->always)) == 0)
		return false;
	__atomic_store_n(&entry->table->triggered, true, __ATOMIC_SEQ_CST);
	thread_wake(waiter->thread);
	return true;
}

static uint32_t present_events(struct file *file)
{
	return file->ops->poll ? file->ops->poll(file)
			       : POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;
}

static void open_entries(struct poll_table *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		struct poll_entry *entry = &table->entries[i];

		entry->table = table;
		entry->queue = NULL;
		entry->file = table->requests[i].fd >= 0 ? fd_get(table->requests[i].fd) : NULL;
		if (entry->file != NULL && (entry->file->flags & LINUX_O_PATH) != 0) {
			file_release(entry->file);
			entry->file = NULL;
		}
	}
}

static void close_entries(struct poll_table *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		struct poll_entry *entry = &table->entries[i];

		if (entry->queue != NULL)
			wait_remove(entry->queue, &entry->waiter);
		if (entry->file != NULL)
			file_release(entry->file);
	}
}

static void watch(struct poll_entry *entry)
{
	waiter_init(&entry->waiter);
	entry->waiter.wake = on_wake;
	entry->queue = entry->file->ops->poll_queue(entry->file);
	wait_add(entry->queue, &entry->waiter);
}

/* Asks every file; how many answered. With `add_waiters`, watches each before it is
 * asked, as long as none has answered. */
static long ask_all(struct poll_table *table, bool add_waiters)
{
	long answered = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		struct poll_entry *entry = &table->entries[i];
		struct poll_request *request = &table->requests[i];
		uint32_t events = 0;

		if (entry->file != NULL) {
			if (add_waiters && answered == 0 && entry->file->ops->poll_queue != NULL)
				watch(entry);
			events = present_events(entry->file) & (request->events | table->always);
		} else if (request->fd >= 0) {
			events = POLL_NVAL;
		}
		request->revents = (uint16_t)events;
		answered += events != 0;
	}
	return answered;
}

static long wait_for_answers(struct poll_table *table, uint64_t deadline_ns)
{
	long answered = ask_all(table, true);

	for (;;) {
		if (answered != 0)
			return answered;
		if (thread_is_interrupted(thread_current()))
			return -LINUX_ERESTARTNOHAND;
		if (deadline_ns != WAIT_FOREVER && clock_monotonic_ns() >= deadline_ns)
			return 0;
		if (!__atomic_exchange_n(&table->triggered, false, __ATOMIC_SEQ_CST)) {
			thread_sleep(deadline_ns);
			if (!__atomic_exchange_n(&table->triggered, false, __ATOMIC_SEQ_CST))
				continue;
		}
		answered = ask_all(table, false);
	}
}

static long wait_in_table(struct poll_table *table, uint64_t deadline_ns)
{
	long answered;

	open_entries(table);
	answered = ask_all(table, false);
	if (answered == 0 && device_poll())
		answered = ask_all(table, false);
	if (answered == 0 && deadline_ns != 0)
		answered = wait_for_answers(table, deadline_ns);
	close_entries(table);
	return answered;
}

long poll_files(
	struct poll_request *requests, uint32_t count, uint32_t always, uint64_t deadline_ns)
{
	struct poll_entry entries[ENTRIES_ON_STACK];
	struct poll_table table = {.requests = requests, .count = count, .always = always};
	long answered;

	table.entries = entries;
	if (count > ENTRIES_ON_STACK)
		table.entries = heap_alloc(count * sizeof(struct poll_entry));
	if (table.entries == NULL)
		return -LINUX_ENOMEM;
	answered = wait_in_table(&table, deadline_ns);
	if (table.entries != entries)
		heap_free(table.entries);
	return answered;
}
