/* See run_built.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/run_built.h"
#include "host/report.h"
#include "lib/image.h"

static bool is_built(const char *path)
{
	static uint8_t head[IMAGE_HEADER_OFFSET + sizeof(struct image_header)] ALIGNED(8);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	bool is_it = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
		     pread(fd, head, sizeof(head), 0) == sizeof(head) &&
		     image_check(head, (uint64_t)status.st_size) == IMAGE_OK;

	if (fd >= 0)
		close(fd);
	return is_it;
}

static void set(const char *name, const char *value)
{
	if (value != NULL && setenv(name, value, 1) != 0)
		report_fail(STATUS_TOOL_FAILED, "no memory");
}

static void set_list(const char *name, const struct text_list *list)
{
	char *text = NULL;

	for (size_t i = 0; i < list->count; i++)
		text = text == NULL ? alloc_text("%s", list->items[i])
				    : alloc_text("%s %s", text, list->items[i]);
	set(name, text);
}

static void refuse(bool is_given, const char *flag, const char *why)
{
	if (is_given)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", flag, why);
}

static void check_flags(const struct options *options)
{
	static const char files[] =
		"not for a file that burrow build made: its files are inside; build it again";
	static const char launcher[] =
		"not for a file that burrow build made, which starts itself; run the program it "
		"was made of";

	refuse(options->files != NULL, "--files", files);
	refuse(options->rootfs != NULL, "--rootfs", files);
	refuse(options->add.count != 0, "--add", files);
	refuse(options->disks.count != 0, "--disk", launcher);
	refuse(options->json_text != NULL, "--json", launcher);
	refuse(options->detach, "-d", launcher);
	refuse(options->platform == PLATFORM_QEMU || options->platform == PLATFORM_QEMU_KVM,
		"--platform",
		"QEMU boots this file itself: qemu-system-x86_64 -kernel FILE, see "
		"burrow-build(1)");
}

static void set_environment(const struct options *options)
{
	const struct network *network = &options->network;

	if (options->clean_environment && clearenv() != 0)
		report_fail(STATUS_TOOL_FAILED, "no memory");
	for (size_t i = 0; i < options->environment.count; i++) {
		if (putenv(options->environment.items[i]) != 0)
			report_fail(STATUS_TOOL_FAILED, "no memory");
	}
	set("BURROW_MEM", options->memory_text);
	set("BURROW_CPUS", options->cpus_text);
	set("BURROW_CWD", options->working_directory);
	set("BURROW_HOSTNAME", network->hostname);
	set_list("BURROW_NET", &network->interfaces_text);
	set_list("BURROW_PORTS", &network->ports_text);
	set_list("BURROW_IP", &network->addresses_text);
	set_list("BURROW_MAC", &network->macs_text);
	set_list("BURROW_PCAP", &network->pcaps_text);
	set("BURROW_SNIFF", network->sniff ? "1" : NULL);
	set("BURROW_VERBOSE", options->verbose ? "1" : NULL);
	set("BURROW_TRACE", options->trace_syscalls ? "1" : NULL);
}

void run_built(const struct options *options)
{
	const char *program = options->program;
	struct text_list arguments = {0};

	if (!is_built(program))
		return;
	check_flags(options);
	set_environment(options);
	text_list_add(&arguments, alloc_text("%s", program));
	for (size_t i = 0; i < options->arguments.count; i++)
		text_list_add(&arguments, options->arguments.items[i]);
	execv(program, arguments.items);
	report_fail(STATUS_NOT_RUNNABLE, "%s: %s", program, strerror(errno));
}
