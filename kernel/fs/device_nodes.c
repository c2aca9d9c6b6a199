/*
 * /dev: the devices that need no hardware, and the way to the console.
 */
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "kernel/random.h"
#include "kernel/console.h"
#include "lib/string.h"

static long read_nothing(struct file *file, struct uio *uio, uint64_t *offset)
{
	(void)file;
	(void)uio;
	(void)offset;
	return 0;
}

static long read_zeroes(struct file *file, struct uio *uio, uint64_t *offset)
{
	size_t wanted = uio->bytes_left, moved = uio_zero_some(uio, wanted);

	(void)file;
	(void)offset;
	return moved > 0 || wanted == 0 ? (long)moved : -LINUX_EFAULT;
}

static long read_random(struct file *file, struct uio *uio, uint64_t *offset)
{
	uint8_t buffer[512];
	long total = 0;

	(void)file;
	(void)offset;
	while (uio->bytes_left > 0) {
		size_t bytes = MIN(sizeof(buffer), uio->bytes_left);
		size_t moved;

		random_bytes(buffer, bytes);
		moved = uio_copy_some_to(uio, buffer, bytes);
		total += (long)moved;
		if (moved != bytes)
			return total > 0 ? total : -LINUX_EFAULT;
		if (total % (64 * 1024) == 0 && thread_is_interrupted(thread_current()))
			break;
	}
	memset(buffer, 0, sizeof(buffer));
	return total;
}

static long write_away(struct file *file, struct uio *uio, uint64_t *offset)
{
	size_t bytes = uio->bytes_left;

	(void)file;
	(void)offset;
	uio_advance(uio, bytes);
	return (long)bytes;
}

static long write_full(struct file *file, struct uio *uio, uint64_t *offset)
{
	(void)file;
	(void)offset;
	(void)uio;
	return -LINUX_ENOSPC; /* for no bytes, too */
}

static long write_random(struct file *file, struct uio *uio, uint64_t *offset)
{
	uint8_t buffer[256];
	long total = 0;

	(void)file;
	(void)offset;
	while (uio->bytes_left > 0) {
		size_t bytes = MIN(sizeof(buffer), uio->bytes_left);
		size_t moved = uio_copy_some_from(uio, buffer, bytes);

		random_add(buffer, moved);
		total += (long)moved;
		if (moved != bytes)
			return total > 0 ? total : -LINUX_EFAULT;
	}
	return total;
}

/* Linux: /dev/null and its like stay at 0 whatever is asked. */
static int64_t seek(struct file *file, int64_t offset, int whence)
{
	(void)offset;
	(void)whence;
	file->offset = 0;
	return 0;
}

static uint32_t poll_always(struct file *file)
{
	(void)file;
	return POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;
}

/* A private mapping of /dev/zero is a mapping of zeroes; a new file of holes does. */
static struct page_source *map_zeroes(struct file *file)
{
	struct memory_file *memory = file->data;

	return memory ? &memory->source : NULL;
}

static void release_zeroes(struct file *file)
{
	struct memory_file *memory = file->data;

	if (memory)
		vnode_release(&memory->vnode);
}

static const struct file_ops null_ops = {.kind = "null",
	.read = read_nothing,
	.write = write_away,
	.seek = seek,
	.poll = poll_always};
static const struct file_ops zero_ops = {.kind = "zero",
	.read = read_zeroes,
	.write = write_away,
	.seek = seek,
	.poll = poll_always,
	.page_source = map_zeroes,
	.release = release_zeroes};
static const struct file_ops full_ops = {.kind = "full",
	.read = read_zeroes,
	.write = write_full,
	.seek = seek,
	.poll = poll_always};
static const struct file_ops random_ops = {.kind = "random",
	.read = read_random,
	.write = write_random,
	.seek = seek,
	.poll = poll_always};

static int open_zero(struct vnode *vnode, struct file *file)
{
	struct vnode *zeroes = memfs_new_file(&memfs_device, 0600);

	(void)vnode;
	if (!zeroes)
		return -LINUX_ENOMEM;
	zeroes->size = INT64_MAX;
	file->data = memory_file_of(zeroes);
	file->ops = &zero_ops;
	return 0;
}

static int open_terminal(struct vnode *vnode, struct file *file)
{
	(void)vnode;
	return console_open(CONSOLE_TERMINAL, file);
}

static void free_node(struct vnode *vnode)
{
	memfs_special_ops.release(vnode);
}

static const struct vnode_ops zero_node_ops = {.open = open_zero, .release = free_node};
static const struct vnode_ops terminal_node_ops = {.open = open_terminal, .release = free_node};

static const struct {
	const char *path;
	uint32_t major, minor;
	uint32_t permissions;
	const struct vnode_ops *ops;
	const struct file_ops *file_ops;
} nodes[] = {
	{"/dev/null", 1, 3, 0666, NULL, &null_ops},
	{"/dev/zero", 1, 5, 0666, &zero_node_ops, NULL},
	{"/dev/full", 1, 7, 0666, NULL, &full_ops},
	{"/dev/random", 1, 8, 0666, NULL, &random_ops},
	{"/dev/urandom", 1, 9, 0666, NULL, &random_ops},
	{"/dev/tty", 5, 0, 0666, &terminal_node_ops, NULL},
	{"/dev/console", 5, 1, 0600, &terminal_node_ops, NULL},
};

static const struct {
	const char *path, *text;
} links[] = {
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
};

int device_nodes_init(void)
{
	int error = tree_fill_mount("/dev", &memfs_device, 0755);

	for (size_t i = 0; i < ARRAY_SIZE(nodes) && !error; i++) {
		struct vnode *vnode =
			memfs_new_special(&memfs_device, LINUX_S_IFCHR | nodes[i].permissions,
				nodes[i].ops, nodes[i].file_ops, NULL);

		if (vnode)
			vnode->rdev = device_number(nodes[i].major, nodes[i].minor);
		error = tree_fill_put(nodes[i].path, vnode);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links) && !error; i++)
		error = tree_fill_put(links[i].path, memfs_new_link(&memfs_device, links[i].text));
	if (!error)
		error = tree_fill_mount("/dev/shm", &memfs_root, 01777);
	return error;
}
