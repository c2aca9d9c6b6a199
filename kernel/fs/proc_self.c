/*
 * /proc/1, alias /proc/self: what it tells about the program.
 */
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/memfs.h"
#include "kernel/fs/proc_self.h"
#include "kernel/fs/proc_text.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/exec/exec.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/vm.h"
#include "kernel/rlimit.h"
#include "lib/format.h"
#include "lib/string.h"

typedef unsigned long long ull;

static long copy_strings(char *buffer, size_t capacity, const void *strings, size_t bytes)
{
	memcpy(buffer, strings, MIN(bytes, capacity));
	return (long)bytes;
}

static long command_line(char *buffer, size_t capacity, void *argument)
{
	size_t bytes;
	const char *strings = exec_arguments(&bytes);

	(void)argument;
	return copy_strings(buffer, capacity, strings, bytes);
}

static long environment(char *buffer, size_t capacity, void *argument)
{
	size_t bytes;
	const char *strings = exec_environment(&bytes);

	(void)argument;
	return copy_strings(buffer, capacity, strings, bytes);
}

static long auxiliary_vector(char *buffer, size_t capacity, void *argument)
{
	size_t bytes;
	const void *vector = exec_auxiliary_vector(&bytes);

	(void)argument;
	return copy_strings(buffer, capacity, vector, bytes);
}

static void describe_area(struct text_buffer *text, const struct vm_area_info *area, char *path)
{
	uint64_t inode = 0;
	size_t start = text->length, width;

	if (!vm_area_describe(area->start, path, LINUX_PATH_MAX, &inode))
		return; /* unmapped meanwhile */
	if (!path[0] && area->name)
		format_text(path, LINUX_PATH_MAX, "%s", area->name);
	text_append(text, "%llx-%llx %c%c%c%c %08llx %02x:%02x %llu ", (ull)area->start,
		(ull)area->end, area->protection & PAGE_READ ? 'r' : '-',
		area->protection & PAGE_WRITE ? 'w' : '-',
		area->protection & PAGE_EXECUTE ? 'x' : '-', area->flags & VM_SHARED ? 's' : 'p',
		(ull)area->offset, 0, inode ? (unsigned)memfs_root.device : 0, (ull)inode);
	width = text->length - start;
	if (path[0])
		text_append(text, "%*s%s", width < 73 ? (int)(73 - width) : 0, "", path);
	text_append(text, "\n");
}

static long maps(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	char *path = heap_alloc(LINUX_PATH_MAX);
	struct vm_area_info area;

	(void)argument;
	if (!path)
		return -LINUX_ENOMEM;
	for (uintptr_t at = 0; vm_next_area(at, &area); at = area.end)
		describe_area(&text, &area, path);
	heap_free(path);
	return (long)text.length;
}

static long statm(char *buffer, size_t capacity, void *argument)
{
	struct vm_counts memory;

	(void)argument;
	vm_counts(&memory);
	return (long)format_text(buffer, capacity, "%llu %llu 0 0 0 %llu 0\n",
		(ull)(memory.mapped_bytes / PAGE_BYTES), (ull)(memory.resident_bytes / PAGE_BYTES),
		(ull)(memory.resident_bytes / PAGE_BYTES));
}

static long limits(char *buffer, size_t capacity, void *argument)
{
	(void)argument;
	return (long)format_text(buffer, capacity,
		"%-26s%-21s%-21s%-10s\n%-26s%-21llu%-21u%-10s\n%-26s%-21s%-21s%-10s\n"
		"%-26s%-21s%-21s%-10s\n",
		"Limit", "Soft Limit", "Hard Limit", "Units", "Max open files",
		(ull)rlimit_nofile(), FD_LIMIT_DEFAULT, "files", "Max address space", "unlimited",
		"unlimited", "bytes", "Max cpu time", "unlimited", "unlimited", "seconds");
}

static long mount_info(char *buffer, size_t capacity, void *argument)
{
	struct text_buffer text = {buffer, capacity, 0};
	struct mount_info info = {0};
	unsigned number = 5;

	(void)argument;
	text_append(&text, "1 0 0:23 / / rw,relatime - tmpfs tmpfs rw\n"
			   "2 1 0:5 / /dev rw,relatime - devtmpfs devtmpfs rw\n"
			   "3 1 0:21 / /proc rw,relatime - proc proc rw\n"
			   "4 1 0:22 / /sys ro,relatime - sysfs sysfs ro\n");
	while (mount_next(&info)) {
		const char *access = info.fs->read_only ? "ro" : "rw";

		text_append(&text, "%u 1 %u:%u / %s %s,relatime - %s %s %s\n", number++,
			(unsigned)(info.fs->device >> 8), (unsigned)(info.fs->device & 0xff),
			info.path, access, info.fs->type, info.source, access);
	}
	return (long)text.length;
}

static long control_group(char *buffer, size_t capacity, void *argument)
{
	(void)argument;
	return (long)format_text(buffer, capacity, "0::/\n");
}

static long zero(char *buffer, size_t capacity, void *argument)
{
	(void)argument;
	return (long)format_text(buffer, capacity, "0\n");
}

/* ---- links --------------------------------------------------------------------- */

static void free_node(struct vnode *vnode)
{
	heap_free(vnode);
}

static int jump_to_program(struct vnode *link, struct path_entry **entry, struct file **file)
{
	struct resolved where;
	int error = path_resolve(LINUX_AT_FDCWD, exec_program_path(), PATH_FOLLOW, 0, &where);

	(void)link;
	(void)file;
	if (error)
		return error;
	*entry = where.entry ? path_entry_acquire(where.entry) : NULL;
	resolved_release(&where);
	return *entry ? 0 : -LINUX_ENOENT;
}

static long read_program(struct vnode *link, char *buffer, size_t capacity)
{
	const char *path = exec_program_path();
	size_t length = strlen(path);

	(void)link;
	memcpy(buffer, path, MIN(length, capacity));
	return (long)length;
}

static int jump_to_directory(struct vnode *link, struct path_entry **entry, struct file **file)
{
	(void)link;
	(void)file;
	spin_lock(&tree.spin);
	*entry = path_entry_acquire(tree.current_directory);
	spin_unlock(&tree.spin);
	return 0;
}

static long read_directory(struct vnode *link, char *buffer, size_t capacity)
{
	char *path = heap_alloc(LINUX_PATH_MAX);
	struct path_entry *entry = NULL;
	long length;

	if (!path)
		return -LINUX_ENOMEM;
	jump_to_directory(link, &entry, NULL);
	length = tree_describe(entry, path, LINUX_PATH_MAX, true);
	path_entry_release(entry);
	if (length > 0) {
		length--; /* without the NUL */
		memcpy(buffer, path, MIN((size_t)length, capacity));
	}
	heap_free(path);
	return length;
}

static int jump_to_root(struct vnode *link, struct path_entry **entry, struct file **file)
{
	(void)link;
	(void)file;
	*entry = path_entry_acquire(tree.root);
	return 0;
}

static long read_root(struct vnode *link, char *buffer, size_t capacity)
{
	(void)link;
	memcpy(buffer, "/", MIN(1u, capacity));
	return 1;
}

static const struct vnode_ops program_ops = {
	.jump = jump_to_program, .read_link = read_program, .release = free_node};
static const struct vnode_ops directory_ops = {
	.jump = jump_to_directory, .read_link = read_directory, .release = free_node};
static const struct vnode_ops root_ops = {
	.jump = jump_to_root, .read_link = read_root, .release = free_node};

static const struct {
	const char *path;
	const struct vnode_ops *ops;
} links[] = {
	{"/proc/1/exe", &program_ops},
	{"/proc/1/cwd", &directory_ops},
	{"/proc/1/root", &root_ops},
};

static const struct {
	const char *path;
	struct text_node node;
} files[] = {
	{"/proc/1/cmdline", {command_line, NULL, NULL}},
	{"/proc/1/environ", {environment, NULL, NULL}},
	{"/proc/1/auxv", {auxiliary_vector, NULL, NULL}},
	{"/proc/1/comm", {proc_write_comm, NULL, NULL}},
	{"/proc/1/status", {proc_write_status, NULL, NULL}},
	{"/proc/1/stat", {proc_write_stat, NULL, NULL}},
	{"/proc/1/statm", {statm, NULL, NULL}},
	{"/proc/1/maps", {maps, NULL, NULL}},
	{"/proc/1/limits", {limits, NULL, NULL}},
	{"/proc/1/mountinfo", {mount_info, NULL, NULL}},
	{"/proc/1/cgroup", {control_group, NULL, NULL}},
	{"/proc/1/oom_score", {zero, NULL, NULL}},
};

int proc_self_init(void)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++)
		error = text_node_add(files[i].path, &files[i].node);
	for (size_t i = 0; i < ARRAY_SIZE(links) && !error; i++)
		error = tree_fill_put(
			links[i].path, memfs_new_special(&memfs_proc, LINUX_S_IFLNK | 0777,
					       links[i].ops, NULL, NULL));
	if (!error)
		error = proc_descriptors_init();
	return error ? error : proc_threads_init();
}
