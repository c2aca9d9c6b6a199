/*
 * The smallest kernel that the monitor takes: entry, note, processor tables that
 * allow port I/O in ring 3. See guest.c.
 */
	.section .text
	.globl entry
entry:
	lea stacks(%rip), %rsp
	mov %rsi, %rax
	inc %rax
	shl $14, %rax
	add %rax, %rsp
	xor %ebp, %ebp
	call guest_main
	ud2

	.section .nucleus, "ax"
	.balign 4096
	.globl nucleus_start
nucleus_start:
	ret
	.balign 4096
nucleus_end:

	.section .note.burrow, "a"
	.balign 4
	.long 7, 80, 1
	.asciz "Burrow"
	.balign 4
	.long 2			/* version */
	.long 4096		/* stride */
	.quad entry
	.quad cpu_tables
	.long 0, 0x50		/* GDT */
	.long 0x100, 0x100	/* IDT */
	.long 0x200, 0x200	/* TSS */
	.quad entry
	.quad nucleus_start, nucleus_end
	.quad cpu_tables	/* what every boot touches ends here */

	.section .data
	.balign 4096
cpu_tables:
	.fill 0x200, 1, 0
tss:
	.fill 0x66, 1, 0
	.word 0x68		/* I/O bitmap: every port allowed */
	.fill 0x200 - 0x68, 1, 0
	.balign 4096
	.fill 4096, 1, 0	/* vcpu 1: no ports */

	.section .bss
	.balign 16
stacks:
	.skip 4 << 14
