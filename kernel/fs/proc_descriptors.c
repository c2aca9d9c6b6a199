/*
 * /proc/1/fd and /proc/1/fdinfo.
 */
#include "kernel/fs/directory.h"
#include "kernel/fs/memfs.h"
#include "kernel/fs/proc_self.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/heap.h"
#include "lib/format.h"

#define INODE_FD     0x100000000ull
#define INODE_FDINFO 0x200000000ull

struct file_system proc_varying = {
	.type = "proc", .device = 0x15, .magic = 0x9fa0, .read_only = true, .names_vary = true};

int64_t proc_parse_number(const char *name, size_t length)
{
	int64_t value = 0;

	if (length == 0 || length > 10 || (length > 1 && name[0] == '0'))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		value = value * 10 + (name[i] - '0');
	}
	return value <= INT32_MAX ? value : -1;
}

long proc_list_numbers(struct file *file, struct uio *uio, uint64_t *offset, uint32_t mode,
	int64_t (*next)(int64_t least))
{
	size_t before = uio->bytes_left;
	int error = 0;

	while (!error && *offset < 2) {
		bool up = *offset == 1;

		error = directory_emit(
			uio, file->vnode->inode, *offset + 1, LINUX_S_IFDIR, "..", up ? 2 : 1);
		if (!error)
			(*offset)++;
	}
	while (!error) {
		int64_t number = next((int64_t)(*offset - 2));
		char name[24];
		size_t length;

		if (number < 0)
			break;
		length = format_text(name, sizeof(name), "%lld", (long long)number);
		error = directory_emit(
			uio, INODE_FD + (uint64_t)number, (uint64_t)number + 3, mode, name, length);
		if (!error)
			*offset = (uint64_t)number + 3;
	}
	return before != uio->bytes_left ? (long)(before - uio->bytes_left) : error;
}

int64_t proc_seek(struct file *file, int64_t offset, int whence)
{
	return directory_file_ops.seek(file, offset, whence);
}

static int descriptor_of(const struct vnode *vnode)
{
	return (int)(uintptr_t)vnode->data;
}

/* ---- fd/N -------------------------------------------------------------------- */

static long read_link(struct vnode *link, char *buffer, size_t capacity)
{
	struct file *file = fd_get(descriptor_of(link));
	char *text;
	long length;

	if (!file)
		return -LINUX_ENOENT;
	text = heap_alloc(LINUX_PATH_MAX);
	length = text ? vfs_describe_file(file, text, LINUX_PATH_MAX) : -LINUX_ENOMEM;
	file_release(file);
	if (length > 0) {
		length--;
		for (long i = 0; i < length && (size_t)i < capacity; i++)
			buffer[i] = text[i];
	}
	heap_free(text);
	return length;
}

static int jump(struct vnode *link, struct path_entry **entry, struct file **result)
{
	struct file *file = fd_get(descriptor_of(link));

	if (!file)
		return -LINUX_ENOENT;
	if (!file->entry) {
		*result = file;
		return 0;
	}
	*entry = path_entry_acquire(file->entry);
	file_release(file);
	return 0;
}

static void free_node(struct vnode *vnode)
{
	heap_free(vnode);
}

static const struct vnode_ops link_ops = {
	.read_link = read_link, .jump = jump, .release = free_node};

static int lookup_descriptor(const char *name, size_t length, struct file **file)
{
	int64_t fd = proc_parse_number(name, length);

	*file = fd >= 0 ? fd_get((int)fd) : NULL;
	return *file ? (int)fd : -LINUX_ENOENT;
}

static int lookup_link(
	struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	struct file *file;
	int fd = lookup_descriptor(name, length, &file);
	uint32_t mode = LINUX_S_IFLNK;

	(void)directory;
	if (fd < 0)
		return fd;
	mode |= file_is_readable(file) ? 0500u : 0;
	mode |= file_is_writable(file) ? 0300u : 0;
	file_release(file);
	*found = memfs_new_special(&proc_varying, mode, &link_ops, NULL, (void *)(uintptr_t)fd);
	if (!*found)
		return -LINUX_ENOMEM;
	(*found)->inode = INODE_FD + (uint64_t)fd;
	(*found)->size = 64;
	return 0;
}

/* ---- fdinfo/N ------------------------------------------------------------------ */

static long describe(char *buffer, size_t capacity, void *argument)
{
	int fd = (int)(uintptr_t)argument;
	struct file *file = fd_get(fd);
	uint32_t flags;
	long length;

	if (!file)
		return -LINUX_ENOENT;
	flags = file->flags & ~(uint32_t)LINUX_O_CLOEXEC;
	if (fd_get_flags(fd) == LINUX_FD_CLOEXEC)
		flags |= LINUX_O_CLOEXEC;
	length = (long)format_text(buffer, capacity,
		"pos:\t%llu\nflags:\t0%o\nmnt_id:\t1\nino:\t%llu\n",
		(unsigned long long)file->offset, flags,
		file->vnode ? (unsigned long long)file->vnode->inode : 1ull);
	file_release(file);
	return length;
}

static int lookup_info(
	struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	struct file *file;
	int fd = lookup_descriptor(name, length, &file);

	(void)directory;
	if (fd < 0)
		return fd;
	file_release(file);
	*found = text_node_create_owned(&proc_varying, describe, (void *)(uintptr_t)fd);
	if (!*found)
		return -LINUX_ENOMEM;
	(*found)->inode = INODE_FDINFO + (uint64_t)fd;
	return 0;
}

/* ---- the directories --------------------------------------------------------------- */

static int64_t next_descriptor(int64_t least)
{
	return least > INT32_MAX ? -1 : fd_next_open((int)least);
}

static long list_links(struct file *file, struct uio *uio, uint64_t *offset)
{
	return proc_list_numbers(file, uio, offset, LINUX_S_IFLNK, next_descriptor);
}

static long list_infos(struct file *file, struct uio *uio, uint64_t *offset)
{
	return proc_list_numbers(file, uio, offset, LINUX_S_IFREG, next_descriptor);
}

/* Since Linux 6.2 the size of /proc/self/fd is the number of descriptors. */
static int count_descriptors(struct vnode *vnode, struct linux_stat *stat)
{
	(void)vnode;
	stat->size = fd_count();
	return 0;
}

static const struct vnode_ops links_ops = {
	.lookup = lookup_link, .get_attributes = count_descriptors, .release = free_node};
static const struct vnode_ops infos_ops = {.lookup = lookup_info, .release = free_node};
static const struct file_ops list_links_ops = {
	.kind = "directory", .seek = proc_seek, .read_directory = list_links};
static const struct file_ops list_infos_ops = {
	.kind = "directory", .seek = proc_seek, .read_directory = list_infos};

static int add_directory(
	const char *path, const struct vnode_ops *ops, const struct file_ops *file_ops)
{
	struct vnode *vnode =
		memfs_new_special(&memfs_proc, LINUX_S_IFDIR | 0555, ops, file_ops, NULL);

	if (vnode)
		vnode->nlink = 2;
	return tree_fill_put(path, vnode);
}

int proc_descriptors_init(void)
{
	int error = add_directory("/proc/1/fd", &links_ops, &list_links_ops);

	return error ? error : add_directory("/proc/1/fdinfo", &infos_ops, &list_infos_ops);
}
