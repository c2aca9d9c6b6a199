/* madvise really drops pages and gives zeroes; mremap, mincore, huge reservations. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "check/check.h"

#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static char *map(size_t bytes)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at != MAP_FAILED);
	return at;
}

static void check_filled(const char *at, size_t bytes, char value)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != value) {
			fprintf(stderr, "byte %zu is %d, expected %d\n", i, at[i], value);
			exit(1);
		}
}

static void drop(size_t bytes)
{
	char *at = map(bytes);
	check_filled(at, bytes, 0);
	memset(at, 0x5a, bytes);
	/* the middle goes, both ends stay */
	CHECK_EQUAL(madvise(at + bytes / 4, bytes / 2, MADV_DONTNEED), 0);
	check_filled(at, bytes / 4, 0x5a);
	check_filled(at + bytes / 4, bytes / 2, 0);
	check_filled(at + bytes / 4 * 3, bytes / 4, 0x5a);
	memset(at, 0x77, bytes);
	CHECK_EQUAL(madvise(at, bytes, MADV_DONTNEED), 0);
	check_filled(at, bytes, 0);
	/* after MADV_FREE a page is either kept or zero, and a write makes it kept */
	memset(at, 0x33, bytes);
	CHECK_EQUAL(madvise(at, bytes, MADV_FREE), 0);
	for (size_t i = 0; i < bytes; i++)
		CHECK(at[i] == 0x33 || at[i] == 0);
	memset(at, 0x44, bytes);
	check_filled(at, bytes, 0x44);
	CHECK_EQUAL(munmap(at, bytes), 0);
}

static void errors(void)
{
	char *at = map(4 * 4096);
	CHECK_ERRNO(madvise(at + 1, 4096, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(at, 4096, 12345), EINVAL);
	CHECK_EQUAL(madvise(at, 0, MADV_DONTNEED), 0);
	CHECK_EQUAL(munmap(at + 4096, 4096), 0);
	memset(at, 1, 4096);
	memset(at + 8192, 1, 4096);
	/* the hole is reported, the rest is done all the same */
	CHECK_ERRNO(madvise(at, 4 * 4096, MADV_DONTNEED), ENOMEM);
	check_filled(at, 4096, 0);
	check_filled(at + 8192, 4096, 0);
	CHECK_EQUAL(munmap(at, 4 * 4096), 0);
	CHECK_EQUAL(madvise(map(4096), 4096, MADV_NOHUGEPAGE), 0);
	CHECK_EQUAL(madvise(map(4096), 4096, MADV_HUGEPAGE), 0);
}

static void remap(void)
{
	char *at = map(3 * 4096);
	memset(at, 1, 3 * 4096);
	char *bigger = mremap(at, 3 * 4096, 64 << 20, MREMAP_MAYMOVE);
	CHECK(bigger != MAP_FAILED);
	check_filled(bigger, 3 * 4096, 1);
	check_filled(bigger + 3 * 4096, 1 << 20, 0);
	CHECK(mremap(bigger, 64 << 20, 4096, 0) == bigger);
	check_filled(bigger, 4096, 1);
	CHECK_EQUAL(munmap(bigger, 4096), 0);
}

static void resident(void)
{
	unsigned char vector[8];
	char *at = map(8 * 4096);
	CHECK_EQUAL(madvise(at, 8 * 4096, MADV_NOHUGEPAGE), 0);
	at[0] = at[4096 * 5] = 1;
	CHECK_EQUAL(mincore(at, 8 * 4096, vector), 0);
	CHECK_EQUAL(vector[0] & 1, 1);
	CHECK_EQUAL(vector[5] & 1, 1);
	CHECK_EQUAL(munmap(at, 8 * 4096), 0);
	CHECK_ERRNO(mincore(at, 8 * 4096, vector), ENOMEM);
}

/* PROT_NONE reservations cost nothing, however large. */
static void reserve(void)
{
	char *at = mmap(
		NULL, 1ull << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(at != MAP_FAILED);
	char *middle = at + (1ull << 39);
	CHECK(mmap(middle, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		      -1, 0) == middle);
	memset(middle, 9, 1 << 20);
	CHECK_EQUAL(mprotect(middle - 4096, 4096, PROT_READ | PROT_WRITE), 0);
	middle[-1] = 1;
	CHECK_EQUAL(munmap(at, 1ull << 40), 0);
	CHECK(mmap(middle, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		      0) == middle);
	CHECK(mmap(middle, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		      0) == MAP_FAILED &&
		errno == EEXIST);
}

/* Dropping what was used makes room again, for ever. */
static void recycle(void)
{
	size_t bytes = 16 << 20;
	char *at = map(bytes);
	for (int round = 0; round < 50; round++) {
		memset(at, round + 1, bytes);
		CHECK_EQUAL(madvise(at, bytes, MADV_DONTNEED), 0);
	}
	CHECK_EQUAL(munmap(at, bytes), 0);
	for (int round = 0; round < 50; round++) {
		at = map(bytes);
		memset(at, 1, bytes);
		CHECK_EQUAL(munmap(at, bytes), 0);
	}
}

int main(void)
{
	drop(8 * 4096);
	drop(4 << 20);
	drop(16 << 20);
	errors();
	remap();
	resident();
	reserve();
	recycle();
	return ok();
}
