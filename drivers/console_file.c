/*
 * The standard streams as files of the program: what fstat, poll, ioctl and isatty say
 * of them follows the kind of stream at the launcher (enum boot_stream_kind).
 */
#include "kernel/console.h"
#include "drivers/console_state.h"
#include "kernel/fs/file.h"
#include "kernel/mm/uaccess.h"
#include "kernel/platform.h"
#include "kernel/signal/signal.h"
#include "abi/linux/fcntl.h"
#include "lib/string.h"

enum terminal_ioctl {
	IOCTL_TCGETS = 0x5401,
	IOCTL_TCSETS = 0x5402,
	IOCTL_TCSETSW = 0x5403,
	IOCTL_TCSETSF = 0x5404,
	IOCTL_TCSBRK = 0x5409,
	IOCTL_TCXONC = 0x540a,
	IOCTL_TCFLSH = 0x540b,
	IOCTL_TIOCSCTTY = 0x540e,
	IOCTL_TIOCGPGRP = 0x540f,
	IOCTL_TIOCSPGRP = 0x5410,
	IOCTL_TIOCOUTQ = 0x5411,
	IOCTL_TIOCGWINSZ = 0x5413,
	IOCTL_TIOCSWINSZ = 0x5414,
	IOCTL_FIONREAD = 0x541b,
	IOCTL_TIOCGSID = 0x5429,
};

/* What a descriptor reads and writes; NULL: nothing. */
struct console_stream {
	struct console_input *input;
	struct console_output *output;
	uint8_t kind;
	uint8_t which;
};

static struct console_stream streams[CONSOLE_TERMINAL + 1];

/* ---- reading and writing ------------------------------------------------------------- */

static long stream_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	const struct console_stream *stream = file->data;

	(void)offset;
	if (stream->kind == BOOT_STREAM_NULL)
		return 0;
	if (stream->input == NULL)
		return -LINUX_EIO;
	return console_input_read(stream->input, uio, !file_is_nonblocking(file));
}

static void send_broken_pipe(void)
{
	struct linux_siginfo info = {.signo = LINUX_SIGPIPE, .code = LINUX_SI_USER};

	info.sender.pid = PROCESS_ID;
	signal_send_thread(thread_current(), &info);
}

static long stream_write(struct file *file, struct uio *uio, uint64_t *offset)
{
	const struct console_stream *stream = file->data;
	long result;

	(void)offset;
	if (stream->kind == BOOT_STREAM_NULL) {
		result = (long)uio->bytes_left;
		uio_advance(uio, uio->bytes_left);
		return result;
	}
	if (stream->output == NULL)
		return -LINUX_EIO;
	result = console_output_write(stream->output, uio, !file_is_nonblocking(file));
	if (result == -LINUX_EPIPE)
		send_broken_pipe();
	return result;
}

static uint32_t stream_poll(struct file *file)
{
	const struct console_stream *stream = file->data;
	uint32_t events = 0;

	if (stream->input != NULL && file_is_readable(file) &&
		console_input_is_readable(stream->input))
		events |= POLL_IN | POLL_RDNORM;
	if (stream->output != NULL && file_is_writable(file)) {
		if (stream->kind == BOOT_STREAM_TTY || console_output_is_writable(stream->output))
			events |= POLL_OUT | POLL_WRNORM;
		if (READ_ONCE(stream->output->is_closed))
			events |= POLL_ERR;
	}
	return events;
}

/*
 * A terminal open for both has two queues, and one must do: input is what programs wait
 * for, and a terminal that takes no output for long is rare. Output then wakes nobody
 * that polls, so a terminal always polls as writable.
 */
static struct wait_queue *stream_poll_queue(struct file *file)
{
	const struct console_stream *stream = file->data;

	if (stream->input != NULL && file_is_readable(file))
		return &stream->input->readable;
	return &stream->output->writable;
}

/* ---- what they are ---------------------------------------------------------------------- */

static int stream_stat(struct file *file, struct linux_stat *stat)
{
	const struct console_stream *stream = file->data;

	*stat = (struct linux_stat){
		.dev = 13, .ino = (uint64_t)stream->which + 3, .nlink = 1, .block_bytes = 4096};
	switch (stream->kind) {
	case BOOT_STREAM_TTY:
		stat->mode = LINUX_S_IFCHR | 0620;
		stat->rdev = 136 << 8;
		stat->block_bytes = 1024;
		break;
	case BOOT_STREAM_NULL:
		stat->mode = LINUX_S_IFCHR | 0666;
		stat->rdev = 1 << 8 | 3;
		break;
	case BOOT_STREAM_FILE:
		stat->mode = LINUX_S_IFREG | 0644;
		break;
	default:
		stat->mode = LINUX_S_IFIFO | 0600;
		break;
	}
	return 0;
}

void console_terminal_init(void)
{
	static const uint8_t characters[19] = {
		3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};

	/* ICRNL IXON IUTF8; OPOST ONLCR; 38400 baud CS8 CREAD; ISIG ICANON ECHO... IEXTEN */
	console.terminal = (struct console_termios){
		.input = 0x4500, .output = 0x5, .control = 0xbf, .local = 0x8a3b};
	memcpy(console.terminal.characters, characters, sizeof(characters));
}

static long set_terminal(uintptr_t argument)
{
	struct console_termios settings;

	if (user_copy_in(&settings, argument, sizeof(settings)) != 0)
		return -LINUX_EFAULT;
	console.terminal = settings;
	console_send_terminal_settings();
	return 0;
}

/* struct winsize */
static long get_window_size(uintptr_t argument)
{
	uint16_t size[4] = {console.rows, console.columns, 0, 0};

	return user_copy_out(argument, size, sizeof(size));
}

static long set_window_size(uintptr_t argument)
{
	uint16_t size[4];

	if (user_copy_in(size, argument, sizeof(size)) != 0)
		return -LINUX_EFAULT;
	console.rows = size[0];
	console.columns = size[1];
	return 0;
}

static long store_int(uintptr_t argument, int32_t value)
{
	return user_copy_out(argument, &value, sizeof(value));
}

static long terminal_ioctl(uint32_t request, uintptr_t argument)
{
	switch (request) {
	case IOCTL_TCGETS:
		return user_copy_out(argument, &console.terminal, sizeof(console.terminal));
	case IOCTL_TCSETS:
	case IOCTL_TCSETSW:
	case IOCTL_TCSETSF:
		return set_terminal(argument);
	case IOCTL_TIOCGWINSZ:
		return get_window_size(argument);
	case IOCTL_TIOCSWINSZ:
		return set_window_size(argument);
	case IOCTL_TIOCGPGRP:
	case IOCTL_TIOCGSID:
		return store_int(argument, PROCESS_ID);
	case IOCTL_TIOCOUTQ:
		return store_int(argument, 0);
	case IOCTL_TCSBRK:
	case IOCTL_TCXONC:
	case IOCTL_TCFLSH:
	case IOCTL_TIOCSCTTY:
	case IOCTL_TIOCSPGRP:
		return 0;
	default:
		return -LINUX_ENOTTY;
	}
}

static long stream_ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	const struct console_stream *stream = file->data;

	if (request == IOCTL_FIONREAD && stream->input != NULL)
		return store_int(argument, (int32_t)console_input_pending(stream->input));
	if (stream->kind == BOOT_STREAM_TTY)
		return terminal_ioctl(request, argument);
	return -LINUX_ENOTTY;
}

static int stream_reopen(struct file *file, uint32_t flags, struct file **result);

/* By enum boot_stream_kind. Pipes and terminals can be waited for; files and /dev/null are
 * always ready, and epoll(7) takes only what has a queue. Names as /proc/self/fd shows. */
#define STREAM_OPS(name)                                                                           \
	.kind = (name), .read = stream_read, .write = stream_write, .ioctl = stream_ioctl,         \
	.stat = stream_stat, .reopen = stream_reopen
#define WAITING_STREAM_OPS(name)                                                                   \
	STREAM_OPS(name), .poll = stream_poll, .poll_queue = stream_poll_queue

static const struct file_ops stream_ops[] = {
	[BOOT_STREAM_PIPE] = {WAITING_STREAM_OPS("pipe")},
	[BOOT_STREAM_FILE] = {STREAM_OPS("console")},
	[BOOT_STREAM_TTY] = {WAITING_STREAM_OPS("/dev/tty")},
	[BOOT_STREAM_NULL] = {STREAM_OPS("/dev/null")},
};

/* ---- opening ------------------------------------------------------------------------------ */

int console_stream_kind(int which)
{
	const struct boot_info *info = platform_boot_info();

	if (which >= CONSOLE_STDIN && which <= CONSOLE_STDERR)
		return info->streams[which];
	for (int i = CONSOLE_STDIN; i <= CONSOLE_STDERR; i++) {
		if (info->streams[i] == BOOT_STREAM_TTY)
			return BOOT_STREAM_TTY;
	}
	return BOOT_STREAM_CLOSED;
}

/* A terminal is one device, whichever descriptor names it. */
static void connect_terminal(struct console_stream *stream)
{
	if (console_stream_kind(CONSOLE_STDIN) == BOOT_STREAM_TTY)
		stream->input = &console.stdio_input;
	if (console_stream_kind(CONSOLE_STDOUT) == BOOT_STREAM_TTY)
		stream->output = &console.stdio_output;
	if ((stream->output == NULL || stream->which == CONSOLE_STDERR) &&
		console_stream_kind(CONSOLE_STDERR) == BOOT_STREAM_TTY)
		stream->output = &console.error_output;
}

void console_streams_init(void)
{
	for (int which = CONSOLE_STDIN; which <= CONSOLE_TERMINAL; which++) {
		struct console_stream *stream = &streams[which];

		*stream = (struct console_stream){
			.kind = (uint8_t)console_stream_kind(which), .which = (uint8_t)which};
		if (stream->kind >= ARRAY_SIZE(stream_ops))
			stream->kind = BOOT_STREAM_PIPE;
		if (stream->kind == BOOT_STREAM_TTY)
			connect_terminal(stream);
		else if (which == CONSOLE_STDIN)
			stream->input = &console.stdio_input;
		else
			stream->output = which == CONSOLE_STDERR ? &console.error_output
								 : &console.stdio_output;
	}
}

int console_open(int which, struct file *file)
{
	struct console_stream *stream;

	if (which < CONSOLE_STDIN || which > CONSOLE_TERMINAL ||
		streams[which].kind == BOOT_STREAM_CLOSED)
		return -LINUX_ENXIO;
	stream = &streams[which];
	file->data = stream;
	file->ops = &stream_ops[stream->kind];
	return 0;
}

static uint32_t flags_of(int which)
{
	int kind = console_stream_kind(which);

	if (kind == BOOT_STREAM_TTY || kind == BOOT_STREAM_NULL)
		return LINUX_O_RDWR;
	return which == CONSOLE_STDIN ? LINUX_O_RDONLY : LINUX_O_WRONLY;
}

static int stream_reopen(struct file *file, uint32_t flags, struct file **result)
{
	const struct console_stream *stream = file->data;
	uint32_t wanted = flags & LINUX_O_ACCMODE, has = flags_of(stream->which);

	if (has != LINUX_O_RDWR && has != wanted)
		return -LINUX_EACCES;
	*result = file_create(file->ops,
		flags & (LINUX_O_ACCMODE | LINUX_O_NONBLOCK | LINUX_O_APPEND), file->data);
	return *result != NULL ? 0 : -LINUX_ENOMEM;
}

struct file *console_file(int which)
{
	struct file *file = file_create(&stream_ops[BOOT_STREAM_NULL], flags_of(which), NULL);

	if (file != NULL && console_open(which, file) != 0) {
		file_release(file);
		return NULL;
	}
	return file;
}

int console_open_standard(void)
{
	for (int which = CONSOLE_STDIN; which <= CONSOLE_STDERR; which++) {
		struct file *file;
		int fd;

		if (console_stream_kind(which) == BOOT_STREAM_CLOSED)
			continue;
		file = console_file(which);
		if (file == NULL)
			return -LINUX_ENOMEM;
		fd = fd_install_at(file, which, false);
		if (fd < 0) {
			file_release(file);
			return fd;
		}
	}
	return 0;
}
