/*
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as iSCSI (RFC 3720), ext4 and jbd2
 * use it. Raw: neither the seed nor the result is inverted, so that sums chain:
 * crc32c(crc32c(s, a), b) is that of a and b one after the other.
 */
#ifndef LIB_CRC32C_H
#define LIB_CRC32C_H

#include "lib/compiler.h"

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
