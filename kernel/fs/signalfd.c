/* See signalfd.h. Signals stay with kernel/signal/; this only takes them as records. */
#include "kernel/fs/signalfd.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/signal/signal.h"
#include "abi/linux/fcntl.h"
#include "lib/string.h"

/* struct signalfd_siginfo, include/uapi/linux/signalfd.h */
struct record {
	uint32_t signo;
	int32_t error, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t timer_id, band, overrun, trap_number;
	int32_t status, integer;
	uint64_t pointer, user_time, system_time, address;
	uint16_t address_lsb, pad2;
	int32_t syscall;
	uint64_t call_address;
	uint32_t arch;
	uint8_t pad[28];
};

_Static_assert(sizeof(struct record) == 128, "Linux layout");

struct signalfd {
	uint64_t set;
};

static const struct file_ops signalfd_ops;

static bool is_fault(const struct linux_siginfo *info)
{
	return info->code > 0 && info->code < LINUX_SI_KERNEL &&
	       (info->signo == LINUX_SIGSEGV || info->signo == LINUX_SIGBUS ||
		       info->signo == LINUX_SIGFPE || info->signo == LINUX_SIGILL ||
		       info->signo == LINUX_SIGTRAP);
}

static void convert(struct record *record, const struct linux_siginfo *info)
{
	memset(record, 0, sizeof(*record));
	record->signo = (uint32_t)info->signo;
	record->error = info->error;
	record->code = info->code;
	if (is_fault(info)) {
		record->address = info->fault.address;
	} else if (info->code == LINUX_SI_TIMER) {
		record->timer_id = (uint32_t)info->timer.timer_id;
		record->overrun = (uint32_t)info->timer.overrun;
		record->pointer = info->timer.value;
		record->integer = (int32_t)info->timer.value;
	} else {
		record->pid = (uint32_t)info->sender.pid;
		record->uid = info->sender.uid;
		if (info->code == LINUX_SI_QUEUE) {
			record->pointer = info->sender.value;
			record->integer = (int32_t)info->sender.value;
		}
	}
}

static bool has_signal(const struct signalfd *signals)
{
	return (signal_pending() & READ_ONCE(signals->set)) != 0;
}

/* The first signal, for which the read may wait. */
static int take_first(struct file *file, struct linux_siginfo *info)
{
	const struct signalfd *signals = file->data;

	while (!signal_take(READ_ONCE(signals->set), info)) {
		int error;

		if (file_is_nonblocking(file))
			return -LINUX_EAGAIN;
		error = WAIT_UNTIL(signal_wait_queue(), has_signal(signals), WAIT_FOREVER);
		if (error != 0)
			return error;
	}
	return 0;
}

static long signalfd_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	const struct signalfd *signals = file->data;
	struct linux_siginfo info;
	struct record record;
	long total = 0;
	int error;

	(void)offset;
	if (uio->bytes_left < sizeof(record))
		return -LINUX_EINVAL;
	error = take_first(file, &info);
	if (error != 0)
		return error;
	for (;;) {
		long moved;

		convert(&record, &info);
		moved = uio_copy_to(uio, &record, sizeof(record));
		if (moved != sizeof(record))
			return total != 0 ? total : -LINUX_EFAULT;
		total += moved;
		if (uio->bytes_left < sizeof(record) ||
			!signal_take(READ_ONCE(signals->set), &info))
			return total;
	}
}

static uint32_t signalfd_poll(struct file *file)
{
	return has_signal(file->data) ? POLL_IN : 0u;
}

static struct wait_queue *signalfd_poll_queue(struct file *file)
{
	(void)file;
	return signal_wait_queue();
}

static void signalfd_release(struct file *file)
{
	heap_free(file->data);
}

static const struct file_ops signalfd_ops = {
	.kind = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.poll_queue = signalfd_poll_queue,
	.release = signalfd_release,
};

static uint64_t catchable(uint64_t set)
{
	return set & ~(1ull << (LINUX_SIGKILL - 1) | 1ull << (LINUX_SIGSTOP - 1));
}

int signalfd_create(uint64_t set, uint32_t flags, struct file **file)
{
	struct signalfd *signals = heap_zalloc(sizeof(*signals));

	if (signals == NULL)
		return -LINUX_ENOMEM;
	signals->set = catchable(set);
	*file = file_create(&signalfd_ops, flags | LINUX_O_RDWR, signals);
	if (*file == NULL) {
		heap_free(signals);
		return -LINUX_ENOMEM;
	}
	return 0;
}

int signalfd_set(struct file *file, uint64_t set)
{
	struct signalfd *signals = file->data;

	if (file->ops != &signalfd_ops)
		return -LINUX_EINVAL;
	WRITE_ONCE(signals->set, catchable(set));
	wait_wake_all(signal_wait_queue());
	return 0;
}
