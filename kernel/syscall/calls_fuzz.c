/*
 * Fuzzes the arguments of the calls about signals, identity and limits: sequences of
 * calls with numbers near the interesting ones and pointers into a buffer, into page
 * zero or beyond the program's half. Results are 0..2^31 or -1..-4095 and the calls'
 * own state stays consistent.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_threads.h"
#include "kernel/credentials.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/signal_frame.h"
#include "kernel/syscall/syscall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t memory[8192] ALIGNED(64);

void syscall_dispatch(struct trap_frame *frame)
{
	frame->rax = 0;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

#define CALL(name) ((syscall_handler)(void (*)(void))sys_##name)

static const struct {
	syscall_handler function;
	const char *kinds; /* n number, p pointer */
} calls[] = {
	{CALL(rt_sigaction), "nppn"},
	{CALL(rt_sigprocmask), "nppn"},
	{CALL(kill), "nn"},
	{CALL(tkill), "nn"},
	{CALL(tgkill), "nnn"},
	{CALL(rt_sigpending), "pn"},
	{CALL(rt_sigtimedwait), "pppn"},
	{CALL(rt_sigqueueinfo), "nnp"},
	{CALL(rt_tgsigqueueinfo), "nnnp"},
	{CALL(sigaltstack), "pp"},
	{CALL(restart_syscall), ""},
	{CALL(setuid), "n"},
	{CALL(setgid), "n"},
	{CALL(setreuid), "nn"},
	{CALL(setresgid), "nnn"},
	{CALL(setfsuid), "n"},
	{CALL(getgroups), "np"},
	{CALL(setgroups), "np"},
	{CALL(getresuid), "ppp"},
	{CALL(capget), "pp"},
	{CALL(capset), "pp"},
	{CALL(prlimit64), "nnpp"},
	{CALL(setpgid), "nn"},
	{CALL(getsid), "n"},
};

static uint64_t number_of(uint8_t byte)
{
	static const uint64_t special[] = {
		UINT64_MAX, UINT32_MAX, INT64_MAX, 1ull << 31, 1ull << 63, 4096, 65535, 65536};

	return byte < 248 ? byte : special[byte - 248];
}

static uint64_t pointer_of(uint8_t byte)
{
	if (byte < 8)
		return byte * 500; /* NULL and page zero */
	if (byte >= 250)
		return byte == 255 ? UINT64_MAX - 3 : USER_END + byte % 250 * 8ull;
	return (uint64_t)memory + byte * 16ull;
}

static void wake_up(uint64_t deadline_ns)
{
	if (deadline_ns != UINT64_MAX)
		fake_now_ns = deadline_ns;
	else
		thread_current()->signal.interrupted = true;
}

static void empty_queues(void)
{
	struct linux_siginfo info;

	for (int i = 0; i < 3; i++) {
		fake_thread_set_current(i);
		while (signal_take(UINT64_MAX, &info))
			;
		require(thread_current()->references == 1);
		require(thread_current()->signal.waiting_for == 0);
	}
	require(signal_queued_count() == 0 && heap_live_count() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	fake_threads_reset();
	fake_sleep_hook = wake_up;
	signal_init();
	signal_set_queue_limit(100);
	for (int i = 0; i < 3; i++)
		signal_thread_init(fake_thread_start(i));
	memset(memory, 0, sizeof(memory));
	while (bytes >= 8) {
		size_t call = data[0] % ARRAY_SIZE(calls);
		uint64_t arguments[6] = {0};

		fake_thread_set_current(data[1] % 3);
		arch_thread_frame(thread_current())->rsp = (uint64_t)memory + 4096;
		memory[data[2] * 16 % 4096] = data[3];
		for (size_t i = 0; calls[call].kinds[i] != '\0'; i++)
			arguments[i] = calls[call].kinds[i] == 'p' ? pointer_of(data[4 + i])
								   : number_of(data[4 + i]);
		long result = calls[call].function(arguments[0], arguments[1], arguments[2],
			arguments[3], arguments[4], arguments[5]);

		require(result >= -4095 && result <= UINT32_MAX);
		data += 8;
		bytes -= 8;
	}
	empty_queues();
	return 0;
}
