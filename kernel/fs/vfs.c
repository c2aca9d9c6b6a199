/*
 * The tree at boot: which file systems there are and what lies in them.
 */
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/image_tree.h"
#include "kernel/fs/text_node.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/page_alloc.h"
#include "lib/string.h"

static int image_error;

static const struct {
	const char *path;
	uint32_t permissions;
} directories[] = {
	{"/etc", 0755},
	{"/home", 0755},
	{"/mnt", 0755},
	{"/opt", 0755},
	{"/root", 0700},
	{"/run", 0755},
	{"/tmp", 01777},
	{"/usr/bin", 0755},
	{"/usr/lib", 0755},
	{"/usr/local/bin", 0755},
	{"/usr/share", 0755},
	{"/var/lib", 0755},
	{"/var/log", 0755},
	{"/var/tmp", 01777},
};

static int make_directories(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		int error = tree_fill_put_new(directories[i].path,
			memfs_new_directory(&memfs_root, directories[i].permissions));

		if (error)
			return error;
	}
	return tree_fill_put_new("/bin", memfs_new_link(&memfs_root, "usr/bin"));
}

/* The images of files that the launcher gave, later ones over earlier ones. */
static void add_images(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct boot_module *module = &info->modules[i];
		int error =
			module->type == BOOT_MODULE_IMAGE
				? image_tree_add(platform_phys_to_virt((struct phys){module->base}),
					  module->bytes)
				: 0;

		if (error && !image_error)
			image_error = error;
	}
}

static void limit_files(const struct boot_info *info)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	memfs_set_limit(info->files_mib > 0 ? (uint64_t)info->files_mib << 20
					    : counts.total_pages / 2 * PAGE_BYTES);
}

int vfs_image_error(void)
{
	return image_error;
}

int vfs_init(void)
{
	struct vnode *root;
	int error = memfs_init();

	if (error)
		return error;
	root = memfs_new_directory(&memfs_root, 0755);
	if (!root)
		return -LINUX_ENOMEM;
	error = tree_init(root);
	vnode_release(root);
	if (!error)
		add_images(platform_boot_info());
	if (!error)
		limit_files(platform_boot_info());
	if (!error)
		error = make_directories();
	if (!error)
		error = device_nodes_init();
	if (!error)
		error = proc_init();
	if (!error)
		error = sys_init();
	if (!error)
		error = etc_init();
	return error;
}

static struct vnode *new_file(uint32_t mode, const void *data, size_t bytes, int64_t mtime_s)
{
	struct vnode *vnode = memfs_new_file(&memfs_root, mode & 07777);

	if (vnode) {
		vnode->size = bytes;
		memory_file_of(vnode)->cache.base = data;
		memory_file_of(vnode)->cache.base_bytes = bytes;
		vnode->atime_ns = vnode->mtime_ns = mtime_s * 1000000000;
	}
	return vnode;
}

int vfs_put_file(const char *path, uint32_t mode, const void *data, size_t bytes, int64_t mtime_s)
{
	return tree_fill_put(path, new_file(mode, data, bytes, mtime_s));
}

int vfs_put_new_file(
	const char *path, uint32_t mode, const void *data, size_t bytes, int64_t mtime_s)
{
	return tree_fill_put_new(path, new_file(mode, data, bytes, mtime_s));
}

int vfs_add_device(const char *path, uint32_t major, uint32_t minor, const struct file_ops *ops)
{
	struct vnode *vnode =
		memfs_new_special(&memfs_device, LINUX_S_IFCHR | 0666, NULL, ops, NULL);

	if (vnode)
		vnode->rdev = device_number(major, minor);
	return tree_fill_put(path, vnode);
}
