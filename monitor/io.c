/*
 * Theory of operation
 *
 * One thread serves all rings. It sleeps in poll() on the doorbell (an eventfd that
 * KVM signals when the guest writes the one doorbell address, whichever the queue),
 * the signalfd, stdin while the guest wants input, and outputs that are blocked. After work it
 * watches the rings for a short while before it sleeps again: a program that writes
 * much then never pays for a doorbell. While awake it leaves avail_event behind, which
 * suppresses doorbells; before sleeping it moves avail_event and looks once more.
 *
 * While frames pass a network interface it stays awake longer and looks at the tap again
 * and again: a wake-up costs more than the whole way of a frame. How long depends on
 * whether it pays: longer after a sleep that was short, less after a long one.
 *
 * `lock` guards the rings and streams. The vcpu that ends the VM takes it for good
 * and writes out what is left itself, so nothing waits for a thread to wake up.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "monitor/control.h"
#include "monitor/io.h"
#include "monitor/message.h"
#include "monitor/net.h"
#include "monitor/report.h"
#include "monitor/signals.h"
#include "monitor/teardown.h"
#include "monitor/stream.h"
#include "monitor/timeline.h"

/* Sandbox, base: poll read write ioctl futex exit_group */

#define WATCH_US         20
#define LOOK_US          200
#define NET_AWAKE_MIN_US 4 /* after the last frame */
/* Twice what waking a thread on another CPU takes on hosts that are virtual machines
 * themselves. 300 takes the CPU from clients on this host: a third of their requests. */
#define NET_AWAKE_MAX_US 100
#define NET_LOOK_US      3
#define MSI_ADDRESS      0xfee00000u /* physical destination 0: vcpu 0 */
#define OUTPUT_COUNT     2

static struct {
	pthread_mutex_t lock;
	struct stream_input input;
	struct stream_output outputs[OUTPUT_COUNT]; /* by enum layout_device */
	struct control control;
	struct net_device *nets;
	unsigned net_count;
	int signal_fd;
} io = {.lock = PTHREAD_MUTEX_INITIALIZER, .signal_fd = -1};

static void on_panic(void *context, const char *text, size_t bytes)
{
	const struct machine *machine = context;

	report_text(&machine->kernel, text, bytes);
}

static void make_ring(struct machine *machine, struct ring *ring, unsigned device, unsigned queue)
{
	struct boot_queue layout = layout_queue(&machine->layout, device, queue);

	if (!ring_init(ring, &machine->memory, layout.descriptors, layout.available, layout.used,
		    (uint16_t)layout.size, queue == QUEUE_TO_GUEST))
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for the rings");
}

static void interrupt(struct machine *machine, unsigned device)
{
	struct kvm_msi message = {.address_lo = MSI_ADDRESS, .data = STREAM_FIRST_VECTOR + device};

	(void)ioctl(machine->vm_fd, KVM_SIGNAL_MSI, &message);
}

static void interrupt_net(struct net_device *net)
{
	interrupt(net->context, DEVICE_COUNT + (unsigned)(net - io.nets));
}

static void open_net(
	struct machine *machine, struct net_device *net, const struct options_interface *interface)
{
	net->name = interface->name;
	net->interrupt = interrupt_net;
	net->context = machine;
	net->capture =
		(struct net_capture){interface->name, interface->pcap_fd, machine->options.sniff};
	if (net->capture.pcap_fd && !net_capture_start(&net->capture))
		message_fail(STATUS_MONITOR_FAILED, "--pcap: %s", strerror(errno));
	if (!interface->is_stream)
		net_open_tap(net, interface->fd);
	else if (!net_open_stream(net, interface->fd))
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for the network");
}

void io_open_nets(struct machine *machine)
{
	const struct options *options = &machine->options;

	if (options->interface_count == 0)
		return;
	io.nets = calloc(options->interface_count, sizeof(io.nets[0]));
	if (!io.nets)
		message_fail(STATUS_MONITOR_FAILED, "memory: no room for the network");
	for (unsigned i = 0; i < options->interface_count; i++)
		open_net(machine, &io.nets[i], &options->interfaces[i]);
	io.net_count = options->interface_count;
}

uint64_t io_net_features(unsigned number)
{
	return net_features(&io.nets[number]);
}

void io_init(struct machine *machine)
{
	stream_input_init(&io.input, STDIN_FILENO);
	stream_output_init(&io.outputs[DEVICE_STDIO], STDOUT_FILENO);
	stream_output_init(&io.outputs[DEVICE_STDERR], STDERR_FILENO);
	make_ring(machine, &io.input.ring, DEVICE_STDIO, QUEUE_TO_GUEST);
	make_ring(machine, &io.outputs[DEVICE_STDIO].ring, DEVICE_STDIO, QUEUE_FROM_GUEST);
	make_ring(machine, &io.outputs[DEVICE_STDERR].ring, DEVICE_STDERR, QUEUE_FROM_GUEST);
	make_ring(machine, &io.control.to_guest, DEVICE_CONTROL, QUEUE_TO_GUEST);
	make_ring(machine, &io.control.from_guest, DEVICE_CONTROL, QUEUE_FROM_GUEST);
	for (unsigned i = 0; i < io.net_count; i++) {
		make_ring(machine, &io.nets[i].to_guest, DEVICE_COUNT + i, QUEUE_TO_GUEST);
		make_ring(machine, &io.nets[i].from_guest, DEVICE_COUNT + i, QUEUE_FROM_GUEST);
	}
	io.control.on_panic = on_panic;
	io.control.context = machine;
	io.control.pending.terminal_settings = io.input.is_terminal;
	machine->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (machine->doorbell_fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "eventfd: %s", strerror(errno));
	io.signal_fd = signals_open();
}

void io_connect(struct machine *machine)
{
	struct kvm_ioeventfd doorbell = {
		.addr = LAYOUT_DOORBELL, .len = 4, .fd = machine->doorbell_fd};

	/* Without it the vcpu threads come by io_doorbell(), slower. */
	if (ioctl(machine->vm_fd, KVM_IOEVENTFD, &doorbell) < 0)
		message_print("doorbell: %s; output will be slow", strerror(errno));
}

void io_doorbell(struct machine *machine)
{
	uint64_t one = 1;

	if (write(machine->doorbell_fd, &one, sizeof(one)) < 0)
		return; /* full: it rings already */
}

/* ---- serving the rings, with the lock held ------------------------------------- */

static void publish(struct machine *machine, struct ring *ring, unsigned device)
{
	if (ring_publish(ring))
		interrupt(machine, device);
}

static void check(const char *stream, const char *broken)
{
	if (broken)
		message_fail(STATUS_VM_FAILED,
			"%s: broken ring: %s; this is a bug of the kernel in the VM", stream,
			broken);
}

static void note_ends(void)
{
	struct control_pending *pending = &io.control.pending;

	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		pending->output_closed[i] |= io.outputs[i].tell_closed;
		io.outputs[i].tell_closed = false;
	}
	if (io.input.tell_ended) {
		io.input.tell_ended = false;
		pending->stdin_end = true;
		pending->stdin_bytes = io.input.bytes;
	}
}

static bool serve_outputs(struct machine *machine)
{
	bool worked = false;

	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		worked |= stream_output_serve(&io.outputs[i]);
		publish(machine, &io.outputs[i].ring, i);
		check(i == DEVICE_STDIO ? "stdout" : "stderr", io.outputs[i].ring.broken);
	}
	worked |= control_receive(&io.control);
	publish(machine, &io.control.from_guest, DEVICE_CONTROL);
	check("control", io.control.from_guest.broken);
	check("control", io.control.broken);
	return worked;
}

static bool serve_inputs(struct machine *machine)
{
	bool worked = stream_input_serve(&io.input);

	publish(machine, &io.input.ring, DEVICE_STDIO);
	check("stdin", io.input.ring.broken);
	note_ends();
	worked |= control_send(&io.control);
	publish(machine, &io.control.to_guest, DEVICE_CONTROL);
	check("control", io.control.to_guest.broken);
	return worked;
}

static bool serve_nets(void)
{
	bool worked = false;

	for (unsigned i = 0; i < io.net_count; i++) {
		worked |= net_transmit(&io.nets[i]);
		worked |= net_receive(&io.nets[i]);
		check(io.nets[i].name, net_broken(&io.nets[i]));
	}
	return worked;
}

static bool serve(struct machine *machine)
{
	bool worked = serve_outputs(machine);

	return serve_inputs(machine) || worked;
}

/* True if the thread may sleep: every ring will ring, or is waiting for the host. */
static bool prepare_sleep(void)
{
	bool is_idle = !ring_ask_doorbell(&io.control.from_guest);

	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		if (!io.outputs[i].is_blocked)
			is_idle &= !ring_ask_doorbell(&io.outputs[i].ring);
	}
	if (ring_ask_doorbell(&io.input.ring))
		is_idle &= !(stream_input_wants(&io.input) && io.input.mode == STREAM_DIRECT);
	if (ring_ask_doorbell(&io.control.to_guest))
		is_idle &= !control_has_message(&io.control);
	for (unsigned i = 0; i < io.net_count; i++)
		is_idle &= !net_prepare_sleep(&io.nets[i]);
	return is_idle;
}

/* ---- waiting -------------------------------------------------------------------- */

enum wait_slot { WAIT_DOORBELL, WAIT_SIGNAL, WAIT_STDIN, WAIT_STDOUT, WAIT_STDERR, WAIT_COUNT };

static void handle_signals(void)
{
	uint64_t signals = signals_read(io.signal_fd);

	io.control.pending.signals |= signals;
	if (signals & 1ull << (SIGWINCH - 1))
		io.control.pending.window_size = true;
}

/* What the host must do before a ring can go on; taken with the lock held. */
struct wanted {
	bool input;
	bool blocked[OUTPUT_COUNT];
	short net_events[BOOT_MAX_INTERFACES];
};

static struct wanted find_wanted(void)
{
	struct wanted wanted = {stream_input_wants(&io.input),
		{io.outputs[0].is_blocked, io.outputs[1].is_blocked}, {0}};

	for (unsigned i = 0; i < io.net_count; i++)
		wanted.net_events[i] = net_events(&io.nets[i]);
	return wanted;
}

/* Sleeps until there is something to do, or just looks. Called without the lock. */
static void wait_for_events(struct machine *machine, const struct wanted *wanted, bool may_sleep)
{
	struct pollfd fds[WAIT_COUNT + BOOT_MAX_INTERFACES] = {
		[WAIT_DOORBELL] = {.fd = machine->doorbell_fd, .events = POLLIN},
		[WAIT_SIGNAL] = {.fd = io.signal_fd, .events = POLLIN},
		[WAIT_STDIN] = {.fd = wanted->input ? STDIN_FILENO : -1, .events = POLLIN},
		[WAIT_STDOUT] = {.fd = wanted->blocked[0] ? STDOUT_FILENO : -1, .events = POLLOUT},
		[WAIT_STDERR] = {.fd = wanted->blocked[1] ? STDERR_FILENO : -1, .events = POLLOUT},
	};
	uint64_t rings;

	for (unsigned i = 0; i < io.net_count; i++)
		fds[WAIT_COUNT + i] =
			(struct pollfd){.fd = wanted->net_events[i] ? io.nets[i].fd : -1,
				.events = wanted->net_events[i]};
	if (poll(fds, WAIT_COUNT + io.net_count, may_sleep ? -1 : 0) <= 0)
		return;
	if (fds[WAIT_DOORBELL].revents && read(machine->doorbell_fd, &rings, sizeof(rings)) < 0)
		return;
	pthread_mutex_lock(&io.lock);
	if (fds[WAIT_SIGNAL].revents)
		handle_signals();
	io.input.is_readable |= fds[WAIT_STDIN].revents != 0;
	io.outputs[0].is_blocked &= !fds[WAIT_STDOUT].revents;
	io.outputs[1].is_blocked &= !fds[WAIT_STDERR].revents;
	for (unsigned i = 0; i < io.net_count; i++)
		net_note_events(&io.nets[i], fds[WAIT_COUNT + i].revents);
	pthread_mutex_unlock(&io.lock);
}

static bool has_output(void)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		if (!io.outputs[i].is_blocked && ring_waiting(&io.outputs[i].ring))
			return true;
	}
	for (unsigned i = 0; i < io.net_count; i++) {
		if (!io.nets[i].is_blocked && ring_waiting(&io.nets[i].from_guest))
			return true;
	}
	return ring_waiting(&io.control.from_guest) > 0;
}

/* Looks for new output for a short while, so that it needs no doorbell. */
static bool watch(uint64_t ticks)
{
	uint64_t start = timeline_ticks();

	do {
		if (has_output())
			return true;
		__builtin_ia32_pause();
	} while (timeline_ticks() - start < ticks);
	return false;
}

/* How long to stay awake after the last frame, by how long the last sleep was. */
static uint64_t adapt_awake(uint64_t awake_us, uint64_t slept_us)
{
	if (slept_us < NET_AWAKE_MAX_US)
		return MIN(awake_us * 2, (uint64_t)NET_AWAKE_MAX_US);
	return MAX(awake_us / 2, (uint64_t)NET_AWAKE_MIN_US);
}

void io_run(struct machine *machine)
{
	uint64_t ticks_per_us = machine->tsc_hz / 1000000, looked = 0, net_worked_at = 0;
	uint64_t net_awake_us = NET_AWAKE_MIN_US;

	for (;;) {
		bool worked, net_worked, is_net_awake, may_sleep;
		uint64_t now = timeline_ticks();
		struct wanted wanted;

		pthread_mutex_lock(&io.lock);
		worked = serve(machine);
		net_worked = serve_nets();
		if (net_worked)
			net_worked_at = now;
		is_net_awake = now - net_worked_at < net_awake_us * ticks_per_us;
		may_sleep = !worked && !is_net_awake && prepare_sleep();
		wanted = find_wanted();
		pthread_mutex_unlock(&io.lock);
		if (is_net_awake && !net_worked)
			watch(NET_LOOK_US * ticks_per_us);
		else if (worked && !is_net_awake)
			watch(WATCH_US * ticks_per_us);
		/* Endless output must not keep signals and input waiting. */
		if (may_sleep || timeline_ticks() - looked > LOOK_US * ticks_per_us) {
			now = timeline_ticks();
			wait_for_events(machine, &wanted, may_sleep);
			looked = timeline_ticks();
			if (may_sleep)
				net_awake_us =
					adapt_awake(net_awake_us, (looked - now) / ticks_per_us);
		}
	}
}

/* ---- the end --------------------------------------------------------------------- */

static void wait_for_output(void)
{
	struct pollfd fds[OUTPUT_COUNT];

	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		fds[i] = (struct pollfd){
			.fd = io.outputs[i].is_blocked ? io.outputs[i].fd : -1, .events = POLLOUT};
	if (poll(fds, OUTPUT_COUNT, -1) < 0)
		return;
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		io.outputs[i].is_blocked &= !fds[i].revents;
}

static bool is_output_left(void)
{
	bool is_left = false;

	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		is_left |= ring_waiting(&io.outputs[i].ring) > 0;
	return is_left;
}

void io_finish(struct machine *machine, int status)
{
	pthread_mutex_lock(&io.lock);
	signals_restore(); /* nobody takes them any more: let them end this */
	/* The last frames, as far as they can be sent at once. */
	for (unsigned i = 0; i < io.net_count; i++) {
		while (net_transmit(&io.nets[i]))
			;
	}
	while (serve_outputs(machine) || is_output_left()) {
		if (io.outputs[0].is_blocked || io.outputs[1].is_blocked)
			wait_for_output();
	}
	io_finish_disks(machine);
	if (machine->options.verbose)
		timeline_print(machine->tsc_hz, io.control.program_ticks);
	teardown_leave_behind();
	if (io.control.killed_by)
		signals_die(io.control.killed_by);
	_exit(status);
}
