/* The program's credentials: root at boot. The contract is in credentials.h. */
#include "kernel/credentials.h"
#include "kernel/lock.h"
#include "lib/string.h"

/*
 * What root has in this machine: all but what the kernel never grants, since there
 * is nothing behind it: SYS_MODULE 16, SYS_RAWIO 17, SYS_CHROOT 18, SYS_PTRACE 19,
 * SYS_ADMIN 21, SYS_BOOT 22.
 */
#define NEVER_GRANTED    (1ull << 16 | 1ull << 17 | 1ull << 18 | 1ull << 19 | 1ull << 21 | 1ull << 22)
#define ALL_CAPABILITIES (((1ull << 41) - 1) & ~NEVER_GRANTED)

static struct spinlock lock;
static struct credentials current = {
	.effective = ALL_CAPABILITIES,
	.permitted = ALL_CAPABILITIES,
};

struct credentials credentials_get(void)
{
	struct credentials copy;

	spin_lock(&lock);
	memcpy(&copy, &current, offsetof(struct credentials, groups));
	spin_unlock(&lock);
	copy.group_count = 0;
	return copy;
}

bool credentials_has(enum capability capability)
{
	return (READ_ONCE(current.effective) >> capability & 1) != 0;
}

bool credentials_in_group(uint32_t gid)
{
	bool found;

	spin_lock(&lock);
	found = current.fsgid == gid;
	for (uint32_t i = 0; i < current.group_count && !found; i++)
		found = current.groups[i] == gid;
	spin_unlock(&lock);
	return found;
}

int credentials_change(
	int (*change)(struct credentials *credentials, void *argument), void *argument)
{
	struct credentials copy;

	spin_lock(&lock);
	copy = current;
	int error = change(&copy, argument);
	if (error == 0)
		current = copy;
	spin_unlock(&lock);
	return error;
}
