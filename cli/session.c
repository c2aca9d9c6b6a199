/* Chooses the platform and runs the program on it: see cli/session.h. */
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/child.h"
#include "cli/environment.h"
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

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
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

int session_run(struct options *options, const struct program *program,
	const char *working_directory, int files_fd)
{
	struct text_list environment = {0};
	struct launch launch = {.options = options,
		.program = program,
		.environment = &environment,
		.working_directory = working_directory,
		.files_fd = files_fd};
	struct launch_result result;
	int64_t start_ns = now_ns();

	choose_platform(options);
	if (options->network.sniff && options->platform != PLATFORM_KVM)
		report_fail(STATUS_TOOL_FAILED,
			"--sniff: only with --platform kvm; elsewhere use --pcap FILE");
	network_open(&options->network, options->verbose);
	environment_make(options, environ, working_directory, &environment);
	if (options->platform == PLATFORM_KVM && options->json_fd < 0)
		launch_kvm_exec(&launch);
	result =
		options->platform == PLATFORM_KVM ? launch_kvm_wait(&launch) : launch_qemu(&launch);
	if (options->json_fd >= 0)
		print_summary(&launch, &result, now_ns() - start_ns);
	if (result.signal != 0)
		end_by_signal(result.signal);
	return result.status;
}
