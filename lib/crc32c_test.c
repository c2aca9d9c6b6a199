/* CRC-32C: the vectors of RFC 3720, appendix B.4, and chaining. */
#include "lib/crc32c.h"
#include "lib/test.h"

#include <string.h>

static uint32_t sum(const void *data, size_t bytes)
{
	return ~crc32c(~0u, data, bytes);
}

TEST(vectors)
{
	uint8_t data[32];

	memset(data, 0, sizeof(data));
	CHECK_EQUAL(sum(data, 32), 0x8a9136aau);
	memset(data, 255, sizeof(data));
	CHECK_EQUAL(sum(data, 32), 0x62a8ab43u);
	for (int i = 0; i < 32; i++)
		data[i] = (uint8_t)i;
	CHECK_EQUAL(sum(data, 32), 0x46dd794eu);
	CHECK_EQUAL(sum("123456789", 9), 0xe3069283u);
}

TEST(parts_chain_at_any_place)
{
	uint8_t data[100];

	for (int i = 0; i < 100; i++)
		data[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut <= 100; cut++)
		CHECK_EQUAL(
			crc32c(crc32c(7, data, cut), data + cut, 100 - cut), crc32c(7, data, 100));
}

TEST_DEFINE_MAIN
