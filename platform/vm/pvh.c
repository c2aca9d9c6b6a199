/*
 * What our monitor does on the host is done here in ring 0, for PVH loaders: memory
 * map, boot_info, page tables, control registers; then down to ring 3 for good.
 *
 * Everything is reached through LINEAR_BASE, where the first page tables show the
 * first 4 GiB; the loader's structures lie there.
 */
#include "platform/vm/pvh.h"

#include "abi/bundle.h"
#include "abi/kernel_image.h"
#include "abi/pvh.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "lib/boot_tables.h"
#include "lib/string.h"
#include "platform/vm/command_line.h"
#include "platform/vm/devices.h"
#include "platform/vm/ports.h"
#include "platform/vm/pvh_image.h"

#define LOW_MEMORY_END   (1ull << 20) /* firmware's and the start-up code's */
#define FIRST_MAP_END    (4ull << 30)
#define TABLE_POOL_BYTES (2ull << 20)
#define LAPIC_PHYS       0xfee00000ull
#define FW_CFG_SELECT    0x510
#define FW_CFG_DATA      0x511
#define FW_CFG_SIGNATURE 0
#define FW_CFG_CPUS      5

#define MSR_STAR     0xc0000081
#define MSR_LSTAR    0xc0000082
#define MSR_FMASK    0xc0000084
#define CR4_BASE     0x620 /* PAE, OSFXSR, OSXMMEXCPT */
#define CR4_FSGSBASE (1ull << 16)
#define CR4_OSXSAVE  (1ull << 18)

extern const char kernel_start[], kernel_end[], nucleus_start[], nucleus_end[];
extern const char kernel_text_end[], kernel_rodata_end[];
extern const char entry_syscall[];
/* What lgdt and lidt load. */
struct table_pointers {
	struct descriptor_pointer gdt ALIGNED(16);
	struct descriptor_pointer idt ALIGNED(16);
};
_Static_assert(offsetof(struct table_pointers, idt) == 16, "nucleus/pvh.S");

_Noreturn void pvh_enter_ring3(
	uint64_t root, uint64_t info_phys, uint64_t cpu, const struct table_pointers *pointers);

static struct boot_info boot;
uint32_t ap_number;

static void *at_phys(uint64_t phys)
{
	return (void *)(uintptr_t)(LINEAR_BASE + phys);
}

static uint64_t image_phys(const void *address)
{
	return (uint64_t)(uintptr_t)address - KERNEL_VIRT_BASE + KERNEL_PHYS_LINK;
}

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
	__asm__("cpuid"
		: "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
		: "a"(leaf), "c"(0));
}

/* ---- memory --------------------------------------------------------------- */

static void add_region(uint64_t start, uint64_t end, uint32_t type)
{
	if (start >= end || boot.region_count == BOOT_MAX_REGIONS)
		return;
	boot.regions[boot.region_count++] =
		(struct boot_region){.base = start, .bytes = end - start, .type = type};
}

struct span {
	uint64_t start, end;
};

/* Adds [start, end) without the parts in `holes`, which are in ascending order. */
static void add_ram(uint64_t start, uint64_t end, const struct span *holes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (holes[i].end <= start || holes[i].start >= end)
			continue;
		add_region(start, holes[i].start, BOOT_REGION_RAM);
		start = holes[i].end;
	}
	add_region(start, end, BOOT_REGION_RAM);
}

static void sort_spans(struct span *spans, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j > 0 && spans[j].start < spans[j - 1].start; j--) {
			struct span swap = spans[j];
			spans[j] = spans[j - 1];
			spans[j - 1] = swap;
		}
	}
}

/* Memory below `low_end` and in `bundle` is in use. */
static void read_memory_map(
	const struct hvm_start_info *start, uint64_t low_end, struct span bundle)
{
	const struct hvm_memory *map = at_phys(start->memory_map);
	uint64_t pool = ALIGN_UP(image_phys(kernel_end), 2 << 20);
	struct span holes[] = {
		{0, low_end},
		{KERNEL_PHYS_LINK, pool + TABLE_POOL_BYTES},
		{ALIGN_DOWN(bundle.start, PAGE_BYTES), ALIGN_UP(bundle.end, PAGE_BYTES)},
	};

	if (start->version < 1 || start->memory_map_count == 0)
		panic("the loader gives no memory map (PVH version %u); version 1 is needed",
			start->version);
	sort_spans(holes, ARRAY_SIZE(holes));
	for (uint32_t i = 0; i < start->memory_map_count; i++) {
		if (map[i].type != HVM_MEMORY_RAM)
			continue;
		add_ram(ALIGN_UP(map[i].address, PAGE_BYTES),
			ALIGN_DOWN(map[i].address + map[i].bytes, PAGE_BYTES), holes,
			ARRAY_SIZE(holes));
	}
	boot.tables_next = pool;
	boot.tables_end = pool + TABLE_POOL_BYTES;
}

/* ---- page tables ------------------------------------------------------------- */

static void *table_page(void *context, uint64_t phys)
{
	(void)context;
	return at_phys(phys);
}

static bool map_image(struct boot_tables *tables)
{
	uint64_t start = (uint64_t)(uintptr_t)kernel_start;
	uint64_t text_end = (uint64_t)(uintptr_t)kernel_text_end;
	uint64_t rodata_end = (uint64_t)(uintptr_t)kernel_rodata_end;
	uint64_t end = (uint64_t)(uintptr_t)kernel_end;
	uint64_t phys = KERNEL_PHYS_LINK - start;

	return boot_tables_map_kernel(tables, start, phys + start, text_end - start,
		       BOOT_TABLES_EXECUTE, (uint64_t)(uintptr_t)nucleus_start,
		       (uint64_t)(uintptr_t)nucleus_end) &&
	       boot_tables_map(tables, text_end, phys + text_end, rodata_end - text_end,
		       BOOT_TABLES_USER, false) &&
	       boot_tables_map(tables, rodata_end, phys + rodata_end, end - rodata_end,
		       BOOT_TABLES_USER | BOOT_TABLES_WRITE, false);
}

static void build_tables(uint64_t memory_end)
{
	struct boot_tables tables = {
		.page_at = table_page,
		.next = boot.tables_next,
		.end = boot.tables_end,
	};
	uint64_t linear_bytes = ALIGN_UP(memory_end, BOOT_TABLES_LARGE_BYTES);

	if (!boot_tables_init(&tables) || !map_image(&tables) ||
		!boot_tables_map(&tables, LINEAR_BASE, 0, linear_bytes,
			BOOT_TABLES_USER | BOOT_TABLES_WRITE, true) ||
		!boot_tables_map(&tables, DEVICE_VIRT_BASE, LAPIC_PHYS, PAGE_BYTES,
			BOOT_TABLES_USER | BOOT_TABLES_WRITE | BOOT_TABLES_UNCACHED, false))
		panic("no room for page tables of %lu MiB of memory",
			(unsigned long)(memory_end >> 20));
	boot.page_tables = tables.root;
	boot.tables_next = tables.next;
	memset(at_phys(boot.tables_next), 0, boot.tables_end - boot.tables_next);
}

static uint64_t memory_end(uint64_t at_least)
{
	uint64_t end = at_least;

	for (uint32_t i = 0; i < boot.region_count; i++)
		end = MAX(end, boot.regions[i].base + boot.regions[i].bytes);
	return end;
}

/* ---- the bundle ---------------------------------------------------------------- */

static void read_network(const struct bundle_header *bundle, uint64_t bundle_phys, uint64_t bytes)
{
	uint64_t needed = bundle->interface_count * sizeof(struct boot_interface);

	if (bundle->interface_count > BOOT_MAX_INTERFACES || bundle->interfaces > bytes ||
		needed > bytes - bundle->interfaces)
		panic("the bundle is damaged: interfaces");
	boot.interfaces = bundle_phys + bundle->interfaces;
	boot.interface_count = bundle->interface_count;
	memcpy(boot.hostname, bundle->hostname, sizeof(boot.hostname) - 1);
}

static void read_disks(const struct bundle_header *bundle, uint64_t bundle_phys, uint64_t bytes)
{
	uint64_t needed = bundle->disk_count * sizeof(struct boot_disk);

	if (bundle->disk_count > BOOT_MAX_DISKS || bundle->disks > bytes ||
		needed > bytes - bundle->disks)
		panic("the bundle is damaged: disks");
	boot.disks = bundle_phys + bundle->disks;
	boot.disk_count = bundle->disk_count;
	boot.files_mib = bundle->files_mib;
}

static void read_bundle(struct span span)
{
	const struct bundle_header *bundle = at_phys(span.start);
	uint64_t bytes = span.end - span.start;

	if (bytes < sizeof(*bundle) || bundle->magic != BUNDLE_MAGIC ||
		bundle->version != BUNDLE_VERSION || bundle->module_count > BOOT_MAX_MODULES)
		panic("the initial ramdisk is not a bundle of this release; make one with "
		      "burrow run --platform qemu");
	if (bundle->strings > bytes || bundle->strings_bytes > bytes - bundle->strings)
		panic("the bundle is damaged: strings");
	boot.flags |= bundle->flags;
	boot.wall_ns = bundle->wall_ns;
	memcpy(boot.seed, bundle->seed, sizeof(boot.seed));
	boot.strings = span.start + bundle->strings;
	boot.strings_bytes = bundle->strings_bytes;
	boot.argument_count = bundle->argument_count;
	boot.environment_count = bundle->environment_count;
	memcpy(boot.streams, bundle->streams, sizeof(boot.streams));
	boot.tty_rows = bundle->tty_rows;
	boot.tty_columns = bundle->tty_columns;
	read_network(bundle, span.start, bytes);
	read_disks(bundle, span.start, bytes);
	for (uint32_t i = 0; i < bundle->module_count; i++) {
		struct boot_module module = bundle->modules[i];
		if (module.base > bytes || module.bytes > bytes - module.base)
			panic("the bundle is damaged: module %u", i);
		module.base += span.start;
		module.writable = true;
		boot.modules[boot.module_count++] = module;
	}
}

static struct span find_bundle(const struct hvm_start_info *start)
{
	const struct hvm_module *module = at_phys(start->modules);

	if (start->module_count != 1)
		panic("started without a program: boot a file that burrow build made, give a "
		      "bundle as initial ramdisk, or use burrow run");
	if (module->address + module->bytes > FIRST_MAP_END)
		panic("the initial ramdisk lies above 4 GiB");
	return (struct span){module->address, module->address + module->bytes};
}

/* ---- vcpus -------------------------------------------------------------------------- */

/* QEMU tells their number in its configuration device (docs/specs/fw_cfg). */
static uint32_t count_cpus(void)
{
	static const char signature[] = "QEMU";

	__asm__ volatile("outw %0, %1"
			 :
			 : "a"((uint16_t)FW_CFG_SIGNATURE), "Nd"((uint16_t)FW_CFG_SELECT));
	for (size_t i = 0; i < 4; i++) {
		if (port_read8(FW_CFG_DATA) != (uint8_t)signature[i])
			return 1;
	}
	__asm__ volatile("outw %0, %1"
			 :
			 : "a"((uint16_t)FW_CFG_CPUS), "Nd"((uint16_t)FW_CFG_SELECT));
	uint32_t count = port_read8(FW_CFG_DATA);
	count |= (uint32_t)port_read8(FW_CFG_DATA) << 8;
	return count == 0 ? 1 : MIN(count, BOOT_MAX_CPUS);
}

static void mask_legacy_interrupts(void)
{
	port_write8(0x21, 0xff);
	port_write8(0xa1, 0xff);
}

static void init_registers(void)
{
	uint32_t leaf[4];

	cpuid(7, leaf);
	if ((leaf[1] & 1) == 0)
		panic("this CPU has no FSGSBASE instructions (Intel since 2012, AMD since 2019); "
		      "with QEMU use -cpu max");
	__asm__ volatile("mov %0, %%cr4" : : "r"(CR4_BASE | CR4_FSGSBASE | CR4_OSXSAVE));
	cpuid(13, leaf);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(leaf[0] & 0xe7), "d"(0));
	write_msr(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 | (uint64_t)0x23 << 48);
	write_msr(MSR_LSTAR, (uint64_t)(uintptr_t)entry_syscall);
	write_msr(MSR_FMASK, 0x700);
}

static _Noreturn void enter_ring3(uint32_t cpu)
{
	struct cpu_tables *tables = &cpu_tables[cpu];

	cpu_init_tables(cpu);
	struct table_pointers pointers = {
		.gdt = {sizeof(tables->gdt) - 1, (uint64_t)(uintptr_t)tables->gdt},
		.idt = {sizeof(tables->idt_run) - 1, (uint64_t)(uintptr_t)tables->idt_run},
	};
	pvh_enter_ring3(boot.page_tables, image_phys(&boot), cpu, &pointers);
}

_Noreturn void pvh_start_other(uint64_t cpu)
{
	init_registers();
	enter_ring3((uint32_t)cpu);
}

_Noreturn void pvh_start(uint64_t start_info_phys)
{
	const struct hvm_start_info *start = at_phys(start_info_phys);

	boot.magic = BOOT_INFO_MAGIC;
	boot.version = BOOT_INFO_VERSION;
	boot.kernel_base = KERNEL_PHYS_LINK;
	if (start->magic != PVH_START_MAGIC)
		panic("started without PVH information");
	const char *line = start->command_line == 0 ? "" : at_phys(start->command_line);
	const struct image_header *image = start->module_count == 0 ? pvh_image_find() : NULL;
	struct span in_use;

	init_registers();
	mask_legacy_interrupts();
	if (image != NULL) {
		pvh_image_span(image, &in_use.start, &in_use.end);
		read_memory_map(start, KERNEL_PHYS_LINK, in_use);
		pvh_image_read(image, line, &boot);
	} else {
		in_use = find_bundle(start);
		read_memory_map(start, LOW_MEMORY_END, in_use);
		read_bundle(in_use);
	}
	boot.wall_tsc = arch_ticks();
	boot.cpu_count = count_cpus();
	command_line_read(line, &boot);
	if (boot.device_count == 0)
		devices_scan_pci(&boot);
	devices_assign_roles(&boot);
	build_tables(memory_end(in_use.end));
	enter_ring3(0);
}
