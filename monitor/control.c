/*
 * Sends and receives control messages; see control.h.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <asm/termbits.h>

#include "monitor/control.h"
#include "monitor/stream.h"

/* ---- to the guest ------------------------------------------------------------ */

bool control_has_message(const struct control *control)
{
	const struct control_pending *pending = &control->pending;

	return control->out_sent < control->out_bytes || pending->signals || pending->window_size ||
	       pending->terminal_settings || pending->stdin_end || pending->output_closed[0] ||
	       pending->output_closed[1];
}

static void compose(struct control *control, enum control_type type, uint64_t value,
	const void *payload, uint32_t bytes)
{
	struct control_header header = {.type = type, .bytes = bytes, .value = value};

	memcpy(control->out, &header, sizeof(header));
	if (bytes)
		memcpy(control->out + sizeof(header), payload, bytes);
	control->out_bytes = (unsigned)sizeof(header) + bytes;
	control->out_sent = 0;
}

static void compose_window_size(struct control *control)
{
	struct winsize window;

	control->pending.window_size = false;
	if (stream_window_size(&window))
		compose(control, CONTROL_WINDOW_SIZE, (uint64_t)window.ws_row << 16 | window.ws_col,
			NULL, 0);
}

static void compose_terminal_settings(struct control *control)
{
	struct termios settings;

	control->pending.terminal_settings = false;
	if (ioctl(STDIN_FILENO, TCGETS, &settings) == 0)
		compose(control, CONTROL_TERMIOS, 0, &settings, sizeof(settings));
}

/* Composes the next message. A fact may turn out to be none: then `out` stays empty. */
static void compose_next(struct control *control)
{
	struct control_pending *pending = &control->pending;

	control->out_bytes = control->out_sent = 0;
	if (pending->terminal_settings) {
		compose_terminal_settings(control);
	} else if (pending->window_size) {
		compose_window_size(control);
	} else if (pending->signals) {
		unsigned bit = (unsigned)__builtin_ctzll(pending->signals);

		pending->signals &= pending->signals - 1;
		compose(control, CONTROL_SIGNAL, bit + 1, NULL, 0);
	} else if (pending->output_closed[0] || pending->output_closed[1]) {
		unsigned which = pending->output_closed[0] ? 0 : 1;

		pending->output_closed[which] = false;
		compose(control, CONTROL_OUTPUT_CLOSED, which + 1, NULL, 0);
	} else if (pending->stdin_end) {
		pending->stdin_end = false;
		compose(control, CONTROL_STDIN_END, pending->stdin_bytes, NULL, 0);
	}
}

/* Copies messages into one chain; returns bytes. */
static uint32_t fill_chain(struct control *control, const struct iovec *iov, int count)
{
	uint32_t filled = 0;

	for (int i = 0; i < count; i++) {
		size_t room = iov[i].iov_len;
		uint8_t *to = iov[i].iov_base;

		while (room > 0 && control_has_message(control)) {
			size_t part;

			if (control->out_sent == control->out_bytes)
				compose_next(control);
			part = MIN(room, (size_t)(control->out_bytes - control->out_sent));
			memcpy(to, control->out + control->out_sent, part);
			control->out_sent += (unsigned)part;
			to += part;
			room -= part;
			filled += (uint32_t)part;
		}
	}
	return filled;
}

bool control_send(struct control *control)
{
	struct iovec iov[RING_MAX_SIZE];
	bool sent = false;

	while (control_has_message(control) && ring_waiting(&control->to_guest)) {
		int count = ring_chain(&control->to_guest, 0, iov, RING_MAX_SIZE);

		if (count <= 0)
			break;
		ring_complete(&control->to_guest, fill_chain(control, iov, count));
		sent = true;
	}
	return sent;
}

/* ---- from the guest ------------------------------------------------------------ */

static void set_terminal(const uint8_t *payload, uint32_t bytes)
{
	struct termios settings;

	if (bytes != sizeof(settings))
		return;
	memcpy(&settings, payload, sizeof(settings));
	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TCSETS, &settings) == 0)
			return;
	}
}

static void handle(
	struct control *control, const struct control_header *header, const uint8_t *payload)
{
	switch (header->type) {
	case CONTROL_KILLED:
		if (header->value >= 1 && header->value <= 64)
			control->killed_by = (uint32_t)header->value;
		break;
	case CONTROL_PANIC:
		if (control->on_panic)
			control->on_panic(control->context, (const char *)payload, header->bytes);
		break;
	case CONTROL_TERMIOS:
		set_terminal(payload, header->bytes);
		break;
	case CONTROL_READY:
		control->program_ticks = header->value;
		break;
	default: /* CONTROL_EXIT: the exit port says the same; others: from a newer kernel */
		break;
	}
}

/* Handles the message at the front if it is complete; returns its bytes, else 0. */
static unsigned handle_first(struct control *control)
{
	struct control_header header;

	if (control->in_bytes < sizeof(header))
		return 0;
	memcpy(&header, control->in, sizeof(header));
	if (header.bytes > CONTROL_MAX_PAYLOAD) {
		control->broken = "control message that is too long";
		return 0;
	}
	if (control->in_bytes - sizeof(header) < header.bytes)
		return 0;
	handle(control, &header, control->in + sizeof(header));
	return (unsigned)sizeof(header) + header.bytes;
}

void control_parse(struct control *control, const uint8_t *bytes, size_t count)
{
	while (count > 0 && !control->broken) {
		size_t part = MIN(count, sizeof(control->in) - control->in_bytes);
		unsigned used;

		memcpy(control->in + control->in_bytes, bytes, part);
		control->in_bytes += (unsigned)part;
		bytes += part;
		count -= part;
		while ((used = handle_first(control)) > 0) {
			control->in_bytes -= used;
			memmove(control->in, control->in + used, control->in_bytes);
		}
	}
}

bool control_receive(struct control *control)
{
	struct iovec iov[RING_MAX_SIZE];
	bool received = false;

	while (!control->broken && ring_waiting(&control->from_guest)) {
		int count = ring_chain(&control->from_guest, 0, iov, RING_MAX_SIZE);

		if (count <= 0)
			break;
		for (int i = 0; i < count; i++)
			control_parse(control, iov[i].iov_base, iov[i].iov_len);
		ring_complete(&control->from_guest, 0);
		received = true;
	}
	return received;
}
