/*
 * A stack that overflows: with an alternate stack the handler sees the fault in
 * the guard and ends well; without one the program dies of SIGSEGV.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include "check/check.h"

static uintptr_t guard_start, guard_end;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	uintptr_t address = (uintptr_t)info->si_addr;
	if (number == SIGSEGV && address >= guard_start && address < guard_end) {
		static const char text[] = "guard hit\n";
		if (write(1, text, sizeof(text) - 1) < 0)
			_exit(9);
		_exit(0);
	}
	_exit(5);
}

__attribute__((noinline)) static int recurse(int depth)
{
	volatile char room[512];
	room[0] = (char)depth;
	return depth > 0 ? recurse(depth + 1) + room[0] : 0;
}

static void *overflow(void *argument)
{
	char *alternate = argument;
	if (alternate) {
		stack_t stack = {.ss_sp = alternate, .ss_size = 65536};
		CHECK_EQUAL(sigaltstack(&stack, NULL), 0);
	}
	recurse(1);
	return NULL;
}

int main(int argc, char **argv)
{
	(void)argc;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	size_t bytes = 256 << 10;
	char *area = mmap(NULL, bytes + 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	CHECK_EQUAL(mprotect(area + 65536, bytes, PROT_READ | PROT_WRITE), 0);
	guard_start = (uintptr_t)area;
	guard_end = guard_start + 65536;
	pthread_attr_setstack(&attributes, area + 65536, bytes);

	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	CHECK_EQUAL(sigaction(SIGSEGV, &action, NULL), 0);
	if (argv[1][0] == 'm') /* the main thread's own stack, no handler stack */
		return recurse(1);
	pthread_t thread;
	void *alternate = argv[1][0] == 'a' ? malloc(65536) : NULL;
	CHECK_EQUAL(pthread_create(&thread, &attributes, overflow, alternate), 0);
	pthread_join(thread, NULL);
	return 7;
}
