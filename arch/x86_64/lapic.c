/* Local APIC: interrupts between vcpus, their end, and the one-shot timer. */
#include "arch/x86_64/lapic.h"

#include "abi/kernel_image.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/platform.h"

enum lapic_register {
	LAPIC_TASK_PRIORITY = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_IN_SERVICE = 0x100,
	LAPIC_COMMAND_LOW = 0x300,
	LAPIC_COMMAND_HIGH = 0x310,
	LAPIC_TIMER = 0x320,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define LAPIC_ENABLE     0x100
#define LAPIC_MASKED     0x10000
#define DIVIDE_BY_1      0xb
#define DIVIDE_BY_128    0xa
#define DELIVERY_INIT    0x4500
#define DELIVERY_STARTUP 0x4600
#define DELIVERY_FIXED   0x4000

/* Timer ticks per TSC tick as a 32.32 fixed-point number. */
static uint64_t timer_ratio;

static struct {
	uint64_t armed_ticks; /* deadline in the hardware; UINT64_MAX: none */
	uint32_t destination; /* last value of LAPIC_COMMAND_HIGH */
	uint32_t divide;      /* last value of LAPIC_TIMER_DIVIDE */
} lapic_cpu[BOOT_MAX_CPUS];

static void write_register(enum lapic_register offset, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(DEVICE_VIRT_BASE + offset) = value;
}

static uint32_t read_register(enum lapic_register offset)
{
	return *(volatile uint32_t *)(uintptr_t)(DEVICE_VIRT_BASE + offset);
}

void lapic_set_frequency(uint64_t hz)
{
	timer_ratio = (uint64_t)(((unsigned __int128)hz << 32) / platform_ticks_hz());
}

static void set_divide(uint32_t divide)
{
	uint32_t *current = &lapic_cpu[arch_cpu_index()].divide;

	if (*current != divide)
		write_register(LAPIC_TIMER_DIVIDE, divide);
	*current = divide;
}

void lapic_init_cpu(void)
{
	write_register(LAPIC_SPURIOUS, LAPIC_ENABLE | VECTOR_SPURIOUS);
	set_divide(DIVIDE_BY_1);
	write_register(LAPIC_TIMER, VECTOR_TIMER);
	lapic_cpu[arch_cpu_index()].armed_ticks = UINT64_MAX;
	lapic_cpu[arch_cpu_index()].destination = UINT32_MAX;
}

/* Some hosts deliver without setting the in-service bit: nothing ends there, and the write
 * would cost microseconds for nothing. The first interrupt of the machine tells. */
static enum { END_UNKNOWN, END_NEEDED, END_NOT_NEEDED } interrupt_end;

void lapic_end_interrupt(uint32_t vector)
{
	if (interrupt_end == END_UNKNOWN) {
		uint32_t word = read_register(LAPIC_IN_SERVICE + vector / 32 * 0x10);
		interrupt_end = (word >> vector % 32 & 1) != 0 ? END_NEEDED : END_NOT_NEEDED;
	}
	if (interrupt_end == END_NEEDED)
		write_register(LAPIC_EOI, 0);
}

void lapic_timer_fired(void)
{
	lapic_cpu[arch_cpu_index()].armed_ticks = UINT64_MAX;
}

/*
 * A register write costs microseconds on some hosts, so a timer that would only be
 * moved later is left: it fires early once, and the caller arms what it then needs.
 */
void lapic_timer_set(uint64_t ticks)
{
	uint64_t *armed = &lapic_cpu[arch_cpu_index()].armed_ticks;

	if (ticks >= *armed)
		return;
	uint64_t now = arch_ticks();
	uint64_t count = 1;
	if (ticks > now)
		count = (uint64_t)(((unsigned __int128)(ticks - now) * timer_ratio) >> 32) + 1;
	set_divide(count > UINT32_MAX ? DIVIDE_BY_128 : DIVIDE_BY_1);
	if (count > UINT32_MAX)
		count = MIN(count / 128 + 1, UINT32_MAX); /* at most minutes; armed again then */
	*armed = ticks;
	write_register(LAPIC_TIMER_INITIAL, (uint32_t)count);
}

uint32_t lapic_timer_start_free_run(void)
{
	write_register(LAPIC_TIMER, LAPIC_MASKED | VECTOR_TIMER);
	write_register(LAPIC_TIMER_INITIAL, UINT32_MAX);
	return read_register(LAPIC_TIMER_CURRENT);
}

uint32_t lapic_timer_count(void)
{
	return read_register(LAPIC_TIMER_CURRENT);
}

static void command(uint32_t cpu, uint32_t low)
{
	uint32_t high = cpu << 24;

	if (lapic_cpu[arch_cpu_index()].destination != high) {
		lapic_cpu[arch_cpu_index()].destination = high;
		write_register(LAPIC_COMMAND_HIGH, high);
	}
	write_register(LAPIC_COMMAND_LOW, low);
}

void lapic_send(uint32_t cpu, uint32_t vector)
{
	command(cpu, DELIVERY_FIXED | vector);
}

void lapic_send_init(uint32_t cpu)
{
	command(cpu, DELIVERY_INIT);
}

void lapic_send_startup(uint32_t cpu, uint32_t page)
{
	command(cpu, DELIVERY_STARTUP | page);
}
