/*
 * The nucleus: all that runs in ring 0 once the kernel is up.
 *
 * Entered by `int3` from nucleus_call() (arch/x86_64/entry.S) through an interrupt
 * gate, on the vcpu's ring-0 stack, with interrupts off. eax is the request, rdi and
 * rsi its arguments. On some hosts every instruction here is emulated at about half
 * a microsecond: requests are ordered by how often they are made, and few words are
 * better than clear ones.
 *
 * An int3 from anywhere else is the program's breakpoint: it is reflected to the
 * kernel's fault entry in ring 3.
 */
#include "abi/kernel_image.h"
#include "abi/nucleus.h"

	.section .nucleus, "ax", @progbits
	.globl nucleus_start
	.balign 4096
nucleus_start:

	.globl nucleus_gate
	.balign 64
nucleus_gate:
	cmpq $nucleus_call_return, (%rsp)
	jne reflect
	dec %eax
	js read_fault_address
	jz flush_all
	dec %eax
	jz flush_page
	dec %eax
	jz halt
	dec %eax
	jz enable_interrupts
	dec %eax
	jz write_msr
	mov %edi, %edx
	dec %eax
	jz write_port8
	dec %eax
	jz write_port32
	dec %eax
	jz read_port8
	dec %eax
	jz read_port32
	iretq

read_fault_address:
	mov %cr2, %rax
	iretq

flush_all:
	mov %cr3, %rax
	mov %rax, %cr3
	iretq

flush_page:
	invlpg (%rdi)
	iretq

enable_interrupts:
	orl $0x200, 16(%rsp)
	iretq

write_msr:
	mov %edi, %ecx
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
	wrmsr
	iretq

write_port8:
	mov %esi, %eax
	outb %al, %dx
	iretq

write_port32:
	mov %esi, %eax
	outl %eax, %dx
	iretq

read_port8:
	xor %eax, %eax
	inb %dx, %al
	iretq

read_port32:
	inl %dx, %eax
	iretq

/* Waits for an interrupt, unless one was noted on the way here. Its vector is noted;
 * the handler, in ring 0 too, returns from here for us. */
halt:
	cmpw $0, %gs:CPU_PENDING
	jne 1f
	lidt %gs:CPU_IDT_IDLE
	sti
	hlt
	/* A wake-up without an interrupt. */
	cli
	lidt %gs:CPU_IDT_RUN
1:	iretq

.macro IDLE vector
	orw $(1 << (\vector - VECTOR_FIRST)), %gs:CPU_PENDING
	lidt %gs:CPU_IDT_RUN
	mov %gs:CPU_NUCLEUS_FRAME, %rsp
	iretq
	.balign 32
.endm

	.globl nucleus_idle_entries
	.balign 32
nucleus_idle_entries:
	.set vector, VECTOR_FIRST
	.rept VECTOR_COUNT - VECTOR_FIRST
	IDLE vector
	.set vector, vector + 1
	.endr

/*
 * The program's int3: its frame (rip cs rflags rsp ss) moves to the ring-3 fault
 * stack, where fault_3 finds it as if the CPU had put it there.
 */
reflect:
	push %rax
	push %rcx
	mov %gs:CPU_SELF, %rax
	mov CPU_FAULT_STACK(%rax), %rax
	sub $40, %rax
	mov 16(%rsp), %rcx
	mov %rcx, (%rax)
	mov 24(%rsp), %rcx
	mov %rcx, 8(%rax)
	mov 32(%rsp), %rcx
	mov %rcx, 16(%rax)
	mov 40(%rsp), %rcx
	mov %rcx, 24(%rax)
	mov 48(%rsp), %rcx
	mov %rcx, 32(%rax)
	pop %rcx
	/* [rax] [rip cs rflags rsp ss]: return to fault_3 on that stack. */
	movq $fault_3, 8(%rsp)
	mov %gs:CPU_SELF, %rax
	mov CPU_FAULT_STACK(%rax), %rax
	sub $40, %rax
	mov %rax, 32(%rsp)
	pop %rax
	iretq

	.globl nucleus_end
	.balign 4096
nucleus_end:

	.section .note.GNU-stack, "", @progbits
