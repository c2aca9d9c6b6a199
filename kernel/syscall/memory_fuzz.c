/*
 * Fuzzes the memory system calls and the page faults between them: any numbers as
 * arguments, tables and heap failing at times. At the end everything can be unmapped
 * and no page, area or reference is left.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/linux/errno.h"
#include "abi/linux/mman.h"
#include "arch/host/fake_memory.h"
#include "arch/host/fake_page_table.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/syscall/prototypes.h"

#define MEMORY_BYTES (24ull << 20)
#define FILE_PAGES   700

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct input {
	const uint8_t *data;
	size_t bytes;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* ---- one file, descriptor 3 -------------------------------------------------- */

static struct phys file_pages[FILE_PAGES];
static int source_references, file_references;

static int get_page(
	struct page_source *source, uint64_t offset, bool write, struct phys *phys, bool *read_only)
{
	(void)source;
	require(source_references > 0 && (offset & (PAGE_BYTES - 1)) == 0);
	if (offset / PAGE_BYTES >= FILE_PAGES)
		return -LINUX_EFAULT;
	*read_only = !write;
	*phys = file_pages[offset / PAGE_BYTES];
	return 0;
}

static void mark_dirty(struct page_source *source, uint64_t offset)
{
	(void)source;
	require(offset / PAGE_BYTES < FILE_PAGES);
}

static int sync_source(struct page_source *source, uint64_t offset, uint64_t length)
{
	(void)source, (void)offset, (void)length;
	return 0;
}

static void acquire(struct page_source *source)
{
	(void)source;
	source_references++;
}

static void release(struct page_source *source)
{
	(void)source;
	require(source_references-- > 0);
}

static const struct page_source_ops source_ops = {
	.get_page = get_page,
	.mark_dirty = mark_dirty,
	.sync = sync_source,
	.acquire = acquire,
	.release = release,
};
static struct page_source source = {.ops = &source_ops};

static struct page_source *source_of_file(struct file *file)
{
	(void)file;
	return &source;
}

static const struct file_ops file_ops = {.page_source = source_of_file};
static struct file file = {.ops = &file_ops, .flags = 2};

struct file *fd_get(int fd)
{
	if (fd != 3)
		return NULL;
	file_references++;
	return &file;
}

void file_release(struct file *released)
{
	require(released == &file && file_references-- > 0);
}

/* ---- the processor ------------------------------------------------------------ */

static bool touch(uintptr_t address, bool write)
{
	for (int tries = 0; tries < 4; tries++) {
		struct platform_mapping mapping;

		if (address >= USER_END)
			return false;
		mapping = platform_lookup(address, NULL);
		if (mapping.bytes != 0 &&
			(mapping.protection & (write ? PAGE_WRITE : PAGE_READ)) != 0) {
			uint8_t *byte = (uint8_t *)platform_phys_to_virt(mapping.phys) +
					(address & (mapping.bytes - 1));

			if (write)
				*byte = 0xff;
			return true;
		}
		if (vm_fault(address, write ? 2 : 0, false) != VM_FAULT_SERVED)
			return false;
	}
	abort();
}

int user_copy_out(uintptr_t dst, const void *src, size_t bytes)
{
	(void)src;
	for (size_t i = 0; i < bytes; i++) {
		if (!touch(dst + i, true))
			return -LINUX_EFAULT;
	}
	return 0;
}

/* No page may be freed while a vcpu can still reach it. */
void __real_page_free(struct phys phys, uint32_t count);
void __wrap_page_free(struct phys phys, uint32_t count);

void __wrap_page_free(struct phys phys, uint32_t count)
{
	require(!fake_page_table_may_be_stale(phys, count));
	__real_page_free(phys, count);
}

/* ---- input ----------------------------------------------------------------------- */

static uint8_t take_byte(struct input *input)
{
	if (input->bytes == 0)
		return 0;
	input->bytes--;
	return *input->data++;
}

/* Small numbers, addresses in a small arena, edges, and anything. */
static uint64_t take_number(struct input *input)
{
	static const uint64_t edges[] = {0, 4095, 4096, 8192, 2 << 20, 1ull << 40, USER_END,
		USER_END - 4096, USER_START, UINT64_MAX, UINT64_MAX - 4095, 1ull << 63};
	uint64_t kind = take_byte(input), value = take_byte(input);

	switch (kind % 8) {
	case 0:
		return value;
	case 1:
		return edges[value % ARRAY_SIZE(edges)];
	case 2:
		value = value << 8 | take_byte(input);
		return value << 32 | value << 13 | take_byte(input);
	case 3:
		return value * PAGE_BYTES;
	case 4:
		return 0x40000000 + (value * 256 + take_byte(input)) % 4096 * PAGE_BYTES;
	case 5:
		return 0x40000000 + value % 8 * HUGE_PAGE_BYTES;
	case 6:
		return value % 16 * HUGE_PAGE_BYTES + value / 16 * PAGE_BYTES;
	default:
		return 0x40000000 + value * 64;
	}
}

static void call(struct input *input)
{
	uint8_t which = take_byte(input);
	uint64_t a = take_number(input), b = take_number(input), c, d;

	switch (which % 14) {
	case 0:
	case 1:
		c = take_byte(input);
		d = take_byte(input);
		d = d << 13 | (take_byte(input) & 0x7f);
		sys_mmap(a, b, c & 7, d | (which & 0x80 ? LINUX_MAP_FIXED : 0),
			which & 0x40 ? 3 : 9, take_number(input));
		break;
	case 2:
		sys_munmap(a, b);
		break;
	case 3:
		sys_mprotect(a, b, take_byte(input));
		break;
	case 4:
		c = take_number(input);
		sys_mremap(a, b, c, take_byte(input), take_number(input));
		break;
	case 5:
	case 6:
		sys_madvise(a, b, take_byte(input) % 28);
		break;
	case 7:
		sys_brk(a);
		break;
	case 8:
		sys_mincore(a, MIN(b, 1ull << 24), take_number(input));
		break;
	case 9:
		sys_msync(a, b, take_byte(input));
		sys_mlock(a, MIN(b, 1ull << 24));
		break;
	case 10:
		vm_unmap_source(&source, a & ~(PAGE_BYTES - 1), b);
		break;
	case 11:
		heap_inject_failures(take_byte(input) % 4);
		fake_page_table_inject_failures(take_byte(input) % 4);
		break;
	default:
		for (uint64_t i = 0; i < b % 64; i++)
			touch(a + i * PAGE_BYTES, which & 0x80);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct input input = {data, bytes};
	struct page_counts before, after;
	struct vm_counts counts;

	srandom(1);
	fake_memory_start(0, MEMORY_BYTES, true);
	fake_page_table_reset();
	vm_init();
	vm_set_break_start(0x10000000);
	list_init(&source.areas);
	for (int i = 0; i < FILE_PAGES; i++)
		require(page_alloc(1, PAGE_ALLOC_ZERO, &file_pages[i]));
	page_alloc_counts(&before);
	while (input.bytes > 0) {
		call(&input);
		require(fake_page_table_is_flushed() && file_references == 0);
	}
	heap_inject_failures(0);
	fake_page_table_inject_failures(0);
	require(vm_unmap(0, USER_END) == 0);
	vm_counts(&counts);
	page_alloc_counts(&after);
	require(counts.area_count == 0 && counts.mapped_bytes == 0 && counts.resident_bytes == 0);
	require(fake_page_table_mapped_pages() == 0 && heap_live_count() == 0);
	require(source_references == 0 && list_is_empty(&source.areas));
	require(after.free_pages == before.free_pages);
	fake_page_table_reset();
	return 0;
}
