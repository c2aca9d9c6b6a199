/*
 * What the kernel asks of an architecture.
 *
 * Implemented by arch/x86_64/, and by arch/host/ for unit tests. Everything here
 * runs in ring 3. Kernel code is never preempted: interrupts that arrive while
 * the kernel runs are noted and taken at the return to the program, in
 * sched_idle(), or where arch_take_interrupts() is called.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include "lib/compiler.h"
#include "arch/x86_64/trap_frame.h"

struct thread;

#define KERNEL_STACK_BYTES 16384

/* The architecture's part of a thread. */
struct arch_thread {
	uint64_t kernel_rsp;   /* while switched out */
	uint64_t kernel_stack; /* lowest address; its first word is a canary */
	uint64_t fs_base;      /* arch_prctl(ARCH_SET_FS) */
	void *vector_state;    /* XSAVE area, 64-byte aligned */
	bool vector_live;      /* entered with live vector state: save and restore it */
};

/*
 * Gives `thread` a kernel stack and a vector area. It will start, when first
 * switched to, by loading `frame` and running the program there. -ENOMEM.
 */
int arch_thread_init_user(struct thread *thread, const struct trap_frame *frame);

/* Same, but it starts in kernel code: entry(argument), which must not return. */
int arch_thread_init_kernel(struct thread *thread, void (*entry)(void *), void *argument);

/* Gives back what the two above allocated. The thread must not be running. */
void arch_thread_release(struct thread *thread);

/* The saved user registers of a thread that is inside the kernel. */
struct trap_frame *arch_thread_frame(struct thread *thread);

/* Switches stacks, FS base and vector state. Called with from's run-queue lock held. */
void arch_switch(struct thread *from, struct thread *to);

/* Copies the thread's FS base into the register at once when it is running. */
void arch_set_fs_base(struct thread *thread, uint64_t fs_base);

/* Bytes of an XSAVE area for signal frames; save to and restore from one, in user
 * memory, of the *current* thread. Restore checks the header; from then on the thread's
 * vector state is live; address 0 restores the initial state. -EFAULT, -EINVAL. */
size_t arch_vector_bytes(void);
/* Bits of the unmasked exceptions in the x87 status word and in MXCSR (the same in
 * both: SDM volume 1, 8.1.3 and 10.2.3), for the si_code of SIGFPE. Of the current
 * thread, right after the fault. */
uint32_t arch_x87_exceptions(void);
uint32_t arch_simd_exceptions(void);
int arch_vector_save_user(uintptr_t user_area);
int arch_vector_restore_user(uintptr_t user_area);

/* Monotonic tick counter (the TSC), the same on all vcpus. */
uint64_t arch_ticks(void);

/* A hardware random word; false when there is none or it failed. */
bool arch_random(uint64_t *word);

/* For every loop that waits for another vcpu: it also serves that vcpu's requests
 * to flush this one's TLB, so that the two never wait for each other. */
void arch_relax(void);

/* The thread running on this vcpu, and the vcpu's number. */
struct thread *arch_current_thread(void);
void arch_set_current_thread(struct thread *thread);
uint32_t arch_cpu_index(void);

/* Runs handlers of interrupts noted since the last call. Any lock-free context. */
void arch_take_interrupts(void);
bool arch_interrupt_pending(void);

#endif
