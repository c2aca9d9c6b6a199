/*
 * Checks cpio archives in the "newc" format (magic 070701), which the kernel unpacks over
 * its root at boot (BOOT_MODULE_FILES).
 *
 * Format: 110 bytes of header (magic and 13 fields of 8 hexadecimal digits), the name
 * with its NUL, padding to 4, the data, padding to 4; the last entry is TRAILER!!!.
 */
#ifndef CLI_CPIO_H
#define CLI_CPIO_H

#include "lib/compiler.h"

/* Bytes of the entries before the trailer, or -EINVAL. */
int64_t cpio_check(const uint8_t *data, uint64_t bytes);

#endif
