/* Loads and stores of big-endian (network order) integers at any address. */
#ifndef LIB_ENDIAN_H
#define LIB_ENDIAN_H

#include <stdint.h>

static inline uint16_t load_be16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

static inline uint32_t load_be32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline void store_be16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static inline void store_be32(uint8_t *to, uint32_t value)
{
	store_be16(to, (uint16_t)(value >> 16));
	store_be16(to + 2, (uint16_t)value);
}

#endif
