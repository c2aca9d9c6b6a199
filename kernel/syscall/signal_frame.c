/*
 * Handler frames; the contract is in signal_frame.h.
 *
 *     higher   interrupted stack, 128 bytes red zone   (or the end of the alternate one)
 *              vector state, 64-byte aligned, 4 bytes of magic after it
 *              struct signal_frame, at 16 n + 8
 *     lower    rsp of the handler
 */
#include "kernel/syscall/signal_frame.h"
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/syscall.h"
#include "lib/string.h"

#define RED_ZONE_BYTES 128

/* The part of the FXSAVE image that is left to software (arch/x86/include/uapi/asm/
 * sigcontext.h): tells the reader how far the image goes. */
#define SOFTWARE_OFFSET  464
#define FXSAVE_BYTES     512
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u

struct software_bytes {
	uint32_t magic1;
	uint32_t extended_size;
	uint64_t features;
	uint32_t state_size;
	uint32_t padding[7];
};

_Static_assert(sizeof(struct software_bytes) == FXSAVE_BYTES - SOFTWARE_OFFSET, "Linux layout");

/* Flags a program may set: AC OF DF TF SF ZF AF PF CF, and RF. */
#define USER_FLAGS 0x50dd5ull

#define FLAG_TRAP      0x100ull
#define FLAG_DIRECTION 0x400ull
#define FLAG_RESUME    0x10000ull

#define LOWER_HALF_END (1ull << 47)

#define TRAP_GENERAL_PROTECTION 13

static bool is_extended(void)
{
	return arch_vector_bytes() > FXSAVE_BYTES;
}

static uint64_t enabled_features(void)
{
	uint32_t low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* ---- alternate stacks ------------------------------------------------------ */

static bool is_within(const struct linux_stack *stack, uint64_t sp)
{
	return sp > stack->sp && sp - stack->sp <= stack->size;
}

static bool is_on_alternate(const struct linux_stack *stack, uint64_t sp)
{
	/* With SS_AUTODISARM a set stack is one that is not in use. */
	return ((uint32_t)stack->flags & LINUX_SS_AUTODISARM) == 0 && is_within(stack, sp);
}

static void disarm(struct linux_stack *stack)
{
	*stack = (struct linux_stack){.flags = LINUX_SS_DISABLE};
}

void signal_stack_get(struct linux_stack *stack, uint64_t sp)
{
	const struct linux_stack *alternate = &thread_current()->signal.alternate;
	uint32_t mode = 0;

	if (alternate->size == 0)
		mode = LINUX_SS_DISABLE;
	else if (is_on_alternate(alternate, sp))
		mode = LINUX_SS_ONSTACK;
	*stack = (struct linux_stack){
		.sp = alternate->sp,
		.size = alternate->size,
		.flags = (int32_t)(mode | ((uint32_t)alternate->flags & LINUX_SS_AUTODISARM)),
	};
}

int signal_stack_set(const struct linux_stack *stack, uint64_t sp)
{
	struct linux_stack *alternate = &thread_current()->signal.alternate;
	uint32_t mode = (uint32_t)stack->flags & ~LINUX_SS_AUTODISARM;

	if (is_on_alternate(alternate, sp))
		return -LINUX_EPERM;
	if (mode != 0 && mode != LINUX_SS_DISABLE && mode != LINUX_SS_ONSTACK)
		return -LINUX_EINVAL;
	if (mode == LINUX_SS_DISABLE) {
		*alternate = (struct linux_stack){.flags = stack->flags};
		return 0;
	}
	if (stack->size < LINUX_MINSIGSTKSZ)
		return -LINUX_ENOMEM;
	*alternate =
		(struct linux_stack){.sp = stack->sp, .flags = stack->flags, .size = stack->size};
	return 0;
}

/* ---- building -------------------------------------------------------------- */

struct layout {
	uint64_t vector_state;
	uint64_t frame;
};

static int place(const struct trap_frame *frame, bool wants_alternate, struct layout *layout)
{
	const struct linux_stack *alternate = &thread_current()->signal.alternate;
	bool on_alternate = is_on_alternate(alternate, frame->rsp);
	uint64_t vector_bytes = arch_vector_bytes() + (is_extended() ? sizeof(uint32_t) : 0);
	uint64_t top = frame->rsp - RED_ZONE_BYTES;
	bool checks_alternate = on_alternate;

	if (wants_alternate && alternate->size != 0 && !on_alternate) {
		top = alternate->sp + alternate->size;
		checks_alternate = true;
	}
	uint64_t needed = vector_bytes + 64 + sizeof(struct signal_frame) + 16 + 8;

	if (top < needed || top > USER_END)
		return -LINUX_EFAULT;
	layout->vector_state = ALIGN_DOWN(top - vector_bytes, 64);
	layout->frame = ALIGN_DOWN(layout->vector_state - sizeof(struct signal_frame), 16) - 8;
	if (checks_alternate && !is_within(alternate, layout->frame))
		return -LINUX_EFAULT;
	return 0;
}

/* Handlers may change x87 and SSE registers in the image without knowing of the
 * header: both are said to be there. */
static int mark_legacy_state(uint64_t address)
{
	uint64_t present;
	int error = user_copy_in(&present, address + FXSAVE_BYTES, sizeof(present));

	present |= 3;
	return error != 0 ? error
			  : user_copy_out(address + FXSAVE_BYTES, &present, sizeof(present));
}

static int write_vector_state(uint64_t address)
{
	uint64_t bytes = arch_vector_bytes();
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	int error = arch_vector_save_user(address);

	if (error != 0)
		return error;
	struct software_bytes software = {0};

	if (is_extended()) {
		software.magic1 = FP_XSTATE_MAGIC1;
		software.extended_size = (uint32_t)bytes + sizeof(magic2);
		software.state_size = (uint32_t)bytes;
		software.features = enabled_features();
		error = user_copy_out(address + bytes, &magic2, sizeof(magic2));
		if (error != 0)
			return error;
	}
	error = user_copy_out(address + SOFTWARE_OFFSET, &software, sizeof(software));
	return error != 0 || !is_extended() ? error : mark_legacy_state(address);
}

static void save_registers(struct linux_sigcontext *context, const struct trap_frame *frame)
{
	const struct signal_fault *fault = &thread_current()->signal.fault;

	*context = (struct linux_sigcontext){
		.r8 = frame->r8,
		.r9 = frame->r9,
		.r10 = frame->r10,
		.r11 = frame->r11,
		.r12 = frame->r12,
		.r13 = frame->r13,
		.r14 = frame->r14,
		.r15 = frame->r15,
		.rdi = frame->rdi,
		.rsi = frame->rsi,
		.rbp = frame->rbp,
		.rbx = frame->rbx,
		.rdx = frame->rdx,
		.rax = frame->rax,
		.rcx = frame->rcx,
		.rsp = frame->rsp,
		.rip = frame->rip,
		.eflags = frame->rflags,
		.cs = (uint16_t)frame->cs,
		.ss = (uint16_t)frame->ss,
		.err = fault->error,
		.trapno = (uint64_t)fault->trap_number,
		.cr2 = fault->address,
	};
}

static int write_frame(const struct layout *layout, const struct trap_frame *frame,
	const struct signal_delivery *delivery)
{
	const struct linux_stack *alternate = &thread_current()->signal.alternate;
	bool has_info = (delivery->action.flags & LINUX_SA_SIGINFO) != 0;
	struct signal_frame user;

	user.restorer = delivery->action.restorer;
	memset(&user.context, 0, sizeof(user.context));
	user.context.flags = LINUX_UC_SIGCONTEXT_SS | LINUX_UC_STRICT_RESTORE_SS |
			     (is_extended() ? LINUX_UC_FP_XSTATE : 0);
	user.context.stack = *alternate;
	save_registers(&user.context.mcontext, frame);
	user.context.mcontext.fpstate = layout->vector_state;
	user.context.sigmask = signal_mask_to_save();
	user.context.mcontext.oldmask = user.context.sigmask;
	user.info = delivery->info;
	return user_copy_out(layout->frame, &user,
		has_info ? sizeof(user) : offsetof(struct signal_frame, info));
}

int signal_frame_build(struct trap_frame *frame, const struct signal_delivery *delivery)
{
	struct linux_stack *alternate = &thread_current()->signal.alternate;
	const struct linux_sigaction *action = &delivery->action;
	struct layout layout;

	/* Linux has no return path of its own on x86-64. */
	if ((action->flags & LINUX_SA_RESTORER) == 0)
		return -LINUX_EFAULT;
	if (place(frame, (action->flags & LINUX_SA_ONSTACK) != 0, &layout) != 0)
		return -LINUX_EFAULT;
	if (write_vector_state(layout.vector_state) != 0)
		return -LINUX_EFAULT;
	if (write_frame(&layout, frame, delivery) != 0)
		return -LINUX_EFAULT;
	if ((uint32_t)alternate->flags & LINUX_SS_AUTODISARM)
		disarm(alternate);
	/* Handlers start with the initial vector state. */
	(void)arch_vector_restore_user(0);

	frame->rdi = (uint64_t)delivery->info.signo;
	frame->rsi = layout.frame + offsetof(struct signal_frame, info);
	frame->rdx = layout.frame + offsetof(struct signal_frame, context);
	frame->rax = 0;
	frame->rip = action->handler;
	frame->rsp = layout.frame;
	frame->rflags &= ~(FLAG_DIRECTION | FLAG_RESUME | FLAG_TRAP);
	frame->vector = TRAP_RESTORE_ALL;
	return 0;
}

/* ---- restoring ------------------------------------------------------------- */

static void load_registers(struct trap_frame *frame, const struct linux_sigcontext *context)
{
	frame->r8 = context->r8;
	frame->r9 = context->r9;
	frame->r10 = context->r10;
	frame->r11 = context->r11;
	frame->r12 = context->r12;
	frame->r13 = context->r13;
	frame->r14 = context->r14;
	frame->r15 = context->r15;
	frame->rdi = context->rdi;
	frame->rsi = context->rsi;
	frame->rbp = context->rbp;
	frame->rbx = context->rbx;
	frame->rdx = context->rdx;
	frame->rax = context->rax;
	frame->rcx = context->rcx;
	frame->rsp = context->rsp;
	frame->rip = context->rip;
	frame->rflags = (frame->rflags & ~USER_FLAGS) | (context->eflags & USER_FLAGS);
	/* cs and ss stay: there is one code segment. */
}

int signal_frame_restore(struct trap_frame *frame)
{
	struct linux_ucontext context;
	uint64_t address = frame->rsp - sizeof(uint64_t);

	if (user_copy_in(&context, address + offsetof(struct signal_frame, context),
		    sizeof(context)) != 0)
		return -LINUX_EFAULT;
	signal_replace_mask(context.sigmask);
	load_registers(frame, &context.mcontext);
	frame->error = SYSCALL_NO_RESTART;
	/* The vector registers are dead while their new values are fetched, so that a
	 * switch in between does not save the old ones. */
	frame->vector = TRAP_SYSCALL_CALL;
	int error = arch_vector_restore_user(context.mcontext.fpstate);
	frame->vector = TRAP_RESTORE_ALL;
	if (error != 0)
		return -LINUX_EFAULT;
	/* As Linux: what the frame says of the alternate stack is taken if it makes sense. */
	(void)signal_stack_set(&context.stack, frame->rsp);
	/* An address the CPU cannot return to is a fault of the program, at that address. */
	if (frame->rip >= LOWER_HALF_END)
		signal_force_fault(LINUX_SIGSEGV, LINUX_SI_KERNEL, 0, TRAP_GENERAL_PROTECTION, 0);
	return 0;
}
