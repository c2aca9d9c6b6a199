/*
 * Calls about threads: making and ending them, their ids and pointers. Starting other
 * programs is refused here.
 */
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/log.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "lib/string.h"

enum clone_flags {
	CLONE_VM = 0x100,
	CLONE_FS = 0x200,
	CLONE_FILES = 0x400,
	CLONE_SIGHAND = 0x800,
	CLONE_PIDFD = 0x1000,
	CLONE_THREAD = 0x10000,
	CLONE_NEWNS = 0x20000,
	CLONE_SETTLS = 0x80000,
	CLONE_PARENT_SETTID = 0x100000,
	CLONE_CHILD_CLEARTID = 0x200000,
	CLONE_CHILD_SETTID = 0x1000000,
	CLONE_NAMESPACES = 0x7e020000,
};

/* ---- threads --------------------------------------------------------------- */

/* What a thread of this program must share; 0, or the error Linux or this kernel gives. */
static int check_clone_flags(uint64_t flags)
{
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -LINUX_EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -LINUX_EINVAL;
	if (flags & CLONE_THREAD) {
		/* Tables of its own, or another namespace, are not to be had here. */
		if (!(flags & CLONE_FS) || !(flags & CLONE_FILES) ||
			(flags & (CLONE_NAMESPACES | CLONE_PIDFD)))
			return -LINUX_EINVAL;
		return 0;
	}
	return -LINUX_ENOSYS;
}

static void refuse_process(const char *call)
{
	static bool is_known;

	if (!__atomic_exchange_n(&is_known, true, __ATOMIC_RELAXED))
		log_notice("program tried to start another process: "
			   "a Burrow machine runs one program (%s: ENOSYS)",
			call);
}

static int start_clone(
	uint64_t flags, uintptr_t stack, uintptr_t parent_tid, uintptr_t child_tid, uint64_t tls)
{
	struct thread *self = thread_current(), *thread;
	struct trap_frame frame = *arch_thread_frame(self);
	int error, tid;

	error = thread_create(&thread, self->name);
	if (error)
		return error == -LINUX_ENOMEM ? -LINUX_EAGAIN : error;
	frame.rax = 0;
	if (stack)
		frame.rsp = stack;
	error = arch_thread_init_user(thread, &frame);
	if (error)
		goto fail;
	arch_set_fs_base(thread, flags & CLONE_SETTLS ? tls : self->arch.fs_base);
	tid = thread->tid;
	error = -LINUX_EFAULT;
	if ((flags & CLONE_PARENT_SETTID) && user_copy_out(parent_tid, &tid, sizeof(tid)) != 0)
		goto fail;
	if ((flags & CLONE_CHILD_SETTID) && user_copy_out(child_tid, &tid, sizeof(tid)) != 0)
		goto fail;
	if (flags & CLONE_CHILD_CLEARTID)
		thread->clear_tid = child_tid;
	thread_start(thread);
	return tid;
fail:
	thread_release(thread);
	return error;
}

long sys_clone(
	uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid, uint64_t tls)
{
	int error = check_clone_flags(flags);

	if (error == -LINUX_ENOSYS)
		refuse_process("clone");
	if (error)
		return error;
	if ((flags & CLONE_SETTLS) && tls >= USER_END)
		return -LINUX_EPERM;
	return start_clone(flags, stack, parent_tid, child_tid, tls);
}

long sys_clone3(uint64_t arguments, uint64_t bytes)
{
	(void)arguments;
	(void)bytes;
	return -LINUX_ENOSYS; /* libraries then use clone */
}

long sys_exit(uint64_t status)
{
	thread_exit((int)(status & 0xff));
}

long sys_exit_group(uint64_t status)
{
	process_exit((int)(status & 0xff), 0);
}

long sys_gettid(void)
{
	return thread_current()->tid;
}

long sys_getpid(void)
{
	return PROCESS_ID;
}

long sys_getppid(void)
{
	return 0;
}

long sys_set_tid_address(uint64_t address)
{
	struct thread *self = thread_current();

	self->clear_tid = address;
	return self->tid;
}

#define ROBUST_LIST_HEAD_BYTES 24

long sys_set_robust_list(uint64_t head, uint64_t bytes)
{
	if (bytes != ROBUST_LIST_HEAD_BYTES)
		return -LINUX_EINVAL;
	thread_current()->robust_list = head;
	return 0;
}

long sys_get_robust_list(uint64_t tid, uint64_t head, uint64_t bytes)
{
	const uint64_t length = ROBUST_LIST_HEAD_BYTES;
	struct thread *thread;
	uint64_t value;

	if ((int)tid == 0) {
		value = thread_current()->robust_list;
	} else {
		thread = thread_find((int)tid);
		if (!thread)
			return -LINUX_ESRCH;
		value = thread->robust_list;
		thread_release(thread);
	}
	if (user_copy_out(bytes, &length, sizeof(length)) != 0)
		return -LINUX_EFAULT;
	return user_copy_out(head, &value, sizeof(value));
}

enum arch_prctl_code {
	ARCH_SET_GS = 0x1001,
	ARCH_SET_FS = 0x1002,
	ARCH_GET_FS = 0x1003,
	ARCH_GET_GS = 0x1004,
	ARCH_GET_CPUID = 0x1011,
	ARCH_SET_CPUID = 0x1012,
};

long sys_arch_prctl(uint64_t code, uint64_t address)
{
	struct thread *self = thread_current();
	const uint64_t zero = 0;

	switch ((int)code) {
	case ARCH_SET_FS:
		if (address >= USER_END)
			return -LINUX_EPERM;
		arch_set_fs_base(self, address);
		return 0;
	case ARCH_GET_FS:
		return user_copy_out(address, &self->arch.fs_base, sizeof(uint64_t));
	case ARCH_GET_GS:
		return user_copy_out(address, &zero, sizeof(zero));
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -LINUX_ENODEV;
	case ARCH_SET_GS: /* GS is the kernel's, which runs in the program's ring */
	default:
		return -LINUX_EINVAL;
	}
}

/* ---- what a machine with one program refuses ------------------------------- */

long sys_fork(void)
{
	refuse_process("fork");
	return -LINUX_ENOSYS;
}

long sys_vfork(void)
{
	refuse_process("vfork");
	return -LINUX_ENOSYS;
}

static long refuse_program(uintptr_t path, const char *call)
{
	char name[128];
	long length = user_copy_string(name, path, sizeof(name));

	if (length == -LINUX_EFAULT)
		return -LINUX_EFAULT;
	if (length < 0)
		memcpy(name + sizeof(name) - 4, "...", 4);
	log_notice("program tried to start %s: a Burrow machine runs one program (%s: ENOSYS)",
		name, call);
	return -LINUX_ENOSYS;
}

long sys_execve(uint64_t path, uint64_t arguments, uint64_t environment)
{
	(void)arguments;
	(void)environment;
	return refuse_program(path, "execve");
}

long sys_execveat(
	uint64_t fd, uint64_t path, uint64_t arguments, uint64_t environment, uint64_t flags)
{
	(void)fd;
	(void)arguments;
	(void)environment;
	(void)flags;
	return refuse_program(path, "execveat");
}

/* There never are children. */
long sys_wait4(uint64_t pid, uint64_t status, uint64_t options, uint64_t usage)
{
	const uint64_t known = 0xe000000b; /* WNOHANG WUNTRACED WCONTINUED, __WALL and kin */

	(void)pid;
	(void)status;
	(void)usage;
	return (uint32_t)options & ~known ? -LINUX_EINVAL : -LINUX_ECHILD;
}

/* With this and the pidfd calls missing, Go's os package does not use pidfds. */
long sys_waitid(uint64_t type, uint64_t id, uint64_t info, uint64_t options, uint64_t usage)
{
	(void)type;
	(void)id;
	(void)info;
	(void)options;
	(void)usage;
	return -LINUX_ENOSYS;
}

long sys_pidfd_open(uint64_t pid, uint64_t flags)
{
	(void)pid;
	(void)flags;
	return -LINUX_ENOSYS;
}

long sys_pidfd_send_signal(uint64_t fd, uint64_t signal, uint64_t info, uint64_t flags)
{
	(void)fd;
	(void)signal;
	(void)info;
	(void)flags;
	return -LINUX_ENOSYS;
}

/* Restartable sequences need an abort at preemption; libraries do without. */
long sys_rseq(uint64_t area, uint64_t bytes, uint64_t flags, uint64_t signature)
{
	(void)area;
	(void)bytes;
	(void)flags;
	(void)signature;
	return -LINUX_ENOSYS;
}
