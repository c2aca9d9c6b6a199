/* See ports.h. */
#include "platform/vm/ports.h"

#include "arch/x86_64/cpu.h"

/* The PVH boot code runs before there is a way from ring 3 to ring 0. */
static bool in_ring0(void)
{
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	return (cs & 3) == 0;
}

uint8_t port_read8(uint16_t port)
{
	uint8_t value;

	if (!in_ring0())
		return (uint8_t)nucleus_call(NUCLEUS_IN8, port, 0);
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

uint32_t port_read32(uint16_t port)
{
	uint32_t value;

	if (!in_ring0())
		return (uint32_t)nucleus_call(NUCLEUS_IN32, port, 0);
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

void port_write8(uint16_t port, uint8_t value)
{
	if (in_ring0())
		__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
	else
		nucleus_call(NUCLEUS_OUT8, port, value);
}

void port_write32(uint16_t port, uint32_t value)
{
	if (in_ring0())
		__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
	else
		nucleus_call(NUCLEUS_OUT32, port, value);
}
