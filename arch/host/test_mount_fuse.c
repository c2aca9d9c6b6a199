/* See test_mount.h: the FUSE client on the monitor's own server, on a directory of the host. */
#include "arch/host/test_mount.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_threads.h"
#include "kernel/fs/fuse/fuse.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"
#include "kernel/mm/heap.h"
#include "monitor/fs_server.h"

#define DESCRIPTORS 900

const unsigned test_mount_modes = 01777; /* files of the host get no set-id bits */
const bool test_mount_is_whole = false;
const bool test_mount_counts_blocks = false;

static struct fs_server server;
static struct file_system *fs;
static char directory[] = "/dev/shm/burrow-fuse-XXXXXX";

static void add(struct ring_request *request, const struct fuse_segment *segments, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		request->parts[request->read_count + request->write_count + i] = (struct iovec){
			platform_phys_to_virt(segments[i].memory), segments[i].bytes};
}

static size_t total(const struct fuse_segment *segments, uint32_t count)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += segments[i].bytes;
	return bytes;
}

static void submit(struct fuse_transport *transport, struct fuse_message *message)
{
	struct ring_request request = {0};

	(void)transport;
	add(&request, message->request, message->request_count);
	request.read_count = message->request_count;
	add(&request, message->reply, message->reply_count);
	request.write_count = message->reply_count;
	request.read_bytes = total(message->request, message->request_count);
	request.write_bytes = total(message->reply, message->reply_count);
	message->replied = fs_serve(&server, &request, true);
	message->done(message);
}

static const struct fuse_transport_ops ops = {.submit = submit};
static struct fuse_transport transport = {&ops, 16};

/* Time passes, and the kernel's threads work. */
static void sleep_hook(uint64_t deadline_ns)
{
	if (deadline_ns == UINT64_MAX)
		abort(); /* the test would hang */
	write_back_old(UINT64_MAX);
	reclaim_pages(64);
	fake_now_ns = deadline_ns;
}

void test_mount_start(const char *path)
{
	struct vnode *root;

	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (!mkdtemp(directory) || !fs_server_init(&server, open(directory, O_RDONLY | O_DIRECTORY),
					   false, DESCRIPTORS))
		abort();
	fake_sleep_hook = sleep_hook;
	if (fuse_open(&transport, false, &fs, &root) != 0 ||
		vfs_mount(path, "share", fs, root) != 0)
		abort();
}

void test_mount_finish(void)
{
	char command[96];

	vfs_unmount_all();
	reclaim_pages(0);
	mount_teardown();
	heap_free(fs->data);
	fs_server_destroy(&server);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command) != 0)
		abort();
}

void test_mount_shake(unsigned random)
{
	switch (random & 15) {
	case 0:
		vfs_sync(NULL, true);
		while (tree_forget_names(1000000) > 0)
			;
		reclaim_pages(1000000);
		break;
	case 1:
		fake_now_ns += 2000000000; /* what the server said is old */
		break;
	case 2:
		write_back_old(UINT64_MAX);
		break;
	case 3:
		reclaim_pages(random >> 4 & 63);
		break;
	case 4:
		tree_forget_names(random >> 4 & 15);
		break;
	default:
		break;
	}
}
