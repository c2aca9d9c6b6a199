/* kernel/random.h for host unit tests: repeatable after srandom(). */
#include <stdlib.h>

#include "kernel/random.h"

uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

uint64_t random_below(uint64_t bound)
{
	return random_u64() % bound;
}

void random_bytes(void *buffer, size_t bytes)
{
	uint8_t *p = buffer;

	while (bytes-- > 0)
		*p++ = (uint8_t)random();
}
