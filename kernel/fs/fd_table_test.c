/* The table of descriptors against a model, and lookups while others close. */
#include "arch/host/fake_tree.h"
#include "kernel/fs/file.h"
#include "kernel/rlimit.h"
#include "abi/linux/errno.h"
#include "lib/test.h"

#include <pthread.h>

TEST_DEFINE_MAIN

static unsigned live;

static void release(struct file *file)
{
	(void)file;
	__atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
}

static const struct file_ops ops = {.kind = "test", .release = release};

static struct file *make(void)
{
	__atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
	return file_create(&ops, 2, NULL);
}

TEST(lowest_number_first)
{
	fake_tree_start(64 << 20);
	for (int i = 0; i < 700; i++)
		CHECK_EQUAL(fd_install(make(), 0, false), i);
	CHECK_EQUAL(fd_close(65), 0);
	CHECK_EQUAL(fd_close(3), 0);
	CHECK_EQUAL(fd_close(3), -LINUX_EBADF);
	CHECK_EQUAL(fd_install(make(), 4, false), 65);
	CHECK_EQUAL(fd_install(make(), 0, true), 3);
	CHECK_EQUAL(fd_install(make(), 0, false), 700);
	CHECK_EQUAL(fd_get_flags(3), 1);
	CHECK_EQUAL(fd_count(), 701);
	CHECK_EQUAL(live, 701);
	fake_tree_finish();
	CHECK_EQUAL(live, 0);
}

TEST(limits_and_bad_numbers)
{
	struct file *file = make();

	fake_tree_start(64 << 20);
	CHECK_EQUAL(fd_install(file, (int)rlimit_nofile(), false), -LINUX_EMFILE);
	CHECK_EQUAL(fd_install(file, -1, false), -LINUX_EMFILE);
	CHECK_EQUAL(fd_install_at(file, -1, false), -LINUX_EBADF);
	CHECK_EQUAL(fd_install_at(file, (int)rlimit_nofile(), false), -LINUX_EBADF);
	CHECK_EQUAL(fd_install_at(file, 900, false), 900);
	CHECK_EQUAL(fd_install_at(make(), 900, false), 900);
	CHECK_EQUAL(live, 1);
	CHECK_EQUAL(fd_next_open(0), 900);
	CHECK_EQUAL(fd_next_open(901), -1);
	CHECK(fd_get(-1) == NULL && fd_get(INT32_MAX) == NULL && fd_get(899) == NULL);
	CHECK_EQUAL(fd_close(-5), -LINUX_EBADF);
	CHECK_EQUAL(fd_get_flags(-5), -LINUX_EBADF);
	CHECK_EQUAL(fd_set_flags(899, 1), -LINUX_EBADF);
	CHECK_EQUAL(fd_close_range(5, 4, false), -LINUX_EINVAL);
	fake_tree_finish();
}

TEST(agrees_with_a_model)
{
	static uint8_t model[1024]; /* 0 free, 1 open, 3 close on exec */

	fake_tree_start(64 << 20);
	srandom(7);
	for (int step = 0; step < 100000; step++) {
		int fd = (int)(random() % 1024), expected = -1;

		switch (random() % 5) {
		case 0:
		case 1: {
			struct file *file = make();

			for (int i = fd; i < 1024 && expected < 0; i++)
				expected = model[i] ? -1 : i;
			if (expected < 0)
				expected = -LINUX_EMFILE;
			CHECK_EQUAL(fd_install(file, fd, fd & 1), expected);
			if (expected < 0)
				file_release(file);
			else
				model[expected] = fd & 1 ? 3 : 1;
			break;
		}
		case 2:
			CHECK_EQUAL(fd_close(fd), model[fd] ? 0 : -LINUX_EBADF);
			model[fd] = 0;
			break;
		case 3:
			CHECK_EQUAL(fd_close_range((unsigned)fd, (unsigned)fd + 3, false), 0);
			for (int i = fd; i < MIN(fd + 4, 1024); i++)
				model[i] = 0;
			break;
		default:
			CHECK_EQUAL(fd_get_flags(fd), model[fd] ? model[fd] >> 1 : -LINUX_EBADF);
		}
	}
	fake_tree_finish();
	CHECK_EQUAL(live, 0);
}

static bool stop;

static void *look_up(void *argument)
{
	unsigned found = 0;

	(void)argument;
	while (!READ_ONCE(stop)) {
		struct file *file = fd_get(5);

		if (!file)
			continue;
		CHECK(file->ops == &ops);
		file_release(file);
		found++;
	}
	return (void *)(uintptr_t)found;
}

TEST(lookups_while_another_closes)
{
	pthread_t thread;
	void *found;

	fake_tree_start(64 << 20);
	CHECK_EQUAL(pthread_create(&thread, NULL, look_up, NULL), 0);
	for (int i = 0; i < 300000; i++) {
		CHECK_EQUAL(fd_install(make(), 5, false), 5);
		CHECK_EQUAL(fd_close(5), 0);
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, &found);
	CHECK_EQUAL(live, 0);
	fake_tree_finish();
}
