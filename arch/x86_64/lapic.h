/*
 * The local APIC of each vcpu in xAPIC mode, through its registers mapped at
 * DEVICE_VIRT_BASE (Intel SDM volume 3, chapter 11).
 */
#ifndef ARCH_X86_64_LAPIC_H
#define ARCH_X86_64_LAPIC_H

#include "lib/compiler.h"

/* Enables this vcpu's APIC and prepares its timer. */
void lapic_init_cpu(void);
void lapic_set_frequency(uint64_t hz);
/* Where the host wants it said. */
void lapic_end_interrupt(uint32_t vector);
/* One-shot at this tick count; UINT64_MAX stops it. */
void lapic_timer_set(uint64_t ticks);
void lapic_timer_fired(void);
/* Current count of the timer, started at its greatest value: for calibration. */
uint32_t lapic_timer_start_free_run(void);
uint32_t lapic_timer_count(void);
void lapic_send(uint32_t cpu, uint32_t vector);
void lapic_send_init(uint32_t cpu);
void lapic_send_startup(uint32_t cpu, uint32_t page);

#endif
