/*
 * Platform QEMU: a microvm, or a q35, whose kernel is ours and whose initial ramdisk is a bundle
 * (abi/bundle.h), on any machine, emulated unless --platform qemu-kvm.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "host/child.h"
#include "cli/install.h"
#include "cli/launch.h"
#include "cli/qemu_bridge.h"
#include "host/report.h"
#include "lib/syscall_sites.h"

/* ---- the bundle ------------------------------------------------------------ */

static uint8_t stream_kind(int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return BOOT_STREAM_CLOSED;
	if (isatty(fd))
		return BOOT_STREAM_TTY;
	if (S_ISREG(status.st_mode))
		return BOOT_STREAM_FILE;
	if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))
		return BOOT_STREAM_NULL;
	return BOOT_STREAM_PIPE;
}

static void fill_header(struct bundle_header *header, const struct options *options)
{
	struct winsize size = {0};
	struct timespec now;

	header->files_mib = (uint32_t)(options->fs_bytes >> 20);
	header->flags = BOOT_EXIT_DEBUG_PORT | (options->verbose ? BOOT_VERBOSE : 0) |
			(options->trace_syscalls ? BOOT_TRACE_SYSCALLS : 0);
	if (getrandom(header->seed, sizeof(header->seed), 0) != sizeof(header->seed))
		report_fail(STATUS_TOOL_FAILED, "no random numbers: %s", strerror(errno));
	for (int fd = 0; fd < 3; fd++)
		header->streams[fd] = stream_kind(fd);
	if (ioctl(1, TIOCGWINSZ, &size) == 0 || ioctl(0, TIOCGWINSZ, &size) == 0) {
		header->tty_rows = size.ws_row;
		header->tty_columns = size.ws_col;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	header->wall_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void add_module(
	struct bundle *bundle, enum boot_module_type type, const void *data, uint64_t bytes)
{
	bundle->modules[bundle->module_count++] =
		(struct bundle_module){.type = type, .data = data, .bytes = bytes};
}

static void add_files(struct bundle *bundle, enum boot_module_type type, int fd)
{
	struct stat status;
	void *data;

	if (fstat(fd, &status) != 0 || status.st_size == 0)
		return;
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		report_fail(STATUS_TOOL_FAILED, "files for the VM: %s", strerror(errno));
	add_module(bundle, type, data, (uint64_t)status.st_size);
}

static void add_network(struct bundle *bundle, const struct network *network)
{
	struct boot_interface *interfaces =
		alloc_zeroed((network->interface_count + 1) * sizeof(*interfaces));

	for (uint32_t i = 0; i < network->interface_count; i++)
		interfaces[i] = network->interfaces[i].boot;
	bundle->interfaces = interfaces;
	bundle->interface_count = network->interface_count;
	if (network->hostname != NULL)
		strncpy(bundle->header.hostname, network->hostname, BOOT_HOSTNAME_BYTES - 1);
}

static void add_disk_names(struct bundle *bundle, const struct disks *disks)
{
	struct boot_disk *names = alloc_zeroed((disks->count + 1) * sizeof(*names));

	for (uint32_t i = 0; i < disks->count; i++)
		names[i] = disks->disks[i].boot;
	bundle->disks = names;
	bundle->disk_count = disks->count;
}

/* argv of the program. */
static struct text_list *program_arguments(const struct launch *launch)
{
	struct text_list *list = alloc_zeroed(sizeof(*list));
	const struct text_list *rest = &launch->options->arguments;

	text_list_add(list, launch->program->argument);
	for (size_t i = 0; i < rest->count; i++)
		text_list_add(list, rest->items[i]);
	return list;
}

/* Returns a descriptor that QEMU inherits. */
static int make_bundle(const struct launch *launch)
{
	const struct program *program = launch->program;
	struct bundle *bundle = alloc_zeroed(sizeof(*bundle));
	struct syscall_site *sites = alloc_zeroed(SYSCALL_SITES_MAX * sizeof(*sites));
	size_t count = syscall_sites_find(
		program->image, program->bytes, &program->elf, sites, SYSCALL_SITES_MAX);
	int fd = memfd_create("burrow-bundle", 0);
	int64_t bytes;

	if (fd < 0)
		report_fail(
			STATUS_TOOL_FAILED, "cannot make a file in memory: %s", strerror(errno));
	fill_header(&bundle->header, launch->options);
	bundle->path = program->name;
	bundle->arguments = program_arguments(launch);
	bundle->environment = launch->environment;
	bundle->working_directory = launch->working_directory;
	add_network(bundle, &launch->options->network);
	add_disk_names(bundle, &launch->options->disks);
	add_module(bundle, BOOT_MODULE_PROGRAM, program->image, program->bytes);
	if (launch->files.archive_fd >= 0)
		add_files(bundle, BOOT_MODULE_FILES, launch->files.archive_fd);
	for (unsigned i = 0; i < launch->files.image_count; i++)
		add_files(bundle, BOOT_MODULE_IMAGE, launch->files.images[i]);
	if (count != 0)
		add_module(bundle, BOOT_MODULE_SITES, sites, count * sizeof(*sites));
	bytes = bundle_write(bundle, fd);
	if (bytes < 0)
		report_fail(STATUS_TOOL_FAILED, "cannot write the files for QEMU: %s",
			strerror((int)-bytes));
	if ((uint64_t)bytes + (8u << 20) > launch->options->memory_bytes)
		report_fail(STATUS_TOOL_FAILED,
			"the program and its files (%jd MiB) do not fit in the VM's memory "
			"(%ju MiB); raise --mem",
			(intmax_t)(bytes >> 20), (uintmax_t)(launch->options->memory_bytes >> 20));
	return fd;
}

/* ---- QEMU's command line ------------------------------------------------------ */

static void add(struct text_list *list, const char *word)
{
	text_list_add(list, alloc_text("%s", word));
}

static void add_value(struct text_list *list, const char *flag, char *value)
{
	add(list, flag);
	text_list_add(list, value);
}

/* The virtio device that is number `index` for the guest (abi/bundle.h), on the transport or
 * in the PCI slot that makes it so. */
static void add_device(struct text_list *list, enum machine machine, unsigned index,
	const char *name, const char *properties)
{
	char *value =
		machine == MACHINE_Q35
			? alloc_text("%s-pci,bus=pcie.0,addr=%u%s", name, index + 2, properties)
			: alloc_text("%s-device,bus=virtio-mmio-bus.%u%s", name, index, properties);

	add_value(list, "-device", value);
}

/* A generic port, which holds the guest back while we do not read; a console port drops
 * bytes. */
static void add_console(struct text_list *list, enum machine machine, unsigned index, int fd)
{
	add_value(list, "-chardev", alloc_text("socket,id=c%u,fd=%d", index, fd));
	add_device(list, machine, index, "virtio-serial", alloc_text(",id=s%u,max_ports=2", index));
	add_value(list, "-device",
		alloc_text("virtserialport,bus=s%u.0,nr=1,chardev=c%u", index, index));
}

/* Devices 0 to 3 are taken; microvm has eight transports. */
#define NETWORK_FIRST_DEVICE 4u
#define NETWORK_MOST         4u

static void add_interface(struct text_list *list, enum machine machine, unsigned index,
	const struct network_interface *interface)
{
	const uint8_t *mac = interface->boot.mac;
	const char *mtu = "";

	/* passt takes fragments for datagrams: there should be none. */
	if (interface->backend == NETWORK_PASST)
		mtu = alloc_text(",host_mtu=%d", NETWORK_PASST_MTU);
	if (interface->backend == NETWORK_TAP)
		add_value(list, "-netdev", alloc_text("tap,id=n%u,fd=%d", index, interface->fd));
	else
		add_value(list, "-netdev",
			alloc_text("stream,id=n%u,server=off,addr.type=fd,addr.str=%d", index,
				interface->fd));
	if (interface->pcap_fd >= 0)
		add_value(list, "-object",
			alloc_text("filter-dump,id=d%u,netdev=n%u,file=/proc/self/fd/%d", index,
				index, interface->pcap_fd));
	/* Without the firmware's own program for booting from it. */
	add_device(list, machine, NETWORK_FIRST_DEVICE + index, "virtio-net",
		alloc_text(",netdev=n%u,mac=%02x:%02x:%02x:%02x:%02x:%02x%s%s", index, mac[0],
			mac[1], mac[2], mac[3], mac[4], mac[5],
			machine == MACHINE_Q35 ? ",romfile=" : "", mtu));
}

static void add_interfaces(
	struct text_list *list, enum machine machine, const struct network *network)
{
	if (network->interface_count > NETWORK_MOST)
		report_fail(STATUS_TOOL_FAILED,
			"QEMU's microvm has room for %u network interfaces; give fewer, or use "
			"--platform kvm",
			NETWORK_MOST);
	for (unsigned i = 0; i < network->interface_count; i++)
		add_interface(list, machine, i, &network->interfaces[i]);
}

/* QEMU's values end at a comma; two stand for one. */
static char *escape_commas(const char *text)
{
	char *escaped = alloc_zeroed(2 * strlen(text) + 1), *at = escaped;

	for (; *text != 0; text++) {
		*at++ = *text;
		if (*text == ',')
			*at++ = ',';
	}
	return escaped;
}

static void add_disk(
	struct text_list *list, const struct options *options, unsigned index, unsigned device)
{
	const struct disk *disk = &options->disks.disks[index];
	const char *rights = disk->boot.flags & BOOT_DISK_READ_ONLY ? "on" : "off";

	/* The host's page cache, as our monitor does; a flush goes to the medium. Errors go to
	 * the program. */
	add_value(list, "-drive",
		alloc_text("file=%s,if=none,id=d%u,format=raw,cache=writeback,discard=unmap,"
			   "werror=report,rerror=report,readonly=%s",
			escape_commas(disk->path), index, rights));
	add_device(list, options->machine, device, "virtio-blk",
		alloc_text(",drive=d%u,serial=%s,num-queues=%u", index, disk->boot.name,
			MIN(options->cpus, 8u)));
}

static void add_disks(struct text_list *list, const struct options *options)
{
	unsigned first = NETWORK_FIRST_DEVICE + options->network.interface_count;

	if (options->machine == MACHINE_MICROVM &&
		options->network.interface_count + options->disks.count > NETWORK_MOST)
		report_fail(STATUS_TOOL_FAILED,
			"QEMU's microvm has room for %u network interfaces and disks; give fewer, "
			"use --machine q35, or --platform kvm",
			NETWORK_MOST);
	for (unsigned i = 0; i < options->disks.count; i++)
		add_disk(list, options, i, first + i);
}

static void add_machine(struct text_list *list, const struct options *options)
{
	bool use_kvm = options->platform == PLATFORM_QEMU_KVM;

	add_value(list, "-machine",
		alloc_text("%s",
			options->machine == MACHINE_Q35
				? "q35,usb=off,sata=off,smm=off,vmport=off,hpet=off"
				: "microvm,acpi=off,pic=off,pit=off,rtc=off,x-option-roms=off"));
	add_value(list, "-accel", alloc_text("%s", use_kvm ? "kvm" : "tcg"));
	add_value(list, "-cpu", alloc_text("%s", use_kvm ? "host" : "max"));
	add_value(list, "-smp", alloc_text("%u", options->cpus));
	add_value(list, "-m", alloc_text("%juM", (uintmax_t)(options->memory_bytes >> 20)));
	add(list, "-nodefaults");
	add(list, "-no-user-config");
	add(list, "-no-reboot");
	add_value(list, "-display", alloc_text("none"));
	add_value(list, "-global", alloc_text("virtio-mmio.force-legacy=false"));
	add_value(list, "-device", alloc_text("isa-debug-exit,iobase=0xf4,iosize=4"));
}

static void qemu_arguments(
	struct text_list *list, const struct options *options, int bundle, const int *consoles)
{
	char *qemu = child_find("qemu-system-x86_64");
	char *kernel = install_find("kernel.elf");

	if (qemu == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"there is no qemu-system-x86_64 in PATH; install QEMU "
			"(Debian: sudo apt install qemu-system-x86), or use --platform kvm");
	if (kernel == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"kernel.elf is not installed: looked in %s; run make, or set "
			"BURROW_LIBEXEC",
			install_places());
	text_list_add(list, qemu);
	add_machine(list, options);
	add_value(list, "-kernel", kernel);
	add_value(list, "-initrd", alloc_text("/proc/self/fd/%d", bundle));
	add_value(list, "-serial", alloc_text("stdio"));
	for (unsigned i = 0; i < 3; i++)
		add_console(list, options->machine, i, consoles[i]);
	add_device(list, options->machine, 3, "virtio-rng", "");
	add_interfaces(list, options->machine, &options->network);
	add_disks(list, options);
}

/* ---- starting it ---------------------------------------------------------------- */

/* In the child: its own group, so that the terminal's signals come to us alone. */
static _Noreturn void become_qemu(
	char **arguments, int diagnostics, const sigset_t *mask, pid_t parent)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_TOOL_FAILED);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	dup2(null, 0);
	dup2(diagnostics, 1);
	dup2(diagnostics, 2);
	execv(arguments[0], arguments);
	_exit(STATUS_TOOL_FAILED);
}

/* ours[i] is closed on exec, theirs[i] is not. */
static void make_console(int *ours, int *theirs)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		report_fail(STATUS_TOOL_FAILED, "cannot make a socket pair: %s", strerror(errno));
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	*ours = ends[0];
	*theirs = ends[1];
}

struct launch_result launch_qemu(const struct launch *launch)
{
	struct text_list arguments = {0};
	struct qemu_bridge bridge = {.verbose = launch->options->verbose};
	int ours[3], theirs[3], pipe_ends[2], bundle = make_bundle(launch);
	pid_t parent = getpid();
	sigset_t before;

	disks_lock(&launch->options->disks);
	for (int i = 0; i < 3; i++)
		make_console(&ours[i], &theirs[i]);
	qemu_arguments(&arguments, launch->options, bundle, theirs);
	if (pipe2(pipe_ends, O_CLOEXEC) != 0)
		report_fail(STATUS_TOOL_FAILED, "cannot make a pipe: %s", strerror(errno));
	qemu_bridge_block_signals(&before);
	bridge.pid = fork();
	if (bridge.pid < 0)
		report_fail(STATUS_TOOL_FAILED, "cannot start QEMU: %s", strerror(errno));
	if (bridge.pid == 0)
		become_qemu(arguments.items, pipe_ends[1], &before, parent);
	if (launch->machine != NULL)
		launch->machine->record->machine_pid = bridge.pid;
	for (int i = 0; i < 3; i++)
		close(theirs[i]);
	close(pipe_ends[1]);
	close(bundle);
	bridge.stdio = ours[0];
	bridge.error = ours[1];
	bridge.control = ours[2];
	bridge.diagnostics = pipe_ends[0];
	return qemu_bridge_run(&bridge);
}
