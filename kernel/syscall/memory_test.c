/*
 * The memory system calls against the Linux this test runs on: the same random calls
 * on the same addresses, whose results must be the same. (Linux 6.x as root or not.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/linux/errno.h"
#include "abi/linux/mman.h"
#include "arch/host/fake_memory.h"
#include "arch/host/fake_page_table.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/syscall/prototypes.h"
#include "lib/test.h"

#define ARENA       0x200000000000ull /* free on the host, also under the sanitizers */
#define ARENA_PAGES 64ull
#define ANONYMOUS   (LINUX_MAP_ANONYMOUS | LINUX_MAP_PRIVATE)

struct file *fd_get(int fd)
{
	(void)fd;
	return NULL;
}

void file_release(struct file *file)
{
	(void)file;
	abort();
}

static uint8_t copied[4096];

int user_copy_out(uintptr_t dst, const void *src, size_t bytes)
{
	if (dst < (uintptr_t)copied || dst + bytes > (uintptr_t)copied + sizeof(copied))
		return -LINUX_EFAULT;
	memcpy((void *)dst, src, bytes);
	return 0;
}

static long host(
	long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result == -1 ? -errno : result;
}

static uint64_t random_of(const uint64_t *values, size_t count)
{
	return values[(size_t)random() % count];
}

static uint64_t random_address(void)
{
	static const uint64_t odd[] = {0, 1, 0x1000, UINT64_MAX, UINT64_MAX - 4095, 0x7ffffffff000,
		0x7fffffffe000, 0x800000000000, 0xffff800000000000, ARENA + 1, ARENA + 4095};

	if (random() % 12 == 0)
		return random_of(odd, ARRAY_SIZE(odd));
	return ARENA + (uint64_t)random() % ARENA_PAGES * 4096;
}

static uint64_t random_bytes_of_range(void)
{
	static const uint64_t odd[] = {0, 1, 4095, 4097, UINT64_MAX, UINT64_MAX - 4094,
		0x7ffffffff000, 0x800000000000, 1ull << 63};

	if (random() % 8 == 0)
		return random_of(odd, ARRAY_SIZE(odd));
	return (1 + (uint64_t)random() % 12) * 4096;
}

static uint64_t random_protection(void)
{
	static const uint64_t values[] = {0, 1, 3, 3, 3, 2, 4, 5};

	return random_of(values, ARRAY_SIZE(values));
}

/* Addresses the kernel chose are compared only for being addresses. */
static void compare(const char *what, long ours, long theirs, const uint64_t *a)
{
	bool both_good = ours >= 0 && theirs >= 0;

	if (ours == theirs || (both_good && ours > 4095 && theirs > 4095))
		return;
	fprintf(stderr, "%s(%#lx, %#lx, %#lx, %#lx, %#lx): %ld, but Linux %ld\n", what, a[0], a[1],
		a[2], a[3], a[4], ours, theirs);
	exit(1);
}

/* Fixed or well inside the arena: what lies elsewhere differs. */
static void compare_map(void)
{
	static const uint64_t flags[] = {ANONYMOUS, ANONYMOUS, ANONYMOUS, LINUX_MAP_ANONYMOUS,
		LINUX_MAP_ANONYMOUS | LINUX_MAP_SHARED, ANONYMOUS | LINUX_MAP_GROWSDOWN * 0,
		LINUX_MAP_ANONYMOUS | LINUX_MAP_SHARED_VALIDATE, ANONYMOUS | LINUX_MAP_NORESERVE,
		ANONYMOUS | LINUX_MAP_POPULATE, LINUX_MAP_PRIVATE, LINUX_MAP_ANONYMOUS | 5};
	uint64_t a[5] = {random_address(), random_bytes_of_range(), random_protection(),
		random_of(flags, ARRAY_SIZE(flags)), random() % 10 == 0 ? 1 : 0};

	a[3] |= random() % 3 == 0 ? LINUX_MAP_FIXED_NOREPLACE : LINUX_MAP_FIXED;
	if (a[0] < 0x10000 && a[0] % 4096 == 0)
		return; /* the lowest addresses are root's on Linux, nobody's here */
	if (a[0] > UINT64_MAX - 4095)
		return; /* Linux takes the address for an error number and returns it */
	if (a[0] + ALIGN_UP(a[1], 4096) > ARENA + ARENA_PAGES * 4096 && a[0] <= 0x7fffffffe000)
		return;
	compare("mmap", sys_mmap(a[0], a[1], a[2], a[3], (uint64_t)-1, a[4]),
		host(SYS_mmap, a[0], a[1], a[2], a[3], (uint64_t)-1, a[4]), a);
}

/* Whether the host may be asked: its own mappings are elsewhere and must not be hit. */
static bool in_arena(uint64_t address, uint64_t bytes)
{
	uint64_t end = address + ALIGN_UP(bytes, 4096);

	if (end < address || bytes > UINT64_MAX - 4095)
		return true; /* an error in any case */
	if (address < ARENA)
		return end <= 0x10000;
	return end <= ARENA + ARENA_PAGES * 4096 || address >= 0x7ffffffff000;
}

static void compare_unmap(void)
{
	uint64_t a[5] = {random_address(), random_bytes_of_range()};

	if (a[0] >= 0x10000 && in_arena(a[0], a[1]))
		compare("munmap", sys_munmap(a[0], a[1]), host(SYS_munmap, a[0], a[1], 0, 0, 0, 0),
			a);
}

static void compare_protect(void)
{
	static const uint64_t odd[] = {0x100, 8, 0x01000000, 0x02000000, 0x03000000, 0x01000003};
	uint64_t a[5] = {random_address(), random_bytes_of_range(),
		random() % 10 == 0 ? random_of(odd, ARRAY_SIZE(odd)) : random_protection()};

	if (in_arena(a[0], a[1]))
		compare("mprotect", sys_mprotect(a[0], a[1], a[2]),
			host(SYS_mprotect, a[0], a[1], a[2], 0, 0, 0), a);
}

static void compare_advise(void)
{
	static const uint64_t advices[] = {0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 16,
		17, 18, 19, 20, 21, 22, 23, 24, 26, 99, UINT64_MAX};
	uint64_t a[5] = {
		random_address(), random_bytes_of_range(), random_of(advices, ARRAY_SIZE(advices))};

	if (in_arena(a[0], a[1]))
		compare("madvise", sys_madvise(a[0], a[1], a[2]),
			host(SYS_madvise, a[0], a[1], a[2], 0, 0, 0), a);
}

static void compare_sync_and_core(void)
{
	uint64_t a[5] = {random_address(), random_bytes_of_range(), (uint64_t)random() % 9};

	if (!in_arena(a[0], a[1]))
		return;
	compare("msync", sys_msync(a[0], a[1], a[2]), host(SYS_msync, a[0], a[1], a[2], 0, 0, 0),
		a);
	a[2] = random() % 5 == 0 ? 0 : (uint64_t)(uintptr_t)copied;
	if (a[1] > sizeof(copied) * 4096)
		return;
	compare("mincore", sys_mincore(a[0], a[1], a[2]),
		host(SYS_mincore, a[0], a[1], a[2], 0, 0, 0), a);
}

/* Of whole mappings that the test makes: how areas merge is not compared. */
static void compare_remap(void)
{
	static const uint64_t flags[] = {0, 1, 1, 1, 2, 3, 3, 3, 8, UINT64_MAX};
	uint64_t at = ARENA + (uint64_t)random() % 8 * 4096, pages = 1 + (uint64_t)random() % 8;
	uint64_t a[5] = {at, pages * 4096, random_bytes_of_range(),
		random_of(flags, ARRAY_SIZE(flags)),
		random() % 2 ? ARENA + 32 * 4096 : random_address()};
	uint64_t map_flags = ANONYMOUS | LINUX_MAP_FIXED;

	CHECK_EQUAL(sys_munmap(ARENA, ARENA_PAGES * 4096), 0);
	CHECK_EQUAL(host(SYS_munmap, ARENA, ARENA_PAGES * 4096, 0, 0, 0, 0), 0);
	CHECK_EQUAL(sys_mmap(at, pages * 4096, 3, map_flags, (uint64_t)-1, 0), at);
	CHECK_EQUAL(host(SYS_mmap, at, pages * 4096, 3, map_flags, (uint64_t)-1, 0), at);
	if (random() % 8 == 0)
		a[0] += (uint64_t)random() % 3 * 2048;
	if (random() % 8 == 0)
		a[1] = random_bytes_of_range();
	if (a[1] == 0 || (a[4] < 0x10000 && a[3] == 3) || a[2] > 1ull << 40)
		return;
	if (a[3] == 3 && a[1] == a[2] && a[0] + a[1] > at + pages * 4096)
		return; /* since 6.17 Linux moves what is there of several mappings */
	if (a[3] == 3 && (a[4] < ARENA || !in_arena(a[4], a[2])))
		return;
	long ours = sys_mremap(a[0], a[1], a[2], a[3], a[4]);
	long theirs = host(SYS_mremap, a[0], a[1], a[2], a[3], a[4], 0);

	compare("mremap", ours, theirs, a);
	if (ours > 0 && (uint64_t)ours - ARENA >= ARENA_PAGES * 4096)
		CHECK_EQUAL(sys_munmap((uint64_t)ours, a[2]), 0);
	if (theirs > 0 && (uint64_t)theirs - ARENA >= ARENA_PAGES * 4096)
		CHECK_EQUAL(host(SYS_munmap, (uint64_t)theirs, a[2], 0, 0, 0, 0), 0);
}

TEST(results_are_those_of_linux)
{
	static void (*const calls[])(void) = {compare_map, compare_map, compare_map, compare_unmap,
		compare_protect, compare_protect, compare_advise, compare_advise,
		compare_sync_and_core, compare_remap};

	srandom(5);
	fake_memory_start(0, 64ull << 20, true);
	fake_page_table_reset();
	vm_init();
	for (int step = 0; step < 60000; step++)
		calls[(size_t)random() % ARRAY_SIZE(calls)]();
	CHECK_EQUAL(sys_munmap(ARENA, ARENA_PAGES * 4096), 0);
	CHECK_EQUAL(host(SYS_munmap, ARENA, ARENA_PAGES * 4096, 0, 0, 0, 0), 0);
	CHECK_EQUAL(heap_live_count(), 0);
	fake_page_table_reset();
}

TEST(writable_code_is_refused)
{
	long at;

	fake_memory_start(0, 64ull << 20, true);
	fake_page_table_reset();
	vm_init();
	CHECK_EQUAL(sys_mmap(0, 4096, 7, ANONYMOUS, (uint64_t)-1, 0), -LINUX_EACCES);
	at = sys_mmap(0, 4096, 3, ANONYMOUS, (uint64_t)-1, 0);
	CHECK(at > 0);
	CHECK_EQUAL(sys_mprotect((uint64_t)at, 4096, 7), -LINUX_EACCES);
	CHECK_EQUAL(sys_mprotect((uint64_t)at, 4096, 5), 0);
	CHECK_EQUAL(
		sys_mmap(0, 4096, 3, ANONYMOUS | LINUX_MAP_FIXED, (uint64_t)-1, 0), -LINUX_EPERM);
	CHECK_EQUAL(sys_mlock((uint64_t)at, 4096), 0);
	CHECK_EQUAL(sys_mlock((uint64_t)at + 4096, 1), -LINUX_ENOMEM);
	CHECK_EQUAL(sys_mlock(UINT64_MAX - 4096, 8192), -LINUX_EINVAL);
	CHECK_EQUAL(sys_mlockall(0), -LINUX_EINVAL);
	CHECK_EQUAL(sys_mlockall(3), 0);
	CHECK_EQUAL(sys_munmap((uint64_t)at, 4096), 0);
	CHECK_EQUAL(heap_live_count(), 0);
	fake_page_table_reset();
}

TEST_DEFINE_MAIN
