/* ext4, for the table of file systems that volumes can hold. */
#ifndef KERNEL_FS_EXT4_VOLUME_TYPE_H
#define KERNEL_FS_EXT4_VOLUME_TYPE_H

#include "kernel/fs/boot_mounts.h"

extern const struct volume_type ext4_volume_type;

#endif
