/* Tests of monitor/sandbox.c. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"
#include "monitor/sandbox.h"

static const struct sandbox_needs nothing, net = {.has_net = true}, disk = {.has_disk = true};

/* What becomes of a process that makes a call inside. */
static int inside(const struct sandbox_needs *needs, long number)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sandbox_enter(needs);
		syscall(number, -1, 0, 0, 0, 0, 0);
		syscall(SYS_exit_group, 7);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(few_calls_are_allowed)
{
	uint16_t calls[SANDBOX_MAX_CALLS];

	CHECK(sandbox_calls(&nothing, calls) <= 15);
	CHECK(sandbox_calls(&net, calls) <= 20);
	CHECK(sandbox_calls(&disk, calls) < 40);
}

TEST(allowed_calls_work)
{
	CHECK_EQUAL(inside(&nothing, SYS_futex), 7);
	CHECK_EQUAL(inside(&net, SYS_readv), 7);
	CHECK_EQUAL(inside(&disk, SYS_fdatasync), 7);
}

TEST(others_end_the_process)
{
	static const long numbers[] = {SYS_execve, SYS_openat, SYS_open, SYS_socket, SYS_ptrace,
		SYS_mmap, SYS_mprotect, SYS_getuid, SYS_clone3, SYS_prctl, SYS_readv, 0x40000001};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK_EQUAL(inside(&nothing, numbers[i]), -SIGSYS);
	CHECK_EQUAL(inside(&net, SYS_connect), -SIGSYS);
	CHECK_EQUAL(inside(&disk, SYS_openat), -SIGSYS);
}

TEST_DEFINE_MAIN
