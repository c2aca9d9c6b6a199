/* Fuzzes cpio_check() of cli/cpio.c: archives that users give with --files. */
#include <stdlib.h>

#include "cli/cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	int64_t entries = cpio_check(data, bytes);

	if (entries >= 0 && (uint64_t)entries >= bytes)
		abort();
	return 0;
}
