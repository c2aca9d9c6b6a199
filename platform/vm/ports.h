/*
 * Ports of the machine, from either ring: directly in ring 0 (the PVH boot code), else
 * through the nucleus.
 */
#ifndef PLATFORM_VM_PORTS_H
#define PLATFORM_VM_PORTS_H

#include <stdint.h>

uint8_t port_read8(uint16_t port);
uint32_t port_read32(uint16_t port);
void port_write8(uint16_t port, uint8_t value);
void port_write32(uint16_t port, uint32_t value);

#endif
