/* The kinds of file system that volumes can hold. See boot_mounts.h. */
#include "kernel/fs/boot_mounts.h"

const struct volume_type *const volume_types[] = {
	NULL,
};
