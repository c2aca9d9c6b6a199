/*
 * Signals in full: actions, masks, queues, alternate stacks, restart of calls,
 * siginfo, ucontext with vector state, timers, sigtimedwait, signalfd.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "check/check.h"

static volatile int calls, last_signal, last_code, last_value, depth, deepest;
static volatile pid_t last_pid;
static volatile uintptr_t handler_stack;

static void reset(void)
{
	calls = last_signal = last_code = last_value = 0;
}

static void record(int number, siginfo_t *info, void *context)
{
	(void)context;
	char here;
	handler_stack = (uintptr_t)&here;
	calls++;
	last_signal = number;
	last_code = info->si_code;
	last_pid = info->si_pid;
	last_value = info->si_value.sival_int;
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
	sigemptyset(&action.sa_mask);
	CHECK_EQUAL(sigaction(number, &action, NULL), 0);
}

static void block(int how, int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK_EQUAL(pthread_sigmask(how, &set, NULL), 0);
}

static int is_pending(int number)
{
	sigset_t set;
	CHECK_EQUAL(sigpending(&set), 0);
	return sigismember(&set, number);
}

static void basics(void)
{
	reset();
	install(SIGUSR1, record, 0);
	CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
	CHECK_EQUAL(calls, 1);
	CHECK_EQUAL(last_code, SI_USER);
	CHECK_EQUAL(last_pid, getpid());
	CHECK_EQUAL(raise(SIGUSR1), 0);
	CHECK_EQUAL(last_code, SI_TKILL);
	CHECK_EQUAL(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1234}), 0);
	CHECK_EQUAL(last_code, SI_QUEUE);
	CHECK_EQUAL(last_value, 1234);
	CHECK_EQUAL(calls, 3);
	struct sigaction old;
	CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
	CHECK(old.sa_sigaction == record);
	CHECK_EQUAL(old.sa_flags & SA_SIGINFO, SA_SIGINFO);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	CHECK_EQUAL(sigaction(SIGUSR1, &ignore, NULL), 0);
	CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
	CHECK_EQUAL(calls, 3);
	CHECK_ERRNO(sigaction(SIGKILL, &ignore, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &ignore, NULL), EINVAL);
	CHECK_ERRNO(sigaction(65, &ignore, NULL), EINVAL);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_EQUAL(kill(getpid(), 0), 0);
	CHECK_ERRNO(kill(999999, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 999999, SIGUSR1), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
}

static void masks(void)
{
	install(SIGUSR1, record, 0);
	install(SIGRTMIN + 1, record, 0);
	install(SIGRTMIN + 2, record, 0);
	reset();
	block(SIG_BLOCK, SIGUSR1);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1); /* an ordinary signal is kept once */
	CHECK_EQUAL(calls, 0);
	CHECK_EQUAL(is_pending(SIGUSR1), 1);
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQUAL(calls, 1);
	CHECK_EQUAL(is_pending(SIGUSR1), 0);

	reset(); /* realtime signals queue, in order, low numbers first */
	block(SIG_BLOCK, SIGRTMIN + 1);
	block(SIG_BLOCK, SIGRTMIN + 2);
	for (int i = 0; i < 5; i++)
		sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i});
	for (int i = 0; i < 5; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i});
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGRTMIN + 2);
	for (int i = 0; i < 10; i++) {
		siginfo_t info;
		struct timespec none = {0};
		int number = sigtimedwait(&set, &info, &none);
		CHECK_EQUAL(number, i < 5 ? SIGRTMIN + 1 : SIGRTMIN + 2);
		CHECK_EQUAL(info.si_value.sival_int, i < 5 ? 10 + i : i - 5);
		CHECK_EQUAL(info.si_code, SI_QUEUE);
	}
	struct timespec little = {.tv_nsec = 20000000};
	CHECK_ERRNO(sigtimedwait(&set, NULL, &little), EAGAIN);
	CHECK_EQUAL(calls, 0);

	block(SIG_BLOCK, SIGKILL); /* has no effect */
	CHECK_EQUAL(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
	CHECK_EQUAL(sigismember(&set, SIGKILL), 0);
	/* ignoring a pending signal drops it */
	block(SIG_BLOCK, SIGUSR1);
	kill(getpid(), SIGUSR1);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	CHECK_EQUAL(sigaction(SIGUSR1, &ignore, NULL), 0);
	CHECK_EQUAL(is_pending(SIGUSR1), 0);
	block(SIG_UNBLOCK, SIGUSR1);
	block(SIG_UNBLOCK, SIGRTMIN + 1);
	block(SIG_UNBLOCK, SIGRTMIN + 2);
}

static void nest(int number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	calls++;
	if (++depth > deepest)
		deepest = depth;
	if (calls < 3)
		raise(number);
	depth--;
}

static void nesting(void)
{
	install(SIGUSR2, nest, 0); /* masked in its own handler */
	calls = depth = deepest = 0;
	raise(SIGUSR2);
	CHECK_EQUAL(calls, 3);
	CHECK_EQUAL(deepest, 1);
	install(SIGUSR2, nest, SA_NODEFER);
	calls = depth = deepest = 0;
	raise(SIGUSR2);
	CHECK_EQUAL(calls, 3);
	CHECK_EQUAL(deepest, 3);
	install(SIGUSR2, nest, SA_RESETHAND);
	calls = 5;
	raise(SIGUSR2);
	CHECK_EQUAL(calls, 6);
	struct sigaction now;
	sigaction(SIGUSR2, NULL, &now);
	CHECK(now.sa_handler == SIG_DFL);
	/* sa_mask holds the other back while the handler runs */
	struct sigaction action = {.sa_sigaction = record, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	CHECK_EQUAL(sigaction(SIGUSR2, &action, NULL), 0);
	raise(SIGUSR2);
	sigset_t mask;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	CHECK_EQUAL(sigismember(&mask, SIGUSR1), 0);
}

static void alternate_stack(void)
{
	char *memory = malloc(65536);
	stack_t stack = {.ss_sp = memory, .ss_size = 65536}, old;
	CHECK_EQUAL(sigaltstack(&stack, NULL), 0);
	install(SIGUSR1, record, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(handler_stack >= (uintptr_t)memory && handler_stack < (uintptr_t)memory + 65536);
	install(SIGUSR1, record, 0);
	raise(SIGUSR1);
	CHECK(handler_stack < (uintptr_t)memory || handler_stack >= (uintptr_t)memory + 65536);
	CHECK_EQUAL(sigaltstack(NULL, &old), 0);
	CHECK(old.ss_sp == memory);
	CHECK_EQUAL(old.ss_size, 65536);
	CHECK_EQUAL(old.ss_flags, 0);
	stack.ss_size = 100;
	CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_flags = 77;
	stack.ss_size = 65536;
	CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = SS_DISABLE;
	CHECK_EQUAL(sigaltstack(&stack, NULL), 0);
	CHECK_EQUAL(sigaltstack(NULL, &old), 0);
	CHECK_EQUAL(old.ss_flags, SS_DISABLE);
	free(memory);
}

/* The handler changes registers of the interrupted code, general and vector. */
static void change_registers(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	ucontext_t *uc = context;
	CHECK_EQUAL(uc->uc_mcontext.gregs[REG_RBX], 0x1122334455667788);
	CHECK_EQUAL(uc->uc_mcontext.gregs[REG_R12], 0x12);
	uc->uc_mcontext.gregs[REG_RBX] = 99;
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* over the ud2 */
	CHECK(uc->uc_mcontext.fpregs != NULL);
	CHECK_EQUAL(((uint32_t *)&uc->uc_mcontext.fpregs->_xmm[5])[0], 0xabcd);
	((uint32_t *)&uc->uc_mcontext.fpregs->_xmm[5])[0] = 0x4321;
	__asm__ volatile("pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6" ::: "xmm5", "xmm6");
}

static void registers(void)
{
	install(SIGILL, change_registers, 0);
	uint64_t rbx = 0x1122334455667788, r12 = 0x12;
	uint32_t five = 0xabcd, six = 0x6666;
	__asm__ volatile(
		"movd %2, %%xmm5; movd %3, %%xmm6\n"
		"mov %0, %%rbx; mov %1, %%r12\n"
		"ud2\n"
		"mov %%rbx, %0; mov %%r12, %1; movd %%xmm5, %2; movd %%xmm6, %3"
		: "+r"(rbx), "+r"(r12), "+r"(five), "+r"(six)::"rbx", "r12", "xmm5", "xmm6");
	CHECK_EQUAL(rbx, 99);
	CHECK_EQUAL(r12, 0x12);
	CHECK_EQUAL(five, 0x4321);
	CHECK_EQUAL(six, 0x6666);
}

static int ends[2];

static void *interrupt_soon(void *argument)
{
	struct timespec time = {.tv_nsec = 50000000};
	nanosleep(&time, NULL);
	pthread_kill(*(pthread_t *)argument, SIGUSR1);
	nanosleep(&time, NULL);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	return NULL;
}

static void restart(void)
{
	pthread_t self = pthread_self(), thread;
	char byte;
	CHECK_EQUAL(pipe(ends), 0);
	install(SIGUSR1, record, SA_RESTART);
	reset();
	pthread_create(&thread, NULL, interrupt_soon, &self);
	CHECK_EQUAL(read(ends[0], &byte, 1), 1);
	CHECK_EQUAL(calls, 1);
	pthread_join(thread, NULL);

	install(SIGUSR1, record, 0);
	pthread_create(&thread, NULL, interrupt_soon, &self);
	CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
	pthread_join(thread, NULL);
	CHECK_EQUAL(read(ends[0], &byte, 1), 1);

	/* never restarted, whatever the flag: poll, nanosleep (tells what is left) */
	install(SIGUSR1, record, SA_RESTART);
	pthread_create(&thread, NULL, interrupt_soon, &self);
	CHECK_ERRNO(poll(NULL, 0, 5000), EINTR);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, interrupt_soon, &self);
	struct timespec time = {.tv_sec = 5}, left = {0};
	CHECK_ERRNO(nanosleep(&time, &left), EINTR);
	CHECK(left.tv_sec == 4 && left.tv_nsec > 0);
	pthread_join(thread, NULL);
	/* sigsuspend lets the blocked signal in and puts the mask back */
	block(SIG_BLOCK, SIGUSR1);
	pthread_create(&thread, NULL, interrupt_soon, &self);
	sigset_t none;
	sigemptyset(&none);
	reset();
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQUAL(calls, 1);
	sigset_t mask;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	CHECK_EQUAL(sigismember(&mask, SIGUSR1), 1);
	pthread_join(thread, NULL);
	block(SIG_UNBLOCK, SIGUSR1);
}

static void timers(void)
{
	install(SIGALRM, record, 0);
	reset();
	struct itimerval every = {
		.it_interval = {.tv_usec = 10000}, .it_value = {.tv_usec = 10000}};
	CHECK_EQUAL(setitimer(ITIMER_REAL, &every, NULL), 0);
	while (calls < 5)
		pause();
	struct itimerval off = {0}, old;
	CHECK_EQUAL(setitimer(ITIMER_REAL, &off, &old), 0);
	CHECK_EQUAL(old.it_interval.tv_usec, 10000);
	CHECK_EQUAL(alarm(100), 0);
	CHECK(alarm(0) >= 99);

	install(SIGPROF, record, 0);
	reset();
	CHECK_EQUAL(setitimer(ITIMER_PROF, &every, NULL), 0);
	for (volatile long spin = 0; calls < 3; spin++)
		;
	CHECK_EQUAL(last_signal, SIGPROF);
	CHECK_EQUAL(setitimer(ITIMER_PROF, &off, NULL), 0);

	timer_t timer;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGRTMIN + 1,
		.sigev_value.sival_int = 77};
	install(SIGRTMIN + 1, record, 0);
	reset();
	CHECK_EQUAL(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	struct itimerspec spec = {
		.it_value = {.tv_nsec = 20000000}, .it_interval = {.tv_nsec = 5000000}};
	CHECK_EQUAL(timer_settime(timer, 0, &spec, NULL), 0);
	while (calls < 3)
		pause();
	CHECK_EQUAL(last_code, SI_TIMER);
	CHECK_EQUAL(last_value, 77);
	CHECK_EQUAL(timer_gettime(timer, &spec), 0);
	CHECK_EQUAL(spec.it_interval.tv_nsec, 5000000);
	CHECK_EQUAL(timer_delete(timer), 0);
}

static void descriptors(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	CHECK_EQUAL(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(fd >= 0);
	struct signalfd_siginfo info[3];
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	CHECK_ERRNO(read(fd, info, sizeof(info)), EAGAIN);
	CHECK_EQUAL(poll(&poller, 1, 0), 0);
	kill(getpid(), SIGUSR2);
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 55});
	CHECK_EQUAL(poll(&poller, 1, 1000), 1);
	CHECK_EQUAL(read(fd, info, sizeof(info)), 2 * sizeof(info[0]));
	CHECK_EQUAL(info[0].ssi_signo, SIGUSR1);
	CHECK_EQUAL(info[0].ssi_int, 55);
	CHECK_EQUAL(info[1].ssi_signo, SIGUSR2);
	CHECK_EQUAL(info[1].ssi_pid, getpid());
	CHECK_ERRNO(read(fd, info, 10), EINVAL);
	close(fd);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* A signal for the process goes to a thread that does not block it. */
static volatile pthread_t receiver;

static void note_receiver(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	receiver = pthread_self();
}

static volatile int ready, finished;

static void *open_thread(void *argument)
{
	(void)argument;
	block(SIG_UNBLOCK, SIGUSR2);
	ready = 1;
	while (!finished)
		usleep(1000);
	return NULL;
}

static void directed(void)
{
	pthread_t thread;
	install(SIGUSR2, note_receiver, SA_RESTART);
	block(SIG_BLOCK, SIGUSR2);
	pthread_create(&thread, NULL, open_thread, NULL);
	while (!ready)
		usleep(1000);
	kill(getpid(), SIGUSR2);
	for (int i = 0; i < 1000 && !receiver; i++)
		usleep(1000);
	CHECK(pthread_equal(receiver, thread));
	finished = 1;
	pthread_join(thread, NULL);
	block(SIG_UNBLOCK, SIGUSR2);
}

static sigjmp_buf back;

static void jump(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	siglongjmp(back, 1);
}

/* A fault whose signal is blocked or ignored ends the program: tried last, by argument. */
static void blocked_fault(void)
{
	install(SIGSEGV, jump, 0);
	block(SIG_BLOCK, SIGSEGV);
	*(volatile int *)16 = 1;
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		blocked_fault();
		return 1;
	}
	basics();
	masks();
	nesting();
	alternate_stack();
	registers();
	restart();
	timers();
	descriptors();
	directed();
	return ok();
}
