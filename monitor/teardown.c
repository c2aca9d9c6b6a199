/* Leaving the VM's teardown to another process; see teardown.h. */
#include "monitor/teardown.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES 4096
#define CHECK_MS    1

/* Sandbox, base: clone close getppid poll exit_group */

static char stack[STACK_BYTES] __attribute__((aligned(16)));
static pid_t monitor;

void teardown_init(void)
{
	monitor = getpid();
}

/* Shares the memory and the thread pointer of a thread that is ending: plain system
 * calls only. */
static int wait_for_monitor(void *unused)
{
	(void)unused;
	while (syscall(SYS_getppid) == monitor)
		syscall(SYS_poll, NULL, 0, CHECK_MS);
	syscall(SYS_exit_group, 0);
	return 0;
}

void teardown_leave_behind(void)
{
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	(void)clone(wait_for_monitor, stack + STACK_BYTES, CLONE_VM | CLONE_FILES | CLONE_FS, NULL);
}
