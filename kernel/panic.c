/*
 * The last words of the kernel: message, registers, backtrace. The launcher turns
 * the addresses into names. The contract is in panic.h.
 */
#include "kernel/panic.h"
#include "kernel/arch.h"
#include "kernel/platform.h"
#include "kernel/console.h"
#include "lib/format.h"

/* Must fit a control message (abi/control.h). */
#define REPORT_BYTES 3072
#define MAX_CALLERS  24

#define KERNEL_HALF 0xffff800000000000ull

/* Static: the stack may be what is broken. Written by the first vcpu to panic only. */
static char report[REPORT_BYTES];
static size_t report_length;
static uint64_t claimed_by; /* a stack address of the vcpu that panicked first */
static uint32_t depth;      /* panics inside a panic */

static void add_args(const char *format, va_list args) PRINTF_LIKE(1, 0);
static void add_args(const char *format, va_list args)
{
	size_t room = sizeof(report) - report_length;
	size_t length = format_text_args(report + report_length, room, format, args);

	report_length += length < room ? length : room - 1;
}

static void add(const char *format, ...) PRINTF_LIKE(1, 2);
static void add(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_args(format, args);
	va_end(args);
}

static _Noreturn void finish(void)
{
	platform_emergency_write(report, report_length);
	console_send_panic(report, report_length);
	platform_panic_exit();
}

/* Goes on for the first panic only: what follows on the same vcpu ends the report
 * as it is, another vcpu leaves the machine to the first. */
static void claim(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	uint64_t first = 0;

	if (__atomic_compare_exchange_n(
		    &claimed_by, &first, here, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	if (here - first + KERNEL_STACK_BYTES >= 2 * KERNEL_STACK_BYTES)
		for (;;)
			arch_relax();
	if (depth++ == 0)
		finish();
	platform_panic_exit();
}

static bool is_frame_pointer(uint64_t frame, uint64_t previous, uint64_t first)
{
	return frame % 8 == 0 && frame >= KERNEL_HALF && frame > previous &&
	       frame - first < KERNEL_STACK_BYTES;
}

static void add_backtrace(uint64_t rip, uint64_t rbp)
{
	uint64_t first = rbp;
	uint64_t previous = rbp - 1;

	add("backtrace:");
	if (rip != 0)
		add(" %#lx", (unsigned long)rip);
	for (int i = 0; i < MAX_CALLERS && is_frame_pointer(rbp, previous, first); i++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (frame[1] < KERNEL_HALF)
			break;
		add(" %#lx", (unsigned long)frame[1]);
		previous = rbp;
		rbp = frame[0];
	}
	add("\n");
}

static void add_registers(const struct trap_frame *frame)
{
	const struct {
		const char *name;
		uint64_t value;
	} registers[] = {
		{"rax", frame->rax},
		{"rbx", frame->rbx},
		{"rcx", frame->rcx},
		{"rdx", frame->rdx},
		{"rsi", frame->rsi},
		{"rdi", frame->rdi},
		{"rbp", frame->rbp},
		{"rsp", frame->rsp},
		{"r8", frame->r8},
		{"r9", frame->r9},
		{"r10", frame->r10},
		{"r11", frame->r11},
		{"r12", frame->r12},
		{"r13", frame->r13},
		{"r14", frame->r14},
		{"r15", frame->r15},
		{"rip", frame->rip},
		{"cs", frame->cs},
		{"ss", frame->ss},
		{"rflags", frame->rflags},
	};

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		add("%-6s %016lx%c", registers[i].name, (unsigned long)registers[i].value,
			i % 4 == 3 ? '\n' : ' ');
}

void panic(const char *format, ...)
{
	va_list args;

	claim();
	add("kernel panic: ");
	va_start(args, format);
	add_args(format, args);
	va_end(args);
	add("\n");
	add_backtrace(0, (uint64_t)__builtin_frame_address(0));
	finish();
}

void panic_at_fault(const struct trap_frame *frame, uintptr_t address)
{
	claim();
	add("kernel panic: fault %lu in the kernel at %#lx, error %#lx, address %#lx\n",
		(unsigned long)frame->vector, (unsigned long)frame->rip,
		(unsigned long)frame->error, (unsigned long)address);
	add_registers(frame);
	add_backtrace(frame->rip, frame->rbp);
	finish();
}
