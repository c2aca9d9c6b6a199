/*
 * From the registers of a system call to its handler, and back.
 *
 * The path of a known call is one bounds check, one load and an indirect call:
 * numbers beyond the table and tracing share the check, since tracing lowers the
 * bound to 0.
 */
#include "kernel/syscall/syscall.h"
#include "kernel/log.h"
#include "kernel/platform.h"
#include "kernel/sched/thread.h"

static uint64_t fast_limit = SYSCALL_TABLE_SIZE;

static uint32_t unimplemented_counts[SYSCALL_TABLE_SIZE];

/* Numbers beyond the table that were called: the first few different ones. */
static struct {
	uint32_t number; /* 0: unused */
	uint32_t count;
} beyond_table[8];
static uint32_t beyond_table_others;

static void count_beyond_table(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(beyond_table); i++) {
		uint32_t unused = 0;

		if (__atomic_compare_exchange_n(&beyond_table[i].number, &unused, number, false,
			    __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
			unused == number) {
			__atomic_fetch_add(&beyond_table[i].count, 1, __ATOMIC_RELAXED);
			return;
		}
	}
	__atomic_fetch_add(&beyond_table_others, 1, __ATOMIC_RELAXED);
}

long syscall_unimplemented(void)
{
	/* frame->error: rax too, but a handler's result may already be there. */
	uint64_t number = arch_thread_frame(thread_current())->error;

	if (number < SYSCALL_TABLE_SIZE)
		__atomic_fetch_add(&unimplemented_counts[number], 1, __ATOMIC_RELAXED);
	else
		count_beyond_table((uint32_t)number);
	return -LINUX_ENOSYS;
}

static long call(struct trap_frame *frame, syscall_handler handler)
{
	return handler(frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9);
}

static NOINLINE void dispatch_slowly(struct trap_frame *frame, uint64_t number)
{
	/* Bits 32-63 of the number are ignored, as Linux does. */
	uint32_t index = (uint32_t)number;
	const uint64_t arguments[6] = {
		frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
	bool is_traced = READ_ONCE(fast_limit) == 0;
	bool is_final = syscall_trace_is_final(index);

	frame->error = index;
	if (is_traced && is_final)
		syscall_trace_show(index, arguments, 0, true);
	long result = index < SYSCALL_TABLE_SIZE ? call(frame, syscall_handlers[index])
						 : syscall_unimplemented();
	frame->rax = (uint64_t)result;
	if (is_traced && !is_final)
		syscall_trace_show(index, arguments, result, false);
}

void syscall_dispatch(struct trap_frame *frame)
{
	uint64_t number = frame->rax;

	if (UNLIKELY(number >= READ_ONCE(fast_limit))) {
		dispatch_slowly(frame, number);
		return;
	}
	frame->error = number;
	frame->rax = (uint64_t)call(frame, syscall_handlers[number]);
}

void kernel_on_syscall(struct trap_frame *frame)
{
	syscall_dispatch(frame);
}

void syscall_trace_enable(void)
{
	WRITE_ONCE(fast_limit, 0);
}

static void report(uint32_t number, uint32_t count)
{
	if (count != 0)
		log_notice("system call %u is not implemented (called %u times)", number, count);
}

void syscall_report_unimplemented(void)
{
	uint32_t others = READ_ONCE(beyond_table_others);

	for (uint32_t number = 0; number < SYSCALL_TABLE_SIZE; number++)
		report(number, READ_ONCE(unimplemented_counts[number]));
	for (size_t i = 0; i < ARRAY_SIZE(beyond_table); i++)
		report(READ_ONCE(beyond_table[i].number), READ_ONCE(beyond_table[i].count));
	if (others != 0)
		log_notice("other unknown system calls were called %u times", others);
}
