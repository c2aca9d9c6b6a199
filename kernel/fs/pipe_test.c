/*
 * Pipes against a model: every byte comes out once and in order, through reads, writes,
 * packets, splices and tees of random sizes; then ends, FIFOs, faults and lost memory.
 */
#include "arch/host/fake_files.h"
#include "arch/host/fake_threads.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/pipe_buffer.h"
#include "kernel/fs/splice.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "abi/linux/fcntl.h"
#include "lib/test.h"

#include <string.h>

/* ---- the rest of the kernel ------------------------------------------------- */

static unsigned broken_pipes;

uint32_t sched_cpu_count(void)
{
	return 1;
}

uint64_t clock_realtime_ns(void)
{
	return 1700000000ull * 1000000000;
}

int signal_send_thread(struct thread *thread, const struct linux_siginfo *info)
{
	(void)thread;
	CHECK_EQUAL(info->signo, LINUX_SIGPIPE);
	broken_pipes++;
	return 0;
}

void epoll_forget_file(struct file *file)
{
	(void)file;
}

/* ---- helpers ------------------------------------------------------------------- */

static struct file *reader, *writer;

static void open_pipe(uint32_t flags)
{
	fake_threads_reset();
	broken_pipes = 0;
	CHECK_EQUAL(pipe_create(flags, &reader, &writer), 0);
}

static void close_pipe(void)
{
	file_release(reader);
	file_release(writer);
	CHECK_EQUAL(fake_files_live(), 0);
	CHECK_EQUAL(heap_live_count(), 0);
}

static size_t between(size_t least, size_t most)
{
	return least + (size_t)random() % (most - least + 1);
}

static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position * 2654435761u >> 11);
}

static uint8_t buffer[2 << 20];

static void fill(uint64_t position, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buffer[i] = byte_at(position + i);
}

static void check(uint64_t position, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (buffer[i] != byte_at(position + i))
			CHECK_EQUAL(buffer[i], byte_at(position + i));
	}
}

/* ---- bytes ---------------------------------------------------------------------- */

static void check_model(size_t largest, uint64_t capacity)
{
	uint64_t put = 0, taken = 0;

	open_pipe(LINUX_O_NONBLOCK);
	if (capacity != 0)
		CHECK_EQUAL(pipe_set_capacity(writer, capacity), capacity);
	capacity = (uint64_t)pipe_capacity(reader);
	for (int step = 0; step < (largest > 10000 ? 1000 : 20000); step++) {
		size_t bytes = between(1, largest);
		uint64_t room = capacity - (put - taken);
		long result;

		if (random() % 2) {
			fill(put, bytes);
			result = fake_file_write(writer, buffer, bytes);
			if (bytes <= PIPE_ATOMIC_BYTES)
				CHECK_EQUAL(result, room >= bytes ? (long)bytes : -LINUX_EAGAIN);
			else
				CHECK_EQUAL(
					result, room == 0 ? -LINUX_EAGAIN : (long)MIN(room, bytes));
			put += result > 0 ? (uint64_t)result : 0;
		} else {
			result = fake_file_read(reader, buffer, bytes);
			CHECK_EQUAL(result,
				put == taken ? -LINUX_EAGAIN : (long)MIN(bytes, put - taken));
			if (result > 0)
				check(taken, (size_t)result);
			taken += result > 0 ? (uint64_t)result : 0;
		}
		CHECK_EQUAL(reader->ops->poll(reader) & POLL_IN, put != taken ? POLL_IN : 0);
		CHECK_EQUAL(writer->ops->poll(writer) & POLL_OUT,
			capacity - (put - taken) >= PIPE_ATOMIC_BYTES ? POLL_OUT : 0);
	}
	close_pipe();
}

TEST(bytes_come_out_once_and_in_order)
{
	srandom(1);
	check_model(1, 0);
	check_model(10, 4096);
	check_model(5000, 0);
	check_model(9000, 8192);
	check_model(200000, 0);
	check_model(500000, PIPE_MAXIMUM_BYTES);
}

TEST(memory_grows_with_the_content)
{
	open_pipe(LINUX_O_NONBLOCK);
	struct pipe *pipe = pipe_of_file(reader);

	CHECK_EQUAL(pipe->bytes.size, 0);
	CHECK_EQUAL(fake_file_write(writer, buffer, 1), 1);
	CHECK_EQUAL(pipe->bytes.size, 4096);
	CHECK_EQUAL(fake_file_write(writer, buffer, 100000), PIPE_DEFAULT_BYTES - 1);
	CHECK_EQUAL(pipe->bytes.size, PIPE_DEFAULT_BYTES);
	close_pipe();
}

TEST(capacity)
{
	open_pipe(LINUX_O_NONBLOCK);
	CHECK_EQUAL(pipe_capacity(writer), 65536);
	CHECK_EQUAL(pipe_set_capacity(writer, 0), 4096);
	CHECK_EQUAL(pipe_set_capacity(writer, 5000), 8192);
	CHECK_EQUAL(pipe_set_capacity(writer, 1 << 20), 1 << 20);
	CHECK_EQUAL(pipe_set_capacity(writer, (1 << 20) + 1), -LINUX_EPERM);
	CHECK_EQUAL(pipe_set_capacity(writer, UINT64_MAX), -LINUX_EINVAL);
	CHECK_EQUAL(fake_file_write(writer, buffer, 10000), 10000);
	CHECK_EQUAL(pipe_set_capacity(reader, 8192), -LINUX_EBUSY);
	CHECK_EQUAL(pipe_set_capacity(reader, 10001), 16384);
	close_pipe();
}

/* ---- packets ---------------------------------------------------------------------- */

TEST(packets_keep_their_bounds)
{
	open_pipe(LINUX_O_NONBLOCK | LINUX_O_DIRECT);
	CHECK_EQUAL(fake_file_write(writer, "abcdef", 6), 6);
	CHECK_EQUAL(fake_file_write(writer, "gh", 2), 2);
	CHECK_EQUAL(fake_file_read(reader, buffer, 4), 4);
	CHECK(memcmp(buffer, "abcd", 4) == 0); /* the rest of the packet is gone */
	CHECK_EQUAL(fake_file_read(reader, buffer, 100), 2);
	CHECK(memcmp(buffer, "gh", 2) == 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQUAL(fake_file_write(writer, "x", 1), 1);
	CHECK_EQUAL(fake_file_write(writer, "x", 1), -LINUX_EAGAIN); /* 16 slots */
	CHECK_EQUAL(writer->ops->poll(writer), 0);
	CHECK_EQUAL(fake_file_read(reader, buffer, 1), 1);
	CHECK_EQUAL(fake_file_write(writer, buffer, 10000), 4096); /* pages */
	writer->flags &= ~(uint32_t)LINUX_O_DIRECT;
	while (fake_file_read(reader, buffer, 1) > 0)
		;
	CHECK_EQUAL(fake_file_write(writer, "xy", 2), 2);
	CHECK_EQUAL(fake_file_read(reader, buffer, 1), 1);
	CHECK_EQUAL(fake_file_read(reader, buffer, 1), 1);
	close_pipe();
}

TEST(packets_and_bytes_mix)
{
	uint32_t lengths[64];
	uint64_t put = 0, taken = 0;
	unsigned first = 0, count = 0;

	srandom(2);
	open_pipe(LINUX_O_NONBLOCK | LINUX_O_DIRECT);
	for (int step = 0; step < 50000; step++) {
		size_t bytes = between(1, 4096);

		if (random() % 2) {
			fill(put, bytes);
			if (fake_file_write(writer, buffer, bytes) == (long)bytes) {
				lengths[(first + count++) % 64] = (uint32_t)bytes;
				put += bytes;
			}
		} else if (count != 0) {
			uint32_t length = lengths[first++ % 64];

			CHECK_EQUAL(fake_file_read(reader, buffer, bytes), MIN(bytes, length));
			check(taken, MIN(bytes, length));
			taken += length;
			count--;
		} else {
			CHECK_EQUAL(fake_file_read(reader, buffer, bytes), -LINUX_EAGAIN);
		}
	}
	close_pipe();
}

/* ---- ends -------------------------------------------------------------------------- */

TEST(without_writers_reads_end)
{
	open_pipe(0);
	CHECK_EQUAL(reader->ops->poll(reader), 0);
	CHECK_EQUAL(fake_file_write(writer, "abc", 3), 3);
	file_release(writer);
	CHECK_EQUAL(reader->ops->poll(reader), POLL_IN | POLL_RDNORM | POLL_HUP);
	CHECK_EQUAL(fake_file_read(reader, buffer, 100), 3);
	CHECK_EQUAL(fake_file_read(reader, buffer, 100), 0);
	CHECK_EQUAL(fake_file_read(reader, buffer, 0), 0);
	CHECK_EQUAL(reader->ops->poll(reader), POLL_HUP);
	file_release(reader);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST(without_readers_writes_break)
{
	open_pipe(0);
	file_release(reader);
	CHECK_EQUAL(writer->ops->poll(writer), POLL_OUT | POLL_WRNORM | POLL_ERR);
	CHECK_EQUAL(fake_file_write(writer, "abc", 0), 0);
	CHECK_EQUAL(broken_pipes, 0);
	CHECK_EQUAL(fake_file_write(writer, "abc", 3), -LINUX_EPIPE);
	CHECK_EQUAL(broken_pipes, 1);
	file_release(writer);
	CHECK_EQUAL(heap_live_count(), 0);
}

static void release_reader_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	CHECK(reader != NULL);
	file_release(reader);
	reader = NULL;
	CHECK(fake_threads[0].wakes != 0);
}

TEST(a_blocked_write_ends_with_its_last_reader)
{
	open_pipe(0);
	fake_sleep_hook = release_reader_while_asleep;
	CHECK_EQUAL(fake_file_write(writer, buffer, 100000), 65536);
	CHECK_EQUAL(broken_pipes, 1);
	file_release(writer);
	CHECK_EQUAL(heap_live_count(), 0);
}

static void drain_while_asleep(uint64_t deadline_ns)
{
	unsigned wakes = fake_threads[0].wakes;

	(void)deadline_ns;
	while (fake_threads[0].wakes == wakes)
		CHECK(fake_file_read(reader, buffer + (1 << 20), 100) > 0);
}

TEST(a_blocked_write_is_woken_by_room)
{
	open_pipe(0);
	fake_sleep_hook = drain_while_asleep;
	CHECK_EQUAL(fake_file_write(writer, buffer, 1 << 20), 1 << 20);
	CHECK_EQUAL(fake_file_write(writer, buffer, 4096), 4096);
	close_pipe();
}

static void write_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	CHECK_EQUAL(fake_file_write(writer, "woken", 5), 5);
	CHECK(fake_threads[0].wakes != 0);
}

TEST(a_blocked_read_is_woken_by_data_and_by_signals)
{
	open_pipe(0);
	fake_sleep_hook = write_while_asleep;
	CHECK_EQUAL(fake_file_read(reader, buffer, 100), 5);
	fake_threads[0].thread.signal.interrupted = true;
	CHECK_EQUAL(fake_file_read(reader, buffer, 100), -LINUX_ERESTARTSYS);
	close_pipe();
}

TEST(faults_lose_nothing)
{
	struct uio_part parts[2] = {{(uintptr_t) "abc", 3}, {16, 5}};
	struct uio uio;

	open_pipe(LINUX_O_NONBLOCK);
	uio_init_parts(&uio, parts, 2);
	CHECK_EQUAL(writer->ops->write(writer, &uio, NULL), 3);
	uio_init_parts(&uio, &parts[1], 1);
	CHECK_EQUAL(writer->ops->write(writer, &uio, NULL), -LINUX_EFAULT);
	uio_init_parts(&uio, &parts[1], 1);
	CHECK_EQUAL(reader->ops->read(reader, &uio, NULL), -LINUX_EFAULT);
	CHECK_EQUAL(fake_file_read(reader, buffer, 100), 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);
	close_pipe();
}

TEST(lost_allocations_lose_nothing)
{
	uint64_t put = 0, taken = 0;

	srandom(3);
	open_pipe(LINUX_O_NONBLOCK);
	heap_inject_failures(2);
	for (int step = 0; step < 2000; step++) {
		size_t bytes = between(1, 70000);
		long result;

		if (random() % 2) {
			fill(put, bytes);
			result = fake_file_write(writer, buffer, bytes);
			CHECK(result > 0 || result == -LINUX_EAGAIN || result == -LINUX_ENOMEM);
			put += result > 0 ? (uint64_t)result : 0;
		} else {
			result = fake_file_read(reader, buffer, bytes);
			if (result > 0)
				check(taken, (size_t)result);
			taken += result > 0 ? (uint64_t)result : 0;
		}
	}
	for (int i = 0; i < 100; i++) {
		struct file *ends[2];

		if (pipe_create(0, &ends[0], &ends[1]) == 0) {
			file_release(ends[0]);
			file_release(ends[1]);
		}
	}
	heap_inject_failures(0);
	close_pipe();
}

/* ---- FIFOs ------------------------------------------------------------------------------ */

static const struct file_ops no_ops = {.kind = "none"};
static struct vnode fifo_vnode;

static struct file *fifo_file(uint32_t flags)
{
	return file_create(&no_ops, flags, NULL);
}

static struct file *late_file;

static void open_writer_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	late_file = fifo_file(LINUX_O_WRONLY | LINUX_O_NONBLOCK);
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, late_file), 0);
	CHECK(fake_threads[0].wakes != 0);
}

TEST(fifo_open_waits_for_the_other_end)
{
	struct file *file = fifo_file(LINUX_O_RDONLY);

	fake_threads_reset();
	fake_sleep_hook = open_writer_while_asleep;
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, file), 0);
	CHECK_EQUAL(fake_file_write(late_file, "abc", 3), 3);
	CHECK_EQUAL(fake_file_read(file, buffer, 10), 3);
	file_release(late_file);
	CHECK_EQUAL(fake_file_read(file, buffer, 10), 0);
	file_release(file);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST(fifo_open_without_waiting)
{
	struct file *in = fifo_file(LINUX_O_RDONLY | LINUX_O_NONBLOCK);
	struct file *out = fifo_file(LINUX_O_WRONLY | LINUX_O_NONBLOCK);
	struct file *both = fifo_file(LINUX_O_RDWR | LINUX_O_NONBLOCK);

	fake_threads_reset();
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, out), -LINUX_ENXIO);
	CHECK_EQUAL(heap_live_count(), 0);
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, in), 0);
	CHECK_EQUAL(in->ops->poll(in), 0); /* no HUP before the first writer */
	CHECK_EQUAL(fake_file_read(in, buffer, 1), 0);
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, out), 0);
	CHECK_EQUAL(fake_file_read(in, buffer, 1), -LINUX_EAGAIN);
	file_release(out);
	CHECK_EQUAL(in->ops->poll(in), POLL_HUP);
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, both), 0);
	CHECK_EQUAL(fake_file_write(both, "abc", 3), 3);
	CHECK_EQUAL(both->ops->poll(both), POLL_IN | POLL_RDNORM | POLL_OUT | POLL_WRNORM);
	CHECK_EQUAL(fake_file_read(both, buffer, 1), 1);
	file_release(in);
	file_release(both);
	CHECK_EQUAL(heap_live_count(), 0);
}

static void interrupt_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	fake_threads[0].thread.signal.interrupted = true;
}

TEST(fifo_open_ends_with_a_signal)
{
	struct file *file = fifo_file(LINUX_O_RDONLY);

	fake_threads_reset();
	fake_sleep_hook = interrupt_while_asleep;
	CHECK_EQUAL(pipe_open_fifo(&fifo_vnode, file), -LINUX_ERESTARTSYS);
	file_release(file);
	CHECK_EQUAL(heap_live_count(), 0);
}

/* ---- splice ------------------------------------------------------------------------------ */

/* A seekable file of bytes that takes or gives less than asked for. */
static struct {
	uint8_t bytes[1 << 20];
	uint64_t size;
	long largest; /* per call; negative: the error it gives */
} store;

static long store_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	uint64_t there = *offset < store.size ? store.size - *offset : 0;
	long moved;

	(void)file;
	if (store.largest < 0)
		return store.largest;
	moved = uio_copy_to(uio, store.bytes + *offset, MIN(there, (uint64_t)store.largest));
	*offset += (uint64_t)moved;
	return moved;
}

static long store_write(struct file *file, struct uio *uio, uint64_t *offset)
{
	long moved;

	(void)file;
	if (store.largest < 0)
		return store.largest;
	moved = uio_copy_from(uio, store.bytes + *offset,
		MIN(sizeof(store.bytes) - *offset, (uint64_t)store.largest));
	*offset += (uint64_t)moved;
	store.size = MAX(store.size, *offset);
	return moved;
}

static int64_t store_seek(struct file *file, int64_t offset, int whence)
{
	(void)whence;
	file->offset = (uint64_t)offset;
	return offset;
}

static const struct file_ops store_ops = {
	.kind = "store", .read = store_read, .write = store_write, .seek = store_seek};

TEST(splice_out_takes_only_what_was_written)
{
	struct file *file = file_create(&store_ops, LINUX_O_RDWR, NULL);
	uint64_t offset = 100;

	open_pipe(LINUX_O_NONBLOCK);
	fill(0, 1000);
	CHECK_EQUAL(fake_file_write(writer, buffer, 1000), 1000);
	store.size = 0;
	store.largest = 300;
	CHECK_EQUAL(splice_files(reader, NULL, file, &offset, 1000, 0), 300);
	CHECK_EQUAL(offset, 400);
	store.largest = -LINUX_ENOSPC;
	CHECK_EQUAL(splice_files(reader, NULL, file, &offset, 1000, 0), -LINUX_ENOSPC);
	CHECK_EQUAL(fake_file_read(reader, buffer, 10000), 700);
	check(300, 700);
	memcpy(buffer, store.bytes + 100, 300);
	check(0, 300);
	CHECK_EQUAL(splice_files(reader, NULL, file, NULL, 1000, 0), -LINUX_EAGAIN);
	file_release(file);
	close_pipe();
}

TEST(splice_in_gives_back_the_room_it_did_not_use)
{
	struct file *file = file_create(&store_ops, LINUX_O_RDWR, NULL);

	open_pipe(LINUX_O_NONBLOCK);
	store.size = 1000;
	store.largest = 1 << 20;
	fill(0, 1000);
	memcpy(store.bytes, buffer, 1000);
	file->offset = 0;
	CHECK_EQUAL(splice_files(file, NULL, writer, NULL, 100000, 0), 1000);
	CHECK_EQUAL(file->offset, 1000);
	CHECK_EQUAL(splice_files(file, NULL, writer, NULL, 100000, 0), 0);
	store.largest = -LINUX_EIO;
	CHECK_EQUAL(splice_files(file, NULL, writer, NULL, 100000, 0), -LINUX_EIO);
	CHECK_EQUAL(pipe_of_file(writer)->reserved, 0);
	CHECK_EQUAL(fake_file_read(reader, buffer, 10000), 1000);
	check(0, 1000);
	file_release(file);
	close_pipe();
}

TEST(splice_errors)
{
	struct file *file = file_create(&store_ops, LINUX_O_RDWR, NULL);
	struct file *other = file_create(&store_ops, LINUX_O_RDWR | LINUX_O_APPEND, NULL);
	uint64_t offset = 0;

	open_pipe(LINUX_O_NONBLOCK);
	CHECK_EQUAL(splice_files(file, NULL, other, NULL, 1, 0), -LINUX_EINVAL);
	CHECK_EQUAL(splice_files(reader, &offset, file, NULL, 1, 0), -LINUX_ESPIPE);
	CHECK_EQUAL(splice_files(file, NULL, writer, &offset, 1, 0), -LINUX_ESPIPE);
	CHECK_EQUAL(splice_files(writer, NULL, file, NULL, 1, 0), -LINUX_EBADF);
	CHECK_EQUAL(splice_files(file, NULL, reader, NULL, 1, 0), -LINUX_EBADF);
	CHECK_EQUAL(splice_files(reader, NULL, writer, NULL, 1, 0), -LINUX_EINVAL);
	CHECK_EQUAL(splice_files(reader, NULL, other, NULL, 1, 0), -LINUX_EINVAL);
	CHECK_EQUAL(splice_tee(reader, writer, 1, 0), -LINUX_EINVAL);
	CHECK_EQUAL(splice_tee(file, writer, 1, 0), -LINUX_EINVAL);
	CHECK_EQUAL(splice_files(reader, NULL, file, NULL, 0, 0), 0);
	CHECK_EQUAL(splice_send_file(writer, reader, NULL, 1), -LINUX_EINVAL);
	CHECK_EQUAL(splice_send_file(writer, reader, &offset, 1), -LINUX_ESPIPE);
	CHECK_EQUAL(splice_send_file(other, file, NULL, 1), -LINUX_EINVAL);
	file_release(reader);
	CHECK_EQUAL(splice_files(file, NULL, writer, NULL, 1, 0), -LINUX_EPIPE);
	CHECK_EQUAL(broken_pipes, 1);
	file_release(file);
	file_release(other);
	file_release(writer);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST(send_file_stops_where_the_receiver_does)
{
	struct file *file = file_create(&store_ops, LINUX_O_RDWR, NULL);
	uint64_t offset = 10;

	open_pipe(LINUX_O_NONBLOCK);
	store.size = 100000;
	store.largest = 1 << 20;
	fill(0, 100000);
	memcpy(store.bytes, buffer, 100000);
	CHECK_EQUAL(splice_send_file(writer, file, &offset, 1 << 20), 65536);
	CHECK_EQUAL(offset, 65546);
	CHECK_EQUAL(splice_send_file(writer, file, &offset, 1 << 20), -LINUX_EAGAIN);
	CHECK_EQUAL(fake_file_read(reader, buffer, 100000), 65536);
	check(10, 65536);
	file->offset = 99990;
	CHECK_EQUAL(splice_send_file(writer, file, NULL, 1 << 20), 10);
	CHECK_EQUAL(file->offset, 100000);
	CHECK_EQUAL(splice_send_file(writer, file, NULL, 1 << 20), 0);
	file_release(file);
	close_pipe();
}

TEST(chains_of_pipes_lose_nothing)
{
	struct file *second_reader, *second_writer;
	uint64_t put = 0, passed = 0, taken = 0;

	srandom(4);
	open_pipe(LINUX_O_NONBLOCK);
	CHECK_EQUAL(pipe_create(LINUX_O_NONBLOCK, &second_reader, &second_writer), 0);
	for (int step = 0; step < 3000; step++) {
		size_t bytes = between(1, 30000);
		long result;

		switch (random() % 3) {
		case 0:
			fill(put, bytes);
			result = fake_file_write(writer, buffer, bytes);
			put += result > 0 ? (uint64_t)result : 0;
			break;
		case 1:
			result = splice_files(reader, NULL, second_writer, NULL, bytes, 0);
			CHECK(result > 0 || result == -LINUX_EAGAIN);
			passed += result > 0 ? (uint64_t)result : 0;
			break;
		default:
			result = fake_file_read(second_reader, buffer, bytes);
			if (result > 0)
				check(taken, (size_t)result);
			taken += result > 0 ? (uint64_t)result : 0;
		}
		CHECK(taken <= passed && passed <= put);
	}
	CHECK(taken > 500000);
	file_release(second_reader);
	file_release(second_writer);
	close_pipe();
}

TEST(tee_copies_and_keeps)
{
	struct file *second_reader, *second_writer;

	open_pipe(LINUX_O_NONBLOCK);
	CHECK_EQUAL(pipe_create(LINUX_O_NONBLOCK, &second_reader, &second_writer), 0);
	CHECK_EQUAL(splice_tee(reader, second_writer, 100, 0), -LINUX_EAGAIN);
	fill(0, 5000);
	CHECK_EQUAL(fake_file_write(writer, buffer, 5000), 5000);
	CHECK_EQUAL(splice_tee(reader, second_writer, 3000, 0), 3000);
	CHECK_EQUAL(fake_file_read(second_reader, buffer, 10000), 3000);
	check(0, 3000);
	CHECK_EQUAL(fake_file_read(reader, buffer, 10000), 5000);
	check(0, 5000);
	file_release(writer);
	CHECK_EQUAL(splice_tee(reader, second_writer, 100, 0), 0);
	writer = second_writer;
	file_release(second_reader);
	close_pipe();
}

TEST(memory_goes_through_vmsplice)
{
	struct uio_part part;
	struct uio uio;

	open_pipe(0);
	fill(0, 100000);
	uio_init_kernel(&uio, &part, buffer, 100000);
	CHECK_EQUAL(splice_memory(writer, &uio, SPLICE_NONBLOCK), 65536);
	CHECK_EQUAL(splice_memory(writer, &uio, SPLICE_NONBLOCK), -LINUX_EAGAIN);
	memset(buffer, 0, 65536);
	uio_init_kernel(&uio, &part, buffer, 100000);
	CHECK_EQUAL(splice_memory(reader, &uio, 0), 65536);
	check(0, 65536);
	CHECK_EQUAL(splice_memory(reader, &uio, SPLICE_NONBLOCK), -LINUX_EAGAIN);
	close_pipe();
}

TEST_DEFINE_MAIN
