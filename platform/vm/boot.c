/*
 * First C code on each vcpu, in ring 3: takes over from the launcher, and gives the
 * kernel its view of the machine.
 */
#include "platform/vm/boot.h"

#include "abi/kernel_image.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "lib/string.h"
#include "arch/x86_64/lapic.h"
#include "platform/vm/note_offsets.h"
#include "platform/vm/pages.h"
#include "platform/vm/startup.h"

_Static_assert(sizeof(struct cpu_tables) == NOTE_TABLES_STRIDE, "note.S");
_Static_assert(offsetof(struct cpu_tables, gdt) == NOTE_GDT_OFFSET, "note.S");
_Static_assert(sizeof(((struct cpu_tables *)0)->gdt) == NOTE_GDT_BYTES, "note.S");
_Static_assert(offsetof(struct cpu_tables, tss) == NOTE_TSS_OFFSET, "note.S");
_Static_assert(sizeof(struct task_state) == NOTE_TSS_BYTES, "note.S");
_Static_assert(offsetof(struct cpu_tables, idt_run) == NOTE_IDT_OFFSET, "note.S");
_Static_assert(sizeof(((struct cpu_tables *)0)->idt_run) == NOTE_IDT_BYTES, "note.S");

static struct boot_info info;
static uint8_t *launcher_seed; /* in the launcher's copy */
static uint64_t ticks_hz;
static uint32_t started[BOOT_MAX_CPUS]; /* vcpus that may leave vm_start */

const struct boot_info *platform_boot_info(void)
{
	return &info;
}

uint32_t platform_cpu_count(void)
{
	return info.cpu_count;
}

uint64_t platform_ticks_hz(void)
{
	return ticks_hz;
}

void platform_forget_seed(void)
{
	volatile uint8_t *copy = info.seed;
	volatile uint8_t *given = launcher_seed;

	for (size_t i = 0; i < sizeof(info.seed); i++) {
		copy[i] = 0;
		given[i] = 0;
	}
}

static void check_boot_info(const struct boot_info *given)
{
	if (given->magic != BOOT_INFO_MAGIC || given->version != BOOT_INFO_VERSION)
		panic("the launcher speaks another version of the boot protocol: use kernel and "
		      "monitor of one release");
	if (given->cpu_count == 0 || given->cpu_count > BOOT_MAX_CPUS ||
		given->region_count > BOOT_MAX_REGIONS || given->module_count > BOOT_MAX_MODULES ||
		given->device_count > BOOT_MAX_DEVICES ||
		given->interface_count > BOOT_MAX_INTERFACES)
		panic("boot information is malformed");
}

static void start_first(uint64_t boot_info_phys)
{
	struct boot_info *given = (void *)(uintptr_t)(LINEAR_BASE + boot_info_phys);

	check_boot_info(given);
	/* Without the devices that are not there: the launcher need not even have memory. */
	memcpy(&info, given,
		offsetof(struct boot_info, devices) +
			given->device_count * sizeof(info.devices[0]));
	launcher_seed = given->seed;
	pages_init(&info);
	if (info.tsc_hz == 0 || info.lapic_hz == 0)
		startup_calibrate(&info);
	ticks_hz = info.tsc_hz;
	lapic_set_frequency(info.lapic_hz);
	lapic_init_cpu();
	pages_cpu_online(0);
	kernel_main();
}

static void start_other(uint32_t cpu)
{
	while (!__atomic_load_n(&started[cpu], __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	lapic_init_cpu();
	pages_cpu_online(cpu);
	/* Nothing was flushed here before this vcpu counted as online. */
	nucleus_call(NUCLEUS_FLUSH_ALL, 0, 0);
	sched_cpu_main(cpu);
}

int platform_cpu_start(uint32_t cpu)
{
	__atomic_store_n(&started[cpu], 1, __ATOMIC_RELEASE);
	if ((info.flags & BOOT_DIRECT) == 0)
		startup_wake_cpu(cpu);
	return 0;
}

_Noreturn void vm_start(uint64_t boot_info_phys, uint64_t cpu)
{
	cpu_init_tables((uint32_t)cpu);
	cpu_attach((uint32_t)cpu);
	if (cpu == 0)
		start_first(boot_info_phys);
	else
		start_other((uint32_t)cpu);
	__builtin_unreachable();
}
