/*
 * The program's address space: areas (VMAs), demand paging, and the calls behind
 * mmap(2), munmap, mprotect, mremap, madvise, brk, mincore, msync.
 *
 * There is one address space. `vm.lock` (a spin lock, rank 20) guards the tree of
 * areas and the page tables; it is dropped around clearing huge pages and around
 * anything that sleeps. Areas never hold frames for PROT_NONE ranges and cost
 * nothing per byte. Anonymous pages are owned by their page-table entry; file
 * pages are owned by the file's page cache (kernel/fs/vfs.h: struct page_source).
 *
 * W^X: a mapping is never writable and executable at once; asking for it is -EACCES.
 * Code made at run time is written first and then made executable with mprotect.
 * Overcommit follows Linux's heuristic: reservations are free, and only a writable
 * private mapping larger than the machine's whole memory is refused.
 */
#ifndef KERNEL_MM_VM_H
#define KERNEL_MM_VM_H

#include "lib/compiler.h"
#include "kernel/platform.h"

struct page_source; /* where file pages come from; kernel/mm/page_source.h */

enum vm_flags {
	VM_SHARED = 1u << 0,     /* MAP_SHARED */
	VM_FIXED = 1u << 1,      /* MAP_FIXED: replaces what is there */
	VM_NO_REPLACE = 1u << 2, /* MAP_FIXED_NOREPLACE: -EEXIST */
	VM_POPULATE = 1u << 3,
	VM_STACK = 1u << 4,      /* grows down no further than its start; for /proc maps */
	VM_NO_HUGE = 1u << 5,    /* MADV_NOHUGEPAGE */
	VM_HUGE = 1u << 6,       /* MADV_HUGEPAGE */
	VM_LOW = 1u << 7,        /* MAP_32BIT */
	VM_NO_RESERVE = 1u << 8, /* MAP_NORESERVE: no overcommit check */
	VM_NEVER_WRITE =
		1u << 9, /* shared, of a file opened read-only: mprotect(WRITE) is -EACCES */
};

void vm_init(void);

/* Maps anonymous memory (source NULL) or pages of `source` from `offset`. `hint` is
 * page-aligned. `name` (static string or NULL) shows in /proc/self/maps. Takes its
 * own reference on source. -ENOMEM, -EEXIST, -EINVAL, -EACCES. */
/* -EPERM: a fixed address below USER_START. */
int vm_map(uintptr_t hint, uint64_t bytes, int protection, uint32_t flags,
	struct page_source *source, uint64_t offset, const char *name, uintptr_t *result);
int vm_unmap(uintptr_t address, uint64_t bytes);
int vm_protect(uintptr_t address, uint64_t bytes, int protection);
int vm_remap(uintptr_t address, uint64_t old_bytes, uint64_t new_bytes, bool may_move, bool fixed,
	uintptr_t new_address, uintptr_t *result);
/* `advice`: the MADV_ numbers of Linux. DONTNEED and FREE really drop pages. */
int vm_advise(uintptr_t address, uint64_t bytes, int advice);
/* Maps pages that the kernel has made itself (rewritten text, the vDSO) inside an area,
 * in place of what is there; `owned` ones are freed with the area. The program has not
 * touched the range yet: nothing is flushed. -ENOMEM. */
int vm_place(uintptr_t address, struct phys phys, uint64_t bytes, int protection, bool owned);
/* One byte a page: bit 0 set if present. `vector` is kernel memory. */
int vm_resident(uintptr_t address, uint64_t bytes, uint8_t *vector);
int vm_sync(uintptr_t address, uint64_t bytes, bool wait);
/* brk(2): returns the resulting break; 0 asks. */
uintptr_t vm_break(uintptr_t wanted);
void vm_set_break_start(uintptr_t start);

enum vm_fault_result {
	VM_FAULT_SERVED,
	VM_FAULT_NO_MAPPING, /* SIGSEGV, SEGV_MAPERR */
	VM_FAULT_PROTECTION, /* SIGSEGV, SEGV_ACCERR */
	VM_FAULT_BUS,        /* SIGBUS, BUS_ADRERR: beyond the end of the file */
	VM_FAULT_NO_MEMORY,  /* the program ends with one clear line */
};

/* Serves a page fault; `error` is the CPU's error code. May sleep unless `atomic`
 * (then VM_FAULT_BUS for what would sleep). */
enum vm_fault_result vm_fault(uintptr_t address, uint64_t error, bool atomic);

/* The file behind `source` shrank or a page of it was replaced: drop all mappings
 * of [offset, +bytes). Called by the page cache, which then may free the pages. */
void vm_unmap_source(struct page_source *source, uint64_t offset, uint64_t bytes);
/* The same, but mappings stay, for reading: the next write to one asks the source again. */
void vm_protect_source(struct page_source *source, uint64_t offset, uint64_t bytes);

struct vm_area_info {
	uintptr_t start, end;
	int protection;
	uint32_t flags;
	uint64_t offset;
	struct page_source *source; /* a key to compare, not to use: it may be gone */
	const char *name;
};

/* The first area that ends above `address`; false if none. For /proc/self/maps. */
bool vm_next_area(uintptr_t address, struct vm_area_info *info);

/* The path of the file that area maps (empty: none), for /proc/self/maps. May sleep;
 * `address` is looked up again, so the area may have gone: false. */
bool vm_area_describe(uintptr_t address, char *buffer, size_t capacity, uint64_t *inode);

struct vm_counts {
	uint64_t mapped_bytes, resident_bytes, peak_resident_bytes, area_count;
	uint64_t minor_faults;
};
void vm_counts(struct vm_counts *counts);

#endif
