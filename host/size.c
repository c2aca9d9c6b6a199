/* Parses sizes: see host/size.h. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "host/size.h"

static int unit_shift(const char *unit, unsigned *shift)
{
	static const char letters[] = "KMGT";
	const char *letter;

	*shift = 0;
	if (*unit == 0 || strcasecmp(unit, "B") == 0)
		return 0;
	letter = strchr(letters, *unit & ~0x20);
	if (letter == NULL || *letter == 0)
		return -EINVAL;
	if (unit[1] != 0 && strcasecmp(unit + 1, "B") != 0 && strcasecmp(unit + 1, "iB") != 0)
		return -EINVAL;
	*shift = 10 * (unsigned)(letter - letters + 1);
	return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	uint64_t value = 0;
	unsigned shift;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return -ERANGE;
	}
	if (at == text || unit_shift(at, &shift) != 0)
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = value << shift;
	return 0;
}
