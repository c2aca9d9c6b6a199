/* Fuzzes lib/manifest.c: what passes the check is read to its end. */
#include <stdlib.h>

#include "lib/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const char *text = (const char *)data;
	struct manifest_entry entry;
	size_t position = 0;

	if (manifest_check(text, bytes) != 0)
		return 0;
	while (manifest_next(text, bytes, &position, &entry)) {
		char *value = malloc(entry.value_bytes + 1);

		if (value == NULL || entry.key == MANIFEST_UNKNOWN)
			abort();
		if (manifest_value(&entry, value) > entry.value_bytes)
			abort();
		free(value);
	}
	if (bytes != 18 && position != bytes)
		abort();
	return 0;
}
