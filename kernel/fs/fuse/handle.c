/*
 * Open files of the server. A handle is opened when contents are wanted, used by any number of
 * transfers, and closed when there are many and nobody uses it.
 */
#include "kernel/fs/fuse/fuse.h"

#define MOST_HANDLES 256u

static void close_handle(struct fuse *fuse, struct fuse_handle *handle)
{
	bool directory = LINUX_S_ISTYPE(handle->node->storage.vnode.mode, LINUX_S_IFDIR);
	struct fuse_release release = {.handle = handle->number};
	struct fuse_call call = {.operation = directory ? FUSE_RELEASEDIR : FUSE_RELEASE,
		.node = handle->node->storage.vnode.inode,
		.structure = &release,
		.structure_bytes = sizeof(release)};

	list_remove(&handle->link);
	fuse->handle_count--;
	handle->is_open = false;
	(void)fuse_call(fuse, &call);
}

static void note_open(
	struct fuse *fuse, struct fuse_node *node, struct fuse_handle *handle, uint64_t number)
{
	handle->node = node;
	handle->number = number;
	handle->is_open = true;
	list_add_last(&fuse->handles, &handle->link);
	fuse->handle_count++;
}

/* The unused ones that were opened first. */
static void close_some(struct fuse *fuse)
{
	struct list *link = fuse->handles.next, *next;

	for (; fuse->handle_count > MOST_HANDLES && link != &fuse->handles; link = next) {
		struct fuse_handle *handle = LIST_ENTRY(link, struct fuse_handle, link);

		next = link->next;
		if (__atomic_load_n(&handle->users, __ATOMIC_ACQUIRE) == 0)
			close_handle(fuse, handle);
	}
}

static int open_handle(struct fuse *fuse, struct fuse_node *node, enum fuse_handle_kind kind)
{
	bool directory = LINUX_S_ISTYPE(node->storage.vnode.mode, LINUX_S_IFDIR);
	struct fuse_open open = {
		.flags = (uint32_t)(kind == FUSE_WRITING ? LINUX_O_RDWR : LINUX_O_RDONLY) |
			 (directory ? LINUX_O_DIRECTORY : 0u)};
	struct fuse_open_reply reply = {0};
	struct fuse_call call = {.operation = directory ? FUSE_OPENDIR : FUSE_OPEN,
		.node = node->storage.vnode.inode,
		.structure = &open,
		.structure_bytes = sizeof(open),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_call(fuse, &call);

	if (!error && call.reply_bytes < sizeof(reply))
		error = -LINUX_EIO;
	if (error)
		return error;
	note_open(fuse, node, &node->handles[kind], reply.handle);
	close_some(fuse);
	return 0;
}

int fuse_handle_get(struct fuse_node *node, enum fuse_handle_kind kind, uint64_t *number)
{
	struct fuse *fuse = fuse_of(&node->storage.vnode);
	struct fuse_handle *handle = &node->handles[kind];
	int error = 0;

	mutex_lock(&fuse->handle_lock);
	__atomic_add_fetch(&handle->users, 1, __ATOMIC_ACQ_REL);
	if (!handle->is_open)
		error = open_handle(fuse, node, kind);
	if (error)
		__atomic_sub_fetch(&handle->users, 1, __ATOMIC_ACQ_REL);
	else
		*number = handle->number;
	mutex_unlock(&fuse->handle_lock);
	return error;
}

void fuse_handle_put(struct fuse_node *node, enum fuse_handle_kind kind)
{
	__atomic_sub_fetch(&node->handles[kind].users, 1, __ATOMIC_ACQ_REL);
}

void fuse_handle_adopt(struct fuse_node *node, enum fuse_handle_kind kind, uint64_t number)
{
	struct fuse *fuse = fuse_of(&node->storage.vnode);

	mutex_lock(&fuse->handle_lock);
	note_open(fuse, node, &node->handles[kind], number);
	close_some(fuse);
	mutex_unlock(&fuse->handle_lock);
}

void fuse_handles_close(struct fuse_node *node)
{
	struct fuse *fuse = fuse_of(&node->storage.vnode);

	mutex_lock(&fuse->handle_lock);
	for (int kind = 0; kind < FUSE_HANDLE_KINDS; kind++) {
		struct fuse_handle *handle = &node->handles[kind];

		if (handle->is_open && __atomic_load_n(&handle->users, __ATOMIC_ACQUIRE) == 0)
			close_handle(fuse, handle);
	}
	mutex_unlock(&fuse->handle_lock);
}
