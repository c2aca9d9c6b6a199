/* `burrow logs`: what a VM in the background wrote. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/machine_text.h"
#include "host/report.h"

#define LOOK_EVERY_MS 100

const char logs_help[] =
	"usage: burrow logs [-f] [--tail N] NAME\n"
	"\n"
	"Prints what the VM, started with `burrow run --detach`, wrote on stdout and stderr.\n"
	"\n"
	"  -f, --follow  go on until the VM ends\n"
	"  --tail N      only the last N lines\n"
	"  --help, -h    this text\n";

static int open_log(const char *name)
{
	char *path = machines_log_path(name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		report_fail(STATUS_TOOL_FAILED,
			"%s: has no log: it was not started with --detach; see its terminal", name);
	if (fd < 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", path, strerror(errno));
	free(path);
	return fd;
}

/* Start of the last `lines` lines. */
static off_t find_tail(int fd, off_t size, unsigned long lines)
{
	char bytes[4096];
	off_t at = size;

	while (at > 0) {
		size_t count = (size_t)MIN(at, (off_t)sizeof(bytes));
		ssize_t got = pread(fd, bytes, count, at - (off_t)count);

		if (got != (ssize_t)count)
			return at;
		for (size_t i = count; i > 0; i--) {
			off_t after = at - (off_t)count + (off_t)i;

			if (bytes[i - 1] == '\n' && after != size && lines-- <= 1)
				return after;
		}
		at -= (off_t)count;
	}
	return 0;
}

/* From *at to the present end. */
static void copy_rest(int fd, off_t *at)
{
	char bytes[16384];
	ssize_t got;

	while ((got = pread(fd, bytes, sizeof(bytes), *at)) > 0) {
		*at += got;
		fwrite(bytes, 1, (size_t)got, stdout);
	}
	fflush(stdout);
}

static bool is_running(const char *name)
{
	struct machine_handle machine;
	bool result;

	if (machines_open(name, &machine) != 0)
		return false;
	result = machine.is_running;
	machines_close(&machine);
	return result;
}

/* The log may be turned: the rest of the old one, then the new one from its start. */
static void follow(const char *name, int fd, off_t at)
{
	char *path = machines_log_path(name);
	bool goes_on = true;

	while (goes_on) {
		struct stat mine, present;

		goes_on = is_running(name);
		copy_rest(fd, &at);
		if (ferror(stdout))
			return;
		if (stat(path, &present) == 0 && fstat(fd, &mine) == 0 &&
			mine.st_ino != present.st_ino) {
			copy_rest(fd, &at);
			close(fd);
			fd = open_log(name);
			at = 0;
			continue;
		}
		if (goes_on)
			poll(NULL, 0, LOOK_EVERY_MS);
	}
}

int logs_main(int argc, char **argv)
{
	bool follows = false;
	const char *tail = NULL;
	const struct flag flags[] = {{"-f", FLAG_SWITCH, &follows, NULL},
		{"--follow", FLAG_SWITCH, &follows, NULL}, {"--tail", FLAG_TEXT, &tail, "N"},
		{NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, logs_help), fd;
	struct machine_handle machine;
	struct stat status;
	unsigned long lines = 0;
	off_t at = 0;
	char *end;

	if (tail != NULL) {
		lines = strtoul(tail, &end, 10);
		if (*tail < '0' || *tail > '9' || *end != 0)
			report_fail(STATUS_TOOL_FAILED, "--tail %s: not a number of lines", tail);
	}
	if (first + 1 != argc)
		report_fail(STATUS_TOOL_FAILED, "give one NAME; `burrow ps -a` lists them");
	machine_open_or_fail(argv[first], &machine);
	machines_close(&machine);
	fd = open_log(argv[first]);
	if (tail != NULL && fstat(fd, &status) == 0)
		at = lines == 0 ? status.st_size : find_tail(fd, status.st_size, lines);
	if (follows)
		follow(argv[first], fd, at);
	else
		copy_rest(fd, &at);
	return report_finish_output();
}
