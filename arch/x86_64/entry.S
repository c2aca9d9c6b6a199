/*
 * Every way into the kernel and out of it, in ring 3.
 *
 * Theory of operation. The program and the kernel share ring 3 and an address
 * space; what makes code "kernel" is the byte %gs:CPU_IN_KERNEL.
 *
 * Ring 3 can neither mask nor unmask interrupts: cli and sti fault, popf and iretq
 * leave the flag alone. But an interrupt gate clears it, and it stays clear until
 * the nucleus sets it again. So the first interrupt of a stay in the kernel turns
 * interrupts off (CPU_INTERRUPTS_OFF remembers that), and the return to the program
 * asks the nucleus to turn them on. If the interrupted code was the kernel, the
 * vector is only noted in CPU_PENDING; the kernel takes it before it returns to the
 * program. Faults use trap gates, which leave the flag alone.
 *
 * Each entry builds a struct trap_frame at the top of the thread's kernel stack.
 * Faults and interrupts arrive on small per-vcpu stacks (IST) and move their frame
 * at once, so that kernel code may sleep with it.
 *
 * Two windows need care:
 *  - Between the first instruction of an entry and the setting of CPU_IN_KERNEL,
 *    and on the way out, rip is inside .text.entry: interrupts are noted there too.
 *  - An interrupt noted after the last look at CPU_PENDING, inside
 *    return_window..return_window_end, would be lost: the interrupt entry then
 *    moves the interrupted rip back to return_retry. The frame is still whole.
 */
#include "arch/x86_64/cpu.h"
#include "abi/kernel_image.h"

#define BOOT_STACK_SHIFT  13
#define TRAP_SYSCALL_CALL 0x100
#define TRAP_SYSCALL_TRAP 0x101
#define TRAP_PENDING      0x100

	.section .text.entry, "ax", @progbits
	.globl entry_text_start
entry_text_start:

.macro PUSH_REGISTERS
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
.endm

.macro POP_REGISTERS
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
.endm

/* QEMU loads a null SS with an IST stack even where the privilege level stays, and no
 * iretq of the nucleus could return to that. */
.macro RELOAD_SS
	mov $SELECTOR_USER_DATA, %eax
	mov %eax, %ss
.endm

/*
 * A rewritten system call site called a stub (kernel/exec/sites.c), which jumped
 * here: rax is the number, the return address is on the program's stack. rcx and
 * r11 are free to use, as after `syscall`; vector registers are dead.
 */
	.globl entry_call
	.balign 64
entry_call:
	mov (%rsp), %r11 /* may fault, as the program's own instruction */
	movb $1, %gs:CPU_IN_KERNEL
	mov %rsp, %rcx
	mov %gs:CPU_STACK_TOP, %rsp
	add $8, %rcx
	push $SELECTOR_USER_DATA
	push %rcx
	push $0x202
	push $SELECTOR_USER_CODE
	push %r11
	push $0
	push $TRAP_SYSCALL_CALL
	PUSH_REGISTERS
	mov %rsp, %rdi
	xor %ebp, %ebp
	cld
	call trap_system_call
	/* al: whether the frame must be restored whole. */
	test %al, %al
	jnz return_retry
	mov FRAME_RAX(%rsp), %rax
	mov FRAME_RDI(%rsp), %rdi
	mov FRAME_RSI(%rsp), %rsi
	mov FRAME_RDX(%rsp), %rdx
	mov FRAME_R10(%rsp), %r10
	mov FRAME_R8(%rsp), %r8
	mov FRAME_R9(%rsp), %r9
	mov 4*8(%rsp), %rbp
	mov FRAME_RSP(%rsp), %rcx
	lea -8(%rcx), %rsp
	jmp call_tail

/* Came back from a call with an interrupt noted at the last moment. */
call_pending:
	mov (%rsp), %r11
	movb $1, %gs:CPU_IN_KERNEL
	mov %rsp, %rcx
	mov %gs:CPU_STACK_TOP, %rsp
	add $8, %rcx
	push $SELECTOR_USER_DATA
	push %rcx
	push $0x202
	push $SELECTOR_USER_CODE
	push %r11
	push $0
	push $TRAP_PENDING
	PUSH_REGISTERS
	jmp return_retry

/*
 * A `syscall` instruction that was not rewritten. On pagetable-based KVM it arrives
 * in ring 3; elsewhere in ring 0, with interrupts off, and goes down first.
 */
	.globl entry_syscall
	.balign 64
entry_syscall:
	mov %rsp, %gs:CPU_SCRATCH
	mov %cs, %esp
	test $3, %spl
	jz entry_syscall_ring0
	movb $1, %gs:CPU_IN_KERNEL
	mov %gs:CPU_STACK_TOP, %rsp
	push $SELECTOR_USER_DATA
	push %gs:CPU_SCRATCH
	push %r11
	push $SELECTOR_USER_CODE
	push %rcx
	push $0
	push $TRAP_SYSCALL_TRAP
	PUSH_REGISTERS
	mov %rsp, %rdi
	xor %ebp, %ebp
	cld
	call trap_system_call
	jmp return_retry

entry_syscall_ring0:
	mov %gs:CPU_NUCLEUS_FRAME, %rsp
	add $40, %rsp
	push $SELECTOR_USER_DATA
	push %gs:CPU_SCRATCH
	push $0x202
	push $SELECTOR_USER_CODE
	push $entry_syscall
	iretq

/* First thing a new thread runs, on its own kernel stack, below its frame. */
	.globl entry_new_thread
entry_new_thread:
	call sched_thread_entered
	jmp return_retry

/*
 * Back to the program with every register of the frame, which lies at the top of
 * the thread's kernel stack; rsp points at it.
 */
	.globl return_retry
return_retry:
	mov %rsp, %rdi
	xor %ebp, %ebp
	call trap_return
return_window:
	cmpl $0, %gs:CPU_PENDING
	jne return_retry
	POP_REGISTERS
	add $16, %rsp
	movb $0, %gs:CPU_IN_KERNEL
	iretq
return_window_end:

/* ---- faults ------------------------------------------------------------- */

.macro FAULT vector, has_error=0
	.globl fault_\vector
fault_\vector:
	.if \has_error == 0
	push $0
	.endif
	push $\vector
	jmp fault_common
.endm

	FAULT 0
	FAULT 1
	FAULT 2
	FAULT 4
	FAULT 5
	FAULT 6
	FAULT 7
	FAULT 8, 1
	FAULT 9
	FAULT 10, 1
	FAULT 11, 1
	FAULT 12, 1
	FAULT 13, 1
	FAULT 14, 1
	FAULT 16
	FAULT 17, 1
	FAULT 18
	FAULT 19
	FAULT 20
	FAULT 21, 1

/* int3 of the program, reflected by the nucleus with the frame of the trap. */
	.globl fault_3
fault_3:
	push $0
	push $3
fault_common:
	PUSH_REGISTERS
	cld
	RELOAD_SS
	mov %gs:CPU_STACK_TOP, %rdi
	cmpb $0, %gs:CPU_IN_KERNEL
	setne %bl
	je 1f
	mov FRAME_RSP(%rsp), %rdi
	and $-16, %rdi
1:	movb $1, %gs:CPU_IN_KERNEL
	sub $FRAME_BYTES, %rdi
	mov %rdi, %rdx
	mov %rsp, %rsi
	mov $(FRAME_BYTES / 8), %ecx
	rep movsq
	mov %rdx, %rsp
	mov %rsp, %rdi
	xor %ebp, %ebp
	test %bl, %bl
	jnz 2f
	call trap_fault
	jmp return_retry
2:	mov 4*8(%rsp), %rbp /* the interrupted kernel function's frame: backtraces go on */
	call trap_fault
	POP_REGISTERS
	add $16, %rsp
	iretq

/* ---- interrupts ----------------------------------------------------------- */

/* Interrupts are off from here on. */
.macro INTERRUPT vector
	push $0
	push $\vector
	orw $(1 << (\vector - VECTOR_FIRST)), %gs:CPU_PENDING
	jmp interrupt_common
	.balign 32
.endm

	.globl interrupt_entries
	.balign 32
interrupt_entries:
	.set vector, VECTOR_FIRST
	.rept VECTOR_COUNT - VECTOR_FIRST
	INTERRUPT vector
	.set vector, vector + 1
	.endr

interrupt_common:
	push %rax
	movb $1, %gs:CPU_INTERRUPTS_OFF
	mov 24(%rsp), %rax	/* interrupted rip */
	cmpb $0, %gs:CPU_IN_KERNEL
	jne interrupt_noted
	cmp $entry_text_start, %rax
	jb 1f
	cmp $entry_text_end, %rax
	jb interrupt_noted
1:	pop %rax
	PUSH_REGISTERS
	cld
	RELOAD_SS
	movb $1, %gs:CPU_IN_KERNEL
	mov %gs:CPU_STACK_TOP, %rdi
	sub $FRAME_BYTES, %rdi
	mov %rdi, %rdx
	mov %rsp, %rsi
	mov $(FRAME_BYTES / 8), %ecx
	rep movsq
	mov %rdx, %rsp
	jmp return_retry

interrupt_noted:
	cmp $return_window, %rax
	jb 1f
	cmp $return_window_end, %rax
	jae 1f
	/* Rewind: the frame at the top of the thread's stack is taken up again. */
	movq $return_retry, 24(%rsp)
	mov %gs:CPU_STACK_TOP, %rax
	sub $FRAME_BYTES, %rax
	mov %rax, 48(%rsp)
	movb $1, %gs:CPU_IN_KERNEL
1:	movq $SELECTOR_USER_DATA, 56(%rsp) /* see RELOAD_SS: it may not have run yet */
	pop %rax
	add $16, %rsp
	iretq

	.globl entry_text_end
entry_text_end:

/*
 * The end of a direct call, on the program's stack with the program's registers: an
 * interrupt here is an interrupt of the program, so this is not in .text.entry. The
 * program must not see it, though: trap_return() makes the return for it.
 */
	.section .text.call_tail, "ax", @progbits
	.globl call_tail
call_tail:
	movb $0, %gs:CPU_IN_KERNEL
	cmpl $0, %gs:CPU_PENDING
	jne call_pending
	ret
	.globl call_tail_end
call_tail_end:

	.text

/* uint64_t nucleus_call(request, argument, argument2) */
	.globl nucleus_call
	.globl nucleus_call_return
nucleus_call:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	int3
nucleus_call_return:
	ret

/*
 * void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp)
 * Saves the callee-saved registers on this stack and continues on the other.
 */
	.globl switch_stacks
switch_stacks:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret

/* A kernel thread starts here: r12 entry, r13 argument. */
	.globl entry_kernel_thread
entry_kernel_thread:
	call sched_thread_entered
	mov %r13, %rdi
	xor %ebp, %ebp
	call *%r12
	ud2

/* Our monitor, or the nucleus, starts each vcpu here in ring 3, without a stack:
 * rdi physical address of boot_info, rsi vcpu number. */
	.globl entry_start
entry_start:
	mov %rsi, %rax
	shl $BOOT_STACK_SHIFT, %rax
	lea boot_stacks + (1 << BOOT_STACK_SHIFT)(%rax), %rsp
	xor %ebp, %ebp
	cld
	call vm_start
	ud2

	.section .bss.large, "aw", @nobits
	.balign 4096
	.globl boot_stacks
boot_stacks:
	.skip 64 << BOOT_STACK_SHIFT

	.section .note.GNU-stack, "", @progbits
