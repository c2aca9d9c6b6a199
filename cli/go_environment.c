/* Environment of `go`: see cli/go_environment.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/go_environment.h"
#include "host/child.h"
#include "host/report.h"

static char *own_path(void)
{
	char *path = alloc_zeroed(PATH_MAX);

	if (readlink("/proc/self/exe", path, PATH_MAX - 1) < 0)
		report_fail(STATUS_TOOL_FAILED, "cannot find the path of burrow: no /proc");
	if (strpbrk(path, " '\"\\\t\n") != NULL)
		report_fail(STATUS_TOOL_FAILED,
			"%s: GOFLAGS cannot name a path with blanks or quotes; install burrow "
			"elsewhere",
			path);
	return path;
}

/* A flag of GOFLAGS with blanks in it stands in quotes (from Go 1.18 on). */
static char *add_flag(char *flags, char *flag)
{
	return alloc_text("%s%s'%s'", flags, *flags != 0 ? " " : "", flag);
}

static bool has_static_libc(void)
{
	char print[] = "-print-file-name=libc.a";
	char *words[] = {child_find("gcc"), print, NULL};
	char *output;

	return words[0] != NULL && child_run(words, NULL, NULL, &output) == 0 && *output == '/';
}

/* cgo needs a C library in the program; without a static one the program would not run. */
static bool wants_cgo(void)
{
	const char *wish = getenv("CGO_ENABLED");

	if (wish == NULL || strcmp(wish, "1") != 0)
		return false;
	if (!has_static_libc())
		report_fail(STATUS_TOOL_FAILED,
			"CGO_ENABLED=1: C code has to be linked statically, and there is no libc.a "
			"here (Debian: sudo apt install libc6-dev gcc); or unset CGO_ENABLED");
	return true;
}

void go_environment(unsigned parts, struct text_list *out)
{
	const char *given = getenv("GOFLAGS");
	char *flags = alloc_text("%s", given != NULL ? given : "");
	char *burrow = own_path();
	bool cgo = wants_cgo();

	if (cgo)
		flags = add_flag(
			flags, alloc_text("-ldflags=-linkmode external -extldflags -static"));
	if (parts & GO_LINKS_VMS && strstr(flags, "-toolexec") == NULL)
		flags = add_flag(flags, alloc_text("-toolexec=%s toolexec", burrow));
	if (parts & GO_RUNS_VMS && strstr(flags, "-exec=") == NULL)
		flags = add_flag(flags, alloc_text("-exec=%s exec", burrow));
	text_list_add(out, alloc_text("GOOS=linux"));
	text_list_add(out, alloc_text("GOARCH=amd64"));
	text_list_add(out, alloc_text("CGO_ENABLED=%d", cgo));
	text_list_add(out, alloc_text("GOFLAGS=%s", flags));
	free(burrow);
}
