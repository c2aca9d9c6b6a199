/*
 * Telling inotify(7) what happens to files.
 *
 * Cheap when nobody watches: a node holds the union of what its watches ask for.
 */
#ifndef KERNEL_FS_INOTIFY_H
#define KERNEL_FS_INOTIFY_H

#include "kernel/fs/tree.h"

enum inotify_event {
	INOTIFY_ACCESS = 0x001,
	INOTIFY_MODIFY = 0x002,
	INOTIFY_ATTRIB = 0x004,
	INOTIFY_CLOSE_WRITE = 0x008,
	INOTIFY_CLOSE_NOWRITE = 0x010,
	INOTIFY_OPEN = 0x020,
	INOTIFY_MOVED_FROM = 0x040,
	INOTIFY_MOVED_TO = 0x080,
	INOTIFY_CREATE = 0x100,
	INOTIFY_DELETE = 0x200,
	INOTIFY_DELETE_SELF = 0x400,
	INOTIFY_MOVE_SELF = 0x800,
	INOTIFY_UNMOUNT = 0x2000,
	INOTIFY_OVERFLOW = 0x4000,
	INOTIFY_IGNORED = 0x8000,
	INOTIFY_ALL = 0xfff,
	INOTIFY_ONLYDIR = 0x1000000,
	INOTIFY_DONT_FOLLOW = 0x2000000,
	INOTIFY_EXCL_UNLINK = 0x4000000,
	INOTIFY_MASK_CREATE = 0x10000000,
	INOTIFY_MASK_ADD = 0x20000000,
	INOTIFY_ISDIR = 0x40000000,
	INOTIFY_ONESHOT = 0x80000000,
};

/* Watches anywhere. */
extern uint32_t inotify_watch_count;

/* `name` NULL: the node itself; else what it is called in directory `vnode`. */
void inotify_report(struct vnode *vnode, uint32_t events, uint32_t cookie, const char *name,
	size_t length, bool is_directory);
uint32_t inotify_next_cookie(void);
/* The entry's node, and its directory. */
void inotify_report_entry(struct path_entry *entry, uint32_t events);
/* The last reference of a node goes. */
void inotify_vnode_gone(struct vnode *vnode);
/* The last name of a node went: DELETE_SELF, IGNORED. */
void inotify_vnode_deleted(struct vnode *vnode);

/* inotify_init1, inotify_add_watch, inotify_rm_watch. */
int inotify_create_file(uint32_t flags, struct file **file);
uint32_t inotify_queued_bytes(const struct file *file); /* FIONREAD */
bool inotify_is_inotify(const struct file *file);
long inotify_add_watch(struct file *inotify, struct vnode *vnode, uint32_t mask);
long inotify_remove_watch(struct file *inotify, int32_t watch);

#endif
