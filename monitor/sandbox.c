/* See sandbox.h. */
#include "monitor/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/sandbox_calls.h"

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#endif

static size_t add_calls(uint16_t *calls, size_t count, const uint16_t *more, size_t more_count)
{
	for (size_t i = 0; i < more_count && count < SANDBOX_MAX_CALLS; i++) {
		size_t at = 0;

		while (at < count && calls[at] != more[i])
			at++;
		if (at == count)
			calls[count++] = more[i];
	}
	return count;
}

size_t sandbox_calls(const struct sandbox_needs *needs, uint16_t *calls)
{
	size_t count = add_calls(calls, 0, calls_base, ARRAY_SIZE(calls_base));

	if (needs->has_net)
		count = add_calls(calls, count, calls_net, ARRAY_SIZE(calls_net));
	if (needs->has_disk)
		count = add_calls(calls, count, calls_disk, ARRAY_SIZE(calls_disk));
	return count;
}

void sandbox_prepare(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* Every access to files by name that Landlock knows of: none is allowed anywhere. */
static void leave_files(void)
{
#ifdef SYS_landlock_create_ruleset
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	long fd = syscall(
		SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);

	if (fd < 0)
		return;
	(void)syscall(SYS_landlock_restrict_self, fd, 0);
	close((int)fd);
#endif
}

static void leave_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	(void)syscall(SYS_capset, &header, none);
}

static void leave_calls(const struct sandbox_needs *needs)
{
	struct sock_filter filter[SANDBOX_MAX_CALLS + 8];
	uint16_t calls[SANDBOX_MAX_CALLS];
	size_t count = sandbox_calls(needs, calls), at = 0;
	struct sock_fprog program = {.filter = filter};

	filter[at++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	filter[at++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	/* A number of the x32 interface equals none of these. */
	filter[at++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++)
		filter[at++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, calls[i], (uint8_t)(count - i), 0);
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)at;
	(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

void sandbox_enter(const struct sandbox_needs *needs)
{
	leave_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return;
	leave_files();
	leave_calls(needs);
}
