/* Fuzzes lib/go_binary.c: any executable; what it finds must be readable. */
#include <stdlib.h>

#include "lib/go_binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static unsigned sum_text(struct go_text text, char separator)
{
	size_t position = 0;
	struct go_text item;
	unsigned sum = 0;

	while (go_text_next(text, separator, &position, &item)) {
		for (size_t i = 0; i < item.bytes; i++)
			sum += (unsigned char)item.at[i];
	}
	return sum;
}

/* One read-write segment that is the whole input, so that the search starts at once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct elf_program program = {.segment_count = 1,
		.segments = {{.address = 0x400000,
			.file_bytes = bytes,
			.memory_bytes = bytes,
			.rights = 6}}};
	struct go_binary binary;
	volatile unsigned sum;

	if (!go_binary_read(data, bytes, &program, &binary))
		return 0;
	sum = sum_text(binary.version, '\n') + sum_text(binary.modules, '\n') +
	      sum_text(binary.functions, 0) + sum_text(go_binary_setting(&binary, "GOOS"), ',');
	(void)sum;
	return 0;
}
