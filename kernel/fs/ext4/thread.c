/*
 * The thread of a mounted volume: commits what has waited for five seconds or when a
 * transaction becomes large, and brings metadata home before the log is full, so that
 * operations seldom wait for either.
 */
#include "kernel/fs/ext4/volume.h"
#include "kernel/sched/clock.h"

#define LOOK_EVERY_NS 1000000000ull

static bool is_called(const struct ext4 *fs)
{
	return READ_ONCE(fs->thread_must_end) || READ_ONCE(fs->commit_wanted);
}

static void rest(struct ext4 *fs)
{
	struct waiter waiter;

	waiter_init(&waiter);
	wait_add(&fs->thread_queue, &waiter);
	/* While nothing is changed, nothing wakes the machine. */
	if (!is_called(fs))
		thread_sleep(READ_ONCE(fs->oldest_change_ns) == 0
				     ? WAIT_FOREVER
				     : clock_monotonic_ns() + LOOK_EVERY_NS);
	wait_remove(&fs->thread_queue, &waiter);
}

static void run(void *argument)
{
	struct ext4 *fs = argument;

	while (!READ_ONCE(fs->thread_must_end)) {
		rest(fs);
		if (READ_ONCE(fs->thread_must_end))
			break;
		if (journal_is_wanted(fs)) {
			(void)ext4_sync(fs);
			WRITE_ONCE(fs->commit_wanted, false);
		}
		if (journal_wants_checkpoint(fs))
			(void)journal_checkpoint(fs);
	}
	WRITE_ONCE(fs->thread_runs, false);
	wait_wake_all(&fs->data_done);
	thread_exit(0);
}

int journal_start_thread(struct ext4 *fs)
{
	int error;

	fs->thread_runs = true;
	error = thread_start_kernel("ext4", run, fs);
	if (error)
		fs->thread_runs = false;
	return error;
}

void journal_stop_thread(struct ext4 *fs)
{
	struct waiter waiter;

	WRITE_ONCE(fs->thread_must_end, true);
	wait_wake_all(&fs->thread_queue);
	waiter_init(&waiter);
	wait_add(&fs->data_done, &waiter);
	while (READ_ONCE(fs->thread_runs))
		thread_sleep(clock_monotonic_ns() + 10000000);
	wait_remove(&fs->data_done, &waiter);
}

void journal_wake_thread(struct ext4 *fs)
{
	WRITE_ONCE(fs->commit_wanted, true);
	wait_wake_all(&fs->thread_queue);
}
