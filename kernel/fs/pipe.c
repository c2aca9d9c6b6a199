/*
 * Descriptors of pipes and FIFOs. See pipe.h; the buffer is in pipe_buffer.c.
 *
 * file->offset of a reading end holds pipe->writer_openings at its open: POLLHUP is
 * only told once a writer has come and gone.
 */
#include "kernel/fs/file.h"
#include "kernel/fs/pipe_buffer.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/clock.h"
#include "abi/linux/fcntl.h"

#define IOCTL_FIONREAD 0x541b

/* FIFOs that are open, by vnode. Rank 33; guards `open` and references of FIFOs. */
static struct {
	struct spinlock lock;
	struct list open;
} fifos = {SPINLOCK_INIT, LIST_INIT(fifos.open)};

static uint64_t last_number = 1000;

static struct pipe *create(struct vnode *fifo)
{
	struct pipe *pipe = heap_zalloc(sizeof(*pipe));

	if (pipe == NULL)
		return NULL;
	mutex_init(&pipe->lock);
	stream_init(&pipe->bytes);
	wait_queue_init(&pipe->readable);
	wait_queue_init(&pipe->writable);
	wait_queue_init(&pipe->either);
	list_init(&pipe->fifo_link);
	pipe->capacity = PIPE_DEFAULT_BYTES;
	pipe->fifo = fifo;
	pipe->references = 1;
	pipe->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
	pipe->created_ns = clock_realtime_ns();
	return pipe;
}

static void destroy(struct pipe *pipe)
{
	stream_release(&pipe->bytes);
	heap_free(pipe->packets);
	heap_free(pipe);
}

static bool drop_is_last(struct pipe *pipe)
{
	bool last;

	if (pipe->fifo == NULL)
		return __atomic_sub_fetch(&pipe->references, 1, __ATOMIC_ACQ_REL) == 0;
	spin_lock(&fifos.lock);
	last = --pipe->references == 0;
	if (last)
		list_remove(&pipe->fifo_link);
	spin_unlock(&fifos.lock);
	return last;
}

static void drop(struct pipe *pipe)
{
	if (drop_is_last(pipe))
		destroy(pipe);
}

static long take_and_announce(struct pipe *pipe, struct uio *uio)
{
	bool was_full;
	long taken;

	mutex_lock(&pipe->lock);
	was_full = pipe_is_full(pipe);
	taken = pipe_take_locked(pipe, uio);
	mutex_unlock(&pipe->lock);
	if (taken > 0)
		pipe_announce_room(pipe, was_full);
	return taken;
}

static long pipe_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct pipe *pipe = file->data;

	(void)offset;
	if (uio->bytes_left == 0)
		return 0;
	for (;;) {
		long taken = take_and_announce(pipe, uio);
		int error;

		if (taken != 0)
			return taken;
		if (READ_ONCE(pipe->writers) == 0 && pipe_used(pipe) == 0)
			return 0;
		error = pipe_wait_readable(pipe, !file_is_nonblocking(file));
		if (error != 0)
			return error;
	}
}

/* One attempt. Bytes put, 0 if it must wait, or an error. */
static long put_and_announce(struct pipe *pipe, struct uio *uio, bool packet, bool whole)
{
	long put = -LINUX_EPIPE;

	mutex_lock(&pipe->lock);
	if (pipe->readers != 0)
		put = pipe_put_locked(pipe, uio, packet, whole);
	mutex_unlock(&pipe->lock);
	if (put > 0)
		pipe_announce_data(pipe);
	else if (put == -LINUX_EPIPE)
		pipe_send_broken();
	return put;
}

static long pipe_write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct pipe *pipe = file->data;
	bool packet = (file->flags & LINUX_O_DIRECT) != 0;
	bool whole = uio->bytes_left <= PIPE_ATOMIC_BYTES;
	long total = 0;

	(void)offset;
	while (uio->bytes_left != 0) {
		long put = put_and_announce(pipe, uio, packet, whole);
		int error;

		if (put < 0)
			return total != 0 ? total : put;
		total += put;
		if (uio->bytes_left == 0 || put != 0)
			continue;
		error = pipe_wait_writable(pipe, !file_is_nonblocking(file));
		if (error != 0)
			return total != 0 ? total : error;
	}
	return total;
}

static uint32_t pipe_poll(struct file *file)
{
	struct pipe *pipe = file->data;
	uint32_t events = 0;

	if (file_is_readable(file)) {
		if (pipe_used(pipe) != 0)
			events |= POLL_IN | POLL_RDNORM;
		if (READ_ONCE(pipe->writers) == 0 &&
			READ_ONCE(pipe->writer_openings) != (uint32_t)file->offset)
			events |= POLL_HUP;
	}
	if (file_is_writable(file)) {
		if (!pipe_is_full(pipe))
			events |= POLL_OUT | POLL_WRNORM;
		if (READ_ONCE(pipe->readers) == 0)
			events |= POLL_ERR;
	}
	return events;
}

static struct wait_queue *pipe_poll_queue(struct file *file)
{
	struct pipe *pipe = file->data;

	if (!file_is_writable(file))
		return &pipe->readable;
	return file_is_readable(file) ? &pipe->either : &pipe->writable;
}

static long pipe_ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	struct pipe *pipe = file->data;
	int32_t bytes;

	if (request != IOCTL_FIONREAD)
		return -LINUX_ENOTTY;
	bytes = (int32_t)pipe_used(pipe);
	return user_copy_out(argument, &bytes, sizeof(bytes));
}

static int pipe_stat(struct file *file, struct linux_stat *stat)
{
	const struct pipe *pipe = file->data;

	if (file->vnode != NULL && file->vnode->ops->get_attributes != NULL)
		return file->vnode->ops->get_attributes(file->vnode, stat);
	*stat = (struct linux_stat){.dev = 14,
		.ino = pipe->number,
		.nlink = 1,
		.mode = LINUX_S_IFIFO | 0600,
		.block_bytes = 4096};
	stat->mtime.seconds = (int64_t)(pipe->created_ns / 1000000000);
	stat->mtime.nanoseconds = (int64_t)(pipe->created_ns % 1000000000);
	stat->atime = stat->mtime;
	stat->ctime = stat->mtime;
	return 0;
}

/* Whoever waits for the other side learns that it changed. */
static void announce_ends(struct pipe *pipe)
{
	wait_wake_all(&pipe->readable);
	wait_wake_all(&pipe->writable);
	wait_wake_all(&pipe->either);
}

static void add_end(struct pipe *pipe, const struct file *file)
{
	bool reads = file_is_readable(file), writes = file_is_writable(file);

	pipe->readers += reads;
	pipe->writers += writes;
	pipe->reader_openings += reads;
	pipe->writer_openings += writes;
	pipe->both_ends += reads && writes;
}

static void remove_end(struct pipe *pipe, const struct file *file)
{
	bool reads = file_is_readable(file), writes = file_is_writable(file);

	mutex_lock(&pipe->lock);
	WRITE_ONCE(pipe->readers, pipe->readers - reads);
	WRITE_ONCE(pipe->writers, pipe->writers - writes);
	pipe->both_ends -= reads && writes;
	mutex_unlock(&pipe->lock);
	announce_ends(pipe);
}

static void pipe_release(struct file *file)
{
	remove_end(file->data, file);
	drop(file->data);
}

static int pipe_reopen(struct file *file, uint32_t flags, struct file **result);

static const struct file_ops pipe_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.poll_queue = pipe_poll_queue,
	.ioctl = pipe_ioctl,
	.stat = pipe_stat,
	.reopen = pipe_reopen,
	.release = pipe_release,
};

struct pipe *pipe_of_file(const struct file *file)
{
	return file->ops == &pipe_ops ? file->data : NULL;
}

bool pipe_is_pipe(const struct file *file)
{
	return file->ops == &pipe_ops;
}

static struct file *create_end(struct pipe *pipe, uint32_t flags)
{
	struct file *file = file_create(&pipe_ops, flags, pipe);

	if (file == NULL)
		return NULL;
	add_end(pipe, file);
	return file;
}

int pipe_create(uint32_t flags, struct file **read_end, struct file **write_end)
{
	struct pipe *pipe = create(NULL);

	flags &= LINUX_O_NONBLOCK | LINUX_O_DIRECT;
	if (pipe == NULL)
		return -LINUX_ENOMEM;
	*read_end = create_end(pipe, flags | LINUX_O_RDONLY);
	if (*read_end == NULL) {
		destroy(pipe);
		return -LINUX_ENOMEM;
	}
	pipe->references = 2;
	*write_end = create_end(pipe, flags | LINUX_O_WRONLY);
	if (*write_end == NULL) {
		pipe->references = 1;
		file_release(*read_end);
		return -LINUX_ENOMEM;
	}
	return 0;
}

/* ---- FIFOs -------------------------------------------------------------- */

static struct pipe *find_fifo_locked(const struct vnode *vnode)
{
	LIST_FOR_EACH (link, &fifos.open) {
		struct pipe *pipe = LIST_ENTRY(link, struct pipe, fifo_link);

		if (pipe->fifo == vnode) {
			pipe->references++;
			return pipe;
		}
	}
	return NULL;
}

/* The pipe of an open FIFO, or a new one, with a reference. NULL: no memory. */
static struct pipe *get_fifo(struct vnode *vnode)
{
	struct pipe *fresh = create(vnode);
	struct pipe *pipe;

	if (fresh == NULL)
		return NULL;
	spin_lock(&fifos.lock);
	pipe = find_fifo_locked(vnode);
	if (pipe == NULL)
		list_add_last(&fifos.open, &fresh->fifo_link);
	spin_unlock(&fifos.lock);
	if (pipe == NULL)
		return fresh;
	destroy(fresh);
	return pipe;
}

/* fifo(7): an open for one direction waits for an open of the other. */
static int wait_for_other_end(
	struct pipe *pipe, struct file *file, uint32_t seen_readers, uint32_t seen_writers)
{
	if (file_is_readable(file))
		return WAIT_UNTIL(&pipe->readable, READ_ONCE(pipe->writer_openings) != seen_writers,
			WAIT_FOREVER);
	return WAIT_UNTIL(
		&pipe->writable, READ_ONCE(pipe->reader_openings) != seen_readers, WAIT_FOREVER);
}

static int enter_fifo(struct pipe *pipe, struct file *file)
{
	bool reads = file_is_readable(file), writes = file_is_writable(file);
	uint32_t seen_readers, seen_writers;
	bool alone;
	int error = 0;

	mutex_lock(&pipe->lock);
	alone = !(reads && writes) && (reads ? pipe->writers : pipe->readers) == 0;
	if (alone && writes && file_is_nonblocking(file))
		error = -LINUX_ENXIO;
	else
		add_end(pipe, file);
	seen_readers = pipe->reader_openings;
	seen_writers = pipe->writer_openings;
	mutex_unlock(&pipe->lock);
	if (error != 0)
		return error;
	announce_ends(pipe);
	if (alone && reads && file_is_nonblocking(file)) {
		file->offset = seen_writers;
		return 0;
	}
	if (alone)
		error = wait_for_other_end(pipe, file, seen_readers, seen_writers);
	if (error != 0)
		remove_end(pipe, file);
	return error;
}

int pipe_open_fifo(struct vnode *vnode, struct file *file)
{
	struct pipe *pipe = get_fifo(vnode);
	int error;

	if (pipe == NULL)
		return -LINUX_ENOMEM;
	file->offset = 0;
	error = enter_fifo(pipe, file);
	if (error != 0) {
		drop(pipe);
		return error;
	}
	file->ops = &pipe_ops;
	file->data = pipe;
	return 0;
}

static void acquire(struct pipe *pipe)
{
	__atomic_add_fetch(&pipe->references, 1, __ATOMIC_RELAXED);
}

static const struct file_ops unopened_ops = {.kind = "pipe"};

/* As an open of a FIFO. A pipe that is one has a name, by which it is opened. */
static int pipe_reopen(struct file *file, uint32_t flags, struct file **result)
{
	struct pipe *pipe = file->data;
	struct file *fresh;
	int error;

	if (pipe->fifo != NULL)
		return -LINUX_ENXIO;
	fresh = file_create(
		&unopened_ops, flags & (LINUX_O_ACCMODE | LINUX_O_NONBLOCK | LINUX_O_DIRECT), NULL);
	if (fresh == NULL)
		return -LINUX_ENOMEM;
	error = enter_fifo(pipe, fresh);
	if (error != 0) {
		file_release(fresh);
		return error;
	}
	acquire(pipe);
	fresh->ops = &pipe_ops;
	fresh->data = pipe;
	*result = fresh;
	return 0;
}

/* ---- capacity ----------------------------------------------------------- */

long pipe_capacity(struct file *file)
{
	const struct pipe *pipe = pipe_of_file(file);

	return pipe == NULL ? -LINUX_EBADF : (long)READ_ONCE(pipe->capacity);
}

static long set_capacity(struct pipe *pipe, uint32_t capacity)
{
	long result = capacity;

	mutex_lock(&pipe->lock);
	if (capacity < pipe_used(pipe) + pipe->reserved ||
		capacity / PIPE_ATOMIC_BYTES < pipe->packet_count)
		result = -LINUX_EBUSY;
	else
		WRITE_ONCE(pipe->capacity, capacity);
	mutex_unlock(&pipe->lock);
	return result;
}

long pipe_set_capacity(struct file *file, uint64_t bytes)
{
	struct pipe *pipe = pipe_of_file(file);
	uint32_t capacity = PIPE_ATOMIC_BYTES;
	bool was_full;
	long result;

	if (pipe == NULL)
		return -LINUX_EBADF;
	if (bytes > 1u << 31)
		return -LINUX_EINVAL;
	if (bytes > PIPE_MAXIMUM_BYTES)
		return -LINUX_EPERM;
	while (capacity < bytes)
		capacity *= 2;
	was_full = pipe_is_full(pipe);
	result = set_capacity(pipe, capacity);
	if (result > 0)
		pipe_announce_room(pipe, was_full);
	return result;
}
