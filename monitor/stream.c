/*
 * Standard streams; see stream.h.
 *
 * The descriptors are shared with other processes (a shell, a pipeline), so their
 * O_NONBLOCK flag is not touched. A blocked stdout must not keep signals or stderr
 * waiting, so nothing here may block for long: pipes and sockets take RWF_NOWAIT;
 * for others poll() is asked first and then little is moved at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "monitor/message.h"
#include "monitor/stream.h"
#include "monitor/timeline.h"

/* Sandbox, base: preadv2 pwritev2 poll ioctl */

#define GATHER_MAX     512   /* iovecs of one write; at least RING_MAX_SIZE */
#define POLLED_MAX     4096u /* what a pipe or terminal takes when poll() says it is writable */
#define MEM_MAJOR      1
#define MEM_MINOR_NULL 3

enum boot_stream_kind stream_kind(int fd)
{
	struct stat status;
	struct winsize window;

	int flags = fcntl(fd, F_GETFL);

	/* O_PATH: main() put it where nothing was open. */
	if (flags < 0 || (flags & O_PATH) || fstat(fd, &status) < 0)
		return BOOT_STREAM_CLOSED;
	if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))
		return BOOT_STREAM_FILE;
	if (!S_ISCHR(status.st_mode))
		return BOOT_STREAM_PIPE;
	if (status.st_rdev == makedev(MEM_MAJOR, MEM_MINOR_NULL))
		return BOOT_STREAM_NULL;
	return ioctl(fd, TIOCGWINSZ, &window) == 0 ? BOOT_STREAM_TTY : BOOT_STREAM_PIPE;
}

bool stream_window_size(struct winsize *window)
{
	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, window) == 0)
			return true;
	}
	return false;
}

static enum stream_mode mode_of(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return STREAM_DIRECT;
	if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
		return STREAM_NOWAIT;
	if (S_ISCHR(status.st_mode) && major(status.st_rdev) != MEM_MAJOR)
		return STREAM_POLLED;
	return STREAM_DIRECT;
}

static bool is_ready(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	return poll(&poll_fd, 1, 0) != 0;
}

/* readv/writev that fails with EAGAIN rather than block. */
static ssize_t move(int fd, enum stream_mode *mode, bool is_write, struct iovec *iov, int count)
{
	long number = is_write ? SYS_pwritev2 : SYS_preadv2;

	if (*mode == STREAM_NOWAIT) {
		ssize_t moved = syscall(number, fd, iov, count, -1L, -1L, RWF_NOWAIT);

		if (moved >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return moved;
		*mode = STREAM_POLLED;
	}
	if (*mode == STREAM_POLLED) {
		if (!is_ready(fd, is_write ? POLLOUT : POLLIN)) {
			errno = EAGAIN;
			return -1;
		}
		if (is_write) {
			count = 1;
			iov->iov_len = MIN(iov->iov_len, POLLED_MAX);
		}
	}
	/* As writev and readv. */
	return syscall(number, fd, iov, count, -1L, -1L, 0);
}

/* ---- output -------------------------------------------------------------------- */

void stream_output_init(struct stream_output *output, int fd)
{
	output->fd = fd;
	output->mode = mode_of(fd);
	/* Closed from the start: the guest knows from boot_info. */
	output->is_closed = stream_kind(fd) == BOOT_STREAM_CLOSED;
}

/* Chains of the ring, as one write. */
struct gather {
	struct iovec iov[GATHER_MAX];
	unsigned iov_count;
	uint64_t chain_bytes[RING_MAX_SIZE];
	unsigned chain_count;
};

static void gather_chains(struct stream_output *output, struct gather *gather)
{
	uint16_t waiting = ring_waiting(&output->ring);

	gather->iov_count = 0;
	gather->chain_count = 0;
	while (gather->chain_count < waiting) {
		struct iovec *iov = gather->iov + gather->iov_count;
		int count = ring_chain(&output->ring, (uint16_t)gather->chain_count, iov,
			GATHER_MAX - gather->iov_count);
		uint64_t bytes = 0;

		if (count <= 0)
			break;
		for (int i = 0; i < count; i++)
			bytes += iov[i].iov_len;
		gather->chain_bytes[gather->chain_count++] = bytes;
		gather->iov_count += (unsigned)count;
	}
}

/* Leaves out what was written before; returns the first iovec that is left. */
static unsigned skip_written(struct gather *gather, uint64_t skip)
{
	unsigned first = 0;

	while (first < gather->iov_count && skip >= gather->iov[first].iov_len)
		skip -= gather->iov[first++].iov_len;
	if (first < gather->iov_count) {
		gather->iov[first].iov_base = (char *)gather->iov[first].iov_base + skip;
		gather->iov[first].iov_len -= skip;
	}
	return first;
}

static void complete_chains(
	struct stream_output *output, const struct gather *gather, uint64_t written)
{
	written += output->partial;
	for (unsigned i = 0; i < gather->chain_count; i++) {
		if (written < gather->chain_bytes[i])
			break;
		written -= gather->chain_bytes[i];
		ring_complete(&output->ring, 0);
		output->partial = 0;
		if (i + 1 == gather->chain_count)
			return;
	}
	output->partial = written;
}

static void close_output(struct stream_output *output, int error)
{
	if (error != EPIPE)
		message_print("%s: %s; further output is dropped",
			output->fd == STDOUT_FILENO ? "stdout" : "stderr", strerror(error));
	output->is_closed = true;
	output->tell_closed = true;
}

static void drop_output(struct stream_output *output)
{
	for (uint16_t waiting = ring_waiting(&output->ring); waiting > 0; waiting--)
		ring_complete(&output->ring, 0);
	output->partial = 0;
}

/* One write. False when nothing more can be done now. */
static bool write_some(struct stream_output *output)
{
	struct gather gather;
	ssize_t written = 0;
	unsigned first;

	gather_chains(output, &gather);
	if (!gather.chain_count)
		return false;
	first = skip_written(&gather, output->partial);
	if (first < gather.iov_count)
		written = move(output->fd, &output->mode, true, gather.iov + first,
			(int)(gather.iov_count - first));
	if (written < 0 && errno == EINTR)
		return true;
	if (written < 0 && errno == EAGAIN) {
		output->is_blocked = true;
		return false;
	}
	if (written < 0) {
		close_output(output, errno);
		drop_output(output);
		return true;
	}
	timeline_mark(MARK_OUTPUT);
	complete_chains(output, &gather, (uint64_t)written);
	return true;
}

bool stream_output_serve(struct stream_output *output)
{
	uint16_t before = output->ring.next;

	if (output->is_blocked)
		return false;
	if (output->is_closed)
		drop_output(output);
	else if (ring_waiting(&output->ring))
		return write_some(output);
	return output->ring.next != before;
}

/* ---- input --------------------------------------------------------------------- */

void stream_input_init(struct stream_input *input, int fd)
{
	enum boot_stream_kind kind = stream_kind(fd);

	input->fd = fd;
	input->mode = mode_of(fd);
	input->is_terminal = kind == BOOT_STREAM_TTY;
	input->is_ended = kind == BOOT_STREAM_CLOSED;
}

bool stream_input_wants(struct stream_input *input)
{
	return !input->is_ended && ring_waiting(&input->ring) > 0;
}

/* End of file. A terminal goes on after ^D, unless it was hung up. */
static void end_input(struct stream_input *input, bool for_good)
{
	struct pollfd poll_fd = {.fd = input->fd, .events = POLLIN};

	if (input->is_terminal && poll(&poll_fd, 1, 0) >= 0)
		for_good |= (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
	input->is_ended = for_good || !input->is_terminal;
	input->tell_ended = true;
}

bool stream_input_serve(struct stream_input *input)
{
	struct iovec iov[RING_MAX_SIZE];
	ssize_t received;
	int count;

	if (!stream_input_wants(input) || (input->mode != STREAM_DIRECT && !input->is_readable))
		return false;
	count = ring_chain(&input->ring, 0, iov, RING_MAX_SIZE);
	if (count <= 0)
		return false;
	received = move(input->fd, &input->mode, false, iov, count);
	if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
		input->is_readable = false;
		return false;
	}
	input->is_readable = false;
	if (received <= 0) {
		end_input(input, received < 0);
		return true;
	}
	input->bytes += (uint64_t)received;
	ring_complete(&input->ring, (uint32_t)received);
	return true;
}
