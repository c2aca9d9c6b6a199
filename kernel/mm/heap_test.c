#include "kernel/mm/heap.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/host/fake_memory.h"
#include "kernel/mm/page_alloc.h"
#include "lib/test.h"

#define MIB (1024ull * 1024)

static uint64_t free_pages(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return counts.free_pages;
}

/* Page allocator state outlives a test: slabs kept by the heap point into it. */
__attribute__((constructor)) static void start(void)
{
	fake_memory_start(0, 64 * MIB, false);
}

TEST(sizes_and_alignment)
{
	for (size_t bytes = 0; bytes < 9000; bytes++) {
		uint8_t *block = heap_alloc(bytes);

		CHECK(block != NULL);
		memset(block, 0xff, bytes);
		CHECK_EQUAL((uintptr_t)block % 16, 0);
		if (bytes % 64 == 0 && bytes > 0)
			CHECK_EQUAL((uintptr_t)block % 64, 0);
		heap_free(block);
	}
	CHECK_EQUAL(heap_live_count(), 0);
	heap_free(NULL);
}

TEST(too_large_is_refused)
{
	void *block = heap_alloc(2 * MIB);

	CHECK(block != NULL);
	heap_free(block);
	CHECK(heap_alloc(2 * MIB + 1) == NULL);
	CHECK(heap_zalloc(SIZE_MAX) == NULL);
	CHECK(heap_alloc(SIZE_MAX - 4096) == NULL);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST(zalloc_is_zero)
{
	static const size_t sizes[] = {1, 24, 64, 1000, 2016, 2017, 4096, 70000};

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			uint8_t *block = heap_zalloc(sizes[i]);

			CHECK(block != NULL);
			for (size_t j = 0; j < sizes[i]; j++)
				CHECK_EQUAL(block[j], 0);
			memset(block, 0xee, sizes[i]);
			heap_free(block);
		}
	}
}

TEST(resize_keeps_contents)
{
	uint8_t *block = heap_resize(NULL, 0, 10);

	CHECK(block != NULL);
	memcpy(block, "123456789", 10);
	for (size_t bytes = 10; bytes < 100000; bytes = bytes * 3 / 2) {
		block = heap_resize(block, bytes, bytes * 3 / 2);
		CHECK(block != NULL);
		CHECK(strcmp((char *)block, "123456789") == 0);
	}
	heap_inject_failures(1);
	CHECK(heap_resize(block, 100, 200000) == NULL);
	heap_inject_failures(0);
	CHECK(strcmp((char *)block, "123456789") == 0);
	heap_free(block);
	CHECK_EQUAL(heap_live_count(), 0);
}

TEST(failures_are_injected)
{
	int failed = 0;

	heap_inject_failures(4);
	for (int i = 0; i < 4000; i++) {
		void *block = heap_alloc(32);

		failed += block == NULL;
		heap_free(block);
	}
	heap_inject_failures(0);
	CHECK(failed > 700 && failed < 1300);
}

#define MODEL_BLOCKS 3000

TEST(random_use_agrees_with_a_model)
{
	static struct {
		uint8_t *block;
		size_t bytes;
		uint8_t fill;
	} held[MODEL_BLOCKS];
	uint64_t before = free_pages();
	int live = 0;

	srandom(2);
	for (int step = 0; step < 300000; step++) {
		if (random() % 100 < 53 && live < MODEL_BLOCKS) {
			size_t bytes = (size_t)random() % (random() % 20 == 0 ? 10000 : 700);

			held[live].block = heap_alloc(bytes);
			CHECK(held[live].block != NULL);
			held[live].bytes = bytes;
			held[live].fill = (uint8_t)random();
			memset(held[live].block, held[live].fill, bytes);
			live++;
		} else if (live > 0) {
			int i = (int)(random() % live);

			for (size_t j = 0; j < held[i].bytes; j++)
				CHECK_EQUAL(held[i].block[j], held[i].fill);
			heap_free(held[i].block);
			held[i] = held[--live];
		}
		CHECK_EQUAL(heap_live_count(), live);
	}
	while (live-- > 0)
		heap_free(held[live].block);
	CHECK_EQUAL(heap_live_count(), 0);
	CHECK(before - free_pages() <= 22); /* one empty slab a class is kept */
}

/* Runs fn in a child; true if it ended by abort(), which is what panic does here. */
static bool panics(void (*fn)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		fclose(stderr);
		fn();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void free_twice(void)
{
	void *a = heap_alloc(40), *b = heap_alloc(40);

	heap_free(a);
	heap_free(a);
	heap_free(b);
}

static void overrun(void)
{
	uint8_t *block = heap_alloc(40);

	block[40] = 1;
	heap_free(block);
}

static void use_after_free(void)
{
	uint8_t *block = heap_alloc(40), *other = heap_alloc(40);

	heap_free(block);
	block[20] = 1;
	block = heap_alloc(40);
	heap_free(other);
}

static void proper_use(void)
{
	heap_free(heap_alloc(40));
}

TEST(misuse_is_caught)
{
	CHECK(!panics(proper_use));
	CHECK(panics(free_twice));
	CHECK(panics(overrun));
	CHECK(panics(use_after_free));
}

TEST_DEFINE_MAIN
