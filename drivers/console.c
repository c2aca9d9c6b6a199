/*
 * The console as a whole: devices, the control channel, the kernel's own words. See
 * console.h; descriptors of the program are in console_file.c.
 */
#include "kernel/console.h"
#include "drivers/console_control.h"
#include "drivers/console_port.h"
#include "drivers/console_state.h"
#include "kernel/log.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "lib/string.h"

#define OUTPUT_PIECES        256
#define ERROR_PIECES         64
#define CONTROL_PIECES       8
#define CONTROL_BUFFERS      2
#define CONTROL_BUFFER_BYTES 2048u
#define LOG_WAIT_NS          100000000ull  /* for a log line to find room */
#define MESSAGE_WAIT_NS      1000000000ull /* for a control message to find room, to arrive */
#define DRAIN_SPIN_NS        100000ull
#define DRAIN_SLEEP_NS       500000ull

struct console_state console = {.stdio_input = {.device = NULL}};

static struct {
	bool is_there;
	struct console_port port;
	bool is_receiving; /* taken by who uses ring and parser: interrupt handler or drain */
	struct virtio_ring ring;
	uint8_t *memory; /* CONTROL_BUFFERS of CONTROL_BUFFER_BYTES */
	struct console_parser parser;
	bool is_draining; /* the program has ended; signals only end the waiting */
	bool is_cancelled;
} control;

/* ---- messages from the launcher ---------------------------------------------------- */

static void deliver_signal(uint64_t number)
{
	struct linux_siginfo info = {.signo = (int32_t)number, .code = LINUX_SI_USER};

	if (number < 1 || number > LINUX_NSIG)
		return;
	if (READ_ONCE(control.is_draining) && number != LINUX_SIGWINCH)
		WRITE_ONCE(control.is_cancelled, true);
	else
		signal_send_process(&info);
}

static void handle_message(const struct control_header *header, const uint8_t *payload)
{
	switch (header->type) {
	case CONTROL_SIGNAL:
		deliver_signal(header->value);
		break;
	case CONTROL_WINDOW_SIZE:
		console.rows = (uint16_t)(header->value >> 16);
		console.columns = (uint16_t)header->value;
		break;
	case CONTROL_STDIN_END:
		console_input_set_end(&console.stdio_input, header->value);
		break;
	case CONTROL_OUTPUT_CLOSED:
		if (header->value == CONSOLE_STDOUT)
			console_output_close(&console.stdio_output);
		else if (header->value == CONSOLE_STDERR)
			console_output_close(&console.error_output);
		break;
	case CONTROL_TERMIOS:
		if (header->bytes == sizeof(console.terminal))
			memcpy(&console.terminal, payload, sizeof(console.terminal));
		break;
	default:
		break;
	}
}

static void offer_control_buffer(uint32_t index)
{
	uint8_t *memory = control.memory + index * CONTROL_BUFFER_BYTES;
	struct virtio_buffer buffer = {
		platform_virt_to_phys(memory).raw, CONTROL_BUFFER_BYTES, true};

	if (virtio_ring_add(&control.ring, &buffer, 1, index) && virtio_ring_publish(&control.ring))
		virtio_device_notify(&console.control_device, control.port.receive_queue);
}

/* Handles the messages that are there. No lock: handlers take those of others. */
static void receive_messages(void)
{
	uint32_t index, bytes;

	if (!control.is_there || __atomic_exchange_n(&control.is_receiving, true, __ATOMIC_ACQUIRE))
		return;
	do {
		while (virtio_ring_take(&control.ring, &index, &bytes)) {
			console_parser_feed(&control.parser,
				control.memory + index * CONTROL_BUFFER_BYTES, bytes,
				handle_message);
			offer_control_buffer(index);
		}
	} while (virtio_ring_arm(&control.ring, 1));
	__atomic_store_n(&control.is_receiving, false, __ATOMIC_RELEASE);
}

/* ---- messages to the launcher --------------------------------------------------------- */

static void send_message(enum control_type type, uint64_t value, const void *payload, size_t bytes)
{
	struct control_header header = {.type = type, .bytes = (uint32_t)bytes, .value = value};

	if (console_output_put(&console.control_output, &header, sizeof(header), MESSAGE_WAIT_NS) ==
		sizeof(header))
		console_output_put(&console.control_output, payload, bytes, MESSAGE_WAIT_NS);
}

void console_send_terminal_settings(void)
{
	send_message(CONTROL_TERMIOS, 0, &console.terminal, sizeof(console.terminal));
}

void console_send_ready(uint64_t ticks)
{
	send_message(CONTROL_READY, ticks, NULL, 0);
}

/* Our own monitor looks at the rings when the VM ends; others need time. */
static bool launcher_finishes_rings(void)
{
	return (platform_boot_info()->flags & BOOT_DIRECT) != 0;
}

static void wait_until_sent(struct console_output *output)
{
	uint64_t deadline_ns = clock_monotonic_ns() + MESSAGE_WAIT_NS;

	while (!launcher_finishes_rings() && !console_output_is_drained(output) &&
		clock_monotonic_ns() < deadline_ns)
		arch_relax();
}

void console_send_exit(int status, int signal)
{
	if (signal != 0)
		send_message(CONTROL_KILLED, (uint64_t)signal, NULL, 0);
	else
		send_message(CONTROL_EXIT, (uint64_t)status, NULL, 0);
	wait_until_sent(&console.control_output);
}

void console_send_panic(const char *text, size_t bytes)
{
	if (console.control_output.device == NULL) {
		platform_emergency_write(text, bytes);
		return;
	}
	console_output_seize(&console.control_output);
	send_message(CONTROL_PANIC, 0, text, MIN(bytes, CONTROL_MAX_PAYLOAD));
	wait_until_sent(&console.control_output);
}

/* ---- the end of output ------------------------------------------------------------------ */

static bool is_drained(void)
{
	return console_output_is_drained(&console.stdio_output) &&
	       console_output_is_drained(&console.error_output);
}

void console_drain(void)
{
	uint64_t start_ns = clock_monotonic_ns();

	if (launcher_finishes_rings())
		return;
	WRITE_ONCE(control.is_draining, true);
	while (!is_drained() && !READ_ONCE(control.is_cancelled)) {
		receive_messages();
		if (clock_monotonic_ns() - start_ns < DRAIN_SPIN_NS)
			arch_relax();
		else
			thread_sleep(clock_monotonic_ns() + DRAIN_SLEEP_NS);
	}
}

void console_write_log(const char *text, size_t bytes)
{
	if (console.error_output.device == NULL)
		platform_emergency_write(text, bytes);
	else
		console_output_put(&console.error_output, text, bytes, LOG_WAIT_NS);
}

/* ---- devices ---------------------------------------------------------------------------- */

static void on_stdio_interrupt(void *argument)
{
	(void)argument;
	virtio_device_acknowledge(&console.stdio_device);
	console_output_on_interrupt(&console.stdio_output);
	console_input_on_interrupt(&console.stdio_input);
}

static void on_error_interrupt(void *argument)
{
	(void)argument;
	virtio_device_acknowledge(&console.error_device);
	console_output_on_interrupt(&console.error_output);
}

static void on_control_interrupt(void *argument)
{
	(void)argument;
	virtio_device_acknowledge(&console.control_device);
	console_output_on_interrupt(&console.control_output);
	receive_messages();
}

/* False, with a line in the log, if the device is there and unusable. */
static bool start_device(struct virtio_device *device, struct console_port *port, uint32_t role)
{
	const struct boot_device *boot = virtio_device_find(VIRTIO_ID_CONSOLE, role);
	int error;

	if (boot == NULL)
		return false;
	error = virtio_device_start(
		device, boot, VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | CONSOLE_PORT_FEATURES);
	if (error == 0)
		error = console_port_init(port, device);
	if (error != 0)
		log_notice("console device %u cannot be used: error %d", role, -error);
	return error == 0;
}

/* Interrupts last: they find everything in place. */
static void finish_device(
	struct virtio_device *device, struct console_port *port, platform_interrupt_fn handler)
{
	int error = platform_interrupt_attach(device->boot, handler, NULL);

	if (error != 0)
		log_notice(
			"console device %u has no interrupt: error %d", device->boot->role, -error);
	virtio_device_set_ready(device);
	error = console_port_open(port);
	if (error != 0)
		log_notice("console device %u does not open its port: error %d", device->boot->role,
			-error);
}

static void init_stdio(void)
{
	bool is_terminal = console_stream_kind(CONSOLE_STDIN) == BOOT_STREAM_TTY;
	struct console_port port;

	console_input_init_none(&console.stdio_input);
	console_output_init_none(&console.stdio_output);
	if (!start_device(&console.stdio_device, &port, BOOT_ROLE_STDIO))
		return;
	if (console_input_init(&console.stdio_input, &console.stdio_device, port.receive_queue,
		    is_terminal) != 0 ||
		console_output_init(&console.stdio_output, &console.stdio_device,
			port.transmit_queue, OUTPUT_PIECES) != 0)
		log_notice("stdin and stdout: bad queues, or no memory");
	finish_device(&console.stdio_device, &port, on_stdio_interrupt);
}

static void init_error(void)
{
	struct console_port port;

	console_output_init_none(&console.error_output);
	if (!start_device(&console.error_device, &port, BOOT_ROLE_STDERR))
		return;
	if (console_output_init(&console.error_output, &console.error_device, port.transmit_queue,
		    ERROR_PIECES) != 0)
		log_notice("stderr: bad queue, or no memory");
	finish_device(&console.error_device, &port, on_error_interrupt);
}

static bool init_control_queues(void)
{
	struct phys page;

	if (!page_alloc(1, PAGE_ALLOC_RESERVE, &page))
		return false;
	control.memory = platform_phys_to_virt(page);
	return virtio_device_add_queue(&console.control_device, control.port.receive_queue,
		       CONTROL_BUFFERS, &control.ring) == 0 &&
	       console_output_init(&console.control_output, &console.control_device,
		       control.port.transmit_queue, CONTROL_PIECES) == 0;
}

static void init_control(void)
{
	console_output_init_none(&console.control_output);
	if (!start_device(&console.control_device, &control.port, BOOT_ROLE_CONTROL))
		return;
	control.is_there = init_control_queues();
	if (!control.is_there)
		log_notice("control channel: bad queues, or no memory");
	finish_device(&console.control_device, &control.port, on_control_interrupt);
	for (uint32_t i = 0; control.is_there && i < CONTROL_BUFFERS; i++)
		offer_control_buffer(i);
	receive_messages();
}

void console_init(void)
{
	const struct boot_info *info = platform_boot_info();

	console.rows = info->tty_rows;
	console.columns = info->tty_columns;
	console_terminal_init();
	console_streams_init();
	init_error(); /* first: the others log */
	init_stdio();
	init_control();
}
