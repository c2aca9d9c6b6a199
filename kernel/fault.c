/*
 * Faults: of the program, which become signals or are served by the address space;
 * of the kernel's copies to and from the program, which become -EFAULT; and of the
 * kernel itself, which are its end. Codes and addresses as Linux gives them
 * (arch/x86/kernel/traps.c, arch/x86/mm/fault.c describe them best).
 */
#include "kernel/arch.h"
#include "kernel/log.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

#define KERNEL_HALF 0xffff800000000000ull

enum vector {
	DIVIDE_ERROR = 0,
	DEBUG = 1,
	BREAKPOINT = 3,
	OVERFLOW = 4,
	BOUND_RANGE = 5,
	INVALID_OPCODE = 6,
	DOUBLE_FAULT = 8,
	INVALID_TSS = 10,
	SEGMENT_NOT_PRESENT = 11,
	STACK_SEGMENT = 12,
	GENERAL_PROTECTION = 13,
	PAGE_FAULT = 14,
	X87_ERROR = 16,
	ALIGNMENT_CHECK = 17,
	MACHINE_CHECK = 18,
	SIMD_ERROR = 19,
};

/* Kernel code runs on kernel stacks. The program may jump to an address of the kernel
 * (there is one privilege level), but that fault is its own. */
static bool is_in_kernel(const struct trap_frame *frame)
{
	return frame->rip >= KERNEL_HALF && frame->rsp >= KERNEL_HALF;
}

static _Noreturn void end_out_of_memory(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	log_notice("out of memory: the program needs more than the %lu MiB it has; give it more "
		   "with --mem",
		(unsigned long)(counts.total_pages * PAGE_BYTES >> 20));
	process_exit(128 + LINUX_SIGKILL, LINUX_SIGKILL);
}

static void send(const struct trap_frame *frame, int signal, int code, uintptr_t address)
{
	signal_force_fault(signal, code, address, (int)frame->vector, frame->error);
}

/* ---- page faults ----------------------------------------------------------- */

static void fault_in_program(const struct trap_frame *frame, uintptr_t address)
{
	enum vm_fault_result result = VM_FAULT_NO_MAPPING;

	if (address < USER_END)
		result = vm_fault(address, frame->error, false);
	if (result == VM_FAULT_SERVED)
		return;
	thread_current()->signal.fault.address = address;
	switch (result) {
	case VM_FAULT_PROTECTION:
		send(frame, LINUX_SIGSEGV, LINUX_SEGV_ACCERR, address);
		break;
	case VM_FAULT_BUS:
		send(frame, LINUX_SIGBUS, LINUX_BUS_ADRERR, address);
		break;
	case VM_FAULT_NO_MEMORY:
		end_out_of_memory();
	default:
		send(frame, LINUX_SIGSEGV, LINUX_SEGV_MAPERR, address);
		break;
	}
}

static void fault_in_kernel(struct trap_frame *frame, uintptr_t address)
{
	bool is_atomic = false;
	uintptr_t fixup = user_access_fixup(frame->rip, &is_atomic);

	if (fixup == 0)
		panic_at_fault(frame, address);
	if (address < USER_END) {
		enum vm_fault_result result = vm_fault(address, frame->error, is_atomic);

		if (result == VM_FAULT_SERVED)
			return;
		/* An atomic copy is tried again by one that is not. */
		if (result == VM_FAULT_NO_MEMORY && !is_atomic)
			end_out_of_memory();
	}
	frame->rip = fixup;
}

/* ---- other exceptions of the program --------------------------------------- */

/*
 * Some hosts raise #UD for every software interrupt but int3 (others #GP). Programs
 * know two: `cd 03` is a breakpoint; the rest is a protection fault on Linux too.
 */
static bool is_software_interrupt(const struct trap_frame *frame, uint8_t *number)
{
	uint8_t bytes[2];

	if (user_copy_in(bytes, frame->rip, sizeof(bytes)) != 0 || bytes[0] != 0xcd)
		return false;
	*number = bytes[1];
	return true;
}

static void invalid_opcode(struct trap_frame *frame)
{
	uint8_t number;

	if (!is_software_interrupt(frame, &number)) {
		send(frame, LINUX_SIGILL, LINUX_ILL_ILLOPN, frame->rip);
	} else if (number == BREAKPOINT) {
		frame->rip += 2;
		frame->vector = BREAKPOINT;
		send(frame, LINUX_SIGTRAP, LINUX_SI_KERNEL, 0);
	} else {
		frame->vector = GENERAL_PROTECTION;
		frame->error = number * 8u + 2;
		send(frame, LINUX_SIGSEGV, LINUX_SI_KERNEL, 0);
	}
}

static void floating_point_error(const struct trap_frame *frame, uint32_t exceptions)
{
	int code = 0;

	if (exceptions & 0x01)
		code = LINUX_FPE_FLTINV;
	else if (exceptions & 0x04)
		code = LINUX_FPE_FLTDIV;
	else if (exceptions & 0x08)
		code = LINUX_FPE_FLTOVF;
	else if (exceptions & 0x12)
		code = LINUX_FPE_FLTUND;
	else if (exceptions & 0x20)
		code = LINUX_FPE_FLTRES;
	/* None: a spurious exception, as some CPUs make. */
	if (code != 0)
		send(frame, LINUX_SIGFPE, code, frame->rip);
}

static void exception_in_program(struct trap_frame *frame)
{
	switch (frame->vector) {
	case DIVIDE_ERROR:
		send(frame, LINUX_SIGFPE, LINUX_FPE_INTDIV, frame->rip);
		break;
	case DEBUG:
		send(frame, LINUX_SIGTRAP, LINUX_TRAP_TRACE, frame->rip);
		break;
	case BREAKPOINT: /* rip is after the instruction */
		send(frame, LINUX_SIGTRAP, LINUX_SI_KERNEL, 0);
		break;
	case INVALID_OPCODE:
		invalid_opcode(frame);
		break;
	case SEGMENT_NOT_PRESENT:
	case STACK_SEGMENT:
		send(frame, LINUX_SIGBUS, LINUX_SI_KERNEL, 0);
		break;
	case ALIGNMENT_CHECK:
		send(frame, LINUX_SIGBUS, LINUX_BUS_ADRALN, 0);
		break;
	case X87_ERROR:
		floating_point_error(frame, arch_x87_exceptions());
		break;
	case SIMD_ERROR:
		floating_point_error(frame, arch_simd_exceptions());
		break;
	default: /* OVERFLOW, BOUND_RANGE, INVALID_TSS, GENERAL_PROTECTION and rarer */
		send(frame, LINUX_SIGSEGV, LINUX_SI_KERNEL, 0);
		break;
	}
}

void kernel_on_fault(struct trap_frame *frame, uintptr_t address)
{
	bool in_kernel = is_in_kernel(frame);

	if (LIKELY(frame->vector == PAGE_FAULT)) {
		if (in_kernel)
			fault_in_kernel(frame, address);
		else
			fault_in_program(frame, address);
	} else if (in_kernel || frame->vector == DOUBLE_FAULT || frame->vector == MACHINE_CHECK) {
		panic_at_fault(frame, address);
	} else {
		exception_in_program(frame);
	}
}
