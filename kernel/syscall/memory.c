/*
 * Memory: mmap(2), munmap, mprotect, mremap, madvise, brk, mincore, msync, mlock.
 *
 * Checks come in the order in which Linux makes them, for programs that compare.
 * Memory is never swapped out, so locking it means to have it present: mlock brings
 * the range in, mlockall has nothing to keep.
 */
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/prototypes.h"

#include "abi/linux/fcntl.h"
#include "abi/linux/mman.h"
#include "kernel/fs/file.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"

#define PROTECTION_BITS (LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC)
#define MINCORE_PAGES   256

static uint32_t vm_flags_of(uint64_t flags)
{
	uint32_t vm_flags = 0;

	if ((flags & LINUX_MAP_FIXED) != 0)
		vm_flags |= VM_FIXED;
	if ((flags & LINUX_MAP_FIXED_NOREPLACE) != 0)
		vm_flags |= VM_NO_REPLACE;
	if ((flags & LINUX_MAP_32BIT) != 0)
		vm_flags |= VM_LOW;
	if ((flags & LINUX_MAP_NORESERVE) != 0)
		vm_flags |= VM_NO_RESERVE;
	if ((flags & LINUX_MAP_LOCKED) != 0 ||
		(flags & (LINUX_MAP_POPULATE | LINUX_MAP_NONBLOCK)) == LINUX_MAP_POPULATE)
		vm_flags |= VM_POPULATE;
	return vm_flags;
}

/* The errors that Linux finds before it looks at the kind of mapping. */
static int check_range(uint64_t address, uint64_t bytes, uint64_t flags, uint64_t offset)
{
	bool fixed = (flags & (LINUX_MAP_FIXED | LINUX_MAP_FIXED_NOREPLACE)) != 0;
	struct vm_area_info area;

	if (bytes == 0)
		return -LINUX_EINVAL;
	if (bytes > UINT64_MAX - PAGE_BYTES)
		return -LINUX_ENOMEM;
	bytes = ALIGN_UP(bytes, PAGE_BYTES);
	if ((offset >> PAGE_SHIFT) + (bytes >> PAGE_SHIFT) < offset >> PAGE_SHIFT)
		return -LINUX_EOVERFLOW;
	if (bytes > USER_END)
		return -LINUX_ENOMEM;
	if (fixed && !user_range_ok(address, bytes))
		return -LINUX_ENOMEM;
	if (fixed && (address & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if ((flags & LINUX_MAP_FIXED_NOREPLACE) != 0 && vm_next_area(address, &area) &&
		area.start < address + bytes)
		return -LINUX_EEXIST;
	return 0;
}

static long map_anonymous(uint64_t address, uint64_t bytes, int protection, uint64_t flags)
{
	uint64_t type = flags & LINUX_MAP_TYPE;
	uint32_t vm_flags = vm_flags_of(flags);
	uintptr_t result;
	int error;

	if ((flags & LINUX_MAP_HUGETLB) != 0)
		return -LINUX_ENOMEM; /* there is no pool of huge pages */
	if ((type != LINUX_MAP_SHARED && type != LINUX_MAP_PRIVATE) ||
		(type == LINUX_MAP_SHARED && (flags & LINUX_MAP_GROWSDOWN) != 0))
		return -LINUX_EINVAL;
	if (type == LINUX_MAP_SHARED)
		vm_flags |= VM_SHARED;
	error = vm_map(address, bytes, protection, vm_flags, NULL, 0, NULL, &result);
	return error != 0 ? error : (long)result;
}

/* Contents end where positions do: at 2^63 in regular files, at 2^64 in others. */
static bool ends_too_far(const struct file *file, uint64_t bytes, uint64_t offset)
{
	bool regular = file->vnode != NULL && LINUX_S_ISTYPE(file->vnode->mode, LINUX_S_IFREG);
	uint64_t most = regular ? INT64_MAX : UINT64_MAX;

	bytes = ALIGN_UP(bytes, PAGE_BYTES);
	return bytes > most || offset >> PAGE_SHIFT > (most - bytes) >> PAGE_SHIFT;
}

static int check_file(const struct file *file, int protection, uint64_t flags)
{
	uint64_t type = flags & LINUX_MAP_TYPE;

	if (type == LINUX_MAP_SHARED_VALIDATE && (flags & ~(uint64_t)LINUX_MAP_LEGACY) != 0)
		return -LINUX_EOPNOTSUPP;
	if (type != LINUX_MAP_PRIVATE && type != LINUX_MAP_SHARED &&
		type != LINUX_MAP_SHARED_VALIDATE)
		return -LINUX_EINVAL;
	if (type != LINUX_MAP_PRIVATE && (protection & LINUX_PROT_WRITE) != 0 &&
		!file_is_writable(file))
		return -LINUX_EACCES;
	if (!file_is_readable(file))
		return -LINUX_EACCES;
	if (file->ops->page_source == NULL)
		return -LINUX_ENODEV;
	return (flags & LINUX_MAP_GROWSDOWN) != 0 ? -LINUX_EINVAL : 0;
}

static long map_file(struct file *file, uint64_t address, uint64_t bytes, int protection,
	uint64_t flags, uint64_t offset)
{
	uint32_t vm_flags = vm_flags_of(flags);
	struct page_source *source;
	uintptr_t result;
	int error = ends_too_far(file, bytes, offset) ? -LINUX_EOVERFLOW
						      : check_file(file, protection, flags);

	if (error != 0)
		return error;
	if ((flags & LINUX_MAP_TYPE) != LINUX_MAP_PRIVATE) {
		vm_flags |= VM_SHARED;
		if (!file_is_writable(file))
			vm_flags |= VM_NEVER_WRITE;
	}
	source = file->ops->page_source(file);
	if (source == NULL)
		return -LINUX_ENODEV;
	error = vm_map(address, bytes, protection, vm_flags, source, offset, NULL, &result);
	return error != 0 ? error : (long)result;
}

long sys_mmap(uint64_t address, uint64_t bytes, uint64_t protection, uint64_t flags, uint64_t fd,
	uint64_t offset)
{
	int bits = (int)(protection & PROTECTION_BITS);
	struct file *file;
	long result;

	flags = (uint32_t)flags;
	if ((offset & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if ((flags & LINUX_MAP_ANONYMOUS) != 0) {
		result = check_range(address, bytes, flags, offset);
		return result != 0 ? result : map_anonymous(address, bytes, bits, flags);
	}
	file = fd_get((int)fd);
	if (file == NULL)
		return -LINUX_EBADF;
	if ((file->flags & 010000000) != 0) /* O_PATH */
		result = -LINUX_EBADF;
	else if ((flags & LINUX_MAP_HUGETLB) != 0)
		result = -LINUX_EINVAL;
	else
		result = check_range(address, bytes, flags, offset);
	if (result == 0)
		result = map_file(file, address, bytes, bits, flags, offset);
	file_release(file);
	return result;
}

long sys_munmap(uint64_t address, uint64_t bytes)
{
	return vm_unmap(address, bytes);
}

/* No mapping grows; but Linux looks for one before it says so. */
static long refuse_growing(uintptr_t start, uintptr_t end, bool upwards)
{
	struct vm_area_info area;

	if (!vm_next_area(start, &area) || area.start >= end || (upwards && area.start > start))
		return -LINUX_ENOMEM;
	return -LINUX_EINVAL;
}

long sys_mprotect(uint64_t address, uint64_t bytes, uint64_t protection)
{
	uint64_t grows = protection & (LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP);

	protection &= ~grows;
	if (grows == (LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP) ||
		(address & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if (bytes == 0)
		return 0;
	if (ALIGN_UP(bytes, PAGE_BYTES) == 0 || address + ALIGN_UP(bytes, PAGE_BYTES) <= address)
		return -LINUX_ENOMEM;
	if ((protection & ~(uint64_t)(PROTECTION_BITS | LINUX_PROT_SEM)) != 0)
		return -LINUX_EINVAL;
	if (grows != 0)
		return refuse_growing(address, address + ALIGN_UP(bytes, PAGE_BYTES),
			grows == LINUX_PROT_GROWSUP);
	return vm_protect(address, bytes, (int)(protection & PROTECTION_BITS));
}

long sys_brk(uint64_t wanted)
{
	return (long)vm_break(wanted);
}

long sys_mremap(uint64_t address, uint64_t old_bytes, uint64_t new_bytes, uint64_t flags,
	uint64_t new_address)
{
	uintptr_t result;
	int error;

	/* MREMAP_DONTUNMAP came with Linux 5.7; programs cope with EINVAL. */
	if ((flags & ~(uint64_t)(LINUX_MREMAP_MAYMOVE | LINUX_MREMAP_FIXED)) != 0 ||
		(flags & (LINUX_MREMAP_MAYMOVE | LINUX_MREMAP_FIXED)) == LINUX_MREMAP_FIXED)
		return -LINUX_EINVAL;
	error = vm_remap(address, old_bytes, new_bytes, (flags & LINUX_MREMAP_MAYMOVE) != 0,
		(flags & LINUX_MREMAP_FIXED) != 0, new_address, &result);
	return error != 0 ? error : (long)result;
}

long sys_madvise(uint64_t address, uint64_t bytes, uint64_t advice)
{
	return vm_advise(address, bytes, (int)advice);
}

long sys_msync(uint64_t address, uint64_t bytes, uint64_t flags)
{
	flags = (uint32_t)flags;
	if ((flags & ~(uint64_t)(LINUX_MS_ASYNC | LINUX_MS_INVALIDATE | LINUX_MS_SYNC)) != 0)
		return -LINUX_EINVAL;
	if ((flags & (LINUX_MS_ASYNC | LINUX_MS_SYNC)) == (LINUX_MS_ASYNC | LINUX_MS_SYNC))
		return -LINUX_EINVAL;
	return vm_sync(address, bytes, (flags & LINUX_MS_SYNC) != 0);
}

long sys_mincore(uint64_t address, uint64_t bytes, uint64_t vector)
{
	uint8_t present[MINCORE_PAGES];
	struct vm_area_info area;
	uint64_t pages;

	if ((address & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if (!user_range_ok(address, bytes))
		return -LINUX_ENOMEM;
	pages = ALIGN_UP(bytes, PAGE_BYTES) >> PAGE_SHIFT;
	if (!user_range_ok(vector, pages))
		return -LINUX_EFAULT;
	while (pages > 0) {
		uint64_t here = MIN(pages, (uint64_t)MINCORE_PAGES);
		int error;

		/* An area at a time: what comes before a hole is reported. */
		if (!vm_next_area(address, &area) || area.start > address)
			return -LINUX_ENOMEM;
		here = MIN(here, (area.end - address) >> PAGE_SHIFT);
		error = vm_resident(address, here << PAGE_SHIFT, present);
		if (error == 0)
			error = user_copy_out(vector, present, here);
		if (error != 0)
			return error;
		address += here << PAGE_SHIFT;
		vector += here;
		pages -= here;
	}
	return 0;
}

/* ---- locking --------------------------------------------------------------- */

/* Rounds to pages as mlock does. -EINVAL, or 0 with *end == *start for nothing. */
static int lock_range(uint64_t address, uint64_t bytes, uintptr_t *start, uintptr_t *end)
{
	bytes += address & (PAGE_BYTES - 1);
	bytes = ALIGN_UP(bytes, PAGE_BYTES);
	*start = ALIGN_DOWN(address, PAGE_BYTES);
	*end = *start + bytes;
	return *end < *start ? -LINUX_EINVAL : 0;
}

/* Goes over the areas of the range, and faults them in if asked. -ENOMEM: a hole. */
static long lock_areas(uint64_t address, uint64_t bytes, bool populate)
{
	struct vm_area_info area;
	uintptr_t start, end;
	int error = lock_range(address, bytes, &start, &end);

	while (error == 0 && start < end) {
		uintptr_t piece_end;
		bool write;

		if (!vm_next_area(start, &area) || area.start > start)
			return -LINUX_ENOMEM;
		piece_end = MIN(area.end, end);
		write = (area.protection & PAGE_WRITE) != 0 && (area.flags & VM_SHARED) == 0;
		if (populate &&
			vm_advise(start, piece_end - start,
				write ? LINUX_MADV_POPULATE_WRITE : LINUX_MADV_POPULATE_READ) != 0)
			return -LINUX_ENOMEM;
		start = piece_end;
	}
	return error;
}

long sys_mlock(uint64_t address, uint64_t bytes)
{
	return lock_areas(address, bytes, true);
}

long sys_mlock2(uint64_t address, uint64_t bytes, uint64_t flags)
{
	if (((uint32_t)flags & ~(uint32_t)LINUX_MLOCK_ONFAULT) != 0)
		return -LINUX_EINVAL;
	return lock_areas(address, bytes, ((uint32_t)flags & LINUX_MLOCK_ONFAULT) == 0);
}

long sys_munlock(uint64_t address, uint64_t bytes)
{
	return lock_areas(address, bytes, false);
}

long sys_mlockall(uint64_t flags)
{
	flags = (uint32_t)flags;
	if (flags == 0 || flags == LINUX_MCL_ONFAULT ||
		(flags & ~(uint64_t)(LINUX_MCL_CURRENT | LINUX_MCL_FUTURE | LINUX_MCL_ONFAULT)) !=
			0)
		return -LINUX_EINVAL;
	return 0;
}

long sys_munlockall(void)
{
	return 0;
}
