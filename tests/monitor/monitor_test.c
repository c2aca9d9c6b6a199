/*
 * Runs burrow-monitor with the guest of guest.c: streams, statuses, signals, crashes,
 * hostile rings. Without a usable /dev/kvm only the refusals are tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "lib/test.h"

#define OUTPUT_BYTES     (64u << 20)
#define SECONDS          20
#define MAX_ARGUMENTS    24
#define STATUS_SIGNAL(n) (128 + (n))

/* MONITOR, GUEST and PROGRAM are paths, from the Makefile. */
struct run {
	pid_t pid;
	int in, out, err; /* our ends */
	char *text;       /* what came out, NUL-terminated */
	size_t text_bytes;
	char errors[16384];
	size_t error_bytes;
	int status; /* exit status, or 128 + signal */
};

static bool has_kvm(void)
{
	return access("/dev/kvm", R_OK | W_OK) == 0;
}

static void child(char *const arguments[], const int in[2], const int out[2], const int err[2])
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in[0], 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	execv(MONITOR, arguments);
	_exit(99);
}

/* `line` is split at spaces and follows "burrow-monitor". */
static struct run start(const char *line)
{
	char copy[1024], *save = NULL, *arguments[MAX_ARGUMENTS] = {(char[]){"burrow-monitor"}};
	int in[2], out[2], err[2];
	struct run run = {0};

	snprintf(copy, sizeof(copy), "%s", line);
	for (unsigned i = 1; i < MAX_ARGUMENTS - 1; i++) {
		arguments[i] = strtok_r(i == 1 ? copy : NULL, " ", &save);
		if (!arguments[i])
			break;
	}
	CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
		pipe2(err, O_CLOEXEC) == 0);
	run.pid = fork();
	CHECK(run.pid >= 0);
	if (run.pid == 0)
		child(arguments, in, out, err);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	run.in = in[1];
	run.out = out[0];
	run.err = err[0];
	run.text = malloc(OUTPUT_BYTES + 1);
	CHECK(run.text != NULL);
	return run;
}

static bool take(int *fd, char *to, size_t *bytes, size_t capacity)
{
	ssize_t received = read(*fd, to + *bytes, capacity - *bytes);

	if (received <= 0) {
		close(*fd);
		*fd = -1;
		return false;
	}
	*bytes += (size_t)received;
	to[*bytes] = '\0';
	return true;
}

/* Collects output until both ends are closed, or until stdout holds `until`. */
static void collect(struct run *run, const char *until)
{
	while (run->out >= 0 || run->err >= 0) {
		struct pollfd fds[2] = {
			{.fd = run->out, .events = POLLIN}, {.fd = run->err, .events = POLLIN}};

		if (poll(fds, 2, SECONDS * 1000) <= 0) {
			kill(run->pid, SIGKILL);
			fprintf(stderr, "no end after %d s; stderr: %s\n", SECONDS, run->errors);
			exit(1);
		}
		if (fds[0].revents)
			take(&run->out, run->text, &run->text_bytes, OUTPUT_BYTES);
		if (fds[1].revents)
			take(&run->err, run->errors, &run->error_bytes, sizeof(run->errors) - 1);
		if (until && run->text_bytes && strstr(run->text, until))
			return;
	}
}

static void finish(struct run *run)
{
	int status;

	if (run->in >= 0)
		close(run->in);
	run->text[run->text_bytes] = '\0';
	collect(run, NULL);
	CHECK(waitpid(run->pid, &status, 0) == run->pid);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL(WTERMSIG(status));
}

/* Runs the guest's case with some options of the monitor. */
static struct run start_guest(const char *options, const char *guest_case)
{
	char line[1024];

	snprintf(line, sizeof(line), "--kernel %s --cpus 1 %s -- %s %s", GUEST, options, PROGRAM,
		guest_case);
	return start(line);
}

static void expect_guest(const char *options, const char *guest_case, const char *out,
	const char *error_part, int status)
{
	struct run run;

	if (!has_kvm())
		return;
	run = start_guest(options, guest_case);
	finish(&run);
	if (run.status != status || (out && strcmp(run.text, out) != 0) ||
		!strstr(run.errors, error_part)) {
		fprintf(stderr, "%s %s: status %d, expected %d; stdout: %.500s\nstderr: %s\n",
			options, guest_case, run.status, status, run.text, run.errors);
		exit(1);
	}
	free(run.text);
}

static void expect_refusal(const char *line, const char *message, int status)
{
	char expected[512];
	struct run run = start(line);

	finish(&run);
	snprintf(expected, sizeof(expected), "burrow-monitor: %s\n", message);
	if (run.status != status || strcmp(run.errors, expected) != 0) {
		fprintf(stderr, "%s: status %d, expected %d; stderr: %sexpected: %s", line,
			run.status, status, run.errors, expected);
		exit(1);
	}
	CHECK_EQUAL(run.text_bytes, 0);
	free(run.text);
}

#define BEFORE_PROGRAM "--kernel " GUEST " "

TEST(bad_command_lines_are_refused)
{
	expect_refusal("", "no program given; write it after --, see --help", 125);
	expect_refusal("--", "no program given; write it after --, see --help", 125);
	expect_refusal("-- x", "no kernel given; use --kernel FILE", 125);
	expect_refusal("--wrong -- x",
		"--wrong: unknown option; the program goes after --, see --help", 125);
	expect_refusal("x", "x: unknown option; the program goes after --, see --help", 125);
	expect_refusal("--kernel", "--kernel: needs a value; see --help", 125);
	expect_refusal(BEFORE_PROGRAM "--mem 1M -- x",
		"--mem 1M: too little memory; a program needs at least 16M", 125);
	expect_refusal(BEFORE_PROGRAM "--mem 1T -- x",
		"--mem 1T: not a size; give a number with K, M or G, such as 512M", 125);
	expect_refusal(BEFORE_PROGRAM "--mem 99999999999999999999 -- x",
		"--mem 99999999999999999999: not a size; give a number with K, M or G, such as "
		"512M",
		125);
	expect_refusal(BEFORE_PROGRAM "--mem 18446744073709551615G -- x",
		"--mem 18446744073709551615G: not a size; give a number with K, M or G, such as "
		"512M",
		125);
	expect_refusal(BEFORE_PROGRAM "--mem 2000G -- x",
		"--mem 2000G: more than a VM can address; give at most 512G", 125);
	expect_refusal(BEFORE_PROGRAM "--cpus 0 -- x", "--cpus 0: not a number from 1 to 64", 125);
	expect_refusal(
		BEFORE_PROGRAM "--cpus 65 -- x", "--cpus 65: not a number from 1 to 64", 125);
	expect_refusal(
		BEFORE_PROGRAM "--env NAME -- x", "--env NAME: no value; write NAME=VALUE", 125);
}

TEST(bad_files_are_refused)
{
	expect_refusal(
		BEFORE_PROGRAM "-- /nonexistent", "/nonexistent: No such file or directory", 127);
	expect_refusal(BEFORE_PROGRAM "-- /tmp", "/tmp: not a regular file", 126);
	expect_refusal("--kernel /nonexistent -- " PROGRAM,
		"kernel /nonexistent: No such file or directory", 125);
	expect_refusal("--kernel " PROGRAM " -- " PROGRAM,
		"kernel " PROGRAM ": not a Burrow kernel; use the kernel.elf that was "
		"built with this monitor",
		125);
	expect_refusal("--kernel Makefile -- " PROGRAM,
		"kernel Makefile: not an ELF file; use the kernel.elf that was built with this "
		"monitor",
		125);
	expect_refusal(BEFORE_PROGRAM "--files /nonexistent -- " PROGRAM,
		"/nonexistent: No such file or directory", 125);
}

TEST(bad_programs_are_refused_before_boot)
{
	struct run run;

	if (!has_kvm())
		return;
	run = start(BEFORE_PROGRAM "-- Makefile");
	finish(&run);
	CHECK_EQUAL(run.status, 126);
	CHECK(strstr(run.errors, "burrow-monitor: Makefile: ") == run.errors);
	free(run.text);
}

TEST(streams_and_statuses)
{
	expect_guest("", "hello", "hello\n", "warning\n", 0);
	expect_guest("", "exit 0", "", "", 0);
	expect_guest("", "exit 7", "", "", 7);
	expect_guest("", "exit 255", "", "", 255);
	expect_guest("", "port", "", "!", 0);
	expect_guest("--verbose", "hello", "hello\n", " us  guest entered\n", 0);
	expect_guest("", "kill 15", "", "", STATUS_SIGNAL(15));
	expect_guest("", "kill 6", "", "", STATUS_SIGNAL(6));
	expect_guest("", "kill 9", "", "", STATUS_SIGNAL(9));
}

TEST(memory_of_all_sizes)
{
	expect_guest("--mem 16M", "touch", "", "", 0);
	expect_guest("--mem 17M", "touch", "", "", 0);
	expect_guest("", "touch", "", "", 0);
	expect_guest("--mem 3G", "touch", "", "", 0);
	expect_guest("--mem 3000M", "touch", "", "", 0);
	expect_guest("--mem 9G", "touch", "", "", 0);
}

TEST(the_guest_is_told)
{
	expect_guest("--mem 64M --env A=1 --env B=2 --cwd /somewhere --name prog", "tell x",
		"cpus 1 flags 0x8 streams 1 1 1\n"
		"string prog\nstring tell\nstring x\nstring A=1\nstring B=2\nstring /somewhere\n"
		"region 0 0x200000 2\nregion 0x200000 0x3e00000 1\n"
		"module 1 \177ELF\n",
		"", 0);
}

TEST(vcpus_and_vector_registers)
{
	expect_guest("--cpus 2", "cpus", "", "", 0);
	expect_guest("--cpus 4", "cpus", "", "", 0);
	expect_guest("", "vector", NULL, "", 0);
}

TEST(much_output_arrives_whole)
{
	struct run run;

	if (!has_kvm())
		return;
	run = start_guest("", "bytes 60");
	finish(&run);
	CHECK_EQUAL(run.status, 0);
	CHECK_EQUAL(run.text_bytes, 60u << 20);
	for (size_t i = 0; i < run.text_bytes; i++) {
		if (run.text[i] != (i % 64 == 63 ? '\n' : (char)('0' + i % 64)))
			CHECK_EQUAL(i, 0);
	}
	free(run.text);
}

TEST(input_passes_through)
{
	struct run run;

	if (!has_kvm())
		return;
	run = start_guest("", "cat");
	for (unsigned i = 0; i < 5; i++) {
		CHECK(write(run.in, "line\n", 5) == 5);
		collect(&run, "line\n");
		CHECK_EQUAL(run.text_bytes, 5);
		run.text_bytes = 0;
		run.text[0] = '\0';
	}
	finish(&run);
	CHECK_EQUAL(run.status, 0);
	CHECK(strcmp(run.errors, "25\n") == 0);
	free(run.text);
}

TEST(signals_are_passed_on)
{
	static const int signals[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGABRT};

	for (unsigned i = 0; has_kvm() && i < ARRAY_SIZE(signals); i++) {
		struct run run = start_guest("", "signal");
		char expected[32];

		collect(&run, "ready\n");
		CHECK(kill(run.pid, signals[i]) == 0);
		finish(&run);
		snprintf(expected, sizeof(expected), "ready\nsignal %d\n", signals[i]);
		CHECK(strcmp(run.text, expected) == 0);
		CHECK_EQUAL(run.status, 0);
		free(run.text);
	}
}

TEST(a_reader_that_leaves_does_not_hang)
{
	struct run run;

	if (!has_kvm())
		return;
	run = start_guest("", "bytes 20");
	collect(&run, "0123");
	close(run.out);
	run.out = -1;
	finish(&run);
	CHECK_EQUAL(run.status, 0);
	free(run.text);
}

TEST(crashes_are_reported)
{
	expect_guest("", "panic", "", "panic: for the test\n  at 0x", 70);
	expect_guest("", "panic", "", " panic+0x5 (guest.c)\n", 70);
	expect_guest("", "crash", "", "the VM crashed: triple fault", 70);
	expect_guest("", "crash", "", " guest_main+0x", 70);
}

TEST(the_kernel_image_is_protected)
{
	expect_guest("", "write-text", "", "the VM crashed", 70);
	expect_guest("", "write-text-linear", "", "the VM crashed", 70);
	expect_guest("", "read-nucleus", "", "the VM crashed", 70);
	expect_guest("", "execute-data", "", "the VM crashed", 70);
}

TEST(broken_rings_end_the_vm)
{
	expect_guest("", "ring-0", "", "stdout: broken ring: buffer outside", 70);
	expect_guest("", "ring-1", "", "stderr: broken ring: buffer outside", 70);
	expect_guest("", "ring-2", "", "stdout: broken ring: descriptor chain with a loop", 70);
	expect_guest("", "ring-3", "", "stderr: broken ring: indirect", 70);
	expect_guest("", "ring-4", "", "stdout: broken ring: buffer of the wrong direction", 70);
	expect_guest("", "ring-5", "", "stderr: broken ring: descriptor index", 70);
	expect_guest("", "ring-6", "", "stdout: broken ring: descriptor index", 70);
	expect_guest("", "ring-7", "", "stderr: broken ring: more buffers", 70);
}

TEST_DEFINE_MAIN
