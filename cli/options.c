/* Flags of run and exec: see cli/options.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "abi/boot_info.h"
#include "cli/built_file.h"
#include "cli/flags.h"
#include "cli/options.h"
#include "host/report.h"
#include "host/size.h"

#define MEMORY_DEFAULT      (512ull << 20)
#define MEMORY_LOWEST       (16ull << 20)
#define MEMORY_HIGHEST      (512ull << 30)
#define FILES_LIMIT_DEFAULT (256ull << 20)

static uint64_t parse_size(const char *flag, const char *text)
{
	uint64_t bytes = 0;
	int error = size_parse(text, &bytes);

	if (error == -ERANGE)
		report_fail(STATUS_TOOL_FAILED, "%s %s: too large", flag, text);
	if (error != 0)
		report_fail(STATUS_TOOL_FAILED,
			"%s %s: not a size; write a number with a unit, such as 512M or 2G", flag,
			text);
	return bytes;
}

static void understand_memory(struct options *options)
{
	options->memory_bytes = MEMORY_DEFAULT;
	if (options->memory_text == NULL)
		return;
	options->memory_bytes = ALIGN_UP(parse_size("--mem", options->memory_text), 2ull << 20);
	if (options->memory_bytes < MEMORY_LOWEST)
		report_fail(STATUS_TOOL_FAILED,
			"--mem %s: less than the smallest VM, 16M (a number needs a unit: 512M)",
			options->memory_text);
	if (options->memory_bytes > MEMORY_HIGHEST)
		report_fail(STATUS_TOOL_FAILED, "--mem %s: more than the largest VM, 512G",
			options->memory_text);
}

/* The processors this process may use, as a native program would see them. */
static unsigned usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return MIN((unsigned)CPU_COUNT(&set), BOOT_MAX_CPUS);
}

static void understand_cpus(struct options *options)
{
	char *end;
	unsigned long cpus;

	options->cpus = usable_cpus();
	if (options->cpus_text == NULL)
		return;
	errno = 0;
	cpus = strtoul(options->cpus_text, &end, 10);
	if (*options->cpus_text < '0' || *options->cpus_text > '9' || *end != 0 || errno != 0 ||
		cpus < 1 || cpus > BOOT_MAX_CPUS)
		report_fail(STATUS_TOOL_FAILED, "--cpus %s: not a number from 1 to %d",
			options->cpus_text, BOOT_MAX_CPUS);
	options->cpus = (unsigned)cpus;
}

static void understand_platform(struct options *options)
{
	if (options->platform_text == NULL)
		options->platform = PLATFORM_AUTOMATIC;
	else if (strcmp(options->platform_text, "kvm") == 0)
		options->platform = PLATFORM_KVM;
	else if (strcmp(options->platform_text, "qemu") == 0)
		options->platform = PLATFORM_QEMU;
	else if (strcmp(options->platform_text, "qemu-kvm") == 0)
		options->platform = PLATFORM_QEMU_KVM;
	else
		report_fail(STATUS_TOOL_FAILED,
			"--platform %s: unknown; there are kvm, qemu and qemu-kvm",
			options->platform_text);
}

static void understand_machine(struct options *options)
{
	if (options->machine_text == NULL)
		return;
	if (strcmp(options->machine_text, "q35") == 0)
		options->machine = MACHINE_Q35;
	else if (strcmp(options->machine_text, "microvm") != 0)
		report_fail(STATUS_TOOL_FAILED, "--machine %s: unknown; there are microvm and q35",
			options->machine_text);
	if (options->platform == PLATFORM_KVM || options->platform == PLATFORM_AUTOMATIC)
		report_fail(STATUS_TOOL_FAILED,
			"--machine %s: only for --platform qemu and qemu-kvm",
			options->machine_text);
}

static void understand_json(struct options *options)
{
	options->json_fd = -1;
	if (options->json_text == NULL)
		return;
	options->json_fd = flags_json_descriptor(options->json_text, 2);
	report_set_json(options->json_fd);
}

/* Name, background, restarts. */
static void understand_management(struct options *options)
{
	if (options->name != NULL && !machines_is_name(options->name))
		report_fail(STATUS_TOOL_FAILED,
			"--name %s: a name has up to 63 letters, digits, '.', '_' and '-', and "
			"starts with a letter, digit or '_'",
			options->name);
	if (options->restart_text == NULL)
		return;
	if (!restart_parse(options->restart_text, &options->restart))
		report_fail(STATUS_TOOL_FAILED,
			"--restart %s: unknown; there are no, always, on-failure and on-failure:N",
			options->restart_text);
	if (!options->detach)
		report_fail(STATUS_TOOL_FAILED, "--restart is for VMs in the background: add -d");
}

static void understand_fs_size(struct options *options)
{
	if (options->fs_size_text == NULL)
		return;
	options->fs_bytes = parse_size("--fs-size", options->fs_size_text);
	if (options->fs_bytes < 1ull << 20)
		report_fail(STATUS_TOOL_FAILED,
			"--fs-size %s: less than 1M (a number needs a unit: 64M)",
			options->fs_size_text);
	if (options->fs_bytes > options->memory_bytes)
		report_fail(STATUS_TOOL_FAILED,
			"--fs-size %s: more than the memory of the VM, %ju MiB; raise --mem",
			options->fs_size_text, (uintmax_t)(options->memory_bytes >> 20));
}

static void check_environment(const struct options *options)
{
	for (size_t i = 0; i < options->environment.count; i++) {
		const char *item = options->environment.items[i];

		if (*item == '=' || strchr(item, '=') == NULL)
			report_fail(STATUS_TOOL_FAILED, "--env %s: write NAME=VALUE", item);
	}
}

static void check_working_directory(const struct options *options)
{
	if (options->working_directory != NULL && options->working_directory[0] != '/')
		report_fail(STATUS_TOOL_FAILED, "--cwd %s: not an absolute path",
			options->working_directory);
}

void options_understand(struct options *options)
{
	understand_json(options);
	understand_platform(options);
	understand_machine(options);
	understand_memory(options);
	understand_fs_size(options);
	understand_cpus(options);
	check_environment(options);
	check_working_directory(options);
	options->files_limit_bytes =
		options->files_limit_text != NULL
			? parse_size("--files-limit", options->files_limit_text)
			: FILES_LIMIT_DEFAULT;
}

void options_parse(struct options *options, int argc, char **argv, const char *help)
{
	const struct flag flags[] = {
		{"--platform", FLAG_TEXT, &options->platform_text, "kvm|qemu"},
		{"--machine", FLAG_TEXT, &options->machine_text, "microvm|q35"},
		{"--mem", FLAG_TEXT, &options->memory_text, "SIZE"},
		{"--cpus", FLAG_TEXT, &options->cpus_text, "N"},
		{"--env", FLAG_LIST, &options->environment, "NAME=VALUE"},
		{"--clean-env", FLAG_SWITCH, &options->clean_environment, NULL},
		{"--files", FLAG_TEXT, &options->files, "FILE.cpio"},
		{"--add", FLAG_LIST, &options->add, "HOST[:GUEST]"},
		{"--rootfs", FLAG_TEXT, &options->rootfs, "DIR|TAR|IMAGE"},
		{"--fs-size", FLAG_TEXT, &options->fs_size_text, "SIZE"},
		{"--files-limit", FLAG_TEXT, &options->files_limit_text, "SIZE"},
		{"--cwd", FLAG_TEXT, &options->working_directory, "DIR"},
		{"--no-cwd-files", FLAG_SWITCH, &options->no_working_directory_files, NULL},
		{"--net", FLAG_LIST, &options->network.interfaces_text, "NAME=tap:DEVICE"},
		{"-p", FLAG_LIST, &options->network.ports_text, "HOST_PORT:GUEST_PORT"},
		{"--ip", FLAG_LIST, &options->network.addresses_text, "ADDRESS/PREFIX,gw=ADDRESS"},
		{"--ip6", FLAG_LIST, &options->network.addresses6_text, "ADDRESS/PREFIX"},
		{"--mac", FLAG_LIST, &options->network.macs_text, "MAC"},
		{"--hostname", FLAG_TEXT, &options->network.hostname, "NAME"},
		{"--ntp", FLAG_TEXT, &options->network.time_server, "SERVER"},
		{"--pcap", FLAG_LIST, &options->network.pcaps_text, "FILE"},
		{"--sniff", FLAG_SWITCH, &options->network.sniff, NULL},
		{"--name", FLAG_TEXT, &options->name, "NAME"},
		{"--detach", FLAG_SWITCH, &options->detach, NULL},
		{"-d", FLAG_SWITCH, &options->detach, NULL},
		{"--restart", FLAG_TEXT, &options->restart_text, "no|on-failure[:N]|always"},
		{"--disk", FLAG_LIST, &options->disks.text, "NAME=FILE"},
		{"--disk-log", FLAG_TEXT, &options->disks.log, "FILE"},
		{"--verbose", FLAG_SWITCH, &options->verbose, NULL},
		{"-v", FLAG_LIST, &options->shares.text, "HOST:GUEST[:ro]"},
		{"--trace-syscalls", FLAG_SWITCH, &options->trace_syscalls, NULL},
		{"--json", FLAG_OPTIONAL_TEXT, &options->json_text, "FD"},
		{NULL, FLAG_SWITCH, NULL, NULL},
	};
	int used = flags_parse(flags, argc, argv, help);
	struct built_file built;

	if (used < argc) {
		options->program = argv[used];
		for (int i = used + 1; i < argc; i++)
			text_list_add(&options->arguments, argv[i]);
		built_file_open(&built, options->program);
		if (built.file != NULL)
			built_file_add_manifest(&built, options);
	}
	options_understand(options);
	network_understand(&options->network);
	understand_management(options);
	disks_understand(&options->disks);
	shares_understand(&options->shares);
	if (used == argc)
		report_fail(STATUS_TOOL_FAILED, "no PROGRAM given: an executable, or a Go package "
						"such as . or ./cmd/x or example.com/x@latest");
}
