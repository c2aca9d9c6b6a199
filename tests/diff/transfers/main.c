/* splice, tee, vmsplice, sendfile, packets and FIFOs: who may give what to whom. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "check/trace.h"

static char page[65536];

static void make_pipe(int ends[2], int flags)
{
	if (pipe2(ends, flags))
		abort();
}

static int file_with(const char *text)
{
	int fd = open("transfer", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

static void show(const char *name, int fd)
{
	char text[64] = {0};
	long count = read(fd, text, sizeof(text) - 1);
	printf("%s: %s %s\n", name, count < 0 ? error_name(errno) : "has", text);
}

static void splices(void)
{
	int a[2], b[2], file = file_with("0123456789");
	long at;
	make_pipe(a, O_NONBLOCK);
	make_pipe(b, O_NONBLOCK);
	TRY(syscall(SYS_splice, a[0], NULL, b[1], NULL, 10, 0));
	TRY(write(a[1], "abcdef", 6));
	TRY(syscall(SYS_splice, a[0], NULL, b[1], NULL, 4, 0));
	show("spliced", b[0]);
	show("left", a[0]);
	TRY(syscall(SYS_splice, file, NULL, a[1], NULL, 4, 0));
	show("from file", a[0]);
	at = 7;
	TRY(syscall(SYS_splice, file, &at, a[1], NULL, 100, 0));
	TRY(at);
	show("from file at 7", a[0]);
	TRY(syscall(SYS_splice, file, &at, a[1], NULL, 100, 0));
	TRY(lseek(file, 0, SEEK_CUR));
	TRY(write(a[1], "XY", 2));
	at = 2;
	TRY(syscall(SYS_splice, a[0], NULL, file, &at, 100, 0));
	TRY(at);
	TRY(pread(file, page, 20, 0));
	printf("file: %.10s\n", page);
	TRY(write(a[1], "Z", 1));
	TRY(syscall(SYS_splice, a[0], &at, file, NULL, 1, 0));
	TRY(syscall(SYS_splice, file, NULL, a[1], &at, 1, 0));
	at = -1;
	TRY(syscall(SYS_splice, file, &at, a[1], NULL, 1, 0));
	TRY(syscall(SYS_splice, file, (void *)8, a[1], NULL, 1, 0));
	TRY(syscall(SYS_splice, a[0], NULL, a[1], NULL, 1, 0));
	TRY(syscall(SYS_splice, a[1], NULL, b[1], NULL, 1, 0));
	TRY(syscall(SYS_splice, a[0], NULL, b[0], NULL, 1, 0));
	TRY(syscall(SYS_splice, file, NULL, file, NULL, 1, 0));
	TRY(syscall(SYS_splice, 99, NULL, file, NULL, 1, 0));
	TRY(syscall(SYS_splice, a[0], NULL, 99, NULL, 1, 0));
	TRY(syscall(SYS_splice, a[0], NULL, b[1], NULL, 1, 16));
	TRY(syscall(SYS_splice, a[0], NULL, b[1], NULL, 0, 0));
	TRY(fcntl(file, F_SETFL, O_APPEND));
	TRY(syscall(SYS_splice, a[0], NULL, file, NULL, 1, 0));
	close(b[0]);
	TRY(syscall(SYS_splice, a[0], NULL, b[1], NULL, 1, 0));
	close(a[1]);
	show("the rest", a[0]);
	TRY(syscall(SYS_splice, a[0], NULL, file, NULL, 1, 0));
	close(a[0]);
	close(b[1]);
	close(file);
}

static void tees(void)
{
	int a[2], b[2], file = file_with("abc");
	make_pipe(a, O_NONBLOCK);
	make_pipe(b, O_NONBLOCK);
	TRY(syscall(SYS_tee, a[0], b[1], 10, 0));
	TRY(write(a[1], "abcdef", 6));
	TRY(syscall(SYS_tee, a[0], b[1], 4, 0));
	show("copy", b[0]);
	TRY(syscall(SYS_tee, a[0], b[1], 100, 0));
	show("copy", b[0]);
	show("original", a[0]);
	TRY(syscall(SYS_tee, a[0], a[1], 1, 0));
	TRY(syscall(SYS_tee, a[1], b[1], 1, 0));
	TRY(syscall(SYS_tee, a[0], b[0], 1, 0));
	TRY(syscall(SYS_tee, file, b[1], 1, 0));
	TRY(syscall(SYS_tee, a[0], file, 1, 0));
	TRY(syscall(SYS_tee, a[0], b[1], 1, 16));
	TRY(syscall(SYS_tee, a[0], b[1], 0, 0));
	TRY(syscall(SYS_tee, 99, b[1], 1, 0));
	close(a[1]);
	TRY(syscall(SYS_tee, a[0], b[1], 1, 0));
	close(a[0]);
	close(b[0]);
	close(b[1]);
	close(file);
}

static void vmsplices(void)
{
	struct iovec pieces[2] = {{(char *)"abc", 3}, {(char *)"defg", 4}};
	int a[2], file = file_with("abc");
	make_pipe(a, 0);
	TRY(syscall(SYS_vmsplice, a[1], pieces, 2, 0));
	show("from memory", a[0]);
	TRY(syscall(SYS_vmsplice, a[1], pieces, 0, 0));
	TRY(syscall(SYS_vmsplice, a[1], pieces, 2000, 0));
	TRY(syscall(SYS_vmsplice, a[1], (void *)8, 1, 0));
	TRY(syscall(SYS_vmsplice, a[0], pieces, 2, SPLICE_F_NONBLOCK));
	TRY(syscall(SYS_vmsplice, file, pieces, 2, 0));
	TRY(syscall(SYS_vmsplice, 99, pieces, 2, 0));
	TRY(syscall(SYS_vmsplice, a[1], pieces, 2, 16));
	TRY(write(a[1], "12345", 5));
	char text[8] = {0};
	pieces[0] = (struct iovec){text, 2};
	pieces[1] = (struct iovec){text + 2, 5};
	TRY(syscall(SYS_vmsplice, a[0], pieces, 2, 0));
	printf("to memory: %s\n", text);
	close(a[0]);
	TRY(syscall(SYS_vmsplice, a[1], pieces, 1, 0));
	close(a[1]);
	close(file);
}

static void sendfiles(void)
{
	int a[2], file = file_with("0123456789"), other;
	long at = 3;
	make_pipe(a, O_NONBLOCK);
	other = open("receiver", O_RDWR | O_CREAT | O_TRUNC, 0600);
	TRY(syscall(SYS_sendfile, a[1], file, NULL, 4));
	show("sent", a[0]);
	TRY(syscall(SYS_sendfile, a[1], file, &at, 4));
	TRY(at);
	show("sent from 3", a[0]);
	TRY(lseek(file, 0, SEEK_CUR));
	TRY(syscall(SYS_sendfile, other, file, NULL, 1000));
	TRY(syscall(SYS_sendfile, other, file, NULL, 1000));
	TRY(lseek(other, 0, SEEK_CUR));
	TRY(syscall(SYS_sendfile, a[1], file, NULL, 0));
	TRY(syscall(SYS_sendfile, file, a[0], NULL, 1));
	TRY(syscall(SYS_sendfile, file, a[0], &at, 1));
	TRY(syscall(SYS_sendfile, a[0], file, NULL, 1));
	TRY(syscall(SYS_sendfile, 99, file, NULL, 1));
	TRY(syscall(SYS_sendfile, a[1], 99, NULL, 1));
	TRY(syscall(SYS_sendfile, a[1], file, (void *)8, 1));
	at = -1;
	TRY(syscall(SYS_sendfile, a[1], file, &at, 1));
	TRY(fcntl(other, F_SETFL, O_APPEND));
	at = 0;
	TRY(syscall(SYS_sendfile, other, file, &at, 1));
	int event = eventfd(1, O_NONBLOCK);
	TRY(syscall(SYS_sendfile, a[1], event, NULL, 8));
	close(a[0]);
	TRY(syscall(SYS_sendfile, a[1], file, &at, 1));
	close(a[1]);
	close(event);
	close(file);
	close(other);
}

static void packets(void)
{
	int a[2], count;
	make_pipe(a, O_NONBLOCK | O_DIRECT);
	TRY(write(a[1], "abcdef", 6));
	TRY(write(a[1], "gh", 2));
	TRY(ioctl(a[0], FIONREAD, &count));
	TRY(count);
	TRY(read(a[0], page, 4));
	TRY(read(a[0], page, 4));
	TRY(read(a[0], page, 4));
	TRY(write(a[1], page, 5000));
	TRY(read(a[0], page, sizeof(page)));
	TRY(read(a[0], page, sizeof(page)));
	TRY(write(a[1], page, sizeof(page)));
	TRY(write(a[1], "x", 1));
	TRY(read(a[0], page, 1));
	TRY(write(a[1], "x", 1));
	TRY(fcntl(a[1], F_SETFL, O_NONBLOCK));
	TRY(fcntl(a[1], F_GETFL));
	close(a[0]);
	close(a[1]);
}

static void sizes(void)
{
	int a[2];
	make_pipe(a, O_NONBLOCK);
	TRY(fcntl(a[0], F_GETPIPE_SZ));
	TRY(fcntl(a[1], F_SETPIPE_SZ, 0));
	TRY(write(a[1], page, 5000));
	TRY(fcntl(a[1], F_SETPIPE_SZ, 4097));
	TRY(write(a[1], page, 5000));
	TRY(fcntl(a[1], F_SETPIPE_SZ, 4096));
	TRY(fcntl(a[1], F_SETPIPE_SZ, 1 << 20));
	TRY(fcntl(a[1], F_SETPIPE_SZ, -1));
	TRY(fcntl(0, F_GETPIPE_SZ) >= -1);
	close(a[0]);
	TRY(write(a[1], page, 0));
	TRY(write(a[1], page, 1));
	close(a[1]);
	int event = eventfd(0, 0);
	TRY(fcntl(event, F_GETPIPE_SZ));
	close(event);
	TRY(syscall(SYS_pipe2, a, O_APPEND));
	TRY(syscall(SYS_pipe2, (void *)8, 0));
	TRY(syscall(SYS_pipe2, a, O_CLOEXEC));
	TRY(fcntl(a[0], F_GETFD));
	TRY(fcntl(a[0], F_GETFL));
	TRY(fcntl(a[1], F_GETFL));
	close(a[0]);
	close(a[1]);
}

static void state(const char *name, int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};
	poll(&poller, 1, 0);
	printf("%s: %#x\n", name, (unsigned)poller.revents);
}

static void fifos(void)
{
	TRY(mkfifo("fifo", 0600));
	TRY(open("fifo", O_WRONLY | O_NONBLOCK));
	int in = open("fifo", O_RDONLY | O_NONBLOCK);
	state("reader alone", in);
	TRY(read(in, page, 1));
	int out = open("fifo", O_WRONLY);
	state("reader", in);
	state("writer", out);
	TRY(read(in, page, 1));
	TRY(write(out, "abc", 3));
	state("reader with bytes", in);
	TRY(close(out));
	state("reader without writer", in);
	TRY(read(in, page, 10));
	TRY(read(in, page, 10));
	state("reader at the end", in);
	out = open("fifo", O_RDWR | O_NONBLOCK);
	state("reader again", in);
	state("both", out);
	TRY(write(out, "de", 2));
	TRY(read(out, page, 10));
	TRY(read(out, page, 10));
	TRY(lseek(out, 0, SEEK_SET));
	struct stat status;
	TRY(fstat(out, &status));
	printf("mode %o\n", status.st_mode);
	close(in);
	TRY(write(out, "f", 1));
	close(out);
	in = open("fifo", O_RDONLY | O_NONBLOCK);
	TRY(read(in, page, 10)); /* what nobody read is gone */
	close(in);
	TRY(unlink("fifo"));
}

/* A pipe opened by its descriptor is another description of the same pipe. */
static void reopened(void)
{
	char path[32];
	int a[2];
	make_pipe(a, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", a[0]);
	int in = (int)TRY(open(path, O_RDONLY | O_NONBLOCK));
	int out = (int)TRY(open(path, O_WRONLY));
	TRY(fcntl(a[0], F_GETFL));
	TRY(fcntl(in, F_GETFL) & O_NONBLOCK);
	TRY(write(out, "abc", 3));
	TRY(read(in, page, 2));
	TRY(read(a[0], page, 2));
	close(a[1]);
	state("one writer left", in);
	close(out);
	state("none", in);
	close(a[0]);
	TRY(open(path, O_RDONLY));
	close(in);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	splices();
	tees();
	vmsplices();
	sendfiles();
	packets();
	sizes();
	fifos();
	reopened();
	unlink("transfer");
	unlink("receiver");
	return 0;
}
