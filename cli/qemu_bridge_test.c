/*
 * Tests of cli/qemu_bridge.c. Each runs the bridge in a child whose streams are pipes
 * of ours, with another child in the part of QEMU and its guest.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/control.h"
#include "cli/qemu_bridge.h"
#include "lib/test.h"

#define LARGE_BYTES (8u << 20)

/* What the guest's side has. */
struct guest {
	int stdio, error, control, diagnostics;
};

typedef void (*guest_fn)(const struct guest *guest);

/* What the user's side has. */
struct session {
	pid_t pid; /* the bridge */
	int input, output, error;
};

static void make_pipe(int ends[2])
{
	CHECK_EQUAL(pipe2(ends, O_CLOEXEC), 0);
}

static void make_pair(int ends[2])
{
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* In a child: becomes the bridge, with a guest below it. */
static _Noreturn void run_bridge(guest_fn play)
{
	int stdio[2], error[2], control[2], diagnostics[2];
	struct qemu_bridge bridge = {0};
	sigset_t before;

	make_pair(stdio);
	make_pair(error);
	make_pair(control);
	make_pipe(diagnostics);
	qemu_bridge_block_signals(&before);
	bridge.pid = fork();
	if (bridge.pid == 0) {
		const struct guest guest = {stdio[1], error[1], control[1], diagnostics[1]};

		close(stdio[0]);
		close(error[0]);
		close(control[0]);
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, &before, NULL);
		play(&guest);
		_exit(0);
	}
	close(stdio[1]);
	close(error[1]);
	close(control[1]);
	close(diagnostics[1]);
	bridge.stdio = stdio[0];
	bridge.error = error[0];
	bridge.control = control[0];
	bridge.diagnostics = diagnostics[0];
	_exit(qemu_bridge_run(&bridge).status);
}

static struct session start(guest_fn play)
{
	int input[2], output[2], error[2];
	struct session session;

	make_pipe(input);
	make_pipe(output);
	make_pipe(error);
	session.pid = fork();
	if (session.pid == 0) {
		dup2(input[0], 0);
		dup2(output[1], 1);
		dup2(error[1], 2);
		close(input[1]);
		close(output[0]);
		close(error[0]);
		run_bridge(play);
	}
	close(input[0]);
	close(output[1]);
	close(error[1]);
	session.input = input[1];
	session.output = output[0];
	session.error = error[0];
	return session;
}

static int finish(const struct session *session)
{
	int status;

	close(session->output);
	close(session->error);
	CHECK_EQUAL(waitpid(session->pid, &status, 0), session->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Reads to the end; returns how much there was and keeps the start. */
static size_t drain(int fd, char *text, size_t capacity)
{
	static char buffer[65536];
	size_t total = 0;
	ssize_t got;

	memset(text, 0, capacity);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		if (total + 1 < capacity)
			memcpy(text + total, buffer, MIN((size_t)got, capacity - 1 - total));
		total += (size_t)got;
	}
	return total;
}

static void put(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

static void send_message(const struct guest *guest, uint32_t type, uint64_t value)
{
	const struct control_header header = {.type = type, .value = value};

	(void)!write(guest->control, &header, sizeof(header));
}

/* The next message must be of that type; returns its value. */
static uint64_t await(const struct guest *guest, uint32_t type)
{
	struct control_header header;

	if (recv(guest->control, &header, sizeof(header), MSG_WAITALL) != sizeof(header) ||
		header.type != type)
		_exit(99);
	return header.value;
}

static void play_echo(const struct guest *guest)
{
	char text[64];
	uint64_t total = await(guest, CONTROL_STDIN_END);
	ssize_t got = recv(guest->stdio, text, total, MSG_WAITALL);

	(void)!write(guest->stdio, text, (size_t)got);
	put(guest->error, "complaint");
	send_message(guest, CONTROL_EXIT, 42);
}

TEST(streams_and_status_are_carried)
{
	struct session session = start(play_echo);
	char output[64], error[64];

	put(session.input, "hello ");
	put(session.input, "world");
	close(session.input);
	CHECK_EQUAL(drain(session.output, output, sizeof(output)), 11);
	CHECK(strcmp(output, "hello world") == 0);
	CHECK_EQUAL(drain(session.error, error, sizeof(error)), 9);
	CHECK_EQUAL(finish(&session), 42);
}

static void play_flood(const struct guest *guest)
{
	static char block[65536];
	size_t sent = 0;

	while (sent < LARGE_BYTES) {
		ssize_t count = write(guest->stdio, block, MIN(sizeof(block), LARGE_BYTES - sent));

		if (count <= 0)
			_exit(1);
		sent += (size_t)count;
	}
	send_message(guest, CONTROL_EXIT, 0);
}

TEST(all_output_arrives_though_the_reader_is_slow)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct session session = start(play_flood);
	char output[8];

	nanosleep(&pause, NULL);
	CHECK_EQUAL(drain(session.output, output, sizeof(output)), LARGE_BYTES);
	close(session.input);
	CHECK_EQUAL(finish(&session), 0);
}

static void play_swallow(const struct guest *guest)
{
	static char block[65536];
	size_t total = 0;

	while (total < LARGE_BYTES) {
		ssize_t got = read(guest->stdio, block, sizeof(block));

		if (got <= 0)
			_exit(1);
		total += (size_t)got;
	}
	if (await(guest, CONTROL_STDIN_END) != LARGE_BYTES)
		_exit(1);
	send_message(guest, CONTROL_EXIT, 7);
}

TEST(all_input_arrives_before_its_end)
{
	static char block[65536];
	struct session session = start(play_swallow);

	for (size_t sent = 0; sent < LARGE_BYTES;) {
		ssize_t count = write(session.input, block, sizeof(block));

		CHECK(count > 0);
		sent += (size_t)count;
	}
	close(session.input);
	CHECK_EQUAL(finish(&session), 7);
}

static void play_signal(const struct guest *guest)
{
	put(guest->stdio, "r");
	send_message(guest, CONTROL_KILLED, await(guest, CONTROL_SIGNAL));
}

TEST(signals_reach_the_guest)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct session session = start(play_signal);
		char ready;

		CHECK_EQUAL(read(session.output, &ready, 1), 1);
		kill(session.pid, signals[i]);
		CHECK_EQUAL(finish(&session), 128 + signals[i]);
		close(session.input);
	}
}

static void play_yes(const struct guest *guest)
{
	uint64_t value;

	put(guest->stdio, "y");
	for (int i = 0; i < 100; i++) {
		const struct timespec pause = {.tv_nsec = 2000000};

		put(guest->stdio, "yyyyyyyy");
		nanosleep(&pause, NULL);
	}
	value = await(guest, CONTROL_OUTPUT_CLOSED);
	send_message(guest, CONTROL_EXIT, 10 + value);
}

TEST(closed_output_is_told_to_the_guest)
{
	struct session session = start(play_yes);
	char ready;

	CHECK_EQUAL(read(session.output, &ready, 1), 1);
	CHECK_EQUAL(finish(&session), 11);
	close(session.input);
}

static void play_silent_end(const struct guest *guest)
{
	put(guest->diagnostics, "KVM internal error\n");
	_exit(3);
}

TEST(vm_that_ends_without_a_word_is_broken)
{
	struct session session = start(play_silent_end);
	char error[512];

	drain(session.error, error, sizeof(error));
	CHECK(strstr(error, "KVM internal error\n") == error);
	CHECK(strstr(error, "QEMU's status 3") != NULL);
	CHECK_EQUAL(finish(&session), 70);
	close(session.input);
}

static void play_nonsense(const struct guest *guest)
{
	const struct control_header header = {.type = CONTROL_EXIT, .bytes = 1u << 30};

	(void)!write(guest->control, &header, sizeof(header));
	pause();
}

TEST(malformed_control_message_ends_the_vm)
{
	struct session session = start(play_nonsense);
	char error[512];

	drain(session.error, error, sizeof(error));
	CHECK(strstr(error, "malformed control message") != NULL);
	CHECK_EQUAL(finish(&session), 70);
	close(session.input);
}

static void play_panic(const struct guest *guest)
{
	const char text[] = "panic: a broken invariant";
	const struct control_header header = {.type = CONTROL_PANIC, .bytes = sizeof(text) - 1};

	(void)!write(guest->control, &header, 7); /* in two parts */
	(void)!write(guest->control, (const char *)&header + 7, sizeof(header) - 7);
	put(guest->control, text);
}

TEST(panic_is_shown)
{
	struct session session = start(play_panic);
	char error[512];

	drain(session.error, error, sizeof(error));
	CHECK(strstr(error, "panic: a broken invariant\n") != NULL);
	CHECK_EQUAL(finish(&session), 70);
	close(session.input);
}

static void play_hang(const struct guest *guest)
{
	send_message(guest, 999, 1); /* unknown types are skipped */
	send_message(guest, CONTROL_EXIT, 5);
	pause();
}

TEST(vm_that_hangs_after_its_end_is_killed)
{
	struct session session = start(play_hang);

	CHECK_EQUAL(finish(&session), 5);
	close(session.input);
}

TEST_DEFINE_MAIN
