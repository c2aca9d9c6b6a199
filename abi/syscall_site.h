/*
 * Where a program's `syscall` instructions can be rewritten into calls.
 *
 * lib/syscall_sites.c finds them in the text of a Go program (patterns that were
 * measured to be unambiguous for Go 1.21-1.27); the kernel checks the bytes again
 * before it rewrites. A site not listed is served by the trap, slower.
 */
#ifndef ABI_SYSCALL_SITE_H
#define ABI_SYSCALL_SITE_H

#include <stdint.h>

enum syscall_site_kind {
	SITE_MOV_EAX = 1,  /* b8 imm32 0f05: the first five bytes become the call */
	SITE_MOV_RAX = 2,  /* 48 c7 c0 imm32 0f05 */
	SITE_SYSCALL6 = 3, /* 49 89 df 0f 05 in Syscall6: exactly five bytes */
	SITE_NO_ERROR = 4, /* 48 8b 44 24 08 0f 05 in rawSyscallNoError */
};

struct syscall_site {
	uint64_t address; /* virtual (before PIE relocation): first byte that is rewritten */
	uint32_t kind;
	uint32_t number; /* system call number for the MOV kinds, else 0 */
};

_Static_assert(sizeof(struct syscall_site) == 16, "shared layout");

#endif
