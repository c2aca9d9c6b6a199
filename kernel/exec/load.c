/*
 * Segments of the program. Its file lies in guest memory as a module; text and
 * read-only data are mapped from there, never copied, and so shared with whoever
 * maps the same file on the host. Writable data is copied when the program starts:
 * the file itself stays as it is for whoever reads /proc/self/exe.
 */
#include "kernel/exec/exec.h"

#include "abi/elf.h"
#include "abi/linux/errno.h"
#include "abi/linux/mman.h"
#include "kernel/mm/page_source.h"
#include "kernel/log.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "lib/string.h"

/* Data up to this size is copied or cleared at once: cheaper than its faults. */
#define EAGER_BYTES (256 * 1024)

struct module_source {
	struct page_source source;
	struct phys base;
	uint64_t bytes;
	const char *path;
};

static struct module_source program_source;

static int module_get_page(
	struct page_source *source, uint64_t offset, bool write, struct phys *phys, bool *read_only)
{
	struct module_source *module = CONTAINER_OF(source, struct module_source, source);

	(void)write;
	if (offset >= module->bytes)
		return -LINUX_EFAULT;
	*phys = (struct phys){module->base.raw + offset};
	*read_only = true;
	return 0;
}

static void module_mark_dirty(struct page_source *source, uint64_t offset)
{
	(void)source;
	(void)offset;
}

static int module_sync(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	(void)source;
	(void)offset;
	(void)bytes;
	return 0;
}

static void module_keep(struct page_source *source)
{
	(void)source;
}

static void module_describe(
	struct page_source *source, char *buffer, size_t capacity, uint64_t *inode)
{
	struct module_source *module = CONTAINER_OF(source, struct module_source, source);
	size_t length = strnlen(module->path, capacity - 1);

	memcpy(buffer, module->path, length);
	buffer[length] = '\0';
	*inode = 1;
}

static const struct page_source_ops module_ops = {
	.get_page = module_get_page,
	.mark_dirty = module_mark_dirty,
	.sync = module_sync,
	.acquire = module_keep,
	.release = module_keep,
	.describe = module_describe,
};

static int map_anonymous(uint64_t start, uint64_t end, int rights)
{
	uintptr_t result;
	int error;

	if (start >= end)
		return 0;
	error = vm_map(start, end - start, rights, VM_FIXED, NULL, 0, NULL, &result);
	if (error == 0 && end - start <= EAGER_BYTES && (rights & PAGE_WRITE) != 0)
		error = vm_advise(start, end - start, LINUX_MADV_POPULATE_WRITE);
	return error;
}

/* Writable data: the part in the file is copied on write, what follows it is zero. */
static int load_writable_tail(
	const struct elf_segment *segment, uint64_t address, uint64_t file_start, uint64_t file_end)
{
	uint64_t data_end = address + segment->file_bytes;

	if (data_end < file_end && segment->memory_bytes > segment->file_bytes) {
		int error = user_zero(data_end, file_end - data_end);
		if (error != 0)
			return error;
	}
	if (file_end - file_start <= EAGER_BYTES)
		return vm_advise(file_start, file_end - file_start, LINUX_MADV_POPULATE_WRITE);
	return 0;
}

static int load_segment(const struct exec_image *image, const struct elf_segment *segment)
{
	uint64_t address = image->base + segment->address;
	uint64_t start = ALIGN_DOWN(address, PAGE_BYTES);
	uint64_t end = ALIGN_UP(address + segment->memory_bytes, PAGE_BYTES);
	uint64_t file_end = ALIGN_UP(address + segment->file_bytes, PAGE_BYTES);
	uint64_t offset = ALIGN_DOWN(segment->offset, PAGE_BYTES);
	uintptr_t result;
	int error;

	if (segment->file_bytes == 0)
		return map_anonymous(start, end, segment->rights);
	error = vm_map(start, file_end - start, segment->rights, VM_FIXED, &program_source.source,
		offset, NULL, &result);
	if (error != 0)
		return error;
	if (segment->rights & PAGE_WRITE)
		error = load_writable_tail(segment, address, start, file_end);
	else
		error = vm_advise(start, file_end - start, LINUX_MADV_POPULATE_READ);
	if (error != 0)
		return error;
	return map_anonymous(file_end, end, segment->rights);
}

static int relocate(const struct exec_image *image)
{
	for (uint64_t i = 0; i < image->elf.relocation_count; i++) {
		struct elf_rela rela;
		memcpy(&rela, image->file + image->elf.relocations_offset + i * sizeof(rela),
			sizeof(rela));
		uint64_t value = image->base + (uint64_t)rela.addend;
		int error = user_copy_out(image->base + rela.address, &value, sizeof(value));
		if (error != 0)
			return error;
	}
	return 0;
}

int exec_load_segments(struct exec_image *image)
{
	program_source = (struct module_source){
		.source = {.ops = &module_ops},
		.base = image->file_phys,
		.bytes = image->file_bytes,
		.path = exec_program_path(),
	};
	list_init(&program_source.source.areas);
	for (uint32_t i = 0; i < image->elf.segment_count; i++) {
		int error = load_segment(image, &image->elf.segments[i]);
		if (error != 0)
			return error;
	}
	const struct elf_segment *last = &image->elf.segments[image->elf.segment_count - 1];
	vm_set_break_start(ALIGN_UP(image->base + last->address + last->memory_bytes, PAGE_BYTES));
	return relocate(image);
}
