/* `burrow`: finds the subcommand and runs it. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "host/report.h"

const struct command commands[] = {
	{"run", "run a program, or a Go package, in a VM", run_main, run_help},
	{"exec", "the same for `go test -exec` and `go run -exec`", exec_main, exec_help},
	{"check", "say what a program will want and what would fail, without running it",
		check_main, check_help},
	{"build", "make one file that is a program and its VM", build_main, build_help},
	{"go", "call `go` so that what it builds and runs are VMs", go_main, go_help},
	{"env", "print what makes plain `go` do so in this shell", env_main, env_help},
	{"toolexec", NULL, toolexec_main, toolexec_help},
	{"ps", "list the VMs that run", ps_main, ps_help},
	{"stats", "show what they use, live or for Prometheus", stats_main, stats_help},
	{"logs", "print what a VM in the background wrote", logs_main, logs_help},
	{"stop", "end VMs", stop_main, stop_help},
	{"rm", "forget VMs that have ended, and their logs", rm_main, rm_help},
	{"image", "list the files in an image and draw what takes the space", image_main,
		image_help},
	{"volume", "make and check files with an ext4 file system", volume_main, volume_help},
	{"doctor", "say what this machine can do and what is missing", doctor_main, doctor_help},
	{"version", "print the version", version_main, version_help},
	{"help", "print help on a command", help_main, help_help},
	{NULL, NULL, NULL, NULL},
};

static const struct command *find_command(const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0)
		name = "version";
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		report_fail(STATUS_TOOL_FAILED,
			"no command given; try `burrow run PROGRAM` or `burrow help`");
	command = find_command(argv[1]);
	if (command == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"%s: no such command; `burrow help` lists them (to run a program: "
			"`burrow run %s`)",
			argv[1], argv[1]);
	report_set_command(command->name);
	return command->main(argc - 2, argv + 2);
}
