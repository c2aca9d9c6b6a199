/* Chooses the platform and runs the program on it: see cli/session.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/child.h"
#include "host/environment.h"
#include "host/json.h"
#include "host/kvm.h"
#include "cli/launch.h"
#include "host/report.h"
#include "cli/session.h"

static void choose_platform(struct options *options)
{
	int error = options->platform == PLATFORM_QEMU ? 0 : kvm_probe();
	char *qemu;

	if (options->platform == PLATFORM_AUTOMATIC && error != 0) {
		qemu = child_find("qemu-system-x86_64");
		if (qemu == NULL)
			report_fail(STATUS_TOOL_FAILED,
				"no KVM and no qemu-system-x86_64 in PATH: %s; or install QEMU to "
				"emulate (Debian: sudo apt install qemu-system-x86)",
				kvm_error_text(error));
		report_note("emulating with QEMU, many times slower: %s", kvm_error_text(error));
		options->platform = PLATFORM_QEMU;
		return;
	}
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED, "%s; or emulate with --platform qemu",
			kvm_error_text(error));
	if (options->platform == PLATFORM_AUTOMATIC)
		options->platform = PLATFORM_KVM;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void print_summary(
	const struct launch *launch, const struct launch_result *result, int64_t wall_ns)
{
	const struct options *options = launch->options;
	struct json json;

	json_open(&json, options->json_fd);
	json_text(&json, "program", launch->program->name);
	json_text(&json, "platform", options->platform == PLATFORM_KVM ? "kvm" : "qemu");
	json_number(&json, "memory_bytes", (int64_t)options->memory_bytes);
	json_number(&json, "cpus", options->cpus);
	json_number(&json, "wall_ns", wall_ns);
	json_bool(&json, "ended", result->has_ended);
	json_number(&json, "status", result->status);
	if (result->signal != 0)
		json_number(&json, "signal", result->signal);
	else
		json_null(&json, "signal");
	json_close(&json);
}

/* Ends as the program did, so that whoever waits for us sees the signal. */
static void end_by_signal(int number)
{
	const struct rlimit none = {0};
	sigset_t set;

	setrlimit(RLIMIT_CORE, &none);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

/* ---- the record for `burrow ps` ------------------------------------------------ */

static void describe_program(const struct launch *launch, struct machine_record *record)
{
	const struct text_list *arguments = &launch->options->arguments;
	char *text = alloc_text("%s", launch->program->argument);

	for (size_t i = 0; i < arguments->count; i++)
		text = alloc_text("%s %s", text, arguments->items[i]);
	strncpy(record->program, text, sizeof(record->program) - 1);
}

static void describe_ports(const struct text_list *ports, struct machine_record *record)
{
	char *text = alloc_text("%s", "");

	for (size_t i = 0; i < ports->count; i++)
		text = alloc_text("%s%s%s", text, i != 0 ? " " : "", ports->items[i]);
	strncpy(record->ports, text, sizeof(record->ports) - 1);
}

/* Without a name that somebody gave, a VM that cannot be registered runs all the same. */
static bool register_machine(const struct launch *launch, struct machine_handle *machine)
{
	const struct options *options = launch->options;
	const char *name = options->name;
	int error = machines_register(name, launch->program->name, machine);

	if (error == -EEXIST)
		report_fail(STATUS_TOOL_FAILED, "--name %s: a VM of this name runs", name);
	if (error != 0 && (name != NULL || options->detach))
		report_fail(STATUS_TOOL_FAILED,
			"cannot register the VM: %s; set BURROW_STATE to a directory of yours",
			strerror(-error));
	if (error != 0)
		return false;
	machine->record->control_pid = machine->record->machine_pid = getpid();
	machine->record->start_time_ns = (uint64_t)clock_ns(CLOCK_REALTIME);
	machine->record->memory_bytes = options->memory_bytes;
	machine->record->cpus = options->cpus;
	machine->record->state = MACHINE_RUNNING;
	strncpy(machine->record->platform, options->platform == PLATFORM_KVM ? "kvm" : "qemu",
		sizeof(machine->record->platform) - 1);
	describe_program(launch, machine->record);
	describe_ports(&options->network.ports_text, machine->record);
	return true;
}

/* ---- running --------------------------------------------------------------------- */

/* One run of the VM, in this process or a child. */
static struct launch_result run_machine(const struct launch *launch, void (*started)(void))
{
	struct options *options = launch->options;

	network_open(&options->network, options->verbose);
	if (started != NULL)
		started();
	if (options->platform == PLATFORM_KVM && options->json_fd < 0)
		launch_kvm_exec(launch);
	return options->platform == PLATFORM_KVM ? launch_kvm_wait(launch) : launch_qemu(launch);
}

static int run_in_background(void *context, void (*started)(void))
{
	return run_machine(context, started).status;
}

static int detach(struct launch *launch)
{
	const char *name = alloc_text("%s", launch->machine->record->name);
	int status;

	if (launch->options->json_fd >= 0)
		report_fail(STATUS_TOOL_FAILED, "--json: not with -d; `burrow ps --json` tells");
	status = supervisor_run(
		launch->machine, launch->options->restart, run_in_background, launch);
	if (status != 0)
		return status;
	puts(name);
	return report_finish_output();
}

static void make_environment(
	const struct options *options, const char *working_directory, struct text_list *out)
{
	const struct environment_wish wish = {
		.host = options->clean_environment ? NULL : environ,
		.given = &options->environment,
		.defaults = &options->environment_defaults,
		.working_directory = working_directory,
		.memory_bytes = options->memory_bytes,
	};

	environment_make(&wish, out);
}

int session_run(struct options *options, const struct program *program,
	const char *working_directory, const struct file_images *files)
{
	struct text_list environment = {0};
	struct machine_handle machine;
	struct launch launch = {.options = options,
		.program = program,
		.environment = &environment,
		.working_directory = working_directory,
		.files = *files};
	struct launch_result result;
	int64_t start_ns = clock_ns(CLOCK_MONOTONIC);

	choose_platform(options);
	if (options->network.sniff && options->platform != PLATFORM_KVM)
		report_fail(STATUS_TOOL_FAILED,
			"--sniff: only with --platform kvm; elsewhere use --pcap FILE");
	if (options->shares.count != 0 && options->platform != PLATFORM_KVM)
		report_fail(STATUS_TOOL_FAILED,
			"-v: directories of the host need --platform kvm; give copies with --add, "
			"or a volume with --disk");
	if (options->disks.log != NULL && options->platform != PLATFORM_KVM)
		report_fail(STATUS_TOOL_FAILED, "--disk-log: only with --platform kvm");
	make_environment(options, working_directory, &environment);
	if (register_machine(&launch, &machine))
		launch.machine = &machine;
	if (options->detach)
		return detach(&launch);
	result = run_machine(&launch, NULL);
	if (launch.machine != NULL)
		machines_unregister(launch.machine, false);
	if (options->json_fd >= 0)
		print_summary(&launch, &result, clock_ns(CLOCK_MONOTONIC) - start_ns);
	if (result.signal != 0)
		end_by_signal(result.signal);
	return result.status;
}
