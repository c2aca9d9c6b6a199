/* Finds installed files: see cli/install.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/alloc.h"
#include "cli/install.h"

static char *own_directory(void)
{
	char *path = alloc_zeroed(PATH_MAX);
	char *slash;

	if (readlink("/proc/self/exe", path, PATH_MAX - 1) < 0)
		return alloc_text(".");
	slash = strrchr(path, '/');
	if (slash != NULL)
		*slash = 0;
	return path;
}

static char *existing(const char *directory, const char *below, const char *name)
{
	char *path = alloc_text("%s%s/%s", directory, below, name);

	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

char *install_find(const char *name)
{
	const char *chosen = getenv("BURROW_LIBEXEC");
	char *directory, *path;

	if (chosen != NULL && *chosen != 0)
		return existing(chosen, "", name);
	directory = own_directory();
	path = existing(directory, "", name);
	if (path == NULL)
		path = existing(directory, "/../libexec/burrow", name);
	free(directory);
	return path;
}

char *install_places(void)
{
	const char *chosen = getenv("BURROW_LIBEXEC");
	char *directory = own_directory();

	if (chosen != NULL && *chosen != 0)
		return alloc_text("%s (BURROW_LIBEXEC)", chosen);
	return alloc_text("%s and %s/../libexec/burrow", directory, directory);
}
