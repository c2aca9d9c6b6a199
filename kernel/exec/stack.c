/*
 * The first stack: arguments, environment and auxiliary vector, as the System V ABI
 * for x86-64 (section 3.4.1) lays them out and getauxval(3) names them.
 */
#include "kernel/exec/exec.h"

#include "abi/kernel_image.h"
#include "abi/linux/errno.h"
#include "arch/x86_64/trap_frame.h"
#include "kernel/arch.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/random.h"
#include "lib/string.h"

#define STACK_BYTES       (8ull << 20)
#define MAX_STRINGS_BYTES (STACK_BYTES / 4) /* as Linux: a quarter of the stack */
#define RANDOM_GAP_PAGES  16384
#define AUXILIARY_PAIRS   24

enum auxiliary_type {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_PLATFORM = 15,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_HWCAP2 = 26,
	AT_EXECFN = 31,
	AT_SYSINFO_EHDR = 33,
	AT_MINSIGSTKSZ = 51,
};

#define HWCAP2_FSGSBASE    2
#define SIGNAL_FRAME_BYTES 1024 /* all of a signal frame but the vector state */

static uint64_t auxiliary[AUXILIARY_PAIRS * 2];
static uint32_t auxiliary_words;

const void *exec_auxiliary_vector(size_t *bytes)
{
	*bytes = auxiliary_words * sizeof(auxiliary[0]);
	return auxiliary;
}

static void add_auxiliary(uint64_t type, uint64_t value)
{
	auxiliary[auxiliary_words++] = type;
	auxiliary[auxiliary_words++] = value;
}

static uint32_t cpuid_features(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return edx;
}

static void fill_auxiliary(const struct exec_image *image, uintptr_t vdso, uintptr_t random,
	uintptr_t platform, uintptr_t path)
{
	add_auxiliary(AT_SYSINFO_EHDR, vdso);
	add_auxiliary(AT_MINSIGSTKSZ, SIGNAL_FRAME_BYTES + arch_vector_bytes());
	add_auxiliary(AT_HWCAP, cpuid_features());
	add_auxiliary(AT_PAGESZ, PAGE_BYTES);
	add_auxiliary(AT_CLKTCK, 100);
	if (image->elf.program_headers_address != 0)
		add_auxiliary(AT_PHDR, image->base + image->elf.program_headers_address);
	add_auxiliary(AT_PHENT, 56);
	add_auxiliary(AT_PHNUM, image->elf.program_header_count);
	add_auxiliary(AT_BASE, 0);
	add_auxiliary(AT_FLAGS, 0);
	add_auxiliary(AT_ENTRY, image->base + image->elf.entry);
	add_auxiliary(AT_UID, 0);
	add_auxiliary(AT_EUID, 0);
	add_auxiliary(AT_GID, 0);
	add_auxiliary(AT_EGID, 0);
	add_auxiliary(AT_SECURE, 0);
	add_auxiliary(AT_RANDOM, random);
	add_auxiliary(AT_HWCAP2, HWCAP2_FSGSBASE);
	add_auxiliary(AT_EXECFN, path);
	add_auxiliary(AT_PLATFORM, platform);
	add_auxiliary(AT_NULL, 0);
}

static int map_stack(uintptr_t *top)
{
	uintptr_t bottom;
	uint64_t gap = random_below(RANDOM_GAP_PAGES) * PAGE_BYTES;
	int error = vm_map(0, STACK_BYTES + gap, PAGE_READ | PAGE_WRITE, VM_STACK | VM_NO_HUGE,
		NULL, 0, "[stack]", &bottom);

	if (error != 0)
		return error;
	*top = bottom + STACK_BYTES + gap;
	if (gap != 0)
		error = vm_unmap(bottom + STACK_BYTES, gap);
	*top = bottom + STACK_BYTES;
	return error;
}

/* Writes pointers to `count` consecutive strings that start at user address *at. */
static uint64_t *add_pointers(uint64_t *out, uint32_t count, uintptr_t *at, const char **string)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t bytes = strlen(*string) + 1;
		*out++ = *at;
		*at += bytes;
		*string += bytes;
	}
	*out++ = 0;
	return out;
}

int exec_build_stack(const struct exec_image *image, const struct boot_info *info, uintptr_t vdso,
	struct trap_frame *frame)
{
	static const char platform_name[] = "x86_64";
	const char *strings = platform_phys_to_virt((struct phys){info->strings});
	uint8_t random[16];
	uintptr_t top;
	int error;

	if (info->strings_bytes > MAX_STRINGS_BYTES)
		return -LINUX_E2BIG;
	error = map_stack(&top);
	if (error != 0)
		return error;

	/* From the top: strings, the platform's name, random bytes, then the vectors. */
	uintptr_t strings_at = top - ALIGN_UP(info->strings_bytes + 8, 16);
	uintptr_t platform_at = strings_at - 16;
	uintptr_t random_at = platform_at - 16;
	random_bytes(random, sizeof(random));
	error = user_copy_out(strings_at, strings, info->strings_bytes);
	if (error == 0)
		error = user_copy_out(platform_at, platform_name, sizeof(platform_name));
	if (error == 0)
		error = user_copy_out(random_at, random, sizeof(random));
	if (error != 0)
		return error;

	fill_auxiliary(image, vdso, random_at, platform_at, strings_at);
	size_t words = 1 + info->argument_count + 1 + info->environment_count + 1 + auxiliary_words;
	uint64_t *vectors = heap_alloc(words * sizeof(*vectors));
	if (vectors == NULL)
		return -LINUX_ENOMEM;
	uintptr_t rsp = ALIGN_DOWN(random_at - words * sizeof(*vectors), 16);
	uint64_t *out = vectors;
	const char *string = strings + strlen(strings) + 1;
	uintptr_t at = strings_at + strlen(strings) + 1;
	*out++ = info->argument_count;
	out = add_pointers(out, info->argument_count, &at, &string);
	out = add_pointers(out, info->environment_count, &at, &string);
	memcpy(out, auxiliary, auxiliary_words * sizeof(*out));
	error = user_copy_out(rsp, vectors, words * sizeof(*vectors));
	heap_free(vectors);

	*frame = (struct trap_frame){
		.vector = TRAP_SYSCALL_CALL,
		.rip = image->base + image->elf.entry,
		.rsp = rsp,
		.cs = SELECTOR_USER_CODE,
		.ss = SELECTOR_USER_DATA,
		.rflags = 0x202,
	};
	return error;
}
