/* The notes by which launchers find their way into the image (abi/kernel_image.h). */
#include "arch/x86_64/cpu.h"
#include "abi/kernel_image.h"
#include "platform/vm/note_offsets.h"

	.section .note.burrow, "a", @note
	.balign 4
	.long 7, 2f - 1f, KERNEL_NOTE_TYPE
	.asciz "Burrow"
	.balign 4
1:	.long 2, NOTE_TABLES_STRIDE
	.quad entry_start
	.quad cpu_tables
	.long NOTE_GDT_OFFSET, NOTE_GDT_BYTES
	.long NOTE_IDT_OFFSET, NOTE_IDT_BYTES
	.long NOTE_TSS_OFFSET, NOTE_TSS_BYTES
	.quad entry_syscall
	.quad nucleus_start, nucleus_end
	.quad kernel_dense_end
2:
	.section .note.GNU-stack, "", @progbits
