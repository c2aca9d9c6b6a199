/*
 * `burrow go` and `burrow env`: `go` as people use it, with VMs as what it makes.
 *
 * The toolchain is not changed: GOFLAGS tells it to link through `burrow toolexec` and to
 * start through `burrow exec`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/go_environment.h"
#include "host/child.h"
#include "host/report.h"

const char go_help[] =
	"usage: burrow go build|install|run|test|… [flags and words of go]\n"
	"       burrow go build [-o FILE] PACKAGE@VERSION\n"
	"\n"
	"Calls your own `go` so that what it builds and installs are files that run as VMs,\n"
	"and what it runs and tests runs in VMs. `go build` of a package by its path alone\n"
	"works outside of a module, too, with its latest version or the one after @.\n"
	"\n"
	"  BURROW_BUILDFLAGS  flags of `burrow build` for what is linked: '--mem 1G --net'\n"
	"  CGO_ENABLED=1      C code is allowed, and linked statically\n"
	"  --help, -h         this text\n";

const char env_help[] =
	"usage: eval \"$(burrow env)\"\n"
	"\n"
	"Prints shell commands after which plain `go build`, `go install`, `go run` and\n"
	"`go test` make and run VMs, as with `burrow go`.\n"
	"\n"
	"  --unset            print commands that undo this\n"
	"  --help, -h         this text\n";

/* ---- burrow env -------------------------------------------------------------- */

/* In single quotes for a shell. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text != 0; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

int env_main(int argc, char **argv)
{
	bool unset = false;
	const struct flag flags[] = {
		{"--unset", FLAG_SWITCH, &unset, NULL}, {NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, env_help);
	struct text_list list = {0};

	if (first != argc)
		report_fail(STATUS_TOOL_FAILED, "%s: this command takes only flags", argv[first]);
	if (unset) {
		puts("unset GOOS GOARCH CGO_ENABLED GOFLAGS");
		return report_finish_output();
	}
	go_environment(GO_LINKS_VMS | GO_RUNS_VMS, &list);
	for (size_t i = 0; i < list.count; i++) {
		size_t name = strcspn(list.items[i], "=");

		printf("export %.*s=", (int)name, list.items[i]);
		print_quoted(list.items[i] + name + 1);
		putchar('\n');
	}
	return report_finish_output();
}

/* ---- go build of a package by its path ------------------------------------------ */

struct path_build {
	char *package;      /* with @VERSION */
	const char *output; /* -o, or NULL */
	struct text_list flags;
};

static bool is_in_module(char *go)
{
	char env[] = "env", name[] = "GOMOD";
	char *words[] = {go, env, name, NULL};
	char *output;

	return child_run(words, NULL, NULL, &output) == 0 && *output == '/' &&
	       strncmp(output, "/dev/null", 9) != 0;
}

/* example.com/x: the first element has a dot, and it is no path of a file. */
static bool is_import_path(const char *word)
{
	const char *dot = strchr(word, '.'), *slash = strchr(word, '/');

	return *word != '.' && *word != '/' && dot != NULL && slash != NULL && dot < slash;
}

/* True for `build`, flags, and one package that only `go install PATH@VERSION` can build. */
static bool understand_path_build(char *go, int argc, char **argv, struct path_build *build)
{
	const char *last;

	if (argc < 2 || strcmp(argv[0], "build") != 0)
		return false;
	last = argv[argc - 1];
	if (!is_import_path(last) || (strchr(last, '@') == NULL && is_in_module(go)))
		return false;
	build->package =
		strchr(last, '@') != NULL ? alloc_text("%s", last) : alloc_text("%s@latest", last);
	for (int i = 1; i < argc - 1; i++) {
		if (strcmp(argv[i], "-o") == 0 && i + 1 < argc - 1)
			build->output = argv[++i];
		else if (strncmp(argv[i], "-o=", 3) == 0)
			build->output = argv[i] + 3;
		else
			text_list_add(&build->flags, argv[i]);
	}
	return true;
}

/* The last element of the path, but a version as /v2 counts not. */
static char *command_name(const char *package)
{
	char *path = alloc_text("%.*s", (int)strcspn(package, "@"), package);
	char *slash = strrchr(path, '/');

	if (slash != NULL && slash[1] == 'v' && slash[2] != 0 &&
		strspn(slash + 2, "0123456789") == strlen(slash + 2)) {
		*slash = 0;
		slash = strrchr(path, '/');
	}
	return alloc_text("%s", slash != NULL ? slash + 1 : path);
}

static bool is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int build_by_path(char *go, char **environment, struct path_build *build)
{
	char *name = command_name(build->package);
	char *directory = alloc_text("./.burrow-XXXXXX"), *made, *output;
	struct text_list words = {0}, variables = {0};
	int status;

	if (mkdtemp(directory) == NULL || (directory = realpath(directory, NULL)) == NULL)
		report_fail(STATUS_TOOL_FAILED, "cannot make a directory here to build in: %s",
			strerror(errno));
	text_list_add(&words, go);
	text_list_add(&words, alloc_text("install"));
	for (size_t i = 0; i < build->flags.count; i++)
		text_list_add(&words, build->flags.items[i]);
	text_list_add(&words, build->package);
	for (; *environment != NULL; environment++)
		text_list_add(&variables, *environment);
	text_list_add(&variables, alloc_text("GOBIN=%s", directory));
	status = child_run(words.items, variables.items, NULL, NULL);
	made = alloc_text("%s/%s", directory, name);
	output = alloc_text("%s", build->output != NULL ? build->output : name);
	if (is_directory(output))
		output = alloc_text("%s/%s", output, name);
	if (status == 0 && rename(made, output) != 0) {
		report_note("%s: cannot be put there: %s", output, strerror(errno));
		status = STATUS_TOOL_FAILED;
	}
	unlink(made);
	rmdir(directory);
	return status < 0 ? STATUS_TOOL_FAILED : status;
}

/* ---- burrow go -------------------------------------------------------------------- */

static unsigned parts_for(const char *subcommand)
{
	if (strcmp(subcommand, "build") == 0 || strcmp(subcommand, "install") == 0)
		return GO_LINKS_VMS;
	if (strcmp(subcommand, "run") == 0 || strcmp(subcommand, "test") == 0)
		return GO_RUNS_VMS;
	return 0;
}

int go_main(int argc, char **argv)
{
	struct text_list environment = {0}, words = {0};
	struct path_build build = {0};
	char *go = child_find("go");

	if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		fputs(go_help, argc == 0 ? stderr : stdout);
		return argc == 0 ? STATUS_TOOL_FAILED : report_finish_output();
	}
	if (go == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"there is no `go` in PATH; install Go (https://go.dev/dl)");
	go_environment(parts_for(argv[0]), &environment);
	if (understand_path_build(go, argc, argv, &build))
		return build_by_path(go, environment.items, &build);
	for (size_t i = 0; i < environment.count; i++)
		putenv(environment.items[i]);
	text_list_add(&words, go);
	for (int i = 0; i < argc; i++)
		text_list_add(&words, argv[i]);
	execv(go, words.items);
	report_fail(STATUS_TOOL_FAILED, "cannot start %s: %s", go, strerror(errno));
}
