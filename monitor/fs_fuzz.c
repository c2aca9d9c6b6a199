/*
 * Fuzzes the FUSE server: the input is a row of requests, each one byte of length in units of
 * eight bytes, one of how it lies in buffers, and that many bytes. They work on a directory with
 * a file, a directory and a link that leads out; nothing outside may change, nothing may leak.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monitor/fs_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define REPLY_BYTES 4096
#define FILE_BYTES  (1u << 20)

static char path[] = "/tmp/burrow-fs-fuzz-XXXXXX";

static void clear(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", path);
	if (system(command) != 0)
		abort();
}

static void set_up(void)
{
	struct rlimit limit = {FILE_BYTES, FILE_BYTES};

	if (path[sizeof(path) - 2] != 'X')
		return;
	if (!mkdtemp(path))
		abort();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	atexit(clear);
}

static int open_root(void)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		abort();
	mkdirat(fd, "d", 0755);
	if (mknodat(fd, "f", S_IFREG | 0644, 0) != 0 && errno != EEXIST)
		abort();
	if (symlinkat("/etc/passwd", fd, "l") != 0 && errno != EEXIST)
		abort();
	return fd;
}

static void serve(struct fs_server *server, const uint8_t *data, size_t bytes, uint8_t shape)
{
	static struct ring_request request;
	uint8_t *in = malloc(bytes + 1), *out = malloc(REPLY_BYTES);
	size_t split = MIN((size_t)(shape & 15) * 8, bytes), room = (shape >> 4) * 256u;

	if (!in || !out)
		abort();
	memcpy(in, data, bytes);
	request = (struct ring_request){.read_bytes = bytes, .write_bytes = room};
	if (split)
		request.parts[request.read_count++] = (struct iovec){in, split};
	if (split < bytes)
		request.parts[request.read_count++] = (struct iovec){in + split, bytes - split};
	if (room)
		request.parts[request.read_count + request.write_count++] =
			(struct iovec){out, room};
	if (fs_serve(server, &request, false) == FS_WOULD_BLOCK)
		fs_serve(server, &request, true);
	free(in);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fs_server server;

	set_up();
	if (!fs_server_init(&server, open_root(), bytes % 16 == 0, 4))
		abort();
	while (bytes >= 2) {
		size_t length = MIN((size_t)data[0] * 8, bytes - 2);

		serve(&server, data + 2, length, data[1]);
		data += 2 + length;
		bytes -= 2 + length;
	}
	fs_server_destroy(&server);
	return 0;
}
