#include "kernel/mm/vm.h"

#include <stdlib.h>
#include <string.h>

#include "abi/linux/errno.h"
#include "abi/linux/mman.h"
#include "arch/host/fake_memory.h"
#include "arch/host/fake_page_table.h"
#include "kernel/mm/page_source.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/panic.h"
#include "lib/test.h"

#define MIB   (1024ull * 1024)
#define RW    (PAGE_READ | PAGE_WRITE)
#define WRITE 2 /* bit of a page fault's error code */
#define EXEC  16

/* Linked with --wrap: no page may be freed while a vcpu can still reach it. */
void __real_page_free(struct phys phys, uint32_t count);
void __wrap_page_free(struct phys phys, uint32_t count);

void __wrap_page_free(struct phys phys, uint32_t count)
{
	CHECK(!fake_page_table_may_be_stale(phys, count));
	__real_page_free(phys, count);
}

/* ---- the machine ------------------------------------------------------------ */

static uint64_t free_at_start;

static uint64_t free_pages(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return counts.free_pages;
}

static void start(uint64_t bytes)
{
	fake_memory_start(0, bytes, true);
	fake_page_table_reset();
	vm_init();
	free_at_start = free_pages();
	CHECK_EQUAL(heap_live_count(), 0);
}

/* Unmaps all and checks that nothing is left behind. */
static void stop(void)
{
	struct vm_counts counts;

	heap_inject_failures(0);
	fake_page_table_inject_failures(0);
	CHECK_EQUAL(vm_unmap(0, USER_END), 0);
	vm_counts(&counts);
	CHECK_EQUAL(counts.area_count, 0);
	CHECK_EQUAL(counts.mapped_bytes, 0);
	CHECK_EQUAL(counts.resident_bytes, 0);
	CHECK_EQUAL(fake_page_table_mapped_pages(), 0);
	CHECK(fake_page_table_is_flushed());
	CHECK_EQUAL(free_pages(), free_at_start);
	CHECK_EQUAL(heap_live_count(), 0);
	fake_page_table_reset();
}

/* What the processor does: the page's address, faulting as needed; NULL and *result
 * when the fault was not served. */
static uint8_t *access_page(uintptr_t address, int need, enum vm_fault_result *result)
{
	*result = VM_FAULT_SERVED;
	for (int tries = 0; tries < 4; tries++) {
		struct platform_mapping mapping = platform_lookup(address, NULL);

		if (mapping.bytes != 0 && (mapping.protection & need) != 0) {
			uint64_t offset = address & (mapping.bytes - 1);

			return (uint8_t *)platform_phys_to_virt((struct phys){
				       ALIGN_DOWN(mapping.phys.raw + offset, PAGE_BYTES)}) +
			       (address & (PAGE_BYTES - 1));
		}
		*result = vm_fault(address,
			need == PAGE_WRITE     ? WRITE
			: need == PAGE_EXECUTE ? EXEC
					       : 0,
			false);
		if (*result != VM_FAULT_SERVED)
			return NULL;
	}
	CHECK(!"a served fault does not come back for ever");
	return NULL;
}

static enum vm_fault_result poke(uintptr_t address, uint8_t value)
{
	enum vm_fault_result result;
	uint8_t *byte = access_page(address, PAGE_WRITE, &result);

	if (byte != NULL)
		*byte = value;
	return result;
}

/* The byte, or minus the fault's result. */
static int peek(uintptr_t address)
{
	enum vm_fault_result result;
	uint8_t *byte = access_page(address, PAGE_READ, &result);

	return byte != NULL ? *byte : -(int)result;
}

static uintptr_t map(uint64_t bytes, int protection, uint32_t flags)
{
	uintptr_t address;

	CHECK_EQUAL(vm_map(0, bytes, protection, flags, NULL, 0, NULL, &address), 0);
	return address;
}

static uint64_t resident_pages(void)
{
	struct vm_counts counts;

	vm_counts(&counts);
	CHECK_EQUAL(counts.resident_bytes >> PAGE_SHIFT, fake_page_table_mapped_pages());
	return counts.resident_bytes >> PAGE_SHIFT;
}

static uint64_t area_count(void)
{
	struct vm_counts counts;

	vm_counts(&counts);
	return counts.area_count;
}

/* ---- a file ------------------------------------------------------------------- */

#define FILE_PAGES 1024

struct test_source {
	struct page_source source;
	int references;
	uint64_t bytes;
	struct phys pages[FILE_PAGES]; /* raw 0: a hole */
	struct phys zero_page;
	uint32_t dirtied, synced, gets;
	int error;
};

static struct test_source *source_of(struct page_source *source)
{
	return CONTAINER_OF(source, struct test_source, source);
}

static int source_get_page(
	struct page_source *base, uint64_t offset, bool write, struct phys *phys, bool *read_only)
{
	struct test_source *source = source_of(base);
	struct phys *page;

	CHECK(source->references > 0);
	source->gets++;
	if (source->error != 0)
		return source->error;
	if (offset >= source->bytes)
		return -LINUX_EFAULT;
	page = &source->pages[offset >> PAGE_SHIFT];
	*read_only = page->raw == 0 && !write;
	if (page->raw == 0 && write) {
		if (!page_alloc(1, PAGE_ALLOC_ZERO, page))
			return -LINUX_ENOMEM;
		vm_unmap_source(base, offset, PAGE_BYTES);
	}
	*phys = page->raw != 0 ? *page : source->zero_page;
	return 0;
}

static void source_mark_dirty(struct page_source *base, uint64_t offset)
{
	(void)offset;
	source_of(base)->dirtied++;
}

static int source_sync(struct page_source *base, uint64_t offset, uint64_t bytes)
{
	(void)offset, (void)bytes;
	source_of(base)->synced++;
	return 0;
}

static void source_acquire(struct page_source *base)
{
	source_of(base)->references++;
}

static void source_release(struct page_source *base)
{
	CHECK(source_of(base)->references-- > 0);
}

static void source_describe(
	struct page_source *base, char *buffer, size_t capacity, uint64_t *inode)
{
	(void)base;
	snprintf(buffer, capacity, "/file");
	*inode = 7;
}

static const struct page_source_ops source_ops = {
	.get_page = source_get_page,
	.mark_dirty = source_mark_dirty,
	.sync = source_sync,
	.acquire = source_acquire,
	.release = source_release,
	.describe = source_describe,
};

static struct test_source *source_create(uint64_t bytes)
{
	struct test_source *source = calloc(1, sizeof(*source));

	source->source.ops = &source_ops;
	list_init(&source->source.areas);
	source->references = 1;
	source->bytes = bytes;
	CHECK(page_alloc(1, PAGE_ALLOC_ZERO, &source->zero_page));
	for (uint64_t i = 0; i < FILE_PAGES && i * PAGE_BYTES < bytes; i++) {
		if (i % 5 == 4)
			continue;
		CHECK(page_alloc(1, 0, &source->pages[i]));
		memset(platform_phys_to_virt(source->pages[i]), (int)(i % 200) + 1, PAGE_BYTES);
	}
	return source;
}

static int source_byte(uint64_t page)
{
	return page % 5 == 4 ? 0 : (int)(page % 200) + 1;
}

static void source_truncate(struct test_source *source, uint64_t bytes)
{
	source->bytes = bytes;
	vm_unmap_source(&source->source, bytes, UINT64_MAX - bytes);
	for (uint64_t i = ALIGN_UP(bytes, PAGE_BYTES) >> PAGE_SHIFT; i < FILE_PAGES; i++) {
		if (source->pages[i].raw != 0)
			page_free(source->pages[i], 1);
		source->pages[i].raw = 0;
	}
}

static void source_destroy(struct test_source *source)
{
	CHECK_EQUAL(source->references, 1);
	CHECK(list_is_empty(&source->source.areas));
	source_truncate(source, 0);
	page_free(source->zero_page, 1);
	free(source);
}

/* ---- mapping -------------------------------------------------------------------- */

TEST(a_mapping_reads_as_zero_and_keeps_what_is_written)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(64 * 1024, RW, 0);
	CHECK_EQUAL(peek(a + 5), 0);
	CHECK_EQUAL(poke(a + 5, 42), VM_FAULT_SERVED);
	CHECK_EQUAL(peek(a + 5), 42);
	CHECK_EQUAL(peek(a + 65535), 0);
	CHECK_EQUAL(peek(a + 65536), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(peek(a - 1), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(peek(0), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(vm_fault(USER_END, 0, false), VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(vm_fault(UINTPTR_MAX, WRITE, false), VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(vm_unmap(a, 65536), 0);
	CHECK_EQUAL(peek(a + 5), -VM_FAULT_NO_MAPPING);
	stop();
}

TEST(reservations_cost_nothing)
{
	uintptr_t a, b;

	start(64 * MIB);
	a = map(512 * MIB, 0, 0);
	b = map(1ull << 40, 0, 0);
	CHECK_EQUAL(peek(a), -VM_FAULT_PROTECTION);
	CHECK_EQUAL(poke(b + (1ull << 39), 1), VM_FAULT_PROTECTION);
	CHECK_EQUAL(free_pages(), free_at_start);
	CHECK_EQUAL(vm_unmap(a, 512 * MIB), 0);
	CHECK_EQUAL(vm_unmap(b, 1ull << 40), 0);
	CHECK_EQUAL(fake_page_table_flush_count, 0);
	stop();
}

TEST(hints_and_fixed_addresses)
{
	uintptr_t a;

	start(64 * MIB);
	CHECK_EQUAL(vm_map(0xc000000000, 64 * MIB, 0, 0, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(a, 0xc000000000);
	CHECK_EQUAL(vm_map(0xc000000000 + MIB, MIB, RW, 0, NULL, 0, NULL, &a), 0);
	CHECK(a != 0xc000000000 + MIB);
	CHECK_EQUAL(vm_map(0xc000000000 + MIB, MIB, RW, VM_NO_REPLACE, NULL, 0, NULL, &a),
		-LINUX_EEXIST);
	CHECK_EQUAL(vm_map(0xc000000000 + MIB, MIB, RW, VM_FIXED, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(a, 0xc000000000 + MIB);
	CHECK_EQUAL(poke(a, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(peek(a - 1), -VM_FAULT_PROTECTION);
	CHECK_EQUAL(vm_map(a, MIB, RW, VM_FIXED, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(peek(a), 0);
	CHECK_EQUAL(vm_map(0, MIB, RW, VM_FIXED, NULL, 0, NULL, &a), -LINUX_EPERM);
	CHECK_EQUAL(vm_map(0x20001, MIB, RW, VM_FIXED, NULL, 0, NULL, &a), -LINUX_EINVAL);
	CHECK_EQUAL(vm_map(USER_END - 4096, 8192, RW, VM_FIXED, NULL, 0, NULL, &a), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_map(1, 4096, RW, 0, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(a, USER_START);
	CHECK_EQUAL(vm_map(0, 0, RW, 0, NULL, 0, NULL, &a), -LINUX_EINVAL);
	CHECK_EQUAL(vm_map(0, USER_END + 4096, 0, 0, NULL, 0, NULL, &a), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_map(0, 4096, RW, VM_LOW, NULL, 0, NULL, &a), 0);
	CHECK(a >= 0x40000000 && a < 0x80000000);
	CHECK_EQUAL(vm_map(0, 2 * MIB, 0, 0, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(a % (2 * MIB), 0);
	stop();
}

TEST(overcommit_is_refused_only_when_obvious)
{
	uintptr_t a;

	start(64 * MIB);
	CHECK_EQUAL(vm_map(0, 321 * MIB, RW, 0, NULL, 0, NULL, &a), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_map(0, 321 * MIB, RW, VM_NO_RESERVE, NULL, 0, NULL, &a), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(vm_map(0, 319 * MIB, RW, 0, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(vm_map(0, 321 * MIB, PAGE_READ, 0, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(vm_protect(a, 321 * MIB, RW), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_protect(a, 319 * MIB, RW), 0);
	stop();
}

TEST(write_and_execute_exclude_each_other)
{
	uintptr_t a;

	start(64 * MIB);
	CHECK_EQUAL(vm_map(0, 4096, RW | PAGE_EXECUTE, 0, NULL, 0, NULL, &a), -LINUX_EACCES);
	a = map(8192, RW, 0);
	CHECK_EQUAL(poke(a, 0xc3), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_fault(a, EXEC, false), VM_FAULT_PROTECTION);
	CHECK_EQUAL(vm_protect(a, 8192, RW | PAGE_EXECUTE), -LINUX_EACCES);
	CHECK_EQUAL(vm_protect(a, 8192, PAGE_READ | PAGE_EXECUTE), 0);
	CHECK_EQUAL(vm_fault(a, EXEC, false), VM_FAULT_SERVED);
	CHECK_EQUAL(peek(a), 0xc3);
	CHECK_EQUAL(poke(a, 1), VM_FAULT_PROTECTION);
	stop();
}

TEST(neighbours_that_agree_are_one_area)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(MIB, 0, 0);
	CHECK_EQUAL(area_count(), 1);
	for (uint64_t i = 0; i < 256; i += 2)
		CHECK_EQUAL(vm_protect(a + i * 4096, 4096, RW), 0);
	CHECK_EQUAL(area_count(), 256);
	for (uint64_t i = 1; i < 256; i += 2)
		CHECK_EQUAL(
			vm_map(a + i * 4096, 4096, RW, VM_FIXED, NULL, 0, NULL, &(uintptr_t){0}),
			0);
	CHECK_EQUAL(area_count(), 1);
	CHECK_EQUAL(vm_unmap(a + 4096, 4096), 0);
	CHECK_EQUAL(area_count(), 2);
	stop();
}

TEST(the_number_of_areas_is_limited)
{
	uint64_t i;
	uintptr_t a;
	int error = 0;

	start(64 * MIB);
	a = map(1ull << 32, 0, 0);
	for (i = 0; error == 0; i++)
		error = vm_protect(a + i * 8192, 4096, PAGE_READ);
	CHECK_EQUAL(error, -LINUX_ENOMEM);
	CHECK(area_count() <= 65530 && area_count() > 65520);
	CHECK_EQUAL(vm_map(0, 4096, RW, VM_SHARED, NULL, 0, NULL, &a),
		0 - (area_count() == 65530 ? LINUX_ENOMEM : 0));
	CHECK_EQUAL(vm_unmap(0, USER_END), 0);
	CHECK_EQUAL(area_count(), 0);
	stop();
}

TEST(the_break_grows_and_shrinks)
{
	uintptr_t a;

	start(64 * MIB);
	CHECK_EQUAL(vm_break(0x500000), 0);
	vm_set_break_start(0x500123);
	CHECK_EQUAL(vm_break(0), 0x500123);
	CHECK_EQUAL(vm_break(0x500000), 0x500123);
	CHECK_EQUAL(vm_break(0x510001), 0x510001);
	CHECK_EQUAL(poke(0x510fff, 9), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_break(0x508000), 0x508000);
	CHECK_EQUAL(peek(0x508000), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(vm_break(0x511000), 0x511000);
	CHECK_EQUAL(peek(0x510fff), 0);
	CHECK_EQUAL(vm_map(0x600000, 4096, RW, VM_FIXED, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(vm_break(0x600001), 0x511000);
	CHECK_EQUAL(vm_break(0x600000), 0x600000);
	CHECK_EQUAL(vm_break(UINTPTR_MAX), 0x600000);
	CHECK_EQUAL(vm_break(USER_END), 0x600000);
	stop();
}

/* ---- huge pages ------------------------------------------------------------------- */

TEST(writes_to_large_areas_get_huge_pages)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(8 * MIB, RW, 0);
	CHECK_EQUAL(poke(a + 3 * MIB, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(resident_pages(), 512);
	CHECK_EQUAL(platform_lookup(a + 3 * MIB, NULL).bytes, HUGE_PAGE_BYTES);
	CHECK_EQUAL(peek(a), 0);
	CHECK(resident_pages() < 512 + 64);
	CHECK_EQUAL(vm_advise(a + 4 * MIB, 4 * MIB, LINUX_MADV_NOHUGEPAGE), 0);
	CHECK_EQUAL(poke(a + 6 * MIB, 1), VM_FAULT_SERVED);
	CHECK(platform_lookup(a + 6 * MIB, NULL).bytes == PAGE_BYTES);
	CHECK_EQUAL(vm_unmap(a + 2 * MIB + 4096, 4096), 0);
	CHECK_EQUAL(peek(a + 2 * MIB + 4096), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(peek(a + 3 * MIB), 1);
	stop();
}

TEST(a_block_emptied_of_small_pages_becomes_huge)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(4 * MIB, RW, 0);
	CHECK_EQUAL(peek(a), 0);
	CHECK(platform_lookup(a, NULL).bytes == PAGE_BYTES);
	CHECK_EQUAL(vm_advise(a, 4 * MIB, LINUX_MADV_DONTNEED), 0);
	CHECK_EQUAL(poke(a, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(platform_lookup(a, NULL).bytes, HUGE_PAGE_BYTES);
	stop();
}

TEST(scattered_reads_do_not_explode)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(60 * MIB, RW, 0);
	for (uint64_t i = 0; i < 60; i += 2)
		CHECK_EQUAL(peek(a + i * MIB), 0);
	CHECK(resident_pages() <= 30 * 4);
	stop();
}

TEST(when_memory_is_short_pages_are_small)
{
	uintptr_t a;
	uint64_t served = 0;

	start(32 * MIB);
	a = map(1024 * MIB, RW, VM_NO_RESERVE);
	for (uint64_t i = 0; i < 500; i++)
		served += poke(a + i * 2 * MIB, 1) == VM_FAULT_SERVED;
	CHECK(served > 400);
	stop();
}

TEST(no_memory_is_reported)
{
	uintptr_t a;
	enum vm_fault_result result = VM_FAULT_SERVED;
	uint64_t at;

	start(8 * MIB);
	a = map(32 * MIB, RW, VM_NO_RESERVE);
	for (at = a; result == VM_FAULT_SERVED && at < a + 32 * MIB; at += 4096)
		result = poke(at, 1);
	CHECK_EQUAL(result, VM_FAULT_NO_MEMORY);
	CHECK(at > a + 7 * MIB);
	CHECK_EQUAL(vm_unmap(a, 4 * MIB), 0);
	CHECK_EQUAL(poke(at, 1), VM_FAULT_SERVED);
	stop();
}

/* ---- advice ------------------------------------------------------------------------- */

TEST(dontneed_gives_zeroes_and_memory_back)
{
	uintptr_t a;
	uint64_t before;

	start(64 * MIB);
	a = map(16 * MIB, RW, 0);
	for (uint64_t i = 0; i < 16 * MIB; i += 4096)
		CHECK_EQUAL(poke(a + i, 7), VM_FAULT_SERVED);
	before = free_pages();
	CHECK_EQUAL(vm_advise(a + MIB, 12 * MIB, LINUX_MADV_DONTNEED), 0);
	CHECK(free_pages() >= before + 3000);
	for (uint64_t i = 0; i < 16 * MIB; i += 4096)
		CHECK_EQUAL(peek(a + i), i < MIB || i >= 13 * MIB ? 7 : 0);
	CHECK_EQUAL(vm_advise(a + 4096, 8192, LINUX_MADV_FREE), 0);
	CHECK_EQUAL(peek(a), 7);
	CHECK_EQUAL(peek(a + 4096), 0);
	CHECK_EQUAL(peek(a + 12287), 0);
	CHECK_EQUAL(peek(a + 12288), 7);
	stop();
}

TEST(advice_is_checked_as_on_linux)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(16384, RW, 0);
	CHECK_EQUAL(vm_unmap(a + 4096, 4096), 0);
	CHECK_EQUAL(poke(a + 8192, 3), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_advise(a, 16384, LINUX_MADV_DONTNEED), -LINUX_ENOMEM);
	CHECK_EQUAL(peek(a + 8192), 0); /* done all the same */
	CHECK_EQUAL(vm_advise(a, 16384, LINUX_MADV_POPULATE_READ), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_advise(a + 1, 4096, LINUX_MADV_DONTNEED), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 4096, 5), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 4096, -1), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 0, LINUX_MADV_DONTNEED), 0);
	CHECK_EQUAL(vm_advise(a, SIZE_MAX, LINUX_MADV_DONTNEED), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 4096, LINUX_MADV_SEQUENTIAL), 0);
	CHECK_EQUAL(vm_protect(a, 4096, PAGE_READ), 0);
	CHECK_EQUAL(vm_advise(a, 4096, LINUX_MADV_POPULATE_WRITE), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 4096, LINUX_MADV_POPULATE_READ), 0);
	CHECK_EQUAL(vm_advise(a, 4096, LINUX_MADV_REMOVE), -LINUX_EINVAL);
	stop();
}

TEST(shared_anonymous_memory_survives_dontneed)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(8192, RW, VM_SHARED);
	CHECK_EQUAL(poke(a, 5), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_advise(a, 8192, LINUX_MADV_DONTNEED), 0);
	CHECK_EQUAL(peek(a), 5);
	CHECK_EQUAL(vm_advise(a, 8192, LINUX_MADV_FREE), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 8192, LINUX_MADV_REMOVE), 0);
	CHECK_EQUAL(peek(a), 0);
	stop();
}

TEST(collapse_makes_a_huge_page_of_small_ones)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(4 * MIB, RW, VM_NO_HUGE);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_EQUAL(poke(a + i * 12288, (uint8_t)(i + 1)), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_advise(a, 2 * MIB, LINUX_MADV_COLLAPSE), -LINUX_EINVAL);
	CHECK_EQUAL(vm_advise(a, 4 * MIB, LINUX_MADV_HUGEPAGE), 0);
	CHECK_EQUAL(vm_advise(a, 2 * MIB, LINUX_MADV_COLLAPSE), 0);
	CHECK_EQUAL(platform_lookup(a, NULL).bytes, HUGE_PAGE_BYTES);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_EQUAL(peek(a + i * 12288), i + 1);
	CHECK_EQUAL(vm_advise(a, 2 * MIB, LINUX_MADV_COLLAPSE), 0);
	CHECK_EQUAL(vm_advise(a + 2 * MIB, 2 * MIB, LINUX_MADV_COLLAPSE), -LINUX_EINVAL);
	stop();
}

TEST(residence_is_seen)
{
	uint8_t vector[64];
	uintptr_t a;

	start(64 * MIB);
	a = map(64 * 4096, RW, 0);
	CHECK_EQUAL(poke(a + 20 * 4096, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_resident(a, 64 * 4096, vector), 0);
	CHECK(vector[20] == 1 && vector[0] == 0 && vector[40] == 0);
	CHECK_EQUAL(vm_resident(a, 65 * 4096, vector), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_resident(a + 1, 4096, vector), -LINUX_EINVAL);
	stop();
}

/* ---- mprotect ------------------------------------------------------------------------ */

TEST(protection_changes_pages_that_are_there)
{
	uintptr_t a;

	start(64 * MIB);
	a = map(4 * MIB, RW, 0);
	CHECK_EQUAL(poke(a + 5000, 8), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_protect(a + 4096, 4096, PAGE_READ), 0);
	CHECK_EQUAL(poke(a + 5000, 9), VM_FAULT_PROTECTION);
	CHECK_EQUAL(peek(a + 5000), 8);
	CHECK_EQUAL(poke(a, 9), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_protect(a + 4096, 4096, 0), 0);
	CHECK_EQUAL(peek(a + 5000), -VM_FAULT_PROTECTION);
	CHECK_EQUAL(vm_protect(a, 8192, RW), 0);
	CHECK_EQUAL(poke(a + 5001, 10), VM_FAULT_SERVED);
	CHECK_EQUAL(peek(a + 5000), 8);
	CHECK_EQUAL(vm_unmap(a + 8192, 4096), 0);
	CHECK_EQUAL(vm_protect(a, 16384, PAGE_READ), -LINUX_ENOMEM);
	CHECK_EQUAL(poke(a, 1), VM_FAULT_PROTECTION); /* what comes before the hole was changed */
	CHECK_EQUAL(poke(a + 12288, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_protect(a + 1, 4096, RW), -LINUX_EINVAL);
	CHECK_EQUAL(vm_protect(a, 0, RW), 0);
	stop();
}

/* ---- mremap -------------------------------------------------------------------------- */

TEST(remap_grows_shrinks_and_moves)
{
	uintptr_t a, b, wall;

	start(64 * MIB);
	CHECK_EQUAL(vm_map(0x10000000, 8192, RW, VM_FIXED, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(poke(a, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(poke(a + 4096, 2), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_remap(a, 8192, 16384, false, false, 0, &b), 0);
	CHECK_EQUAL(b, a);
	CHECK_EQUAL(area_count(), 1);
	CHECK_EQUAL(vm_map(a + 16384, 4096, 0, VM_FIXED, NULL, 0, NULL, &wall), 0);
	CHECK_EQUAL(vm_remap(a, 16384, 32768, false, false, 0, &b), -LINUX_ENOMEM);
	CHECK_EQUAL(vm_remap(a, 16384, 32768, true, false, 0, &b), 0);
	CHECK(b != a);
	CHECK_EQUAL(peek(a), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(peek(b), 1);
	CHECK_EQUAL(peek(b + 4096), 2);
	CHECK_EQUAL(peek(b + 20000), 0);
	CHECK_EQUAL(vm_remap(b, 32768, 4096, false, false, 0, &b), 0);
	CHECK_EQUAL(peek(b + 4096), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(vm_remap(b, 4096, 4096, true, true, 0x20000000, &a), 0);
	CHECK_EQUAL(a, 0x20000000);
	CHECK_EQUAL(peek(a), 1);
	CHECK_EQUAL(vm_remap(a, 8192, 12288, true, false, 0, &b), -LINUX_EFAULT);
	CHECK_EQUAL(vm_remap(a + 4096, 4096, 4096, true, false, 0, &b), -LINUX_EFAULT);
	CHECK_EQUAL(vm_remap(a, 4096, 8192, true, true, a - 4096, &b), -LINUX_EINVAL);
	CHECK_EQUAL(vm_remap(a, 4096, 0, true, false, 0, &b), -LINUX_EINVAL);
	CHECK_EQUAL(vm_remap(a, 4096, 321 * MIB, true, false, 0, &b), -LINUX_ENOMEM);
	stop();
}

TEST(remap_keeps_huge_pages_and_splits_what_it_must)
{
	uintptr_t a, b;

	start(64 * MIB);
	CHECK_EQUAL(vm_map(0x40000000, 4 * MIB, RW, VM_FIXED, NULL, 0, NULL, &a), 0);
	CHECK_EQUAL(poke(a, 1), VM_FAULT_SERVED);
	CHECK_EQUAL(poke(a + 2 * MIB + 4096, 2), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_remap(a, 4 * MIB, 4 * MIB, true, true, 0x80000000, &b), 0);
	CHECK_EQUAL(platform_lookup(b, NULL).bytes, HUGE_PAGE_BYTES);
	CHECK_EQUAL(vm_remap(b, 4 * MIB, 4 * MIB, true, true, 0x40001000, &a), 0);
	CHECK_EQUAL(platform_lookup(a, NULL).bytes, PAGE_BYTES);
	CHECK_EQUAL(peek(a), 1);
	CHECK_EQUAL(peek(a + 2 * MIB + 4096), 2);
	CHECK_EQUAL(resident_pages(), 1024);
	/* Next to itself: old and new must not become one area on the way. */
	CHECK_EQUAL(vm_remap(a, 2 * MIB, 2 * MIB, true, true, a + 4 * MIB, &b), 0);
	CHECK_EQUAL(peek(b), 1);
	CHECK_EQUAL(peek(a), -VM_FAULT_NO_MAPPING);
	CHECK_EQUAL(area_count(), 1);
	stop();
}

TEST(a_failed_move_changes_nothing)
{
	start(64 * MIB);
	for (int round = 0; round < 40; round++) {
		uintptr_t a, b;
		int error;

		CHECK_EQUAL(vm_map(0x40000000, 8 * MIB, RW, VM_FIXED, NULL, 0, NULL, &a), 0);
		for (uint64_t i = 0; i < 4; i++)
			CHECK_EQUAL(poke(a + i * 2 * MIB, (uint8_t)(i + 1)), VM_FAULT_SERVED);
		fake_page_table_inject_failures(4);
		error = vm_remap(a, 8 * MIB, 8 * MIB, true, true,
			0x90001000 + (uintptr_t)round * 16 * MIB, &b);
		fake_page_table_inject_failures(0);
		if (error != 0) {
			CHECK_EQUAL(error, -LINUX_ENOMEM);
			b = a;
			CHECK_EQUAL(area_count(), 1);
		}
		for (uint64_t i = 0; i < 4; i++)
			CHECK_EQUAL(peek(b + i * 2 * MIB), i + 1);
		CHECK_EQUAL(vm_unmap(b, 8 * MIB), 0);
	}
	stop();
}

/* ---- files ------------------------------------------------------------------------------ */

static uintptr_t map_source(
	struct test_source *source, uint64_t bytes, int protection, uint32_t flags, uint64_t offset)
{
	uintptr_t address;

	CHECK_EQUAL(
		vm_map(0, bytes, protection, flags, &source->source, offset, NULL, &address), 0);
	return address;
}

TEST(private_file_mappings_copy_on_write)
{
	struct test_source *source;
	uintptr_t a;

	start(64 * MIB);
	source = source_create(100 * 4096 - 100);
	a = map_source(source, 120 * 4096, RW, 0, 0);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_EQUAL(peek(a + i * 4096), source_byte(i));
	CHECK(source->gets < 130);
	CHECK_EQUAL(peek(a + 100 * 4096), -VM_FAULT_BUS);
	CHECK_EQUAL(vm_fault(a + 110 * 4096, 0, true), VM_FAULT_BUS);
	CHECK_EQUAL(poke(a + 4096, 99), VM_FAULT_SERVED);
	CHECK_EQUAL(poke(a + 4 * 4096 + 1, 98), VM_FAULT_SERVED); /* a hole */
	CHECK_EQUAL(peek(a + 4096), 99);
	CHECK_EQUAL(peek(a + 4097), source_byte(1));
	CHECK_EQUAL(peek(a + 4 * 4096), 0);
	CHECK_EQUAL(*(uint8_t *)platform_phys_to_virt(source->pages[1]), source_byte(1));
	CHECK_EQUAL(source->dirtied, 0);
	CHECK_EQUAL(vm_advise(a, 4 * 4096, LINUX_MADV_DONTNEED), 0);
	CHECK_EQUAL(peek(a + 4096), source_byte(1));
	source_truncate(source, 10 * 4096);
	CHECK_EQUAL(peek(a + 4096), source_byte(1));
	CHECK_EQUAL(peek(a + 10 * 4096), -VM_FAULT_BUS);
	CHECK_EQUAL(vm_unmap(a, 120 * 4096), 0);
	source_destroy(source);
	stop();
}

TEST(shared_file_mappings_write_through)
{
	struct test_source *source;
	uintptr_t a, b;

	start(64 * MIB);
	source = source_create(64 * 4096);
	a = map_source(source, 64 * 4096, RW, VM_SHARED, 0);
	b = map_source(source, 32 * 4096, PAGE_READ, VM_SHARED | VM_NEVER_WRITE, 16 * 4096);
	CHECK_EQUAL(peek(b), source_byte(16));
	CHECK_EQUAL(peek(b + 3 * 4096), 0); /* page 19, a hole */
	CHECK_EQUAL(poke(a + 16 * 4096, 77), VM_FAULT_SERVED);
	CHECK_EQUAL(poke(a + 19 * 4096, 78), VM_FAULT_SERVED);
	CHECK_EQUAL(source->dirtied, 3); /* the hole's page was replaced on the way */
	CHECK_EQUAL(peek(b), 77);
	CHECK_EQUAL(peek(b + 3 * 4096), 78);
	CHECK_EQUAL(poke(b, 1), VM_FAULT_PROTECTION);
	CHECK_EQUAL(vm_protect(b, 4096, RW), -LINUX_EACCES);
	CHECK_EQUAL(poke(a + 16 * 4096, 79), VM_FAULT_SERVED);
	CHECK_EQUAL(source->dirtied, 3);
	CHECK_EQUAL(vm_sync(a, 64 * 4096, true), 0);
	CHECK_EQUAL(source->synced, 1);
	CHECK_EQUAL(poke(a + 16 * 4096, 80), VM_FAULT_SERVED);
	CHECK_EQUAL(source->dirtied, 4);
	CHECK_EQUAL(vm_sync(a, 65 * 4096, false), area_count() == 2 ? -LINUX_ENOMEM : 0);
	CHECK_EQUAL(vm_protect(a, 64 * 4096, PAGE_READ), 0);
	CHECK_EQUAL(vm_protect(a, 64 * 4096, RW), 0);
	CHECK_EQUAL(peek(a + 16 * 4096), 80);
	source_truncate(source, 17 * 4096);
	CHECK_EQUAL(peek(a + 19 * 4096), -VM_FAULT_BUS);
	CHECK_EQUAL(peek(b), 80);
	CHECK_EQUAL(vm_unmap(a, 64 * 4096), 0);
	CHECK_EQUAL(vm_unmap(b, 32 * 4096), 0);
	source_destroy(source);
	stop();
}

TEST(errors_of_a_file_reach_the_program)
{
	struct test_source *source;
	uintptr_t a;

	start(64 * MIB);
	source = source_create(64 * 4096);
	a = map_source(source, 64 * 4096, RW, VM_SHARED, 0);
	source->error = -LINUX_EIO;
	CHECK_EQUAL(peek(a), -VM_FAULT_BUS);
	CHECK_EQUAL(vm_advise(a, 4096, LINUX_MADV_POPULATE_READ), -LINUX_EFAULT);
	source->error = -LINUX_ENOMEM;
	CHECK_EQUAL(poke(a, 1), VM_FAULT_NO_MEMORY);
	source->error = 0;
	CHECK_EQUAL(vm_fault(a, 0, true), VM_FAULT_BUS); /* would sleep */
	CHECK_EQUAL(peek(a), source_byte(0));
	CHECK_EQUAL(vm_fault(a, 0, true), VM_FAULT_SERVED);
	CHECK_EQUAL(vm_unmap(a, 64 * 4096), 0);
	source_destroy(source);
	stop();
}

TEST(areas_are_described)
{
	struct vm_area_info info;
	struct test_source *source;
	char path[32];
	uint64_t inode;
	uintptr_t a;

	start(64 * MIB);
	source = source_create(64 * 4096);
	a = map_source(source, 16 * 4096, PAGE_READ, 0, 8 * 4096);
	CHECK_EQUAL(vm_unmap(a, 4096), 0);
	CHECK(vm_next_area(0, &info));
	CHECK_EQUAL(info.start, a + 4096);
	CHECK_EQUAL(info.end, a + 16 * 4096);
	CHECK_EQUAL(info.offset, 9 * 4096);
	CHECK(!vm_next_area(info.end, &info));
	CHECK(vm_area_describe(a + 8192, path, sizeof(path), &inode));
	CHECK(strcmp(path, "/file") == 0 && inode == 7);
	CHECK(!vm_area_describe(a, path, sizeof(path), &inode));
	CHECK_EQUAL(vm_unmap(a, 16 * 4096), 0);
	source_destroy(source);
	stop();
}

/* ---- random sequences against a model ------------------------------------------------------ */

#define ARENA_START 0x40000000ull
#define ARENA_PAGES 4096ull /* 16 MiB */

struct model_page {
	bool mapped, shared;
	int protection;
	uint8_t value;
	bool from_file; /* not written yet: value is the file's */
	struct test_source *source;
	uint64_t offset_page;
};

static struct model_page model[ARENA_PAGES];

static uint64_t random_page(void)
{
	uint64_t page = (uint64_t)random() % ARENA_PAGES;

	return random() % 3 == 0 ? ALIGN_DOWN(page, 512ull) : page;
}

static uint64_t random_length(uint64_t page)
{
	static const uint64_t lengths[] = {1, 1, 2, 3, 7, 16, 33, 100, 511, 512, 513, 1024, 1500};
	uint64_t length = lengths[(size_t)random() % ARRAY_SIZE(lengths)];

	return MIN(length, ARENA_PAGES - page);
}

static int random_protection(void)
{
	static const int protections[] = {
		RW, RW, RW, RW, PAGE_READ, 0, PAGE_READ | PAGE_EXECUTE, PAGE_WRITE};

	return protections[(size_t)random() % ARRAY_SIZE(protections)];
}

static bool model_is_mapped(uint64_t page, uint64_t count)
{
	for (uint64_t i = page; i < page + count; i++) {
		if (!model[i].mapped)
			return false;
	}
	return true;
}

static uintptr_t address_of(uint64_t page)
{
	return ARENA_START + page * PAGE_BYTES;
}

static void model_map(struct test_source *source)
{
	uint64_t page = random_page(), count = random_length(page),
		 offset = (uint64_t)random() % 600;
	int protection = random_protection();
	uintptr_t result;
	uint32_t flags = VM_FIXED | (random() % 4 == 0 ? VM_NO_HUGE : 0);
	int error;

	if (source != NULL)
		count = MIN(count, FILE_PAGES - offset);
	error = vm_map(address_of(page), count * PAGE_BYTES, protection, flags,
		source != NULL ? &source->source : NULL, offset * PAGE_BYTES, NULL, &result);
	if (error == -LINUX_ENOMEM) {
		/* Either nothing happened or the old mapping has gone, as on Linux. */
		if (model_is_mapped(page, count) && area_count() > 0)
			CHECK_EQUAL(vm_unmap(address_of(page), count * PAGE_BYTES) <= 0, 1);
		while (vm_unmap(address_of(page), count * PAGE_BYTES) != 0)
			;
		for (uint64_t i = page; i < page + count; i++)
			model[i] = (struct model_page){0};
		return;
	}
	CHECK_EQUAL(error, 0);
	for (uint64_t i = 0; i < count; i++)
		model[page + i] = (struct model_page){
			.mapped = true,
			.protection = protection,
			.source = source,
			.from_file = source != NULL,
			.offset_page = offset + i,
			.value = source != NULL ? (uint8_t)source_byte(offset + i) : 0,
		};
}

static void model_unmap(void)
{
	uint64_t page = random_page(), count = random_length(page);

	if (vm_unmap(address_of(page), count * PAGE_BYTES) != 0)
		return;
	for (uint64_t i = page; i < page + count; i++)
		model[i] = (struct model_page){0};
}

static void model_protect(bool may_fail)
{
	uint64_t page = random_page(), count = random_length(page);
	int protection = random_protection();
	int error = vm_protect(address_of(page), count * PAGE_BYTES, protection);

	if (error != 0)
		CHECK(may_fail || !model_is_mapped(page, count));
	if (error != 0 && may_fail) {
		/* Some prefix was changed; bring both sides to a known state. */
		heap_inject_failures(0);
		fake_page_table_inject_failures(0);
		CHECK_EQUAL(vm_unmap(address_of(page), count * PAGE_BYTES), 0);
		for (uint64_t i = page; i < page + count; i++)
			model[i] = (struct model_page){0};
		return;
	}
	for (uint64_t i = page; i < page + count && model[i].mapped; i++)
		model[i].protection = protection;
}

static void model_advise(bool may_fail)
{
	static const int advices[] = {LINUX_MADV_DONTNEED, LINUX_MADV_DONTNEED, LINUX_MADV_FREE,
		LINUX_MADV_HUGEPAGE, LINUX_MADV_NOHUGEPAGE, LINUX_MADV_COLLAPSE,
		LINUX_MADV_POPULATE_READ, LINUX_MADV_POPULATE_WRITE, LINUX_MADV_COLD};
	uint64_t page = random_page(), count = random_length(page);
	int advice = advices[(size_t)random() % ARRAY_SIZE(advices)];
	int error = vm_advise(address_of(page), count * PAGE_BYTES, advice);

	if (!may_fail && model_is_mapped(page, count) && advice != LINUX_MADV_COLLAPSE &&
		advice != LINUX_MADV_FREE && advice < LINUX_MADV_POPULATE_READ)
		CHECK_EQUAL(error, 0);
	if (advice != LINUX_MADV_DONTNEED && advice != LINUX_MADV_FREE)
		return;
	for (uint64_t i = page; i < page + count; i++) {
		if (model[i].source != NULL && advice == LINUX_MADV_FREE)
			break; /* -EINVAL ends it */
		if (!model[i].mapped)
			continue;
		model[i].from_file = model[i].source != NULL;
		model[i].value =
			model[i].source != NULL ? (uint8_t)source_byte(model[i].offset_page) : 0;
	}
}

static void model_remap(void)
{
	uint64_t page = random_page(), count = random_length(page);
	uint64_t to = random_page(), new_count = random() % 2 ? count : random_length(to);
	static struct model_page moved[ARENA_PAGES];
	uintptr_t result;
	int error;

	if (to + new_count > ARENA_PAGES || (to < page + count && page < to + new_count))
		return;
	error = vm_remap(address_of(page), count * PAGE_BYTES, new_count * PAGE_BYTES, true, true,
		address_of(to), &result);
	if (error == -LINUX_EFAULT)
		return;
	if (error != 0) {
		/* The target may have been unmapped already, as on Linux: make it so. */
		while (vm_unmap(address_of(to), new_count * PAGE_BYTES) != 0)
			;
		for (uint64_t i = to; i < to + new_count; i++)
			model[i] = (struct model_page){0};
		if (new_count < count) {
			while (vm_unmap(address_of(page + new_count),
				       (count - new_count) * PAGE_BYTES) != 0)
				;
			for (uint64_t i = page + new_count; i < page + count; i++)
				model[i] = (struct model_page){0};
		}
		return;
	}
	CHECK_EQUAL(result, address_of(to));
	CHECK(model_is_mapped(page, MIN(count, new_count)));
	for (uint64_t i = 0; i < new_count; i++) {
		if (i < count) {
			moved[i] = model[page + i];
			continue;
		}
		moved[i] = (struct model_page){.mapped = true,
			.protection = model[page].protection,
			.source = model[page].source,
			.offset_page = model[page].offset_page + i};
		moved[i].from_file = moved[i].source != NULL;
		if (moved[i].source != NULL)
			moved[i].value = (uint8_t)source_byte(moved[i].offset_page);
	}
	for (uint64_t i = page; i < page + count; i++)
		model[i] = (struct model_page){0};
	memcpy(&model[to], moved, new_count * sizeof(moved[0]));
}

static void model_access(bool may_fail)
{
	uint64_t page = random_page();
	struct model_page *expected = &model[page];
	uintptr_t address = address_of(page) + (uintptr_t)random() % PAGE_BYTES;
	uint8_t value = (uint8_t)random();
	enum vm_fault_result wanted = VM_FAULT_SERVED, result;
	bool write = random() % 2;
	uint8_t *byte = access_page(address, write ? PAGE_WRITE : PAGE_READ, &result);

	if (!expected->mapped)
		wanted = VM_FAULT_NO_MAPPING;
	else if (write ? !(expected->protection & PAGE_WRITE) : expected->protection == 0)
		wanted = VM_FAULT_PROTECTION;
	else if (expected->source != NULL && expected->offset_page >= FILE_PAGES)
		wanted = VM_FAULT_BUS;
	if (may_fail && result == VM_FAULT_NO_MEMORY)
		return;
	CHECK_EQUAL(result, wanted);
	if (byte == NULL)
		return;
	CHECK_EQUAL(*byte, expected->value);
	if (write) {
		/* The whole page holds one value, so that any byte tells. */
		memset((void *)ALIGN_DOWN((uintptr_t)byte, PAGE_BYTES), value, PAGE_BYTES);
		expected->value = value;
		expected->from_file = false;
	}
}

static void run_model(unsigned seed, int steps, uint32_t failure_period)
{
	struct test_source *source;
	uint64_t dangling;

	memset(model, 0, sizeof(model));
	srandom(seed);
	start(48 * MIB);
	source = source_create(FILE_PAGES * PAGE_BYTES);
	for (int step = 0; step < steps; step++) {
		long choice = random() % 100;

		if (failure_period != 0) {
			heap_inject_failures(random() % 2 ? failure_period : 0);
			fake_page_table_inject_failures(random() % 2 ? failure_period : 0);
		}
		if (choice < 8)
			model_map(NULL);
		else if (choice < 12)
			model_map(source);
		else if (choice < 17)
			model_unmap();
		else if (choice < 25)
			model_protect(failure_period != 0);
		else if (choice < 35)
			model_advise(failure_period != 0);
		else if (choice < 38)
			model_remap();
		else
			model_access(failure_period != 0);
		CHECK(fake_page_table_is_flushed());
		dangling = resident_pages();
		CHECK(dangling <= ARENA_PAGES);
	}
	heap_inject_failures(0);
	fake_page_table_inject_failures(0);
	CHECK_EQUAL(vm_unmap(0, USER_END), 0);
	source_destroy(source);
	stop();
}

TEST(random_sequences_agree_with_a_model)
{
	for (unsigned seed = 1; seed <= 6; seed++)
		run_model(seed, 4000, 0);
}

TEST(random_sequences_survive_failures)
{
	for (unsigned seed = 100; seed <= 106; seed++)
		run_model(seed, 4000, 5);
}

TEST_DEFINE_MAIN
