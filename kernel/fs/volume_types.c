/* The kinds of file system that volumes can hold. See boot_mounts.h. */
#include "kernel/fs/boot_mounts.h"
#include "kernel/fs/ext4/volume_type.h"

const struct volume_type *const volume_types[] = {
	&ext4_volume_type,
	NULL,
};
