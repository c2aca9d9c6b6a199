/*
 * Mapping the vDSO: one page of data, shared with the kernel's clock, followed by the
 * image that kernel/vdso/ builds. Both lie in the kernel's own image.
 */
#include "kernel/exec/exec.h"

#include "abi/kernel_image.h"
#include "abi/linux/errno.h"
#include "kernel/mm/vm.h"
#include "kernel/sched/clock.h"

extern const char vdso_image_start[], vdso_image_end[];
extern const char entry_call[];

static struct phys phys_of_image(const void *address)
{
	uint64_t offset = (uint64_t)(uintptr_t)address - KERNEL_VIRT_BASE;

	return (struct phys){platform_boot_info()->kernel_base + offset};
}

int exec_map_vdso(uintptr_t *address)
{
	struct vdso_data *data = clock_vdso_data();
	uint64_t image_bytes = ALIGN_UP((uint64_t)(vdso_image_end - vdso_image_start), PAGE_BYTES);
	uintptr_t start;
	int error;

	data->system_call = (uint64_t)(uintptr_t)entry_call;
	error = vm_map(0, PAGE_BYTES + image_bytes, PAGE_READ | PAGE_EXECUTE, VM_NO_HUGE, NULL, 0,
		"[vdso]", &start);
	if (error != 0)
		return error;
	error = vm_place(start, phys_of_image(data), PAGE_BYTES, PAGE_READ, false);
	if (error == 0)
		error = vm_place(start + PAGE_BYTES, phys_of_image(vdso_image_start), image_bytes,
			PAGE_READ | PAGE_EXECUTE, false);
	*address = start + PAGE_BYTES;
	return error;
}
