/* Where the Go distribution is: see cli/go_root.h. */
#include <stdlib.h>
#include <string.h>

#include "cli/go_root.h"
#include "host/alloc.h"
#include "host/child.h"

char *go_root_find(void)
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
