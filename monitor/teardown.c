/* Leaving the VM's teardown to another process; see teardown.h. */
#include "monitor/teardown.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES 4096
#define CHECK_NS    200000

static char stack[STACK_BYTES] __attribute__((aligned(16)));
static pid_t monitor;

/* Shares the memory and the thread pointer of a thread that is ending: plain system
 * calls only. */
static int wait_for_monitor(void *unused)
{
	struct timespec pause = {0, CHECK_NS};

	(void)unused;
	while (syscall(SYS_getppid) == monitor)
		syscall(SYS_nanosleep, &pause, NULL);
	syscall(SYS_exit, 0);
	return 0;
}

void teardown_leave_behind(void)
{
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	monitor = getpid();
	(void)clone(wait_for_monitor, stack + STACK_BYTES, CLONE_VM | CLONE_FILES | CLONE_FS, NULL);
}
