/*
 * Interrupts of devices: vectors for the local APIC, and the I/O APIC (82093AA
 * datasheet) that carries the lines of virtio-mmio devices under other launchers; devices
 * on PCI send their vectors themselves (MSI).
 * Idling lives here too, as it is waiting for one of them.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "drivers/pci.h"
#include "kernel/arch.h"
#include "kernel/lock.h"
#include "kernel/platform.h"
#include "arch/x86_64/lapic.h"

#define IO_APIC_BASE      0xfec00000
#define IO_APIC_BYTES     0x20
#define IO_APIC_SELECT    0
#define IO_APIC_WINDOW    4 /* index of a 32-bit word: offset 0x10 */
#define IO_APIC_ENTRY_LOW 0x10

#define MSI_ADDRESS 0xfee00000 /* SDM volume 3, 11.11 */

static struct spinlock attach_lock = SPINLOCK_INIT; /* guards what follows; rank: leaf */
static volatile uint32_t *io_apic;
static uint32_t vectors_used;

/* Edge-triggered: drivers acknowledge the device before they look at their rings, so
 * whatever comes later raises the line again. */
static int route_line(uint32_t line, uint32_t vector)
{
	if (io_apic == NULL)
		io_apic = platform_map_device((struct phys){IO_APIC_BASE}, IO_APIC_BYTES);
	if (io_apic == NULL)
		return -LINUX_ENOMEM;
	io_apic[IO_APIC_SELECT] = IO_APIC_ENTRY_LOW + 2 * line + 1;
	io_apic[IO_APIC_WINDOW] = 0; /* to vcpu 0 */
	io_apic[IO_APIC_SELECT] = IO_APIC_ENTRY_LOW + 2 * line;
	io_apic[IO_APIC_WINDOW] = vector;
	return 0;
}

static int route(const struct boot_device *device, uint32_t vector)
{
	if (device->transport == BOOT_TRANSPORT_PCI) /* to vcpu 0, fixed, edge-triggered */
		return pci_set_interrupt((uint32_t)device->base, MSI_ADDRESS, vector);
	return route_line(device->interrupt, vector);
}

int platform_interrupt_attach(
	const struct boot_device *device, platform_interrupt_fn handler, void *argument)
{
	int error;

	spin_lock(&attach_lock);
	if (device->transport == BOOT_TRANSPORT_STATIC) {
		error = trap_attach(device->interrupt, handler, argument);
	} else if (vectors_used == VECTOR_DEVICES) {
		error = -LINUX_EBUSY;
	} else {
		uint32_t vector = VECTOR_FIRST + vectors_used;
		error = trap_attach(vector, handler, argument);
		if (error == 0)
			error = route(device, vector);
		vectors_used++;
	}
	spin_unlock(&attach_lock);
	return error;
}

void platform_timer_set(uint64_t ticks)
{
	lapic_timer_set(ticks);
}

void platform_kick(uint32_t cpu)
{
	lapic_send(cpu, VECTOR_KICK);
}

void platform_idle(void)
{
	struct arch_cpu *cpu = arch_cpu();

	__atomic_store_n(&cpu->halted, 1, __ATOMIC_SEQ_CST);
	if (!arch_interrupt_pending())
		nucleus_call(NUCLEUS_HALT, 0, 0);
	__atomic_store_n(&cpu->halted, 0, __ATOMIC_SEQ_CST);
	arch_flush_requested();
}
