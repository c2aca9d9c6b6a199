/* Starts other programs: see host/child.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/child.h"

#define OUTPUT_BYTES 65536

char *child_find(const char *name)
{
	const char *at = getenv("PATH");

	if (at == NULL)
		at = "/usr/local/bin:/usr/bin:/bin";
	while (*at != 0) {
		size_t length = strcspn(at, ":");
		char *path = alloc_text("%.*s/%s", (int)length, at, name);

		if (length != 0 && access(path, X_OK) == 0)
			return path;
		free(path);
		at += length + (at[length] == ':');
	}
	return NULL;
}

static _Noreturn void become(char **argv, char **environment, const char *directory, int output)
{
	if (directory != NULL && chdir(directory) != 0)
		_exit(127);
	dup2(output >= 0 ? output : 2, 1);
	if (output >= 0)
		dup2(output, 2);
	for (; environment != NULL && *environment != NULL; environment++)
		putenv(*environment);
	execv(argv[0], argv);
	_exit(127);
}

static char *read_all(int fd)
{
	char *text = alloc_zeroed(OUTPUT_BYTES + 1);
	char scrap[512];
	size_t used = 0;

	for (;;) {
		bool is_full = used == OUTPUT_BYTES;
		ssize_t got = read(fd, is_full ? scrap : text + used,
			is_full ? sizeof(scrap) : OUTPUT_BYTES - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return text;
		if (!is_full)
			used += (size_t)got;
	}
}

int child_run(char **argv, char **environment, const char *directory, char **output)
{
	int ends[2] = {-1, -1};
	int status;
	pid_t pid;

	if (output != NULL && pipe(ends) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(argv, environment, directory, ends[1]);
	if (output != NULL) {
		close(ends[1]);
		*output = read_all(ends[0]);
		close(ends[0]);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
