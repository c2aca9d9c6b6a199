/* Descriptor tables of the vcpus, and the small questions kernel code asks of its own. */
#include "arch/x86_64/cpu.h"

#include "abi/kernel_image.h"
#include "kernel/arch.h"

#define GATE_TRAP      0xf
#define GATE_INTERRUPT 0xe
#define GATE_BYTES     16

LARGE_TABLE struct cpu_tables cpu_tables[BOOT_MAX_CPUS];

extern const char fault_0[], fault_1[], fault_2[], fault_3[], fault_4[], fault_5[], fault_6[],
	fault_7[], fault_8[], fault_9[], fault_10[], fault_11[], fault_12[], fault_13[], fault_14[],
	fault_16[], fault_17[], fault_18[], fault_19[], fault_20[], fault_21[];
extern const char interrupt_entries[];
extern const char nucleus_gate[], nucleus_idle_entries[];

static const char *const fault_entries[] = {fault_0, fault_1, fault_2, fault_3, fault_4, fault_5,
	fault_6, fault_7, fault_8, fault_9, fault_10, fault_11, fault_12, fault_13, fault_14, NULL,
	fault_16, fault_17, fault_18, fault_19, fault_20, fault_21};

/* A 64-bit gate (Intel SDM volume 3, 6.14.1). `level`: the least privilege whose INT
 * instruction may use it. */
static struct gate make_gate(
	const char *target, uint16_t selector, unsigned ist, unsigned type, unsigned level)
{
	uint64_t address = (uint64_t)(uintptr_t)target;

	return (struct gate){
		.low = (address & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
		       (uint64_t)(0x80 | level << 5 | type) << 40 | (address >> 16 & 0xffff) << 48,
		.high = address >> 32,
	};
}

static void init_run_gates(struct gate *idt)
{
	for (unsigned v = 0; v < ARRAY_SIZE(fault_entries); v++) {
		if (fault_entries[v] == NULL)
			continue;
		idt[v] = make_gate(fault_entries[v], SELECTOR_USER_CODE,
			v == 8 || v == 2 ? IST_DOUBLE : IST_FAULT, GATE_TRAP, 0);
	}
	/* int3 is the way into the nucleus; it reflects the program's own to fault_3. */
	idt[3] = make_gate(nucleus_gate, SELECTOR_KERNEL_CODE, 0, GATE_INTERRUPT, 3);
	for (unsigned v = VECTOR_FIRST; v < VECTOR_COUNT; v++) {
		const char *entry = interrupt_entries + (v - VECTOR_FIRST) * 32;
		idt[v] = make_gate(entry, SELECTOR_USER_CODE, IST_INTERRUPT, GATE_INTERRUPT, 0);
	}
}

/* While the nucleus halts in ring 0, interrupts must stay in ring 0. */
static void init_idle_gates(struct gate *idt)
{
	for (unsigned v = VECTOR_FIRST; v < VECTOR_COUNT; v++) {
		const char *entry = nucleus_idle_entries + (v - VECTOR_FIRST) * 32;
		idt[v] = make_gate(entry, SELECTOR_KERNEL_CODE, 0, GATE_INTERRUPT, 0);
	}
}

static uint64_t stack_end(const uint8_t *stack, size_t bytes)
{
	return (uint64_t)(uintptr_t)stack + bytes;
}

void cpu_init_tables(uint32_t index)
{
	struct cpu_tables *t = &cpu_tables[index];
	uint64_t tss = (uint64_t)(uintptr_t)&t->tss;
	uint64_t limit = sizeof(t->tss) - 1;

	t->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00209b0000000000;
	t->gdt[SELECTOR_KERNEL_DATA / 8] = 0x0000930000000000;
	t->gdt[SELECTOR_USER_DATA / 8] = 0x0000f30000000000;
	t->gdt[SELECTOR_USER_CODE / 8] = 0x0020fb0000000000;
	t->gdt[SELECTOR_TSS / 8] =
		limit | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	t->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;

	t->tss.rsp[0] = stack_end(t->nucleus_stack, sizeof(t->nucleus_stack));
	t->tss.ist[IST_FAULT - 1] = stack_end(t->fault_stack, sizeof(t->fault_stack));
	t->tss.ist[IST_INTERRUPT - 1] = stack_end(t->interrupt_stack, sizeof(t->interrupt_stack));
	t->tss.ist[IST_DOUBLE - 1] = stack_end(t->double_stack, sizeof(t->double_stack));
	t->tss.bitmap_offset = sizeof(t->tss);

	init_run_gates(t->idt_run);
	init_idle_gates(t->idt_idle);

	struct arch_cpu *cpu = &t->cpu;
	cpu->self = cpu;
	cpu->in_kernel = 1;
	cpu->index = index;
	cpu->fault_stack = t->tss.ist[IST_FAULT - 1];
	cpu->nucleus_frame = t->tss.rsp[0] - 40;
	cpu->idt_run = (struct descriptor_pointer){
		sizeof(t->idt_run) - 1, (uint64_t)(uintptr_t)t->idt_run};
	cpu->idt_idle = (struct descriptor_pointer){
		sizeof(t->idt_idle) - 1, (uint64_t)(uintptr_t)t->idt_idle};
}

void cpu_attach(uint32_t index)
{
	__asm__ volatile("wrgsbase %0" : : "r"(&cpu_tables[index].cpu));
}

struct thread *arch_current_thread(void)
{
	struct thread *thread;

	__asm__ volatile("mov %%gs:%c1, %0" : "=r"(thread) : "i"(CPU_THREAD));
	return thread;
}

void arch_set_current_thread(struct thread *thread)
{
	arch_cpu()->thread = thread;
}

uint32_t arch_cpu_index(void)
{
	return arch_cpu()->index;
}

uint64_t arch_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

void arch_relax(void)
{
	__builtin_ia32_pause();
	if (UNLIKELY(READ_ONCE(arch_cpu()->flush_requested)))
		arch_flush_requested();
}

/* CPUID costs tens of microseconds where ring 3 does not execute it itself. */
static bool has_rdrand(void)
{
	static bool is_known, answer;

	if (!is_known) {
		uint32_t eax = 1, ebx, ecx = 0, edx;

		__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
		answer = (ecx & 1u << 30) != 0;
		is_known = true;
	}
	return answer;
}

bool arch_random(uint64_t *word)
{
	if (!has_rdrand())
		return false;
	for (int tries = 0; tries < 10; tries++) {
		bool ok;
		__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok));
		if (ok)
			return true;
	}
	return false;
}

uint32_t arch_simd_exceptions(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return mxcsr & ~(mxcsr >> 7);
}

uint32_t arch_x87_exceptions(void)
{
	uint16_t status, control;

	__asm__ volatile("fnstsw %0" : "=m"(status));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	return status & ~(uint32_t)control;
}
