/*
 * What the kernel asks of the place it runs in: a VM, a host process, a tender.
 *
 * One implementation is linked: platform/vm/. Platforms call back
 * platform_on_interrupt() and platform_on_fault(). None of these sleep.
 */
#ifndef KERNEL_PLATFORM_H
#define KERNEL_PLATFORM_H

#include "lib/compiler.h"
#include "abi/boot_info.h"
#include "arch/x86_64/trap_frame.h"

#define PAGE_SHIFT      12
#define PAGE_BYTES      4096ull
#define HUGE_PAGE_SHIFT 21
#define HUGE_PAGE_BYTES (1ull << HUGE_PAGE_SHIFT)

/* A guest-physical address. */
struct phys {
	uint64_t raw;
};

/* Protection of a mapping; the values are those of mmap(2). */
enum page_protection {
	PAGE_READ = 1,
	PAGE_WRITE = 2,
	PAGE_EXECUTE = 4,
};

/* ---- boot ------------------------------------------------------------- */

const struct boot_info *platform_boot_info(void);
/* Wipes every copy of boot_info.seed, once it has been used. */
void platform_forget_seed(void);
uint32_t platform_cpu_count(void);
/* Starts vcpu `cpu` (not 0): it calls sched_cpu_main(cpu) on its own stack. */
int platform_cpu_start(uint32_t cpu);

/* page_alloc() works from now on: page tables may come from it. */
void platform_memory_ready(void);

/* ---- physical memory -------------------------------------------------- */

/* All guest memory is addressable by the kernel, for reading and writing. */
void *platform_phys_to_virt(struct phys phys);
struct phys platform_virt_to_phys(const void *linear);
/* Makes device registers addressable; uncached; never undone. NULL: no space. */
void *platform_map_device(struct phys base, uint64_t bytes);
/* Tells the host that [base, +bytes), whole huge pages, hold nothing of worth; afterwards
 * they read as zeroes. Returns false if this host cannot (content is then kept). */
bool platform_give_back(struct phys base, uint64_t bytes);

/* ---- the program's address space -------------------------------------- */

/*
 * Page tables of the lower half. Caller (kernel/mm/vm.c) serialises with the
 * address-space lock. `bytes` is a multiple of the page size; huge pages are used
 * for parts where both addresses are 2 MiB-aligned and a table is not in the way.
 * `owned` marks anonymous pages (software bit), so that unmapping reports them. An
 * entry that is there already is replaced. On -ENOMEM a first part may be mapped.
 */
int platform_map(uintptr_t address, struct phys phys, uint64_t bytes, int protection, bool owned);

struct platform_mapping {
	struct phys phys;
	uint64_t bytes; /* PAGE_BYTES or HUGE_PAGE_BYTES; 0: nothing mapped */
	int protection;
	bool owned;
	bool accessed;
};

/* What maps `address`. For nothing: bytes is 0 and *next (if given) is set to the
 * next address worth asking about, so that empty ranges are skipped in big steps. */
struct platform_mapping platform_lookup(uintptr_t address, uintptr_t *next);

/* Clears the entry that maps `address` (whole huge page). No flush: see below. */
void platform_unmap(uintptr_t address);
/* Turns a huge entry into 512 small ones with the same rights. -ENOMEM. */
int platform_split(uintptr_t address);
/* Changes the rights of the entry that maps `address`. Protection 0 keeps the page
 * but lets nobody at it; lookups still report it. No flush. */
void platform_protect(uintptr_t address, int protection);
/*
 * Makes the changes above (unmap, split, protect) seen by every vcpu before
 * it returns. Ranges beyond a few pages flush everything. May be called with the
 * address-space lock held; waits for other vcpus by spinning.
 */
void platform_flush(uintptr_t address, uint64_t bytes);
/* Frees empty page-table pages in a range that has no mappings left. */
void platform_trim(uintptr_t address, uint64_t bytes);

/* ---- time and idling --------------------------------------------------- */

uint64_t platform_ticks_hz(void);
/* One-shot interrupt on this vcpu at the tick count; UINT64_MAX disarms. */
void platform_timer_set(uint64_t ticks);
/* Waits until an interrupt is pending on this vcpu; returns at once if one is. */
void platform_idle(void);
/* Interrupts vcpu `cpu`; it will call sched_on_kick() soon. */
void platform_kick(uint32_t cpu);

/* ---- interrupts --------------------------------------------------------- */

typedef void (*platform_interrupt_fn)(void *argument);
/* Calls handler(argument) on vcpu 0, in kernel context, for this interrupt
 * (struct boot_device.interrupt and its transport). Returns 0 or -EBUSY. */
int platform_interrupt_attach(
	const struct boot_device *device, platform_interrupt_fn handler, void *argument);

/* ---- PCI configuration space ---------------------------------------------- */

/* Words of a function's configuration space; `function` is bus << 8 | device << 3 |
 * function, `offset` a multiple of 4 below 256. What is not there reads as ones. */
uint32_t platform_pci_read(uint32_t function, uint32_t offset);
void platform_pci_write(uint32_t function, uint32_t offset, uint32_t value);

/* ---- the end ------------------------------------------------------------ */

/* Early and last-resort output (panic, boot errors), synchronous. */
void platform_emergency_write(const char *text, size_t bytes);
/* Ends the VM. `status` is the program's exit status (0-255). */
_Noreturn void platform_exit(int status);
/* Ends the VM after a kernel panic. */
_Noreturn void platform_panic_exit(void);

/* ---- called by the platform -------------------------------------------- */

/* A fault in the program (or in a user-copy of the kernel), with the registers
 * at that point; runs on the thread's kernel stack and may sleep. */
void kernel_on_fault(struct trap_frame *frame, uintptr_t address);
/* A system call, likewise. */
void kernel_on_syscall(struct trap_frame *frame);
/* Last thing before the program continues: signals, preemption. */
void kernel_on_return(struct trap_frame *frame);
/* The one-shot timer of this vcpu fired. */
void sched_on_timer(void);
/* Another vcpu kicked this one. */
void sched_on_kick(void);
/* Entry of every vcpu but 0. */
_Noreturn void sched_cpu_main(uint32_t cpu);
/* Entry of vcpu 0, on a kernel stack. */
_Noreturn void kernel_main(void);

#endif
