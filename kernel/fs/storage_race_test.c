/*
 * Files on storage on a machine of several vcpus (arch/host/fake_machine.h), with the kernel's
 * own threads, little memory and a disk that takes its time: what one thread wrote it reads
 * back, whatever the others write to the same pages, sync, forget, rename or cut off.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_machine.h"
#include "arch/host/fake_memory.h"
#include "arch/host/toy_storage.h"
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/memfs.h"
#include "kernel/fs/mount.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/sched/clock.h"
#include "lib/test.h"

TEST_DEFINE_MAIN

#define CPUS         3
#define WORKERS      4
#define MEMORY_BYTES (6ull << 20)
#define FILE_BYTES   (8ull << 20)
#define GRAIN        512u /* bytes that belong to one worker */
#define GRAINS       (FILE_BYTES / GRAIN)

static struct {
	uint32_t steps;
	uint32_t running;
	bool stop;
	uint16_t versions[GRAINS]; /* what the owner wrote last */
} race;

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 16;
}

static uint64_t big_random(unsigned *state)
{
	return (uint64_t)next_random(state) << 15 ^ next_random(state);
}

static struct file *open_file(const char *path, uint32_t flags)
{
	struct file *file;

	CHECK_EQUAL(vfs_open(LINUX_AT_FDCWD, path, flags, 0644, 0, &file), 0);
	return file;
}

static long move(struct file *file, bool write, void *buffer, size_t bytes, uint64_t offset)
{
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	return write ? file->ops->write(file, &uio, &offset) : file->ops->read(file, &uio, &offset);
}

/* The disk: transfers complete some time after they began, not in order. */
static void serve_disk(void *argument)
{
	unsigned state = 7;

	(void)argument;
	toy_storage.defer = true;
	while (!READ_ONCE(race.stop)) {
		thread_sleep(clock_monotonic_ns() + 20000 + next_random(&state) * 4);
		toy_storage_complete();
	}
	toy_storage.defer = false;
	toy_storage_complete();
	__atomic_sub_fetch(&race.running, 1, __ATOMIC_SEQ_CST);
}

static void expect(uint8_t *grain, uint64_t index, uint16_t version)
{
	for (uint32_t i = 0; i < GRAIN; i += 8) {
		uint64_t word = version ? index * 1000003 + version * 77u + i : 0;

		if (memcmp(grain + i, &word, 8) != 0) {
			fprintf(stderr, "grain %llu at %u is not of version %u\n",
				(unsigned long long)index, i, version);
			abort();
		}
	}
}

static void fill(uint8_t *grain, uint64_t index, uint16_t version)
{
	for (uint32_t i = 0; i < GRAIN; i += 8) {
		uint64_t word = index * 1000003 + version * 77u + i;

		memcpy(grain + i, &word, 8);
	}
}

/* Grains are owned in turn, so that all share each page. */
static void use_grains(void *argument)
{
	unsigned self = (unsigned)(uintptr_t)argument, state = self * 99 + 1;
	struct file *file = open_file("/data/shared", LINUX_O_RDWR | LINUX_O_CREAT);
	struct storage_node *node = storage_node_of(file->vnode);
	static uint8_t buffers[WORKERS][GRAIN];
	uint8_t *buffer = buffers[self];

	for (uint32_t step = 0; step < race.steps; step++) {
		uint64_t index = big_random(&state) % (GRAINS / WORKERS) * WORKERS + self;
		unsigned choice = next_random(&state) % 100;

		if (step % 64 < 32) /* some places are busier */
			index = index % (64 * WORKERS);
		if (choice < 50) {
			uint16_t version = (uint16_t)(race.versions[index] % 60000 + 1);

			fill(buffer, index, version);
			CHECK_EQUAL(move(file, true, buffer, GRAIN, index * GRAIN), GRAIN);
			race.versions[index] = version;
		} else if (choice < 95) {
			long got = move(file, false, buffer, GRAIN, index * GRAIN);

			if (got == 0)
				memset(buffer, 0, GRAIN); /* beyond the end so far */
			else
				CHECK_EQUAL(got, GRAIN);
			expect(buffer, index, race.versions[index]);
		} else if (choice < 97) {
			CHECK_EQUAL(file->ops->sync(file, choice & 1), 0);
		} else {
			uint64_t first = big_random(&state) % 2048;

			storage_invalidate(node, first, first + 100);
		}
		fake_machine_return();
	}
	file_release(file);
	__atomic_sub_fetch(&race.running, 1, __ATOMIC_SEQ_CST);
}

/* A file that others cut off: bytes are zero or what everybody writes there. */
static void cut_and_grow(void *argument)
{
	unsigned state = (unsigned)(uintptr_t)argument + 5;
	struct file *file = open_file("/data/cut", LINUX_O_RDWR | LINUX_O_CREAT);
	uint8_t *buffer = malloc(20000);

	for (uint32_t step = 0; step < race.steps; step++) {
		uint64_t offset = big_random(&state) % 300000;
		size_t bytes = next_random(&state) % 20000 + 1;
		unsigned choice = next_random(&state) % 20;
		long got;

		if (choice < 8) {
			memset(buffer, 0x5a, bytes);
			CHECK_EQUAL(move(file, true, buffer, bytes, offset), (long)bytes);
		} else if (choice < 16) {
			got = move(file, false, buffer, bytes, offset);
			CHECK(got >= 0);
			for (long i = 0; i < got; i++)
				CHECK(buffer[i] == 0 || buffer[i] == 0x5a);
		} else if (choice < 18) {
			CHECK_EQUAL(file->ops->truncate(file, offset), 0);
		} else if (choice < 19) {
			CHECK_EQUAL(file->ops->allocate(file, 3, offset, bytes), 0);
		} else {
			CHECK_EQUAL(file->ops->sync(file, true), 0);
		}
		fake_machine_return();
	}
	free(buffer);
	file_release(file);
	__atomic_sub_fetch(&race.running, 1, __ATOMIC_SEQ_CST);
}

static bool may_be(long error, const int *allowed, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (error == -allowed[i])
			return true;
	}
	return error >= 0;
}

/* Names come and go; only the usual errors are seen. */
static void change_names(void *argument)
{
	static const int errors[] = {LINUX_ENOENT, LINUX_EEXIST, LINUX_ENOTDIR, LINUX_EISDIR,
		LINUX_ENOTEMPTY, LINUX_EINVAL};
	unsigned state = (unsigned)(uintptr_t)argument + 77;
	char a[32] = "/data/names/0/0", b[32] = "/data/names/0/0";

	for (uint32_t step = 0; step < race.steps; step++) {
		struct linux_stat stat;
		struct file *file;
		long result = 0;

		a[12] = (char)('0' + next_random(&state) % 3);
		a[13] = next_random(&state) % 3 ? '/' : 0;
		a[14] = (char)('0' + next_random(&state) % 4);
		b[12] = (char)('0' + next_random(&state) % 3);
		b[13] = next_random(&state) % 3 ? '/' : 0;
		b[14] = (char)('0' + next_random(&state) % 4);
		switch (next_random(&state) % 8) {
		case 0:
			result = vfs_mkdir(LINUX_AT_FDCWD, a, 0755);
			break;
		case 1:
			result = vfs_unlink(LINUX_AT_FDCWD, a, next_random(&state) & 1);
			break;
		case 2:
			result = vfs_rename(LINUX_AT_FDCWD, a, LINUX_AT_FDCWD, b, 0);
			break;
		case 3:
		case 4:
			result = vfs_open(
				LINUX_AT_FDCWD, a, LINUX_O_RDWR | LINUX_O_CREAT, 0644, 0, &file);
			if (result == 0) {
				CHECK_EQUAL(move(file, true, a, sizeof(a), 5000), sizeof(a));
				file_release(file);
			}
			break;
		case 5:
			tree_forget_names(4);
			break;
		default:
			result = vfs_stat(LINUX_AT_FDCWD, a, 0, &stat);
		}
		CHECK(may_be(result, errors, ARRAY_SIZE(errors)));
		fake_machine_return();
	}
	__atomic_sub_fetch(&race.running, 1, __ATOMIC_SEQ_CST);
}

static void start_tree(void)
{
	struct vnode *root;

	CHECK_EQUAL(memfs_init(), 0);
	root = memfs_new_directory(&memfs_root, 0755);
	CHECK(root != NULL && tree_init(root) == 0);
	vnode_release(root);
	toy_storage_start("/data", 40000);
	CHECK_EQUAL(vfs_mkdir(LINUX_AT_FDCWD, "/data/names", 0755), 0);
}

static void check_grains(void)
{
	struct file *file = open_file("/data/shared", LINUX_O_RDWR);
	uint8_t buffer[GRAIN];

	for (uint64_t index = 0; index < GRAINS; index++) {
		long got = move(file, false, buffer, GRAIN, index * GRAIN);

		if (got == 0)
			memset(buffer, 0, GRAIN);
		expect(buffer, index, race.versions[index]);
	}
	file_release(file);
}

static void run_all(void *argument)
{
	static void (*const parts[])(void *) = {use_grains, cut_and_grow, change_names};
	struct thread *threads[16];
	unsigned count = 0;

	(void)argument;
	start_tree();
	threads[count++] = fake_machine_spawn(serve_disk, NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		threads[count++] = fake_machine_spawn(use_grains, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < 2; i++) {
		threads[count++] = fake_machine_spawn(parts[1], (void *)(uintptr_t)i);
		threads[count++] = fake_machine_spawn(parts[2], (void *)(uintptr_t)i);
	}
	race.running = count;
	while (__atomic_load_n(&race.running, __ATOMIC_SEQ_CST) > 1) {
		thread_sleep(clock_monotonic_ns() + 50000000);
		CHECK_EQUAL(vfs_sync(NULL, true), 0);
	}
	race.stop = true;
	for (unsigned i = 0; i < count; i++)
		fake_machine_join(threads[i]);
	check_grains();
	CHECK_EQUAL(vfs_sync(NULL, true), 0);
	toy_storage_forget_cached();
	check_grains();
}

TEST(everybody_reads_what_they_wrote)
{
	const char *steps = getenv("RACE_STEPS");

	race.steps = steps ? (uint32_t)strtoul(steps, NULL, 0) : 3000;
	fake_memory_start(0x200000, MEMORY_BYTES, true);
	fake_machine_start(CPUS);
	fake_machine_run(run_all, NULL);
	fprintf(stderr, "%llu reads of %llu pages, %llu writes of %llu pages\n",
		(unsigned long long)toy_storage.reads, (unsigned long long)toy_storage.read_pages,
		(unsigned long long)toy_storage.writes,
		(unsigned long long)toy_storage.written_pages);
}
