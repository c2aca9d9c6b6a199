/*
 * Fuzzes rt_sigreturn and handler frames: any bytes as a frame, any stack pointer.
 * Registers of rank (cs, ss, system flags) never change, KILL and STOP stay unblocked,
 * and the alternate stack is one that sigaltstack(2) would take.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_threads.h"
#include "arch/host/fake_user_access.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/signal_frame.h"
#include "kernel/syscall/syscall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t stack[16384] ALIGNED(64);

void syscall_dispatch(struct trap_frame *frame)
{
	frame->rax = 0;
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct trap_frame *frame)
{
	const struct signal_thread *state = &thread_current()->signal;

	require(frame->cs == 0x33 && frame->ss == 0x2b);
	require((frame->rflags & ~0x50dd5ull) == 0x202);
	require((state->blocked & (SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP))) == 0);
	require(state->alternate.size == 0 || state->alternate.size >= LINUX_MINSIGSTKSZ);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct trap_frame *frame;
	struct signal_delivery delivery = {.action = {.handler = 0x1000,
						   .restorer = 0x2000,
						   .flags = LINUX_SA_RESTORER | LINUX_SA_ONSTACK}};

	fake_threads_reset();
	signal_init();
	signal_thread_init(thread_current());
	frame = arch_thread_frame(thread_current());
	memset(stack, 0, sizeof(stack));
	memcpy(stack + 4096, data, bytes < 8192 ? bytes : 8192);
	/* Image and alternate stack inside memory that exists, as far as they are there. */
	struct signal_frame *user = (struct signal_frame *)(stack + 4096);

	if (user->context.mcontext.fpstate != 0)
		user->context.mcontext.fpstate =
			(uint64_t)stack + user->context.mcontext.fpstate % (sizeof(stack) - 4096);
	*frame = (struct trap_frame){.vector = TRAP_SYSCALL_CALL,
		.rflags = 0x202,
		.cs = 0x33,
		.ss = 0x2b,
		.rsp = (uint64_t)stack + 4096 + 8};
	(void)!signal_frame_restore(frame);
	check(frame);

	/* Then a handler on whatever stacks the frame left, where they can be written. */
	struct linux_stack *alternate = &thread_current()->signal.alternate;

	if (alternate->size != 0) {
		alternate->sp = (uint64_t)stack;
		alternate->size = LINUX_MINSIGSTKSZ + alternate->size % 8192;
	}
	if (frame->rsp < USER_END && frame->rsp % 2)
		frame->rsp = (uint64_t)stack + 4096 + frame->rsp % 8192;
	else
		frame->rsp %= 4096; /* page zero: must fail */
	delivery.info.signo = 1 + (int)(frame->rax % LINUX_NSIG);
	delivery.action.flags ^= frame->rbx & (LINUX_SA_SIGINFO | LINUX_SA_ONSTACK);
	struct trap_frame before = *frame;

	if (signal_frame_build(frame, &delivery) == 0) {
		require((frame->rsp + 8) % 16 == 0);
		require(frame->rsp >= (uint64_t)stack && frame->rsp + sizeof(struct signal_frame) <=
								 (uint64_t)stack + sizeof(stack));
		frame->rsp += 8;
		require(signal_frame_restore(frame) == 0);
		before.vector = TRAP_RESTORE_ALL;
		before.error = SYSCALL_NO_RESTART;
		require(memcmp(&before, frame, sizeof(before)) == 0);
	} else {
		require(memcmp(&before, frame, sizeof(before)) == 0);
	}
	check(frame);
	return 0;
}
