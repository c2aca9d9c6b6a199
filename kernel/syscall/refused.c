/*
 * System calls that are refused on purpose. ENOSYS: this kernel has no such thing,
 * and programs that ask have a way without. EPERM: it exists elsewhere, but is not
 * for this program to do to its machine; programs know that answer from containers.
 * What concerns other processes is in thread.c.
 */
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"

#define REFUSE(name, error)                                                                        \
	long sys_##name(void)                                                                      \
	{                                                                                          \
		return -(error);                                                                   \
	}

REFUSE(ptrace, LINUX_ENOSYS)
REFUSE(syslog, LINUX_ENOSYS)
REFUSE(_sysctl, LINUX_ENOSYS)
REFUSE(add_key, LINUX_ENOSYS)
REFUSE(request_key, LINUX_ENOSYS)
REFUSE(keyctl, LINUX_ENOSYS)
REFUSE(ioprio_set, LINUX_ENOSYS)
REFUSE(ioprio_get, LINUX_ENOSYS)
REFUSE(perf_event_open, LINUX_ENOSYS)
REFUSE(fanotify_init, LINUX_ENOSYS)
REFUSE(fanotify_mark, LINUX_ENOSYS)
REFUSE(process_vm_readv, LINUX_ENOSYS)
REFUSE(process_vm_writev, LINUX_ENOSYS)
REFUSE(kcmp, LINUX_ENOSYS)
REFUSE(seccomp, LINUX_ENOSYS)
REFUSE(bpf, LINUX_ENOSYS)
REFUSE(userfaultfd, LINUX_ENOSYS)
REFUSE(pidfd_getfd, LINUX_ENOSYS)
REFUSE(io_uring_setup, LINUX_ENOSYS)
REFUSE(io_uring_enter, LINUX_ENOSYS)
REFUSE(io_uring_register, LINUX_ENOSYS)
REFUSE(open_tree, LINUX_ENOSYS)
REFUSE(move_mount, LINUX_ENOSYS)
REFUSE(fsopen, LINUX_ENOSYS)
REFUSE(fsconfig, LINUX_ENOSYS)
REFUSE(fsmount, LINUX_ENOSYS)
REFUSE(fspick, LINUX_ENOSYS)
REFUSE(mount_setattr, LINUX_ENOSYS)
REFUSE(landlock_create_ruleset, LINUX_ENOSYS)
REFUSE(landlock_add_rule, LINUX_ENOSYS)
REFUSE(landlock_restrict_self, LINUX_ENOSYS)

REFUSE(vhangup, LINUX_EPERM)
REFUSE(pivot_root, LINUX_EPERM)
REFUSE(chroot, LINUX_EPERM)
REFUSE(acct, LINUX_EPERM)
REFUSE(mount, LINUX_EPERM)
REFUSE(umount2, LINUX_EPERM)
REFUSE(swapon, LINUX_EPERM)
REFUSE(swapoff, LINUX_EPERM)
REFUSE(reboot, LINUX_EPERM)
REFUSE(iopl, LINUX_EPERM)
REFUSE(ioperm, LINUX_EPERM)
REFUSE(init_module, LINUX_EPERM)
REFUSE(delete_module, LINUX_EPERM)
REFUSE(finit_module, LINUX_EPERM)
REFUSE(quotactl, LINUX_EPERM)
REFUSE(kexec_load, LINUX_EPERM)
REFUSE(kexec_file_load, LINUX_EPERM)
REFUSE(open_by_handle_at, LINUX_EPERM)
REFUSE(setns, LINUX_EPERM)

long sys_unshare(uint64_t flags)
{
	return flags == 0 ? 0 : -LINUX_EPERM;
}
