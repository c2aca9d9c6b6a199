/* Boot of the kernel: one ordered list of calls, on vcpu 0, each with what it needs. */
#include "abi/boot_info.h"
#include "kernel/system_name.h"
#include "kernel/block/block.h"
#include "kernel/console.h"
#include "kernel/entropy.h"
#include "kernel/exec/exec.h"
#include "kernel/fs/block_node.h"
#include "kernel/fs/boot_mounts.h"
#include "kernel/fs/fuse/devices.h"
#include "kernel/fs/file.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "kernel/net/device.h"
#include "kernel/net/net.h"
#include "kernel/net/proc_net.h"
#include "kernel/net/resolv_conf.h"
#include "kernel/net/sntp.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "kernel/random.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/futex.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "lib/string.h"

/* The rest of booting, in a thread of the kernel: from here on it may sleep on a device. */
static void start_program(void *argument)
{
	const struct boot_info *info = argument;

	boot_mounts_start(info);
	exec_start_program(info);
	thread_exit(0);
}

_Noreturn void kernel_main(void)
{
	const struct boot_info *info = platform_boot_info();

	page_alloc_init(info);   /* memory; everything else may allocate from here on */
	platform_memory_ready(); /* page tables may grow */
	clock_init();
	random_init(info->seed); /* address-space layout depends on it */
	platform_forget_seed();
	sched_init(); /* this context becomes the idle thread of vcpu 0 */
	signal_init();
	futex_init();
	vm_init();
	console_init(); /* from here on, messages reach the user's stderr */
	rng_init();     /* its answer is mixed in when it comes */
	if (info->hostname[0] != 0)
		(void)system_set_node_name(
			info->hostname, strnlen(info->hostname, sizeof(info->hostname)));
	if (vfs_init() != 0 || console_open_standard() != 0)
		panic("not enough memory to boot");
	if (net_init() != 0 || resolv_conf_init() != 0)
		panic("not enough memory to boot");
	net_device_find_all(); /* their configuration begins */
	net_poll_init();
	block_find_all();
	fuse_find_devices();
	if (sntp_init() != 0 || proc_net_init() != 0 || block_node_init() != 0)
		panic("not enough memory to boot");
	if (info->flags & BOOT_TRACE_SYSCALLS)
		syscall_trace_enable();
	if (thread_start_kernel("boot", start_program, (void *)(uintptr_t)info) != 0)
		panic("not enough memory to boot");
	sched_start();
}
