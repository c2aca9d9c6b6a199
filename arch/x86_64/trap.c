/*
 * From entry.S into the kernel: faults, interrupts, system calls, and the work
 * before the return to the program.
 */
#include "arch/x86_64/trap.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fault_address.h"
#include "kernel/arch.h"
#include "kernel/mm/uaccess.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "kernel/sched/thread.h"
#include "lib/string.h"
#include "arch/x86_64/lapic.h"

#define VECTOR_DEBUG      1
#define VECTOR_NMI        2
#define VECTOR_PAGE_FAULT 14
#define RFLAGS_TRAP       0x100
#define ERROR_FETCH       0x10

extern const char call_tail[], call_tail_end[];

static struct {
	platform_interrupt_fn handler;
	void *argument;
} device_handlers[VECTOR_DEVICES];

int trap_attach(uint32_t vector, platform_interrupt_fn handler, void *argument)
{
	if (vector < VECTOR_FIRST || vector >= VECTOR_FIRST + VECTOR_DEVICES)
		return -LINUX_EINVAL;
	if (device_handlers[vector - VECTOR_FIRST].handler != NULL)
		return -LINUX_EBUSY;
	device_handlers[vector - VECTOR_FIRST].argument = argument;
	device_handlers[vector - VECTOR_FIRST].handler = handler;
	return 0;
}

static void take_interrupt(uint32_t vector)
{
	if (vector == VECTOR_SPURIOUS)
		return; /* has no EOI (SDM volume 3, 11.9) */
	lapic_end_interrupt(vector);
	if (vector == VECTOR_TIMER) {
		lapic_timer_fired();
		sched_on_timer();
	} else if (vector == VECTOR_KICK) {
		sched_on_kick();
	} else if (vector == VECTOR_FLUSH) {
		arch_flush_requested();
	} else if (vector < VECTOR_FIRST + VECTOR_DEVICES) {
		platform_interrupt_fn handler = device_handlers[vector - VECTOR_FIRST].handler;
		if (handler != NULL)
			handler(device_handlers[vector - VECTOR_FIRST].argument);
	}
}

bool arch_interrupt_pending(void)
{
	return READ_ONCE(arch_cpu()->pending) != 0;
}

void arch_take_interrupts(void)
{
	struct arch_cpu *cpu = arch_cpu();
	uint32_t vectors;

	while ((vectors = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_ACQ_REL)) != 0) {
		for (; vectors != 0; vectors &= vectors - 1)
			take_interrupt(VECTOR_FIRST + (uint32_t)__builtin_ctz(vectors));
	}
	if (READ_ONCE(cpu->flush_requested))
		arch_flush_requested();
}

static void enable_interrupts(void)
{
	struct arch_cpu *cpu = arch_cpu();

	if (!cpu->interrupts_off)
		return;
	cpu->interrupts_off = 0;
	nucleus_call(NUCLEUS_ENABLE_INTERRUPTS, 0, 0);
}

/* Must come before anything that could fault. */
static uintptr_t fault_address(const struct trap_frame *frame)
{
	uint8_t code[INSTRUCTION_MAX_BYTES];
	size_t bytes = MIN(sizeof(code), PAGE_BYTES - frame->rip % PAGE_BYTES);
	uint64_t fs_base;
	uintptr_t address;

	__asm__ volatile("rdfsbase %0" : "=r"(fs_base));
	if (frame->rip >= KERNEL_VIRT_BASE)
		memcpy(code, (const void *)(uintptr_t)frame->rip, bytes);
	else if (frame->error & ERROR_FETCH || user_copy_in(code, frame->rip, bytes) != 0)
		bytes = 0;
	if (fault_address_decode(frame, fs_base, code, bytes, &address))
		return address;
	return nucleus_call(NUCLEUS_READ_FAULT_ADDRESS, 0, 0);
}

void trap_fault(struct trap_frame *frame)
{
	uintptr_t address = 0;

	if (frame->vector == VECTOR_NMI)
		return;
	if (frame->vector == VECTOR_PAGE_FAULT)
		address = fault_address(frame);
	if (frame->vector == VECTOR_DEBUG && frame->rip >= KERNEL_VIRT_BASE) {
		/* The program single-stepped into a system call: that ends here. */
		frame->rflags &= ~(uint64_t)RFLAGS_TRAP;
		return;
	}
	kernel_on_fault(frame, address);
}

static bool wants_attention(void)
{
	struct arch_cpu *cpu = arch_cpu();

	return cpu->thread->signal.interrupted || cpu->thread->need_resched ||
	       READ_ONCE(cpu->flush_requested) || READ_ONCE(cpu->pending) != 0 ||
	       READ_ONCE(cpu->interrupts_off) != 0;
}

bool trap_system_call(struct trap_frame *frame)
{
	kernel_on_syscall(frame);
	return UNLIKELY(wants_attention()) || frame->vector != TRAP_SYSCALL_CALL;
}

/* Interrupted at the end of a direct call: for signal handlers and whoever else looks at
 * the frame, the program is behind the call already. */
static void finish_call(struct trap_frame *frame)
{
	uint64_t return_address;

	if (frame->rip < (uint64_t)(uintptr_t)call_tail ||
		frame->rip >= (uint64_t)(uintptr_t)call_tail_end)
		return;
	if (user_copy_in(&return_address, frame->rsp, sizeof(return_address)) != 0)
		return; /* its own return will fault */
	frame->rip = return_address;
	frame->rsp += sizeof(return_address);
}

void trap_return(struct trap_frame *frame)
{
	if (frame->rip >= KERNEL_VIRT_BASE)
		finish_call(frame);
	do {
		arch_take_interrupts();
		kernel_on_return(frame);
		enable_interrupts();
	} while (arch_interrupt_pending() || READ_ONCE(arch_cpu()->flush_requested));
}
