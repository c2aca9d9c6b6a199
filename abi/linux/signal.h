/*
 * Signals of Linux on x86-64: signal(7), sigaction(2), sigaltstack(2), and the
 * layout of the frame a handler sees (arch/x86/include/uapi/asm/sigcontext.h).
 */
#ifndef ABI_LINUX_SIGNAL_H
#define ABI_LINUX_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

enum linux_signal {
	LINUX_SIGHUP = 1,
	LINUX_SIGINT,
	LINUX_SIGQUIT,
	LINUX_SIGILL,
	LINUX_SIGTRAP,
	LINUX_SIGABRT,
	LINUX_SIGBUS,
	LINUX_SIGFPE,
	LINUX_SIGKILL,
	LINUX_SIGUSR1,
	LINUX_SIGSEGV,
	LINUX_SIGUSR2,
	LINUX_SIGPIPE,
	LINUX_SIGALRM,
	LINUX_SIGTERM,
	LINUX_SIGSTKFLT,
	LINUX_SIGCHLD,
	LINUX_SIGCONT,
	LINUX_SIGSTOP,
	LINUX_SIGTSTP,
	LINUX_SIGTTIN,
	LINUX_SIGTTOU,
	LINUX_SIGURG,
	LINUX_SIGXCPU,
	LINUX_SIGXFSZ,
	LINUX_SIGVTALRM,
	LINUX_SIGPROF,
	LINUX_SIGWINCH,
	LINUX_SIGIO,
	LINUX_SIGPWR,
	LINUX_SIGSYS,
	LINUX_SIGRTMIN,
	LINUX_SIGRTMAX = 64,
	LINUX_NSIG = 64,
};

enum linux_sigaction_flags {
	LINUX_SA_NOCLDSTOP = 1,
	LINUX_SA_NOCLDWAIT = 2,
	LINUX_SA_SIGINFO = 4,
	LINUX_SA_EXPOSE_TAGBITS = 0x800,
	LINUX_SA_RESTORER = 0x04000000,
	LINUX_SA_ONSTACK = 0x08000000,
	LINUX_SA_RESTART = 0x10000000,
	LINUX_SA_NODEFER = 0x40000000,
};
#define LINUX_SA_RESETHAND 0x80000000u
#define LINUX_SIG_DFL      0ull
#define LINUX_SIG_IGN      1ull

enum linux_sigprocmask_how { LINUX_SIG_BLOCK = 0, LINUX_SIG_UNBLOCK = 1, LINUX_SIG_SETMASK = 2 };
enum linux_sigaltstack_flags { LINUX_SS_ONSTACK = 1, LINUX_SS_DISABLE = 2 };
#define LINUX_SS_AUTODISARM 0x80000000u
#define LINUX_MINSIGSTKSZ   2048

enum linux_si_code {
	LINUX_SI_USER = 0,
	LINUX_SI_KERNEL = 0x80,
	LINUX_SI_QUEUE = -1,
	LINUX_SI_TIMER = -2,
	LINUX_SI_TKILL = -6,
	LINUX_SEGV_MAPERR = 1,
	LINUX_SEGV_ACCERR = 2,
	LINUX_BUS_ADRALN = 1,
	LINUX_BUS_ADRERR = 2,
	LINUX_FPE_INTDIV = 1,
	LINUX_FPE_FLTDIV = 3,
	LINUX_FPE_FLTOVF = 4,
	LINUX_FPE_FLTUND = 5,
	LINUX_FPE_FLTRES = 6,
	LINUX_FPE_FLTINV = 7,
	LINUX_ILL_ILLOPN = 2,
	LINUX_TRAP_BRKPT = 1,
	LINUX_TRAP_TRACE = 2,
};

struct linux_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

struct linux_stack {
	uint64_t sp;
	int32_t flags;
	uint32_t reserved;
	uint64_t size;
};

struct linux_siginfo {
	int32_t signo;
	int32_t error;
	int32_t code;
	int32_t reserved;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
			uint64_t value;
		} sender; /* kill, sigqueue */
		struct {
			int32_t timer_id;
			int32_t overrun;
			uint64_t value;
		} timer;
		struct {
			uint64_t address;
		} fault;
		uint8_t bytes[112];
	};
};

struct linux_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
	uint64_t eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate; /* user address of the XSAVE image, or 0 */
	uint64_t reserved[8];
};

struct linux_ucontext {
	uint64_t flags; /* LINUX_UC_* */
	uint64_t link;
	struct linux_stack stack;
	struct linux_sigcontext mcontext;
	uint64_t sigmask;
};

enum linux_uc_flags {
	LINUX_UC_FP_XSTATE = 1,
	LINUX_UC_SIGCONTEXT_SS = 2,
	LINUX_UC_STRICT_RESTORE_SS = 4
};

_Static_assert(sizeof(struct linux_sigaction) == 32, "Linux layout");
_Static_assert(sizeof(struct linux_stack) == 24, "Linux layout");
_Static_assert(sizeof(struct linux_siginfo) == 128, "Linux layout");
_Static_assert(offsetof(struct linux_ucontext, mcontext.rip) == 168, "Linux layout");
_Static_assert(offsetof(struct linux_ucontext, mcontext.fpstate) == 224, "Linux layout");
_Static_assert(offsetof(struct linux_ucontext, sigmask) == 296, "Linux layout");

#endif
