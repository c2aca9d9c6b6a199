/* Calibration and secondary vcpus under PVH loaders; see startup.h. */
#include "platform/vm/startup.h"

#include "abi/nucleus.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "lib/string.h"
#include "arch/x86_64/lapic.h"
#include "platform/vm/pvh.h"

extern const char ap_code[], ap_code_end[];

/* The APIC timer of QEMU and KVM counts nanoseconds. */
#define APIC_HZ 1000000000ull
/* The manual's 10 ms are for the bus of 1996; virtual processors need none of it. */
#define INIT_WAIT_US       100
#define CALIBRATION_COUNTS 2000000u /* 2 ms */

void startup_calibrate(struct boot_info *info)
{
	info->lapic_hz = APIC_HZ;
	if (info->tsc_hz != 0)
		return;
	uint32_t first = lapic_timer_start_free_run();
	uint64_t start = arch_ticks();
	uint32_t count;
	do {
		count = first - lapic_timer_count();
	} while (count < CALIBRATION_COUNTS);
	uint64_t ticks = arch_ticks() - start;
	info->tsc_hz = (uint64_t)((unsigned __int128)ticks * APIC_HZ / count);
}

static void wait_us(uint64_t us)
{
	uint64_t end = arch_ticks() + platform_ticks_hz() / 1000000 * us;

	while (arch_ticks() < end)
		arch_relax();
}

/* SDM volume 3, 9.4.4.1. The vcpu ends up in vm_start(). */
void startup_wake_cpu(uint32_t cpu)
{
	uint8_t *code = platform_phys_to_virt((struct phys){AP_CODE_PAGE * PAGE_BYTES});

	memcpy(code, ap_code, (size_t)(ap_code_end - ap_code));
	__atomic_store_n(&ap_number, cpu, __ATOMIC_SEQ_CST);
	lapic_send_init(cpu);
	wait_us(INIT_WAIT_US);
	lapic_send_startup(cpu, AP_CODE_PAGE);
	/* One at a time: ap_number is read by the vcpu until it has its stack. */
	for (int tries = 0; tries < 1000 && !READ_ONCE(cpu_tables[cpu].cpu.self); tries++)
		wait_us(100);
	if (!READ_ONCE(cpu_tables[cpu].cpu.self))
		panic("vcpu %u does not start", cpu);
}
