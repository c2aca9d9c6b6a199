/*
 * The finished vDSO inside the kernel image, in whole pages: the program's address
 * space maps them (kernel/exec/vdso.c).
 */
	.section .rodata.vdso, "a", @progbits
	.balign 4096
	.globl vdso_image_start
	.globl vdso_image_end
vdso_image_start:
	.incbin "vdso.so"
	.balign 4096, 0
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
