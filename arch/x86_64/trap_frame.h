/*
 * The registers of interrupted ring-3 code, as every kernel entry saves them.
 *
 * Entry code (arch/x86_64/entry.S) pushes this at the top of the thread's kernel
 * stack; `vector` is a CPU exception number, an interrupt vector, or
 * TRAP_SYSCALL_CALL / TRAP_SYSCALL_TRAP. For system calls rax holds the number
 * on entry and the result on exit; arguments are in rdi rsi rdx r10 r8 r9.
 */
#ifndef ARCH_X86_64_TRAP_FRAME_H
#define ARCH_X86_64_TRAP_FRAME_H

#include <stdint.h>
#include <stddef.h>

#define TRAP_SYSCALL_CALL 0x100 /* rewritten site: vector state and rcx, r11 are dead */
#define TRAP_SYSCALL_TRAP 0x101 /* `syscall` instruction: vector state is live */
/* Set on the way out, by rt_sigreturn and when a handler was set up: the frame is no
 * longer that of the call; every register, rcx and r11 too, is loaded from it. */
#define TRAP_RESTORE_ALL 0x102

struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct trap_frame) == 22 * 8, "entry.S depends on it");

#endif
