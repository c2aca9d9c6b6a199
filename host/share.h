/*
 * The directories of the host that a VM sees: what -v HOST:GUEST[:ro] asks for.
 */
#ifndef HOST_SHARE_H
#define HOST_SHARE_H

#include "abi/boot_info.h"
#include "host/alloc.h"

struct share {
	const char *path; /* of the host, absolute */
	const char *mount_path;
	bool read_only;
};

struct shares {
	struct text_list text; /* as given */

	/* understood */
	struct share shares[BOOT_MAX_SHARES];
	uint32_t count;
};

/* Checks what was given; fails the command on errors. */
void shares_understand(struct shares *shares);

#endif
