/* Who is told, what vanishes, what masks and actions do. */
#include "arch/host/fake_log.h"
#include "arch/host/fake_threads.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/wait.h"
#include "kernel/signal/signal.h"
#include "lib/string.h"
#include "lib/test.h"

#define HANDLER 0x401000

static void start(int thread_count)
{
	fake_threads_reset();
	signal_init();
	for (int i = 0; i < thread_count; i++) {
		(void)fake_thread_start(i);
		signal_thread_init(&fake_threads[i].thread);
	}
}

static void finish(void)
{
	struct linux_siginfo info;

	for (int i = 0; i < FAKE_THREADS_MAX; i++) {
		fake_thread_set_current(i);
		if (!fake_threads[i].is_started)
			continue;
		while (signal_take(UINT64_MAX, &info))
			;
	}
	CHECK_EQUAL(heap_live_count(), 0);
	CHECK_EQUAL(signal_queued_count(), 0);
}

static int send_process(int signal)
{
	struct linux_siginfo info = {.signo = signal, .code = LINUX_SI_USER};

	return signal_send_process(&info);
}

static int send_thread(int index, int signal)
{
	struct linux_siginfo info = {.signo = signal, .code = LINUX_SI_TKILL};

	return signal_send_thread(&fake_threads[index].thread, &info);
}

static void handle(int signal, uint64_t flags, uint64_t mask)
{
	struct linux_sigaction action = {.handler = HANDLER, .flags = flags, .mask = mask};

	CHECK_EQUAL(signal_set_action(signal, &action, NULL), 0);
}

static void set_action(int signal, uint64_t handler)
{
	struct linux_sigaction action = {.handler = handler};

	CHECK_EQUAL(signal_set_action(signal, &action, NULL), 0);
}

static void block(int index, uint64_t set)
{
	fake_thread_set_current(index);
	CHECK_EQUAL(signal_set_mask(LINUX_SIG_BLOCK, set, NULL), 0);
}

static bool is_interrupted(int index)
{
	return fake_threads[index].thread.signal.interrupted;
}

TEST(numbers_are_checked)
{
	start(1);
	CHECK_EQUAL(send_process(0), -LINUX_EINVAL);
	CHECK_EQUAL(send_process(65), -LINUX_EINVAL);
	CHECK_EQUAL(send_process(-1), -LINUX_EINVAL);
	CHECK_EQUAL(send_thread(0, 65), -LINUX_EINVAL);
	CHECK_EQUAL(send_thread(0, 64), 0);
	finish();
}

TEST(a_process_signal_goes_to_the_first_thread)
{
	start(3);
	fake_thread_set_current(2);
	send_process(LINUX_SIGTERM);
	CHECK(is_interrupted(0) && !is_interrupted(1) && !is_interrupted(2));
	CHECK_EQUAL(fake_threads[0].interrupts, 1);
	finish();
}

TEST(a_process_signal_goes_to_one_that_does_not_block_it)
{
	start(3);
	block(0, SIGNAL_BIT(LINUX_SIGTERM));
	block(1, SIGNAL_BIT(LINUX_SIGTERM));
	fake_thread_set_current(0);
	send_process(LINUX_SIGTERM);
	CHECK(!is_interrupted(0) && !is_interrupted(1) && is_interrupted(2));
	finish();
}

TEST(a_process_signal_all_block_waits_for_the_first_to_unblock)
{
	start(2);
	block(0, SIGNAL_BIT(LINUX_SIGTERM));
	block(1, SIGNAL_BIT(LINUX_SIGTERM));
	send_process(LINUX_SIGTERM);
	CHECK(!is_interrupted(0) && !is_interrupted(1));
	CHECK_EQUAL(signal_pending(), SIGNAL_BIT(LINUX_SIGTERM));
	fake_thread_set_current(1);
	signal_set_mask(LINUX_SIG_UNBLOCK, SIGNAL_BIT(LINUX_SIGTERM), NULL);
	CHECK(is_interrupted(1));
	finish();
}

TEST(a_chosen_thread_that_blocks_hands_the_signal_on)
{
	start(2);
	send_process(LINUX_SIGTERM);
	CHECK(is_interrupted(0) && !is_interrupted(1));
	block(0, SIGNAL_BIT(LINUX_SIGTERM));
	CHECK(is_interrupted(1));
	finish();
}

TEST(a_chosen_thread_that_ends_hands_the_signal_on)
{
	start(2);
	send_process(LINUX_SIGTERM);
	fake_thread_end(0);
	signal_thread_release(&fake_threads[0].thread);
	CHECK(is_interrupted(1));
	signal_thread_release(&fake_threads[0].thread);
	CHECK_EQUAL(send_thread(0, LINUX_SIGTERM), 0); /* too late: vanishes */
	fake_thread_set_current(1);
	finish();
}

TEST(a_directed_signal_is_for_its_thread_only)
{
	start(2);
	fake_thread_set_current(1);
	send_thread(0, LINUX_SIGURG); /* ignored by default */
	CHECK(!is_interrupted(0));
	handle(LINUX_SIGURG, 0, 0);
	send_thread(0, LINUX_SIGURG);
	CHECK(is_interrupted(0) && !is_interrupted(1));
	CHECK_EQUAL(fake_threads[0].interrupts, 1);
	send_thread(0, LINUX_SIGURG); /* pending already: nobody is bothered again */
	CHECK_EQUAL(fake_threads[0].interrupts, 1);
	CHECK_EQUAL(signal_pending(), 0);
	finish();
}

TEST(an_ignored_signal_vanishes_unless_blocked)
{
	start(1);
	set_action(LINUX_SIGTERM, LINUX_SIG_IGN);
	send_process(LINUX_SIGTERM);
	send_process(LINUX_SIGCHLD);
	CHECK_EQUAL(signal_pending(), 0);
	block(0, SIGNAL_BIT(LINUX_SIGCHLD) | SIGNAL_BIT(LINUX_SIGTERM));
	send_process(LINUX_SIGTERM);
	send_process(LINUX_SIGCHLD);
	CHECK_EQUAL(signal_pending(), SIGNAL_BIT(LINUX_SIGCHLD) | SIGNAL_BIT(LINUX_SIGTERM));
	set_action(LINUX_SIGTERM, LINUX_SIG_IGN); /* discards what is pending */
	CHECK_EQUAL(signal_pending(), SIGNAL_BIT(LINUX_SIGCHLD));
	finish();
}

TEST(kill_and_stop_cannot_be_handled_or_blocked)
{
	struct linux_sigaction action = {.handler = HANDLER}, old;
	uint64_t mask;

	start(1);
	CHECK_EQUAL(signal_set_action(LINUX_SIGKILL, &action, NULL), -LINUX_EINVAL);
	CHECK_EQUAL(signal_set_action(LINUX_SIGSTOP, &action, NULL), -LINUX_EINVAL);
	CHECK_EQUAL(signal_set_action(LINUX_SIGKILL, NULL, &old), 0);
	CHECK_EQUAL(signal_set_action(0, NULL, &old), -LINUX_EINVAL);
	CHECK_EQUAL(signal_set_action(65, NULL, &old), -LINUX_EINVAL);
	CHECK_EQUAL(signal_set_action(32, &action, NULL), 0);
	CHECK_EQUAL(signal_set_action(33, &action, NULL), 0);
	CHECK_EQUAL(signal_set_action(64, &action, NULL), 0);
	block(0, UINT64_MAX);
	signal_set_mask(LINUX_SIG_BLOCK, 0, &mask);
	CHECK_EQUAL(mask, ~(SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP)));
	CHECK_EQUAL(signal_set_mask(3, 0, NULL), -LINUX_EINVAL);
	finish();
}

TEST(actions_keep_known_flags_and_lose_kill_from_the_mask)
{
	struct linux_sigaction action = {
		.handler = HANDLER, .flags = UINT64_MAX, .mask = UINT64_MAX};
	struct linux_sigaction old;

	start(1);
	signal_set_action(LINUX_SIGUSR1, &action, NULL);
	signal_set_action(LINUX_SIGUSR1, NULL, &old);
	CHECK_EQUAL(old.flags, 0xdc000807);
	CHECK_EQUAL(old.mask, ~(SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP)));
	finish();
}

TEST(delivery_follows_the_action)
{
	struct signal_delivery delivery;

	start(1);
	handle(LINUX_SIGUSR1, LINUX_SA_RESETHAND, SIGNAL_BIT(LINUX_SIGHUP));
	send_process(LINUX_SIGUSR1);
	CHECK(signal_next(&delivery));
	CHECK_EQUAL(delivery.info.signo, LINUX_SIGUSR1);
	CHECK_EQUAL(delivery.action.handler, HANDLER);
	signal_handler_entered(&delivery);
	CHECK_EQUAL(fake_threads[0].thread.signal.blocked,
		SIGNAL_BIT(LINUX_SIGUSR1) | SIGNAL_BIT(LINUX_SIGHUP));
	CHECK(!signal_next(&delivery));
	CHECK(!is_interrupted(0));
	signal_replace_mask(0);
	send_process(LINUX_SIGUSR1); /* reset: now it ends the program */
	CHECK(signal_next(&delivery));
	CHECK_EQUAL(delivery.action.handler, LINUX_SIG_DFL);
	finish();
}

TEST(nodefer_leaves_the_signal_itself_unblocked)
{
	struct signal_delivery delivery;

	start(1);
	handle(LINUX_SIGUSR1, LINUX_SA_NODEFER, 0);
	send_process(LINUX_SIGUSR1);
	CHECK(signal_next(&delivery));
	signal_handler_entered(&delivery);
	CHECK_EQUAL(fake_threads[0].thread.signal.blocked, 0);
	finish();
}

TEST(default_actions)
{
	static const int ends[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25,
		26, 27, 29, 30, 31, 32, 33, 34, 63, 64};
	static const int ignored[] = {17, 18, 20, 21, 22, 23, 28};
	struct signal_delivery delivery;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		start(1);
		send_process(ends[i]);
		CHECK(signal_next(&delivery));
		CHECK_EQUAL(delivery.info.signo, ends[i]);
		CHECK_EQUAL(delivery.action.handler, LINUX_SIG_DFL);
		finish();
	}
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		start(1);
		send_process(ignored[i]);
		CHECK(!signal_next(&delivery));
		finish();
	}
}

TEST(a_fault_that_is_blocked_or_ignored_is_fatal)
{
	struct signal_delivery delivery;

	start(1);
	handle(LINUX_SIGSEGV, 0, 0);
	block(0, SIGNAL_BIT(LINUX_SIGSEGV));
	signal_force_fault(LINUX_SIGSEGV, LINUX_SEGV_MAPERR, 0x123, 14, 4);
	CHECK(is_interrupted(0));
	CHECK(signal_next(&delivery));
	CHECK_EQUAL(delivery.action.handler, LINUX_SIG_DFL);
	CHECK_EQUAL(delivery.info.fault.address, 0x123);

	start(1);
	set_action(LINUX_SIGFPE, LINUX_SIG_IGN);
	signal_force_fault(LINUX_SIGFPE, LINUX_FPE_INTDIV, 0x123, 0, 0);
	CHECK(signal_next(&delivery));
	CHECK_EQUAL(delivery.action.handler, LINUX_SIG_DFL);

	start(1);
	handle(LINUX_SIGSEGV, 0, 0);
	signal_force_fault(LINUX_SIGSEGV, LINUX_SEGV_ACCERR, 0x123, 14, 4);
	CHECK(signal_next(&delivery));
	CHECK_EQUAL(delivery.action.handler, HANDLER);
	finish();
}

TEST(a_temporary_mask_ends_with_the_call_or_is_saved_by_the_handler)
{
	struct signal_delivery delivery;

	start(1);
	block(0, SIGNAL_BIT(LINUX_SIGUSR1));
	handle(LINUX_SIGUSR1, 0, 0);
	send_process(LINUX_SIGUSR1);
	CHECK(!is_interrupted(0));
	signal_set_temporary_mask(0);
	CHECK(is_interrupted(0));
	CHECK_EQUAL(signal_mask_to_save(), SIGNAL_BIT(LINUX_SIGUSR1));
	CHECK(signal_next(&delivery));
	signal_handler_entered(&delivery);
	CHECK(!fake_threads[0].thread.signal.restore_mask);

	signal_replace_mask(SIGNAL_BIT(LINUX_SIGHUP));
	signal_set_temporary_mask(SIGNAL_BIT(LINUX_SIGTERM));
	signal_restore_temporary_mask();
	signal_restore_temporary_mask();
	CHECK_EQUAL(fake_threads[0].thread.signal.blocked, SIGNAL_BIT(LINUX_SIGHUP));
	finish();
}

TEST(threads_inherit_the_mask_but_nothing_else)
{
	start(1);
	block(0, SIGNAL_BIT(LINUX_SIGTERM));
	fake_threads[0].thread.signal.alternate = (struct linux_stack){.sp = 4096, .size = 8192};
	send_thread(0, LINUX_SIGTERM);
	signal_thread_init(fake_thread_start(1));
	CHECK_EQUAL(fake_threads[1].thread.signal.blocked, SIGNAL_BIT(LINUX_SIGTERM));
	CHECK_EQUAL(fake_threads[1].thread.signal.queue.pending, 0);
	CHECK_EQUAL(fake_threads[1].thread.signal.alternate.size, 0);
	finish();
}

static void continue_program(uint64_t deadline_ns)
{
	(void)deadline_ns;
	send_process(LINUX_SIGCONT);
}

static void kill_program(uint64_t deadline_ns)
{
	(void)deadline_ns;
	send_process(LINUX_SIGKILL);
}

TEST(stop_lasts_until_continued_or_killed)
{
	struct signal_delivery delivery;

	start(2);
	fake_sleep_hook = continue_program;
	send_process(LINUX_SIGSTOP);
	CHECK(!signal_next(&delivery));
	CHECK(is_interrupted(1)); /* the other thread was told to stop */
	CHECK_EQUAL(signal_pending(), 0);

	fake_sleep_hook = kill_program;
	send_process(LINUX_SIGSTOP);
	CHECK(signal_next(&delivery));
	CHECK_EQUAL(delivery.info.signo, LINUX_SIGKILL);
	finish();
}

TEST(continue_and_stop_cancel_each_other)
{
	start(1);
	block(0, UINT64_MAX);
	send_process(LINUX_SIGTSTP);
	send_thread(0, LINUX_SIGTTIN);
	send_process(LINUX_SIGCONT);
	CHECK_EQUAL(signal_pending(), SIGNAL_BIT(LINUX_SIGCONT));
	send_process(LINUX_SIGTSTP);
	CHECK_EQUAL(signal_pending(), SIGNAL_BIT(LINUX_SIGTSTP));
	finish();
}

TEST(a_waiting_thread_is_woken_not_interrupted)
{
	start(2);
	block(0, SIGNAL_BIT(LINUX_SIGTERM));
	block(1, SIGNAL_BIT(LINUX_SIGTERM));
	signal_set_waiting(SIGNAL_BIT(LINUX_SIGTERM));
	send_process(LINUX_SIGTERM);
	CHECK_EQUAL(fake_threads[1].wakes, 1);
	CHECK(!is_interrupted(0) && !is_interrupted(1));
	signal_set_waiting(0);
	finish();
}

static bool was_woken;

static bool note_wake(struct waiter *waiter, uint32_t events)
{
	(void)waiter;
	(void)events;
	was_woken = true;
	return false;
}

TEST(signalfd_is_told)
{
	struct waiter waiter;

	start(1);
	waiter_init(&waiter);
	waiter.wake = note_wake;
	wait_add(signal_wait_queue(), &waiter);
	block(0, SIGNAL_BIT(LINUX_SIGTERM));
	send_process(LINUX_SIGTERM);
	CHECK(was_woken);
	was_woken = false;
	send_process(LINUX_SIGTERM); /* pending already */
	CHECK(!was_woken);
	send_thread(0, LINUX_SIGTERM);
	CHECK(was_woken);
	wait_remove(signal_wait_queue(), &waiter);
	finish();
}

TEST_DEFINE_MAIN
