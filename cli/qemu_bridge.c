/* Streams and control messages between us and QEMU: see cli/qemu_bridge.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <asm/termbits.h>

#include "abi/control.h"
#include "cli/qemu_bridge.h"
#include "host/report.h"

#define FLOW_BYTES        65536
#define PIPE_CHUNK        4096 /* a pipe that polls writable takes this much at once */
#define END_GRACE_MS      2000
#define DIAGNOSTICS_BYTES 65536

/* One direction of bytes. A descriptor of -1 has ended. */
struct flow {
	int from;
	int to;
	bool to_is_pipe;
	uint64_t total_bytes;
	size_t start, end; /* what is in the buffer */
	char *buffer;
};

struct state {
	const struct qemu_bridge *bridge;
	struct flow input, output, error;
	bool input_end_sent;
	char control[sizeof(struct control_header) + CONTROL_MAX_PAYLOAD];
	size_t control_bytes;
	bool control_open;
	char *diagnostics;
	size_t diagnostics_bytes;
	bool diagnostics_open;
	int signals;
	bool has_ended; /* EXIT or KILLED came */
	bool has_panicked;
	bool is_broken; /* the control stream makes no sense */
	bool is_reaped;
	int qemu_status;
	int64_t deadline_ms; /* kill QEMU then; -1: not yet */
	struct launch_result result;
	bool terminal_changed;
	struct termios terminal;
};

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(set, forwarded[i]);
}

void qemu_bridge_block_signals(sigset_t *before)
{
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, before);
	signal(SIGPIPE, SIG_IGN);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- control messages ---------------------------------------------------- */

/* Best effort: a guest that does not read its messages does not stop us. */
static void send_control(struct state *state, enum control_type type, uint64_t value)
{
	const struct control_header header = {.type = type, .value = value};

	if (state->control_open)
		(void)!send(state->bridge->control, &header, sizeof(header),
			MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Nothing more is awaited from a VM that has said how it ended. */
static void expect_end(struct state *state)
{
	if (state->deadline_ms < 0)
		state->deadline_ms = now_ms() + END_GRACE_MS;
}

static void set_terminal(struct state *state, const char *payload, size_t bytes)
{
	struct termios wanted;

	if (bytes < sizeof(wanted) || ioctl(0, TCGETS, &wanted) != 0)
		return;
	if (!state->terminal_changed)
		state->terminal = wanted;
	state->terminal_changed = true;
	memcpy(&wanted, payload, sizeof(wanted));
	ioctl(0, TCSETS, &wanted);
}

static void take_message(
	struct state *state, const struct control_header *header, const char *payload)
{
	switch (header->type) {
	case CONTROL_EXIT:
		state->result.status = (int)(header->value & 0xff);
		state->has_ended = true;
		expect_end(state);
		break;
	case CONTROL_KILLED:
		state->result.signal = (int)(header->value & 0x7f);
		state->result.status = 128 + state->result.signal;
		state->has_ended = true;
		expect_end(state);
		break;
	case CONTROL_PANIC:
		fprintf(stderr, "%.*s\n", (int)header->bytes, payload);
		state->has_panicked = true;
		expect_end(state);
		break;
	case CONTROL_TERMIOS:
		set_terminal(state, payload, header->bytes);
		break;
	default:
		break;
	}
}

/* Takes the whole messages at the front of the buffer. */
static void take_messages(struct state *state)
{
	size_t at = 0;

	while (state->control_bytes - at >= sizeof(struct control_header)) {
		struct control_header header;

		memcpy(&header, state->control + at, sizeof(header));
		if (header.bytes > CONTROL_MAX_PAYLOAD) {
			state->is_broken = true;
			kill(state->bridge->pid, SIGKILL);
			state->control_open = false;
			return;
		}
		if (state->control_bytes - at < sizeof(header) + header.bytes)
			break;
		take_message(state, &header, state->control + at + sizeof(header));
		at += sizeof(header) + header.bytes;
	}
	memmove(state->control, state->control + at, state->control_bytes - at);
	state->control_bytes -= at;
}

static void read_control(struct state *state)
{
	ssize_t got = read(state->bridge->control, state->control + state->control_bytes,
		sizeof(state->control) - state->control_bytes);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		state->control_open = false;
		return;
	}
	state->control_bytes += (size_t)got;
	take_messages(state);
}

/* ---- byte streams ---------------------------------------------------------- */

static bool is_pipe(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

static void flow_open(struct flow *flow, int from, int to)
{
	*flow = (struct flow){.from = from, .to = to, .to_is_pipe = is_pipe(to)};
	flow->buffer = alloc_zeroed(FLOW_BYTES);
}

static bool flow_is_empty(const struct flow *flow)
{
	return flow->start == flow->end;
}

static void flow_read(struct flow *flow)
{
	ssize_t got;

	if (flow->from < 0 || !flow_is_empty(flow))
		return;
	got = read(flow->from, flow->buffer, FLOW_BYTES);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		flow->from = -1;
		return;
	}
	flow->start = 0;
	flow->end = (size_t)got;
	flow->total_bytes += (uint64_t)got;
}

/* Returns false when the other side is gone; what comes later is then dropped. */
static bool flow_write(struct flow *flow)
{
	size_t bytes = flow->end - flow->start;
	ssize_t written;

	if (flow->to < 0) {
		flow->start = flow->end;
		return true;
	}
	if (flow->to_is_pipe)
		bytes = MIN(bytes, PIPE_CHUNK);
	written = write(flow->to, flow->buffer + flow->start, bytes);
	if (written >= 0)
		flow->start += (size_t)written;
	else if (errno != EAGAIN && errno != EINTR) {
		flow->to = -1;
		flow->start = flow->end;
		return false;
	}
	return true;
}

static bool has_events(const struct pollfd *polled)
{
	return polled->revents != 0;
}

/* One descriptor a flow: where it reads from while empty, else where it writes to. */
static struct pollfd flow_poll(const struct flow *flow)
{
	if (flow_is_empty(flow))
		return (struct pollfd){.fd = flow->from, .events = POLLIN};
	return (struct pollfd){.fd = flow->to, .events = POLLOUT};
}

static bool flow_step(struct flow *flow, const struct pollfd *polled)
{
	if (!flow_is_empty(flow) && (flow->to < 0 || has_events(polled)))
		return flow_write(flow);
	if (has_events(polled))
		flow_read(flow);
	return true;
}

static void step_streams(struct state *state, const struct pollfd *polled)
{
	flow_step(&state->input, &polled[0]);
	if (!flow_step(&state->output, &polled[1]))
		send_control(state, CONTROL_OUTPUT_CLOSED, 1);
	if (!flow_step(&state->error, &polled[2]))
		send_control(state, CONTROL_OUTPUT_CLOSED, 2);
	if (state->input.from < 0 && flow_is_empty(&state->input) && !state->input_end_sent) {
		state->input_end_sent = true;
		send_control(state, CONTROL_STDIN_END, state->input.total_bytes);
	}
}

/* Kept for the case that the VM breaks; the newest part if there is too much. */
static void read_diagnostics(struct state *state)
{
	size_t space = DIAGNOSTICS_BYTES - state->diagnostics_bytes;
	ssize_t got;

	if (space < 4096) {
		size_t keep = DIAGNOSTICS_BYTES / 2;

		memmove(state->diagnostics, state->diagnostics + state->diagnostics_bytes - keep,
			keep);
		state->diagnostics_bytes = keep;
		space = DIAGNOSTICS_BYTES - keep;
	}
	got = read(
		state->bridge->diagnostics, state->diagnostics + state->diagnostics_bytes, space);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		state->diagnostics_open = false;
		return;
	}
	if (state->bridge->verbose)
		(void)!write(2, state->diagnostics + state->diagnostics_bytes, (size_t)got);
	state->diagnostics_bytes += (size_t)got;
}

/* ---- signals and the end ----------------------------------------------------- */

static void reap(struct state *state)
{
	if (!state->is_reaped &&
		waitpid(state->bridge->pid, &state->qemu_status, WNOHANG) == state->bridge->pid)
		state->is_reaped = true;
}

static void send_window_size(struct state *state)
{
	struct winsize size;

	if (ioctl(1, TIOCGWINSZ, &size) == 0 || ioctl(0, TIOCGWINSZ, &size) == 0)
		send_control(state, CONTROL_WINDOW_SIZE, (uint64_t)size.ws_row << 16 | size.ws_col);
}

static void read_signals(struct state *state)
{
	struct signalfd_siginfo info;

	while (read(state->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(state);
			continue;
		}
		if (info.ssi_signo == SIGWINCH)
			send_window_size(state);
		send_control(state, CONTROL_SIGNAL, info.ssi_signo);
	}
}

static bool is_finished(const struct state *state)
{
	return state->is_reaped && !state->control_open && !state->diagnostics_open &&
	       state->output.from < 0 && flow_is_empty(&state->output) && state->error.from < 0 &&
	       flow_is_empty(&state->error);
}

static int wait_ms(struct state *state)
{
	int64_t left;

	if ((state->output.to < 0 && !flow_is_empty(&state->output)) ||
		(state->error.to < 0 && !flow_is_empty(&state->error)))
		return 0;
	if (state->deadline_ms < 0 || state->is_reaped)
		return -1;
	left = state->deadline_ms - now_ms();
	if (left > 0)
		return (int)left;
	kill(state->bridge->pid, SIGKILL);
	state->deadline_ms = now_ms() + END_GRACE_MS;
	return END_GRACE_MS;
}

static void step(struct state *state)
{
	const struct qemu_bridge *bridge = state->bridge;
	struct pollfd polled[] = {
		flow_poll(&state->input),
		flow_poll(&state->output),
		flow_poll(&state->error),
		{.fd = state->control_open ? bridge->control : -1, .events = POLLIN},
		{.fd = state->diagnostics_open ? bridge->diagnostics : -1, .events = POLLIN},
		{.fd = state->signals, .events = POLLIN},
	};

	if (state->is_reaped) /* nobody takes more input */
		polled[0].fd = -1;
	if (poll(polled, ARRAY_SIZE(polled), wait_ms(state)) < 0 && errno != EINTR)
		report_fail(STATUS_TOOL_FAILED, "poll: %s", strerror(errno));
	step_streams(state, polled);
	if (has_events(&polled[3]))
		read_control(state);
	if (has_events(&polled[4]))
		read_diagnostics(state);
	if (has_events(&polled[5]))
		read_signals(state);
}

static void report_broken(struct state *state)
{
	int status = state->qemu_status;

	if (!state->bridge->verbose)
		fprintf(stderr, "%.*s", (int)state->diagnostics_bytes, state->diagnostics);
	if (state->is_broken)
		report_note("the VM sent a malformed control message: it was ended");
	else if (state->has_panicked)
		report_note("the kernel in the VM panicked; please report the lines above");
	else if (WIFSIGNALED(status))
		report_note(
			"QEMU was killed by signal %d before the program ended", WTERMSIG(status));
	else
		report_note("the VM ended before the program did (QEMU's status %d); "
			    "--verbose shows its messages",
			WEXITSTATUS(status));
	state->result.status = STATUS_VM_FAILED;
	state->result.signal = 0;
}

static void state_open(struct state *state, const struct qemu_bridge *bridge)
{
	sigset_t set;

	state->bridge = bridge;
	flow_open(&state->input, 0, bridge->stdio);
	flow_open(&state->output, bridge->stdio, 1);
	flow_open(&state->error, bridge->error, 2);
	state->input.to_is_pipe = false;
	state->control_open = true;
	state->diagnostics_open = true;
	state->diagnostics = alloc_zeroed(DIAGNOSTICS_BYTES);
	state->deadline_ms = -1;
	fcntl(bridge->stdio, F_SETFL, O_NONBLOCK);
	fcntl(bridge->error, F_SETFL, O_NONBLOCK);
	fcntl(bridge->control, F_SETFL, O_NONBLOCK);
	fcntl(bridge->diagnostics, F_SETFL, O_NONBLOCK);
	signal_set(&set);
	state->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (state->signals < 0)
		report_fail(STATUS_TOOL_FAILED, "signalfd: %s", strerror(errno));
}

struct launch_result qemu_bridge_run(const struct qemu_bridge *bridge)
{
	struct state *state = alloc_zeroed(sizeof(*state));

	state_open(state, bridge);
	while (!is_finished(state)) {
		step(state);
		reap(state);
	}
	if (state->terminal_changed)
		ioctl(0, TCSETS, &state->terminal);
	if (!state->has_ended || state->is_broken)
		report_broken(state);
	state->result.has_ended = state->has_ended && !state->is_broken;
	return state->result;
}
