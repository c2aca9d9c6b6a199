/*
 * /sys: the few files that programs read to learn about the machine.
 */
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/text_node.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/platform.h"
#include "lib/format.h"

static long fixed_text(char *buffer, size_t capacity, void *text)
{
	return (long)format_text(buffer, capacity, "%s", (const char *)text);
}

static long cpu_range(char *buffer, size_t capacity, void *argument)
{
	uint32_t count = platform_cpu_count();

	(void)argument;
	return (long)(count == 1 ? format_text(buffer, capacity, "0\n")
				 : format_text(buffer, capacity, "0-%u\n", count - 1));
}

static char huge_page_size[] = "2097152\n", huge_page_use[] = "always [madvise] never\n";
static char huge_page_defrag[] = "always defer defer+madvise [madvise] never\n";
static char one_node[] = "0\n";

static const struct {
	const char *path;
	struct text_node node;
} files[] = {
	{"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", {fixed_text, huge_page_size, NULL}},
	{"/sys/kernel/mm/transparent_hugepage/enabled", {fixed_text, huge_page_use, NULL}},
	{"/sys/kernel/mm/transparent_hugepage/defrag", {fixed_text, huge_page_defrag, NULL}},
	{"/sys/devices/system/cpu/online", {cpu_range, NULL, NULL}},
	{"/sys/devices/system/cpu/possible", {cpu_range, NULL, NULL}},
	{"/sys/devices/system/cpu/present", {cpu_range, NULL, NULL}},
	{"/sys/devices/system/node/online", {fixed_text, one_node, NULL}},
};

int sys_init(void)
{
	int error = tree_fill_mount("/sys", &memfs_sys, 0555);

	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++)
		error = text_node_add(files[i].path, &files[i].node);
	if (!error)
		error = tree_fill_mount("/sys/fs", &memfs_sys, 0555);
	if (!error)
		error = tree_fill_mount("/sys/class/net", &memfs_sys, 0555);
	return error;
}
