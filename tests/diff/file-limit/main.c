/* RLIMIT_FSIZE: what is written up to it, what fails at it, and the signal. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "check/trace.h"

static char data[20000];
static volatile int signals, sender_is_self;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	signals += number == SIGXFSZ;
	sender_is_self = info->si_code == SI_USER && info->si_pid == getpid();
}

static void show(const char *what, int fd, long result)
{
	struct stat status;
	int error = errno;
	fstat(fd, &status);
	printf("%s: %ld %s, size %ld, position %ld, signals %d %d\n", what, result,
		result < 0 ? strerror(error) : "", (long)status.st_size,
		(long)lseek(fd, 0, SEEK_CUR), signals, sender_is_self);
	signals = sender_is_self = 0;
}

static void limit(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};
	setrlimit(RLIMIT_FSIZE, &limit);
	printf("limit %ld\n", (long)bytes);
}

static void operate(int fd, int other)
{
	struct iovec parts[] = {{data, 3000}, {data, 7000}};
	limit(10000);
	show("write below", fd, write(fd, data, 9990));
	show("write across", fd, write(fd, data, 100));
	show("write at", fd, write(fd, data, 1));
	show("write nothing at", fd, write(fd, data, 0));
	show("pwrite across", fd, pwrite(fd, data, 8192, 4096));
	show("pwrite beyond", fd, pwrite(fd, data, 8192, 20480));
	show("grow to", fd, ftruncate(fd, 10000));
	show("grow beyond", fd, ftruncate(fd, 10001));
	show("shrink", fd, ftruncate(fd, 5000));
	lseek(fd, 4000, SEEK_SET);
	show("writev across", fd, writev(fd, parts, 2));
	show("fallocate to", fd, fallocate(fd, 0, 0, 10000));
	show("fallocate beyond", fd, fallocate(fd, 0, 9000, 1001));
	show("fallocate keeping size", fd, fallocate(fd, FALLOC_FL_KEEP_SIZE, 9000, 1001));
	limit(100);
	show("write below, of a larger file", fd, pwrite(fd, data, 200, 50));
	show("write beyond, inside the file", fd, pwrite(fd, data, 200, 5000));
	show("shrink to above", fd, ftruncate(fd, 9000));
	lseek(other, 0, SEEK_SET);
	lseek(fd, 100, SEEK_SET);
	show("sendfile at", fd, sendfile(fd, other, NULL, 50));
	limit(RLIM_INFINITY);
	show("no limit", fd, pwrite(fd, data, 8192, 20480));
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	int source = open("source", O_RDWR | O_CREAT | O_TRUNC, 0600);
	sigaction(SIGXFSZ, &action, NULL);
	show("source", source, write(source, data, sizeof(data)));
	operate(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), source);
	operate(memfd_create("m", 0), source);
	limit(5000);
	int appending = open("append", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	show("append across", appending, write(appending, data, 6000));
	show("append at", appending, pwrite(appending, data, 10, 0));
	show("truncate by name", appending, truncate("append", 6000));
	unlink("source");
	unlink("file");
	unlink("append");
	return 0;
}
