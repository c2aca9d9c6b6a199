/* `burrow help` and `burrow version`. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/version.h"
#include "host/report.h"

const char version_help[] = "usage: burrow version\n\n"
			    "Prints the version of the command.\n";

const char help_help[] = "usage: burrow help [COMMAND]\n\n"
			 "Lists the commands, or explains one of them.\n";

static bool wants_help(int argc, char **argv)
{
	return argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
}

int version_main(int argc, char **argv)
{
	if (wants_help(argc, argv))
		fputs(version_help, stdout);
	else if (argc > 0)
		report_fail(STATUS_TOOL_FAILED, "%s: this command takes nothing", argv[0]);
	else
		puts("burrow " BURROW_VERSION);
	return report_finish_output();
}

static int list_commands(void)
{
	puts("usage: burrow COMMAND [flags] …\n\n"
	     "Runs Go programs, unmodified, each in a virtual machine of its own that\n"
	     "behaves like a process.\n");
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (command->summary != NULL)
			printf("  %-9s %s\n", command->name, command->summary);
	}
	puts("\n`burrow COMMAND --help` explains a command; so does burrow-COMMAND(1).");
	return report_finish_output();
}

int help_main(int argc, char **argv)
{
	if (argc == 0)
		return list_commands();
	if (wants_help(argc, argv)) {
		fputs(help_help, stdout);
		return report_finish_output();
	}
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (strcmp(command->name, argv[0]) == 0) {
			fputs(command->help, stdout);
			return report_finish_output();
		}
	}
	report_fail(STATUS_TOOL_FAILED, "%s: no such command; `burrow help` lists them", argv[0]);
}
