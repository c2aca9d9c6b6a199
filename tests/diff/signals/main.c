/* Signal calls with good and bad arguments; what actions and masks read back as. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include "check/trace.h"

struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static void actions(void)
{
	char label[96];
	static const int numbers[] = {-1, 0, 1, 9, 11, 17, 19, 31, 32, 33, 34, 64, 65, 1000};
	for (size_t i = 0; i < ROWS(numbers); i++) {
		int number = numbers[i];
		struct kernel_action action = {.handler = SIG_IGN,
					     .flags = 0x10000004,
					     .mask = ~0ul},
				     old = {0};
		snprintf(label, sizeof(label), "rt_sigaction(%d, ignore)", number);
		trace(label, syscall(SYS_rt_sigaction, number, &action, NULL, 8));
		snprintf(label, sizeof(label), "rt_sigaction(%d, read)", number);
		if (trace(label, syscall(SYS_rt_sigaction, number, NULL, &old, 8)) == 0)
			printf("%d: handler %ld, flags %#lx, mask %#lx\n", number,
				(long)old.handler, old.flags, (unsigned long)old.mask);
		action.handler = SIG_DFL;
		snprintf(label, sizeof(label), "rt_sigaction(%d, default)", number);
		trace(label, syscall(SYS_rt_sigaction, number, &action, NULL, 8));
		snprintf(label, sizeof(label), "kill(self, %d) while it is ignored", number);
		action.handler = SIG_IGN;
		syscall(SYS_rt_sigaction, number, &action, NULL, 8);
		if (number != 9 && number != 19)
			trace(label, syscall(SYS_kill, getpid(), number));
		snprintf(label, sizeof(label), "tgkill(self, %d)", number);
		if (number != 9 && number != 19)
			trace(label, syscall(SYS_tgkill, getpid(), getpid(), number));
		snprintf(label, sizeof(label), "tkill(self, %d)", number);
		if (number != 9 && number != 19)
			trace(label, syscall(SYS_tkill, getpid(), number));
	}
	struct kernel_action unknown = {.handler = SIG_IGN, .flags = 0xffffffff}, old = {0};
	TRY(syscall(SYS_rt_sigaction, SIGUSR1, &unknown, NULL, 8));
	TRY(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8));
	printf("unknown flags read back as %#lx\n", old.flags);
}

static void targets(void)
{
	TRY(syscall(SYS_kill, 99999999, 0));
	TRY(syscall(SYS_kill, 99999999, SIGTERM));
	TRY(syscall(SYS_tgkill, 0, getpid(), 0));
	TRY(syscall(SYS_tgkill, -1, getpid(), 0));
	TRY(syscall(SYS_tgkill, getpid(), -1, 0));
	TRY(syscall(SYS_tgkill, getpid(), 99999999, 0));
	TRY(syscall(SYS_tgkill, 99999999, getpid(), 0));
	TRY(syscall(SYS_tkill, 0, 0));
	TRY(syscall(SYS_tkill, 99999999, 0));
}

static void masks(void)
{
	uint64_t set = ~0ul, old = 0;
	TRY(syscall(SYS_rt_sigprocmask, 77, &set, &old, 8));
	TRY(syscall(SYS_rt_sigprocmask, 77, NULL, &old, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, &old, 8));
	printf("mask before %#lx\n", (unsigned long)old);
	TRY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &old, 8));
	printf("full mask reads back as %#lx\n", (unsigned long)old);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGTERM);
	TRY(syscall(SYS_rt_sigpending, &old, 8));
	printf("pending %#lx\n", (unsigned long)old);
	TRY(syscall(SYS_rt_sigpending, &old, 4));
	TRY(syscall(SYS_rt_sigpending, &old, 9));
	siginfo_t info;
	struct timespec none = {0}, bad = {.tv_nsec = -1};
	TRY(syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8));
	printf("code %d, signal %d\n", info.si_code, info.si_signo);
	TRY(syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 8));
	TRY(syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 8));
	TRY(syscall(SYS_rt_sigtimedwait, &set, NULL, &bad, 8));
	TRY(syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 7));
	TRY(syscall(SYS_rt_sigtimedwait, 8, NULL, &none, 8));
	set = 0;
	TRY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, 8));
	TRY(syscall(SYS_rt_sigsuspend, &set, 7));
}

static void stacks(void)
{
	static char memory[65536];
	struct {
		size_t size;
		int flags;
		void *at;
	} all[] = {{65536, 0, memory}, {2048, 0, memory}, {2047, 0, memory}, {0, 0, memory},
		{65536, 1, memory}, {65536, 2, memory}, {65536, 3, memory}, {0, 2, NULL},
		{65536, (int)0x80000000, memory}, {65536, 0, (void *)8}, {-1, 0, memory}};
	char label[64];
	for (size_t i = 0; i < ROWS(all); i++) {
		stack_t stack = {.ss_sp = all[i].at,
				.ss_flags = all[i].flags,
				.ss_size = all[i].size},
			old;
		snprintf(label, sizeof(label), "sigaltstack %zu", i);
		trace(label, syscall(SYS_sigaltstack, &stack, NULL));
		TRY(syscall(SYS_sigaltstack, NULL, &old));
		printf("flags %#x, size %zu, same %d\n", (unsigned)old.ss_flags, old.ss_size,
			old.ss_sp == all[i].at);
	}
	TRY(syscall(SYS_sigaltstack, 8, NULL));
	TRY(syscall(SYS_sigaltstack, NULL, 8));
}

static void queueing(void)
{
	siginfo_t info = {.si_code = SI_QUEUE, .si_signo = SIGUSR1};
	uint64_t set = 1ul << (SIGRTMIN - 1);
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8));
	TRY(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info));
	TRY(syscall(SYS_rt_sigqueueinfo, getpid(), 99, &info));
	TRY(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &info));
	TRY(syscall(SYS_rt_sigqueueinfo, 99999999, SIGRTMIN, &info));
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN, &info));
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGRTMIN, &info));
	TRY(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, 8));
	struct timespec none = {0};
	for (int i = 0; i < 3; i++)
		TRY(syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8));
}

int main(void)
{
	actions();
	targets();
	masks();
	stacks();
	queueing();
	return 0;
}
