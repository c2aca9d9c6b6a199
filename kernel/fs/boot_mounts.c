/* See boot_mounts.h. */
#include "kernel/fs/boot_mounts.h"
#include "kernel/block/block.h"
#include "abi/virtio.h"
#include "kernel/fs/fuse/devices.h"
#include "kernel/fs/fuse/fuse.h"
#include "kernel/log.h"
#include "kernel/sched/thread.h"
#include "lib/string.h"

#define STATUS_CANNOT_EXECUTE 126

static _Noreturn void refuse(const struct boot_disk *disk, const char *why)
{
	log_notice("disk %s: cannot mount it at %s: %s", disk->name, disk->mount_path, why);
	process_exit(STATUS_CANNOT_EXECUTE, 0);
}

static const char *explain(int error)
{
	switch (error) {
	case -LINUX_EINVAL:
		return "it holds no file system that is known here; make one with burrow volume";
	case -LINUX_EUCLEAN:
		return "its file system is damaged; check it with e2fsck";
	case -LINUX_EIO:
		return "it cannot be read";
	case -LINUX_EROFS:
		return "it may not be written, but was not closed; repair it with e2fsck";
	case -LINUX_ENOMEM:
		return "not enough memory; give the machine more (--mem)";
	case -LINUX_EBUSY:
		return "something else is mounted there";
	case -LINUX_ENOTDIR:
		return "that is not a directory";
	default:
		return NULL;
	}
}

static void check(const struct boot_disk *disk, int error)
{
	if (error == 0)
		return;
	if (explain(error) != NULL)
		refuse(disk, explain(error));
	log_notice(
		"disk %s: cannot mount it at %s: error %d", disk->name, disk->mount_path, -error);
	process_exit(STATUS_CANNOT_EXECUTE, 0);
}

static int open_volume(
	struct block_device *device, bool read_only, struct file_system **fs, struct vnode **root)
{
	int error = -LINUX_EINVAL;

	for (size_t i = 0; volume_types[i] != NULL && error == -LINUX_EINVAL; i++)
		error = volume_types[i]->open(device, read_only, fs, root);
	return error;
}

static void mount_disk(const struct boot_disk *disk)
{
	static const char prefix[] = "/dev/";
	struct block_device *device = block_find(disk->name);
	char source[sizeof(prefix) + sizeof(disk->name)];
	struct file_system *fs = NULL;
	struct vnode *root = NULL;
	bool read_only;
	int error;

	if (device == NULL)
		refuse(disk, "there is no such device");
	read_only = device->read_only || (disk->flags & BOOT_DISK_READ_ONLY) != 0;
	check(disk, open_volume(device, read_only, &fs, &root));
	memcpy(source, prefix, sizeof(prefix));
	memcpy(source + sizeof(prefix) - 1, device->name, strlen(device->name) + 1);
	error = vfs_mount(disk->mount_path, source, fs, root);
	/* A volume that was opened is closed again: it could be mounted elsewhere. */
	if (error != 0 && fs->storage->unmount != NULL)
		(void)fs->storage->unmount(fs);
	check(disk, error);
}

/* Of the launcher's own devices the path stands in their configuration. */
static void mount_share(const struct boot_device *device)
{
	const struct boot_share *share = platform_phys_to_virt((struct phys){device->base});
	struct fuse_transport *transport = fuse_find_device(device);
	struct file_system *fs = NULL;
	struct vnode *root = NULL;
	int error = transport == NULL ? -LINUX_ENODEV : 0;

	if (device->transport != BOOT_TRANSPORT_STATIC || device->base == 0)
		return;
	if (error == 0)
		error = fuse_open(transport, share->flags & BOOT_DISK_READ_ONLY, &fs, &root);
	if (error == 0)
		error = vfs_mount(share->mount_path, share->tag, fs, root);
	if (error == 0)
		return;
	log_notice("-v: cannot mount the directory at %s: error %d", share->mount_path, -error);
	process_exit(STATUS_CANNOT_EXECUTE, 0);
}

void boot_mounts_start(const struct boot_info *info)
{
	const struct boot_disk *disks = platform_phys_to_virt((struct phys){info->disks});

	for (uint32_t i = 0; i < info->disk_count; i++) {
		if (disks[i].mount_path[0] != '\0')
			mount_disk(&disks[i]);
	}
	for (uint32_t i = 0; i < MIN(info->device_count, BOOT_MAX_DEVICES); i++) {
		if (info->devices[i].virtio_id == VIRTIO_ID_FS)
			mount_share(&info->devices[i]);
	}
}
