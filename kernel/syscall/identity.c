/*
 * Users, groups, sessions and capabilities: credentials(7). The program is process
 * PROCESS_ID, leads its session and its group, and starts as root.
 */
#include "kernel/credentials.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "lib/string.h"

#define UNCHANGED UINT32_MAX /* -1: leave this one */

static bool has(const struct credentials *credentials, enum capability capability)
{
	return (credentials->effective >> capability & 1) != 0;
}

/* ---- processes ------------------------------------------------------------- */

long sys_getpgrp(void)
{
	return PROCESS_ID;
}

bool syscall_is_program(int pid)
{
	if (pid == 0 || pid == PROCESS_ID)
		return true;
	struct thread *thread = pid > 0 ? thread_find(pid) : NULL;

	if (thread == NULL)
		return false;
	thread_release(thread);
	return true;
}

long sys_getpgid(uint64_t pid)
{
	return syscall_is_program((int)pid) ? PROCESS_ID : -LINUX_ESRCH;
}

long sys_getsid(uint64_t pid)
{
	return syscall_is_program((int)pid) ? PROCESS_ID : -LINUX_ESRCH;
}

long sys_setpgid(uint64_t pid, uint64_t group)
{
	if ((int)group < 0)
		return -LINUX_EINVAL;
	if ((int)pid != 0 && (int)pid != PROCESS_ID)
		return syscall_is_program((int)pid) ? -LINUX_EINVAL : -LINUX_ESRCH;
	return -LINUX_EPERM; /* a session leader */
}

long sys_setsid(void)
{
	return -LINUX_EPERM; /* it leads a group already */
}

/* ---- users ------------------------------------------------------------------- */

long sys_getuid(void)
{
	return credentials_get().uid;
}

long sys_geteuid(void)
{
	return credentials_get().euid;
}

long sys_getgid(void)
{
	return credentials_get().gid;
}

long sys_getegid(void)
{
	return credentials_get().egid;
}

static long copy_ids_out(const uint64_t addresses[3], const uint32_t ids[3])
{
	for (int i = 0; i < 3; i++)
		if (user_copy_out(addresses[i], &ids[i], sizeof(ids[i])) != 0)
			return -LINUX_EFAULT;
	return 0;
}

long sys_getresuid(uint64_t real, uint64_t effective, uint64_t saved)
{
	const struct credentials now = credentials_get();

	return copy_ids_out((const uint64_t[]){real, effective, saved},
		(const uint32_t[]){now.uid, now.euid, now.suid});
}

long sys_getresgid(uint64_t real, uint64_t effective, uint64_t saved)
{
	const struct credentials now = credentials_get();

	return copy_ids_out((const uint64_t[]){real, effective, saved},
		(const uint32_t[]){now.gid, now.egid, now.sgid});
}

/* What becomes of capabilities when users change: capabilities(7), "Effect of user
 * ID changes on capabilities". */
static void adjust_capabilities(struct credentials *new, const struct credentials *old)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = new->uid == 0 || new->euid == 0 || new->suid == 0;

	if (had_root && !has_root)
		new->permitted = new->effective = 0;
	if (old->euid == 0 && new->euid != 0)
		new->effective = 0;
	if (old->euid != 0 && new->euid == 0)
		new->effective = new->permitted;
}

/* The three ids of users, or of groups, so that both are changed by one code. */
struct id_set {
	uint32_t *real, *effective, *saved, *fs;
};

static struct id_set ids_of(struct credentials *credentials, bool is_group)
{
	if (is_group)
		return (struct id_set){&credentials->gid, &credentials->egid, &credentials->sgid,
			&credentials->fsgid};
	return (struct id_set){
		&credentials->uid, &credentials->euid, &credentials->suid, &credentials->fsuid};
}

enum id_call { SET_ID, SET_RE_ID, SET_RES_ID };

struct id_change {
	enum id_call call;
	bool is_group;
	uint32_t real, effective, saved;
};

static bool is_one_of(const struct id_set *ids, uint32_t id)
{
	return id == *ids->real || id == *ids->effective || id == *ids->saved;
}

/* setuid(2): all three for the privileged, else the effective one. */
static int set_id(struct id_set *ids, const struct id_change *change, bool is_privileged)
{
	if (is_privileged)
		*ids->real = *ids->saved = change->effective;
	else if (change->effective != *ids->real && change->effective != *ids->saved)
		return -LINUX_EPERM;
	*ids->effective = change->effective;
	return 0;
}

static int set_re_id(struct id_set *ids, const struct id_change *change, bool is_privileged)
{
	uint32_t old_real = *ids->real, real = old_real, effective = *ids->effective;

	if (change->real != UNCHANGED) {
		real = change->real;
		if (real != *ids->real && real != *ids->effective && !is_privileged)
			return -LINUX_EPERM;
	}
	if (change->effective != UNCHANGED) {
		effective = change->effective;
		if (!is_one_of(ids, effective) && !is_privileged)
			return -LINUX_EPERM;
	}
	if (change->real != UNCHANGED || (change->effective != UNCHANGED && effective != old_real))
		*ids->saved = effective;
	*ids->real = real;
	*ids->effective = effective;
	return 0;
}

static int set_res_id(struct id_set *ids, const struct id_change *change, bool is_privileged)
{
	const uint32_t wanted[3] = {change->real, change->effective, change->saved};
	uint32_t *const targets[3] = {ids->real, ids->effective, ids->saved};

	for (int i = 0; i < 3; i++)
		if (wanted[i] != UNCHANGED && !is_one_of(ids, wanted[i]) && !is_privileged)
			return -LINUX_EPERM;
	for (int i = 0; i < 3; i++)
		if (wanted[i] != UNCHANGED)
			*targets[i] = wanted[i];
	return 0;
}

static int change_ids(struct credentials *credentials, void *argument)
{
	const struct id_change *change = argument;
	const struct credentials old = *credentials;
	struct id_set ids = ids_of(credentials, change->is_group);
	bool is_privileged =
		has(credentials, change->is_group ? CAPABILITY_SETGID : CAPABILITY_SETUID);
	int error;

	if (change->call == SET_ID)
		error = set_id(&ids, change, is_privileged);
	else if (change->call == SET_RE_ID)
		error = set_re_id(&ids, change, is_privileged);
	else
		error = set_res_id(&ids, change, is_privileged);
	if (error != 0)
		return error;
	*ids.fs = *ids.effective;
	if (!change->is_group)
		adjust_capabilities(credentials, &old);
	return 0;
}

static long set_single(uint64_t id, bool is_group)
{
	struct id_change change = {.call = SET_ID, .is_group = is_group, .effective = (uint32_t)id};

	if ((uint32_t)id == UNCHANGED)
		return -LINUX_EINVAL;
	return credentials_change(change_ids, &change);
}

long sys_setuid(uint64_t id)
{
	return set_single(id, false);
}

long sys_setgid(uint64_t id)
{
	return set_single(id, true);
}

long sys_setreuid(uint64_t real, uint64_t effective)
{
	struct id_change change = {
		SET_RE_ID, false, (uint32_t)real, (uint32_t)effective, UNCHANGED};

	return credentials_change(change_ids, &change);
}

long sys_setregid(uint64_t real, uint64_t effective)
{
	struct id_change change = {SET_RE_ID, true, (uint32_t)real, (uint32_t)effective, UNCHANGED};

	return credentials_change(change_ids, &change);
}

long sys_setresuid(uint64_t real, uint64_t effective, uint64_t saved)
{
	struct id_change change = {
		SET_RES_ID, false, (uint32_t)real, (uint32_t)effective, (uint32_t)saved};

	return credentials_change(change_ids, &change);
}

long sys_setresgid(uint64_t real, uint64_t effective, uint64_t saved)
{
	struct id_change change = {
		SET_RES_ID, true, (uint32_t)real, (uint32_t)effective, (uint32_t)saved};

	return credentials_change(change_ids, &change);
}

/* ---- setfsuid(2): returns the old id, changed or not ------------------------- */

struct fs_change {
	bool is_group;
	uint32_t id, old;
};

static int change_fs_id(struct credentials *credentials, void *argument)
{
	struct fs_change *change = argument;
	struct id_set ids = ids_of(credentials, change->is_group);
	bool is_privileged =
		has(credentials, change->is_group ? CAPABILITY_SETGID : CAPABILITY_SETUID);

	change->old = *ids.fs;
	if (change->id != UNCHANGED &&
		(is_one_of(&ids, change->id) || change->id == *ids.fs || is_privileged))
		*ids.fs = change->id;
	return 0;
}

static long set_fs_id(uint64_t id, bool is_group)
{
	struct fs_change change = {.is_group = is_group, .id = (uint32_t)id};

	(void)credentials_change(change_fs_id, &change);
	return change.old;
}

long sys_setfsuid(uint64_t id)
{
	return set_fs_id(id, false);
}

long sys_setfsgid(uint64_t id)
{
	return set_fs_id(id, true);
}

/* ---- supplementary groups ------------------------------------------------------ */

struct groups {
	uint32_t count;
	uint32_t ids[CREDENTIALS_MAX_GROUPS];
};

static int read_groups(struct credentials *credentials, void *argument)
{
	struct groups *groups = argument;

	groups->count = credentials->group_count;
	memcpy(groups->ids, credentials->groups, sizeof(groups->ids));
	return 0;
}

static int write_groups(struct credentials *credentials, void *argument)
{
	const struct groups *groups = argument;

	if (!has(credentials, CAPABILITY_SETGID))
		return -LINUX_EPERM;
	credentials->group_count = groups->count;
	memcpy(credentials->groups, groups->ids, sizeof(groups->ids));
	return 0;
}

long sys_getgroups(uint64_t size, uint64_t list)
{
	struct groups groups;

	if ((int)size < 0)
		return -LINUX_EINVAL;
	(void)credentials_change(read_groups, &groups);
	if ((int)size == 0)
		return groups.count;
	if (groups.count > (uint32_t)size)
		return -LINUX_EINVAL;
	if (user_copy_out(list, groups.ids, groups.count * sizeof(groups.ids[0])) != 0)
		return -LINUX_EFAULT;
	return groups.count;
}

/* Linux keeps them in order, and so shows them. */
static void sort(struct groups *groups)
{
	for (uint32_t i = 1; i < groups->count; i++) {
		uint32_t id = groups->ids[i], at = i;

		for (; at > 0 && groups->ids[at - 1] > id; at--)
			groups->ids[at] = groups->ids[at - 1];
		groups->ids[at] = id;
	}
}

long sys_setgroups(uint64_t size, uint64_t list)
{
	struct groups groups = {.count = (uint32_t)size};

	if (!credentials_has(CAPABILITY_SETGID))
		return -LINUX_EPERM;
	if ((uint32_t)size > CREDENTIALS_MAX_GROUPS)
		return -LINUX_EINVAL;
	if (user_copy_in(groups.ids, list, groups.count * sizeof(groups.ids[0])) != 0)
		return -LINUX_EFAULT;
	for (uint32_t i = 0; i < groups.count; i++)
		if (groups.ids[i] == UNCHANGED)
			return -LINUX_EINVAL;
	sort(&groups);
	return credentials_change(write_groups, &groups);
}

/* ---- capabilities ---------------------------------------------------------------- */

#define CAPABILITY_VERSION_1 0x19980330u
#define CAPABILITY_VERSION_2 0x20071026u
#define CAPABILITY_VERSION_3 0x20080522u

struct capability_header {
	uint32_t version;
	int32_t pid;
};

struct capability_data {
	uint32_t effective, permitted, inheritable;
};

/* How many capability_data follow; an unknown version is answered with ours. */
static int read_capability_header(
	uint64_t address, struct capability_header *header, unsigned *parts)
{
	const uint32_t preferred = CAPABILITY_VERSION_3;

	if (user_copy_in(&header->version, address, sizeof(header->version)) != 0)
		return -LINUX_EFAULT;
	switch (header->version) {
	case CAPABILITY_VERSION_1:
		*parts = 1;
		break;
	case CAPABILITY_VERSION_2:
	case CAPABILITY_VERSION_3:
		*parts = 2;
		break;
	default:
		if (user_copy_out(address, &preferred, sizeof(preferred)) != 0)
			return -LINUX_EFAULT;
		return -LINUX_EINVAL;
	}
	if (user_copy_in(&header->pid, address + sizeof(header->version), sizeof(header->pid)) != 0)
		return -LINUX_EFAULT;
	return 0;
}

long sys_capget(uint64_t header_address, uint64_t data_address)
{
	struct capability_header header;
	unsigned parts;
	int error = read_capability_header(header_address, &header, &parts);

	if (error != 0)
		return error == -LINUX_EINVAL && data_address == 0 ? 0 : error;
	if (header.pid < 0)
		return -LINUX_EINVAL;
	if (!syscall_is_program(header.pid))
		return -LINUX_ESRCH;
	const struct credentials now = credentials_get();
	const struct capability_data data[2] = {
		{(uint32_t)now.effective, (uint32_t)now.permitted, (uint32_t)now.inheritable},
		{(uint32_t)(now.effective >> 32), (uint32_t)(now.permitted >> 32),
			(uint32_t)(now.inheritable >> 32)},
	};

	if (data_address != 0 && user_copy_out(data_address, data, parts * sizeof(data[0])) != 0)
		return -LINUX_EFAULT;
	return 0;
}

struct capability_change {
	uint64_t effective, permitted, inheritable;
};

static int change_capabilities(struct credentials *credentials, void *argument)
{
	const struct capability_change *change = argument;
	uint64_t inheritable_limit = credentials->inheritable | credentials->permitted;

	if ((change->inheritable & ~inheritable_limit) != 0 ||
		(change->permitted & ~credentials->permitted) != 0 ||
		(change->effective & ~change->permitted) != 0)
		return -LINUX_EPERM;
	credentials->effective = change->effective;
	credentials->permitted = change->permitted;
	credentials->inheritable = change->inheritable;
	return 0;
}

long sys_capset(uint64_t header_address, uint64_t data_address)
{
	struct capability_header header;
	struct capability_data data[2] = {{0}};
	unsigned parts;
	int error = read_capability_header(header_address, &header, &parts);

	if (error != 0)
		return error;
	if (header.pid != 0 && header.pid != thread_current()->tid)
		return -LINUX_EPERM;
	if (user_copy_in(data, data_address, parts * sizeof(data[0])) != 0)
		return -LINUX_EFAULT;
	struct capability_change change = {
		.effective = (uint64_t)data[1].effective << 32 | data[0].effective,
		.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted,
		.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable,
	};

	return credentials_change(change_capabilities, &change);
}
