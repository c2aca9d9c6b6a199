/*
 * See system_name.h. The release starts with the Linux version whose system calls are
 * offered: programs parse it to find out what they may use. 6.1 has all that is here.
 */
#include "kernel/system_name.h"
#include "kernel/lock.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

/* `lock` (rank 55) guards names. */
static struct spinlock lock;
static char names[SYSTEM_NAME_COUNT][SYSTEM_NAME_BYTES] = {
	[SYSTEM_NAME] = "Linux",
	[SYSTEM_NODE_NAME] = "burrow",
	[SYSTEM_RELEASE] = "6.1.0-burrow",
	[SYSTEM_VERSION] = "#1 SMP Burrow",
	[SYSTEM_MACHINE] = "x86_64",
	[SYSTEM_DOMAIN_NAME] = "(none)",
};

void system_get_name(enum system_name which, char text[SYSTEM_NAME_BYTES])
{
	spin_lock(&lock);
	memcpy(text, names[which], SYSTEM_NAME_BYTES);
	spin_unlock(&lock);
}

static int set(enum system_name which, const char *text, size_t bytes)
{
	if (bytes >= SYSTEM_NAME_BYTES)
		return -LINUX_EINVAL;
	spin_lock(&lock);
	memset(names[which], 0, SYSTEM_NAME_BYTES);
	memcpy(names[which], text, bytes);
	spin_unlock(&lock);
	return 0;
}

int system_set_node_name(const char *text, size_t bytes)
{
	return set(SYSTEM_NODE_NAME, text, bytes);
}

int system_set_domain_name(const char *text, size_t bytes)
{
	return set(SYSTEM_DOMAIN_NAME, text, bytes);
}
