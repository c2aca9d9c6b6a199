/*
 * Who the program is: users, groups and capabilities, credentials(7).
 *
 * One set for the whole program. Linux keeps one a thread and leaves it to libc to
 * change all of them; each thread that makes the same change here gets the same
 * answer, so both ways agree. Guarded by credentials.lock, rank 55.
 */
#ifndef KERNEL_CREDENTIALS_H
#define KERNEL_CREDENTIALS_H

#include "lib/compiler.h"

#define CREDENTIALS_MAX_GROUPS 64

enum capability {
	CAPABILITY_CHOWN = 0,
	CAPABILITY_DAC_OVERRIDE = 1,
	CAPABILITY_DAC_READ_SEARCH = 2,
	CAPABILITY_FOWNER = 3,
	CAPABILITY_FSETID = 4,
	CAPABILITY_KILL = 5,
	CAPABILITY_SETGID = 6,
	CAPABILITY_SETUID = 7,
	CAPABILITY_SETPCAP = 8,
	CAPABILITY_NET_ADMIN = 12,
	CAPABILITY_NET_RAW = 13,
	CAPABILITY_SYS_RESOURCE = 24,
};

struct credentials {
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t effective, permitted, inheritable; /* bit n: enum capability */
	uint32_t group_count;
	uint32_t groups[CREDENTIALS_MAX_GROUPS];
};

/* A consistent copy without the supplementary groups (group_count 0). */
struct credentials credentials_get(void);
bool credentials_has(enum capability capability);
/* True for the fs group and supplementary groups. */
bool credentials_in_group(uint32_t gid);

/* Runs change(copy, argument) and, if it returns 0, puts the copy in place. */
int credentials_change(
	int (*change)(struct credentials *credentials, void *argument), void *argument);

#endif
