/* Calibration and secondary vcpus under PVH loaders; see startup.h. */
#include "platform/vm/startup.h"

#include "kernel/arch.h"
#include "kernel/panic.h"
#include "platform/vm/lapic.h"

/* The APIC timer of QEMU and KVM counts nanoseconds. */
#define APIC_HZ 1000000000ull
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

void startup_wake_cpu(uint32_t cpu)
{
	panic("vcpu %u: not started by the launcher", cpu);
}
