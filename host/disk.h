/*
 * The disks of a VM: what --disk asks for.
 *
 * NAME=FILE[:PATH][:ro]: the file, or block device, is /dev/NAME in the VM, and its ext4 file
 * system is mounted at PATH, if one is given.
 */
#ifndef HOST_DISK_H
#define HOST_DISK_H

#include "abi/boot_info.h"
#include "host/alloc.h"

struct disk {
	struct boot_disk boot; /* as the kernel gets it */
	const char *path;      /* of the host */
};

struct disks {
	struct text_list text; /* as given */
	const char *log;       /* --disk-log, for tests: NULL: none */

	/* understood */
	struct disk disks[BOOT_MAX_DISKS];
	uint32_t count;
};

/* Checks what was given; fails the command on errors. */
void disks_understand(struct disks *disks);
/* Fails the command unless each can be opened, is large enough and used by nobody else. They
 * stay locked until this process ends. For launchers that do not do so themselves. */
void disks_lock(const struct disks *disks);

#endif
