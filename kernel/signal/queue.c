/* Pending signals; the contract is in queue.h. */
#include "kernel/signal/queue.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define DEFAULT_MAX_ENTRIES 16384

/* Raised by the instruction that is running: taken before any other. */
#define SYNCHRONOUS                                                                                \
	(SIGNAL_BIT(LINUX_SIGSEGV) | SIGNAL_BIT(LINUX_SIGBUS) | SIGNAL_BIT(LINUX_SIGILL) |         \
		SIGNAL_BIT(LINUX_SIGTRAP) | SIGNAL_BIT(LINUX_SIGFPE) | SIGNAL_BIT(LINUX_SIGSYS))

uint32_t signal_queue_entries;
uint64_t signal_queue_max_entries = DEFAULT_MAX_ENTRIES;

void signal_queue_init(struct signal_queue *queue)
{
	queue->pending = 0;
	queue->first_in_use = false;
	list_init(&queue->entries);
	list_init(&queue->first.link);
}

static struct queued_signal *new_entry(struct signal_queue *queue)
{
	if (!queue->first_in_use) {
		queue->first_in_use = true;
		return &queue->first;
	}
	return heap_alloc(sizeof(struct queued_signal));
}

static void free_entry(struct signal_queue *queue, struct queued_signal *entry)
{
	list_remove(&entry->link);
	signal_queue_entries--;
	if (entry == &queue->first)
		queue->first_in_use = false;
	else
		heap_free(entry);
}

static struct queued_signal *find(struct signal_queue *queue, int signal)
{
	LIST_FOR_EACH (link, &queue->entries) {
		struct queued_signal *entry = LIST_ENTRY(link, struct queued_signal, link);

		if (entry->info.signo == signal)
			return entry;
	}
	return NULL;
}

/* An expiry of a timer whose last one is still pending. */
static bool count_overrun(struct signal_queue *queue, const struct linux_siginfo *info)
{
	LIST_FOR_EACH (link, &queue->entries) {
		struct linux_siginfo *queued = &LIST_ENTRY(link, struct queued_signal, link)->info;

		if (queued->signo == info->signo && queued->code == LINUX_SI_TIMER &&
			queued->timer.timer_id == info->timer.timer_id) {
			if (queued->timer.overrun < INT32_MAX - info->timer.overrun - 1)
				queued->timer.overrun += info->timer.overrun + 1;
			return true;
		}
	}
	return false;
}

enum signal_queue_result signal_queue_add(
	struct signal_queue *queue, const struct linux_siginfo *info)
{
	uint64_t bit = SIGNAL_BIT(info->signo);
	bool is_realtime = info->signo >= LINUX_SIGRTMIN;
	struct queued_signal *entry = NULL;

	if (queue->pending & bit) {
		if (!is_realtime)
			return SIGNAL_ALREADY_PENDING;
		if (info->code == LINUX_SI_TIMER && count_overrun(queue, info))
			return SIGNAL_ALREADY_PENDING;
	}
	if (!is_realtime || signal_queue_entries < signal_queue_max_entries)
		entry = new_entry(queue);
	if (entry == NULL && is_realtime && info->code != LINUX_SI_USER)
		return SIGNAL_QUEUE_FULL;
	/* Without an entry the signal comes all the same, but says nothing of its sender. */
	queue->pending |= bit;
	if (entry != NULL) {
		entry->info = *info;
		list_add_last(&queue->entries, &entry->link);
		signal_queue_entries++;
	}
	return SIGNAL_QUEUED;
}

bool signal_queue_take(struct signal_queue *queue, uint64_t set, struct linux_siginfo *info)
{
	uint64_t ready = queue->pending & set;

	if (ready == 0)
		return false;
	if (ready & SYNCHRONOUS)
		ready &= SYNCHRONOUS;
	int signal = __builtin_ctzll(ready) + 1;
	struct queued_signal *entry = find(queue, signal);

	if (entry == NULL) {
		memset(info, 0, sizeof(*info));
		info->signo = signal;
		info->code = LINUX_SI_USER;
	} else {
		*info = entry->info;
		free_entry(queue, entry);
	}
	if (signal < LINUX_SIGRTMIN || find(queue, signal) == NULL)
		queue->pending &= ~SIGNAL_BIT(signal);
	return true;
}

void signal_queue_drop(struct signal_queue *queue, uint64_t set)
{
	if ((queue->pending & set) == 0)
		return;
	queue->pending &= ~set;
	LIST_FOR_EACH_SAFE (link, after, &queue->entries) {
		struct queued_signal *entry = LIST_ENTRY(link, struct queued_signal, link);

		if (set & SIGNAL_BIT(entry->info.signo))
			free_entry(queue, entry);
	}
}
