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

#include "host/child.h"
#include "cli/command.h"
#include "cli/pack.h"
#include "host/report.h"
#include "cli/session.h"

/* -test.testlogfile=/a/b/testlog.txt: the VM needs /a/b. */
static void pack_argument_directory(struct pack *pack, const char *argument)
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
		pack_directory(pack, directory);
	free(directory);
}

/* $GOROOT, which go test sets from Go 1.19 on, else where the `go` in PATH lies. */
static char *go_root(void)
{
	const char *root = getenv("GOROOT");
	char *go, *path;

	if (root != NULL && *root == '/')
		return alloc_text("%s", root);
	go = child_find("go");
	path = go != NULL ? realpath(go, NULL) : NULL;
	free(go);
	for (int i = 0; i < 2 && path != NULL; i++) { /* bin/go */
		char *slash = strrchr(path, '/');

		if (slash != NULL)
			*slash = 0;
	}
	return path;
}

static void pack_time_zones(struct pack *pack)
{
	char *root = go_root();
	char *path = alloc_text("%s/lib/time/zoneinfo.zip", root != NULL ? root : "");

	if (access(path, R_OK) == 0)
		pack_tree(pack, path, path);
	free(path);
	free(root);
}

static int pack_files(const struct options *options, const char *here)
{
	struct pack pack;

	pack_open(&pack, options->files_limit_bytes, options->verbose);
	if (options->files != NULL)
		pack_archive(&pack, options->files);
	pack_directory(&pack, here);
	pack_time_zones(&pack);
	if (!options->no_working_directory_files)
		pack_tree(&pack, here, here);
	for (size_t i = 0; i < options->arguments.count; i++)
		pack_argument_directory(&pack, options->arguments.items[i]);
	for (size_t i = 0; i < options->add.count; i++)
		pack_argument(&pack, options->add.items[i]);
	return pack_close(&pack);
}

int exec_main(int argc, char **argv)
{
	struct options options = {0};
	struct program *program = alloc_zeroed(sizeof(*program));
	char *here;
	int files;

	options_parse(&options, argc, argv, exec_help);
	here = getcwd(NULL, 0);
	if (here == NULL)
		report_fail(
			STATUS_TOOL_FAILED, "the current directory is gone: %s", strerror(errno));
	program_open(program, options.program);
	files = pack_files(&options, here);
	if (options.working_directory == NULL)
		options.working_directory = here;
	text_list_add_first(&options.environment, alloc_text("TMPDIR=/tmp"));
	return session_run(&options, program, options.working_directory, files);
}
