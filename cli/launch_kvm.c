/*
 * Platform KVM: `burrow-monitor`, a program of its own, which this one becomes.
 *
 * Nothing of the command stays in memory beside a running VM. Only --json needs
 * somebody to wait for the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/install.h"
#include "cli/launch.h"
#include "host/report.h"

static char *find_or_fail(const char *name)
{
	char *path = install_find(name);

	if (path == NULL)
		report_fail(STATUS_TOOL_FAILED,
			"%s is not installed: looked in %s; run make, or set BURROW_LIBEXEC", name,
			install_places());
	return path;
}

static void add_pair(struct text_list *list, const char *flag, char *value)
{
	text_list_add(list, alloc_text("%s", flag));
	text_list_add(list, value);
}

static void add_network(struct text_list *list, const struct network *network)
{
	for (uint32_t i = 0; i < network->interface_count; i++) {
		const struct network_interface *interface = &network->interfaces[i];
		const uint8_t *mac = interface->boot.mac;
		bool is_tap = interface->backend == NETWORK_TAP;

		add_pair(list, "--net",
			alloc_text("%s,%s,%d,%02x:%02x:%02x:%02x:%02x:%02x,%u,%d",
				interface->boot.name, is_tap ? "tap" : "stream", interface->fd,
				mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
				is_tap ? 0 : NETWORK_PASST_MTU,
				interface->pcap_fd >= 0 ? interface->pcap_fd : 0));
		add_pair(list, "--net-settings", alloc_text("%s", interface->boot.settings));
	}
	if (network->sniff)
		text_list_add(list, alloc_text("--sniff"));
	if (network->hostname != NULL)
		add_pair(list, "--hostname", alloc_text("%s", network->hostname));
}

static void add_disks(struct text_list *list, const struct disks *disks)
{
	for (uint32_t i = 0; i < disks->count; i++) {
		const struct boot_disk *boot = &disks->disks[i].boot;

		add_pair(list, "--disk",
			alloc_text("%s,%s,%s", boot->name,
				boot->flags & BOOT_DISK_READ_ONLY ? "ro" : "rw",
				disks->disks[i].path));
		if (boot->mount_path[0] != 0)
			add_pair(list, "--disk-mount", alloc_text("%s", boot->mount_path));
	}
	if (disks->log != NULL)
		add_pair(list, "--disk-log", alloc_text("%s", disks->log));
}

static void add_shares(struct text_list *list, const struct shares *shares)
{
	for (uint32_t i = 0; i < shares->count; i++) {
		const struct share *share = &shares->shares[i];

		add_pair(list, "--share",
			alloc_text("%s,%s", share->read_only ? "ro" : "rw", share->path));
		add_pair(list, "--share-mount", alloc_text("%s", share->mount_path));
	}
}

static void monitor_arguments(const struct launch *launch, struct text_list *list)
{
	const struct options *options = launch->options;

	text_list_add(list, find_or_fail("burrow-monitor"));
	add_pair(list, "--kernel", find_or_fail("kernel.elf"));
	add_pair(list, "--mem", alloc_text("%juM", (uintmax_t)(options->memory_bytes >> 20)));
	add_pair(list, "--cpus", alloc_text("%u", options->cpus));
	if (options->fs_bytes > 0)
		add_pair(list, "--fs-size",
			alloc_text("%juM", (uintmax_t)(options->fs_bytes >> 20)));
	if (launch->files.archive_fd >= 0)
		add_pair(list, "--files", alloc_text("/proc/self/fd/%d", launch->files.archive_fd));
	for (unsigned i = 0; i < launch->files.image_count; i++)
		add_pair(list, "--image", alloc_text("/proc/self/fd/%d", launch->files.images[i]));
	if (launch->machine != NULL)
		add_pair(list, "--record", alloc_text("%d", launch->machine->fd));
	if (options->verbose)
		text_list_add(list, alloc_text("--verbose"));
	if (options->trace_syscalls)
		text_list_add(list, alloc_text("--trace-syscalls"));
	add_network(list, &options->network);
	add_disks(list, &options->disks);
	add_shares(list, &options->shares);
	text_list_add(list, alloc_text("--host-env"));
	add_pair(list, "--cwd", alloc_text("%s", launch->working_directory));
	if (launch->program->is_built)
		add_pair(list, "--name", launch->program->name);
	text_list_add(list, alloc_text("--"));
	text_list_add(list, launch->program->open_path);
	for (size_t i = 0; i < options->arguments.count; i++)
		text_list_add(list, options->arguments.items[i]);
}

/* The program's environment is the monitor's: on the command line everybody on the
 * host could read it. */
static void exec_monitor(char **arguments, char **environment)
{
	static char *nothing[] = {NULL};

	execve(arguments[0], arguments, environment != NULL ? environment : nothing);
	report_fail(STATUS_TOOL_FAILED, "cannot start %s: %s", arguments[0], strerror(errno));
}

_Noreturn void launch_kvm_exec(const struct launch *launch)
{
	struct text_list arguments = {0};

	monitor_arguments(launch, &arguments);
	exec_monitor(arguments.items, launch->environment->items);
	abort();
}

/* The monitor ends as its program did: by a signal too. */
static struct launch_result result_of(int status)
{
	if (WIFSIGNALED(status))
		return (struct launch_result){.status = 128 + WTERMSIG(status),
			.signal = WTERMSIG(status),
			.has_ended = true};
	return (struct launch_result){.status = WEXITSTATUS(status),
		.has_ended = WEXITSTATUS(status) != STATUS_VM_FAILED};
}

/* Signals of the terminal reach the monitor by themselves: it is in our group. */
static struct launch_result forward_signals(pid_t pid, const sigset_t *signals)
{
	for (;;) {
		siginfo_t info;
		int status;

		if (waitpid(pid, &status, WNOHANG) == pid)
			return result_of(status);
		if (sigwaitinfo(signals, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		if (info.si_code <= 0)
			kill(pid, info.si_signo);
	}
}

struct launch_result launch_kvm_wait(const struct launch *launch)
{
	static const int forwarded[] = {
		SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
	struct text_list arguments = {0};
	sigset_t signals, before;
	pid_t pid;

	monitor_arguments(launch, &arguments);
	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&signals, forwarded[i]);
	sigprocmask(SIG_BLOCK, &signals, &before);
	pid = fork();
	if (pid < 0)
		report_fail(STATUS_TOOL_FAILED, "cannot start the monitor: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		exec_monitor(arguments.items, launch->environment->items);
	}
	if (launch->machine != NULL)
		launch->machine->record->machine_pid = pid;
	return forward_signals(pid, &signals);
}
