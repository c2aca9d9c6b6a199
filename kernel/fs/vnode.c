/*
 * Nodes: references, attributes and times, the same for every file system.
 */
#include "kernel/fs/tree.h"
#include "kernel/fs/inotify.h"
#include "kernel/fs/storage_node.h"
#include "kernel/fs/xattr.h"
#include "kernel/sched/clock.h"
#include "lib/string.h"

#define DAY_NS          (86400 * 1000000000ll)
#define STORAGE_TICK_NS 4000000

void vnode_init(
	struct vnode *vnode, const struct vnode_ops *ops, struct file_system *fs, uint32_t mode)
{
	memset(vnode, 0, sizeof(*vnode));
	vnode->ops = ops;
	vnode->fs = fs;
	vnode->references = 1;
	vnode->mode = mode;
	vnode->inode = __atomic_add_fetch(&fs->last_inode, 1, __ATOMIC_RELAXED);
	vnode->nlink = 1;
	mutex_init(&vnode->lock);
	vnode->atime_ns = vnode->mtime_ns = vnode->ctime_ns = vnode->btime_ns =
		(int64_t)clock_realtime_ns();
}

struct vnode *vnode_acquire(struct vnode *vnode)
{
	__atomic_fetch_add(&vnode->references, 1, __ATOMIC_RELAXED);
	return vnode;
}

void vnode_release(struct vnode *vnode)
{
	/* Without a name and waiting only to be written back: not written then. */
	if (vnode->fs->storage && vnode->nlink == 0 && READ_ONCE(vnode->references) == 2)
		storage_forget_unlinked(storage_node_of(vnode));
	if (__atomic_sub_fetch(&vnode->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	inotify_vnode_gone(vnode);
	xattr_release(vnode);
	vnode->ops->release(vnode);
}

static struct linux_timespec timespec_of(int64_t ns)
{
	int64_t seconds = ns / 1000000000, rest = ns % 1000000000;

	if (rest < 0) {
		rest += 1000000000;
		seconds--;
	}
	return (struct linux_timespec){seconds, rest};
}

/* Saturates at the years 1677 and 2262. */
static int64_t ns_of(struct linux_timespec time)
{
	int64_t ns;

	if (__builtin_mul_overflow(time.seconds, 1000000000ll, &ns) ||
		__builtin_add_overflow(ns, time.nanoseconds, &ns))
		return time.seconds < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

void vnode_stat(struct vnode *vnode, struct linux_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->dev = vnode->fs->device;
	stat->ino = vnode->inode;
	stat->nlink = READ_ONCE(vnode->nlink);
	stat->mode = READ_ONCE(vnode->mode);
	stat->uid = vnode->uid;
	stat->gid = vnode->gid;
	stat->rdev = vnode->rdev;
	stat->size = (int64_t)READ_ONCE(vnode->size);
	stat->block_bytes = (int64_t)PAGE_BYTES;
	stat->atime = timespec_of(vnode->atime_ns);
	stat->mtime = timespec_of(vnode->mtime_ns);
	stat->ctime = timespec_of(vnode->ctime_ns);
}

int vnode_get_attributes(struct vnode *vnode, struct linux_stat *stat)
{
	vnode_stat(vnode, stat);
	return vnode->ops->get_attributes ? vnode->ops->get_attributes(vnode, stat) : 0;
}

/* chown(2): a file that others could run loses its set-id bits. */
static void clear_set_id(struct vnode *vnode)
{
	if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR))
		return;
	vnode->mode &= ~(uint32_t)LINUX_S_ISUID;
	if (vnode->mode & 010)
		vnode->mode &= ~(uint32_t)LINUX_S_ISGID;
}

/* Attributes changed: storage is told, now or later. */
static void note_change(struct vnode *vnode, bool times_only)
{
	if (vnode->fs->storage)
		storage_mark_dirty(storage_node_of(vnode), times_only);
}

/* What the file system has to do or refuse. With the lock held. */
static int ask_file_system(struct vnode *vnode, uint32_t mask, const struct linux_stat *values)
{
	if (vnode->fs->storage && (mask & VNODE_SIZE)) {
		int error = storage_set_size(storage_node_of(vnode), (uint64_t)values->size);

		mask &= ~(uint32_t)VNODE_SIZE;
		if (error || !mask)
			return error;
	}
	return vnode->ops->set_attributes ? vnode->ops->set_attributes(vnode, mask, values) : 0;
}

int vnode_set_attributes(struct vnode *vnode, uint32_t mask, const struct linux_stat *values)
{
	int error;

	if (vnode->fs->read_only && vnode->fs->storage)
		return -LINUX_EROFS;
	if (vnode->fs->read_only && !(vnode->ops->set_attributes))
		return -LINUX_EPERM;
	mutex_lock(&vnode->lock);
	error = ask_file_system(vnode, mask, values);
	if (!error) {
		if (mask & VNODE_UID)
			vnode->uid = values->uid;
		if (mask & VNODE_GID)
			vnode->gid = values->gid;
		if (mask & (VNODE_UID | VNODE_GID))
			clear_set_id(vnode);
		if (mask & VNODE_MODE)
			vnode->mode = (vnode->mode & LINUX_S_IFMT) | (values->mode & 07777);
		if (mask & VNODE_ATIME)
			vnode->atime_ns = ns_of(values->atime);
		if (mask & VNODE_MTIME)
			vnode->mtime_ns = ns_of(values->mtime);
		vnode->ctime_ns =
			mask & VNODE_CTIME ? ns_of(values->ctime) : (int64_t)clock_realtime_ns();
		note_change(vnode, false);
	}
	mutex_unlock(&vnode->lock);
	return error;
}

/* What changes a file. On storage it moves in ticks, as on Linux: a program that writes and
 * syncs faster than that need not write the inode each time. */
static int64_t time_of_change(const struct vnode *vnode)
{
	int64_t now = (int64_t)clock_realtime_ns();

	return vnode->fs->storage ? now - now % STORAGE_TICK_NS : now;
}

void vnode_touch_contents(struct vnode *vnode)
{
	int64_t now = time_of_change(vnode);

	if (vnode->mtime_ns == now && vnode->ctime_ns == now)
		return;
	vnode->mtime_ns = vnode->ctime_ns = now;
	note_change(vnode, true);
}

void vnode_touch_attributes(struct vnode *vnode)
{
	vnode->ctime_ns = time_of_change(vnode);
	note_change(vnode, true);
}

void vnode_touch_access(struct vnode *vnode)
{
	int64_t now = time_of_change(vnode), atime = vnode->atime_ns;

	if (vnode->fs->storage && vnode->fs->read_only)
		return;
	if (atime != now &&
		(atime <= vnode->mtime_ns || atime <= vnode->ctime_ns || now - atime >= DAY_NS)) {
		vnode->atime_ns = now;
		note_change(vnode, true);
	}
}
