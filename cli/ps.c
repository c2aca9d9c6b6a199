/* `burrow ps`: the VMs of this user. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/machine_text.h"
#include "host/json.h"
#include "host/report.h"

const char ps_help[] = "usage: burrow ps [-a] [-q] [--json[=FD]]\n"
		       "\n"
		       "Lists the VMs that this user runs.\n"
		       "\n"
		       "  -a            also those that ran in the background and have ended\n"
		       "  -q            only their names\n"
		       "  --json[=FD]   one JSON object on stdout, or on FD\n"
		       "  --help, -h    this text\n";

struct listing {
	bool all, quiet;
	struct json *json;
	size_t count;
};

static void print_json(struct json *json, const struct machine_handle *machine)
{
	const struct machine_record *record = machine->record;

	json_element_open(json);
	json_text(json, "name", record->name);
	json_text(json, "state", text_of_state(machine));
	json_number(json, "pid", record->control_pid);
	json_number(json, "vm_pid", record->machine_pid);
	json_text(json, "platform", record->platform);
	json_number(json, "cpus", record->cpus);
	json_number(json, "memory_bytes", (int64_t)record->memory_bytes);
	json_number(json, "start_time_ns", (int64_t)record->start_time_ns);
	json_number(json, "restarts", record->restarts);
	if (!machine->is_running)
		json_number(json, "status", record->status);
	json_bool(json, "detached", record->is_detached != 0);
	json_text(json, "ports", record->ports);
	json_text(json, "program", record->program);
	json_element_close(json);
}

static void print_line(const struct machine_handle *machine)
{
	const struct machine_record *record = machine->record;
	char *state = machine->is_running ? alloc_text("%s", text_of_state(machine))
					  : alloc_text("ended (%d)", record->status);

	printf("%-20s %8d %-11s %5s %5u %6s  %-20s %s\n", record->name,
		machine->is_running ? record->control_pid : 0, state,
		text_of_age(machine->is_running ? record->start_time_ns : record->end_time_ns),
		record->cpus, text_of_bytes(record->memory_bytes),
		*record->ports != 0 ? record->ports : "-", record->program);
}

static void visit(const struct machine_handle *machine, void *context)
{
	struct listing *listing = context;

	if (!machine->is_running && !listing->all)
		return;
	if (listing->json != NULL)
		print_json(listing->json, machine);
	else if (listing->quiet)
		puts(machine->record->name);
	else {
		if (listing->count++ == 0)
			puts("NAME                      PID STATE         AGE  CPUS MEMORY  "
			     "PORTS                PROGRAM");
		print_line(machine);
	}
}

int ps_main(int argc, char **argv)
{
	struct listing listing = {0};
	const char *json_text = NULL;
	const struct flag flags[] = {{"-a", FLAG_SWITCH, &listing.all, NULL},
		{"-q", FLAG_SWITCH, &listing.quiet, NULL},
		{"--json", FLAG_OPTIONAL_TEXT, &json_text, "FD"}, {NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, ps_help);
	struct json json;
	int error;

	if (first != argc)
		report_fail(STATUS_TOOL_FAILED, "%s: this command takes only flags", argv[first]);
	if (json_text != NULL) {
		int fd = flags_json_descriptor(json_text, STDOUT_FILENO);

		report_set_json(fd);
		json_open(&json, fd);
		json_array_open(&json, "vms");
		listing.json = &json;
	}
	error = machines_visit(visit, &listing);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "cannot list the VMs: %s", strerror(-error));
	if (listing.json != NULL) {
		json_array_close(&json);
		json_close(&json);
	}
	return report_finish_output();
}
