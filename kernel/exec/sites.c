/*
 * Rewriting system call sites into calls.
 *
 * Each site becomes `call stub`, padded with a no-op up to the end of its `syscall`
 * instruction, so that the return address predicts well. A stub per system call
 * number loads the number and jumps to the kernel's entry through a pointer at the
 * start of the stub page. All stubs of a program fit in one page near its text.
 */
#include "kernel/exec/exec.h"

#include "abi/linux/errno.h"
#include "kernel/log.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "lib/string.h"

extern const char entry_call[];

#define STUB_BYTES 16
#define CALL_BYTES 5
#define MAX_STUBS  (PAGE_BYTES / STUB_BYTES - 1)
#define REACH      (1ull << 30) /* of a call, with room to spare */
#define MAX_COPIES 64           /* pages of text that hold sites */

struct rewriting {
	struct exec_image *image;
	uint8_t *stub_page; /* kernel's view */
	uint64_t stub_address;
	uint32_t stub_count;
	uint64_t stub_keys[MAX_STUBS]; /* kind << 32 | number */
	uint64_t copy_address[MAX_COPIES];
	uint8_t *copies[MAX_COPIES];
	uint32_t copy_count;
};

static struct rewriting rewriting; /* too large for a stack; used once */

struct pattern {
	uint8_t length;   /* bytes replaced, `syscall` included */
	uint8_t fixed[7]; /* first bytes, without an immediate */
	uint8_t fixed_count;
};

static const struct pattern *pattern_of(uint32_t kind)
{
	static const struct pattern mov_eax = {7, {0xb8}, 1};
	static const struct pattern mov_rax = {9, {0x48, 0xc7, 0xc0}, 3};
	static const struct pattern syscall6 = {5, {0x48, 0x89, 0xdf}, 3};
	static const struct pattern no_error = {7, {0x48, 0x8b, 0x44, 0x24, 0x08}, 5};

	switch (kind) {
	case SITE_MOV_EAX:
		return &mov_eax;
	case SITE_MOV_RAX:
		return &mov_rax;
	case SITE_SYSCALL6:
		return &syscall6;
	case SITE_NO_ERROR:
		return &no_error;
	}
	return NULL;
}

static bool site_matches(
	const struct pattern *pattern, const struct syscall_site *site, const uint8_t *code)
{
	if (memcmp(code, pattern->fixed, pattern->fixed_count) != 0)
		return false;
	if (code[pattern->length - 2] != 0x0f || code[pattern->length - 1] != 0x05)
		return false;
	if (site->kind == SITE_MOV_EAX || site->kind == SITE_MOV_RAX)
		return memcmp(code + pattern->fixed_count, &site->number, sizeof(site->number)) ==
		       0;
	return true;
}

/* What the replaced instructions did, then the jump. */
static void write_stub(uint8_t *stub, uint32_t index, const struct syscall_site *site)
{
	static const uint8_t move_argument[] = {0x48, 0x89, 0xdf};           /* mov %rbx,%rdi */
	static const uint8_t load_number[] = {0x48, 0x8b, 0x44, 0x24, 0x10}; /* mov 16(%rsp),%rax */
	uint8_t *at = stub;

	if (site->kind == SITE_SYSCALL6) {
		memcpy(at, move_argument, sizeof(move_argument));
		at += sizeof(move_argument);
	} else if (site->kind == SITE_NO_ERROR) {
		memcpy(at, load_number, sizeof(load_number));
		at += sizeof(load_number);
	} else {
		*at++ = 0xb8;
		memcpy(at, &site->number, sizeof(site->number));
		at += sizeof(site->number);
	}
	/* jmp *pointer(%rip), the pointer being the first word of the page */
	*at++ = 0xff;
	*at++ = 0x25;
	int32_t distance = -(int32_t)((index + 1) * STUB_BYTES + (uint32_t)(at - stub) + 4);
	memcpy(at, &distance, sizeof(distance));
}

/* Address of the stub for this site; 0 when the page is full. */
static uint64_t stub_for(struct rewriting *r, const struct syscall_site *site)
{
	uint64_t key = (uint64_t)site->kind << 32;

	if (site->kind == SITE_MOV_EAX || site->kind == SITE_MOV_RAX)
		key = (uint64_t)SITE_MOV_EAX << 32 | site->number;
	uint32_t i = 0;
	while (i < r->stub_count && r->stub_keys[i] != key)
		i++;
	if (i == MAX_STUBS)
		return 0;
	if (i == r->stub_count) {
		r->stub_keys[i] = key;
		write_stub(r->stub_page + (i + 1) * STUB_BYTES, i, site);
		r->stub_count++;
	}
	return r->stub_address + (i + 1) * STUB_BYTES;
}

/* The private copy of the page at `address` of the segment; NULL: no memory. */
static uint8_t *copy_page(struct rewriting *r, const struct elf_segment *segment, uint64_t address)
{
	for (uint32_t i = 0; i < r->copy_count; i++) {
		if (r->copy_address[i] == address)
			return r->copies[i];
	}
	struct phys page;
	if (r->copy_count == MAX_COPIES || !page_alloc(1, 0, &page))
		return NULL;
	uint64_t offset = ALIGN_DOWN(segment->offset, PAGE_BYTES) +
			  (address - ALIGN_DOWN(r->image->base + segment->address, PAGE_BYTES));
	uint64_t bytes = MIN(PAGE_BYTES, r->image->file_bytes - offset);
	uint8_t *copy = platform_phys_to_virt(page);
	memcpy(copy, r->image->file + offset, bytes);
	memset(copy + bytes, 0, PAGE_BYTES - bytes);
	if (vm_place(address, page, PAGE_BYTES, segment->rights, true) != 0) {
		page_free(page, 1);
		return NULL;
	}
	r->copy_address[r->copy_count] = address;
	r->copies[r->copy_count++] = copy;
	return copy;
}

static bool rewrite_site(struct rewriting *r, const struct syscall_site *site)
{
	static const uint8_t no_op2[2] = {0x66, 0x90};
	static const uint8_t no_op4[4] = {0x0f, 0x1f, 0x40, 0x00};
	const struct pattern *pattern = pattern_of(site->kind);

	if (pattern == NULL)
		return false;
	const struct elf_segment *segment =
		elf_segment_at(&r->image->elf, site->address, pattern->length);
	if (segment == NULL || !(segment->rights & PAGE_EXECUTE))
		return false;
	const uint8_t *code = r->image->file + segment->offset + (site->address - segment->address);
	if (!site_matches(pattern, site, code))
		return false;

	uint64_t address = r->image->base + site->address;
	uint64_t target = stub_for(r, site);
	uint8_t bytes[16] = {0xe8};
	int32_t distance = (int32_t)(target - (address + CALL_BYTES));
	if (target == 0)
		return false;
	memcpy(bytes + 1, &distance, sizeof(distance));
	uint32_t padding = pattern->length - CALL_BYTES;
	memcpy(bytes + CALL_BYTES, padding == 4 ? no_op4 : no_op2, padding);

	for (uint32_t i = 0; i < pattern->length; i++) {
		uint8_t *copy = copy_page(r, segment, ALIGN_DOWN(address + i, PAGE_BYTES));
		if (copy == NULL)
			return false;
		copy[(address + i) % PAGE_BYTES] = bytes[i];
	}
	return true;
}

/* A page for the stubs within reach of all of the text. */
static int make_stub_page(struct rewriting *r)
{
	uint64_t lowest = r->image->base + r->image->elf.lowest;
	uint64_t highest = r->image->base + r->image->elf.highest;
	struct phys page;
	uintptr_t address = lowest - 16 * PAGE_BYTES;
	int error;

	if (highest - lowest > REACH)
		return -LINUX_E2BIG;
	if (lowest < ELF_LOWEST_ADDRESS + 16 * PAGE_BYTES)
		address = highest + 16 * PAGE_BYTES;
	error = vm_map(address, PAGE_BYTES, PAGE_READ | PAGE_EXECUTE, VM_FIXED | VM_NO_REPLACE,
		NULL, 0, "[system calls]", &address);
	if (error != 0)
		return error;
	if (!page_alloc(1, PAGE_ALLOC_ZERO, &page))
		return -LINUX_ENOMEM;
	error = vm_place(address, page, PAGE_BYTES, PAGE_READ | PAGE_EXECUTE, true);
	if (error != 0)
		return error;
	r->stub_page = platform_phys_to_virt(page);
	r->stub_address = address;
	uint64_t entry = (uint64_t)(uintptr_t)entry_call;
	memcpy(r->stub_page, &entry, sizeof(entry));
	return 0;
}

int exec_rewrite_sites(struct exec_image *image, const struct syscall_site *sites, size_t count)
{
	struct rewriting *r = &rewriting;
	size_t done = 0;

	if (count == 0)
		return 0;
	r->image = image;
	int error = make_stub_page(r);
	if (error != 0)
		return error;
	for (size_t i = 0; i < count; i++) {
		struct syscall_site site = sites[i];
		done += rewrite_site(r, &site);
	}
	log_verbose("%zu of %zu system call sites are direct calls", done, count);
	return 0;
}
