/* kill(2), sigtimedwait(2), credentials(7) and limits as the program sees them. */
#include <string.h>

#include "arch/host/fake_threads.h"
#include "arch/host/fake_user_access.h"
#include "kernel/credentials.h"
#include "kernel/mm/heap.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/rlimit.h"
#include "kernel/syscall/signal_frame.h"
#include "kernel/syscall/syscall.h"
#include "lib/test.h"

#define HANDLER 0x401000
#define BAD     8 /* an address in page zero */

void syscall_dispatch(struct trap_frame *frame)
{
	frame->rax = 0;
}

static uint64_t user(const void *p)
{
	return (uint64_t)p;
}

static uint64_t minus(int value)
{
	return (uint64_t)(int64_t)-value;
}

static int put_root(struct credentials *credentials, void *argument)
{
	memset(credentials, 0, sizeof(*credentials));
	credentials->effective = credentials->permitted = *(uint64_t *)argument;
	return 0;
}

static void start(int threads)
{
	uint64_t all = (1ull << 41) - 1;

	fake_user_forbid(0, 0);
	fake_threads_reset();
	signal_init();
	for (int i = 0; i < threads; i++)
		signal_thread_init(fake_thread_start(i));
	(void)credentials_change(put_root, &all);
}

static void block(uint64_t set)
{
	CHECK_EQUAL(sys_rt_sigprocmask(LINUX_SIG_BLOCK, user(&set), 0, 8), 0);
}

TEST(kill_finds_the_program_only)
{
	start(3);
	CHECK_EQUAL(sys_kill(1, 0), 0);
	CHECK_EQUAL(sys_kill(0, 0), 0);
	CHECK_EQUAL(sys_kill(3, 0), 0); /* by one of its threads */
	CHECK_EQUAL(sys_kill(9, 0), -LINUX_ESRCH);
	CHECK_EQUAL(sys_kill(minus(1), 0), -LINUX_ESRCH);
	CHECK_EQUAL(sys_kill((uint32_t)INT32_MIN, 9), -LINUX_ESRCH);
	CHECK_EQUAL(sys_kill(1, 65), -LINUX_EINVAL);
	CHECK_EQUAL(sys_kill(1, minus(1)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_kill(9, 65), -LINUX_ESRCH);
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(fake_threads[i].thread.references, 1);
}

TEST(tkill_and_tgkill_check_ids)
{
	start(2);
	CHECK_EQUAL(sys_tkill(2, 0), 0);
	CHECK_EQUAL(sys_tkill(0, 0), -LINUX_EINVAL);
	CHECK_EQUAL(sys_tkill(minus(5), 0), -LINUX_EINVAL);
	CHECK_EQUAL(sys_tkill(7, 0), -LINUX_ESRCH);
	CHECK_EQUAL(sys_tgkill(1, 2, 0), 0);
	CHECK_EQUAL(sys_tgkill(1, 2, 65), -LINUX_EINVAL);
	CHECK_EQUAL(sys_tgkill(2, 2, 0), -LINUX_ESRCH);
	CHECK_EQUAL(sys_tgkill(0, 2, 0), -LINUX_EINVAL);
	CHECK_EQUAL(sys_tgkill(1, 0, 0), -LINUX_EINVAL);
	CHECK_EQUAL(sys_tgkill(1, 8, 0), -LINUX_ESRCH);
	CHECK_EQUAL(fake_threads[1].thread.references, 1);
}

TEST(a_senders_information_arrives)
{
	uint64_t set = SIGNAL_BIT(40);
	struct linux_siginfo info = {.signo = 1, .code = LINUX_SI_QUEUE, .sender = {5, 6, 77}};
	struct linux_siginfo taken;

	start(1);
	block(set);
	CHECK_EQUAL(sys_rt_sigqueueinfo(1, 40, user(&info)), 0);
	info.sender.value = 78;
	CHECK_EQUAL(sys_rt_tgsigqueueinfo(1, 1, 40, user(&info)), 0);
	/* The thread's own go first. */
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), user(&taken), 0, 8), 40);
	CHECK_EQUAL(taken.signo, 40);
	CHECK_EQUAL(taken.sender.value, 78);
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), user(&taken), 0, 8), 40);
	CHECK_EQUAL(taken.sender.value, 77);
	CHECK_EQUAL(taken.sender.pid, 5);

	CHECK_EQUAL(sys_tgkill(1, 1, 40), 0);
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), user(&taken), 0, 8), 40);
	CHECK_EQUAL(taken.code, LINUX_SI_TKILL);
	CHECK_EQUAL(taken.sender.pid, 1);

	CHECK_EQUAL(sys_rt_sigqueueinfo(9, 40, user(&info)), -LINUX_ESRCH);
	info.code = LINUX_SI_USER;
	CHECK_EQUAL(sys_rt_sigqueueinfo(9, 40, user(&info)), -LINUX_EPERM);
	CHECK_EQUAL(sys_rt_sigqueueinfo(1, 40, BAD), -LINUX_EFAULT);
	CHECK_EQUAL(sys_rt_tgsigqueueinfo(1, 0, 40, user(&info)), -LINUX_EINVAL);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST(sigtimedwait_times_out)
{
	uint64_t set = SIGNAL_BIT(LINUX_SIGTERM);
	int64_t timeout[2] = {2, 500};
	uint64_t before;

	start(1);
	block(set);
	before = fake_now_ns;
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, user(timeout), 8), -LINUX_EAGAIN);
	CHECK_EQUAL(fake_now_ns - before, 2000000500);
	CHECK_EQUAL(fake_threads[0].thread.signal.waiting_for, 0);
	timeout[1] = 1000000000;
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, user(timeout), 8), -LINUX_EINVAL);
	timeout[1] = -1;
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, user(timeout), 8), -LINUX_EINVAL);
	timeout[0] = -1;
	timeout[1] = 0;
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, user(timeout), 8), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, BAD, 8), -LINUX_EFAULT);
	CHECK_EQUAL(sys_rt_sigtimedwait(BAD, 0, 0, 8), -LINUX_EFAULT);
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, 0, 4), -LINUX_EINVAL);
}

static void send_term(uint64_t deadline_ns)
{
	(void)deadline_ns;
	CHECK_EQUAL(sys_kill(1, LINUX_SIGTERM), 0);
}

static void send_hup(uint64_t deadline_ns)
{
	(void)deadline_ns;
	CHECK_EQUAL(sys_tgkill(1, 1, LINUX_SIGHUP), 0);
}

TEST(sigtimedwait_takes_what_comes_and_is_interrupted_by_others)
{
	uint64_t set = SIGNAL_BIT(LINUX_SIGTERM);
	int64_t forever[2] = {INT64_MAX, 0};

	start(1);
	block(set);
	fake_sleep_hook = send_term;
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, user(forever), 8), LINUX_SIGTERM);
	CHECK_EQUAL(fake_threads[0].wakes, 1);
	fake_sleep_hook = send_hup;
	CHECK_EQUAL(sys_rt_sigtimedwait(user(&set), 0, 0, 8), -LINUX_EINTR);
	CHECK_EQUAL(fake_threads[0].thread.signal.waiting_for, 0);
}

TEST(sigsuspend_and_pause_wait_for_a_signal)
{
	uint64_t none = 0;

	start(1);
	block(SIGNAL_BIT(LINUX_SIGHUP));
	fake_sleep_hook = send_hup;
	CHECK_EQUAL(sys_rt_sigsuspend(user(&none), 8), -LINUX_ERESTARTNOHAND);
	CHECK(fake_threads[0].thread.signal.restore_mask);
	signal_restore_temporary_mask();
	CHECK_EQUAL(fake_threads[0].thread.signal.blocked, SIGNAL_BIT(LINUX_SIGHUP));
	CHECK_EQUAL(sys_rt_sigsuspend(user(&none), 16), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigsuspend(BAD, 8), -LINUX_EFAULT);
	signal_replace_mask(0);
	CHECK_EQUAL(sys_pause(), -LINUX_ERESTARTNOHAND);
}

TEST(sigaction_checks_its_arguments)
{
	struct linux_sigaction action = {.handler = HANDLER, .flags = LINUX_SA_RESTART}, old;

	start(1);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGUSR1, user(&action), 0, 4), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGUSR1, BAD, 0, 8), -LINUX_EFAULT);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGKILL, user(&action), 0, 8), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGKILL, 0, user(&old), 8), 0);
	CHECK_EQUAL(sys_rt_sigaction(0, 0, user(&old), 8), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGUSR1, user(&action), user(&old), 8), 0);
	CHECK_EQUAL(old.handler, LINUX_SIG_DFL);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGUSR1, 0, user(&old), 8), 0);
	CHECK_EQUAL(old.handler, HANDLER);
	CHECK_EQUAL(sys_rt_sigaction(LINUX_SIGUSR1, 0, BAD, 8), -LINUX_EFAULT);
	CHECK_EQUAL(sys_rt_sigprocmask(9, user(&action), 0, 8), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigprocmask(9, 0, user(&old), 8), 0); /* how does not matter then */
}

TEST(sigpending_shows_blocked_signals)
{
	uint64_t set = 0;

	start(1);
	block(SIGNAL_BIT(LINUX_SIGTERM));
	sys_kill(1, LINUX_SIGTERM);
	sys_tkill(1, LINUX_SIGHUP); /* pending, but not blocked */
	CHECK_EQUAL(sys_rt_sigpending(user(&set), 8), 0);
	CHECK_EQUAL(set, SIGNAL_BIT(LINUX_SIGTERM));
	CHECK_EQUAL(sys_rt_sigpending(user(&set), 9), -LINUX_EINVAL);
	CHECK_EQUAL(sys_rt_sigpending(BAD, 8), -LINUX_EFAULT);
}

static long resume(struct signal_restart *restart)
{
	return (long)restart->arguments[0];
}

TEST(restart_syscall_runs_what_was_left_once)
{
	start(1);
	CHECK_EQUAL(sys_restart_syscall(), -LINUX_EINTR);
	thread_current()->signal.restart = (struct signal_restart){resume, {42}};
	CHECK_EQUAL(sys_restart_syscall(), 42);
	CHECK_EQUAL(sys_restart_syscall(), -LINUX_EINTR);
}

/* ---- credentials --------------------------------------------------------------- */

TEST(root_sets_any_id_and_loses_its_rights_for_good)
{
	uint32_t ids[3];

	start(1);
	CHECK_EQUAL(sys_setgid(100), 0);
	CHECK_EQUAL(sys_setuid(1000), 0);
	CHECK_EQUAL(sys_getuid(), 1000);
	CHECK_EQUAL(sys_geteuid(), 1000);
	CHECK_EQUAL(sys_getresuid(user(&ids[0]), user(&ids[1]), user(&ids[2])), 0);
	CHECK_EQUAL(ids[2], 1000);
	CHECK_EQUAL(sys_setuid(1000), 0); /* the next thread says the same */
	CHECK_EQUAL(sys_setuid(0), -LINUX_EPERM);
	CHECK_EQUAL(sys_setgid(0), -LINUX_EPERM);
	CHECK_EQUAL(sys_setgroups(0, 0), -LINUX_EPERM);
	CHECK(!credentials_has(CAPABILITY_SETUID));
	CHECK_EQUAL(sys_setuid(minus(1)), -LINUX_EINVAL);
}

TEST(effective_rights_follow_the_effective_user)
{
	start(1);
	CHECK_EQUAL(sys_setresuid(minus(1), 1000, minus(1)), 0);
	CHECK(!credentials_has(CAPABILITY_CHOWN));
	CHECK_EQUAL(sys_setresuid(2000, 2000, 2000), -LINUX_EPERM);
	CHECK_EQUAL(sys_setresuid(minus(1), 0, minus(1)), 0); /* saved is still root */
	CHECK(credentials_has(CAPABILITY_CHOWN));
}

TEST(setreuid_keeps_the_saved_id_as_linux_does)
{
	uint32_t ids[3];

	start(1);
	CHECK_EQUAL(sys_setreuid(minus(1), 0), 0); /* same as real: saved stays */
	CHECK_EQUAL(sys_setreuid(5, 6), 0);
	CHECK_EQUAL(sys_getresuid(user(&ids[0]), user(&ids[1]), user(&ids[2])), 0);
	CHECK(ids[0] == 5 && ids[1] == 6 && ids[2] == 6);
	CHECK_EQUAL(sys_setreuid(6, 5), 0);
	CHECK_EQUAL(sys_setreuid(7, minus(1)), -LINUX_EPERM);
	CHECK_EQUAL(sys_setregid(1, 2), -LINUX_EPERM);
	CHECK_EQUAL(sys_getresuid(user(&ids[0]), BAD, user(&ids[2])), -LINUX_EFAULT);
}

TEST(setfsuid_returns_the_old_id)
{
	start(1);
	CHECK_EQUAL(sys_setfsuid(44), 0);
	CHECK_EQUAL(sys_setfsuid(minus(1)), 44);
	CHECK_EQUAL(sys_setfsgid(45), 0);
	CHECK_EQUAL(sys_setuid(1000), 0);
	CHECK_EQUAL(sys_setfsuid(7), 1000); /* refused, silently */
	CHECK_EQUAL(sys_setfsuid(7), 1000);
}

TEST(groups_are_kept_in_order)
{
	uint32_t groups[4] = {9, 3, 7, 3}, got[4] = {0};

	start(1);
	CHECK_EQUAL(sys_setgroups(4, user(groups)), 0);
	CHECK_EQUAL(sys_getgroups(0, 0), 4);
	CHECK_EQUAL(sys_getgroups(3, user(got)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_getgroups(minus(1), user(got)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_getgroups(4, BAD), -LINUX_EFAULT);
	CHECK_EQUAL(sys_getgroups(4, user(got)), 4);
	CHECK(got[0] == 3 && got[1] == 3 && got[2] == 7 && got[3] == 9);
	CHECK(credentials_in_group(7) && !credentials_in_group(8));
	CHECK_EQUAL(sys_setgroups(CREDENTIALS_MAX_GROUPS + 1, user(groups)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_setgroups(minus(1), user(groups)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_setgroups(4, BAD), -LINUX_EFAULT);
}

TEST(capabilities_can_only_shrink)
{
	uint32_t header[2] = {0x20080522, 0}, data[6] = {0};

	start(1);
	CHECK_EQUAL(sys_capget(user(header), user(data)), 0);
	CHECK_EQUAL(data[0], UINT32_MAX);
	data[0] = data[1] = 1;
	data[3] = data[4] = 0;
	CHECK_EQUAL(sys_capset(user(header), user(data)), 0);
	CHECK(credentials_has(CAPABILITY_CHOWN) && !credentials_has(CAPABILITY_SETUID));
	data[0] = 3;
	CHECK_EQUAL(sys_capset(user(header), user(data)), -LINUX_EPERM);
	header[0] = 1;
	CHECK_EQUAL(sys_capget(user(header), user(data)), -LINUX_EINVAL);
	CHECK_EQUAL(header[0], 0x20080522);
	header[0] = 1;
	CHECK_EQUAL(sys_capget(user(header), 0), 0); /* libcap asks so for the version */
	header[1] = 99;
	CHECK_EQUAL(sys_capget(user(header), user(data)), -LINUX_ESRCH);
	CHECK_EQUAL(sys_capset(user(header), user(data)), -LINUX_EPERM);
	header[1] = UINT32_MAX;
	CHECK_EQUAL(sys_capget(user(header), user(data)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_capget(BAD, user(data)), -LINUX_EFAULT);
}

TEST(the_program_leads_its_session)
{
	start(2);
	CHECK_EQUAL(sys_getpgid(0), 1);
	CHECK_EQUAL(sys_getpgid(2), 1);
	CHECK_EQUAL(sys_getsid(1), 1);
	CHECK_EQUAL(sys_getsid(50), -LINUX_ESRCH);
	CHECK_EQUAL(sys_getpgid(minus(1)), -LINUX_ESRCH);
	CHECK_EQUAL(sys_setsid(), -LINUX_EPERM);
	CHECK_EQUAL(sys_setpgid(0, 0), -LINUX_EPERM);
	CHECK_EQUAL(sys_setpgid(0, minus(1)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_setpgid(50, 0), -LINUX_ESRCH);
}

/* ---- limits ---------------------------------------------------------------------- */

TEST(limits_are_checked_and_read_back)
{
	uint64_t limit[2] = {0}, old[2];

	start(1);
	CHECK_EQUAL(sys_prlimit64(0, 7, 0, user(limit)), 0);
	CHECK_EQUAL(limit[0], 1048576);
	limit[0] = 100;
	CHECK_EQUAL(sys_prlimit64(1, 7, user(limit), user(old)), 0);
	CHECK_EQUAL(old[0], 1048576);
	CHECK_EQUAL(rlimit_nofile(), 100);
	limit[0] = limit[1] + 1;
	CHECK_EQUAL(sys_setrlimit(7, user(limit)), -LINUX_EINVAL);
	limit[1] = limit[0];
	CHECK_EQUAL(sys_setrlimit(7, user(limit)), -LINUX_EPERM); /* above fs.nr_open */
	CHECK_EQUAL(sys_getrlimit(16, user(limit)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_getrlimit(minus(1), user(limit)), -LINUX_EINVAL);
	CHECK_EQUAL(sys_getrlimit(7, BAD), -LINUX_EFAULT);
	CHECK_EQUAL(sys_setrlimit(7, BAD), -LINUX_EFAULT);
	CHECK_EQUAL(sys_prlimit64(77, 7, 0, user(limit)), -LINUX_ESRCH);
	CHECK_EQUAL(sys_prlimit64(0, 7, BAD, 0), -LINUX_EFAULT);
	limit[0] = limit[1] = 1;
	CHECK_EQUAL(sys_setrlimit(11, user(limit)), 0);
	CHECK_EQUAL(signal_queue_limit(), 1);
	CHECK_EQUAL(sys_setuid(1000), 0);
	limit[1] = 2;
	CHECK_EQUAL(sys_setrlimit(11, user(limit)), -LINUX_EPERM);
	limit[1] = 1;
	CHECK_EQUAL(sys_setrlimit(11, user(limit)), 0);
}

TEST_DEFINE_MAIN
