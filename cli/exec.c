/*
 * `burrow exec`: what `go test -exec` and `go run -exec` call.
 *
 * Tests read files beside their source (testdata) and write where flags tell them,
 * so the VM gets the current directory, Go's time zone file, and the directories
 * that -test.* arguments name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/file_images.h"
#include "cli/go_root.h"
#include "host/report.h"
#include "cli/session.h"

/* -test.testlogfile=/a/b/testlog.txt: the VM needs /a/b. */
static void add_argument_directory(struct file_tree *tree, const char *argument)
{
	const char *path = strchr(argument, '=');
	char *directory, *slash;

	if (strncmp(argument, "-test.", 6) != 0 || path == NULL || path[1] != '/')
		return;
	directory = alloc_text("%s", path + 1);
	slash = strrchr(directory, '/');
	if (strncmp(argument, "-test.outputdir=", 16) != 0 &&
		strncmp(argument, "-test.gocoverdir=", 17) != 0)
		*slash = 0;
	if (*directory != 0)
		(void)file_tree_directory(tree, directory);
	free(directory);
}

static void add_time_zones(struct file_tree *tree)
{
	char *root = go_root_find();
	char *path = alloc_text("%s/lib/time/zoneinfo.zip", root != NULL ? root : "");

	if (access(path, R_OK) == 0)
		file_tree_add(tree, path, path, false);
	free(path);
	free(root);
}

static void fill_tree(struct file_tree *tree, const struct options *options, const char *here)
{
	file_tree_init(tree, options->files_limit_bytes, options->verbose);
	(void)file_tree_directory(tree, here);
	add_time_zones(tree);
	if (!options->no_working_directory_files)
		file_tree_add(tree, here, here, false);
	for (size_t i = 0; i < options->arguments.count; i++)
		add_argument_directory(tree, options->arguments.items[i]);
	file_images_fill(tree, options);
}

int exec_main(int argc, char **argv)
{
	struct options options = {0};
	struct program *program = alloc_zeroed(sizeof(*program));
	char *here;
	struct file_images files;
	struct file_tree tree;

	options_parse(&options, argc, argv, exec_help);
	here = getcwd(NULL, 0);
	if (here == NULL)
		report_fail(
			STATUS_TOOL_FAILED, "the current directory is gone: %s", strerror(errno));
	program_open(program, options.program);
	fill_tree(&tree, &options, here);
	file_images_open(&files, &options);
	file_images_add(&files, &tree);
	if (options.working_directory == NULL)
		options.working_directory = here;
	text_list_add_first(&options.environment, alloc_text("TMPDIR=/tmp"));
	return session_run(&options, program, options.working_directory, &files);
}
