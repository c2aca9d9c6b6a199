/* Pipes: blocking, atomic writes, end of file, size, splice and sendfile. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "check/check.h"

static int ends[2];

static void *writer(void *argument)
{
	long total = (long)(intptr_t)argument;
	char piece[5000];
	unsigned char next = 0;
	for (long done = 0; done < total;) {
		long count =
			total - done < (long)sizeof(piece) ? total - done : (long)sizeof(piece);
		for (long i = 0; i < count; i++)
			piece[i] = (char)next++;
		CHECK_EQUAL(write(ends[1], piece, (size_t)count), count); /* blocks, never short */
		done += count;
	}
	close(ends[1]);
	return NULL;
}

static void transfer(void)
{
	pthread_t thread;
	long total = 3000000, seen = 0, count;
	char piece[7001];
	unsigned char next = 0;
	CHECK_EQUAL(pipe(ends), 0);
	pthread_create(&thread, NULL, writer, (void *)(intptr_t)total);
	while ((count = read(ends[0], piece, sizeof(piece))) > 0) {
		for (long i = 0; i < count; i++)
			CHECK_EQUAL((unsigned char)piece[i], next++);
		seen += count;
	}
	CHECK_EQUAL(count, 0);
	CHECK_EQUAL(seen, total);
	pthread_join(thread, NULL);
	close(ends[0]);
}

/* Pieces of at most PIPE_BUF bytes from several writers do not mix. */
static void *atomic_writer(void *argument)
{
	char piece[4096];
	memset(piece, (int)(intptr_t)argument, sizeof(piece));
	for (int i = 0; i < 100; i++)
		CHECK_EQUAL(write(ends[1], piece, sizeof(piece)), (long)sizeof(piece));
	return NULL;
}

static void atomic_writes(void)
{
	pthread_t threads[3];
	char piece[4096];
	CHECK_EQUAL(pipe(ends), 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, atomic_writer, (void *)(intptr_t)('a' + i));
	for (int i = 0; i < 300; i++) {
		size_t have = 0;
		while (have < sizeof(piece)) {
			long count = read(ends[0], piece + have, sizeof(piece) - have);
			CHECK(count > 0);
			have += (size_t)count;
		}
		for (size_t at = 0; at < sizeof(piece); at++)
			CHECK_EQUAL(piece[at], piece[0]);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	close(ends[0]);
	close(ends[1]);
}

static void errors(void)
{
	char byte;
	CHECK_ERRNO(pipe((int *)8), EFAULT);
	CHECK_ERRNO(pipe2(ends, 12345), EINVAL);
	CHECK_EQUAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	CHECK_EQUAL(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(read(ends[0], &byte, 1), EAGAIN);
	CHECK_EQUAL(read(ends[0], &byte, 0), 0);
	CHECK_ERRNO(write(ends[0], &byte, 1), EBADF);
	CHECK_ERRNO(read(ends[1], &byte, 1), EBADF);
	CHECK_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(pread(ends[0], &byte, 1, 0), ESPIPE);
	CHECK_ERRNO(ftruncate(ends[1], 0), EINVAL);
	CHECK_ERRNO(write(ends[1], (void *)8, 5), EFAULT);
	int available;
	CHECK_EQUAL(write(ends[1], "abc", 3), 3);
	CHECK_EQUAL(ioctl(ends[0], FIONREAD, &available), 0);
	CHECK_EQUAL(available, 3);
	CHECK_EQUAL(fcntl(ends[1], F_GETPIPE_SZ), 65536);
	CHECK_EQUAL(fcntl(ends[1], F_SETPIPE_SZ, 200000), 262144);
	struct stat info;
	CHECK_EQUAL(fstat(ends[0], &info), 0);
	CHECK(S_ISFIFO(info.st_mode));
	close(ends[1]);
	CHECK_EQUAL(read(ends[0], &byte, 1), 1); /* what was written is still read */
	struct pollfd poller = {.fd = ends[0], .events = POLLIN};
	CHECK_EQUAL(poll(&poller, 1, 0), 1);
	CHECK_EQUAL(poller.revents, POLLIN | POLLHUP);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_EQUAL(pipe(ends), 0);
	close(ends[0]);
	CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
	CHECK_EQUAL(poll(&(struct pollfd){.fd = ends[1], .events = POLLOUT}, 1, 0), 1);
	close(ends[1]);
}

static void between(void)
{
	char buffer[64] = {0};
	int other[2];
	int file = open("source", O_CREAT | O_TRUNC | O_RDWR, 0600);
	CHECK_EQUAL(write(file, "0123456789", 10), 10);
	CHECK_EQUAL(pipe(ends), 0);
	CHECK_EQUAL(pipe(other), 0);
	off_t offset = 2;
	CHECK_EQUAL(sendfile(ends[1], file, &offset, 5), 5);
	CHECK_EQUAL(offset, 7);
	CHECK_EQUAL(splice(ends[0], NULL, other[1], NULL, 3, 0), 3);
	CHECK_EQUAL(read(other[0], buffer, 64), 3);
	CHECK_EQUAL(memcmp(buffer, "234", 3), 0);
	CHECK_EQUAL(read(ends[0], buffer, 64), 2);
	CHECK_ERRNO(splice(file, NULL, file, NULL, 3, 0), EINVAL);
	struct iovec pieces[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
	CHECK_EQUAL(writev(ends[1], pieces, 3), 5);
	CHECK_EQUAL(read(ends[0], buffer, 64), 5);
	CHECK_EQUAL(memcmp(buffer, "abcde", 5), 0);
	int copy = open("copy", O_CREAT | O_TRUNC | O_RDWR, 0600);
	off_t from = 0;
	long copied = copy_file_range(file, &from, copy, NULL, 10, 0);
	CHECK(copied == 10 || errno == ENOSYS || errno == EXDEV || errno == EOPNOTSUPP);
	close(copy), close(file);
	close(ends[0]), close(ends[1]), close(other[0]), close(other[1]);
	CHECK_EQUAL(unlink("source"), 0);
	CHECK_EQUAL(unlink("copy"), 0);
	/* a FIFO in the file system */
	CHECK_EQUAL(mkfifo("fifo", 0600), 0);
	CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer_end = open("fifo", O_WRONLY);
	CHECK(reader >= 0 && writer_end >= 0);
	CHECK_EQUAL(write(writer_end, "f", 1), 1);
	CHECK_EQUAL(read(reader, buffer, 1), 1);
	close(reader), close(writer_end);
	CHECK_EQUAL(unlink("fifo"), 0);
}

int main(void)
{
	transfer();
	atomic_writes();
	errors();
	between();
	return ok();
}
