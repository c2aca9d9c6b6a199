/*
 * Page tables (Intel SDM volume 3, 4.5): the program's lower half for kernel/mm,
 * and device registers for drivers.
 *
 * Entries are written with the accessed bit set, and the dirty bit where they are
 * writable: on hosts that shadow page tables this saves an exit for each, and lets
 * the host fill in neighbours. Nobody reads the two; file systems learn of writes
 * by rights that lack writing.
 */
#include "platform/vm/pages.h"

#include "abi/kernel_image.h"
#include "abi/linux/errno.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/lock.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "lib/string.h"
#include "arch/x86_64/lapic.h"

#define ENTRY_PRESENT       (1ull << 0)
#define ENTRY_WRITABLE      (1ull << 1)
#define ENTRY_USER          (1ull << 2)
#define ENTRY_WRITE_THROUGH (1ull << 3)
#define ENTRY_UNCACHED      (1ull << 4)
#define ENTRY_ACCESSED      (1ull << 5)
#define ENTRY_DIRTY         (1ull << 6)
#define ENTRY_HUGE          (1ull << 7)
#define ENTRY_OWNED         (1ull << 9)  /* ours: an anonymous page */
#define ENTRY_NONE          (1ull << 10) /* ours: mapped, with no rights at all */
#define ENTRY_NX            (1ull << 63)
#define ENTRY_ADDRESS       0x000ffffffffff000ull
#define ENTRY_TABLE         (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | ENTRY_ACCESSED)

#define ENTRIES           512
#define DEVICE_VIRT_BYTES (256ull << 20)

static uint64_t *root;
static uint64_t boot_tables_start, boot_tables_next, boot_tables_end;
static bool allocator_is_up;
static uint64_t device_next = DEVICE_VIRT_BASE + PAGE_BYTES;
static struct spinlock device_lock = SPINLOCK_INIT; /* guards device_next and its tables */
static uint64_t online_mask;

void pages_init(const struct boot_info *info)
{
	root = platform_phys_to_virt((struct phys){info->page_tables});
	boot_tables_start = info->tables_next;
	boot_tables_next = info->tables_next;
	boot_tables_end = info->tables_end;
}

void platform_memory_ready(void)
{
	allocator_is_up = true;
}

void pages_cpu_online(uint32_t cpu)
{
	__atomic_fetch_or(&online_mask, 1ull << cpu, __ATOMIC_SEQ_CST);
}

void *platform_phys_to_virt(struct phys phys)
{
	return (void *)(uintptr_t)(LINEAR_BASE + phys.raw);
}

struct phys platform_virt_to_phys(const void *linear)
{
	return (struct phys){(uint64_t)(uintptr_t)linear - LINEAR_BASE};
}

static uint64_t *table_of(uint64_t entry)
{
	return platform_phys_to_virt((struct phys){entry & ENTRY_ADDRESS});
}

static unsigned index_at(uintptr_t address, int level)
{
	return (unsigned)(address >> (PAGE_SHIFT + 9 * level)) & (ENTRIES - 1);
}

/* A zeroed page for a table, as a table entry; 0 when there is none. The pages that
 * the launcher set aside go first: they are zero and next to each other. */
static uint64_t new_table(void)
{
	struct phys page;

	if (boot_tables_next < boot_tables_end) {
		page.raw = boot_tables_next;
		boot_tables_next += PAGE_BYTES;
		return page.raw | ENTRY_TABLE;
	}
	if (!allocator_is_up || !page_alloc(1, PAGE_ALLOC_ZERO | PAGE_ALLOC_RESERVE, &page))
		return 0;
	return page.raw | ENTRY_TABLE;
}

/* The entry for `address` at `level` (0: 4 KiB, 1: 2 MiB), creating tables on the
 * way; NULL if there is no memory, or a huge entry is in the way (asked for level 0). */
static uint64_t *entry_create(uintptr_t address, int level)
{
	uint64_t *table = root;

	for (int at = 3; at > level; at--) {
		uint64_t *entry = &table[index_at(address, at)];
		if (*entry == 0)
			*entry = new_table();
		if (*entry == 0 || (*entry & ENTRY_HUGE) != 0)
			return NULL;
		table = table_of(*entry);
	}
	return &table[index_at(address, level)];
}

/* The entry that maps `address` (huge or small); NULL if nothing does, with *next
 * set to the end of the empty range that was found. */
static uint64_t *entry_find(uintptr_t address, uint64_t *bytes, uintptr_t *next)
{
	uint64_t *table = root;

	for (int level = 3; level >= 0; level--) {
		uint64_t span = PAGE_BYTES << (9 * level);
		uint64_t *entry = &table[index_at(address, level)];
		if (*entry == 0) {
			*next = ALIGN_DOWN(address, span) + span;
			return NULL;
		}
		if (level == 0 || (*entry & ENTRY_HUGE) != 0) {
			*bytes = span;
			return entry;
		}
		table = table_of(*entry);
	}
	return NULL;
}

static uint64_t rights(int protection, bool owned)
{
	uint64_t bits = ENTRY_ACCESSED | (owned ? ENTRY_OWNED : 0);

	if (protection == 0)
		return bits | ENTRY_NONE;
	bits |= ENTRY_PRESENT | ENTRY_USER;
	if (protection & PAGE_WRITE)
		bits |= ENTRY_WRITABLE | ENTRY_DIRTY;
	if (!(protection & PAGE_EXECUTE))
		bits |= ENTRY_NX;
	return bits;
}

int platform_map(uintptr_t address, struct phys phys, uint64_t bytes, int protection, bool owned)
{
	uint64_t bits = rights(protection, owned);

	while (bytes > 0) {
		uint64_t step = PAGE_BYTES;
		uint64_t *entry = NULL;
		if (((address | phys.raw) & (HUGE_PAGE_BYTES - 1)) == 0 &&
			bytes >= HUGE_PAGE_BYTES) {
			entry = entry_create(address, 1);
			if (entry != NULL && *entry == 0) {
				*entry = phys.raw | bits | ENTRY_HUGE;
				step = HUGE_PAGE_BYTES;
			} else {
				entry = NULL;
			}
		}
		if (entry == NULL) {
			entry = entry_create(address, 0);
			if (entry == NULL)
				return -LINUX_ENOMEM;
			*entry = phys.raw | bits;
		}
		address += step;
		phys.raw += step;
		bytes -= step;
	}
	return 0;
}

static int protection_of(uint64_t entry)
{
	if ((entry & ENTRY_PRESENT) == 0)
		return 0;
	return PAGE_READ | (entry & ENTRY_WRITABLE ? PAGE_WRITE : 0) |
	       (entry & ENTRY_NX ? 0 : PAGE_EXECUTE);
}

struct platform_mapping platform_lookup(uintptr_t address, uintptr_t *next)
{
	uint64_t bytes;
	uintptr_t end;
	uint64_t *entry = entry_find(address, &bytes, &end);

	if (entry == NULL) {
		if (next != NULL)
			*next = end;
		return (struct platform_mapping){.bytes = 0};
	}
	if (next != NULL)
		*next = ALIGN_DOWN(address, bytes) + bytes;
	return (struct platform_mapping){
		.phys = {*entry & ENTRY_ADDRESS & ~(bytes - 1)},
		.bytes = bytes,
		.protection = protection_of(*entry),
		.owned = (*entry & ENTRY_OWNED) != 0,
		.accessed = (*entry & ENTRY_ACCESSED) != 0,
	};
}

void platform_unmap(uintptr_t address)
{
	uint64_t bytes;
	uintptr_t next;
	uint64_t *entry = entry_find(address, &bytes, &next);

	if (entry != NULL)
		*entry = 0;
}

int platform_split(uintptr_t address)
{
	uint64_t bytes;
	uintptr_t next;
	uint64_t *entry = entry_find(address, &bytes, &next);

	if (entry == NULL || bytes != HUGE_PAGE_BYTES)
		return 0;
	uint64_t table_entry = new_table();
	if (table_entry == 0)
		return -LINUX_ENOMEM;
	uint64_t *table = table_of(table_entry);
	uint64_t small = *entry & ~ENTRY_HUGE;
	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = small + i * PAGE_BYTES;
	*entry = table_entry;
	return 0;
}

void platform_protect(uintptr_t address, int protection)
{
	uint64_t bytes;
	uintptr_t next;
	uint64_t *entry = entry_find(address, &bytes, &next);

	if (entry == NULL)
		return;
	uint64_t keep = *entry & (ENTRY_ADDRESS | ENTRY_DIRTY | ENTRY_HUGE);
	*entry = keep | rights(protection, (*entry & ENTRY_OWNED) != 0);
}

/* ---- making changes seen --------------------------------------------------- */

void arch_flush_requested(void)
{
	struct arch_cpu *cpu = arch_cpu();

	if (!__atomic_load_n(&cpu->flush_requested, __ATOMIC_ACQUIRE))
		return;
	/* Cleared first: a request that comes during the flush causes another one. The
	 * requester waits for flush_done, which counts. */
	__atomic_store_n(&cpu->flush_requested, 0, __ATOMIC_SEQ_CST);
	uint64_t goal = __atomic_load_n(&cpu->flush_wanted, __ATOMIC_SEQ_CST);
	nucleus_call(NUCLEUS_FLUSH_ALL, 0, 0);
	__atomic_store_n(&cpu->flush_done, goal, __ATOMIC_RELEASE);
}

static void flush_others(void)
{
	uint32_t self = arch_cpu_index();
	uint64_t waiting = 0;
	uint64_t goals[BOOT_MAX_CPUS];

	for (uint64_t rest = READ_ONCE(online_mask) & ~(1ull << self); rest != 0;
		rest &= rest - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(rest);
		struct arch_cpu *cpu = &cpu_tables[i].cpu;
		goals[i] = __atomic_add_fetch(&cpu->flush_wanted, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&cpu->flush_requested, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&cpu->halted, __ATOMIC_SEQ_CST))
			continue; /* it flushes when it wakes */
		lapic_send(i, VECTOR_FLUSH);
		waiting |= 1ull << i;
	}
	for (; waiting != 0; waiting &= waiting - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(waiting);
		struct arch_cpu *cpu = &cpu_tables[i].cpu;
		while ((int64_t)(__atomic_load_n(&cpu->flush_done, __ATOMIC_ACQUIRE) - goals[i]) <
				0 &&
			!__atomic_load_n(&cpu->halted, __ATOMIC_SEQ_CST))
			arch_relax();
	}
}

void platform_flush(uintptr_t address, uint64_t bytes)
{
	if (bytes <= PAGE_BYTES)
		nucleus_call(NUCLEUS_FLUSH_PAGE, address, 0);
	else
		nucleus_call(NUCLEUS_FLUSH_ALL, 0, 0);
	if ((READ_ONCE(online_mask) & (READ_ONCE(online_mask) - 1)) != 0)
		flush_others();
}

/* ---- table pages -------------------------------------------------------------- */

static bool table_is_empty(const uint64_t *table)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (table[i] != 0)
			return false;
	}
	return true;
}

/* Pages the launcher set aside are never given back. */
static bool is_allocator_page(uint64_t entry)
{
	uint64_t page = entry & ENTRY_ADDRESS;

	return page < boot_tables_start || page >= boot_tables_end;
}

void platform_trim(uintptr_t address, uint64_t bytes)
{
	uintptr_t end = address + bytes;

	for (uintptr_t at = ALIGN_UP(address, HUGE_PAGE_BYTES); at + HUGE_PAGE_BYTES <= end;) {
		uint64_t *table = root;
		uint64_t *entry = NULL;
		int level;
		for (level = 3; level >= 1; level--) {
			entry = &table[index_at(at, level)];
			if (*entry == 0 || (*entry & ENTRY_HUGE) != 0)
				break;
			table = table_of(*entry);
		}
		if (level == 0 && table_is_empty(table) && is_allocator_page(*entry)) {
			struct phys page = {*entry & ENTRY_ADDRESS};
			*entry = 0;
			platform_flush(at, HUGE_PAGE_BYTES);
			page_free(page, 1);
		}
		uint64_t span = level <= 1 ? HUGE_PAGE_BYTES : PAGE_BYTES << (9 * level);
		at = ALIGN_DOWN(at, span) + span;
	}
}

/* ---- device registers ------------------------------------------------------------ */

void *platform_map_device(struct phys base, uint64_t bytes)
{
	uint64_t offset = base.raw & (PAGE_BYTES - 1);
	uint64_t span = ALIGN_UP(offset + bytes, PAGE_BYTES);

	spin_lock(&device_lock);
	uint64_t start = device_next;
	if (span > DEVICE_VIRT_BASE + DEVICE_VIRT_BYTES - start) {
		spin_unlock(&device_lock);
		return NULL;
	}
	device_next += span;
	for (uint64_t at = 0; at < span; at += PAGE_BYTES) {
		uint64_t *entry = entry_create(start + at, 0);
		if (entry == NULL) {
			spin_unlock(&device_lock);
			return NULL;
		}
		*entry = (base.raw - offset + at) | ENTRY_TABLE | ENTRY_DIRTY | ENTRY_NX |
			 ENTRY_UNCACHED | ENTRY_WRITE_THROUGH;
	}
	spin_unlock(&device_lock);
	return (void *)(uintptr_t)(start + offset);
}
