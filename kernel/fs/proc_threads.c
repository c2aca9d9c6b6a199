/*
 * /proc/1/task and /proc/thread-self.
 */
#include "kernel/fs/directory.h"
#include "kernel/fs/memfs.h"
#include "kernel/fs/proc_self.h"
#include "kernel/fs/proc_text.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/thread.h"
#include "lib/format.h"
#include "lib/string.h"

#define INODE_TASK 0x300000000ull /* and four numbers a thread from here */

static const struct {
	const char *name;
	text_generator generate;
} task_files[] = {
	{"comm", proc_write_comm},
	{"status", proc_write_status},
	{"stat", proc_write_stat},
	{"children", proc_write_nothing},
};

static void free_node(struct vnode *vnode)
{
	heap_free(vnode);
}

static int tid_of(const struct vnode *vnode)
{
	return (int)(uintptr_t)vnode->data;
}

static int lookup_file(
	struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	int tid = tid_of(directory);

	for (size_t i = 0; i < ARRAY_SIZE(task_files); i++) {
		if (strlen(task_files[i].name) != length ||
			memcmp(task_files[i].name, name, length) != 0)
			continue;
		*found = text_node_create_owned(
			&proc_varying, task_files[i].generate, (void *)(uintptr_t)tid);
		if (!*found)
			return -LINUX_ENOMEM;
		(*found)->inode = INODE_TASK + (uint64_t)tid * 8 + i + 1;
		return 0;
	}
	return -LINUX_ENOENT;
}

static long list_files(struct file *file, struct uio *uio, uint64_t *offset)
{
	size_t before = uio->bytes_left;
	uint64_t inode = file->vnode->inode;
	int error = 0;

	for (; !error && *offset < 2 + ARRAY_SIZE(task_files); *offset += error ? 0 : 1) {
		uint64_t at = *offset;
		const char *name = at < 2 ? (at == 0 ? "." : "..") : task_files[at - 2].name;

		error = directory_emit(uio, inode + at, at + 1,
			at < 2 ? LINUX_S_IFDIR : LINUX_S_IFREG, name, strlen(name));
	}
	return before != uio->bytes_left ? (long)(before - uio->bytes_left) : error;
}

static const struct vnode_ops task_ops = {.lookup = lookup_file, .release = free_node};
static const struct file_ops task_file_ops = {
	.kind = "directory", .seek = proc_seek, .read_directory = list_files};

static int lookup_task(
	struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	int64_t tid = proc_parse_number(name, length);
	struct thread *thread = tid > 0 ? thread_find((int)tid) : NULL;

	(void)directory;
	if (!thread)
		return -LINUX_ENOENT;
	thread_release(thread);
	*found = memfs_new_special(&proc_varying, LINUX_S_IFDIR | 0555, &task_ops, &task_file_ops,
		(void *)(uintptr_t)tid);
	if (!*found)
		return -LINUX_ENOMEM;
	(*found)->inode = INODE_TASK + (uint64_t)tid * 8;
	(*found)->nlink = 2;
	return 0;
}

struct search {
	int64_t least, found;
};

static bool look_at(struct thread *thread, void *argument)
{
	struct search *search = argument;

	if (thread->tid >= search->least && (search->found < 0 || thread->tid < search->found))
		search->found = thread->tid;
	return true;
}

static int64_t next_thread(int64_t least)
{
	struct search search = {least, -1};

	thread_for_each(look_at, &search);
	return search.found;
}

static long list_tasks(struct file *file, struct uio *uio, uint64_t *offset)
{
	return proc_list_numbers(file, uio, offset, LINUX_S_IFDIR, next_thread);
}

static int count_tasks(struct vnode *vnode, struct linux_stat *stat)
{
	(void)vnode;
	stat->nlink = 2 + thread_count();
	return 0;
}

static const struct vnode_ops tasks_ops = {
	.lookup = lookup_task, .get_attributes = count_tasks, .release = free_node};
static const struct file_ops tasks_file_ops = {
	.kind = "directory", .seek = proc_seek, .read_directory = list_tasks};

static int jump_to_self(struct vnode *link, struct path_entry **entry, struct file **file)
{
	struct resolved where;
	char path[40];
	int error;

	(void)link;
	(void)file;
	format_text(path, sizeof(path), "/proc/1/task/%d", thread_current()->tid);
	error = path_resolve(LINUX_AT_FDCWD, path, 0, 0, &where);
	if (error)
		return error;
	*entry = path_entry_acquire(where.entry);
	resolved_release(&where);
	return 0;
}

static long read_self(struct vnode *link, char *buffer, size_t capacity)
{
	char text[32];
	size_t length = format_text(text, sizeof(text), "1/task/%d", thread_current()->tid);

	(void)link;
	memcpy(buffer, text, MIN(length, capacity));
	return (long)length;
}

static const struct vnode_ops thread_self_ops = {
	.jump = jump_to_self, .read_link = read_self, .release = free_node};

int proc_threads_init(void)
{
	struct vnode *tasks = memfs_new_special(
		&memfs_proc, LINUX_S_IFDIR | 0555, &tasks_ops, &tasks_file_ops, NULL);
	int error = tree_fill_put("/proc/1/task", tasks);

	return error ? error
		     : tree_fill_put("/proc/thread-self",
			       memfs_new_special(&memfs_proc, LINUX_S_IFLNK | 0777,
				       &thread_self_ops, NULL, NULL));
}
