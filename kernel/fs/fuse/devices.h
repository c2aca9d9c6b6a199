/*
 * The devices that carry FUSE messages; implemented by drivers/.
 */
#ifndef KERNEL_FS_FUSE_DEVICES_H
#define KERNEL_FS_FUSE_DEVICES_H

#include "kernel/fs/fuse/transport.h"

/* Finds and sets up all of them; once, at boot. */
void fuse_find_devices(void);
/* What the device became; NULL: it cannot be used. */
struct fuse_transport *fuse_find_device(const struct boot_device *boot);

#endif
