/* Sizes as people write them: 512M, 2G, 1GiB, 65536. */
#ifndef HOST_SIZE_H
#define HOST_SIZE_H

#include "lib/compiler.h"

/*
 * A decimal integer and an optional unit K, M, G or T (1024-based, any case, iB or B
 * may follow). Returns 0, -EINVAL (not a size) or -ERANGE (more than 2^64 - 1 bytes).
 */
int size_parse(const char *text, uint64_t *bytes);

#endif
