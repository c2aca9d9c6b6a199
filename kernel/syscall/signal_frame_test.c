/* Handler frames, the way back, and what delivery does to interrupted calls. */
#include "arch/host/fake_log.h"
#include "arch/host/fake_threads.h"
#include "arch/host/fake_user_access.h"
#include "arch/host/fake_vector.h"
#include "kernel/mm/heap.h"
#include "kernel/syscall/signal_frame.h"
#include "kernel/syscall/syscall.h"
#include <string.h>
#include "lib/test.h"

#define HANDLER  0x401000
#define RESTORER 0x402000
#define RIP      0x403005

#define CODE_SELECTOR 0x33
#define DATA_SELECTOR 0x2b

static uint8_t stack[65536] ALIGNED(64);
static uint8_t alternate[16384] ALIGNED(64);
static struct trap_frame *frame;

static unsigned dispatches;
static uint64_t dispatched_number;
static long dispatch_result;

void syscall_dispatch(struct trap_frame *dispatched)
{
	dispatches++;
	dispatched_number = dispatched->rax;
	dispatched->error = dispatched->rax;
	dispatched->rax = (uint64_t)dispatch_result;
	dispatch_result = 0;
}

static uint64_t random_word(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void start(void)
{
	fake_user_forbid(0, 0);
	fake_threads_reset();
	signal_init();
	signal_thread_init(thread_current());
	frame = arch_thread_frame(thread_current());
	for (size_t i = 0; i < sizeof(*frame) / 8; i++)
		((uint64_t *)frame)[i] = random_word();
	frame->vector = 0x5d;
	frame->error = 0;
	frame->rip = RIP;
	frame->rsp = (uint64_t)(stack + sizeof(stack)) - 1000;
	frame->cs = CODE_SELECTOR;
	frame->ss = DATA_SELECTOR;
	frame->rflags = 0x202;
	for (size_t i = 0; i < sizeof(fake_vector_state); i++)
		fake_vector_state[i] = (uint8_t)random();
	memset(fake_vector_state + 512, 0, 64);
	fake_vector_is_initial = false;
	dispatches = 0;
	dispatch_result = 0;
}

static struct signal_delivery make_delivery(uint64_t flags)
{
	struct signal_delivery delivery;

	memset(&delivery, 0, sizeof(delivery));
	delivery.info.signo = LINUX_SIGUSR1;
	delivery.info.code = LINUX_SI_TKILL;
	delivery.info.sender.pid = 1;
	delivery.action.handler = HANDLER;
	delivery.action.restorer = RESTORER;
	delivery.action.flags = flags | LINUX_SA_RESTORER;
	return delivery;
}

static void handle(int signal, uint64_t flags)
{
	struct linux_sigaction action = {
		.handler = HANDLER, .flags = flags | LINUX_SA_RESTORER, .restorer = RESTORER};

	CHECK_EQUAL(signal_set_action(signal, &action, NULL), 0);
}

static void send(int signal)
{
	struct linux_siginfo info = {.signo = signal, .code = LINUX_SI_TKILL};

	CHECK_EQUAL(signal_send_thread(thread_current(), &info), 0);
}

static void use_alternate(uint32_t flags)
{
	struct linux_stack new = {
		.sp = (uint64_t)alternate, .size = sizeof(alternate), .flags = (int32_t)flags};

	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), 0);
}

static bool delivery_ends_program(void)
{
	return FAKE_EXITS(signal_deliver(frame));
}

TEST(the_frame_has_the_layout_of_linux)
{
	struct signal_delivery delivery = make_delivery(LINUX_SA_SIGINFO);

	start();
	struct trap_frame before = *frame;

	signal_replace_mask(0x1234000);
	thread_current()->signal.fault.address = 0xabc;
	frame->rflags |= 0x400 | 0x100;
	CHECK_EQUAL(signal_frame_build(frame, &delivery), 0);
	const uint8_t *at = (const uint8_t *)frame->rsp;
	const uint64_t *words = (const uint64_t *)at;

	CHECK_EQUAL(((uint64_t)at + 8) % 16, 0);
	CHECK_EQUAL(frame->rdi, LINUX_SIGUSR1);
	CHECK_EQUAL(frame->rdx, (uint64_t)at + 8);
	CHECK_EQUAL(frame->rsi, (uint64_t)at + 8 + 304);
	CHECK_EQUAL(frame->rax, 0);
	CHECK_EQUAL(frame->rip, HANDLER);
	CHECK_EQUAL(frame->rflags, 0x202);
	CHECK_EQUAL(frame->vector, TRAP_RESTORE_ALL);
	CHECK_EQUAL(frame->rbx, before.rbx);
	CHECK(fake_vector_is_initial);

	CHECK_EQUAL(words[0], RESTORER);
	CHECK_EQUAL(words[1], 7); /* uc_flags */
	const uint8_t *context = at + 8;

	CHECK_EQUAL(*(const uint64_t *)(context + 40), before.r8);
	CHECK_EQUAL(*(const uint64_t *)(context + 96), before.r15);
	CHECK_EQUAL(*(const uint64_t *)(context + 104), before.rdi);
	CHECK_EQUAL(*(const uint64_t *)(context + 144), before.rax);
	CHECK_EQUAL(*(const uint64_t *)(context + 160), before.rsp);
	CHECK_EQUAL(*(const uint64_t *)(context + 168), before.rip);
	CHECK_EQUAL(*(const uint64_t *)(context + 176), 0x702);
	CHECK_EQUAL(*(const uint16_t *)(context + 184), CODE_SELECTOR);
	CHECK_EQUAL(*(const uint64_t *)(context + 216), 0xabc);
	CHECK_EQUAL(*(const uint64_t *)(context + 296), 0x1234000);
	uint64_t state = *(const uint64_t *)(context + 224);

	CHECK_EQUAL(state % 64, 0);
	CHECK(state >= (uint64_t)at + sizeof(struct signal_frame));
	CHECK(state + FAKE_VECTOR_BYTES + 4 <= before.rsp - 128);
	CHECK_EQUAL(*(const uint32_t *)(state + 464), 0x46505853);
	CHECK_EQUAL(*(const uint32_t *)(state + 468), FAKE_VECTOR_BYTES + 4);
	CHECK_EQUAL(*(const uint32_t *)(state + 480), FAKE_VECTOR_BYTES);
	CHECK_EQUAL(*(const uint64_t *)(state + 512), 3);
	CHECK_EQUAL(*(const uint32_t *)(state + FAKE_VECTOR_BYTES), 0x46505845);
	CHECK_EQUAL(*(const int32_t *)frame->rsi, LINUX_SIGUSR1);
	CHECK_EQUAL(*(const int32_t *)(frame->rsi + 8), LINUX_SI_TKILL);
}

TEST(what_is_built_is_restored)
{
	srandom(7);
	for (int round = 0; round < 2000; round++) {
		struct signal_delivery delivery = make_delivery(round % 2 ? LINUX_SA_SIGINFO : 0);
		uint8_t vectors[FAKE_VECTOR_BYTES];

		start();
		frame->rsp -= (uint64_t)random() % 4096;
		frame->rflags = 0x202 | (random_word() & 0x50dd5);
		signal_replace_mask((uint64_t)round << 20);
		struct trap_frame before = *frame;

		memcpy(vectors, fake_vector_state, sizeof(vectors));
		CHECK_EQUAL(signal_frame_build(frame, &delivery), 0);
		signal_handler_entered(&delivery);
		/* The handler changes what it likes and returns through the restorer. */
		uint64_t sp = frame->rsp + 8;

		memset(frame, 0x55, offsetof(struct trap_frame, cs));
		memset(fake_vector_state, 0x55, sizeof(fake_vector_state));
		frame->rsp = sp;
		frame->vector = round % 3 ? TRAP_SYSCALL_CALL : TRAP_SYSCALL_TRAP;
		CHECK_EQUAL(signal_frame_restore(frame), 0);
		CHECK_EQUAL(frame->error, SYSCALL_NO_RESTART);
		CHECK_EQUAL(frame->vector, TRAP_RESTORE_ALL);
		frame->error = before.error;
		frame->vector = before.vector;
		CHECK(memcmp(frame, &before, sizeof(before)) == 0);
		CHECK_EQUAL(thread_current()->signal.blocked, (uint64_t)round << 20);
		CHECK(memcmp(vectors, fake_vector_state, 464) == 0);
		CHECK(memcmp(vectors + 520, fake_vector_state + 520, sizeof(vectors) - 520) == 0);
	}
}

TEST(a_frame_cannot_raise_privileges)
{
	struct signal_delivery delivery = make_delivery(0);

	start();
	CHECK_EQUAL(signal_frame_build(frame, &delivery), 0);
	struct signal_frame *user = (struct signal_frame *)frame->rsp;

	user->context.mcontext.eflags = UINT64_MAX;
	user->context.mcontext.cs = 0x10;
	user->context.mcontext.ss = 0x18;
	user->context.sigmask = UINT64_MAX;
	frame->rsp += 8;
	CHECK_EQUAL(signal_frame_restore(frame), 0);
	CHECK_EQUAL(frame->rflags, 0x202 | 0x50dd5);
	CHECK_EQUAL(frame->cs, CODE_SELECTOR);
	CHECK_EQUAL(frame->ss, DATA_SELECTOR);
	CHECK_EQUAL(thread_current()->signal.blocked,
		~(SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP)));
}

TEST(an_impossible_rip_is_a_fault)
{
	static const uint64_t addresses[] = {
		1ull << 47, 0xffffffff80000000, 0x8000000000000000, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct signal_delivery delivery = make_delivery(0);

		start();
		CHECK_EQUAL(signal_frame_build(frame, &delivery), 0);
		((struct signal_frame *)frame->rsp)->context.mcontext.rip = addresses[i];
		frame->rsp += 8;
		CHECK_EQUAL(signal_frame_restore(frame), 0);
		CHECK(thread_is_interrupted(thread_current()));
		CHECK(delivery_ends_program());
		CHECK_EQUAL(fake_exit.signal, LINUX_SIGSEGV);
	}
}

TEST(without_restorer_or_stack_there_is_no_frame)
{
	struct signal_delivery delivery = make_delivery(LINUX_SA_SIGINFO);

	start();
	struct trap_frame before = *frame;

	delivery.action.flags &= ~(uint64_t)LINUX_SA_RESTORER;
	CHECK_EQUAL(signal_frame_build(frame, &delivery), -LINUX_EFAULT);
	delivery = make_delivery(LINUX_SA_SIGINFO);
	fake_user_forbid((uintptr_t)stack, sizeof(stack));
	CHECK_EQUAL(signal_frame_build(frame, &delivery), -LINUX_EFAULT);
	/* Only part of the frame can be written. */
	fake_user_forbid((uintptr_t)stack, frame->rsp - 1200 - (uintptr_t)stack);
	CHECK_EQUAL(signal_frame_build(frame, &delivery), -LINUX_EFAULT);
	fake_user_forbid(0, 0);
	CHECK(memcmp(frame, &before, sizeof(before)) == 0);
	static const uint64_t bad[] = {0, 8, 100, 1000, 1ull << 47, 0xffffffff80001000, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		frame->rsp = bad[i];
		CHECK_EQUAL(signal_frame_build(frame, &delivery), -LINUX_EFAULT);
	}
}

TEST(the_alternate_stack_is_used_when_asked_and_not_in_use)
{
	struct signal_delivery plain = make_delivery(0);
	struct signal_delivery on_stack = make_delivery(LINUX_SA_ONSTACK);

	start();
	CHECK_EQUAL(signal_frame_build(frame, &on_stack), 0); /* none set */
	CHECK(frame->rsp >= (uint64_t)stack && frame->rsp < (uint64_t)stack + sizeof(stack));

	start();
	use_alternate(0);
	CHECK_EQUAL(signal_frame_build(frame, &plain), 0);
	CHECK(frame->rsp >= (uint64_t)stack && frame->rsp < (uint64_t)stack + sizeof(stack));

	start();
	use_alternate(0);
	CHECK_EQUAL(signal_frame_build(frame, &on_stack), 0);
	uint64_t first = frame->rsp;

	CHECK(first > (uint64_t)alternate && first < (uint64_t)alternate + sizeof(alternate));
	/* No red zone at the empty end. */
	CHECK(first + sizeof(struct signal_frame) + FAKE_VECTOR_BYTES + 4 + 128 >
		(uint64_t)alternate + sizeof(alternate));
	CHECK_EQUAL(signal_frame_build(frame, &on_stack), 0); /* nested: goes on below */
	CHECK(frame->rsp < first - sizeof(struct signal_frame) - FAKE_VECTOR_BYTES - 128);
	struct linux_stack now, other = {.sp = 4096, .size = 8192};

	signal_stack_get(&now, frame->rsp);
	CHECK_EQUAL(now.flags, LINUX_SS_ONSTACK);
	CHECK_EQUAL(signal_stack_set(&other, frame->rsp), -LINUX_EPERM);
}

TEST(an_alternate_stack_that_is_too_small_is_no_stack)
{
	struct signal_delivery on_stack = make_delivery(LINUX_SA_ONSTACK);

	start();
	use_alternate(0);
	for (int i = 0; i < 100; i++) {
		uint64_t sp = frame->rsp;

		if (signal_frame_build(frame, &on_stack) != 0) {
			CHECK(i > 5);
			CHECK_EQUAL(frame->rsp, sp);
			return;
		}
		CHECK(frame->rsp > (uint64_t)alternate);
	}
	CHECK(false);
}

TEST(autodisarm_frees_the_stack_until_the_return)
{
	struct signal_delivery on_stack = make_delivery(LINUX_SA_ONSTACK);
	struct linux_stack now;

	start();
	use_alternate(LINUX_SS_AUTODISARM);
	CHECK_EQUAL(signal_frame_build(frame, &on_stack), 0);
	signal_stack_get(&now, frame->rsp);
	CHECK_EQUAL(now.flags, LINUX_SS_DISABLE);
	CHECK_EQUAL(now.size, 0);
	frame->rsp += 8;
	CHECK_EQUAL(signal_frame_restore(frame), 0);
	signal_stack_get(&now, frame->rsp);
	CHECK_EQUAL(now.sp, (uint64_t)alternate);
	CHECK_EQUAL((uint32_t)now.flags, LINUX_SS_AUTODISARM);
}

TEST(sigaltstack_checks_its_argument)
{
	struct linux_stack new = {.sp = 4096, .size = 2047}, now;

	start();
	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), -LINUX_ENOMEM);
	new.size = 2048;
	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), 0);
	new.flags = 4;
	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), -LINUX_EINVAL);
	new.flags = LINUX_SS_ONSTACK | LINUX_SS_DISABLE;
	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), -LINUX_EINVAL);
	new.flags = LINUX_SS_ONSTACK; /* Linux allows it */
	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), 0);
	signal_stack_get(&now, frame->rsp);
	CHECK_EQUAL(now.flags, 0);
	new.flags = LINUX_SS_DISABLE;
	new.size = 0;
	CHECK_EQUAL(signal_stack_set(&new, frame->rsp), 0);
	signal_stack_get(&now, frame->rsp);
	CHECK_EQUAL(now.flags, LINUX_SS_DISABLE);
}

/* ---- delivery ---------------------------------------------------------------- */

static void interrupt_call(uint64_t vector, uint64_t number, int result)
{
	frame->vector = vector;
	frame->error = number;
	frame->rax = (uint64_t)(int64_t)result;
}

static const struct linux_sigcontext *saved(void)
{
	return &((const struct signal_frame *)frame->rsp)->context.mcontext;
}

TEST(a_handler_decides_how_an_interrupted_call_ends)
{
	static const struct {
		uint64_t vector, flags;
		int result;
		uint64_t rax, rip;
	} cases[] = {
		{TRAP_SYSCALL_CALL, LINUX_SA_RESTART, -LINUX_ERESTARTSYS, 9, RIP - 5},
		{TRAP_SYSCALL_TRAP, LINUX_SA_RESTART, -LINUX_ERESTARTSYS, 9, RIP - 2},
		{TRAP_SYSCALL_CALL, 0, -LINUX_ERESTARTSYS, -LINUX_EINTR, RIP},
		{TRAP_SYSCALL_CALL, LINUX_SA_RESTART, -LINUX_ERESTARTNOHAND, -LINUX_EINTR, RIP},
		{TRAP_SYSCALL_CALL, LINUX_SA_RESTART, -LINUX_ERESTART_RESTARTBLOCK, -LINUX_EINTR,
			RIP},
		{TRAP_SYSCALL_CALL, LINUX_SA_RESTART, -LINUX_EAGAIN, -LINUX_EAGAIN, RIP},
		{TRAP_SYSCALL_CALL, LINUX_SA_RESTART, 17, 17, RIP},
		/* Not a call: rax is the program's own. */
		{TRAP_RESTORE_ALL, LINUX_SA_RESTART, -LINUX_ERESTARTSYS, -LINUX_ERESTARTSYS, RIP},
		{0x5d, LINUX_SA_RESTART, -LINUX_ERESTARTSYS, -LINUX_ERESTARTSYS, RIP},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start();
		handle(LINUX_SIGUSR1, cases[i].flags);
		interrupt_call(cases[i].vector, 9, cases[i].result);
		send(LINUX_SIGUSR1);
		signal_deliver(frame);
		CHECK_EQUAL(frame->rip, HANDLER);
		CHECK_EQUAL(saved()->rax, cases[i].rax);
		CHECK_EQUAL(saved()->rip, cases[i].rip);
		CHECK_EQUAL(dispatches, 0);
	}
}

TEST(without_handler_the_call_is_made_again)
{
	start();
	interrupt_call(TRAP_SYSCALL_CALL, 9, -LINUX_ERESTARTSYS);
	thread_current()->signal.interrupted = true;
	dispatch_result = 77;
	signal_deliver(frame);
	CHECK_EQUAL(dispatches, 1);
	CHECK_EQUAL(dispatched_number, 9);
	CHECK_EQUAL(frame->rax, 77);
	CHECK_EQUAL(frame->rip, RIP);

	interrupt_call(TRAP_SYSCALL_CALL, 35, -LINUX_ERESTART_RESTARTBLOCK);
	thread_current()->signal.interrupted = true;
	signal_deliver(frame);
	CHECK_EQUAL(dispatched_number, 219);

	interrupt_call(TRAP_SYSCALL_CALL, SYSCALL_NO_RESTART, -LINUX_ERESTARTSYS);
	thread_current()->signal.interrupted = true;
	signal_deliver(frame);
	CHECK_EQUAL(dispatches, 2);
}

TEST(a_temporary_mask_is_put_back_by_the_return_from_the_handler)
{
	start();
	handle(LINUX_SIGUSR1, 0);
	signal_replace_mask(SIGNAL_BIT(LINUX_SIGUSR1));
	send(LINUX_SIGUSR1);
	signal_set_temporary_mask(SIGNAL_BIT(LINUX_SIGHUP));
	interrupt_call(TRAP_SYSCALL_CALL, 130, -LINUX_ERESTARTNOHAND);
	signal_deliver(frame);
	CHECK_EQUAL(thread_current()->signal.blocked,
		SIGNAL_BIT(LINUX_SIGHUP) | SIGNAL_BIT(LINUX_SIGUSR1));
	frame->rsp += 8;
	CHECK_EQUAL(signal_frame_restore(frame), 0);
	CHECK_EQUAL(thread_current()->signal.blocked, SIGNAL_BIT(LINUX_SIGUSR1));
	CHECK_EQUAL((int64_t)frame->rax, -LINUX_EINTR);
}

TEST(a_temporary_mask_without_a_signal_is_put_back)
{
	start();
	signal_replace_mask(SIGNAL_BIT(LINUX_SIGUSR1));
	signal_set_temporary_mask(0);
	interrupt_call(TRAP_SYSCALL_CALL, 281, -LINUX_EINTR);
	thread_current()->signal.interrupted = true;
	signal_deliver(frame);
	CHECK_EQUAL(thread_current()->signal.blocked, SIGNAL_BIT(LINUX_SIGUSR1));
	CHECK(!thread_is_interrupted(thread_current()));
}

TEST(several_signals_make_several_frames)
{
	start();
	handle(LINUX_SIGUSR1, 0);
	handle(LINUX_SIGUSR2, 0);
	send(LINUX_SIGUSR2);
	send(LINUX_SIGUSR1);
	signal_deliver(frame);
	CHECK_EQUAL(frame->rdi, LINUX_SIGUSR2); /* the last one set up runs first */
	CHECK_EQUAL(saved()->rip, HANDLER);
	CHECK_EQUAL(saved()->rdi, LINUX_SIGUSR1);
	CHECK(!thread_is_interrupted(thread_current()));
}

TEST(default_action_ends_the_program)
{
	start();
	send(LINUX_SIGTERM);
	CHECK(delivery_ends_program());
	CHECK_EQUAL(fake_exit.signal, LINUX_SIGTERM);
	CHECK_EQUAL(fake_exit.status, 128 + LINUX_SIGTERM);
}

TEST(a_stack_that_cannot_take_the_frame_is_a_segmentation_fault)
{
	start();
	handle(LINUX_SIGUSR1, 0);
	send(LINUX_SIGUSR1);
	fake_user_forbid((uintptr_t)stack, sizeof(stack));
	CHECK(delivery_ends_program());
	CHECK_EQUAL(fake_exit.signal, LINUX_SIGSEGV);

	/* A handler on another stack hears of it. */
	start();
	handle(LINUX_SIGUSR1, 0);
	handle(LINUX_SIGSEGV, LINUX_SA_ONSTACK | LINUX_SA_SIGINFO);
	use_alternate(0);
	send(LINUX_SIGUSR1);
	fake_user_forbid((uintptr_t)stack, sizeof(stack));
	CHECK(!delivery_ends_program());
	CHECK_EQUAL(frame->rdi, LINUX_SIGSEGV);
	CHECK_EQUAL(*(const int32_t *)(frame->rsi + 8), LINUX_SI_KERNEL);

	/* Unless that handler is what has no stack. */
	start();
	handle(LINUX_SIGSEGV, 0);
	send(LINUX_SIGSEGV);
	fake_user_forbid((uintptr_t)stack, sizeof(stack));
	CHECK(delivery_ends_program());
	CHECK_EQUAL(fake_exit.signal, LINUX_SIGSEGV);
	fake_user_forbid(0, 0);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST_DEFINE_MAIN
