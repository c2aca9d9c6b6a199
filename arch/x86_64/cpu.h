/*
 * What a vcpu needs at hand: the per-vcpu block that GS points to while ring-3 code
 * runs, and the descriptor tables and entry stacks the CPU itself reads.
 *
 * struct arch_cpu is read by entry.S and nucleus.S through the fixed offsets
 * of abi/nucleus.h, which the assertions below hold to the structure.
 */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

#include "abi/nucleus.h"

#ifndef __ASSEMBLER__

#include "lib/compiler.h"
#include "arch/x86_64/trap_frame.h"
#include "abi/boot_info.h"

struct thread;

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} PACKED;

struct arch_cpu {
	struct arch_cpu *self;
	uint8_t in_kernel;       /* interrupts are only noted in `pending` */
	uint8_t flush_requested; /* another vcpu waits for this one to flush its TLB */
	uint8_t halted;          /* flushes by itself before it runs the program again */
	uint8_t reserved;
	uint16_t pending;        /* vectors noted (bit 0: VECTOR_FIRST) that have had no EOI yet */
	uint16_t interrupts_off; /* an interrupt has turned them off: only ring 0 turns them on */
	uint64_t stack_top;      /* of the current thread's kernel stack */
	uint64_t scratch;        /* the program's rsp while entry code switches stacks */
	struct thread *thread;
	uint64_t nucleus_frame; /* where an interrupt frame lies on the ring-0 stack */
	struct descriptor_pointer idt_run ALIGNED(8);
	struct descriptor_pointer idt_idle ALIGNED(8);
	uint64_t fault_stack; /* end of the stack that faults arrive on */
	uint32_t index;
	uint64_t flush_wanted; /* counts flushes others asked for, and those that were done */
	uint64_t flush_done;
	bool vectors_dirty; /* registers hold what a thread with live state left */
};

_Static_assert(offsetof(struct arch_cpu, in_kernel) == CPU_IN_KERNEL, "entry.S");
_Static_assert(offsetof(struct arch_cpu, pending) == CPU_PENDING, "entry.S");
_Static_assert(offsetof(struct arch_cpu, interrupts_off) == CPU_INTERRUPTS_OFF, "entry.S");
_Static_assert(VECTOR_COUNT - VECTOR_FIRST == 16, "pending has a bit for each");
_Static_assert(offsetof(struct arch_cpu, flush_requested) == CPU_FLUSH_REQUESTED, "entry.S");
_Static_assert(offsetof(struct arch_cpu, stack_top) == CPU_STACK_TOP, "entry.S");
_Static_assert(offsetof(struct arch_cpu, scratch) == CPU_SCRATCH, "entry.S");
_Static_assert(offsetof(struct arch_cpu, thread) == CPU_THREAD, "entry.S");
_Static_assert(offsetof(struct arch_cpu, nucleus_frame) == CPU_NUCLEUS_FRAME, "nucleus.S");
_Static_assert(offsetof(struct arch_cpu, idt_run) == CPU_IDT_RUN, "nucleus.S");
_Static_assert(offsetof(struct arch_cpu, idt_idle) == CPU_IDT_IDLE, "nucleus.S");
_Static_assert(offsetof(struct arch_cpu, fault_stack) == CPU_FAULT_STACK, "nucleus.S");
_Static_assert(sizeof(struct trap_frame) == FRAME_BYTES, "entry.S");
_Static_assert(offsetof(struct trap_frame, rax) == FRAME_RAX, "entry.S");
_Static_assert(offsetof(struct trap_frame, rcx) == FRAME_RCX, "entry.S");
_Static_assert(offsetof(struct trap_frame, rdx) == FRAME_RDX, "entry.S");
_Static_assert(offsetof(struct trap_frame, rsi) == FRAME_RSI, "entry.S");
_Static_assert(offsetof(struct trap_frame, rdi) == FRAME_RDI, "entry.S");
_Static_assert(offsetof(struct trap_frame, r8) == FRAME_R8, "entry.S");
_Static_assert(offsetof(struct trap_frame, r9) == FRAME_R9, "entry.S");
_Static_assert(offsetof(struct trap_frame, r10) == FRAME_R10, "entry.S");
_Static_assert(offsetof(struct trap_frame, vector) == FRAME_VECTOR, "entry.S");
_Static_assert(offsetof(struct trap_frame, rip) == FRAME_RIP, "entry.S");
_Static_assert(offsetof(struct trap_frame, rsp) == FRAME_RSP, "entry.S");

struct gate {
	uint64_t low, high;
};

/* Task state segment (Intel SDM volume 3, 8.7). No port is open to ring 3. */
struct task_state {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t bitmap_offset; /* beyond the segment's limit: no bitmap */
} PACKED;

/* IST 1 and 2 are left at once for the thread's own stack. */
#define IST_FAULT     1
#define IST_INTERRUPT 2
#define IST_DOUBLE    3

struct cpu_tables {
	uint64_t gdt[10];
	struct task_state tss;
	struct gate idt_run[VECTOR_COUNT] ALIGNED(16);
	struct gate idt_idle[VECTOR_COUNT];
	uint8_t fault_stack[512] ALIGNED(16);
	uint8_t interrupt_stack[512] ALIGNED(16);
	uint8_t double_stack[512] ALIGNED(16);
	uint8_t nucleus_stack[512] ALIGNED(16);
	struct arch_cpu cpu ALIGNED(64);
} ALIGNED(4096);

extern struct cpu_tables cpu_tables[BOOT_MAX_CPUS];

static inline struct arch_cpu *arch_cpu(void)
{
	struct arch_cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Fills in the tables of vcpu `index` and points GS at its block. */
void cpu_init_tables(uint32_t index);
void cpu_attach(uint32_t index);

/* Asks ring 0. Implemented in entry.S. */
uint64_t nucleus_call(uint64_t request, uint64_t argument, uint64_t argument2);

/* Serves a flush another vcpu asked for. */
void arch_flush_requested(void);

#endif
#endif
