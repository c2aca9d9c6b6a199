/*
 * burrow-monitor: runs one program in one VM.
 *
 * Threads: the main thread creates the VM and then is vcpu 0. A second one fills
 * the guest's memory meanwhile, creates vcpu 0, starts the other vcpus' threads and
 * becomes the I/O thread (io.c). docs/monitor.md has the whole picture.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/built.h"
#include "monitor/cpuid.h"
#include "monitor/image.h"
#include "monitor/io.h"
#include "monitor/message.h"
#include "monitor/record.h"
#include "monitor/sandbox.h"
#include "monitor/signals.h"
#include "monitor/teardown.h"
#include "monitor/timeline.h"
#include "monitor/vcpu.h"
#include "monitor/vm.h"

static struct machine machine;
static struct vcpu vcpus[BOOT_MAX_CPUS];

/* A file that the VM was started from was cut short by someone. The fault is our own
 * thread's, never one inside libc: the message may be made here. */
static void on_bus_error(int number)
{
	(void)number;
	message_fail(STATUS_VM_FAILED, // NOLINT(bugprone-signal-handler)
		"a file that this VM runs from was truncated; replace files by rename instead");
}

/* A closed standard stream must not become the number of a file of the monitor. */
static void occupy_standard_streams(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
}

static void open_file(struct machine_file *file, const char *path, int not_found, int not_good)
{
	struct stat status;

	if (!path)
		return;
	file->path = path;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &status) < 0)
		message_fail(
			errno == ENOENT ? not_found : not_good, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		message_fail(not_good, "%s: not a regular file", path);
	file->bytes = (uint64_t)status.st_size;
	if (file->bytes == 0)
		message_fail(not_good, "%s: empty file", path);
}

static void open_files(void)
{
	const struct options *options = &machine.options;

	open_file(&machine.program, options->arguments[0], STATUS_NOT_FOUND, STATUS_NOT_EXECUTABLE);
	open_file(&machine.files, options->files, STATUS_MONITOR_FAILED, STATUS_MONITOR_FAILED);
	for (unsigned i = 0; i < options->image_count; i++)
		open_file(&machine.images[i], options->images[i], STATUS_MONITOR_FAILED,
			STATUS_MONITOR_FAILED);
	open_file(&machine.sites, options->sites, STATUS_MONITOR_FAILED, STATUS_MONITOR_FAILED);
	kernel_file_open(&machine.kernel, options->kernel);
}

static void find_program_path(void)
{
	char link[32];
	ssize_t bytes;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", machine.program.fd);
	bytes = readlink(link, machine.program_path, sizeof(machine.program_path) - 1);
	if (bytes <= 0)
		snprintf(machine.program_path, sizeof(machine.program_path), "%s",
			machine.program.path);
	timeline_mark(MARK_FILES);
}

static void plan_memory(void)
{
	struct layout_sizes sizes = {
		.mem = machine.options.mem_bytes,
		.kernel = machine.kernel.image_bytes,
		.program = machine.program.bytes,
		.files = machine.files.bytes,
		.sites = machine.sites.path ? machine.sites.bytes : IMAGE_SITES_BYTES,
		.strings = image_strings_bytes(&machine),
		.interfaces = machine.options.interface_count,
		.disks = machine.options.disk_count,
		.disk_queues = io_disk_queues(&machine),
		.shares = machine.options.share_count,
	};

	for (unsigned i = 0; i < machine.options.image_count; i++)
		sizes.images[i] = machine.images[i].bytes;
	layout_plan(&machine.layout, &sizes);
	layout_reserve(&machine.layout);
	timeline_mark(MARK_MEMORY);
}

/* The last thing before a thread does what the guest wants. */
static void enter_sandbox(void)
{
	const struct sandbox_needs needs = {.has_net = machine.options.interface_count > 0,
		.has_disk = machine.options.disk_count > 0};

	sandbox_enter(&needs);
}

static void *run_secondary_vcpu(void *argument)
{
	struct vcpu *vcpu = argument;

	vcpu_create(vcpu, &machine, (unsigned)(vcpu - vcpus));
	enter_sandbox();
	gate_wait(&machine.slots_ready);
	vcpu_run(vcpu);
}

static void start_thread(void *(*entry)(void *), void *argument)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, entry, argument);

	if (error)
		message_fail(STATUS_MONITOR_FAILED, "cannot start a thread: %s", strerror(error));
}

/*
 * Has the host clear the huge page of RAM that the kernel (0) or the program (1) touches
 * first, while the VM is being made: it takes 170 us, and every guest needs both.
 */
static void back_huge_page(uint64_t number)
{
	uint64_t phys = machine.layout.reserved_end + number * HUGE_BYTES;

	if (phys + HUGE_BYTES <= machine.layout.low_bytes)
		*(volatile uint8_t *)layout_host(&machine.layout, phys) = 0;
}

static void *run_io(void *argument)
{
	(void)argument;
	io_open_nets(&machine);
	io_open_disks(&machine);
	io_open_shares(&machine);
	image_build(&machine);
	timeline_mark(MARK_IMAGE);
	back_huge_page(0);
	io_init(&machine);
	gate_wait(&machine.vm_ready);
	io_connect_disks(&machine);
	io_connect_shares(&machine);
	vcpu_create(&vcpus[0], &machine, 0);
	timeline_mark(MARK_VCPU);
	gate_open(&machine.image_ready);
	back_huge_page(1);
	for (unsigned i = 1; i < machine.options.cpus; i++)
		start_thread(run_secondary_vcpu, &vcpus[i]);
	io_connect(&machine);
	enter_sandbox();
	io_run(&machine);
}

int main(int argc, char **argv)
{
	const struct image_header *built = built_find();

	timeline_mark(MARK_START);
	occupy_standard_streams();
	if (built)
		built_options(&machine, built, argc, argv);
	else
		options_parse(&machine.options, argc, argv);
	if (machine.options.record_fd != 0)
		record_open(machine.options.record_fd);
	signals_block();
	teardown_init();
	signal(SIGBUS, on_bus_error);
	timeline_mark(MARK_OPTIONS);
	if (built)
		built_open(&machine, built);
	else
		open_files();
	find_program_path();
	vm_open(&machine);
	sandbox_prepare();
	plan_memory();
	machine.is_virtualized = cpuid_is_virtualized();
	machine.needs_cpuid = cpuid_is_intercepted();
	start_thread(run_io, NULL);
	vm_create(&machine);
	vm_set_memory(&machine);
	gate_wait(&machine.image_ready);
	image_set_clock(&machine);
	enter_sandbox();
	vcpu_run(&vcpus[0]);
}
