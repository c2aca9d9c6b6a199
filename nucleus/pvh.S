/*
 * Boot under PVH loaders, and the way of secondary vcpus out of real mode.
 *
 * The loader enters pvh_entry in 32-bit mode without paging. It makes a first set of
 * page tables (the first 4 GiB at 0 and at LINEAR_BASE; the image at its link address),
 * switches to 64-bit mode and calls pvh_start(), which prepares everything and
 * comes back through pvh_enter_ring3. Secondary vcpus start at ap_code, copied to
 * AP_CODE_PAGE, with the same first tables.
 */
#include "abi/kernel_image.h"
#include "abi/nucleus.h"
#include "abi/pvh.h"

#define PHYS(symbol) ((symbol) - 0xffffffff80000000 + KERNEL_PHYS_LINK)

#define ENTRY_TABLE 0x67
#define ENTRY_HUGE  0xe7
#define CR0_VALUE   0x80050033
#define CR4_PAE     0x20
#define MSR_EFER    0xc0000080
#define EFER_VALUE  0x901 /* SCE, LME, NXE */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, PVH_NOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long PHYS(pvh_entry)

	.section .text.boot32, "ax", @progbits
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	mov %ebx, %ebp
	/* PML4: slot 0 and LINEAR_BASE share the identity map; slot 511 is the image. */
	movl $PHYS(first_pdpt) + ENTRY_TABLE, PHYS(first_pml4)
	movl $PHYS(first_pdpt) + ENTRY_TABLE, PHYS(first_pml4) + 288 * 8
	movl $PHYS(image_pdpt) + ENTRY_TABLE, PHYS(first_pml4) + 511 * 8
	movl $PHYS(image_pd) + ENTRY_TABLE, PHYS(image_pdpt) + 510 * 8
	movl $PHYS(first_pd) + ENTRY_TABLE, PHYS(first_pdpt)
	movl $PHYS(first_pd) + 0x1000 + ENTRY_TABLE, PHYS(first_pdpt) + 8
	movl $PHYS(first_pd) + 0x2000 + ENTRY_TABLE, PHYS(first_pdpt) + 16
	movl $PHYS(first_pd) + 0x3000 + ENTRY_TABLE, PHYS(first_pdpt) + 24
	mov $PHYS(first_pd), %edi
	mov $ENTRY_HUGE, %eax
	mov $2048, %ecx
1:	mov %eax, (%edi)
	add $8, %edi
	add $0x200000, %eax
	dec %ecx
	jnz 1b
	mov $PHYS(image_pd), %edi
	mov $KERNEL_PHYS_LINK + ENTRY_HUGE, %eax
	mov $64, %ecx
1:	mov %eax, (%edi)
	add $8, %edi
	add $0x200000, %eax
	dec %ecx
	jnz 1b

	lgdt PHYS(first_gdt_pointer)
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $PHYS(first_pml4), %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	mov $EFER_VALUE, %eax
	xor %edx, %edx
	wrmsr
	mov $CR0_VALUE, %eax
	mov %eax, %cr0
	ljmp $SELECTOR_KERNEL_CODE, $PHYS(1f)

	.code64
1:	mov $2f, %rax
	jmp *%rax
2:	mov $SELECTOR_KERNEL_DATA, %eax
	mov %eax, %ss
	mov %eax, %ds
	mov %eax, %es
	mov $boot_stacks + (1 << 13), %rsp
	mov %ebp, %edi
	xor %ebp, %ebp
	call pvh_start
	ud2

	.balign 8
first_gdt:
	.quad 0, 0
	.quad 0x00209b0000000000
	.quad 0x0000930000000000
first_gdt_end:
first_gdt_pointer:
	.word first_gdt_end - first_gdt - 1
	.quad PHYS(first_gdt)

	.text
/*
 * _Noreturn void pvh_enter_ring3(uint64_t root, uint64_t info_phys, uint64_t cpu,
 *                                const struct table_pointers *pointers)
 * Loads the final page tables and descriptor tables and starts the vcpu as our own
 * monitor would.
 */
	.globl pvh_enter_ring3
pvh_enter_ring3:
	mov %rdi, %cr3
	lgdt (%rcx)
	lidt 16(%rcx)
	mov $SELECTOR_TSS, %eax
	ltr %ax
	xor %eax, %eax
	lldt %ax /* none: after reset it is all of low memory */
	mov $SELECTOR_USER_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rsp, %rax
	push $SELECTOR_USER_DATA
	push %rax
	push $0x202
	push $SELECTOR_USER_CODE
	push $entry_start
	iretq

/* Runs at AP_CODE_PAGE in real mode; position-independent, copied there. */
	.section .rodata
	.balign 16
	.globl ap_code, ap_code_end
	.code16
ap_code:
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl ap_gdt_pointer - ap_code
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $PHYS(first_pml4), %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	mov $EFER_VALUE, %eax
	xor %edx, %edx
	wrmsr
	mov $CR0_VALUE, %eax
	mov %eax, %cr0
	ljmpl $SELECTOR_KERNEL_CODE, $AP_CODE_PAGE * 4096 + (1f - ap_code)
	.code64
1:	mov $ap_start, %rax
	jmp *%rax
	.balign 8
ap_gdt_pointer:
	.word first_gdt_end - first_gdt - 1
	.long PHYS(first_gdt)
ap_code_end:

	.text
ap_start:
	mov $SELECTOR_KERNEL_DATA, %eax
	mov %eax, %ss
	mov ap_number, %edi
	mov %rdi, %rax
	shl $13, %rax
	lea boot_stacks + (1 << 13)(%rax), %rsp
	xor %ebp, %ebp
	call pvh_start_other
	ud2

	.bss
	.balign 4096
first_pml4:
	.skip 4096
first_pdpt:
	.skip 4096
first_pd:
	.skip 4 * 4096
image_pdpt:
	.skip 4096
image_pd:
	.skip 4096

	.section .note.GNU-stack, "", @progbits
