/* See eventfd.h. */
#include "kernel/fs/eventfd.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/wait.h"
#include "abi/linux/fcntl.h"

#define COUNT_MAXIMUM (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock; /* rank 34; guards count */
	uint64_t count;
	bool semaphore;
	struct wait_queue changed; /* readers and writers: either is rare */
};

/* Takes what a read returns; 0 when there is nothing. */
static uint64_t take(struct eventfd *event)
{
	uint64_t taken;

	spin_lock(&event->lock);
	taken = event->semaphore && event->count != 0 ? 1 : event->count;
	WRITE_ONCE(event->count, event->count - taken);
	spin_unlock(&event->lock);
	return taken;
}

static long eventfd_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct eventfd *event = file->data;
	uint64_t taken;

	(void)offset;
	if (uio->bytes_left < sizeof(taken))
		return -LINUX_EINVAL;
	while ((taken = take(event)) == 0) {
		int error;

		if (file_is_nonblocking(file))
			return -LINUX_EAGAIN;
		error = WAIT_UNTIL(&event->changed, READ_ONCE(event->count) != 0, WAIT_FOREVER);
		if (error != 0)
			return error;
	}
	wait_wake_events(&event->changed, POLL_OUT, 1);
	return uio_copy_to(uio, &taken, sizeof(taken));
}

static bool add(struct eventfd *event, uint64_t value)
{
	bool fits;

	spin_lock(&event->lock);
	fits = value <= COUNT_MAXIMUM - event->count;
	if (fits)
		WRITE_ONCE(event->count, event->count + value);
	spin_unlock(&event->lock);
	return fits;
}

static long eventfd_write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct eventfd *event = file->data;
	uint64_t value;
	long moved;

	(void)offset;
	if (uio->bytes_left < sizeof(value))
		return -LINUX_EINVAL;
	moved = uio_copy_from(uio, &value, sizeof(value));
	if (moved < 0)
		return moved;
	if (moved != sizeof(value))
		return -LINUX_EFAULT;
	if (value == UINT64_MAX)
		return -LINUX_EINVAL;
	while (!add(event, value)) {
		int error;

		if (file_is_nonblocking(file))
			return -LINUX_EAGAIN;
		error = WAIT_UNTIL(&event->changed,
			value <= COUNT_MAXIMUM - READ_ONCE(event->count), WAIT_FOREVER);
		if (error != 0)
			return error;
	}
	wait_wake_events(&event->changed, POLL_IN, 1);
	return sizeof(value);
}

static uint32_t eventfd_poll(struct file *file)
{
	struct eventfd *event = file->data;
	uint64_t count = READ_ONCE(event->count);

	return (count != 0 ? POLL_IN : 0u) | (count < COUNT_MAXIMUM ? POLL_OUT : 0u);
}

static struct wait_queue *eventfd_poll_queue(struct file *file)
{
	struct eventfd *event = file->data;

	return &event->changed;
}

static void eventfd_release(struct file *file)
{
	heap_free(file->data);
}

static const struct file_ops eventfd_ops = {
	.kind = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.poll_queue = eventfd_poll_queue,
	.release = eventfd_release,
};

int eventfd_create(uint64_t count, bool semaphore, uint32_t flags, struct file **file)
{
	struct eventfd *event = heap_zalloc(sizeof(*event));

	if (event == NULL)
		return -LINUX_ENOMEM;
	spin_init(&event->lock);
	wait_queue_init(&event->changed);
	event->count = count;
	event->semaphore = semaphore;
	*file = file_create(&eventfd_ops, flags | LINUX_O_RDWR, event);
	if (*file == NULL) {
		heap_free(event);
		return -LINUX_ENOMEM;
	}
	return 0;
}
