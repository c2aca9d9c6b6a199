/* Supervises a VM in the background: see cli/supervisor.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/supervisor.h"
#include "host/alloc.h"
#include "host/report.h"

#define LOG_BYTES_MAX  (16u << 20) /* then it becomes NAME.log.1 */
#define PAUSE_FIRST_MS 100
#define PAUSE_LAST_MS  10000
#define LONG_RUN_NS    10000000000ull /* after so long a run, the pause is short again */

struct supervisor {
	struct machine_handle *machine;
	struct restart_policy policy;
	supervisor_start start;
	void *context;
	char *log_path;
	int log, log_bytes;
	int signals; /* signalfd */
	sigset_t mask_before;
	pid_t child;
	bool is_stopping;
	unsigned pause_ms;
};

bool restart_parse(const char *text, struct restart_policy *policy)
{
	char *end;

	*policy = (struct restart_policy){RESTART_NO, 0};
	if (strcmp(text, "no") == 0)
		return true;
	if (strcmp(text, "always") == 0) {
		policy->kind = RESTART_ALWAYS;
		return true;
	}
	if (strncmp(text, "on-failure", 10) != 0)
		return false;
	policy->kind = RESTART_ON_FAILURE;
	if (text[10] == 0)
		return true;
	if (text[10] != ':' || text[11] < '1' || text[11] > '9')
		return false;
	errno = 0;
	policy->most = (uint32_t)strtoul(text + 11, &end, 10);
	return *end == 0 && errno == 0 && strlen(text + 11) <= 9;
}

/* ---- the log ------------------------------------------------------------------- */

static void open_log(struct supervisor *supervisor)
{
	struct stat status;

	supervisor->log = open(
		supervisor->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	supervisor->log_bytes = supervisor->log >= 0 && fstat(supervisor->log, &status) == 0
					? (int)MIN(status.st_size, (off_t)LOG_BYTES_MAX)
					: 0;
}

static void turn_log(struct supervisor *supervisor)
{
	char *old = alloc_text("%s.1", supervisor->log_path);

	close(supervisor->log);
	rename(supervisor->log_path, old);
	free(old);
	open_log(supervisor);
}

/* What cannot be written (a full disk) is lost: the VM goes on. */
static void write_log(struct supervisor *supervisor, const char *bytes, size_t count)
{
	if (supervisor->log_bytes >= (int)LOG_BYTES_MAX)
		turn_log(supervisor);
	while (count != 0) {
		ssize_t done = write(supervisor->log, bytes, count);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		supervisor->log_bytes += (int)done;
		bytes += done;
		count -= (size_t)done;
	}
}

/* ---- one run --------------------------------------------------------------------- */

/* Of the child: where it writes from `started` on, and whom it tells. */
static int child_output = -1, child_ready = -1;

static void child_started(void)
{
	int null = open("/dev/null", O_RDONLY);

	dup2(null, 0);
	dup2(child_output, 1);
	dup2(child_output, 2);
	close(null);
	close(child_output);
	if (child_ready >= 0) {
		(void)!write(child_ready, "", 1);
		close(child_ready);
	}
}

static pid_t start_child(struct supervisor *supervisor, int output, int ready)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, &supervisor->mask_before, NULL);
	close(supervisor->log);
	close(supervisor->signals);
	child_output = output;
	child_ready = ready;
	if (ready < 0)
		dup2(output, 2);
	exit(supervisor->start(supervisor->context, child_started));
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void take_signal(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	if (read(supervisor->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		return;
	supervisor->is_stopping |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
	if (supervisor->child > 0)
		kill(supervisor->child, (int)info.ssi_signo);
}

static bool copy_output(struct supervisor *supervisor, int output)
{
	char bytes[16384];
	ssize_t got = read(output, bytes, sizeof(bytes));

	if (got > 0)
		write_log(supervisor, bytes, (size_t)got);
	return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Until the child has ended and all that it wrote is in the log; its wait status. */
static int follow_child(struct supervisor *supervisor, int output)
{
	struct pollfd files[2] = {
		{.fd = output, .events = POLLIN}, {.fd = supervisor->signals, .events = POLLIN}};
	bool has_ended = false;
	int status = 0;

	for (;;) {
		/* Somebody else (a helper of the VM) may keep the pipe open: no wait for it. */
		int ready = poll(files, 2, has_ended ? 0 : -1);

		if (ready < 0 && errno != EINTR)
			return status;
		if (ready > 0 && files[1].revents != 0)
			take_signal(supervisor);
		if (ready > 0 && files[0].revents != 0 && !copy_output(supervisor, output))
			files[0].fd = -1;
		if (has_ended && (ready <= 0 || files[0].fd < 0))
			return status;
		if (!has_ended && waitpid(supervisor->child, &status, WNOHANG) == supervisor->child)
			has_ended = true;
	}
}

static int run_once(struct supervisor *supervisor, int ready)
{
	struct machine_record *record = supervisor->machine->record;
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return STATUS_TOOL_FAILED;
	record->start_time_ns = realtime_ns();
	record->state = MACHINE_RUNNING;
	supervisor->child = start_child(supervisor, ends[1], ready);
	close(ends[1]);
	if (ready >= 0)
		close(ready);
	if (supervisor->child < 0) {
		close(ends[0]);
		return STATUS_TOOL_FAILED;
	}
	record->machine_pid = supervisor->child;
	status = follow_child(supervisor, ends[0]);
	supervisor->child = 0;
	close(ends[0]);
	record->end_time_ns = realtime_ns();
	record->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return record->status;
}

/* ---- again and again ---------------------------------------------------------------- */

static bool wants_restart(const struct supervisor *supervisor, int status)
{
	const struct restart_policy *policy = &supervisor->policy;

	if (supervisor->is_stopping || policy->kind == RESTART_NO ||
		(policy->kind == RESTART_ON_FAILURE && status == 0))
		return false;
	return policy->most == 0 || supervisor->machine->record->restarts < policy->most;
}

static void say(struct supervisor *supervisor, char *text)
{
	write_log(supervisor, text, strlen(text));
	free(text);
}

static void pause_before_restart(struct supervisor *supervisor)
{
	struct pollfd file = {.fd = supervisor->signals, .events = POLLIN};
	struct machine_record *record = supervisor->machine->record;

	if (record->end_time_ns - record->start_time_ns > LONG_RUN_NS)
		supervisor->pause_ms = PAUSE_FIRST_MS;
	record->state = MACHINE_WAITING;
	say(supervisor, alloc_text("burrow: ended with status %d; starting it again in %u ms\n",
				record->status, supervisor->pause_ms));
	while (!supervisor->is_stopping && poll(&file, 1, (int)supervisor->pause_ms) > 0)
		take_signal(supervisor);
	supervisor->pause_ms = MIN(2 * supervisor->pause_ms, (unsigned)PAUSE_LAST_MS);
	record->restarts++;
}

static int supervise(struct supervisor *supervisor, int ready)
{
	int status = run_once(supervisor, ready);

	while (wants_restart(supervisor, status)) {
		pause_before_restart(supervisor);
		if (supervisor->is_stopping)
			break;
		status = run_once(supervisor, -1);
	}
	supervisor->machine->record->state = MACHINE_ENDED;
	return status;
}

/* The user waits until the first start has told of itself. */
static _Noreturn void become_supervisor(struct supervisor *supervisor, int ready)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	sigset_t set;
	int status;

	setsid();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, &supervisor->mask_before);
	supervisor->signals = signalfd(-1, &set, SFD_CLOEXEC);
	open_log(supervisor);
	if (supervisor->signals < 0 || supervisor->log < 0)
		report_fail(STATUS_TOOL_FAILED, "%s: %s", supervisor->log_path, strerror(errno));
	supervisor->machine->record->control_pid = getpid();
	supervisor->machine->record->is_detached = true;
	status = supervise(supervisor, ready);
	exit(status);
}

/* Waits for the byte that says that the VM runs; else the supervisor has ended. */
static int wait_until_started(const struct supervisor *supervisor, pid_t pid, int ready)
{
	struct machine_handle *machine = supervisor->machine;
	char byte;
	int status;

	if (read(ready, &byte, 1) == 1) {
		machines_close(machine);
		return 0;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	unlink(supervisor->log_path);
	machines_unregister(machine, false);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int supervisor_run(struct machine_handle *machine, struct restart_policy policy,
	supervisor_start start, void *context)
{
	struct supervisor supervisor = {.machine = machine,
		.policy = policy,
		.start = start,
		.context = context,
		.log_path = machines_log_path(machine->record->name),
		.pause_ms = PAUSE_FIRST_MS};
	int ends[2];
	pid_t pid;

	unlink(supervisor.log_path); /* of the last VM of this name */
	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		report_fail(STATUS_TOOL_FAILED, "cannot start a process: %s", strerror(errno));
	if (pid == 0) {
		close(ends[0]);
		become_supervisor(&supervisor, ends[1]);
	}
	close(ends[1]);
	return wait_until_started(&supervisor, pid, ends[0]);
}
