/* `burrow stop` and `burrow rm`: ends VMs, and forgets those that have ended. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/machine_text.h"
#include "host/report.h"

#define GRACE_SECONDS_DEFAULT 10
#define LOOK_EVERY_MS         10

const char stop_help[] =
	"usage: burrow stop [--time SECONDS] NAME…\n"
	"\n"
	"Sends SIGTERM to the programs of these VMs and waits until they have ended;\n"
	"what has not ended in time is killed. They are not started again.\n"
	"\n"
	"  --time SECONDS  how long to wait, by default 10\n"
	"  --help, -h      this text\n";

const char rm_help[] = "usage: burrow rm NAME…\n"
		       "\n"
		       "Forgets VMs that ran in the background and have ended, and their logs.\n"
		       "\n"
		       "  --help, -h    this text\n";

/* Sends the signal to the process that held the lock when we looked: a descriptor of it is
 * opened first, and the lock looked at again. */
static bool signal_process(const char *name, int32_t pid, int number)
{
	struct machine_handle again;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool sent = false;

	if (fd < 0)
		return false;
	if (machines_open(name, &again) == 0) {
		sent = again.is_running &&
		       (again.record->control_pid == pid || again.record->machine_pid == pid) &&
		       syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) == 0;
		machines_close(&again);
	}
	close(fd);
	return sent;
}

static bool has_ended(const char *name)
{
	struct machine_handle machine;
	bool is_running;

	if (machines_open(name, &machine) != 0)
		return true;
	is_running = machine.is_running;
	machines_close(&machine);
	return !is_running;
}

static bool wait_until_ended(const char *name, unsigned seconds)
{
	for (unsigned i = 0; i <= seconds * 1000 / LOOK_EVERY_MS; i++) {
		if (has_ended(name))
			return true;
		poll(NULL, 0, LOOK_EVERY_MS);
	}
	return false;
}

static int stop(const char *name, unsigned seconds)
{
	struct machine_handle machine;
	int32_t control, vm;

	machine_open_or_fail(name, &machine);
	control = machine.record->control_pid;
	vm = machine.record->machine_pid;
	if (!machine.is_running) {
		machines_close(&machine);
		return 0;
	}
	machines_close(&machine);
	signal_process(name, control, SIGTERM);
	if (wait_until_ended(name, seconds))
		return 0;
	report_note("%s: did not end in %u s, is killed", name, seconds);
	signal_process(name, vm, SIGKILL);
	if (wait_until_ended(name, 2))
		return 0;
	signal_process(name, control, SIGKILL);
	if (wait_until_ended(name, 2))
		return 0;
	report_note("%s: cannot be stopped (process %d)", name, vm);
	return 1;
}

int stop_main(int argc, char **argv)
{
	const char *text = NULL;
	const struct flag flags[] = {
		{"--time", FLAG_TEXT, &text, "SECONDS"}, {NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, stop_help);
	unsigned long seconds = GRACE_SECONDS_DEFAULT;
	int status = 0;
	char *end;

	if (text != NULL) {
		seconds = strtoul(text, &end, 10);
		if (*text < '0' || *text > '9' || *end != 0 || seconds > 86400)
			report_fail(STATUS_TOOL_FAILED,
				"--time %s: not a number of seconds up to 86400", text);
	}
	if (first == argc)
		report_fail(STATUS_TOOL_FAILED, "no NAME given; `burrow ps` lists them");
	for (int i = first; i < argc; i++)
		status |= stop(argv[i], (unsigned)seconds);
	return status;
}

int rm_main(int argc, char **argv)
{
	const struct flag flags[] = {{NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, rm_help);

	if (first == argc)
		report_fail(STATUS_TOOL_FAILED, "no NAME given; `burrow ps -a` lists them");
	for (int i = first; i < argc; i++) {
		int error = machines_remove(argv[i]);

		if (error == -EBUSY)
			report_fail(STATUS_TOOL_FAILED, "%s: it runs; `burrow stop %s` ends it",
				argv[i], argv[i]);
		if (error != 0)
			report_fail(STATUS_TOOL_FAILED,
				"%s: no VM of this name; `burrow ps -a` lists them", argv[i]);
	}
	return 0;
}
