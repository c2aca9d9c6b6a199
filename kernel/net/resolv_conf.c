/*
 * /etc/resolv.conf, made when it is read, so that it always has the servers known by then. A
 * program that reads it right at its start waits for what DHCP or a router will say.
 */
#include "kernel/net/resolv_conf.h"
#include "abi/linux/fcntl.h"
#include "kernel/fs/vfs.h"
#include "kernel/net/ip.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/wait.h"

#define WAIT_NS (10ull * 1000000000)

static long generate(char *buffer, size_t capacity, void *argument)
{
	(void)argument;
	/* Interrupted or not, what is known by then is the answer. */
	(void)WAIT_UNTIL(
		ip_configuration_events(), !ip_is_configuring(), clock_monotonic_ns() + WAIT_NS);
	return (long)ip_resolver_text(buffer, capacity);
}

int resolv_conf_init(void)
{
	struct linux_stat stat;

	/* What the program's own files say, if anything. */
	if (vfs_stat(LINUX_AT_FDCWD, "/etc/resolv.conf", 0, &stat) == 0 && stat.size > 0)
		return 0;
	return vfs_add_text("/etc/resolv.conf", generate, NULL);
}
