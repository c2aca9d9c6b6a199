/* Dispatch: bounds, counts of what is missing, tracing. */
#include "arch/host/fake_log.h"
#include "arch/host/fake_threads.h"
#include "kernel/platform.h"
#include "kernel/syscall/syscall.h"
#include <string.h>
#include "lib/test.h"

static uint64_t seen[6];

static long record(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	const uint64_t arguments[6] = {a0, a1, a2, a3, a4, a5};

	memcpy(seen, arguments, sizeof(seen));
	return -LINUX_ENOENT;
}

static long missing(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	(void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	return syscall_unimplemented();
}

const syscall_handler syscall_handlers[SYSCALL_TABLE_SIZE] = {
	[0 ... 4] = missing,
	[5] = record,
	[6 ... SYSCALL_TABLE_SIZE - 1] = missing,
};

static unsigned shown_before, shown_after;
static long shown_result;

bool syscall_trace_is_final(uint64_t number)
{
	return number == 7;
}

void syscall_trace_show(uint64_t number, const uint64_t arguments[6], long result, bool is_final)
{
	(void)number;
	(void)arguments;
	shown_before += is_final;
	shown_after += !is_final;
	shown_result = result;
}

static long dispatch(uint64_t number)
{
	struct trap_frame *frame = arch_thread_frame(thread_current());

	*frame = (struct trap_frame){
		.rax = number, .rdi = 1, .rsi = 2, .rdx = 3, .r10 = 4, .r8 = 5, .r9 = 6};
	kernel_on_syscall(frame);
	CHECK_EQUAL(frame->error, (uint32_t)number);
	return (long)frame->rax;
}

TEST(arguments_arrive_in_order)
{
	const uint64_t expected[6] = {1, 2, 3, 4, 5, 6};

	fake_threads_reset();
	CHECK_EQUAL(dispatch(5), -LINUX_ENOENT);
	CHECK(memcmp(seen, expected, sizeof(seen)) == 0);
}

TEST(numbers_without_a_call_are_refused_and_counted)
{
	static const uint64_t beyond[] = {512, 513, 100000, UINT32_MAX, 0x7fffffff, 0x80000000,
		0xffffffff00000200, 600, 601, 602, 603};

	CHECK_EQUAL(dispatch(4), -LINUX_ENOSYS);
	CHECK_EQUAL(dispatch(511), -LINUX_ENOSYS);
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		CHECK_EQUAL(dispatch(beyond[i]), -LINUX_ENOSYS);
	fake_log_lines = 0;
	syscall_report_unimplemented();
	/* 4, 511, eight beyond the table (512 twice), the others together */
	CHECK_EQUAL(fake_log_lines, 2 + 8 + 1);
	CHECK(strstr(fake_log_line, "other") != NULL);
	CHECK(strstr(fake_log_line, "2 times") != NULL);
}

TEST(the_upper_half_of_the_number_is_ignored)
{
	memset(seen, 0, sizeof(seen));
	CHECK_EQUAL(dispatch(0xdeadbeef00000005), -LINUX_ENOENT);
	CHECK_EQUAL(seen[5], 6);
	CHECK_EQUAL(shown_after, 0);
}

TEST(tracing_shows_every_call_once)
{
	syscall_trace_enable();
	CHECK_EQUAL(dispatch(5), -LINUX_ENOENT);
	CHECK_EQUAL(shown_after, 1);
	CHECK_EQUAL(shown_result, -LINUX_ENOENT);
	CHECK_EQUAL(dispatch(7), -LINUX_ENOSYS);
	CHECK_EQUAL(shown_before, 1);
	CHECK_EQUAL(shown_after, 1);
}

TEST_DEFINE_MAIN
